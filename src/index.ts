/** lucid-sam: sharpness-aware training that knows when it is hallucinating. */
import * as jax from "@jax-js/jax";
import { provideJax } from "./engine/jax-js.ts";

// Who imports the library means to train: nothing is gained by loading jax-js later.
provideJax(jax);

export { compile } from "./engine/index.ts";
export type { EngineChoice, EngineOptions } from "./engine/index.ts";
export { InputError } from "./engine/errors.ts";
export type { ArrayTree, Program, StepDefinition } from "./engine/program.ts";
export { mapTrees, norm, scale } from "./engine/arrays.ts";
export { tensor } from "./engine/tensor.ts";
export type { Tensor, Tree } from "./engine/tensor.ts";

export { digits } from "./problems/datasets/digits.ts";
export { imageSplits } from "./problems/datasets/images.ts";
export { mlp } from "./problems/networks/mlp.ts";
export { planes } from "./problems/planes/index.ts";
export type { Forward, ForwardContext, Mode, Model, Problem, Split } from "./problems/problem.ts";

export type {
  Ascent,
  AscentContext,
  Evidence,
  Knobs,
  Method,
  Outer,
  StepContext,
  StepResult,
} from "./sam/contract/method.ts";
export type { Schedule } from "./settings/schedules.ts";
export type { Objective } from "./sam/contract/objective.ts";
export { adamW, clipped, sgd } from "./sam/parts/outer.ts";
export { cosine, linear, parseSchedule, power, stepwise } from "./settings/schedules.ts";
export { ascent, normalized, ofLength } from "./sam/parts/ascent.ts";
export { ascending, gradientDescent, method, sam, usam } from "./sam/methods/sam.ts";
export { exactSam } from "./sam/methods/exact.ts";
export { mSam } from "./sam/methods/chunks.ts";
export { asam, fisherSam } from "./sam/methods/adaptive.ts";
export { friendlySam, vasso } from "./sam/methods/smoothed.ts";
export { amp, awp, samOn } from "./sam/methods/partial.ts";
export { sparseSam } from "./sam/methods/sparse.ts";
export { lookbehind, multiStepSam } from "./sam/methods/multistep.ts";
export { gsam } from "./sam/methods/gsam.ts";
export { aeSam, lookSam } from "./sam/methods/sometimes.ts";
export { switching } from "./sam/methods/switching.ts";
export { esam } from "./sam/methods/esam.ts";
export { sampa } from "./sam/methods/parallel.ts";
export { bsam } from "./sam/methods/bayesian.ts";
export { mesa, saf } from "./sam/methods/trajectory.ts";
export { entropySgd } from "./sam/methods/entropy.ts";
export { guarded } from "./sam/methods/guard.ts";
export { createMethod, findMethod, methods } from "./sam/registry.ts";
export type { MethodEntry, Settings } from "./sam/registry.ts";
export { prepareEvaluation } from "./sam/training/evaluation.ts";
export type { Evaluation, EvaluationResult } from "./sam/training/evaluation.ts";
export { modelOf } from "./sam/training/state.ts";
export type { TrainingState } from "./sam/training/state.ts";
export { prepareTraining } from "./sam/training/training.ts";
export type { Training } from "./sam/training/training.ts";
export type { Records } from "./sam/training/records.ts";

export { createScreen } from "./diagnostics/screen/screen.ts";
export type { Screen, Warning } from "./diagnostics/screen/screen.ts";
export { isHallucinated, verdicts } from "./diagnostics/verdict.ts";
export type { Verdict, VerdictName } from "./diagnostics/verdict.ts";
