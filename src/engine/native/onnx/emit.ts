/** ONNX models: a planned step written as a `Loop`, what runs before it, and its branches. */
import {
  constantData,
  topological,
  type ConstantData,
  type Node,
  type ValueType,
} from "../graph/graph.ts";
import { blockedResult, resultName, type BlockedCarry } from "./layout.ts";
import {
  modelBytes,
  nodeMessage,
  tensorMessage,
  valueMessage,
  type GraphMessage,
  type NodeMessage,
} from "./messages.ts";
import type { Argument, Leaf } from "../../step.ts";
import { isBranches, type Region, type Plan, type Unit } from "./plan.ts";

/**
 * Serialize. `plan.roots` are the next carry, then the record. The model's inputs are the
 * arguments by path, with knobs as `[1 or steps, …]`, and `steps`, an int64 scalar; its outputs
 * are `next/…` and `records/…`.
 */
export function emit(
  { outer, body, roots }: Plan,
  args: readonly Argument[],
  records: readonly Leaf[],
  blockedCarry: readonly BlockedCarry[] = [],
): Uint8Array {
  const emitter = new Emitter();
  const blocked = new Map(blockedCarry.map((leaf) => [leaf.path, leaf]));
  const before = [
    ...emitter.units(outer.units),
    ...emitter.units(topological(blockedCarry.map((leaf) => leaf.before))),
  ];
  const steps = emitter.units(body.units);
  const carry = args.filter(({ part }) => part === "carry");
  const names = [...carry.map(({ path }) => resultName(path)), ...records.map(({ path }) => path)];
  const finish = emitter.results(roots, names.map(bodyName));
  const insideType = (leaf: Leaf): ValueType => blocked.get(leaf.path)?.before.type ?? leaf;
  const loopBody: GraphMessage = {
    name: "step",
    node: [...steps, ...finish, nodeMessage("Identity", ["continue"], ["continues"])],
    input: [
      valueMessage("iteration", { dtype: "int64", shape: [] }),
      valueMessage("continue", { dtype: "bool", shape: [] }),
      ...carry.map((leaf) => valueMessage(bodyName(leaf.path), insideType(leaf))),
    ],
    output: [
      valueMessage("continues", { dtype: "bool", shape: [] }),
      ...[...carry, ...records].map((leaf, i) =>
        valueMessage(bodyName(names[i] as string), insideType(leaf)),
      ),
    ],
  };
  const loop = nodeMessage(
    "Loop",
    ["steps", "", ...carry.map(({ path }) => outerName(blocked.get(path)?.before, path))],
    names.map((name, i) => (blocked.has(carry[i]?.path ?? "") ? blockedResult(name) : name)),
    {},
    { body: loopBody },
  );
  const rows = blockedCarry.map((leaf) => leaf.after);
  const after = [
    ...emitter.units(topological(rows)),
    ...emitter.results(
      rows,
      blockedCarry.map(({ path }) => resultName(path)),
    ),
  ];
  const stacked = ({ dtype, shape }: ValueType): ValueType => ({ dtype, shape: [-1, ...shape] });
  return modelBytes({
    name: "training",
    node: [...before, loop, ...after],
    initializer: emitter.initializers(),
    input: [
      ...args.map((leaf) => valueMessage(leaf.path, leaf.part === "knobs" ? stacked(leaf) : leaf)),
      valueMessage("steps", { dtype: "int64", shape: [] }),
    ],
    output: [
      ...carry.map((leaf) => valueMessage(resultName(leaf.path), leaf)),
      ...records.map((leaf) => valueMessage(leaf.path, stacked(leaf))),
    ],
  });
}

const outerName = (node: Node | undefined, path: string): string =>
  node === undefined ? path : nameOf(node);

/** A leaf's name inside the loop. */
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
