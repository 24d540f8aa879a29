/** Whole training steps on which the engines are compared. */
import { grad, jvp, lax, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import {
  divide,
  mapTrees,
  moveAlong,
  multiply,
  norm,
  scalar,
  share,
} from "../../src/engine/arrays.ts";
import type { ArrayTree, StepDefinition } from "../../src/engine/program.ts";
import {
  mapTree,
  scalarTensor,
  sizeOf,
  tensor,
  type Tensor,
  type TensorType,
  type Tree,
} from "../../src/engine/tensor.ts";

export type Float = "float32" | "float64";

/** A step with numbers to run it on. */
export interface Case {
  readonly definition: StepDefinition;
  readonly carry: Tree<Tensor>;
  readonly inputs: Tree<Tensor>;
  readonly knobs: Tree<Tensor>;
}

/** Reproducible numbers in [−1, 1): a linear congruential generator, no code shared with src. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Tensors of the given types, filled with `scale` · uniform[−1, 1). */
export function fill(types: Tree<TensorType>, seed: number, scale = 1): Tree<Tensor> {
  const next = numbers(seed);
  return mapTree(types, ({ dtype, shape }) =>
    tensor(
      Array.from({ length: sizeOf(shape) }, () => scale * next()),
      shape,
      dtype,
    ),
  );
}

type Loss = (params: never, inputs: never) => np.Array;

/** Sharpness-aware minimization of a loss: two gradients, plain descent (Foret et al. 2021). */
export function samStep(loss: Loss): StepDefinition["step"] {
  return (carry, inputs, knobs) => {
    const { rho, rate } = knobs as { rho: np.Array; rate: np.Array };
    const at = (params: ArrayTree) =>
      valueAndGrad((p: ArrayTree) => loss(p as never, share(inputs) as never))(share(params)) as [
        np.Array,
        ArrayTree,
      ];
    const [value, gradient] = at(carry);
    const length = norm(gradient);
    const [ascended, shifted] = at(moveAlong(carry, divide(rho, length), gradient));
    const next = mapTrees((x, g) => np.subtract(x.ref, multiply(g, rate)), carry, shifted);
    return { carry: next, record: { value, ascended, length, shifted: norm(shifted) } };
  };
}

const knobsOf = (dtype: Float): Tree<Tensor> => ({
  rho: scalarTensor(0.5, dtype),
  rate: scalarTensor(0.1, dtype),
});

type Layer = { weight: np.Array; bias: np.Array };

/** Mean cross-entropy of two layers with tanh. */
const mlpLoss =
  (batch: number) =>
  (
    { first, second }: { first: Layer; second: Layer },
    { x, target }: { x: np.Array; target: np.Array },
  ): np.Array => {
    const layer = (y: np.Array, { weight, bias }: Layer) => np.add(np.dot(y, weight), bias);
    const logits = layer(np.tanh(layer(x, first)), second);
    const likelihood = np.sum(np.multiply(nn.logSoftmax(logits), target));
    return np.multiply(likelihood.ref, scalar(-1 / batch, likelihood));
  };

/** Two layers, tanh, cross-entropy. */
export function mlp(dtype: Float, batch = 20, side = 8, hidden = 6, classes = 5): Case {
  const type = (...shape: number[]): TensorType => ({ dtype, shape });
  const types = {
    carry: {
      first: { weight: type(side, hidden), bias: type(hidden) },
      second: { weight: type(hidden, classes), bias: type(classes) },
    },
    inputs: { x: type(batch, side), target: type(batch, classes) },
    knobs: { rho: type(), rate: type() },
  };
  const step = samStep(mlpLoss(batch));
  const target = Array.from({ length: batch * classes }, (_, i) =>
    i % classes === Math.floor(i / classes) % classes ? 1 : 0,
  );
  return {
    definition: { step, ...types },
    carry: fill(types.carry, 1, 0.5),
    inputs: { x: fill(type(batch, side), 2), target: tensor(target, [batch, classes], dtype) },
    knobs: knobsOf(dtype),
  };
}

/** Convolutions with group, layer and batch norm, pooling, a strided convolution, ReLU. */
export function convolutional(dtype: Float): Case {
  const [batch, side, channels, classes] = [2, 4, 2, 3];
  const type = (...shape: number[]): TensorType => ({ dtype, shape });
  const scaled = (...shape: number[]) => ({ gain: type(...shape), offset: type(...shape) });
  const types = {
    carry: {
      stem: type(channels, 2, 3, 3),
      deep: type(channels, channels, 3, 3),
      skip: type(2 * channels, channels, 1, 1),
      batchNorm: scaled(channels, 1, 1),
      groupNorm: scaled(channels, 1, 1),
      layerNorm: scaled(2 * channels, 1, 1),
      head: type(2 * channels, classes),
    },
    inputs: { x: type(batch, 2, side, side), target: type(batch, classes) },
    knobs: { rho: type(), rate: type() },
  };
  type Scaled = { gain: np.Array; offset: np.Array };
  const normalize = (x: np.Array, axes: number[], { gain, offset }: Scaled) => {
    const count = axes.reduce((product, axis) => product * (x.shape[axis] as number), 1);
    const mean = (y: np.Array) =>
      np.multiply(np.sum(y, axes, { keepdims: true }), scalar(1 / count, x));
    const centered = np.subtract(x.ref, mean(x));
    const variance = mean(np.square(centered.ref));
    const unit = np.divide(centered, np.sqrt(np.add(variance, scalar(1e-5, x))));
    return np.add(np.multiply(unit, gain), offset);
  };
  const step = samStep((p: Record<string, np.Array> & Record<string, Scaled>, inputs: never) => {
    const { x, target } = inputs as { x: np.Array; target: np.Array };
    const { stem, deep, skip, head } = p as Record<string, np.Array> as {
      [key in "stem" | "deep" | "skip" | "head"]: np.Array;
    };
    const { batchNorm, groupNorm, layerNorm } = p as Record<string, Scaled> as {
      [key in "batchNorm" | "groupNorm" | "layerNorm"]: Scaled;
    };
    let y = nn.relu(normalize(lax.conv(x, stem, [1, 1], "SAME"), [0, 2, 3], batchNorm));
    y = lax.reduceWindow(y, (window) => np.max(window), [2, 2], [2, 2]);
    const grouped = lax.conv(y.ref, deep, [1, 1], "SAME").reshape([batch, 2, channels / 2, 2, 2]);
    const normal = normalize(grouped, [2, 3, 4], {
      gain: groupNorm.gain.reshape([2, channels / 2, 1, 1]),
      offset: groupNorm.offset.reshape([2, channels / 2, 1, 1]),
    });
    y = np.add(y, np.tanh(normal.reshape([batch, channels, 2, 2])));
    y = normalize(lax.conv(y, skip, [2, 2], "VALID"), [1, 2, 3], layerNorm);
    const logits = np.dot(np.sum(nn.silu(y), [2, 3]), head);
    const likelihood = np.sum(np.multiply(nn.logSoftmax(logits), target));
    return np.multiply(likelihood.ref, scalar(-1 / batch, likelihood));
  });
  const target = Array.from({ length: batch * classes }, (_, i) =>
    i % classes === Math.floor(i / classes) % classes ? 1 : 0,
  );
  return {
    definition: { step, ...types },
    carry: fill(types.carry, 3, 0.5),
    inputs: {
      x: fill(types.inputs.x, 4),
      target: tensor(target, [batch, classes], dtype),
    },
    knobs: knobsOf(dtype),
  };
}

/** One transformer block: embedding by gather, causal attention, layer norm, GELU, mini-batches. */
export function transformer(dtype: Float): Case {
  const [samples, batch, length, vocabulary, width, heads] = [5, 2, 4, 6, 4, 2];
  const type = (...shape: number[]): TensorType => ({ dtype, shape });
  const integers = (...shape: number[]): TensorType => ({ dtype: "int32", shape });
  const types = {
    carry: {
      embedding: type(vocabulary, width),
      position: type(length, width),
      attention: { query: type(width, width), key: type(width, width), value: type(width, width) },
      up: type(width, 2 * width),
      down: type(2 * width, width),
      gain: type(width),
    },
    inputs: { tokens: integers(samples, length), next: integers(samples, length) },
    knobs: { rho: type(), rate: type(), batch: integers(batch) },
  };
  const layerNorm = (x: np.Array, gain: np.Array) => np.multiply(nn.standardize(x, -1), gain);
  type Params = {
    embedding: np.Array;
    position: np.Array;
    attention: { query: np.Array; key: np.Array; value: np.Array };
    up: np.Array;
    down: np.Array;
    gain: np.Array;
  };
  const loss = (p: Params, { tokens, next }: { tokens: np.Array; next: np.Array }) => {
    let x = np.add(np.take(p.embedding.ref, tokens, 0), p.position);
    const y = layerNorm(x.ref, p.gain.ref);
    const head = (w: np.Array) => np.dot(y.ref, w).reshape([batch, length, heads, width / heads]);
    const { query, key, value } = p.attention;
    const attended = nn.dotProductAttention(head(query), head(key), head(value), {
      isCausal: true,
    });
    x = np.add(x, attended.reshape([batch, length, width]));
    const inner = nn.gelu(np.dot(layerNorm(x.ref, p.gain), p.up));
    x = np.add(x, np.dot(inner, p.down));
    const logits = np.dot(x, np.transpose(p.embedding));
    const target = nn.oneHot(next, vocabulary).astype(logits.dtype);
    const likelihood = np.sum(np.multiply(nn.logSoftmax(logits), target));
    return np.multiply(likelihood.ref, scalar(-1 / (batch * length), likelihood));
  };
  const step: StepDefinition["step"] = (carry, inputs, knobs) => {
    const { tokens, next } = inputs as { tokens: np.Array; next: np.Array };
    const { batch: rows } = knobs as { batch: np.Array };
    const drawn = {
      tokens: np.take(tokens.ref, rows.ref, 0),
      next: np.take(next.ref, rows.ref, 0),
    };
    return samStep(loss)(carry, drawn, knobs);
  };
  const steps = 50;
  const draw = numbers(5);
  const whole = (size: number, n: number) =>
    Array.from({ length: size }, () => Math.floor(((draw() + 1) / 2) * n));
  return {
    definition: { step, ...types },
    carry: fill(types.carry, 6, 0.5),
    inputs: {
      tokens: tensor(whole(samples * length, vocabulary), [samples, length], "int32"),
      next: tensor(whole(samples * length, vocabulary), [samples, length], "int32"),
    },
    knobs: {
      rho: scalarTensor(0.05, dtype),
      rate: tensor(
        Array.from({ length: steps }, (_, i) => 0.1 / (1 + i)),
        [steps],
        dtype,
      ),
      batch: tensor(whole(steps * batch, samples), [steps, batch], "int32"),
    },
  };
}

/** Power iteration on the Hessian of the MLP's loss: forward derivatives of reverse ones. */
export function curvature(dtype: Float): Case {
  const base = mlp(dtype);
  const { carry: params } = base.definition;
  const loss = mlpLoss(20);
  const step: StepDefinition["step"] = (carry, inputs) => {
    const { direction } = carry as { direction: ArrayTree };
    const { params: at, ...data } = inputs as { params: ArrayTree } & Record<string, np.Array>;
    const [, product] = jvp(
      grad((p: ArrayTree) => loss(p as never, share(data) as never)),
      [share(at)],
      [share(direction)],
    ) as [ArrayTree, ArrayTree];
    const length = norm(product);
    return {
      carry: { direction: mapTrees((x) => divide(x, length), product) },
      record: { length },
    };
  };
  return {
    definition: {
      step,
      carry: { direction: params },
      inputs: { params, ...(base.definition.inputs as object) },
      knobs: {},
    },
    carry: { direction: fill(params, 8) },
    inputs: { params: base.carry, ...(base.inputs as object) },
    knobs: {},
  };
}
