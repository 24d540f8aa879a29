/** lucid-sam: sharpness-aware training that knows when it is hallucinating. */
export { compile } from "./engine/index.ts";
export type { EngineChoice, EngineOptions } from "./engine/index.ts";
export { InputError } from "./engine/errors.ts";
export type { Program, StepDefinition } from "./engine/program.ts";
export { tensor } from "./engine/tensor.ts";
export type { Tensor, Tree } from "./engine/tensor.ts";

export { digits } from "./problems/digits.ts";
export { imageSplits } from "./problems/images.ts";
export { mlp } from "./problems/mlp.ts";
export { planes } from "./problems/planes/index.ts";
export type { Forward, ForwardContext, Problem, Split } from "./problems/problem.ts";

export type { Ascent, Evidence, Method, Outer, Schedule } from "./sam/method.ts";
export { adamW, clipped, sgd } from "./sam/outer.ts";
export { gradientDescent, sam } from "./sam/sam.ts";
export { cosine, stepwise } from "./sam/schedules.ts";
export { switching } from "./sam/switching.ts";
export { createMethod, findMethod, methods } from "./sam/registry.ts";
export { prepareTraining } from "./sam/train.ts";
export type { Records, Training, TrainingState } from "./sam/train.ts";

export { createScreen } from "./diagnostics/screen.ts";
export type { Screen, Warning } from "./diagnostics/screen.ts";
export { isHallucinated, verdicts } from "./diagnostics/verdict.ts";
export type { Verdict, VerdictName } from "./diagnostics/verdict.ts";
