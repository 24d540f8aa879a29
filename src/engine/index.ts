/** Engines: compile a training step, run it many times. */
import { engineChoices, engines, type EngineChoice } from "./engines.ts";
import { InputError, show, unknownName } from "./errors.ts";
import { loadJax } from "./jax-js.ts";
import type { EnsemblePlan } from "./native/index.ts";
import {
  MissingEngineError,
  UnsupportedError,
  type CompileOptions,
  type Program,
  type StepDefinition,
} from "./program.ts";

export { scalar, squaredNorm } from "./arrays.ts";
export { InputError, MachineError, unknownName } from "./errors.ts";
export { engineChoices, engineNames } from "./engines.ts";
export type { EngineChoice, EngineName } from "./engines.ts";
export { MissingEngineError, UnsupportedError } from "./program.ts";
export type { EnsemblePlan } from "./native/index.ts";
export type {
  ArrayTree,
  CompileOptions,
  Program,
  ProgramChunk,
  ProgramResult,
  ProgramRun,
  StepDefinition,
  StepFunction,
} from "./program.ts";
export { randomStream } from "./random.ts";
export { readSafetensors, writeSafetensors } from "./safetensors.ts";
export { compileScalar, scalarJavaScript } from "./scalar/javascript.ts";
export type { CompiledScalar } from "./scalar/javascript.ts";
export { scalarGlsl } from "./scalar/glsl.ts";
export { pickOutputs, traceScalar } from "./scalar/scalar.ts";
export type { ScalarFunction, ScalarShapes } from "./scalar/scalar.ts";
export { scalarTensor, tensor, zeros } from "./tensor.ts";
export type { DType, Tensor, TensorType, Tree } from "./tensor.ts";

/** Which engine compiles a step, and how. */
export interface EngineOptions extends CompileOptions {
  /** Default `auto`. */
  readonly engine?: EngineChoice | undefined;
  /** Told, in one line, why `auto` fell back to jax. Default: `console.warn`. */
  readonly onFallback?: ((reason: string) => void) | undefined;
}

/**
 * Compile a step for the chosen engine.
 *
 * @throws {InputError} when there is no such engine, or when the step is wrong.
 * @throws {UnsupportedError} when the chosen engine cannot run the step.
 * @throws {MachineError} when the chosen engine does not work on this machine.
 */
export async function compile(
  definition: StepDefinition,
  { engine = "auto", onFallback = console.warn, ...options }: EngineOptions = {},
): Promise<Program> {
  if (!engineChoices.includes(engine)) throw unknownEngine(engine);
  const { threads = 1 } = options;
  if (!(Number.isInteger(threads) && threads >= 1)) {
    throw new InputError(`invalid threads: ${show(threads)} (give a whole number, 1 or more)`);
  }
  await loadJax();
  if (engine !== "auto") return (await engines[engine].load())(definition, options);
  try {
    return await (
      await engines.native.load()
    )(definition, options);
  } catch (error) {
    const isUnfit = error instanceof UnsupportedError || error instanceof MissingEngineError;
    if (!isUnfit) throw error;
    onFallback(`${error.message}; running on the jax engine`);
    return (await engines.jax.load())(definition, options);
  }
}

/**
 * Plan a step for several runs side by side, on the native engine: see `planEnsemble` in
 * native/index.ts.
 *
 * @throws {UnsupportedError} when the step cannot be compiled so.
 */
export async function planEnsemble(
  definition: StepDefinition,
  members: number,
): Promise<EnsemblePlan> {
  await loadJax();
  return (await import("./native/index.ts")).planEnsemble(definition, members);
}

function unknownEngine(engine: string): InputError {
  return providers.includes(engine)
    ? new InputError(
        `unknown engine "${engine}" (it is a provider: give engine: "native", provider: "${engine}")`,
      )
    : unknownName("engine", engine, engineChoices);
}

/** Devices that the native engine knows. */
const providers: readonly string[] = ["cpu", "cuda", "webgpu", "coreml"];
