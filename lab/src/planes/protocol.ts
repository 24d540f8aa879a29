/** The protocol between the planes view and the worker that traces, searches and continues for it. */
import type { BasinCode, VerdictName, Warning } from "lucid-sam/diagnostics";
import type { Point } from "lucid-sam/problems";
import type { RunSpec } from "lucid-sam/run";

/** Outputs of a scene that a path is made of, in this order. */
export const pathOutputs = [
  "loss",
  "gradient1",
  "gradient2",
  "gradNorm",
  "ascentPoint1",
  "ascentPoint2",
  "shiftedLoss",
  "shiftedGradient1",
  "shiftedGradient2",
  "shiftedGradNorm",
  "direction1",
  "direction2",
] as const;

/** Outputs of a scene that a map is colored by, in this order. */
export const mapOutputs = ["loss", "shiftedLoss", "shiftedGradNorm"] as const;

/** A method on a plane as code: everything that is drawn or walked comes from it. */
export interface SceneCode {
  /** A JavaScript function of x₁, x₂ and the knobs, which returns {@link pathOutputs} as a list. */
  readonly javaScript: string;
  /** The same function with {@link mapOutputs} alone. */
  readonly mapJavaScript: string;
  /** And in GLSL: `void see(float x1, float x2, …knobs, out float …mapOutputs)`. */
  readonly glsl: string;
  readonly basins: BasinCode;
  /** Names of the method's knobs, in order, with the values that its settings give them. */
  readonly knobs: readonly (readonly [name: string, value: number])[];
  /** Whether its settings follow a schedule: then this is the method at the end of its run. */
  readonly isScheduled: boolean;
}

/** A zero of g⁺ where g is none, and what it is for the surrogate. */
export interface HallucinatedPoint {
  readonly point: Point;
  readonly ascentPoint: Point;
  readonly kind: Extract<
    VerdictName,
    "hallucinated-minimizer" | "hallucinated-saddle" | "hallucinated-maximizer"
  >;
}

/** A hallucinated point, followed as ρ changes. */
export interface FollowedBranch {
  readonly points: readonly { readonly x: Point; readonly rho: number }[];
  /** Where the branch turns back in ρ. */
  readonly folds: readonly { readonly x: Point; readonly rho: number }[];
  readonly interval: Point;
  /** The critical point that all of it has as its ascent point. */
  readonly center: Point;
}

/** Evidence of a run by column, as the screen reads it. */
export interface Evidence {
  readonly loss: Float64Array;
  readonly shiftedLoss: Float64Array;
  readonly gradNorm: Float64Array;
  readonly shiftedGradNorm: Float64Array;
  readonly cosine: Float64Array;
  readonly directionNorm: Float64Array;
}

/** What is asked of the worker. */
export interface PlaneRequests {
  /** Trace a run's method on its plane. */
  scene(spec: RunSpec): Promise<SceneCode>;
  /** Every hallucinated point of the run's plane, as far as a grid finds them. */
  search(spec: RunSpec): Promise<readonly HallucinatedPoint[]>;
  /** The branch of hallucinated points through one near `point`. */
  follow(spec: RunSpec, point: Point): Promise<FollowedBranch>;
  /** The first warning that the evidence supports. */
  screen(evidence: Evidence): Promise<Warning | undefined>;
}
