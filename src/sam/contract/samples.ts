/** Samples as a pass sees them: taken by index, bytes as floating-point numbers. */
import { jaxDType, mapTrees, mapWithPaths } from "../../engine/arrays.ts";
import { np } from "../../engine/jax-js.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { leavesWithPaths, type TensorType, type Tree } from "../../engine/tensor.ts";
import type { FloatType } from "../../problems/problem.ts";

/** Traced, borrows. The samples with the given indices, int32 [n]: every leaf is [n, …]. */
export const takeSamples = (all: ArrayTree, indices: np.Array): ArrayTree =>
  mapTrees((leaf) => np.take(leaf.ref, indices.ref, 0), all);

/**
 * Traced, borrows. Samples as a problem of `dtype` sees them: leaves that are bytes in host memory
 * are numbers of that dtype, all others are what they were. Cast after samples were taken, so that
 * a data set of bytes stays one on the device.
 *
 * @param types the samples' types in host memory, of the same structure.
 */
export function castBytes(
  samples: ArrayTree,
  types: Tree<TensorType>,
  dtype: FloatType,
): ArrayTree {
  const bytes = new Set(
    leavesWithPaths(types).flatMap(([path, type]) => (isBytes(type) ? [path] : [])),
  );
  if (bytes.size === 0) return samples;
  return mapWithPaths(samples, (leaf, path) =>
    bytes.has(path) ? leaf.ref.astype(jaxDType[dtype]) : leaf,
  );
}

const isBytes = ({ dtype }: { readonly dtype: string }) => dtype === "uint8";
