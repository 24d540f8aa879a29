/** The native engine: a compiler from steps traced by jax-js to ONNX, run by ONNX Runtime in a loop. */
import type { CompileOptions, Program, StepDefinition } from "../program.ts";
import { emit } from "./onnx/emit.ts";
import { secondsOf } from "./onnx/cost.ts";
import { ensembleOf } from "./onnx/ensemble.ts";
import { topological } from "./graph/graph.ts";
import { lower } from "./onnx/lower.ts";
import { graphOfStep } from "./graph/traced.ts";
import { layOut, portable } from "./onnx/layout.ts";
import { openProgram, type WriteModel } from "./session.ts";
import { targetOf } from "./target.ts";
import { planExecution, type Plan } from "./onnx/plan.ts";
import { mapTree, typesOf, type TensorType } from "../tensor.ts";
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

/** A step for several runs side by side, planned and not yet compiled. */
export interface EnsemblePlan {
  /** Steps of all runs in the time of which runs alone would take one step, by {@link secondsOf}. */
  readonly gain: number;
  /** @throws {MissingEngineError} when ONNX Runtime cannot be loaded here. */
  compile(options?: CompileOptions): Promise<Program>;
}

/**
 * Plan a step for `members` runs side by side. The program's carry, knobs and records have an axis
 * over members in front, knobs and records after that of their steps; inputs are shared. Every
 * member's numbers are bit for bit those of the step alone.
 *
 * @throws {UnsupportedError} when the step cannot be compiled so.
 */
export async function planEnsemble(
  definition: StepDefinition,
  members: number,
): Promise<EnsemblePlan> {
  const began = performance.now();
  const traced = await traceStep(definition);
  const { operators, roots } = await lowerStep(traced);
  const plan = planExecution(operators.graph, ensembleOf(operators, roots, members));
  const order = topological(plan.roots);
  const lead = <T extends TensorType>(leaf: T): T => ({ ...leaf, shape: [members, ...leaf.shape] });
  const given = traced.flat.arguments.map((leaf) => (leaf.part === "inputs" ? leaf : lead(leaf)));
  const together: TracedStep = {
    ...traced,
    flat: { ...traced.flat, arguments: given },
    records: traced.records.map(lead),
    recordTypes: mapTree(traced.recordTypes, lead),
  };
  return {
    gain: (members * secondsOf(topological(roots))) / secondsOf(order),
    async compile(options = {}) {
      const runtime = await loadRuntime();
      const write = () => ({ bytes: emit(plan, given, together.records), operators: order.length });
      const types = { ...definition, ...leading(definition, lead) };
      return openProgram(runtime, types, together, write, portable, options, began);
    },
  };
}

/** Types of carry and knobs with an axis in front. */
const leading = (
  { carry, knobs }: StepDefinition,
  lead: (leaf: TensorType) => TensorType,
): Pick<StepDefinition, "carry" | "knobs"> => ({
  carry: mapTree(typesOf(carry), lead),
  knobs: mapTree(typesOf(knobs), lead),
});

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
