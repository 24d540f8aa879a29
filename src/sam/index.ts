/** The SAM family: ascent × what to follow × outer = method, and the loop that trains with it. */
export type {
  Ascent,
  AscentContext,
  Evidence,
  Knobs,
  KnobValues,
  Method,
  OnHost,
  Outer,
  ProblemSize,
  Stateless,
  StepContext,
  StepResult,
  StepTime,
} from "./contract/method.ts";
export type { Objective } from "./contract/objective.ts";
export { methodKeys, normalsLike, randomIndices, uniformLike } from "./contract/random.ts";
export { choice, flag, number, schedule } from "../settings/fields.ts";
export { cosine, linear, parseSchedule, power, stepwise, warmup } from "../settings/schedules.ts";
export type { Schedule } from "../settings/schedules.ts";
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
export { ascending } from "./parts/ascending.ts";
export type { AscendingOptions, Followed, Reached, SamOptions, Seen } from "./parts/ascending.ts";
export { adamW, clipped, dtypeOf, outer, sgd, zerosAs } from "./parts/outer.ts";
export type { AdamWOptions, ClippedOptions, SgdOptions } from "./parts/outer.ts";
export { groups, roles } from "./parts/roles.ts";
export { descend, evidenceOf, lookAhead, method, plainEvidence } from "./parts/step.ts";
export type { Ahead, Pass } from "./parts/step.ts";
export { defineMethod, defineWrapper } from "./define.ts";
export type {
  DefinedMethod,
  DefinedWrapper,
  MethodDefinition,
  MethodEntry,
  MethodListing,
  OuterOptions,
  WrapperDefinition,
} from "./define.ts";

export { gradientDescent, sam, usam } from "./methods/sam.ts";
export type { UsamOptions } from "./methods/sam.ts";
export { exactSam } from "./methods/exact-sam.ts";
export type { ExactOptions } from "./methods/exact-sam.ts";
export { mSam } from "./methods/m-sam.ts";
export type { MSamOptions } from "./methods/m-sam.ts";
export { adaptive, asam } from "./methods/asam.ts";
export type { AsamOptions } from "./methods/asam.ts";
export { fisher, fisherSam } from "./methods/fisher-sam.ts";
export type { FisherOptions } from "./methods/fisher-sam.ts";
export { averaged, friendly, friendlySam, vasso } from "./methods/smoothed.ts";
export type { FriendlyOptions, VassoOptions } from "./methods/smoothed.ts";
export { samOn } from "./methods/sam-on.ts";
export type { SamOnOptions } from "./methods/sam-on.ts";
export { awp, layerwise } from "./methods/awp.ts";
export type { AwpOptions } from "./methods/awp.ts";
export { amp, clippedPerTensor } from "./methods/amp.ts";
export type { AmpOptions } from "./methods/amp.ts";
export { sparse, sparseSam } from "./methods/sparse-sam.ts";
export type { SparseOptions } from "./methods/sparse-sam.ts";
export { multiStepSam, repeated } from "./methods/multistep-sam.ts";
export type { MultiStepOptions } from "./methods/multistep-sam.ts";
export { lookbehind } from "./methods/lookbehind.ts";
export type { LookbehindOptions } from "./methods/lookbehind.ts";
export { gsam } from "./methods/gsam.ts";
export type { GsamOptions } from "./methods/gsam.ts";
export { lookSam } from "./methods/looksam.ts";
export type { LookSamOptions } from "./methods/looksam.ts";
export { aeSam } from "./methods/ae-sam.ts";
export type { AeSamOptions } from "./methods/ae-sam.ts";
export { latePhaseSam, switching } from "./methods/switching.ts";
export type {
  LatePhaseOptions,
  SafeSwitchingOptions,
  SwitchingOptions,
} from "./methods/switching.ts";
export { decayingSam } from "./methods/decaying-sam.ts";
export type { DecayingOptions } from "./methods/decaying-sam.ts";
export { esam, stochastic } from "./methods/esam.ts";
export type { EsamOptions } from "./methods/esam.ts";
export { sampa } from "./methods/sampa.ts";
export type { SampaOptions } from "./methods/sampa.ts";
export { bsam } from "./methods/bsam.ts";
export type { BsamOptions } from "./methods/bsam.ts";
export { mesa, saf } from "./methods/trajectory.ts";
export type { MesaOptions, SafOptions } from "./methods/trajectory.ts";
export { entropySgd } from "./methods/entropy-sgd.ts";
export type { EntropyOptions } from "./methods/entropy-sgd.ts";
export { guarded, untilSafe } from "./methods/guard.ts";
export type { GuardOptions, SafeRule, UntilSafeOptions } from "./methods/guard.ts";

export {
  createMethod,
  describeSettings,
  findMethod,
  methods,
  resolveSettings,
} from "./registry.ts";
export type { Settings } from "./registry.ts";
export { prepareEvaluation } from "./training/evaluation.ts";
export type { Evaluation, EvaluationOptions, EvaluationResult } from "./training/evaluation.ts";
export { modelOf } from "./training/state.ts";
export type { TrainingState } from "./training/state.ts";
export { compileTraining } from "./training/training.ts";
export type {
  CompiledTraining,
  CompiledTrainingOptions,
  TrainOptions,
} from "./training/training.ts";
export type { Records } from "./training/records.ts";
