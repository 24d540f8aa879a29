/** Evaluation of an ONNX graph with traced arrays: node by node, by the table of operators. */
import type { np } from "../../../engine/jax-js.ts";
import { InputError, reasonOf } from "../../../engine/errors.ts";
import { sizeOf } from "../../../engine/tensor.ts";
import type { FloatType } from "../../problem.ts";
import { Call, type Operators, type RandomSource } from "./call.ts";
import { elementwise } from "./elementwise.ts";
import type { OnnxGraph, OnnxNode } from "./graph.ts";
import { Known, knownOperations, toArray, type Value } from "./known.ts";
import { layers } from "./layers.ts";
import { views } from "./views.ts";

/** Every operator of ONNX that an imported network may use. */
export const operators: Operators = { ...elementwise, ...views, ...layers };

/**
 * Refuse a graph with an operator that is not in the table.
 *
 * @param name what messages call the file.
 */
export function checkOperators({ nodes }: OnnxGraph, name: string): void {
  const unknown = nodes.find(({ op }) => !Object.hasOwn(operators, op));
  if (unknown === undefined) return;
  throw new InputError(
    `unknown operator ${unknown.op} of node ${unknown.name} in ${name} (lucid certify --python certifies any model)`,
  );
}

/**
 * Traced. The named results of a graph.
 *
 * @param feeds inputs by name; borrowed.
 * @param name what messages call the file.
 * @throws {InputError} naming the node that cannot be computed.
 */
export function evaluate(
  { nodes, constants }: OnnxGraph,
  feeds: ReadonlyMap<string, Value>,
  results: readonly string[],
  { dtype, random, name }: { dtype: FloatType; random: RandomSource; name: string },
): np.Array[] {
  const values = new Map<string, Value>([...constants, ...feeds]);
  for (const node of nodes) {
    const inputs = node.inputs.map((input) => (input === "" ? undefined : values.get(input)));
    const call = new Call(node, inputs, dtype, random);
    try {
      const found = compute(call);
      node.outputs.forEach((output, i) => {
        const value = found[i];
        checkSize(value);
        if (output !== "" && value !== undefined) values.set(output, value);
      });
    } catch (error) {
      throw new InputError(
        `invalid node ${node.name} (${node.op}) in ${name}: ${reasonOf(error)}`,
        { cause: error },
      );
    }
  }
  return results.map((result) => {
    const value = values.get(result);
    if (value === undefined) {
      const node = nodes.find(({ outputs }) => outputs.includes(result));
      throw new InputError(`invalid ${name}: ${describe(node)} does not compute "${result}"`);
    }
    return value instanceof Known ? toArray(value, dtype) : value.ref;
  });
}

/** Most elements of a value: more than a step has memory for. */
const mostElements = 2 ** 30;

function checkSize(value: Value | undefined): void {
  if (value === undefined || sizeOf(value.shape) <= mostElements) return;
  throw new TypeError(`its result would be [${value.shape.join(", ")}]`);
}

const describe = (node: OnnxNode | undefined) => (node ? `${node.op} ${node.name}` : "the graph");

/** A node's results: as known numbers where all of its inputs are. */
function compute(call: Call): readonly (Value | undefined)[] {
  const { op } = call.node;
  const given = call.inputs.filter((input) => input !== undefined);
  const isKnown = given.every((input) => input instanceof Known);
  const plain = isKnown && given.length > 0 ? knownResult(call) : undefined;
  if (plain !== undefined) return [plain];
  const operator = Object.hasOwn(operators, op) ? operators[op] : undefined;
  if (operator === undefined) throw new TypeError("there is no such operator");
  const result = operator(call);
  return Array.isArray(result) ? (result as readonly (Value | undefined)[]) : [result as Value];
}

function knownResult(call: Call): Known | undefined {
  const { op } = call.node;
  const operation = Object.hasOwn(knownOperations, op) ? knownOperations[op] : undefined;
  return operation?.(call.inputs as readonly Known[], call);
}
