/** Verdicts: what can be said about a point or a run, each with the sentence that says it. */

/**
 * Every verdict with its meaning. `g` is the gradient, `g⁺` the gradient at the ascent point,
 * H and H⁺ the Hessians at the two, M the Jacobian of x ↦ x⁺.
 */
export const verdicts = {
  minimizer: "The gradient vanishes and the loss curves upward: a minimizer of the loss.",
  saddle: "The gradient vanishes, but the loss curves downward in some direction: a saddle.",
  maximizer: "The gradient vanishes and the loss curves downward: a maximizer of the loss.",
  "hallucinated-minimizer":
    "SAM sees a minimizer that is not there: its shifted gradient vanishes, the true gradient does not, and the ascent point sits in a minimum.",
  "hallucinated-saddle":
    "SAM's shifted gradient vanishes while the true gradient does not; the ascent point sits on a saddle, so this is not even a minimizer of the surrogate SAM descends.",
  "hallucinated-maximizer":
    "SAM's shifted gradient vanishes while the true gradient does not; the ascent point sits on a maximizer.",
  "hallucinated-rest":
    "The method rests where only it does: its direction vanishes, that of plain descent does not.",
  "near-hallucinated":
    "The method's direction has all but vanished while that of plain descent has not, but no zero of it was found here: the point drifts, and nothing is said about stability.",
  "hallucinated-point":
    "SAM has stalled at a hallucinated point: its shifted gradient has all but vanished, the true gradient has not. Curvature was not examined.",
  "trapped-at-saddle":
    "SAM chatters around a critical point of the loss that is no minimizer: the true gradient is small, the shifted one is not, and its steps do not shrink. Saddles attract SAM (Kim et al., arXiv 2301.06308).",
  oscillating:
    "The loss is bounded but no longer falls, and neither gradient vanishes: the run oscillates.",
  descending: "The loss is still falling.",
  diverged: "The run has left all bounds: numbers are not finite or the loss grows without end.",
  inconclusive: "The numbers do not decide.",
} as const;

/** A key of {@link verdicts}. */
export type VerdictName = keyof typeof verdicts;

/** A verdict is a value: what is said, in a sentence, and the numbers it rests on. */
export interface Verdict {
  readonly name: VerdictName;
  /** The meaning of `name`, and what about the numbers led to it. */
  readonly sentence: string;
  /** `screen` is read off a run's own evidence and may be wrong; `certificate` rests on curvature. */
  readonly basis: "screen" | "certificate";
  readonly numbers: { readonly [name: string]: number };
  /** Thresholds the numbers were compared with. */
  readonly tolerances: { readonly [name: string]: number };
  readonly dtype: "float32" | "float64";
  readonly engine: string;
}

/** Whether a verdict says that a method stands, or all but stands, where only it sees a solution. */
export const isHallucinated = (name: VerdictName): boolean => name.includes("hallucinated");

/** Whether a verdict says that a method stands exactly there. */
export const isExactlyHallucinated = (name: VerdictName): boolean =>
  name.startsWith("hallucinated-") && name !== "hallucinated-point";
