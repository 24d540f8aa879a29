/** Signals of a run in constant memory: what rows say, averaged over stretches of steps. */

/** Columns that a judgment needs. */
export const neededColumns = [
  "loss",
  "shiftedLoss",
  "gradNorm",
  "shiftedGradNorm",
  "cosine",
] as const;

/** Columns that a judgment uses where they are there. */
export const furtherColumns = ["directionNorm", "descentLoss", "probedLoss"] as const;

type NeededColumn = (typeof neededColumns)[number];
type FurtherColumn = (typeof furtherColumns)[number];

/** One step's evidence in plain numbers. */
export type StepSignals = { readonly [Name in NeededColumn]: number } & {
  /** ‖v‖ of the direction v that the outer optimizer is given; SAM's is g⁺. NaN where unknown. */
  readonly directionNorm?: number | undefined;
  /** Loss after a few plain descent steps in a copy. NaN where unknown. */
  readonly descentLoss?: number | undefined;
  /** Loss before those steps, on the same samples; NaN: it is `loss`. */
  readonly probedLoss?: number | undefined;
};

/** Evidence of several steps by column, as training reports it. */
export type SignalColumns = {
  readonly [Name in NeededColumn | FurtherColumn]?: ArrayLike<number> | undefined;
} & {
  /** Step of the first row. */
  readonly first: number;
  /** Number of rows. */
  readonly count: number;
  /** Step of each row, rising; default: consecutive steps from `first` on. */
  readonly step?: ArrayLike<number> | undefined;
  /** 1 for steps that were not taken, because what they led to was not finite; default: all were. */
  readonly skipped?: ArrayLike<number> | undefined;
};

/** What is summed over the rows of a bin. */
const sums = [
  "rows",
  "loss",
  "gap",
  "cosine",
  "product",
  "square",
  "logGrad",
  "logShifted",
  "directions",
  "logDirection",
  "probes",
  "probedLoss",
  "descentLoss",
] as const;

type Sum = (typeof sums)[number];

/** Averages over the rows of one window. */
export interface WindowAverages {
  readonly rows: number;
  readonly loss: number;
  /** Mean of f(x⁺) − f(x). */
  readonly lossGap: number;
  readonly cosine: number;
  /**
   * Σ⟨g, g⁺⟩ / Σ‖g‖²: how fast steps along g⁺ lower the loss, to first order, where steps along
   * g lower it by 1.
   */
  readonly agreement: number;
  /** Geometric means of ‖g‖ and of ‖g⁺‖/‖g‖. */
  readonly gradNorm: number;
  readonly gradRatio: number;
  /** Geometric mean of ‖v‖/‖g‖; NaN where no row has ‖v‖. */
  readonly directionRatio: number;
  /** Mean share of the loss that descent in a copy took away; NaN where no row has it. */
  readonly descentFall: number;
}

/** A slope of the loss, per step, with the ends of its 95 % interval. */
export interface Slope {
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

/** What {@link Signals} remembers, JSON-serializable. Extremes are absent before the first row. */
export interface SignalState {
  readonly version: 2;
  readonly rows: number;
  readonly notFinite: number;
  readonly skipped: number;
  readonly stuck: number;
  readonly missing: readonly string[];
  readonly origin?: number | undefined;
  readonly step?: number | undefined;
  readonly firstLoss?: number | undefined;
  readonly scale: number;
  readonly largestGradNorm: number;
  /** Steps a bin covers: a power of two. */
  readonly width: number;
  readonly bins: { readonly [Name in Sum]: readonly number[] };
}

/** Bins kept; beyond, two neighbors become one. */
const capacity = 128;

/** Below this a norm counts as zero, so that logarithms stay finite. */
const tiny = 1e-300;

/** Blocks that a window is cut into before slopes are taken: noise within a block averages out. */
const blocks = 16;

/**
 * Sums of the signals over stretches of equal numbers of steps. Stretches double as the run grows,
 * so that any part of the run can be averaged to about a hundredth of its length.
 */
export class Signals {
  /** Rows taken in. */
  rows = 0;
  /** Rows in a row, up to the last, in which something was not finite. */
  notFinite = 0;
  /** Rows of steps that were not taken. */
  skipped = 0;
  /** Those of them in a row, up to the last. */
  stuck = 0;
  /** Needed columns that a row lacked. */
  missing: string[] = [];
  /** Step of the first row, and of the last. */
  origin: number | undefined;
  step: number | undefined;
  /** Loss of the first finite row. */
  firstLoss: number | undefined;
  /** Size of what the first row says about the loss: of its value or of its change along the ascent. */
  scale = 0;
  largestGradNorm = 0;
  /** Steps a bin covers. */
  width = 1;
  private bins: { [Name in Sum]: number[] } = emptyBins();

