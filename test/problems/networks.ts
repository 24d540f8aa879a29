/** Small problems, one for each thing that a problem may have besides a loss. */
import { numpy as np, random } from "@jax-js/jax";
import { multiply, scalar, square, subtract } from "../../src/engine/arrays.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { crossEntropy, isRight } from "../../src/problems/networks/classification.ts";
import { roleByName, type FloatType, type Problem } from "../../src/problems/problem.ts";

/** scale·sin(pace·k + phase), k = 0, 1, … */
export const wave = (count: number, scale: number, pace: number, phase: number) =>
  Array.from({ length: count }, (_, k) => scale * Math.sin(pace * k + phase));

interface Layer {
  readonly weight: np.Array;
  readonly bias: np.Array;
}

/** x·Wᵀ + b; consumes. */
const linear = (x: np.Array, { weight, bias }: Layer) =>
  np.add(np.matmul(x, np.transpose(weight)), bias);

/** Mean over the first axis. */
const columnMean = (x: np.Array) =>
  multiply(np.sum(x.ref, 0), scalar(1 / (x.shape[0] as number), x));

/** The network of test/oracle/batch-norm.py: linear, batch normalization, tanh, linear. */
export function batchNormalized(dtype: FloatType): Problem {
  const [samples, features, hidden, classes] = [14, 3, 4, 3];
  const x = wave(samples * features, 1.5, 1.7, 0.3).map((value) => value + 0.8);
  const y = Array.from({ length: samples }, (_, n) => (n * 5 + 1) % classes);
  return {
    name: "batch-normalized",
    dtype,
    outputs: classes,
    role: roleByName,
    train: {
      size: samples,
      batch: { x: tensor(x, [samples, features], dtype), y: tensor(y, [samples], "int32") },
    },
    init: () => ({
      layers: [
        {
          weight: tensor(wave(hidden * features, 0.9, 2.3, 0.1), [hidden, features], dtype),
          bias: tensor(wave(hidden, 2.5, 1.1, 0.4), [hidden], dtype),
        },
        {
          weight: tensor(
            wave(hidden, 0.2, 1.9, 0.6).map((value) => 1 + value),
            [hidden],
            dtype,
          ),
          bias: tensor(wave(hidden, 0.3, 0.7, 0.2), [hidden], dtype),
        },
        {
          weight: tensor(wave(classes * hidden, 0.8, 1.3, 0.5), [classes, hidden], dtype),
          bias: tensor(wave(classes, 0.1, 2.9, 0.9), [classes], dtype),
        },
      ],
    }),
    initStatistics: () => ({
      layers: {
        1: {
          mean: tensor([0, 0, 0, 0], [hidden], dtype),
          variance: tensor([1, 1, 1, 1], [hidden], dtype),
        },
      },
    }),
    forward(params, batch, { mode, statistics }) {
      const { layers } = params as unknown as { layers: [Layer, Layer, Layer] };
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const running = (statistics as { layers: { 1: { mean: np.Array; variance: np.Array } } })
        .layers[1];
      const h = linear(x, layers[0]);
      const center = columnMean(h);
      const spread = columnMean(square(subtract(h, center)));
      const used = mode === "train" ? { mean: center, variance: spread } : running;
      const scale = np.sqrt(np.add(used.variance.ref, scalar(1e-5, h)));
      const normalized = np.divide(subtract(h, used.mean), scale);
      const shifted = np.add(np.multiply(normalized, layers[1].weight), layers[1].bias);
      const logits = linear(np.tanh(shifted), layers[2]);
      // As in PyTorch: momentum 0.1, and the variance kept is the unbiased one.
      const count = h.shape[0] as number;
      const blend = (old: np.Array, seen: np.Array, by = 1) =>
        np.add(multiply(old, scalar(0.9, old)), multiply(seen, scalar(0.1 * by, seen)));
      return {
        losses: crossEntropy(logits.ref, y),
        outputs: logits,
        statistics: {
          layers: {
            1: {
              mean: blend(running.mean, center),
              variance: blend(running.variance, spread, count / Math.max(1, count - 1)),
            },
          },
        },
      };
    },
    score: (logits, batch) => isRight(logits, (batch as { y: np.Array }).y),
  };
}

/** A regression whose inputs are dropped with chance 1/2 in training, and doubled where kept. */
export function dropped(dtype: FloatType): Problem {
  return {
    name: "dropped",
    dtype,
    random: true,
    outputs: 1,
    role: roleByName,
    train: {
      size: 10,
      batch: {
        x: tensor(wave(40, 1, 1.3, 0.2), [10, 4], dtype),
        y: tensor(wave(10, 1, 2.1, 0.5), [10], dtype),
      },
    },
    init: () => ({ weight: tensor(wave(4, 0.7, 1.1, 0.4), [4], dtype) }),
    forward(params, batch, { mode, key }) {
      const { weight } = params as { weight: np.Array };
      const { x, y } = batch as { x: np.Array; y: np.Array };
      if ((mode === "train") !== (key !== undefined)) throw new Error("a key is for training");
      const kept = key ? np.less(random.uniform(key, [...x.shape]), 0.5) : undefined;
      const seen = kept ? np.where(kept, multiply(scalar(2, x), x), np.zerosLike(x.ref)) : x;
      const output = np.matmul(seen, weight);
      return {
        losses: square(subtract(output, y)),
        outputs: output.ref.reshape([output.size, 1]),
      };
    },
  };
}

