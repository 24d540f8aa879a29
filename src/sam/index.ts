/** The SAM family: ascent × outer = method, and the loop that trains with it. */
export type {
  Ascent,
  AscentContext,
  Evidence,
  Knobs,
  Method,
  Outer,
  ProblemSize,
  Schedule,
  StepContext,
  StepResult,
} from "./method.ts";
export type { Objective } from "./objective.ts";
export { adamW, clipped, sgd } from "./outer.ts";
export { cosine, linear, parseSchedule, power, stepwise } from "./schedules.ts";
export {
  ascent,
  grouped,
  normalized,
  ofLength,
  quotient,
  restricted,
  unnormalized,
} from "./ascent.ts";
export type { Groups } from "./ascent.ts";
export {
  ascending,
  descend,
  evidenceOf,
  gradientDescent,
  method,
  plainEvidence,
  sam,
  usam,
} from "./sam.ts";
export type { Pass, SamOptions } from "./sam.ts";
export { exactSam } from "./exact.ts";
export { mSam } from "./chunks.ts";
export { adaptive, asam, fisher, fisherSam } from "./adaptive.ts";
export { averaged, friendly, friendlySam, vasso } from "./smoothed.ts";
export { amp, awp, clippedPerTensor, layerwise, samOn } from "./partial.ts";
export { sparse, sparseSam } from "./sparse.ts";
export { lookbehind, multiStepSam, repeated } from "./multistep.ts";
export { gsam } from "./gsam.ts";
export { aeSam, lookSam } from "./sometimes.ts";
export { switching } from "./switching.ts";
export { esam, stochastic } from "./esam.ts";
export { sampa } from "./parallel.ts";
export { bsam } from "./bayesian.ts";
export { mesa, saf } from "./trajectory.ts";
export { entropySgd } from "./entropy.ts";
export { guarded, untilSafe } from "./guard.ts";
export {
  createMethod,
  describeSettings,
  findMethod,
  methods,
  resolveSettings,
} from "./registry.ts";
export type { MethodEntry, Settings } from "./registry.ts";
export { prepareTraining } from "./train.ts";
export type { Records, Training, TrainingOptions, TrainingState, TrainOptions } from "./train.ts";
