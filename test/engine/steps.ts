/** Whole training steps on which the engines are compared. */
import { nn, numpy as np, valueAndGrad } from "@jax-js/jax";
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
  const layer = (x: np.Array, { weight, bias }: { weight: np.Array; bias: np.Array }) =>
    np.add(np.dot(x, weight), bias);
  const step = samStep(
    (
      { first, second }: { first: never; second: never },
      { x, target }: { x: np.Array; target: np.Array },
    ) => {
      const logits = layer(np.tanh(layer(x, first)), second);
      const likelihood = np.sum(np.multiply(nn.logSoftmax(logits), target));
      return np.multiply(likelihood.ref, scalar(-1 / batch, likelihood));
    },
  );
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
