/** The SAM family: ascent × outer = method, and the loop that trains with it. */
export type {
  Ascent,
  AscentContext,
  Evidence,
  Knobs,
  Method,
  Outer,
  ProblemSize,
  StepContext,
  StepResult,
} from "./contract/method.ts";
export type { Schedule } from "../settings/schedules.ts";
export type { Objective } from "./contract/objective.ts";
export { adamW, clipped, sgd } from "./parts/outer.ts";
export { cosine, linear, parseSchedule, power, stepwise } from "../settings/schedules.ts";
export {
  ascent,
  grouped,
  normalized,
  ofLength,
  quotient,
  restricted,
  unnormalized,
} from "./parts/ascent.ts";
export type { Groups } from "./parts/ascent.ts";
export {
  ascending,
  descend,
  evidenceOf,
  gradientDescent,
  method,
  plainEvidence,
  sam,
  usam,
} from "./methods/sam.ts";
export type { Pass, SamOptions } from "./methods/sam.ts";
export { exactSam } from "./methods/exact.ts";
export { mSam } from "./methods/chunks.ts";
export { adaptive, asam, fisher, fisherSam } from "./methods/adaptive.ts";
export { averaged, friendly, friendlySam, vasso } from "./methods/smoothed.ts";
export { amp, awp, clippedPerTensor, layerwise, samOn } from "./methods/partial.ts";
export { sparse, sparseSam } from "./methods/sparse.ts";
export { lookbehind, multiStepSam, repeated } from "./methods/multistep.ts";
export { gsam } from "./methods/gsam.ts";
export { aeSam, lookSam } from "./methods/sometimes.ts";
export { switching } from "./methods/switching.ts";
export { esam, stochastic } from "./methods/esam.ts";
export { sampa } from "./methods/parallel.ts";
export { bsam } from "./methods/bayesian.ts";
export { mesa, saf } from "./methods/trajectory.ts";
export { entropySgd } from "./methods/entropy.ts";
export { guarded, untilSafe } from "./methods/guard.ts";
export {
  createMethod,
  describeSettings,
  findMethod,
  methods,
  resolveSettings,
} from "./registry.ts";
export type { MethodEntry, Settings } from "./registry.ts";
export { prepareEvaluation } from "./training/evaluation.ts";
export type { Evaluation, EvaluationOptions, EvaluationResult } from "./training/evaluation.ts";
export { modelOf } from "./training/state.ts";
export type { TrainingState } from "./training/state.ts";
export { prepareTraining } from "./training/training.ts";
export type { Training, TrainingOptions, TrainOptions } from "./training/training.ts";
export type { Records } from "./training/records.ts";
