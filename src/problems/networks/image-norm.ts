/** Normalizations that networks for images choose from: by batch or by group. */
import type { np } from "../../engine/jax-js.ts";
import { unknownName } from "../../engine/errors.ts";
import {
  batchNorm,
  groupNorm,
  type BatchStatistics,
  type NormLayer,
} from "../layers/normalization.ts";
import type { Mode } from "../problem.ts";

/** Names of normalizations. */
export const imageNorms = ["batch", "group"] as const;

/**
 * `batch`: by the batch's own statistics in training, by running ones in evaluation. `group`: over
 * eight groups of channels of each sample, or as many as divide eight and the channels.
 */
export type ImageNorm = (typeof imageNorms)[number];

/** @throws {InputError} where the name is none. */
export function checkNorm(norm: string): void {
  if (!imageNorms.some((name) => name === norm)) throw unknownName("norm", norm, [...imageNorms]);
}

/** Normalize images and, by batch, say what becomes of the running statistics. Traced; borrows. */
export function normalize(
  norm: ImageNorm,
  x: np.Array,
  layer: NormLayer<np.Array>,
  running: BatchStatistics<np.Array> | undefined,
  mode: Mode,
): { readonly output: np.Array; readonly statistics?: BatchStatistics<np.Array> } {
  if (norm === "group") return { output: groupNorm(x, layer, groupsOf(x.shape[1] as number)) };
  if (running === undefined) throw new TypeError("missing statistics of a batch normalization");
  return batchNorm(x, layer, running, mode);
}

/** The greatest common divisor of the channels and eight. */
const groupsOf = (channels: number): number =>
  [8, 4, 2, 1].find((groups) => channels % groups === 0) ?? 1;
