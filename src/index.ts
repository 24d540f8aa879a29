/** lucid-sam: sharpness-aware training that knows when it is hallucinating. */
export { compile } from "./engine/index.ts";
export type { EngineChoice, EngineOptions } from "./engine/index.ts";
export { InputError } from "./engine/errors.ts";
export type { ArrayTree, Program, StepDefinition } from "./engine/program.ts";
export { mapTrees, norm, scale } from "./engine/arrays.ts";
export { tensor } from "./engine/tensor.ts";
export type { Tensor, Tree } from "./engine/tensor.ts";

export { digits } from "./problems/digits.ts";
export { imageSplits } from "./problems/images.ts";
export { mlp } from "./problems/mlp.ts";
export { planes } from "./problems/planes/index.ts";
export type { Forward, ForwardContext, Problem, Split } from "./problems/problem.ts";

export type {
  Ascent,
  AscentContext,
  Evidence,
  Knobs,
  Method,
  Outer,
  Schedule,
  StepContext,
  StepResult,
} from "./sam/method.ts";
export type { Objective } from "./sam/objective.ts";
export { adamW, clipped, sgd } from "./sam/outer.ts";
export { cosine, linear, parseSchedule, power, stepwise } from "./sam/schedules.ts";
export { ascent, normalized, ofLength } from "./sam/ascent.ts";
export { ascending, gradientDescent, method, sam, usam } from "./sam/sam.ts";
export { exactSam } from "./sam/exact.ts";
export { mSam } from "./sam/chunks.ts";
export { asam, fisherSam } from "./sam/adaptive.ts";
export { friendlySam, vasso } from "./sam/smoothed.ts";
export { amp, awp, samOn } from "./sam/partial.ts";
export { sparseSam } from "./sam/sparse.ts";
export { lookbehind, multiStepSam } from "./sam/multistep.ts";
export { gsam } from "./sam/gsam.ts";
export { aeSam, lookSam } from "./sam/sometimes.ts";
export { switching } from "./sam/switching.ts";
export { esam } from "./sam/esam.ts";
export { sampa } from "./sam/parallel.ts";
export { bsam } from "./sam/bayesian.ts";
export { mesa, saf } from "./sam/trajectory.ts";
export { entropySgd } from "./sam/entropy.ts";
export { guarded } from "./sam/guard.ts";
export { createMethod, findMethod, methods } from "./sam/registry.ts";
export type { MethodEntry, Settings } from "./sam/registry.ts";
export { prepareTraining } from "./sam/train.ts";
export type { Records, Training, TrainingState } from "./sam/train.ts";

export { createScreen } from "./diagnostics/screen.ts";
export type { Screen, Warning } from "./diagnostics/screen.ts";
export { isHallucinated, verdicts } from "./diagnostics/verdict.ts";
export type { Verdict, VerdictName } from "./diagnostics/verdict.ts";
