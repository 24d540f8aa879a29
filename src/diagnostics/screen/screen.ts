/** Screening: a verdict from the optimizer's own evidence. Free, early, and possibly wrong. */
import type { FloatType } from "../../problems/problem.ts";
import { Signals, type SignalColumns, type SignalState } from "./signals.ts";
import { verdicts, type Verdict, type VerdictName } from "../verdict.ts";

/** Thresholds of the screen. Averages are over about the last tenth of the run. */
export interface ScreenTolerances {
  /** GradRatio below which the shifted gradient counts as vanished. */
  readonly vanishedRatio: number;
  /** ‖g‖ relative to its largest value in the run below which it counts as vanished. */
  readonly vanishedGradient: number;
  /** ‖g‖ relative to its largest value below which it counts as small … */
  readonly smallGradient: number;
  /** … and GradRatio above which ‖g⁺‖ counts as large in comparison. */
  readonly largeRatio: number;
  /** |cos(g, g⁺)| from which on the two gradients count as parallel or opposed. */
  readonly aligned: number;
  /** cos(g, g⁺) below which a SAM step no longer lowers the loss to speak of. */
  readonly misaligned: number;
  /** Fall of the loss from the earlier to the recent window, relative to the loss, that matters. */
  readonly fall: number;
  /** The same where the gradients are aligned, so that every step is known to lower the loss. */
  readonly alignedFall: number;
  /** Steps before which nothing is said. */
  readonly fewestSteps: number;
}

/** Default thresholds, chosen on the runs of docs/what-we-found.md. */
export const screenTolerances: ScreenTolerances = {
  vanishedRatio: 0.1,
  vanishedGradient: 1e-6,
  smallGradient: 0.1,
  largeRatio: 10,
  aligned: 0.5,
  misaligned: 0.1,
  fall: 0.01,
  alignedFall: 1e-4,
  fewestSteps: 50,
};

/** Something worth saying before the run is over. */
export interface Warning {
  /** Step at which the evidence first supported it. */
  readonly step: number;
  readonly kind: "hallucination-ahead" | "saddle-trap-ahead";
  readonly sentence: string;
}

/** Watches a run: feed it records, ask it any time. */
export interface Screen {
  /** Take in records; returns a warning when they are the first to support one. */
  push(records: SignalColumns): Warning | undefined;
  verdict(): Verdict;
  readonly warning: Warning | undefined;
  /** What it remembers, JSON-serializable: hand it to `createScreen` to continue. */
  state(): ScreenState;
}

/** What a screen remembers. */
export interface ScreenState {
  readonly signals: SignalState;
  readonly warning?: Warning;
}

/** Start watching a run, or continue from a stored state. */
export function createScreen({
  dtype,
  engine,
  tolerances = screenTolerances,
  from,
}: {
  dtype: FloatType;
  engine: string;
  tolerances?: ScreenTolerances;
  from?: ScreenState;
}): Screen {
  const signals = new Signals(from?.signals);
  let warning = from?.warning;
  return {
    get warning() {
      return warning;
    },
    push(records) {
      const known = warning;
      for (const { taken, ...step } of stepsOf(records)) {
        signals.push(step, taken);
        warning ??= warningFrom(signals, tolerances);
      }
      return known === undefined ? warning : undefined;
    },
    verdict() {
      const { name, because } = decide(signals, tolerances);
      return {
        name,
        sentence: `${verdicts[name]} ${because}`,
        basis: "screen",
        numbers: numbersOf(signals),
        tolerances: { ...tolerances },
        dtype,
        engine,
      };
    },
    state: () => ({ signals: signals.state(), ...(warning && { warning }) }),
  };
}

function* stepsOf(records: SignalColumns) {
  const at = (column: ArrayLike<number>, i: number) => column[i] as number;
  for (let i = 0; i < records.count; i++) {
    yield {
      loss: at(records.loss, i),
      shiftedLoss: at(records.shiftedLoss, i),
      gradNorm: at(records.gradNorm, i),
      shiftedGradNorm: at(records.shiftedGradNorm, i),
      cosine: at(records.cosine, i),
      taken: records.skipped === undefined || at(records.skipped, i) === 0,
    };
  }
}

/**
 * A SAM step lowers the loss by η⟨g, g⁺⟩ to first order, so once the cosine is near zero or
 * negative the run no longer descends, long before its loss curve looks flat. What it is drawn
 * to instead shows in the ratio: ‖g⁺‖ dies out on the way to a hallucinated point and towers
 * over ‖g‖ around a saddle.
 */
