/** The native engine: a compiler from steps traced by jax-js to ONNX, run by ONNX Runtime in a loop. */
import type { CompileOptions, Program, StepDefinition } from "../program.ts";
import { Builder } from "./graph/builder.ts";
import { emit } from "./onnx/emit.ts";
import { isFloat } from "./graph/constants.ts";
import { idiomsIn } from "./graph/idioms.ts";
import { topological } from "./graph/graph.ts";
import { lower } from "./onnx/lower.ts";
import { translate } from "./graph/primitives.ts";
import { simplify } from "./graph/simplify.ts";
import { openProgram, type CompiledModel } from "./session.ts";
import { planExecution } from "./onnx/plan.ts";
import { traceStep, type TracedStep } from "../trace.ts";
import { loadRuntime } from "./runtime.ts";

/**
 * Compile a step for ONNX Runtime.
 *
 * @throws {UnsupportedError} when the step uses a primitive that cannot be compiled.
 * @throws {MissingEngineError} when ONNX Runtime cannot be loaded here.
 */
export async function compileNative(
  definition: StepDefinition,
  options: CompileOptions = {},
): Promise<Program> {
  const began = performance.now();
  const runtime = await loadRuntime();
  const traced = await traceStep(definition);
  const model = await compileToOnnx(traced);
  return openProgram(runtime, definition, traced, model, options, began);
}

/** The compiler without the run time: trace → simplify → lower → planExecution → emit. */
export async function compileToOnnx(traced: TracedStep): Promise<CompiledModel> {
  const given = traced.flat.arguments;
  const dtypes = new Set(given.map(({ dtype }) => dtype).filter(isFloat));
  const builder = new Builder(simplify, await idiomsIn([...dtypes]));
  const constants = traced.constants.map(({ data, dtype, shape }) =>
    builder.constant(data ?? [], dtype, data === undefined ? [0] : shape),
  );
  // The step sees bytes as int32.
  const args = given.map(({ part, path, dtype, shape }) => {
    const argument = builder.argument(part, path, dtype, shape);
    return dtype === "uint8" ? builder.cast(argument, "int32") : argument;
  });
  const results = translate(builder, traced, [...constants, ...args]);
  const { graph, roots } = lower(results);
  const plan = planExecution(graph, roots);
  const operators = topological(plan.roots).length;
  return { bytes: emit(plan, given, traced.records), operators };
}
