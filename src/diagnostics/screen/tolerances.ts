/** Tolerances of the screen: all are ratios, so that no unit of the loss or the parameters matters. */

/** Thresholds of the screen; docs/screen.md says which rule uses which. */
export interface ScreenTolerances {
  /** GradRatio, or ‖v‖/‖g‖, below which the direction followed counts as vanished. */
  readonly vanishedRatio: number;
  /** ‖g‖ relative to its largest value in the run below which it counts as vanished. */
  readonly vanishedGradient: number;
  /** ‖g‖ relative to its largest value below which it counts as small … */
  readonly smallGradient: number;
  /** … and GradRatio above which ‖g⁺‖ counts as large in comparison. */
  readonly largeRatio: number;
  /** cos(g, g⁺) from which on the two gradients count as parallel. */
  readonly aligned: number;
  /** cos(g, g⁺) below which a large shifted gradient points nowhere to speak of. */
  readonly misaligned: number;
  /** cos·min(1, GradRatio) below which steps along g⁺ hardly lower the loss. */
  readonly agreement: number;
  /** Fall of the loss over a horizon as long as the run so far, relative to the loss, that matters. */
  readonly fall: number;
  /** The same where g⁺ is about g, so that steps are those of plain descent. */
  readonly plainFall: number;
  /** Fall over the last half of the run, relative to the loss, below which it counts as flat. */
  readonly flat: number;
  /** The same below which it counts as slow … */
  readonly slow: number;
  /** … if descent would have made so much of it, relative to the loss. */
  readonly forgone: number;
  /** Fall over as many steps again, relative to the loss, that a warning has to exclude. */
  readonly excluded: number;
  /** Growth of what a step is worth, ⟨g, g⁺⟩, from one quarter of the run to the next, which a warning has to exclude. */
  readonly quickening: number;
  /** Share of the loss of the start, or of a constant answer, below which little counts as learned … */
  readonly little: number;
  /** … where it falls over the last half of the run by less than this part of its fall over the first … */
  readonly slowing: number;
  /** … while f(x⁺) is above f(x) by more than this share of it … */
  readonly raised: number;
  /** … and by more than so many such falls. */
  readonly outweighed: number;
  /** Share of the loss of the start, or of a constant answer, that a minimizer has to have left behind. */
  readonly won: number;
  /** Share of what was won that counts as lost again. */
  readonly lost: number;
  /** … and of the loss itself. */
  readonly regained: number;
  /** Rise above the start, in units of the scale of the first row, from which on a run has diverged. */
  readonly rise: number;
  /** Steps and rows before which nothing is said. */
  readonly fewestSteps: number;
  readonly fewestRows: number;
  /** Rows before which little can have been learned. */
  readonly patience: number;
}

/** Default thresholds; studies/bank shows what they do on runs that did not choose them. */
export const screenTolerances: ScreenTolerances = {
  vanishedRatio: 0.1,
  vanishedGradient: 1e-6,
  smallGradient: 0.1,
  largeRatio: 10,
  aligned: 0.5,
  misaligned: 0.25,
  agreement: 0.1,
  fall: 0.04,
  plainFall: 1e-4,
  flat: 0.005,
  slow: 0.25,
  forgone: 3,
  excluded: 0.1,
  quickening: 0.1,
  little: 0.4,
  regained: 0.1,
  slowing: 0.5,
  raised: 0.05,
  outweighed: 5,
  won: 0.5,
  lost: 0.5,
  rise: 10,
  fewestSteps: 50,
  fewestRows: 20,
  patience: 40,
};
