/** Float64 copies of problems: what is proved is computed in float64, whatever training computes in. */
import { castFloat, mapTree, type Tensor, type Tree } from "../engine/tensor.ts";
import type { FloatType, Problem, Split } from "./problem.ts";

/** A tree with its floating-point tensors in another type; others stay as they are. */
export const castTree = <T extends Tree<Tensor>>(tree: T, dtype: FloatType): T =>
  mapTree(tree, (leaf: Tensor) => castFloat(leaf, dtype)) as T;

/**
 * The same problem in float64. Samples keep the very numbers that training saw.
 */
export function inFloat64(problem: Problem): Problem {
  if (problem.dtype === "float64") return problem;
  const { train, test, constants } = problem;
  const split = ({ batch, size }: Split): Split => ({ batch: castTree(batch, "float64"), size });
  return {
    ...problem,
    dtype: "float64",
    init: (seed) => castTree(problem.init(seed), "float64"),
    ...(problem.initStatistics && {
      initStatistics: () => castTree(problem.initStatistics?.() ?? {}, "float64"),
    }),
    train: split(train),
    test: test && split(test),
    constants: constants && castTree(constants, "float64"),
  };
}
