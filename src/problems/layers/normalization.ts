/**
 * Normalization layers: batch (Ioffe & Szegedy 2015), layer (Ba, Kiros & Hinton 2016) and group
 * normalization (Wu & He 2018). All compute (x − mean)/√(variance + ε)·weight + bias with ε = 1e-5 and
 * the variance divided by the count, as PyTorch does; they differ in what they take the mean over.
 */
import { np } from "../../engine/jax-js.ts";
import { add, divide, multiply, scalar, sqrt, square, subtract } from "../../engine/arrays.ts";
import { tensor, zeros, type Tensor } from "../../engine/tensor.ts";
import type { FloatType, Mode } from "../problem.ts";

/** What scales and shifts normalized values, one number per feature or channel; starts as ones and zeros. */
export type NormLayer<Leaf = Tensor> = { weight: Leaf; bias: Leaf };

/** Running statistics of a batch normalization, one number per channel. */
export type BatchStatistics<Leaf = Tensor> = { mean: Leaf; variance: Leaf };

const epsilon = 1e-5;

/** How much a batch moves the running statistics: PyTorch's `momentum`. */
const pace = 0.1;

/** Running statistics before the first batch: mean 0 and variance 1. */
export const initialStatistics = (channels: number, dtype: FloatType): BatchStatistics => ({
  mean: zeros([channels], dtype),
  variance: tensor(Array<number>(channels).fill(1), [channels], dtype),
});

/**
 * Normalize every channel over the samples and pixels of the batch (mode `train`), or by the running
 * statistics (mode `evaluate`). Traced; borrows.
 *
 * @param x Float, shape [samples, channels, ...].
 * @returns The output, and the running statistics with this batch taken into account: a tenth of the
 *   batch's mean and unbiased variance, as in PyTorch; in evaluation they are as they were.
 */
export function batchNorm(
  x: np.Array,
  { weight, bias }: NormLayer<np.Array>,
  running: BatchStatistics<np.Array>,
  mode: Mode,
): { readonly output: np.Array; readonly statistics: BatchStatistics<np.Array> } {
  const channels = x.shape[1] as number;
  const others = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const perChannel = (a: np.Array) =>
    a.ref.reshape([channels, ...Array<number>(x.shape.length - 2).fill(1)]);
  const count = x.size / channels;
  const channelMean = (a: np.Array) => multiply(np.sum(a.ref, others), scalar(1 / count, a));

  const batchMean = mode === "train" ? channelMean(x) : running.mean;
  const centered = subtract(x, perChannel(batchMean));
  const variance = mode === "train" ? channelMean(square(centered)) : running.variance;
  const scale = divide(weight, sqrt(add(variance, scalar(epsilon, x))));
  const output = add(multiply(centered, perChannel(scale)), perChannel(bias));
  if (mode === "evaluate") return { output, statistics: running };
  const blend = (old: np.Array, seen: np.Array, by: number) =>
    add(multiply(old, scalar(1 - pace, old)), multiply(seen, scalar(pace * by, seen)));
  return {
    output,
    statistics: {
      mean: blend(running.mean, batchMean, 1),
      variance: blend(running.variance, variance, count / Math.max(1, count - 1)),
    },
  };
}

/**
 * Normalize every sample over groups of neighboring channels and their pixels: no statistics are
 * kept, and training and evaluation compute the same. Traced; borrows.
 *
 * @param x Float, shape [samples, channels, ...]; `groups` divides the channels.
 */
export function groupNorm(
  x: np.Array,
  { weight, bias }: NormLayer<np.Array>,
  groups: number,
): np.Array {
  const [samples = 0, channels = 0, ...pixels] = x.shape;
  const size = x.size / (samples * groups);
  const normalized = standardize(x.ref.reshape([samples, groups, size])).reshape(x.shape);
  const perChannel = (a: np.Array) => a.ref.reshape([channels, ...pixels.map(() => 1)]);
  return add(multiply(normalized, perChannel(weight)), perChannel(bias));
}

/** Normalize over the last axis. Traced; borrows. */
export function layerNorm(x: np.Array, { weight, bias }: NormLayer<np.Array>): np.Array {
  return add(multiply(standardize(x), weight), bias);
}

/** (x − mean)/√(variance + ε) over the last axis. */
function standardize(x: np.Array): np.Array {
  const last = x.shape.length - 1;
  const share = scalar(1 / (x.shape[last] as number), x);
  const lastMean = (a: np.Array) => multiply(np.sum(a.ref, last, { keepdims: true }), share);
  const centered = subtract(x, lastMean(x));
  return divide(centered, sqrt(add(lastMean(square(centered)), scalar(epsilon, x))));
}