  constructor(from?: SignalState) {
    if (from) Object.assign(this, structuredClone({ ...from, version: undefined }));
  }

  /**
   * Take in one row. Rows of steps that were seen before, as in the log of a run that was resumed
   * from a checkpoint, are left out.
   *
   * @returns whether the row began a new bin.
   */
  push(step: number, row: StepSignals, taken: boolean): boolean {
    if (this.step !== undefined && step <= this.step) return false;
    this.rows++;
    this.origin ??= step;
    this.step = step;
    this.stuck = taken ? 0 : this.stuck + 1;
    if (!taken) this.skipped++;
    if (!neededColumns.every((name) => Number.isFinite(row[name]))) {
      this.notFinite++;
      return false;
    }
    this.notFinite = 0;
    if (this.firstLoss === undefined) {
      this.firstLoss = row.loss;
      this.scale = Math.max(Math.abs(row.loss), Math.abs(row.shiftedLoss - row.loss));
    }
    this.largestGradNorm = Math.max(this.largestGradNorm, row.gradNorm);
    while (step - this.origin >= capacity * this.width) this.halve();
    const index = Math.floor((step - this.origin) / this.width);
    const isNew = (this.bins.rows[index] ?? 0) === 0;
    const { directionNorm = NaN, descentLoss = NaN, probedLoss = NaN } = row;
    const hasDirection = Number.isFinite(directionNorm);
    const hasDescent = Number.isFinite(descentLoss);
    const now: { readonly [Name in Sum]: number } = {
      rows: 1,
      loss: row.loss,
      gap: row.shiftedLoss - row.loss,
      cosine: row.cosine,
      product: row.gradNorm * row.shiftedGradNorm * row.cosine,
      square: row.gradNorm ** 2,
      logGrad: logarithm(row.gradNorm),
      logShifted: logarithm(row.shiftedGradNorm),
      directions: hasDirection ? 1 : 0,
      logDirection: hasDirection ? logarithm(directionNorm) - logarithm(row.gradNorm) : 0,
      probes: hasDescent ? 1 : 0,
      probedLoss: hasDescent ? (Number.isNaN(probedLoss) ? row.loss : probedLoss) : 0,
      descentLoss: hasDescent ? descentLoss : 0,
    };
    for (const name of sums) {
      const column = this.bins[name];
      while (column.length <= index) column.push(0);
      column[index] = (column[index] ?? 0) + now[name];
    }
    return isNew;
  }

  /** Note that rows lack a column that a judgment needs. */
  lack(name: string): void {
    if (!this.missing.includes(name)) this.missing.push(name);
  }

  /** Steps from the first row to the last, both included. */
  get horizon(): number {
    return this.step === undefined || this.origin === undefined ? 0 : this.step - this.origin + 1;
  }

