/** Sharpness-aware minimization and its ρ = 0 case, plain descent. */
import { addTrees, dot, multiply, norm, scalar, select } from "../engine/arrays.ts";
import { numpy as np } from "@jax-js/jax";
import type { ArrayTree } from "../engine/program.ts";
import { normalized } from "./ascent.ts";
import type { Ascent, Evidence, Knobs, Method, Outer, Schedule, Stateless } from "./method.ts";
import { sgd } from "./outer.ts";

/** Forget the memory's type once the implementation has been checked against it. */
export function method<Memory, K extends Knobs>(implementation: Method<Memory, K>): Method {
  return implementation as unknown as Method;
}

/** A loss with its gradient: one pass. */
export interface Pass {
  readonly loss: np.Array;
  readonly gradient: ArrayTree;
}

/** What two passes show: at x, and at the ascent point x⁺. */
export function evidenceOf(
  at: Pass,
  shifted: Pass,
  ascentPoint: ArrayTree,
  details?: Evidence["details"],
): Evidence {
  const gradNorm = norm(at.gradient);
  const shiftedGradNorm = norm(shifted.gradient);
  const product = multiply(gradNorm, shiftedGradNorm);
  const zero = scalar(0, product);
  return {
    loss: at.loss,
    shiftedLoss: shifted.loss,
    gradNorm,
    shiftedGradNorm,
    cosine: select(
      np.greater(product.ref, zero),
      np.divide(dot(at.gradient, shifted.gradient), product.ref),
      zero,
    ),
    ascentPoint,
    ...(details && { details }),
  };
}

/** What one pass shows: x is its own ascent point. */
export function plainEvidence(at: Pass, params: ArrayTree): Evidence {
  const gradNorm = norm(at.gradient);
  const [zero, one] = [scalar(0, gradNorm), scalar(1, gradNorm)];
  return {
    loss: at.loss,
    shiftedLoss: at.loss,
    gradNorm,
    shiftedGradNorm: gradNorm,
    cosine: select(np.greater(gradNorm.ref, zero), one, zero),
    ascentPoint: params,
  };
}

/** x ← outer(x, ∇f(x)): the outer optimizer alone. */
export function gradientDescent({ outer = sgd() }: { outer?: Outer } = {}): Method {
  return method<Stateless, Knobs>({
    name: "gd",
    knobs: {},
    outer,
    init: () => ({}),
    step({ objective, params, outer: state, knobs }) {
      const pass = objective.lossAndGradient(params);
      const next = outer.update(pass.gradient, params, state, knobs.outer);
      return {
        params: next.params,
        outer: next.state,
        memory: {},
        evidence: plainEvidence(pass, params),
      };
    },
  });
}

export interface SamOptions {
  /** ρ ≥ 0, in units of the parameters; default 0.05. At ρ = 0 the method is the outer optimizer, bit for bit. */
  readonly rho?: Schedule;
  /** How to move; default `sgd()`. */
  readonly outer?: Outer;
}

/**
 * x⁺ = x + ε(x);  x ← outer(x, ∇f(x⁺))   (Foret et al. 2021, algorithm 1).
 *
 * The perturbed parameters are a value of their own: x itself is never changed and restored.
 */
export function ascending({
  name,
  ascent,
  outer = sgd(),
}: {
  name: string;
  ascent: Ascent;
  outer?: Outer;
}): Method {
  return method<ArrayTree, Knobs>({
    name,
    knobs: ascent.knobs,
    outer,
    ...(ascent.random && { random: true }),
    init: (params) => ascent.init(params),
    step({ objective, params, memory, outer: state, knobs, time }) {
      const at = objective.lossAndGradient(params);
      const { perturbation, memory: nextMemory } = ascent.perturb({
        objective,
        params,
        gradient: at.gradient,
        memory,
        knobs,
        time,
      });
      const ascentPoint = addTrees(params, perturbation);
      const shifted = objective.lossAndGradient(ascentPoint);
      const next = outer.update(shifted.gradient, params, state, knobs.outer);
      return {
        params: next.params,
        outer: next.state,
        memory: nextMemory,
        evidence: evidenceOf(at, shifted, ascentPoint),
      };
    },
  });
}

/** SAM: look where the loss rises fastest, at distance ρ   (Foret et al. 2021). */
export const sam = ({ rho = 0.05, outer = sgd() }: SamOptions = {}): Method =>
  ascending({ name: "sam", ascent: normalized({ rho }), outer });
