/** Rules of the screen: from averaged signals to a verdict, or to a warning. */
import { rounded } from "../../engine/digits.ts";
import type { VerdictName, Verdict } from "../verdict.ts";
import type { EvidenceKind, Warning } from "./screen.ts";
import type { Signals, Slope, WindowAverages } from "./signals.ts";
import type { ScreenTolerances } from "./tolerances.ts";

/** What a run's numbers are compared with. */
export interface Reference {
  readonly guessLoss: number | undefined;
  readonly evidence: EvidenceKind;
  /** Whether warnings wait for a counterfactual. */
  readonly counterfactual?: boolean | undefined;
}

/** What the rules look at. */
export interface Assessment extends Reference {
  readonly signals: Signals;
  /** Steps from the first row to the last: what a word about standing still refers to. */
  readonly horizon: number;
  /** The last tenth of the run, or 25 steps. */
  readonly recent: WindowAverages;
  /** The last quarter of the run: what warnings rest on. */
  readonly late: WindowAverages;
  /** The tenth in the middle of the run. */
  readonly earlier: WindowAverages;
  /** Fall of the loss over the last half of the run, relative to the loss. */
  readonly fall: number;
  /** Slope of the loss over the last quarter. */
  readonly drift: Slope | undefined;
  /** Lowest mean loss of a sixteenth of the run. */
  readonly lowest: number;
  /** ‖g‖ now relative to its largest value. */
  readonly relative: number;
}

/** A name, what led to it, and what is said instead of the name's usual meaning. */
export interface Finding {
  readonly name: VerdictName;
  readonly because: string;
  readonly says?: string | undefined;
}

/** Steps in the shortest window. */
const shortestWindow = 25;

/** What the rules look at, from what was remembered. */
export function assess(signals: Signals, reference: Reference): Assessment {
  const { horizon, largestGradNorm } = signals;
  const last = (share: number) => signals.window(Math.max(0, 1 - share), 1);
  const recent = last(Math.max(0.1, shortestWindow / horizon));
  const half = signals.slope(0.5, 1)?.slope ?? 0;
  return {
    ...reference,
    signals,
    horizon,
    recent,
    late: last(Math.max(0.25, shortestWindow / horizon)),
    earlier: signals.window(0.5, 0.6),
    fall: (-half * horizon) / 2 / Math.abs(recent.loss),
    drift: signals.slope(0.75, 1),
    lowest: Math.min(...signals.losses(0, 1).map(({ loss }) => loss)),
    relative: recent.gradNorm / largestGradNorm,
  };
}

/** cos·min(1, GradRatio): how far following g⁺ is following g. */
const agreementOf = ({ cosine, gradRatio }: WindowAverages) => cosine * Math.min(1, gradRatio);

/** What the loss would fall by over another horizon, relative to itself; at the ends of the interval. */
export function projected({ drift, horizon, recent }: Assessment): Slope | undefined {
  if (drift === undefined) return undefined;
  const scale = horizon / Math.abs(recent.loss);
  return { slope: drift.slope * scale, low: drift.low * scale, high: drift.high * scale };
}

/** Whether the loss has risen above its lowest by more than a share of what had been won. */
function hasRisen({ recent, lowest, signals }: Assessment, { lost, regained }: ScreenTolerances) {
  const won = (signals.firstLoss ?? lowest) - lowest;
  const rise = recent.loss - lowest;
  return rise > lost * won && rise > regained * Math.abs(recent.loss);
}

/** The first rule that holds, most telling first. */
export function judge(found: Assessment, tolerances: ScreenTolerances): Finding {
  return unjudgeable(found, tolerances) ?? ended(found, tolerances);
}

/** Runs whose numbers ended, or are too few. */
function unjudgeable(found: Assessment, tolerances: ScreenTolerances): Finding | undefined {
  const { signals, horizon, recent, earlier } = found;
  const { rows, skipped, stuck, missing, notFinite, firstLoss } = signals;
  if (rows === 0) return { name: "inconclusive", because: "There were no steps to judge." };
  if (stuck > 0 || 2 * skipped > rows) {
    const which = stuck > 0 ? `The last ${stuck}` : skipped;
    const because = `${which} of ${rows} steps were not taken: what they led to was not finite.`;
    return { name: "diverged", because };
  }
  if (missing.length > 0) {
    const because = `These columns are missing: ${missing.join(", ")}.`;
    return { name: "inconclusive", because };
  }
  if (notFinite > 0) {
    return { name: "diverged", because: `The last ${notFinite} steps were not finite.` };
  }
  const start = signals.firstLoss ?? NaN;
  const isFar = recent.loss > start + tolerances.rise * signals.scale;
  if (isFar && !(recent.loss < earlier.loss)) {
    const because = `The loss started at ${fine(firstLoss ?? NaN)} and now averages ${fine(recent.loss)}.`;
    return { name: "diverged", because };
  }
  const { fewestSteps, fewestRows } = tolerances;
  if (horizon < fewestSteps || rows < fewestRows) {
    const because = `${rows} rows over ${horizon} steps are too few to judge; ${fewestRows} over ${fewestSteps} are the least.`;
    return { name: "inconclusive", because };
  }
  return signals.largestGradNorm === 0
    ? { name: "inconclusive", because: "The gradient was zero from the start: certify it." }
    : undefined;
}

