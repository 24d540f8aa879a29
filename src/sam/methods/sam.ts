/** Sharpness-aware minimization, its unnormalized sibling, and its ρ = 0 case, plain descent. */
import { flag, schedule } from "../../settings/fields.ts";
import type { Knobs, Stateless } from "../contract/method.ts";
import { defineMethod, fixedLength, type OuterOptions } from "../define.ts";
import { normalized, unnormalized } from "../parts/ascent.ts";
import { ascending, type SamOptions } from "../parts/ascending.ts";
import { groups } from "../parts/roles.ts";
import { descend, method, plainEvidence } from "../parts/step.ts";

/** x ← outer(x, ∇f(x)): the outer optimizer alone. */
export const gradientDescent = defineMethod<OuterOptions>({
  name: "gd",
  aliases: ["sgd", "erm", "base"],
  title: "Gradient descent",
  formula: "x ← outer(x, ∇f(x))",
  state: "none",
  evaluations: 1,
  hallucination: { possible: "no", why: "it rests only where the true gradient vanishes" },
  options: {},
  citation: "Robbins & Monro, Annals of Mathematical Statistics 22, 1951",
  elsewhere: { "torch.optim": "SGD, AdamW", optax: "sgd, adamw" },
  differences: [],
  build: ({ outer }) =>
    method<Stateless, Knobs>({
      name: "gd",
      knobs: {},
      outer,
      init: () => ({}),
      step(context) {
        const { objective, params } = context;
        const pass = objective.lossAndGradient(params);
        return descend(outer, pass.gradient, context, {}, plainEvidence(pass, params));
      },
    }),
});

/** SAM: look where the loss rises fastest, at distance ρ   (Foret et al. 2021). */
export const sam = defineMethod<SamOptions>({
  name: "sam",
  aliases: [],
  title: "Sharpness-aware minimization",
  formula: "x⁺ = x + ρ g/‖g‖;  x ← outer(x, ∇f(x⁺))",
  state: "none",
  evaluations: 2,
  hallucination: { possible: "yes", why: fixedLength },
  options: {
    rho: schedule(0.05, "ρ, length of the ascent (davda54/sam: 0.05)"),
    groups: groups(),
  },
  citation: "Foret, Kleiner, Mobahi & Neyshabur, ICLR 2021, arXiv 2010.01412",
  elsewhere: { "davda54/sam": "SAM", pytorch_optimizer: "SAM", optax: "contrib.sam" },
  differences: [
    "A zero gradient gives a zero perturbation; google-research/sam and optax divide by zero there.",
    "Nothing is added to ‖g‖; public code adds 1e-16 to 1e-7.",
    "The perturbed parameters are a value of their own, so x is restored exactly; public code that subtracts the perturbation, or restores only parameters with a second gradient, does not.",
    "One perturbation per step; google-research/sam makes one per replica (here: m-sam).",
    "Weight decay belongs to the outer optimizer, as in PyTorch; google-research/sam has it in the loss, where it shapes the perturbation.",
  ],
  build: ({ rho, groups, outer }) =>
    ascending({ name: "sam", ascent: normalized({ rho }), groups, outer }),
});

/** What unnormalized SAM is given. */
export interface UsamOptions extends SamOptions {
  /** Never ascend farther than ρ: x⁺ = x + ρ g·min(1, 1/‖g‖). */
  readonly ball?: boolean | undefined;
}

/**
 * Unnormalized SAM: x⁺ = x + ρ g   (Andriushchenko & Flammarion 2022). ρ has the unit of an inverse
 * curvature. With `ball` the ascent is never longer than ρ.
 */
export const usam = defineMethod<UsamOptions>({
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
  options: {
    rho: schedule(0.05, "ρ, in units of an inverse curvature; no canonical value"),
    ball: flag(false, "never ascend farther than ρ: x⁺ = x + ρ g·min(1, 1/‖g‖)"),
    groups: groups(),
  },
  citation: "Andriushchenko & Flammarion, ICML 2022, arXiv 2206.06232",
  elsewhere: { "tml-epfl/understanding-sam": "--sam_no_grad_norm (with ball=true)" },
  differences: [
    "tml-epfl's training script projects the unnormalized ascent onto the ρ-ball; here that is the option ball.",
    "The ascent depends on the scale of the loss; it is always formed from the mean over the batch, never from a loss divided for accumulation.",
  ],
  build: ({ rho, ball, groups, outer }) =>
    ascending({ name: "usam", ascent: unnormalized({ rho, ball }), groups, outer }),
});
