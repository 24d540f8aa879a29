/** From a step function to its jaxpr: flat equations between typed variables. */
import { init, makeJaxpr, numpy as np, type Jaxpr } from "@jax-js/jax";
import { jaxDType } from "../../arrays.ts";
import type { ArrayTree, StepDefinition } from "../../program.ts";
import { leavesWithPaths, unflattenLike, type TensorType, type Tree } from "../../tensor.ts";
import type { Part } from "./graph.ts";

/** A tensor of a step's arguments or results, by its path: `carry/layer1/weight`. */
export interface Leaf extends TensorType {
  readonly path: string;
}

export interface Argument extends Leaf {
  readonly part: Part;
}

export interface TracedStep {
  readonly jaxpr: Jaxpr;
  /** Values of the first variables that the jaxpr binds. */
  readonly constants: readonly Constant[];
  /** The variables it binds after them. */
  readonly arguments: readonly Argument[];
  /** Its results: first the carry's leaves, in the order of the arguments, then the record's. */
  readonly records: readonly Leaf[];
  readonly recordTypes: Tree<TensorType>;
}

export interface Constant extends TensorType {
  /** `undefined` where no equation reads the constant. */
  readonly data: ArrayLike<number> | undefined;
}

let ready: Promise<unknown> | undefined;

/** Trace a step into one flat jaxpr without nested calls. */
export async function traceStep(definition: StepDefinition): Promise<TracedStep> {
  // Example arrays need a backend; tracing never runs it.
  await (ready ??= init("cpu", "wasm"));
  const args: Argument[] = (["carry", "inputs", "knobs"] as const).flatMap((part) =>
    leavesWithPaths(definition[part], part).map(([path, { dtype, shape }]) => ({
      part,
      path,
      dtype,
      shape,
    })),
  );
  let recordTypes: Tree<TensorType> | undefined;
  const { jaxpr, constants } = await traceFunction((...leaves) => {
    let next = 0;
    const take = (part: Part) => {
      const count = args.filter((argument) => argument.part === part).length;
      return unflattenLike(definition[part], leaves.slice(next, (next += count))) as ArrayTree;
    };
    const { carry, record } = definition.step(take("carry"), take("inputs"), take("knobs"));
    recordTypes = arrayTypes(record);
    return [...orderCarry(definition, carry), ...arraysWithPaths(record).map(([, array]) => array)];
  }, args);
  const records = leavesWithPaths(recordTypes as Tree<TensorType>, "records").map(
    ([path, { dtype, shape }]) => ({ path, dtype, shape }),
  );
  return {
    jaxpr,
    constants,
    arguments: args,
    records,
    recordTypes: recordTypes as Tree<TensorType>,
  };
}

/** Trace a function of arrays. */
export async function traceFunction(
  f: (...arrays: np.Array[]) => np.Array[],
  types: readonly TensorType[],
): Promise<{ jaxpr: Jaxpr; constants: Constant[] }> {
  const examples = types.map(({ dtype, shape }) =>
    np.zeros([...shape], { dtype: jaxDType[dtype] }),
  );
  const { jaxpr: closed } = makeJaxpr(f)(...examples);
  const jaxpr = closed.jaxpr.flatten().simplify();
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
  return { jaxpr, constants };
}

/** The step's new carry in the order of the old one. */
function orderCarry(definition: StepDefinition, carry: ArrayTree): np.Array[] {
  const found = new Map(arraysWithPaths(carry, "carry"));
  const ordered = leavesWithPaths(definition.carry, "carry").map(([path, { dtype, shape }]) => {
    const array = found.get(path);
    found.delete(path);
    if (array === undefined) {
      throw new TypeError(`missing ${path}: the step's result must hold what its carry held`);
    }
    if (array.dtype !== jaxDType[dtype] || String(array.shape) !== String(shape)) {
      throw new TypeError(
        `invalid ${path}: ${dtype}[${shape.join(", ")}] goes into the step and ` +
          `${array.dtype}[${array.shape.join(", ")}] comes out (make them equal)`,
      );
    }
    return array;
  });
  const [extra] = found.keys();
  if (extra !== undefined) throw new TypeError(`unknown ${extra}: the step was not given it`);
  return ordered;
}

/** Leaves of a tree of arrays in the order of host trees: keys sorted, as jax-js does not. */
function arraysWithPaths(tree: ArrayTree, path = ""): [path: string, array: np.Array][] {
  if (tree instanceof np.Array || !isBranch(tree)) return [[path, tree as np.Array]];
  return Object.keys(tree)
    .sort(Array.isArray(tree) ? (a, b) => Number(a) - Number(b) : undefined)
    .flatMap((key) =>
      arraysWithPaths(tree[key] as ArrayTree, path === "" ? key : `${path}/${key}`),
    );
}

function arrayTypes(tree: ArrayTree): Tree<TensorType> {
  if (!isBranch(tree)) {
    const { dtype, shape } = tree as np.Array;
    return { dtype: dtype as TensorType["dtype"], shape };
  }
  if (Array.isArray(tree)) return tree.map((child: ArrayTree) => arrayTypes(child));
  return Object.fromEntries(
    Object.entries(tree).map(([key, child]) => [key, arrayTypes(child as ArrayTree)]),
  );
}

function isBranch(tree: ArrayTree): tree is { readonly [key: string]: ArrayTree } {
  return Array.isArray(tree) || Object.getPrototypeOf(tree) === Object.prototype;
}
