/** Outer optimizers: how to move once a direction is known. */
import { np } from "../../engine/jax-js.ts";
import {
  add,
  divide,
  mapTrees,
  moveAlong,
  multiply,
  norm,
  scalar,
  scale,
  select,
  sqrt,
  square,
  subtract,
} from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { mapTree, scalarTensor, zeros, type Tensor, type Tree } from "../../engine/tensor.ts";
import type { Knobs, Outer } from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";

export interface SgdOptions {
  /** η; default 0.01. */
  readonly learningRate?: Schedule;
  /** μ in [0, 1); default 0. */
  readonly momentum?: number;
  /** Look ahead along the buffer; needs momentum. Default false. */
  readonly nesterov?: boolean;
  /** λ ≥ 0 of the coupled L2 penalty; default 0. */
  readonly weightDecay?: number;
}

interface SgdState {
  /** v; absent without momentum. */
  readonly buffer?: ArrayTree;
}

/**
 * Stochastic gradient descent in PyTorch's convention: d = direction + λx; v ← μv + d
 * (no dampening; v starts at 0, so the first v is d); x ← x − η v, or with Nesterov
 * x ← x − η (d + μv). Weight decay is added here, outside the loss: it neither shapes the
 * perturbation nor is it evaluated at the ascent point.
 */
export function sgd({
  learningRate = 0.01,
  momentum = 0,
  nesterov = false,
  weightDecay = 0,
}: SgdOptions = {}): Outer {
  if (!(momentum >= 0 && momentum < 1)) {
    throw new InputError(`invalid momentum: ${momentum} (give a number in [0, 1))`);
  }
  if (nesterov && momentum === 0) {
    throw new InputError("invalid nesterov: momentum is 0 (give a momentum, such as 0.9)");
  }
  checkNonNegative("weight decay", weightDecay);
  const knobs = { learningRate } satisfies Knobs;
  return outer<SgdState, typeof knobs>({
    name: "sgd",
    knobs,
    init: (params) => (momentum === 0 ? {} : { buffer: zerosAs(params) }),
    update(direction, params, { buffer }, { learningRate }) {
      const d = decayed(direction, params, weightDecay);
      const eta = np.negative(learningRate.ref);
      if (buffer === undefined) return { params: moveAlong(params, eta, d), state: {} };
      const mu = scalar(momentum, learningRate);
      const v = moveAlong(d, mu, buffer);
      const move = nesterov ? moveAlong(d, mu, v) : v;
      return { params: moveAlong(params, eta, move), state: { buffer: v } };
    },
  });
}

export interface AdamWOptions {
  /** η; default 0.001. */
  readonly learningRate?: Schedule;
  /** β₁; default 0.9. */
  readonly b1?: number;
  /** β₂; default 0.999. */
  readonly b2?: number;
  /** ε, added outside the root; default 1e-8. */
  readonly epsilon?: number;
  /** λ ≥ 0, decoupled; default 0.01, as in PyTorch. */
  readonly weightDecay?: number;
}

interface AdamWState {
  readonly first: ArrayTree;
  readonly second: ArrayTree;
  /** β₁ᵗ and β₂ᵗ, for the bias corrections. */
  readonly decay1: np.Array;
  readonly decay2: np.Array;
}

/**
 * AdamW (Loshchilov & Hutter 2019) in PyTorch's convention: x ← (1 − ηλ) x − η m̂/(√v̂ + ε)
 * with bias-corrected moments m̂ and v̂.
 */
export function adamW({
  learningRate = 0.001,
  b1 = 0.9,
  b2 = 0.999,
  epsilon = 1e-8,
  weightDecay = 0.01,
}: AdamWOptions = {}): Outer {
  for (const [name, value] of Object.entries({ b1, b2 })) {
    if (!(value >= 0 && value < 1)) {
      throw new InputError(`invalid ${name}: ${value} (give a number in [0, 1))`);
    }
  }
  checkNonNegative("weight decay", weightDecay);
  const knobs = { learningRate } satisfies Knobs;
  return outer<AdamWState, typeof knobs>({
    name: "adamw",
    knobs,
    init: (params) => ({
      first: zerosAs(params),
      second: zerosAs(params),
      decay1: scalarTensor(1, dtypeOf(params)),
      decay2: scalarTensor(1, dtypeOf(params)),
    }),
    update(direction, params, state, { learningRate }) {
      const constant = (value: number) => scalar(value, learningRate);
      const decay1 = multiply(state.decay1, constant(b1));
      const decay2 = multiply(state.decay2, constant(b2));
      const average = (old: ArrayTree, b: number, now: ArrayTree) =>
        mapTrees((m, g) => add(multiply(m, constant(b)), multiply(g, constant(1 - b))), old, now);
      const first = average(state.first, b1, direction);
      const second = average(state.second, b2, mapTrees(square, direction));
      const correct1 = subtract(constant(1), decay1);
      const correct2 = subtract(constant(1), decay2);
      const keep = subtract(constant(1), multiply(learningRate, constant(weightDecay)));
      const next = mapTrees(
        (x, m, v) => {
          const denominator = add(sqrt(divide(v, correct2)), constant(epsilon));
          const move = divide(divide(m, correct1), denominator);
          return subtract(multiply(x, keep), multiply(learningRate, move));
        },
        params,
        first,
        second,
      );
      return { params: next, state: { first, second, decay1, decay2 } };
    },
  });
}

/**
 * Scale the direction down to norm `maxNorm` where it is longer. Acts on the vector handed to
 * `inner` only: the ascent never sees it.
 */
export function clipped({ maxNorm, outer: inner }: { maxNorm: Schedule; outer: Outer }): Outer {
  const knobs = { maxNorm, inner: inner.knobs } satisfies Knobs;
  return outer<ArrayTree, typeof knobs>({
    name: `clipped ${inner.name}`,
    knobs,
    init: (params) => inner.init(params),
    update(direction, params, state, { maxNorm, inner: innerKnobs }) {
      const length = norm(direction);
      const factor = select(
        np.greater(length.ref, maxNorm.ref),
        divide(maxNorm, length),
        scalar(1, length),
      );
      return inner.update(scale(factor, direction), params, state, innerKnobs);
    },
  });
}

/** Forget the state's type once the implementation has been checked against it. */
function outer<State, K extends Knobs>(implementation: Outer<State, K>): Outer {
  return implementation as unknown as Outer;
}

const decayed = (direction: ArrayTree, params: ArrayTree, weightDecay: number): ArrayTree =>
  weightDecay === 0
    ? direction
    : mapTrees((d, x) => add(d, multiply(x, scalar(weightDecay, x))), direction, params);

/** Zeros like `params`, in host memory. */
export const zerosAs = (params: Tree<Tensor>): Tree<Tensor> =>
  mapTree(params, ({ shape, dtype }) => zeros(shape, dtype));

/** The floating-point type of a tree of parameters. */
export function dtypeOf(params: Tree<Tensor>): "float32" | "float64" {
  let dtype: "float32" | "float64" = "float32";
  mapTree(params, (leaf) => {
    if (leaf.dtype === "float64") dtype = "float64";
  });
  return dtype;
}

function checkNonNegative(thing: string, value: number): void {
  if (!(value >= 0 && value < Infinity)) {
    throw new InputError(`invalid ${thing}: ${value} (give a number, 0 or more)`);
  }
}
