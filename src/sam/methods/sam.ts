/** Sharpness-aware minimization and its ρ = 0 case, plain descent. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import { addTrees, dot, multiply, norm, scalar, select } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { grouped, normalized, unnormalized, type Groups } from "../parts/ascent.ts";
import { entry, groups, type MethodEntry } from "../contract/entry.ts";
import { flag, schedule } from "../../settings/fields.ts";
import type {
  Ascent,
  Evidence,
  Knobs,
  Method,
  Outer,
  Stateless,
  StepContext,
  StepResult,
} from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";
import { sgd } from "../parts/outer.ts";
import { parseSchedule } from "../../settings/schedules.ts";

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
    step(context) {
      const { objective, params } = context;
      const pass = objective.lossAndGradient(params);
      return descend(outer, pass.gradient, context, {}, plainEvidence(pass, params));
    },
  });
}

/** What SAM and its kin are given. */
export interface SamOptions {
  /** ρ ≥ 0, in units of the parameters; default 0.05. At ρ = 0 the method is the outer optimizer, bit for bit. */
  readonly rho?: Schedule;
  /** Factor of ρ per role; default 1 for all. See `grouped`. */
  readonly groups?: Groups;
  /** How to move; default `sgd()`. */
  readonly outer?: Outer;
}

/** Take the outer step along `direction` and report. */
export function descend<Memory>(
  outer: Outer,
  direction: ArrayTree,
  { params, outer: state, knobs }: Pick<StepContext<Memory, Knobs>, "params" | "outer" | "knobs">,
  memory: Memory,
  evidence: Evidence,
): StepResult<Memory> {
  const next = outer.update(direction, params, state, knobs.outer);
  return { params: next.params, outer: next.state, memory, evidence };
}

/**
 * x⁺ = x + ε(x);  x ← outer(x, ∇f(x⁺))   (Foret et al. 2021, algorithm 1).
 *
 * The perturbed parameters are a value of their own: x itself is never changed and restored.
 */
export function ascending({
  name,
  ascent: look,
  groups = {},
  outer = sgd(),
}: {
  name: string;
  ascent: Ascent;
  groups?: Groups;
  outer?: Outer;
}): Method {
  const ascent = grouped(look, groups);
  return method<ArrayTree, Knobs>({
    name,
    knobs: ascent.knobs,
    outer,
    ...(ascent.random && { random: true }),
    init: (params, size) => ascent.init(params, size),
    step(context) {
      const { objective, params } = context;
      const at = objective.lossAndGradient(params);
      const { perturbation, memory } = ascent.perturb({ ...context, gradient: at.gradient });
      const ascentPoint = addTrees(params, perturbation);
      const shifted = objective.lossAndGradient(ascentPoint);
      const evidence = evidenceOf(at, shifted, ascentPoint);
      return descend(outer, shifted.gradient, context, memory, evidence);
    },
  });
}

/** SAM: look where the loss rises fastest, at distance ρ   (Foret et al. 2021). */
export const sam = ({ rho = 0.05, groups = {}, outer = sgd() }: SamOptions = {}): Method =>
  ascending({ name: "sam", ascent: normalized({ rho }), groups, outer });

/**
 * Unnormalized SAM: x⁺ = x + ρ g   (Andriushchenko & Flammarion 2022). ρ has the unit of an inverse
 * curvature. With `ball` the ascent is never longer than ρ.
 */
export const usam = ({
  rho = 0.05,
  ball = false,
  groups = {},
  outer = sgd(),
}: SamOptions & { readonly ball?: boolean } = {}): Method =>
  ascending({ name: "usam", ascent: unnormalized({ rho, ball }), groups, outer });

/** Why methods whose ascent has a fixed length can be held. */
export const fixedLength =
  "the ascent does not shrink with the gradient: from afar it can reach a critical point of f";

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
    hallucination: { possible: "yes", why: fixedLength },
    options: z.object({
      rho: schedule(0.05, "ρ, length of the ascent (davda54/sam: 0.05)"),
      groups: groups(),
    }),
    citation: "Foret, Kleiner, Mobahi & Neyshabur, ICLR 2021, arXiv 2010.01412",
    elsewhere: { "davda54/sam": "SAM", pytorch_optimizer: "SAM", optax: "contrib.sam" },
    differences: [
      "A zero gradient gives a zero perturbation; google-research/sam and optax divide by zero there.",
      "Nothing is added to ‖g‖; public code adds 1e-16 to 1e-7.",
      "The perturbed parameters are a value of their own, so x is restored exactly; public code that subtracts the perturbation, or restores only parameters with a second gradient, does not.",
      "One perturbation per step; google-research/sam makes one per replica (here: m-sam).",
      "Weight decay belongs to the outer optimizer, as in PyTorch; google-research/sam has it in the loss, where it shapes the perturbation.",
    ],
    create: ({ rho, groups }, outer) => sam({ rho: parseSchedule(rho), groups, outer }),
  }),
  entry({
    name: "usam",
    aliases: ["unnormalized-sam"],
    title: "Unnormalized SAM",
    formula: "x⁺ = x + ρ g;  x ← outer(x, ∇f(x⁺))",
    state: "none",
    evaluations: 2,
    hallucination: {
      possible: "conditional",
      why: "only where the mean Hessian between x and x⁺ has the eigenvalue −1/ρ: never while ρ < 1/L",
    },
    options: z.object({
      rho: schedule(0.05, "ρ, in units of an inverse curvature; no canonical value"),
      ball: flag(false, "never ascend farther than ρ: x⁺ = x + ρ g·min(1, 1/‖g‖)"),
      groups: groups(),
    }),
    citation: "Andriushchenko & Flammarion, ICML 2022, arXiv 2206.06232",
    elsewhere: { "tml-epfl/understanding-sam": "--sam_no_grad_norm (with ball=true)" },
    differences: [
      "tml-epfl's training script projects the unnormalized ascent onto the ρ-ball; here that is the option ball.",
      "The ascent depends on the scale of the loss; it is always formed from the mean over the batch, never from a loss divided for accumulation.",
    ],
    create: ({ rho, ball, groups }, outer) =>
      usam({ rho: parseSchedule(rho), ball, groups, outer }),
  }),
];