/** Runs that can be judged: moving, at rest, or neither. */
function ended(found: Assessment, tolerances: ScreenTolerances): Finding {
  const { recent, relative, earlier } = found;
  const { gradRatio, cosine, directionRatio } = recent;
  const ratio = `GradRatio = ‖g⁺‖/‖g‖ averages ${round(gradRatio)}`;
  const norm = `‖g‖ averages ${round(recent.gradNorm)}, ${percent(relative)} of its largest value`;
  const angle = `cos(g, g⁺) averages ${round(cosine)}`;
  const standing = horizonOf(found, tolerances);
  const isVanished = relative <= tolerances.vanishedGradient;

  if (isVanished && gradRatio <= tolerances.largeRatio) {
    return hasWon(found, tolerances)
      ? { name: "minimizer", because: `${norm}; curvature was not examined. ${standing}` }
      : {
          name: "inconclusive",
          because: `${norm}, but the loss, ${fine(recent.loss)}, is ${level(found)}: certify it.`,
        };
  }
  if (isFalling(found, tolerances)) {
    return {
      name: "descending",
      because: `It averages ${fine(recent.loss)} now and ${fine(earlier.loss)} in the middle of the ${found.horizon} steps seen. ${standing}`,
    };
  }
  if (!isVanished && gradRatio < tolerances.vanishedRatio) {
    return { name: "hallucinated-point", because: `${ratio}; ${norm}. ${standing}` };
  }
  if (!isVanished && directionRatio < tolerances.vanishedRatio) {
    return {
      name: "hallucinated-point",
      says: "The method has stalled at a false point of rest: the direction it follows has all but vanished, the true gradient has not. Curvature was not examined.",
      because: `‖v‖/‖g‖ averages ${round(directionRatio)} for that direction v; ${norm}; ${angle}. ${standing}`,
    };
  }
  const isSmall = relative < tolerances.smallGradient;
  const isAligned = cosine > tolerances.aligned;
  // Along the ascent the loss falls back to its lowest within ρ where ⟨g⁺, u⟩ ≥ 2‖g‖.
  const isBowl = isAligned && gradRatio * cosine >= 2 && recent.lossGap > 0;
  if (isSmall && isBowl && hasWon(found, tolerances) && !hasRisen(found, tolerances)) {
    return {
      name: "minimizer",
      because: `SAM chatters across it at the distance a fixed rho keeps: ${norm}; ${ratio}; ${angle}. Curvature was seen along the gradient only. ${standing}`,
    };
  }
  if (isSmall && !isAligned && gradRatio > tolerances.largeRatio) {
    return { name: "trapped-at-saddle", because: `${ratio}; ${norm}; ${angle}. ${standing}` };
  }
  return { name: "oscillating", because: `${ratio}; ${norm}; ${angle}. ${standing}` };
}

/**
 * Whether the method holds the run back: steps along g⁺ lower the loss by a small part of what steps
 * along g would, and the loss stays; or g⁺ is the smaller of the two, and the loss falls slowly
 * where descent would have made much of such a fall.
 */
function isHeldBack(found: Assessment, window: WindowAverages, tolerances: ScreenTolerances) {
  const agreement = agreementOf(window);
  const { fall } = found;
  // What the same steps along g would have taken from the loss, to first order.
  const forgone = fall / Math.max(agreement, 1e-9);
  const isHovering = window.gradRatio < 1 && forgone > tolerances.forgone && fall < tolerances.slow;
  return agreement < tolerances.agreement && (fall < tolerances.flat || isHovering);
}

/**
 * Whether the loss falls, beyond doubt, at a rate that matters, and is not merely on its way back
 * from a rise.
 */
function isFalling(found: Assessment, tolerances: ScreenTolerances): boolean {
  const ahead = projected(found);
  const { recent, earlier } = found;
  // Where SAM steps are those of plain descent, any fall beyond doubt is descent.
  const isPlain = agreementOf(recent) > tolerances.aligned && recent.gradRatio < 2;
  return (
    ahead !== undefined &&
    ahead.high < 0 &&
    -ahead.slope > (isPlain ? tolerances.plainFall : tolerances.fall) &&
    recent.loss < earlier.loss &&
    !hasRisen(found, tolerances) &&
    !isHeldBack(found, recent, tolerances)
  );
}

