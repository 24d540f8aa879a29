/** Compile a training step, run it many times. */
import { compileJax } from "./jax.ts";
import {
  UnsupportedError,
  type CompileOptions,
  type EngineName,
  type Program,
  type StepDefinition,
} from "./program.ts";

export { scalar } from "./arrays.ts";
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

/** Compile a step for the chosen engine. */
export async function compile(
  definition: StepDefinition,
  { engine = "auto", onFallback = console.warn, ...options }: EngineOptions = {},
): Promise<Program> {
  if (engine === "jax") return compileJax(definition, options);
  try {
    // Loaded on demand: browsers have no native engine.
    const { compileNative } = await import("./native/index.ts");
    return await compileNative(definition, options);
  } catch (error) {
    if (engine === "native" || !(error instanceof UnsupportedError)) throw error;
    onFallback(`${error.message}; running on the jax engine`);
    return compileJax(definition, options);
  }
}
