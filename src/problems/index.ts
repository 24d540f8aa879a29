/** Losses to minimize: functions of two variables and networks. */
export { roleByName } from "./problem.ts";
export type {
  Batch,
  CriticalKind,
  CriticalSet,
  FloatType,
  Forward,
  ForwardContext,
  Mode,
  Model,
  Plane,
  Point,
  Problem,
  Role,
  Split,
} from "./problem.ts";

export {
  bump,
  cosine,
  dome,
  himmelblau,
  planeProblem,
  planes,
  quadratic,
  ridge,
  ring,
  rosenbrock,
  saddle,
  wideNarrow,
} from "./planes/index.ts";
export type {
  PlaneDefinition,
  PlaneEntry,
  PlaneName,
  PlaneOptions,
  PlaneProblem,
  QuadraticOptions,
} from "./planes/index.ts";

export { activations } from "./networks/activations.ts";
export type { ActivationFunction, ActivationName } from "./networks/activations.ts";
export { crossEntropy } from "./networks/classification.ts";
export { mlp } from "./networks/mlp.ts";
export type { MlpOptions } from "./networks/mlp.ts";
