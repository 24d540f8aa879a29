/** The native engine: a step traced by jax-js, compiled to ONNX, run by ONNX Runtime in a loop. */
import type { CompileOptions, Program, StepDefinition } from "../program.ts";
import { Builder } from "./graph/builder.ts";
import { emit } from "./onnx/emit.ts";
import { isFloat } from "./graph/constants.ts";
import { recognizeIdioms } from "./graph/idioms.ts";
import { topological } from "./graph/graph.ts";
import { lower } from "./onnx/lower.ts";
import { translate } from "./graph/primitives.ts";
import { simplify } from "./graph/simplify.ts";
import { openProgram, type Model } from "./session.ts";
import { schedule } from "./onnx/schedule.ts";
import { traceStep, type TracedStep } from "./graph/trace.ts";

/**
 * Compile a step for ONNX Runtime.
 *
 * @throws {UnsupportedError} when the step uses a primitive that cannot be compiled.
 */
export async function compileNative(
  definition: StepDefinition,
  options: CompileOptions = {},
): Promise<Program> {
  const began = performance.now();
  const traced = await traceStep(definition);
  const model = await compileToOnnx(traced);
  return openProgram(definition, traced, model, options, began);
}

/** The compiler without the run time: trace → simplify → lower → schedule → emit. */
export async function compileToOnnx(traced: TracedStep): Promise<Model> {
  const builder = new Builder(simplify);
  const dtypes = new Set(traced.arguments.map(({ dtype }) => dtype).filter(isFloat));
  await recognizeIdioms(builder, [...dtypes]);
  const constants = traced.constants.map(({ data, dtype, shape }) =>
    builder.constant(data ?? [], dtype, data === undefined ? [0] : shape),
  );
  const args = traced.arguments.map(({ part, path, dtype, shape }) =>
    builder.argument(part, path, dtype, shape),
  );
  const results = translate(builder, traced.jaxpr, [...constants, ...args]);
  const { graph, roots } = lower(results);
  const plan = schedule(graph, roots);
  const operators = topological(plan.roots).length;
  return { bytes: emit(plan, traced.arguments, traced.records), operators };
}