/** Share of the loss of the start, or of a constant answer where that is lower, that is left behind. */
function wonOf({ recent, signals, guessLoss }: Assessment): number {
  const top = Math.min(signals.firstLoss ?? NaN, guessLoss ?? Infinity);
  return (top - recent.loss) / Math.abs(top);
}

const hasWon = (found: Assessment, { won }: ScreenTolerances) => wonOf(found) >= won;

const level = ({ guessLoss, signals }: Assessment) =>
  guessLoss === undefined
    ? `not far below that of the start, ${fine(signals.firstLoss ?? NaN)}`
    : `not far below that of a constant answer, ${fine(guessLoss)}`;

/** What is said about the time the verdict refers to. */
function horizonOf(found: Assessment, { fall }: ScreenTolerances): string {
  const ahead = projected(found);
  const { horizon } = found;
  if (ahead === undefined) return `It refers to ${horizon} steps.`;
  const interval = `95 %: ${percent(ahead.low)} to ${percent(ahead.high)}`;
  const rate = `at the rate of their last quarter the loss changes by ${percent(ahead.slope)} in as many again (${interval})`;
  const isLeaving = ahead.high < 0 && ahead.slope < -1e-6 && -ahead.slope <= fall;
  const leave = isLeaving
    ? `; going on so, a tenth of the loss is gone after ${round(leaveAfter(found))} more`
    : "";
  return `It refers to ${horizon} steps: ${rate}${leave}.`;
}

/** Steps until a tenth of the loss is gone, at the rate seen; infinite where it does not fall. */
function leaveAfter({ drift, recent }: Assessment): number {
  return drift === undefined || drift.slope >= 0
    ? Infinity
    : (0.1 * Math.abs(recent.loss)) / -drift.slope;
}

/**
 * A warning says that the loss stays for as many steps again. It is not given as long as it may fall by
 * more than a tenth: a loss that bounces has a median slope of 0 early, and a wide interval. Nor while a
 * fall gathers speed, as where a run leaves a saddle: a line through what was seen does not bound it then.
 */
export function warn(found: Assessment, tolerances: ScreenTolerances): Warning | undefined {
  const { signals, horizon, late } = found;
  if (horizon < tolerances.fewestSteps || signals.rows < tolerances.fewestRows) return undefined;
  if (signals.missing.length > 0) return undefined;
  // Who asks is told what was measured.
  if (found.counterfactual && Number.isNaN(late.descentFall)) return undefined;
  const warning = suspect(found, tolerances);
  if (warning === undefined || !excludesFall(found, tolerances)) return undefined;
  if (gathersSpeed(found, tolerances)) return undefined;
  const claim = `This is about ${horizon} more steps: the trend so far excludes (95 %) that they take more than ${percent(tolerances.excluded)} of the loss.`;
  return { ...warning, sentence: `${warning.sentence} ${claim}` };
}

/** Whether the interval of the slope, without the first quarter of the run, leaves no such fall open. */
function excludesFall({ signals, horizon, recent }: Assessment, { excluded }: ScreenTolerances) {
  const slope = signals.slope(0.25, 1);
  return slope !== undefined && -slope.low * horizon < excluded * Math.abs(recent.loss);
}

/** Whether steps of the last quarter are worth more, to first order, than those of the quarter before. */
export function gathersSpeed({ signals }: Assessment, { quickening }: ScreenTolerances): boolean {
  const worth = (from: number, to: number) => {
    const { cosine, gradRatio, gradNorm } = signals.window(from, to);
    return cosine * gradRatio * gradNorm ** 2;
  };
  return worth(0.75, 1) > (1 + quickening) * Math.max(0, worth(0.5, 0.75));
}

/**
 * A step along g⁺ lowers the loss by η⟨g, g⁺⟩ to first order, a step along g by η‖g‖². Where the
 * loss no longer falls and the first is small beside the second, SAM is what holds the run. What it is
 * drawn to shows in the ratio: ‖g⁺‖ dies out on the way to a hallucinated point and towers over ‖g‖
 * around a saddle.
 */
