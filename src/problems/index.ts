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
export type { AttentionLayer, AttentionOptions } from "./layers/attention.ts";
export { normalizedEdges, sumOverNeighbors } from "./layers/graph.ts";
export type { Edges } from "./layers/graph.ts";
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
  expression,
  findCritical,
  functionNames,
  himmelblau,
  parseExpression,
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
  Expression,
  ExpressionOptions,
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
export { blockModel, citations, karate } from "./datasets/graphs.ts";
export type { BlockModelOptions, CitationOptions, GraphSamples } from "./datasets/graphs.ts";
export { modular } from "./datasets/modular.ts";
export type { ModularOptions } from "./datasets/modular.ts";
export { textSamples } from "./datasets/text.ts";
export type { TextOptions } from "./datasets/text.ts";
export type { TokenSamples } from "./datasets/tokens.ts";
export { digits } from "./datasets/digits.ts";
export type { DigitsOptions } from "./datasets/digits.ts";
export { imageSplits, pixelUnits, withPixels } from "./datasets/images.ts";
export type {
  ImageDataset,
  ImageOptions,
  ImageSamples,
  LabeledImages,
  Normalization,
  PixelUnits,
} from "./datasets/images.ts";

export { activations } from "./networks/activations.ts";
export type { ActivationFunction, ActivationName } from "./networks/activations.ts";
export { crossEntropy } from "./networks/classification.ts";
export { cnn } from "./networks/cnn.ts";
export type { CnnOptions } from "./networks/cnn.ts";
export { gcn } from "./networks/gcn.ts";
export type { GcnOptions } from "./networks/gcn.ts";
export { gpt } from "./networks/gpt.ts";
export type { GptOptions } from "./networks/gpt.ts";
export { mlp } from "./networks/mlp.ts";
export type { MlpOptions } from "./networks/mlp.ts";
export { regression } from "./networks/regression.ts";
export type { RegressionOptions, TargetName } from "./networks/regression.ts";
export { resnet } from "./networks/resnet.ts";
export type { ResnetOptions } from "./networks/resnet.ts";
export { vit } from "./networks/vit.ts";
export type { VitOptions } from "./networks/vit.ts";
export { withAugmentation } from "./datasets/augment.ts";
export type { Augmentation } from "./datasets/augment.ts";
export { withLabelSmoothing, withPenalty } from "./networks/regularized.ts";
export { kinkAt } from "./layers/kinks.ts";
