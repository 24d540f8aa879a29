/** The native engine: a compiler from steps traced by jax-js to ONNX, run by ONNX Runtime in a loop. */
import type { CompileOptions, Program, StepDefinition } from "../program.ts";
import { emit } from "./onnx/emit.ts";
import { topological } from "./graph/graph.ts";
import { lower } from "./onnx/lower.ts";
import { graphOfStep } from "./graph/traced.ts";
import { layOut, portable } from "./onnx/layout.ts";
import { openProgram, type WriteModel } from "./session.ts";
import { targetOf } from "./target.ts";
import { planExecution, type Plan } from "./onnx/plan.ts";
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
  const write = await compileToOnnx(traced);
  const target = await targetOf(runtime, options.provider ?? "cpu");
  return openProgram(runtime, definition, traced, write, target, options, began);
}

/** The compiler without the run time: trace → simplify → lower → layOut → planExecution → emit. */
export async function compileToOnnx(traced: TracedStep): Promise<WriteModel> {
  const given = traced.flat.arguments;
  const { operators, roots } = await lowerStep(traced);
  const carry = given.filter(({ part }) => part === "carry").map(({ path }) => path);
  return (target) => {
    const laidOut = layOut(operators, roots, carry, target);
    const plan = planExecution(operators.graph, laidOut.roots);
    const count = topological(plan.roots).length;
    return { bytes: emit(plan, given, traced.records, laidOut.blockedCarry), operators: count };
  };
}

/** The compiler up to the plan of execution, for any machine, of a step that carries nothing. */
export async function planStep(traced: TracedStep): Promise<Plan> {
  const { operators, roots } = await lowerStep(traced);
  return planExecution(operators.graph, layOut(operators, roots, [], portable).roots);
}

async function lowerStep(traced: TracedStep): Promise<ReturnType<typeof lower>> {
  return lower(await graphOfStep(traced));
}
