/** Windows: the parts of an array that a convolution's kernel sees, and the numbers that say where they lie. */
import type { Node } from "../graph/graph.ts";
import { range } from "../graph/shapes.ts";
import type { Operators } from "./operators.ts";

/** Spatial numbers of a convolution, one per axis. */
export interface Geometry {
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Zeros before and after; negative ones cut. */
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** All index tuples of a shape, in row-major order. */
export const positions = (sides: readonly number[]): number[][] =>
  sides.reduce<number[][]>(
    (all, side) => all.flatMap((at) => range(side).map((i) => [...at, i])),
    [[]],
  );

/** The part of padded `x` from `at`·`unit` on that has `sides`, `step` apart. */
export function window(
  l: Operators,
  x: Node,
  at: readonly number[],
  unit: readonly number[],
  sides: readonly number[],
  step: readonly number[],
): Node {
  const starts = at.map((p, i) => p * (unit[i] as number));
  const ends = starts.map((s, i) => s + ((sides[i] as number) - 1) * (step[i] as number) + 1);
  return l.slice(x, [0, 0, ...starts], [...x.type.shape.slice(0, 2), ...ends], [1, 1, ...step]);
}
