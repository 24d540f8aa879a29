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
export { ascent, normalized } from "./ascent.ts";
export { ascending, evidenceOf, gradientDescent, method, plainEvidence, sam } from "./sam.ts";
export { adamW, clipped, sgd } from "./outer.ts";
export { cosine, stepwise } from "./schedules.ts";
export { switching } from "./switching.ts";
export { guarded, untilSafe } from "./guard.ts";
export { createMethod, findMethod, methods } from "./registry.ts";
export type { MethodEntry } from "./registry.ts";
export { prepareTraining } from "./train.ts";
export type { Records, Training, TrainingOptions, TrainingState, TrainOptions } from "./train.ts";
