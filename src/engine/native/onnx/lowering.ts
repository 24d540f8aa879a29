/** The state of one lowering: what is lowered already, and facts that rules decide by. */
import { UnsupportedError } from "../../program.ts";
import { printType, topological, useCounts, type Node } from "../graph/graph.ts";
import { Operators } from "./operators.ts";

/** Writes the operators that compute a node. */
export type Rule = (l: Lowering, node: Node) => Node;

/** Rules by the operation they lower. */
export type Rules = Readonly<Record<string, Rule>>;

/** One pass over a graph in the compiler's operations, writing the ONNX one. */
export class Lowering extends Operators {
  readonly #rules: Rules;
  readonly #lowered = new Map<Node, Node>();
  readonly #uses: Map<Node, number>;
  /** Nodes whose value may differ from step to step. */
  readonly #changing = new Set<Node>();

  constructor(roots: readonly Node[], rules: Rules) {
    super();
    this.#rules = rules;
    const order = topological(roots);
    this.#uses = useCounts(order, roots);
    for (const node of order) {
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

  /** The operator that computes `node`. Roots must be lowered in topological order. */
  lower(node: Node): Node {
    const known = this.#lowered.get(node);
    if (known !== undefined) return known;
    const rule = this.#rules[node.op];
    if (rule === undefined) throw unsupported(node);
    const result = rule(this, node);
    this.#lowered.set(node, result);
    return result;
  }
}

export const unsupported = ({ op, inputs, type }: Node) =>
  new UnsupportedError(
    op,
    `${inputs.map((input) => printType(input.type)).join(" × ")} → ${printType(type)}`,
  );
