/** Problems: losses to minimize, which are planes and networks, and data sets to learn. */
export { roleByName } from "./problem.ts";
export { defineProblem } from "./define.ts";
export { inFloat64 } from "./float64.ts";
export { dense } from "./layers/dense.ts";
export type { DenseLayer } from "./layers/dense.ts";
export { initializer } from "./layers/initializer.ts";
export type { Initializer } from "./layers/initializer.ts";
export { convolve, meanOverPixels } from "./layers/convolution.ts";
export type { ConvolutionLayer } from "./layers/convolution.ts";
export { batchNorm, groupNorm, initialStatistics, layerNorm } from "./layers/normalization.ts";
export type { BatchStatistics, NormLayer } from "./layers/normalization.ts";
export { attend } from "./layers/attention.ts";
export type { AttentionLayer } from "./layers/attention.ts";
export { dropout } from "./layers/dropout.ts";
export { parseCsv, standardized } from "./table.ts";
export type { Table } from "./table.ts";
export type { ProblemFile, ProblemFileContext, Sources } from "./sources.ts";
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

export { problemEntry } from "./entry.ts";
export type { ProblemEntry, SamplesOf, TrainingDefaults } from "./entry.ts";
export { findProblem, problems } from "./registry.ts";

export { datasetEntry } from "./datasets/entry.ts";
export type { DatasetEntry, DatasetLoader, DatasetRequest } from "./datasets/entry.ts";
export { datasets, findDataset } from "./datasets/registry.ts";
export { digits } from "./datasets/digits.ts";
export type { DigitsOptions } from "./datasets/digits.ts";
export { imageSplits } from "./datasets/images.ts";
export type {
  ImageDataset,
  ImageOptions,
  ImageSamples,
  LabeledImages,
  Normalization,
} from "./datasets/images.ts";

export { activations } from "./networks/activations.ts";
export type { ActivationFunction, ActivationName } from "./networks/activations.ts";
export { crossEntropy } from "./networks/classification.ts";
export { mlp } from "./networks/mlp.ts";
export type { MlpOptions } from "./networks/mlp.ts";
export { regression } from "./networks/regression.ts";
export type { RegressionOptions, TargetName } from "./networks/regression.ts";
