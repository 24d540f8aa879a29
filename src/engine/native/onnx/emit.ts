/** ONNX models: a planned step written as a `Loop`, what runs before it, and its branches. */
import { AttributeProto_AttributeType } from "onnx-buf";
import { makeData } from "../graph/constants.ts";
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
  type TensorMessage,
} from "./messages.ts";
import { range } from "../graph/shapes.ts";
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

/** What a plan computes without a loop, in standard operators; results by name. */
export function emitFunction(
  { outer, body, roots }: Plan,
  names: readonly string[],
): { readonly nodes: NodeMessage[]; readonly constants: TensorMessage[] } {
  const emitter = new Emitter(standardProduct);
  const nodes = [...outer.units, ...body.units].flatMap((unit) => emitter.units([unit]));
  const results = emitter.results(roots, names);
  return { nodes: [...nodes, ...results], constants: emitter.initializers() };
}

/** `FusedMatMul`, which is ONNX Runtime's own, as a matrix product of transposes. */
function standardProduct(unit: Node): NodeMessage[] | undefined {
  if (unit.op !== "FusedMatMul") return undefined;
  const { transA, transB, alpha = 1 } = unit.attributes;
  const name = nameOf(unit);
  const nodes: NodeMessage[] = [];
  const factors = unit.inputs.slice(0, 2).map((input, i) => {
    if ([transA, transB][i] !== 1) return nameOf(input);
    const axes = input.type.shape.map((_, axis) => axis);
    const turned = `${name}.${i}.turned`;
    const [rows, columns] = axes.slice(-2) as [number, number];
    const perm = [...axes.slice(0, -2), columns, rows];
    nodes.push(nodeMessage("Transpose", [nameOf(input)], [turned], { perm }));
    return turned;
  });
  if (alpha === 1) return [...nodes, nodeMessage("MatMul", factors, [name])];
  const product = `${name}.product`;
  return [
    ...nodes,
    nodeMessage("MatMul", factors, [product]),
    {
      opType: "Constant",
      output: [`${name}.alpha`],
      attribute: [
        {
          name: "value",
          type: AttributeProto_AttributeType.TENSOR,
          t: tensorMessage(
            "",
            { dtype: unit.type.dtype, shape: [] },
            makeData([Number(alpha)], unit.type.dtype),
          ),
        },
      ],
    },
    nodeMessage("Mul", [product, `${name}.alpha`], [name]),
  ];
}

/** A leaf's name inside the loop. */
const bodyName = (name: string): string => `step/${name}`;

class Emitter {
  /** An operator in other words; `undefined` where it is written as it is. */
  readonly #reword: (unit: Node) => NodeMessage[] | undefined;

  constructor(reword: (unit: Node) => NodeMessage[] | undefined = () => undefined) {
    this.#reword = reword;
  }

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
      const reworded = this.#reword(unit);
      if (reworded !== undefined) return reworded;
      // A node's further results are named after it, whether anything reads them or not.
      const further = range(1, resultCount(unit)).map((i) => `${nameOf(unit)}.${i}`);
      const outputs = [nameOf(unit), ...further];
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

const resultCount = ({ op, attributes }: Node): number =>
  op === "TopK" ? 2 : op === "Split" ? Number(attributes["num_outputs"]) : 1;

/** A value's name. Only arguments have names of their own. */
function nameOf(node: Node): string {
  if (node.op === "iteration") return "iteration";
  if (node.op === "project") return `${nameOf(node.inputs[0])}.${String(node.attributes["index"])}`;
  if (node.op !== "argument") return `v${node.id}`;
  const path = String(node.attributes["path"]);
  return node.attributes["part"] === "carry" ? bodyName(path) : path;
}