function warningFrom(signals: Signals, tolerances: ScreenTolerances): Warning | undefined {
  const { recent, earlier, count, gradRatio, largestGradNorm, gradNorm } = signals;
  if (count < tolerances.fewestSteps || recent.cosine >= tolerances.misaligned) return undefined;
  const falling = earlier.loss - recent.loss > tolerances.fall * Math.abs(recent.loss);
  if (falling || gradNorm <= tolerances.vanishedGradient * largestGradNorm) return undefined;
  const step = count - 1;
  const cosine = `cos(g, g⁺) averages ${round(recent.cosine)}`;
  return gradNorm < tolerances.smallGradient * largestGradNorm && gradRatio > tolerances.largeRatio
    ? {
        step,
        kind: "saddle-trap-ahead",
        sentence: `SAM steps no longer lower the loss (${cosine}) and the true gradient is dying out while the shifted one is not (GradRatio ${round(gradRatio)}): a saddle is drawing the run in.`,
      }
    : {
        step,
        kind: "hallucination-ahead",
        sentence: `SAM steps no longer lower the loss (${cosine}) although the true gradient is not small (${round(gradNorm)}): SAM is descending toward a point that solves nothing. Use a smaller rho, or switch SAM on later.`,
      };
}

/** The screening verdicts of theory, most telling first. */
function decide(
  signals: Signals,
  tolerances: ScreenTolerances,
): { name: VerdictName; because: string } {
  const { recent, earlier, count, first, last, gradRatio, gradNorm, largestGradNorm } = signals;
  const { stuck, skipped } = signals;
  if (stuck > 0 || 2 * skipped > count) {
    const which = stuck > 0 ? `The last ${stuck}` : skipped;
    const because = `${which} of ${count} steps were not taken: what they led to was not finite.`;
    return { name: "diverged", because };
  }
  if (last === undefined || first === undefined || signals.notFinite > 0) {
    return last === undefined
      ? { name: "inconclusive", because: "There were no steps to judge." }
      : { name: "diverged", because: `The last ${signals.notFinite} steps were not finite.` };
  }
  if (
    recent.loss > first.loss + 10 * Math.max(1, Math.abs(first.loss)) &&
    recent.loss > earlier.loss
  ) {
    return {
      name: "diverged",
      because: `The loss started at ${round(first.loss)} and now averages ${round(recent.loss)}.`,
    };
  }
  if (count < tolerances.fewestSteps) {
    return {
      name: "inconclusive",
      because: `${count} steps are too few to judge; ${tolerances.fewestSteps} are the least.`,
    };
  }
  const ratio = `GradRatio = ‖g⁺‖/‖g‖ averages ${round(gradRatio)}`;
  const relative = gradNorm / largestGradNorm;
  const norm = `‖g‖ averages ${round(gradNorm)}, ${percent(relative)} of its largest value`;
  const angle = `cos(g, g⁺) averages ${round(recent.cosine)}`;
  if (largestGradNorm === 0) {
    return { name: "inconclusive", because: "The gradient was zero from the start: certify it." };
  }
  if (gradRatio < tolerances.vanishedRatio && relative > tolerances.vanishedGradient) {
    return { name: "hallucinated-point", because: `${ratio}; ${norm}.` };
  }
  if (relative <= tolerances.vanishedGradient && gradRatio <= tolerances.largeRatio) {
    return signals.highestLoss > signals.lowestLoss && recent.loss <= first.loss
      ? { name: "minimizer", because: `${norm}; curvature was not examined.` }
      : { name: "inconclusive", because: `${norm}, but the loss never fell: certify it.` };
  }
  const fall = (earlier.loss - recent.loss) / Math.abs(recent.loss);
  const aligned = recent.cosine > tolerances.aligned;
  const small = relative < tolerances.smallGradient;
  if (fall > tolerances.fall || (aligned && !small && fall > tolerances.alignedFall)) {
    return {
      name: "descending",
      because: `It averages ${round(recent.loss)} now and ${round(earlier.loss)} before.`,
    };
  }
  if (small) {
    if (aligned) {
      return {
        name: "minimizer",
        because: `SAM chatters across it at the distance a fixed rho keeps: ${norm}; ${angle}. Curvature was seen along the gradient only.`,
      };
    }
    if (gradRatio > tolerances.largeRatio) {
      return { name: "trapped-at-saddle", because: `${ratio}; ${norm}; ${angle}.` };
    }
  }
  return { name: "oscillating", because: `${ratio}; ${norm}; ${angle}.` };
}

function numbersOf(signals: Signals): Verdict["numbers"] {
  const { recent, earlier, count, skipped } = signals;
  return {
    steps: count,
    ...(skipped > 0 && { skipped }),
    loss: recent.loss,
    earlierLoss: earlier.loss,
    lossGap: recent.lossGap,
    gradNorm: signals.gradNorm,
    largestGradNorm: signals.largestGradNorm,
    gradRatio: signals.gradRatio,
    cosine: recent.cosine,
  };
}

const round = (value: number): string => Number(value.toPrecision(2)).toString();
const percent = (fraction: number): string => `${round(100 * fraction)} %`;
