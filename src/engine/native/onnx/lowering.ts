/** A lowering in progress: what is lowered already, and facts that decide between operators. */
import { unsupported } from "../unsupported.ts";
import { isScalar, printType, topological, useCounts, type Node } from "../graph/graph.ts";
import { Operators } from "./operators.ts";

/** Writes the operators that compute a node. */
export type LowerNode = (l: Lowering, node: Node) => Node;

/** By the operation that is lowered. */
export type LoweringTable = Readonly<Record<string, LowerNode>>;

/** One pass over a graph in the compiler's operations, writing the ONNX one. */
export class Lowering extends Operators {
  readonly #table: LoweringTable;
  readonly #lowered = new Map<Node, Node>();
  readonly #uses: Map<Node, number>;
  /** Nodes x of which max(x, 0) is computed. */
  readonly #rectified = new Set<Node>();
  /** Nodes whose value may differ from step to step. */
  readonly #changing = new Set<Node>();
  /** Products of matrices by their first factor. */
  readonly #products = new Map<Node, Node[]>();

  constructor(roots: readonly Node[], table: LoweringTable) {
    super();
    this.#table = table;
    const order = topological(roots);
    this.#uses = useCounts(order, roots);
    for (const node of order) {
      if (node.op === "max" && isScalar(node.inputs[1], 0)) this.#rectified.add(node.inputs[0]);
      if (node.op === "matmul") {
        const others = this.#products.get(node.inputs[0]);
        if (others === undefined) this.#products.set(node.inputs[0], [node]);
        else others.push(node);
      }
      const isSource = node.op === "argument" && node.attributes["part"] !== "inputs";
      if (isSource || node.inputs.some((x) => this.#changing.has(x))) this.#changing.add(node);
    }
  }

  /** Whether every step sees the same value, so that work on it is done once. */
  isInvariant(x: Node): boolean {
    return !this.#changing.has(x);
  }

  /** Whether only one other operation reads `x`, so that it may be folded into that one. */
  isUsedOnce(x: Node): boolean {
    return this.#uses.get(x) === 1;
  }

  /** Whether max(x, 0) is computed anyway. */
  isRectified(x: Node): boolean {
    return this.#rectified.has(x);
  }

  /** Products of which `a` is the first factor. */
  productsOf(a: Node): readonly Node[] {
    return this.#products.get(a) ?? [];
  }

  /** The operator that computes `node`. Roots must be lowered in topological order. */
  lower(node: Node): Node {
    const known = this.#lowered.get(node);
    if (known !== undefined) return known;
    const lowerNode = this.#table[node.op];
    if (lowerNode === undefined) throw noKernel(node);
    const result = lowerNode(this, node);
    this.#lowered.set(node, result);
    return result;
  }
}

/** The error for a node whose types have no kernel. */
export const noKernel = ({ op, inputs, type }: Node) =>
  unsupported(
    op,
    `${inputs.map((input) => printType(input.type)).join(" × ")} → ${printType(type)}`,
  );
