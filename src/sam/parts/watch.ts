/** The watch of guards: how far the method's gradient still agrees with the true one. */
import { np } from "../../engine/jax-js.ts";
import { add, divide, multiply, scalar, select, subtract } from "../../engine/arrays.ts";
import { scalarTensor, type Tensor, type Tree } from "../../engine/tensor.ts";
import type { Evidence, OnHost } from "../contract/method.ts";
import { dtypeOf } from "./outer.ts";

/**
 * Running averages over looks ahead of cos(g, g⁺) and GradRatio = ‖g⁺‖/‖g‖, both 1 where g = 0.
 *
 * - cos·min(1, GradRatio), the agreement, is how far following g⁺ still is following g. It is 0 at
 *   every hallucinated point, where g⁺ = 0 ≠ g, and negative where a method is drawn uphill to a
 *   saddle or maximizer.
 * - cos·GradRatio = ⟨u, g⁺⟩/⟨u, g⟩ is the slope of f along the ascent at its end, in units of the
 *   slope at its beginning. For SAM it is 1 + (ρ/‖g‖) u′H̄u with H̄ the mean Hessian in between: 1 or
 *   more where f curves upward, as convex functions do everywhere, and about 1 for small ρ.
 */
export type Watch = {
  readonly cosine: np.Array;
  readonly gradRatio: np.Array;
  /** An average of `cosine` that remembers the last 40 % of the looks. */
  readonly slowCosine: np.Array;
  /** Looks since the watch began or was restarted. */
  readonly looks: np.Array;
};

/** Least slope ratio at which looking ahead is safe: f may bend down along the ascent by so little. */
const leastSlope = 0.9;
/** Largest GradRatio at which the radius may grow, and that at which it must shrink. */
const largestRatio = 2;
const tooLargeRatio = 10;
/** Share of the looks that the slow average remembers … */
const memory = 0.4;
/** … and by how much the cosine may exceed it: it then rises by 0.2 or less while time grows e-fold. */
const largestRise = 0.08;

export const watchBefore = (params: Tree<Tensor>): OnHost<Watch> => {
  const one = scalarTensor(1, dtypeOf(params));
  return {
    cosine: one,
    gradRatio: one,
    slowCosine: one,
    looks: scalarTensor(0, dtypeOf(params)),
  };
};

/** The averages after one more look; `smoothing` is the weight of the old ones. */
export function updateWatch(watch: Watch, evidence: Evidence, smoothing: number): Watch {
  const { cosine: seen, gradNorm, shiftedGradNorm } = evidence;
  const one = scalar(1, seen);
  const looks = add(watch.looks, one);
  const isFirst = np.less(watch.looks.ref, one.ref);
  const moves = np.greater(gradNorm.ref, scalar(0, gradNorm));
  const mix = (weight: np.Array, old: np.Array, now: np.Array) =>
    select(isFirst, now, add(old, multiply(weight, subtract(now, old))));
  const average = (old: np.Array, now: np.Array) =>
    mix(scalar(1 - smoothing, now), old, select(moves, now, one));
  const cosine = average(watch.cosine, seen);
  const share = np.minimum(divide(one, multiply(scalar(memory, looks), looks)), one.ref);
  return {
    cosine,
    gradRatio: average(watch.gradRatio, divide(shiftedGradNorm, gradNorm)),
    slowCosine: mix(share, watch.slowCosine, cosine),
    looks,
  };
}

/** Count looks, and whether the cosine rises, from here on. */
export const restarted = (watch: Watch): Watch => ({
  ...watch,
  slowCosine: watch.cosine,
  looks: np.onesLike(watch.looks.ref),
});

/** Whether the agreement is below `act`. */
export const isBad = ({ cosine, gradRatio }: Watch, act: number): np.Array =>
  np.less(multiply(cosine, np.minimum(gradRatio.ref, scalar(1, gradRatio))), scalar(act, cosine));

/** Whether the cosine is `resume` or more and f does not bend down along the ascent. */
export const isSafe = ({ cosine, gradRatio }: Watch, resume: number): np.Array =>
  np.logicalAnd(
    np.greaterEqual(cosine.ref, scalar(resume, cosine)),
    np.greaterEqual(multiply(cosine, gradRatio), scalar(leastSlope, cosine)),
  );

/**
 * Whether the ascent is much longer than its surroundings: within it of a saddle or minimizer SAM
 * steps back and forth along the steep directions and never moves along the others.
 */
export const isTooFar = ({ gradRatio }: Watch): np.Array =>
  np.greater(gradRatio.ref, scalar(tooLargeRatio, gradRatio));

/**
 * Whether it is safe to look farther: near critical points, saddles among them, a long ascent meets
 * gradients much larger than its own.
 */
export const mayGrow = (watch: Watch, resume: number): np.Array =>
  np.logicalAnd(
    isSafe(watch, resume),
    np.lessEqual(watch.gradRatio.ref, scalar(largestRatio, watch.gradRatio)),
  );

/** Whether the cosine no longer rises. */
export const hasSettled = ({ cosine, slowCosine }: Watch): np.Array =>
  np.lessEqual(subtract(cosine, slowCosine), scalar(largestRise, cosine));

export const watchDetails = ({ cosine, gradRatio }: Watch) => ({
  averageCosine: cosine,
  averageGradRatio: gradRatio,
});