function suspect(found: Assessment, tolerances: ScreenTolerances): Warning | undefined {
  const { signals, horizon, late, relative } = found;
  const { gradRatio, cosine, directionRatio, descentFall } = late;
  const { fall } = found;
  const step = signals.step ?? 0;
  const isFlat = fall < tolerances.flat;
  const isHeld = isHeldBack(found, late, tolerances) && !(descentFall <= 0);
  const isTrapped = isFlat && cosine < tolerances.misaligned && gradRatio > tolerances.largeRatio;
  // Mixtures of g and g⁺ may cancel where both are large and parallel.
  const isAtRest = isFlat && directionRatio < tolerances.vanishedRatio;
  // SAM follows g⁺ itself.
  const isShown = round(directionRatio) !== round(gradRatio) && !Number.isNaN(directionRatio);
  const direction = isShown ? `, ‖v‖/‖g‖ ${round(directionRatio)}` : "";
  const seen = `cos(g, g⁺) averages ${round(cosine)}, GradRatio ${round(gradRatio)}${direction}`;
  const measured = Number.isNaN(descentFall)
    ? ""
    : descentFall > 0
      ? ` A few descent steps in a copy lowered the loss by ${percent(descentFall)}: SAM is what holds the run.`
      : ` A few descent steps in a copy did not lower the loss either (${percent(descentFall)}): so few do not tell whether SAM holds the run, or the place does.`;
  const kind =
    relative < tolerances.smallGradient && gradRatio > tolerances.largeRatio
      ? ("saddle-trap-ahead" as const)
      : ("hallucination-ahead" as const);
  const meaning =
    kind === "saddle-trap-ahead"
      ? `the true gradient is dying out while the shifted one is not: a saddle is drawing the run in, as saddles do with SAM (Kim et al., arXiv 2301.06308).`
      : `SAM is descending toward a point that solves nothing. Use a smaller rho, or switch SAM on later.`;
  const { firstLoss = NaN } = signals;
  const hadWon = firstLoss - found.lowest > tolerances.little * Math.abs(firstLoss);
  if (hadWon && hasRisen(found, tolerances) && isFlat) {
    return {
      step,
      kind,
      sentence: `The loss has gone up again from ${fine(found.lowest)} to ${fine(found.recent.loss)} and does not come back (${seen}): ${meaning}${measured}`,
    };
  }
  if (relative <= tolerances.vanishedGradient) return undefined;
  if (isHeld || isTrapped || isAtRest) {
    return {
      step,
      kind,
      sentence: `SAM steps ${isFlat ? "no longer" : "hardly"} lower the loss (${seen}) although the true gradient is not zero (${round(late.gradNorm)}): ${meaning}${measured}`,
    };
  }
  const before = Math.max(0, (firstLoss - found.earlier.loss) / Math.abs(found.recent.loss));
  // How much looking ahead changes the loss, relative to it.
  const raised = late.lossGap / Math.abs(late.loss);
  const isStuck =
    signals.rows >= tolerances.patience &&
    horizon >= 4 * tolerances.fewestSteps &&
    wonOf(found) < tolerances.little &&
    // A run that is merely slow falls in its last half as it did in its first, if it did.
    (before === 0 || fall <= tolerances.slowing * before) &&
    raised > Math.max(tolerances.raised, tolerances.outweighed * fall);
  if (isStuck) {
    return {
      step,
      kind: "saddle-trap-ahead",
      sentence: `After ${horizon} steps the loss is ${level(found)} and hardly falls, while looking ahead by rho raises it by ${percent(raised)} (${seen}): little is being learned, as around a saddle, and saddles attract SAM (Kim et al., arXiv 2301.06308). Use a smaller rho, or switch SAM on later.${measured}`,
    };
  }
  return undefined;
}

/** The numbers a verdict rests on. */
export function numbersOf(found: Assessment): Verdict["numbers"] {
  const { signals, horizon, recent, earlier, drift } = found;
  const ahead = projected(found);
  const known = (numbers: { readonly [name: string]: number }) =>
    Object.fromEntries(Object.entries(numbers).filter(([, value]) => Number.isFinite(value)));
  return {
    steps: horizon,
    rows: signals.rows,
    ...(signals.skipped > 0 && { skipped: signals.skipped }),
    loss: recent.loss,
    earlierLoss: earlier.loss,
    lossGap: recent.lossGap,
    gradNorm: recent.gradNorm,
    largestGradNorm: signals.largestGradNorm,
    gradRatio: recent.gradRatio,
    cosine: recent.cosine,
    ...known({
      directionRatio: recent.directionRatio,
      descentFall: recent.descentFall,
      drift: drift && ahead ? ahead.slope : NaN,
      driftLow: ahead?.low ?? NaN,
      driftHigh: ahead?.high ?? NaN,
      // A rate at the level of rounding says nothing about when.
      leaveSteps: ahead && ahead.high < 0 && ahead.slope < -1e-6 ? leaveAfter(found) : NaN,
    }),
  };
}

/** Losses are compared with one another. */
const fine = (value: number): string => String(rounded(value, 4));
const round = (value: number): string => String(rounded(value, 2));
/** Less than a millionth is nothing: rounding decides it. */
const percent = (fraction: number): string =>
  `${Math.abs(fraction) < 1e-6 ? 0 : round(100 * fraction)} %`;
