/** Traces: a step or a function as a jaxpr, flat equations between typed variables. */
import { init, makeJaxpr, numpy as np, type Jaxpr } from "@jax-js/jax";
import { jaxDType } from "./arrays.ts";
import { doublesOf, keepingNumbers, usesFloat64 } from "./precision.ts";
import type { StepDefinition } from "./program.ts";
import { flattenStep, type FlatStep, type Leaf } from "./step.ts";
import { leavesWithPaths, type TensorType, type Tree } from "./tensor.ts";

/** A function as equations. */
export interface TracedFunction {
  readonly jaxpr: Jaxpr;
  /** Values of the first variables that the jaxpr binds; its arguments come after them. */
  readonly constants: readonly Constant[];
  /** Whether float64 occurs. */
  readonly isFloat64: boolean;
  /** What is called float32 there and is a double: see precision.ts. */
  readonly doubles: ReadonlySet<Jaxpr["outs"][number]>;
}

export interface Constant extends TensorType {
  /** `undefined` where no equation reads the constant. */
  readonly data: ArrayLike<number> | undefined;
}

/** A step as equations; the results are the next carry, then the record. */
export interface TracedStep extends TracedFunction {
  readonly flat: FlatStep;
  readonly records: readonly Leaf[];
  readonly recordTypes: Tree<TensorType>;
}

let ready: Promise<unknown> | undefined;

/**
 * Trace a step into one flat jaxpr without nested calls.
 *
 * @throws {InputError} when its carry does not come back as it went in, or when a number rounded
 * to float32 meets float64.
 */
export async function traceStep(definition: StepDefinition): Promise<TracedStep> {
  // Example arrays need a backend; tracing never runs it.
  await (ready ??= init("cpu", "wasm"));
  const flat = flattenStep(definition);
  const traced = await traceFunction(flat.run, flat.arguments);
  const recordTypes = flat.recordTypes();
  const records = leavesWithPaths(recordTypes, "records").map(([path, { dtype, shape }]) => ({
    path,
    dtype,
    shape,
  }));
  return { ...traced, flat, records, recordTypes };
}

/** Trace a function of arrays. */
export async function traceFunction(
  f: (...arrays: np.Array[]) => np.Array[],
  types: readonly TensorType[],
): Promise<TracedFunction> {
  const examples = types.map(({ dtype, shape }) =>
    np.zeros([...shape], { dtype: jaxDType[dtype] }),
  );
  const trace = () => makeJaxpr(f)(...examples).jaxpr;
  const takesFloat64 = types.some(({ dtype }) => dtype === "float64");
  let closed = takesFloat64 ? keepingNumbers(trace) : trace();
  let jaxpr = closed.jaxpr.flatten();
  const isFloat64 = usesFloat64(jaxpr);
  if (isFloat64 && !takesFloat64) {
    closed.dispose();
    closed = keepingNumbers(trace);
    jaxpr = closed.jaxpr.flatten();
  }
  jaxpr = jaxpr.simplify();
  // Differentiation leaves zeros of the size of the data set that nothing reads.
  const read = new Set([...jaxpr.eqns.flatMap(({ inputs }) => inputs), ...jaxpr.outs]);
  const constants = await Promise.all(
    closed.consts.map(async (tracer, i) => {
      const array = tracer as np.Array;
      const { dtype, shape } = array;
      const isRead = read.has(jaxpr.inBinders[i] as (typeof jaxpr.inBinders)[number]);
      const data = isRead ? await array.ref.data() : undefined;
      return { dtype: dtype as TensorType["dtype"], shape, data };
    }),
  );
  closed.dispose();
  for (const example of examples) example.dispose();
  const doubles = isFloat64 ? doublesOf(jaxpr, constants) : new Set<never>();
  return { jaxpr, constants, isFloat64, doubles };
}
