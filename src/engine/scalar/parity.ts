/**
 * Parity of scalar functions: which outputs keep their value, and which change their sign alone, when an
 * input does. Read off the operations, so it holds for the rounded numbers, digit for digit.
 */
import { topological, type Node } from "../native/graph/graph.ts";
import type { ScalarFunction } from "./scalar.ts";

/** What becomes of an output when an input changes its sign. */
export type Parity = "even" | "odd" | "neither";

/** f(−x) = −f(x) bit for bit. Not so reciprocals: the sign of a sum that is 0 does not follow its terms. */
const odd: ReadonlySet<string> = new Set(["neg", "sin", "asin", "atan", "tanh"]);
/** f(−x) = f(x). */
const even: ReadonlySet<string> = new Set(["cos", "abs"]);

/**
 * The parity of every output in one input. Rounding to nearest treats a number and its negative
 * alike, so signs come out of products, sums and odd functions exactly. What cannot be shown is
 * `neither`.
 */
export function parities(f: ScalarFunction, input: string): Parity[] {
  const known = new Map<Node, Parity>();
  for (const node of topological(f.results)) {
    const [first = "even", ...rest] = node.inputs.map((operand) => known.get(operand) as Parity);
    known.set(
      node,
      node.op === "argument" && node.attributes["path"] === input
        ? "odd"
        : parityOf(node.op, first, rest),
    );
  }
  return f.results.map((node) => known.get(node) as Parity);
}

function parityOf(op: string, first: Parity, rest: readonly Parity[]): Parity {
  const all = [first, ...rest];
  if (all.includes("neither")) return "neither";
  if (all.every((parity) => parity === "even")) return "even";
  if (even.has(op)) return "even";
  if (odd.has(op)) return "odd";
  const isOdd = (parity: Parity | undefined) => parity === "odd";
  if (op === "mul") return isOdd(first) === isOdd(rest[0]) ? "even" : "odd";
  if (op === "div" && !isOdd(rest[0])) return "odd";
  if ((op === "add" || op === "sub") && all.every(isOdd)) return "odd";
  if (op === "where" && first === "even" && rest.every(isOdd)) return "odd";
  return "neither";
}
