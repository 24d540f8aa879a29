/** Functions as ONNX models: a traced function without its loop, for any size of its first axis. */
import type { ArrayTree, StepDefinition } from "../program.ts";
import { InputError } from "../errors.ts";
import { leavesWithPaths, typesOf, type Tensor, type TensorType, type Tree } from "../tensor.ts";
import { traceStep } from "../trace.ts";
import { planStep } from "./index.ts";
import { emitFunction } from "./onnx/emit.ts";
import {
  modelBytes,
  nodeMessage,
  tensorMessage,
  valueMessage,
  type NodeMessage,
  type TensorMessage,
} from "./onnx/messages.ts";

/** A function of `given`, with tensors that it holds: the initializers of its graph. */
export interface FunctionDefinition {
  readonly given: Tree<TensorType>;
  readonly fixed: Tree<Tensor>;
  /** Traced. Results by name. */
  readonly compute: (given: ArrayTree, fixed: ArrayTree) => { readonly [name: string]: ArrayTree };
}

/** The version of operators that widely used run times have. */
const opset = 20;

/**
 * A function as a standard ONNX model, inputs and results by name. Given once for each of two sizes
 * of the first axis of all inputs, it is one for any size.
 *
 * @throws {InputError} when the two differ by more than that size.
 */
export async function functionToOnnx(
  definitions: readonly FunctionDefinition[],
  any?: { readonly sizes: readonly [number, number]; readonly name: string },
): Promise<Uint8Array> {
  const graphs: FunctionGraph[] = [];
  for (const definition of definitions) graphs.push(await graphOf(definition));
  const [first, second] = graphs as [FunctionGraph, FunctionGraph | undefined];
  const { nodes, constants, inputs, results } = second && any ? anySize(first, second, any) : first;
  const value = ({ name, type: { dtype, shape } }: Named) =>
    valueMessage(name, { dtype, shape: second ? [-1, ...shape.slice(1)] : shape }, "batch");
  return modelBytes(
    {
      name: "inference",
      node: [...nodes],
      initializer: [...constants],
      input: inputs.map(value),
      output: results.map(value),
    },
    opset,
  );
}

/** An input or a result. */
interface Named {
  readonly name: string;
  readonly type: TensorType;
}

interface FunctionGraph {
  readonly nodes: readonly NodeMessage[];
  readonly constants: readonly TensorMessage[];
  readonly inputs: readonly Named[];
  readonly results: readonly Named[];
}

async function graphOf({ given, fixed, compute }: FunctionDefinition): Promise<FunctionGraph> {
  const definition: StepDefinition = {
    carry: {},
    inputs: { given, fixed: typesOf(fixed) },
    knobs: {},
    step(carry, inputs) {
      const parts = inputs as { given: ArrayTree; fixed: ArrayTree };
      return { carry, record: { ...compute(parts.given, parts.fixed) } };
    },
  };
  const traced = await traceStep(definition);
  const plan = await planStep(traced);
  const inputs = leavesWithPaths(given).map(([path, type]) => ({
    path: `inputs/given/${path}`,
    name: path.replaceAll("/", "."),
    type,
  }));
  const results = traced.records.map(({ path, ...type }) => ({
    name: path.replace(/^records\//, "").replaceAll("/", "."),
    type,
  }));
  const { nodes, constants } = emitFunction(
    plan,
    results.map(({ name }) => name),
  );
  const held = leavesWithPaths(fixed).map(([path, leaf]) =>
    tensorMessage(`inputs/fixed/${path}`, leaf, leaf.data),
  );
  const read = new Set(nodes.flatMap(({ input }) => input ?? []));
  return {
    nodes: [...inputs.map(({ path, name }) => nodeMessage("Identity", [name], [path])), ...nodes],
    constants: [...constants, ...held.filter(({ name }) => read.has(name ?? ""))],
    inputs,
    results,
  };
}

/** Name of the run-time size, an int64 list of one. */
const sizeName = "size";

/** One graph for any size of two for given ones: numbers that differ are a·size + b. */
function anySize(
  first: FunctionGraph,
  second: FunctionGraph,
  { sizes, name }: { readonly sizes: readonly [number, number]; readonly name: string },
): FunctionGraph {
  const refuse = () =>
    new InputError(
      `invalid model: ${name} looks at its samples together (no graph fits any number of them)`,
    );
  const [nodes, others] = [first.nodes, second.nodes];
  if (text(nodes) !== text(others)) throw refuse();
  const constants = new Map(second.constants.map((tensor) => [tensor.name, tensor]));
  const [input] = first.inputs;
  const before: NodeMessage[] = [
    nodeMessage("Shape", [input?.name ?? ""], [sizeName], { start: 0, end: 1 }),
  ];
  const kept: TensorMessage[] = [];
  for (const tensor of first.constants) {
    const other = constants.get(tensor.name);
    if (other === undefined || text(tensor.dims) !== text(other.dims)) throw refuse();
    const [a, b] = [tensor, other].map(({ rawData }) => rawData as Uint8Array) as [
      Uint8Array,
      Uint8Array,
    ];
    if (a.every((byte, i) => byte === b[i])) {
      kept.push(tensor);
      continue;
    }
    if (tensor.dataType !== int64) throw refuse();
    const called = tensor.name ?? "";
    const lines = wholeNumbers(a).map((value, i) => {
      const factor = ((wholeNumbers(b)[i] ?? 0) - value) / (sizes[1] - sizes[0]);
      if (!Number.isInteger(factor)) throw refuse();
      return { factor, rest: value - factor * sizes[0] };
    });
    const list = (part: string, values: readonly number[]) =>
      kept.push(
        tensorMessage(
          `${called}.${part}`,
          { dtype: "int64", shape: [values.length] },
          BigInt64Array.from(values, BigInt),
        ),
      );
    list(
      "factor",
      lines.map(({ factor }) => factor),
    );
    list(
      "rest",
      lines.map(({ rest }) => rest),
    );
    const isScalar = (tensor.dims ?? []).length === 0;
    const sum = isScalar ? `${called}.list` : called;
    before.push(
      nodeMessage("Mul", [sizeName, `${called}.factor`], [`${called}.scaled`]),
      nodeMessage("Add", [`${called}.scaled`, `${called}.rest`], [sum]),
    );
    if (isScalar) before.push(nodeMessage("Squeeze", [sum], [called]));
  }
  return { ...first, nodes: [...before, ...nodes], constants: kept };
}

/** ONNX's number of int64. */
const int64 = 7;

const wholeNumbers = (bytes: Uint8Array): number[] =>
  Array.from(new BigInt64Array(Uint8Array.from(bytes).buffer), Number);

const text = (message: unknown): string =>
  JSON.stringify(message, (_, node: unknown) => (typeof node === "bigint" ? `${node}n` : node));
