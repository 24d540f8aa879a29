/** Cost of operators: what a step takes, roughly, from what its operators are and how large. */
import type { Node } from "../graph/graph.ts";
import { product } from "../graph/shapes.ts";

/**
 * Seconds on one core of the machine that the bench runs on: of any operator, of an element that it
 * makes, and of two operations of a product of matrices. A step of the regression network is 190
 * operators on 20 numbers each, and takes 120 µs.
 */
const seconds = { operator: 6e-7, element: 5e-10, product: 1e-10 } as const;

const free = new Set(["constant", "argument", "iteration", "project", "Reshape"]);

/** Seconds that all these operators take together. */
export function secondsOf(nodes: readonly Node[]): number {
  return nodes.reduce((sum, node) => sum + (free.has(node.op) ? 0 : secondsOfOne(node)), 0);
}

function secondsOfOne({ op, inputs: [a], attributes, type }: Node): number {
  const elements = product(type.shape);
  const isProduct = op === "MatMul" || op === "FusedMatMul" || op === "Gemm";
  const terms = isProduct ? (a.type.shape.at(attributes["transA"] === 1 ? -2 : -1) ?? 1) : 0;
  return seconds.operator + elements * (seconds.element + terms * seconds.product);
}