  /**
   * Averages over the part of the run between two fractions of it, widened to whole bins, and back to
   * the last row before where that part has none.
   */
  window(from: number, to: number): WindowAverages {
    let first = this.bin(from);
    const end = this.bin(to) + 1;
    const sumOf = (name: Sum) => {
      const column = this.bins[name];
      let sum = 0;
      for (let bin = first; bin < Math.min(end, column.length); bin++) sum += column[bin] as number;
      return sum;
    };
    while (first > 0 && !(sumOf("rows") > 0)) first--;
    const total = Object.fromEntries(sums.map((name) => [name, sumOf(name)])) as {
      readonly [Name in Sum]: number;
    };
    const { rows } = total;
    return {
      rows,
      loss: total.loss / rows,
      lossGap: total.gap / rows,
      cosine: total.cosine / rows,
      agreement: total.product / total.square,
      gradNorm: Math.exp(total.logGrad / rows),
      gradRatio: Math.exp((total.logShifted - total.logGrad) / rows),
      directionRatio: Math.exp(total.logDirection / total.directions),
      descentFall: (total.probedLoss - total.descentLoss) / Math.abs(total.probedLoss),
    };
  }

  /** Mean losses of stretches of the run between two fractions of it, with the steps of their middles. */
  losses(from: number, to: number): { readonly step: number; readonly loss: number }[] {
    const first = this.bin(from);
    const end = this.bin(to) + 1;
    const each = Math.max(1, (end - first) / blocks);
    const found: { step: number; loss: number }[] = [];
    for (let i = 0; i * each < end - first; i++) {
      const [a, b] = [Math.round(first + i * each), Math.round(first + (i + 1) * each)];
      let [rows, loss] = [0, 0];
      for (let j = a; j < Math.min(b, end); j++) {
        rows += this.bins.rows[j] ?? 0;
        loss += this.bins.loss[j] ?? 0;
      }
      if (rows > 0) found.push({ step: ((a + b) / 2) * this.width, loss: loss / rows });
    }
    return found;
  }

  /**
   * Median of the slopes between all pairs of stretches (Theil 1950, Sen 1968), with Sen's interval:
   * robust against bursts, and without a word on how noise is distributed.
   */
  slope(from: number, to: number): Slope | undefined {
    const points = this.losses(from, to);
    const n = points.length;
    if (n < 4) return undefined;
    const slopes = new Float64Array((n * (n - 1)) / 2);
    let count = 0;
    points.forEach((b, i) => {
      for (let j = 0; j < i; j++) {
        const a = points[j] as (typeof points)[number];
        slopes[count++] = (b.loss - a.loss) / (b.step - a.step);
      }
    });
    slopes.sort();
    // Kendall's S has the variance n(n − 1)(2n + 5)/18 where there is no trend.
    const spread = 1.96 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
    const at = (rank: number) =>
      slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))] as number;
    return {
      slope: (at((slopes.length - 1) / 2 - 0.25) + at((slopes.length - 1) / 2 + 0.25)) / 2,
      low: at((slopes.length - spread) / 2 - 1),
      high: at((slopes.length + spread) / 2),
    };
  }

  /** Everything remembered, JSON-serializable. */
  state(): SignalState {
    const { rows, notFinite, skipped, stuck, origin, step, firstLoss } = this;
    const { scale, largestGradNorm, width } = this;
    // By hand: states are taken after every chunk of steps, and structuredClone takes ten times as long.
    const bins = Object.fromEntries(
      sums.map((name) => [name, this.bins[name].slice()]),
    ) as typeof this.bins;
    return {
      version: 2,
      rows,
      notFinite,
      skipped,
      stuck,
      missing: this.missing.slice(),
      origin,
      step,
      firstLoss,
      scale,
      largestGradNorm,
      width,
      bins,
    };
  }

  /** Bin of the step at a fraction of the run. */
  private bin(fraction: number): number {
    return Math.floor((fraction * (this.horizon - 1)) / this.width);
  }

  private halve(): void {
    for (const name of sums) {
      const old = this.bins[name];
      this.bins[name] = Array.from(
        { length: Math.ceil(old.length / 2) },
        (_, i) => (old[2 * i] ?? 0) + (old[2 * i + 1] ?? 0),
      );
    }
    this.width *= 2;
  }
}

const logarithm = (norm: number): number => Math.log(Math.max(norm, tiny));

const emptyBins = () =>
  Object.fromEntries(sums.map((name) => [name, [] as number[]])) as { [Name in Sum]: number[] };
