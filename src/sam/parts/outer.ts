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
import { flag, number, required, schedule } from "../../settings/fields.ts";
import { checkOptions, type FieldsOf } from "../../settings/options.ts";
import type { Schedule } from "../../settings/schedules.ts";

/** What SGD is given. */
export interface SgdOptions {
  /** Learning rate η ≥ 0. */
  readonly learningRate?: Schedule | undefined;
  /** μ in [0, 1). */
  readonly momentum?: number | undefined;
  /** Look ahead along the buffer; needs momentum. */
  readonly nesterov?: boolean | undefined;
  /** λ ≥ 0 of the weight decay. */
  readonly weightDecay?: number | undefined;
  /** Decay parameters by themselves, apart from gradient and momentum; default false. */
  readonly decoupled?: boolean | undefined;
}

const sgdFields = {
  learningRate: schedule(0.01, "η, learning rate"),
  momentum: number(0, "μ, momentum", { min: 0, below: 1 }),
  nesterov: flag(false, "look ahead along the momentum"),
  weightDecay: number(0, "λ of the weight decay", { min: 0 }),
  decoupled: flag(false, "decay parameters apart from gradient and momentum"),
} satisfies FieldsOf<SgdOptions>;

interface SgdState {
  /** v; absent without momentum. */
  readonly buffer?: ArrayTree;
}

/**
 * Stochastic gradient descent in PyTorch's convention: d = direction + λx; v ← μv + d
 * (no dampening; v starts at 0, so the first v is d); x ← x − η v, or with Nesterov
 * x ← x − η (d + μv). Weight decay is added here, outside the loss: it neither shapes the
 * perturbation nor is it evaluated at the ascent point. Decoupled (Loshchilov & Hutter 2019), it stays
 * out of the buffer too: d = direction, and x ← (1 − ηλ)x − η v.
 *
 * @throws {InputError} `invalid learningRate: -1 (give a number, 0 or more, …)`
 */
export function sgd(options: SgdOptions = {}): Outer {
  const checked = checkOptions("sgd", sgdFields, options);
  const { learningRate, momentum, nesterov, weightDecay, decoupled } = checked;
  if (nesterov && momentum === 0) {
    throw new InputError("invalid nesterov: momentum is 0 (give a momentum, such as 0.9)");
  }
  const knobs = { learningRate } satisfies Knobs;
  return outer<SgdState, typeof knobs>({
    name: "sgd",
    knobs,
    // Decoupled decay and momentum have no common d: where the one is at rest the other is not.
    descending:
      decoupled && weightDecay > 0 && momentum > 0
        ? undefined
        : { momentum, nesterov, weightDecay },
    init: (params) => (momentum === 0 ? {} : { buffer: zerosAs(params) }),
    update(direction, params, { buffer }, { learningRate }) {
      const d = decoupled ? direction : decayed(direction, params, weightDecay);
      const eta = np.negative(learningRate.ref);
      const after = (move: ArrayTree) =>
        moveAlong(params, eta, decoupled ? decayed(move, params, weightDecay) : move);
      if (buffer === undefined) return { params: after(d), state: {} };
      const mu = scalar(momentum, learningRate);
      const v = moveAlong(d, mu, buffer);
      return { params: after(nesterov ? moveAlong(d, mu, v) : v), state: { buffer: v } };
    },
  });
}

/** What AdamW is given. */
export interface AdamWOptions {
  /** Learning rate η ≥ 0. */
  readonly learningRate?: Schedule | undefined;
  /** β₁ in [0, 1), weight of the old first moment. */
  readonly b1?: number | undefined;
  /** β₂ in [0, 1), weight of the old second moment. */
  readonly b2?: number | undefined;
  /** ε ≥ 0, added outside the root. */
  readonly epsilon?: number | undefined;
  /** λ ≥ 0, decoupled. */
  readonly weightDecay?: number | undefined;
}

const adamWFields = {
  learningRate: schedule(0.001, "η, learning rate"),
  b1: number(0.9, "β₁, weight of the old first moment", { min: 0, below: 1 }),
  b2: number(0.999, "β₂, weight of the old second moment", { min: 0, below: 1 }),
  epsilon: number(1e-8, "ε, added outside the root", { min: 0 }),
  weightDecay: number(0.01, "λ, decoupled; as in PyTorch", { min: 0 }),
} satisfies FieldsOf<AdamWOptions>;

interface AdamWState {
  readonly first: ArrayTree;
  readonly second: ArrayTree;
  /** β₁ᵗ and β₂ᵗ, for the bias corrections. */
  readonly decay1: np.Array;
  readonly decay2: np.Array;
}

/**
 * AdamW (Loshchilov & Hutter 2019) in PyTorch's convention: x ← (1 − ηλ) x − η m̂/(√v̂ + ε)
 * with bias-corrected moments m̂ and v̂. PyTorch's defaults, λ = 0.01 among them.
 *
 * @throws {InputError} `invalid b1: 1 (give a number, 0 or more, below 1)`
 */
export function adamW(options: AdamWOptions = {}): Outer {
  const checked = checkOptions("adamw", adamWFields, options);
  const { learningRate, b1, b2, epsilon, weightDecay } = checked;
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

/** What clipping is given. */
export interface ClippedOptions {
  /** Norm ≥ 0 that no direction exceeds. */
  readonly maxNorm: Schedule;
  /** How to move along the clipped direction. */
  readonly outer: Outer;
}

const clippedFields = { maxNorm: required(schedule(1, "largest norm of the direction")) };

/**
 * Scale the direction down to norm `maxNorm` where it is longer. Acts on the vector handed to
 * `outer` only: the ascent never sees it.
 *
 * @throws {InputError} `missing maxNorm of clipped (give a number, 0 or more, …)`
 */
export function clipped(options: ClippedOptions): Outer {
  const { maxNorm } = checkOptions("clipped", clippedFields, options, ["outer"]);
  const inner: unknown = options.outer;
  if (!isOuter(inner)) {
    const what = inner === undefined ? "missing" : "invalid";
    throw new InputError(`${what} outer of clipped (give an optimizer, such as sgd())`);
  }
  const knobs = { maxNorm, inner: inner.knobs } satisfies Knobs;
  return outer<ArrayTree, typeof knobs>({
    name: `clipped ${inner.name}`,
    knobs,
    descending: inner.descending,
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

/**
 * An outer optimizer of any state and knobs: forget their types once the implementation is checked
 * against them.
 *
 * @example
 * const signs = ({ learningRate }: { learningRate: Schedule }) =>
 *   outer<Record<string, never>, { learningRate: Schedule }>({
 *     name: "signs",
 *     knobs: { learningRate },
 *     init: () => ({}),
 *     update: (direction, params, state, { learningRate }) => ({
 *       params: mapTrees((x, d) => subtract(x, multiply(learningRate, np.sign(d.ref))), params, direction),
 *       state,
 *     }),
 *   });
 */
export function outer<State, K extends Knobs>(implementation: Outer<State, K>): Outer {
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

/** Whether a value is an outer optimizer. */
export const isOuter = (value: unknown): value is Outer =>
  typeof value === "object" && value !== null && "update" in value;
