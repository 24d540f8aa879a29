/** Small problems with what real networks have: normalization layers, dropout, missing samples. */
import { numpy as np, random } from "@jax-js/jax";
import { mean, multiply, scalar, square, subtract } from "../../src/engine/arrays.ts";
import { tensor, type Tensor } from "../../src/engine/tensor.ts";
import { roleByName, type FloatType, type Problem } from "../../src/problems/problem.ts";

/** Reproducible numbers in (−1, 1). */
const wave = (count: number, phase: number) =>
  Array.from({ length: count }, (_, i) => Math.sin(2.7 * i + phase));

export const normSamples = wave(12, 0.3);
const targets = wave(6, 1.1);

/** Plain mean over the samples of x·w, as batch normalization sees it. */
export function normMean(weight: readonly number[]): number {
  const sums = targets.map(
    (_, n) =>
      (normSamples[2 * n] ?? NaN) * (weight[0] ?? NaN) +
      (normSamples[2 * n + 1] ?? NaN) * (weight[1] ?? NaN),
  );
  return sums.reduce((sum, h) => sum + h, 0) / sums.length;
}

/**
 * y ≈ scale·(h − mean)/√(1 + variance) + bias with h = x·w over the batch. Keeps a running mean:
 * new = 0.9·old + 0.1·batch mean. Parameters in order: norm/bias, norm/scale, weight [2].
 */
export function batchNorm(dtype: FloatType = "float64"): Problem {
  return {
    name: "batch-norm",
    dtype,
    outputs: 1,
    init: () => ({
      norm: { bias: tensor([0.2], [1], dtype), scale: tensor([1.3], [1], dtype) },
      weight: tensor([0.7, -0.4], [2], dtype),
    }),
    initStatistics: () => ({ mean: tensor([0], [], dtype) }),
    role: roleByName,
    train: {
      size: 6,
      batch: { x: tensor(normSamples, [6, 2], dtype), y: tensor(targets, [6], dtype) },
    },
    forward(params, batch, { statistics }) {
      const { norm, weight } = params as {
        norm: { bias: np.Array; scale: np.Array };
        weight: np.Array;
      };
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const h = np.matmul(x, weight);
      const center = mean(h);
      const centered = subtract(h, center);
      const spread = np.sqrt(np.add(mean(square(centered)), scalar(1, center)));
      const output = np.add(np.multiply(norm.scale, np.divide(centered, spread)), norm.bias);
      const { mean: old } = statistics as { mean: np.Array };
      const next = np.add(multiply(scalar(0.9, old), old), multiply(scalar(0.1, old), center));
      return {
        losses: square(subtract(output, y)),
        outputs: output.ref.reshape([output.size, 1]),
        statistics: { mean: next },
      };
    },
  };
}

/** f = mean_i mᵢ aᵢ ‖x‖²/2 with masks mᵢ of 0 and 1 drawn from the step's key: ∇f is parallel to x. */
export function dropout(dtype: FloatType = "float64"): Problem {
  return {
    name: "dropout",
    dtype,
    random: true,
    init: () => ({ x: tensor([1.5, -2], [2], dtype) }),
    role: () => "weight",
    train: { size: 8, batch: { a: tensor([1, 2, 3, 4, 5, 6, 7, 8], [8], dtype) } },
    forward(params, batch, { key }) {
      const { x } = params as { x: np.Array };
      const { a } = batch as { a: np.Array };
      const mask = np.less(random.uniform(key as np.Array, [a.size]), 0.5);
      const half = multiply(scalar(0.5, x), np.sum(square(x)));
      return { losses: np.multiply(np.where(mask, a, np.zerosLike(a.ref)), half) };
    },
  };
}

/** Four samples of a quadratic, the third of which is not a number. */
export function missingSample(dtype: FloatType = "float64"): Problem {
  const values: Tensor = tensor([1, 2, NaN, 3], [4], dtype);
  return {
    name: "missing-sample",
    dtype,
    outputs: 2,
    init: () => ({ weight: tensor([0.5, 1], [2], dtype), bias: tensor([0.1], [1], dtype) }),
    role: roleByName,
    train: { size: 4, batch: { a: values } },
    forward(params, batch) {
      const { weight, bias } = params as { weight: np.Array; bias: np.Array };
      const { a } = batch as { a: np.Array };
      const x = np.concatenate([weight.ref, bias]);
      const f = np.sum(np.multiply(square(x), np.array([1, 3, 2], { dtype: a.dtype })));
      const [w0, w1] = np.split(weight, 2) as [np.Array, np.Array];
      const column = (w: np.Array) => np.multiply(a.ref.reshape([a.size, 1]), w);
      return {
        losses: np.multiply(a.ref, f),
        outputs: np.concatenate([column(w0), column(w1)], 1),
      };
    },
  };
}
