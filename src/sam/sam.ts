/** Sharpness-aware minimization and its ρ = 0 case, plain descent. */
import { numpy as np } from "@jax-js/jax";
import { z } from "zod";
import { addTrees, dot, multiply, norm, scalar, select } from "../engine/arrays.ts";
import type { ArrayTree } from "../engine/program.ts";
import { normalized } from "./ascent.ts";
import { entry, schedule, type MethodEntry } from "./entry.ts";
import type { Ascent, Evidence, Knobs, Method, Outer, Schedule, Stateless } from "./method.ts";
import { sgd } from "./outer.ts";
import { parseSchedule } from "./schedules.ts";

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

/** Plain descent and SAM, as they are listed. */
export const plainMethods: readonly MethodEntry[] = [
  entry({
    name: "gd",
    aliases: ["sgd", "erm", "base"],
    title: "Gradient descent",
    formula: "x ← outer(x, ∇f(x))",
    state: "none",
    evaluations: 1,
    hallucination: { possible: "no", why: "it rests only where the true gradient vanishes" },
    options: z.object({}),
    citation: "Robbins & Monro, Annals of Mathematical Statistics 22, 1951",
    elsewhere: { "torch.optim": "SGD, AdamW", optax: "sgd, adamw" },
    differences: [],
    create: (_, outer) => gradientDescent({ outer }),
  }),
  entry({
    name: "sam",
    aliases: [],
    title: "Sharpness-aware minimization",
    formula: "x⁺ = x + ρ g/‖g‖;  x ← outer(x, ∇f(x⁺))",
    state: "none",
    evaluations: 2,
    hallucination: {
      possible: "yes",
      why: "the ascent has length ρ however small the gradient: it can reach a critical point of f from afar",
    },
    options: z.object({
      rho: schedule(0.05, "ρ, length of the ascent; davda54/sam and its ports use 0.05"),
    }),
    citation: "Foret, Kleiner, Mobahi & Neyshabur, ICLR 2021, arXiv 2010.01412",
    elsewhere: { "davda54/sam": "SAM", pytorch_optimizer: "SAM", optax: "contrib.sam" },
    differences: [
      "A zero gradient gives a zero perturbation; google-research/sam and optax divide by zero there.",
      "No constant is added to ‖g‖; public code adds 1e-12 to 1e-7.",
      "The perturbed parameters are a value of their own, so restoring is exact for every parameter; davda54/sam leaves a parameter perturbed when its second gradient is missing.",
    ],
    create: ({ rho }, outer) => sam({ rho: parseSchedule(rho), outer }),
  }),
];
