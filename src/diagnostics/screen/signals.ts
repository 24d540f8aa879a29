/** Streaming averages of what the optimizer saw, in constant memory. */

/** One step's evidence in plain numbers. */
export interface StepSignals {
  readonly loss: number;
  readonly shiftedLoss: number;
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  readonly cosine: number;
}

/** Evidence of consecutive steps by column, as training reports it. */
export type SignalColumns = { readonly [Name in keyof StepSignals]: ArrayLike<number> } & {
  readonly first: number;
  readonly count: number;
  /** 1 for steps that were not taken, because what they led to was not finite; default: all were. */
  readonly skipped?: ArrayLike<number> | undefined;
};

/** Averages over one window. */
export interface WindowAverages {
  loss: number;
  /** f(x⁺) − f(x). */
  lossGap: number;
  cosine: number;
  /** Mean of log ‖g‖. */
  logGradNorm: number;
  /** Mean of log ‖g⁺‖. */
  logShiftedGradNorm: number;
}

/** What {@link Signals} remembers. Infinite extremes, before the first step, are left out. */
export interface SignalState {
  readonly count: number;
  readonly notFinite: number;
  /** Steps that were not taken, in all and up to the last; left out while there are none. */
  readonly skipped?: number;
  readonly stuck?: number;
  readonly first?: StepSignals;
  readonly last?: StepSignals;
  readonly largestGradNorm: number;
  readonly lowestLoss?: number;
  readonly highestLoss?: number;
  readonly recent: WindowAverages;
  readonly earlier: WindowAverages;
}

/** Below this a norm counts as zero, so that logarithms stay finite. */
const tiny = 1e-300;

/** Trailing windows cover these fractions of the steps so far … */
const fractions = { recent: 0.1, earlier: 0.4 };
/** … but at least this many steps. */
const shortestWindow = 25;

/**
 * Running averages of the signals of theory: each is an exponential average whose memory grows
 * with the run, so that "recent" always means about the last tenth of it.
 */
export class Signals {
  /** Steps seen. */
  count = 0;
  /** Steps in a row, up to the last, in which something was not finite. */
  notFinite = 0;
  /** Steps that were not taken. */
  skipped = 0;
  /** Those of them in a row, up to the last. */
  stuck = 0;
  first: StepSignals | undefined;
  last: StepSignals | undefined;
  largestGradNorm = 0;
  lowestLoss = Infinity;
  highestLoss = -Infinity;
  recent: WindowAverages = zeroAverages();
  earlier: WindowAverages = zeroAverages();

  constructor(from?: SignalState) {
    if (from) Object.assign(this, structuredClone(from));
  }

  /** Take in one step, and whether it was taken. */
  push(step: StepSignals, taken: boolean): void {
    this.count++;
    this.stuck = taken ? 0 : this.stuck + 1;
    if (!taken) this.skipped++;
    this.last = step;
    if (!Object.values(step).every(Number.isFinite)) {
      this.notFinite++;
      return;
    }
    this.notFinite = 0;
    this.first ??= step;
    this.largestGradNorm = Math.max(this.largestGradNorm, step.gradNorm);
    this.lowestLoss = Math.min(this.lowestLoss, step.loss);
    this.highestLoss = Math.max(this.highestLoss, step.loss);
    const now: WindowAverages = {
      loss: step.loss,
      lossGap: step.shiftedLoss - step.loss,
      cosine: step.cosine,
      logGradNorm: Math.log(Math.max(step.gradNorm, tiny)),
      logShiftedGradNorm: Math.log(Math.max(step.shiftedGradNorm, tiny)),
    };
    for (const window of ["recent", "earlier"] as const) {
      const length = Math.max(shortestWindow, fractions[window] * this.count);
      const weight = Math.max(1 / length, 1 / this.count);
      const averages = this[window];
      for (const key of Object.keys(now) as (keyof WindowAverages)[]) {
        averages[key] += weight * (now[key] - averages[key]);
      }
    }
  }

  /** Everything remembered, JSON-serializable. */
  state(): SignalState {
    const { count, notFinite, skipped, stuck, first, last, largestGradNorm, recent, earlier } =
      this;
    const extremes = { lowestLoss: this.lowestLoss, highestLoss: this.highestLoss };
    return structuredClone({
      count,
      notFinite,
      ...(skipped > 0 && { skipped, stuck }),
      ...(first && { first }),
      ...(last && { last }),
      largestGradNorm,
      ...(first && extremes),
      recent,
      earlier,
    });
  }

  /** Geometric mean of GradRatio = ‖g⁺‖/‖g‖ over the recent window. */
  get gradRatio(): number {
    return Math.exp(this.recent.logShiftedGradNorm - this.recent.logGradNorm);
  }

  /** Geometric mean of ‖g‖ over the recent window. */
  get gradNorm(): number {
    return Math.exp(this.recent.logGradNorm);
  }
}

function zeroAverages(): WindowAverages {
  return { loss: 0, lossGap: 0, cosine: 0, logGradNorm: 0, logShiftedGradNorm: 0 };
}