/** Samples of {@link augmented}: powers of two, so that their sum tells which were doubled. */
export const powers = Array.from({ length: 8 }, (_, i) => 2 ** i);

/** f = A·w²/2 with A the mean of the samples, each doubled with chance 1/2 by augmentation. */
export function augmented(dtype: FloatType): Problem {
  return {
    name: "augmented",
    dtype,
    role: roleByName,
    train: { size: 8, batch: { a: tensor(powers, [8], dtype) } },
    init: () => ({ weight: tensor([3], [], dtype) }),
    prepare(batch, key) {
      const { a } = batch as { a: np.Array };
      const twice = np.less(random.uniform(key, [...a.shape]), 0.5);
      return { a: np.where(twice, multiply(a, scalar(2, a)), a) };
    },
    forward(params, batch) {
      const { weight } = params as { weight: np.Array };
      const { a } = batch as { a: np.Array };
      return { losses: multiply(a, multiply(square(weight), scalar(0.5, weight))) };
    },
  };
}

/** Edges of {@link graph}, node to node. */
export const edges: readonly (readonly [from: number, to: number])[] = [
  [0, 1],
  [1, 2],
  [2, 0],
  [3, 4],
  [4, 5],
  [5, 3],
  [0, 3],
];

/** Logits of a node: W (x + Σ x over the nodes with an edge to it). Samples are nodes. */
export function graph(dtype: FloatType): Problem {
  const count = 6;
  const ends = (side: 0 | 1) =>
    tensor(
      edges.map((edge) => edge[side]),
      [edges.length],
      "int32",
    );
  return {
    name: "graph",
    dtype,
    outputs: 2,
    role: roleByName,
    train: {
      size: count,
      batch: {
        x: tensor(wave(2 * count, 1, 1.9, 0.3), [count, 2], dtype),
        y: tensor([0, 1, 1, 0, 1, 0], [count], "int32"),
      },
    },
    constants: { from: ends(0), to: ends(1) },
    init: () => ({ weight: tensor([0.5, -0.3, 0.2, 0.8], [2, 2], dtype) }),
    forward(params, batch, { constants }) {
      const { weight } = params as { weight: np.Array };
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const { from, to } = constants as { from: np.Array; to: np.Array };
      const nodes = np.arange(0, count, 1, { dtype: np.int32 }).reshape([count, 1]);
      const arrives = np.equal(nodes, to.reshape([1, edges.length])).astype(x.dtype);
      const received = np.matmul(arrives, np.take(x.ref, from, 0));
      const logits = np.matmul(np.add(x, received), np.transpose(weight));
      return { losses: crossEntropy(logits.ref, y), outputs: logits };
    },
    score: (logits, batch) => isRight(logits, (batch as { y: np.Array }).y),
  };
}

/** Nothing but inputs: the loss is how badly two numbers per sample give four back. */
export function autoencoder(dtype: FloatType): Problem {
  const samples = tensor(wave(28, 1, 1.7, 0.1), [7, 4], dtype);
  return {
    name: "autoencoder",
    dtype,
    role: roleByName,
    train: { size: 7, batch: samples },
    init: () => ({
      encoder: { weight: tensor(wave(8, 0.6, 1.2, 0.3), [2, 4], dtype) },
      decoder: { weight: tensor(wave(8, 0.5, 2.2, 0.7), [4, 2], dtype) },
    }),
    forward(params, batch) {
      const { encoder, decoder } = params as { [part: string]: { weight: np.Array } };
      const x = batch as np.Array;
      const weight = (part: typeof encoder) => np.transpose((part as { weight: np.Array }).weight);
      const code = np.tanh(np.matmul(x.ref, weight(encoder)));
      return { losses: np.sum(square(subtract(np.matmul(code, weight(decoder)), x)), 1) };
    },
  };
}

/** Softmax regression on images of 2 × 3 pixels from 0 to 255, kept as `stored`. */
export function pixels(dtype: FloatType, stored: FloatType | "uint8"): Problem {
  const values = Array.from({ length: 60 }, (_, k) => (k * 37 + 200) % 256);
  return {
    name: "pixels",
    dtype,
    outputs: 3,
    role: roleByName,
    train: {
      size: 10,
      batch: {
        x: tensor(values, [10, 2, 3], stored),
        y: tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0], [10], "int32"),
      },
    },
    init: () => ({ weight: tensor(wave(18, 0.4, 1.1, 0.2), [3, 6], dtype) }),
    forward(params, batch) {
      const { weight } = params as { weight: np.Array };
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const rows = multiply(x, scalar(1 / 255, x)).reshape([x.shape[0] as number, 6]);
      const logits = np.matmul(rows, np.transpose(weight));
      return { losses: crossEntropy(logits.ref, y), outputs: logits };
    },
    score: (logits, batch) => isRight(logits, (batch as { y: np.Array }).y),
  };
}
