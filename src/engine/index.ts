/** The engines: compile a training step, run it many times. */
import { loadJax } from "./jax-js.ts";
import {
  UnsupportedError,
  type CompileOptions,
  type EngineName,
  type Program,
  type StepDefinition,
} from "./program.ts";

export { scalar, squaredNorm } from "./arrays.ts";
export { InputError, MachineError } from "./errors.ts";
export { UnsupportedError } from "./program.ts";
export type {
  ArrayTree,
  CompileOptions,
  EngineName,
  Program,
  RunOptions,
  RunResult,
  StepDefinition,
  StepFunction,
} from "./program.ts";
export { randomStream } from "./random.ts";
export { readSafetensors, writeSafetensors } from "./safetensors.ts";
export { scalarTensor, tensor, zeros } from "./tensor.ts";
export type { DType, Tensor, TensorType, Tree } from "./tensor.ts";

/** `auto` prefers native and falls back to jax where a step cannot be lowered. */
export type EngineChoice = "auto" | EngineName;

/** Which engine compiles a step, and how. */
export interface EngineOptions extends CompileOptions {
  /** Default `auto`. */
  readonly engine?: EngineChoice;
  /** Told, in one line, why `auto` fell back to jax. Default: `console.warn`. */
  readonly onFallback?: (reason: string) => void;
}

/** What every engine offers; each is loaded when first used. */
type Compile = (definition: StepDefinition, options: CompileOptions) => Promise<Program>;

const engines: { readonly [Name in EngineName]: () => Promise<Compile> } = {
  native: async () => (await import("./native/index.ts")).compileNative,
  jax: async () => (await import("./jax.ts")).compileJax,
};

/** Compile a step for the chosen engine. */
export async function compile(
  definition: StepDefinition,
  { engine = "auto", onFallback = console.warn, ...options }: EngineOptions = {},
): Promise<Program> {
  await loadJax();
  if (engine !== "auto") return (await engines[engine]())(definition, options);
  try {
    return await (
      await engines.native()
    )(definition, options);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    onFallback(`${error.message}; running on the jax engine`);
    return (await engines.jax())(definition, options);
  }
}
