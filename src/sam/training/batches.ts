/** Mini-batches: which samples each step sees. */
import { InputError } from "../../engine/errors.ts";
import { randomStream } from "../../engine/random.ts";
import type { Problem } from "../../problems/problem.ts";

/** Samples per step; `full` means all training samples. */
export type BatchSize = number | "full";

/**
 * Samples per step as a number.
 *
 * @throws {InputError} when the problem has not so many.
 */
export function samplesPerStep({ train: { size } }: Problem, batchSize: BatchSize): number {
  const samples = batchSize === "full" ? size : batchSize;
  if (Number.isInteger(samples) && samples >= 1 && samples <= size) return samples;
  throw new InputError(
    `invalid batch: ${batchSize} (give "full" or a whole number from 1 to ${size})`,
  );
}

/**
 * Sample indices of steps `first` … `first + count − 1`, one batch after the other. Every epoch is
 * a new random order of all samples; its last, incomplete batch is dropped. The order depends on
 * the seed alone: every method sees the same batches.
 */
export function batchIndices(
  seed: number,
  size: number,
  batch: number,
  first: number,
  count: number,
): Int32Array {
  const perEpoch = Math.floor(size / batch);
  const indices = new Int32Array(count * batch);
  let epoch = -1;
  let order: Int32Array = new Int32Array(0);
  for (let i = 0; i < count; i++) {
    const t = first + i;
    if (Math.floor(t / perEpoch) !== epoch) {
      epoch = Math.floor(t / perEpoch);
      order = randomStream(seed, "batches", epoch).permutation(size);
    }
    const from = (t % perEpoch) * batch;
    indices.set(order.subarray(from, from + batch), i * batch);
  }
  return indices;
}
