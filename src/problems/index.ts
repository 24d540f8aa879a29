/** Losses to minimize: functions of two variables and networks. */
export { roleByName } from "./problem.ts";
export type {
  Batch,
  CriticalKind,
  CriticalSet,
  FloatType,
  Forward,
  ForwardContext,
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

export { activations } from "./activations.ts";
export type { ActivationFunction, ActivationName } from "./activations.ts";
export { crossEntropy } from "./classification.ts";
export { mlp } from "./mlp.ts";
export type { MlpOptions } from "./mlp.ts";
