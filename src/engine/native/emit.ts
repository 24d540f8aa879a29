/** Writes a scheduled step as an ONNX model: the `Loop`, what runs before it, and its branches. */
import { constantData, type ConstantData, type Node, type ValueType } from "./graph.ts";
import {
  modelBytes,
  nodeMessage,
  tensorMessage,
  valueMessage,
  type GraphMessage,
  type NodeMessage,
} from "./onnx.ts";
import { isBranches, type Region, type Schedule, type Unit } from "./schedule.ts";

export interface Named extends ValueType {
  readonly name: string;
}

export interface Interface {
  /** Leaves of carry, inputs and knobs (these with a leading axis of 1 or `steps`). */
  readonly carry: readonly Named[];
  readonly constants: readonly Named[];
  /** Leaves of the record. */
  readonly records: readonly Named[];
}

/** Name of the result that holds the carry leaf `carry/…` after the last step. */
export const resultName = (carryName: string): string => carryName.replace(/^carry/, "next");

/**
 * Serialize. `schedule.roots` are the next carry, then the record. The model's inputs are the
 * arguments by name and `steps`, an int64 scalar; its outputs are `next/…` and `records/…`.
 */
export function emit(
  { outer, body, roots }: Schedule,
  { carry, constants, records }: Interface,
): Uint8Array {
  const emitter = new Emitter();
  const before = emitter.units(outer.units);
  const steps = emitter.units(body.units);
  const results = [
    ...carry.map(({ name }) => resultName(name)),
    ...records.map(({ name }) => name),
  ];
  const finish = emitter.results(
    roots,
    results.map((name) => `step/${name}`),
  );
  const loopBody: GraphMessage = {
    name: "step",
    node: [...steps, ...finish, nodeMessage("Identity", ["continue"], ["continues"])],
    input: [
      valueMessage("iteration", { dtype: "int64", shape: [] }),
      valueMessage("continue", { dtype: "bool", shape: [] }),
      ...carry.map((leaf) => valueMessage(bodyName(leaf.name), leaf)),
    ],
    output: [
      valueMessage("continues", { dtype: "bool", shape: [] }),
      ...[...carry, ...records].map((leaf, i) => valueMessage(`step/${results[i]}`, leaf)),
    ],
  };
  const loop = nodeMessage(
    "Loop",
    ["steps", "", ...carry.map(({ name }) => name)],
    results,
    {},
    { body: loopBody },
  );
  return modelBytes({
    name: "training",
    node: [...before, loop],
    initializer: emitter.initializers(),
    input: [
      ...[...carry, ...constants].map((leaf) => valueMessage(leaf.name, leaf)),
      valueMessage("steps", { dtype: "int64", shape: [] }),
    ],
    output: [
      ...carry.map((leaf) => valueMessage(resultName(leaf.name), leaf)),
      ...records.map((leaf) =>
        valueMessage(leaf.name, { dtype: leaf.dtype, shape: [-1, ...leaf.shape] }),
      ),
    ],
  });
}

const bodyName = (name: string): string => `step/${name}`;

class Emitter {
  readonly #constants = new Map<Node, ConstantData>();

  initializers() {
    return [...this.#constants].map(([node, data]) => tensorMessage(nameOf(node), node.type, data));
  }

  units(units: readonly Unit[]): NodeMessage[] {
    return units.flatMap((unit) => {
      if (isBranches(unit)) {
        const branch = (region: Region, side: 1 | 2): GraphMessage => {
          const values = unit.selects.map((select) => select.inputs[side]);
          const names = unit.selects.map((select) => `${nameOf(select)}.${side}`);
          return {
            name: names[0] ?? "",
            node: [...this.units(region.units), ...this.results(values, names)],
            output: values.map((value, i) => valueMessage(names[i] as string, value.type)),
          };
        };
        return nodeMessage(
          "If",
          [nameOf(unit.predicate)],
          unit.selects.map(nameOf),
          {},
          { then_branch: branch(unit.whenTrue, 1), else_branch: branch(unit.whenFalse, 2) },
        );
      }
      const data = constantData(unit);
      if (data !== undefined) this.#constants.set(unit, data);
      if (sources.has(unit.op) || unit.op === "project") return [];
      // A node's further results are named after it, whether anything reads them or not.
      const outputs =
        resultCount(unit.op) === 1 ? [nameOf(unit)] : [nameOf(unit), `${nameOf(unit)}.1`];
      return nodeMessage(unit.op, unit.inputs.map(nameOf), outputs, unit.attributes);
    });
  }

  /** Give values their names as a graph's outputs: a copy, which the run time removes where it can. */
  results(values: readonly Node[], names: readonly string[]): NodeMessage[] {
    return values.map((value, i) => {
      const data = constantData(value);
      if (data !== undefined) this.#constants.set(value, data);
      return nodeMessage("Identity", [nameOf(value)], [names[i] as string]);
    });
  }
}

const sources = new Set(["constant", "argument", "iteration"]);

const resultCount = (op: string): number => (op === "TopK" ? 2 : 1);

/** A value's name. Only arguments have names of their own. */
function nameOf(node: Node): string {
  if (node.op === "iteration") return "iteration";
  if (node.op === "project") return `${nameOf(node.inputs[0])}.${String(node.attributes["index"])}`;
  if (node.op !== "argument") return `v${node.id}`;
  const path = String(node.attributes["path"]);
  return node.attributes["part"] === "carry" ? bodyName(path) : path;
}
