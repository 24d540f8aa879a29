/** AMP: an ascent of several gradient steps, every tensor's kept within a ball. */
import { np } from "../../engine/jax-js.ts";
import {
  add,
  addTrees,
  divide,
  mapTrees,
  multiply,
  norm,
  scalar,
  select,
  zerosLike,
} from "../../engine/arrays.ts";
import { number, schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs, Stateless } from "../contract/method.ts";
import { defineMethod } from "../define.ts";
import { ascent } from "../parts/ascent.ts";
import { ascending, type AscentOptions, type SamOptions } from "../parts/ascending.ts";
import { groups } from "../parts/roles.ts";

/** What AMP is given; ρ ≥ 0 is the largest ‖δ_l‖ of a tensor. */
export interface AmpOptions extends SamOptions {
  /** ζ > 0, step length of the inner ascent. */
  readonly rate?: number | undefined;
  /** Number N ≥ 1 of inner steps. */
  readonly steps?: number | undefined;
}

/**
 * N times δ ← δ + ζ ∇f(x + δ), each tensor then scaled down to norm ρ where it is longer
 * (Zheng, Zhang & Mao 2021). A tensor that is not scaled down is perturbed as in USAM with ρ = ζ.
 */
export function clippedPerTensor({ rho, rate, steps }: AscentOptions<AmpOptions>): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb({ objective, params, gradient, knobs: { rho } }) {
      let perturbation = zerosLike(params);
      let slope = gradient;
      for (let i = 0; i < steps; i++) {
        if (i > 0) slope = objective.lossAndGradient(addTrees(params, perturbation)).gradient;
        const moved = mapTrees(
          (delta, g) => add(delta, multiply(scalar(rate, g), g)),
          perturbation,
          slope,
        );
        perturbation = mapTrees((delta) => {
          const length = norm(delta);
          const isLong = np.greater(length.ref, rho.ref);
          return multiply(select(isLong, divide(rho, length), scalar(1, rho)), delta);
        }, moved);
      }
      return { perturbation, memory: {} };
    },
  });
}

/** AMP, adversarial model perturbation   (Zheng, Zhang & Mao 2021). */
export const amp = defineMethod<AmpOptions>({
  name: "amp",
  aliases: ["adversarial-model-perturbation"],
  title: "Adversarial model perturbation",
  formula: "δ ← δ + ζ∇f(x+δ), ‖δ_l‖ ≤ ρ per tensor, N times;  x ← outer(x, ∇f(x+δ))",
  state: "none",
  evaluations: "1 + steps",
  hallucination: {
    possible: "conditional",
    why: "tensors shorter than ρ are perturbed in proportion to their gradient: then only if ζL ≥ 1",
  },
  options: {
    rho: schedule(0.5, "largest perturbation of a tensor (official epsilon: 0.5)"),
    rate: number(1, "ζ, inner learning rate (official 1)", { above: 0 }),
    steps: number(1, "N, inner steps (official 1)", { min: 1, integer: true }),
    groups: groups(),
  },
  citation: "Zheng, Zhang & Mao, CVPR 2021, arXiv 2010.04925",
  elsewhere: { "hiyouga/AMP-Regularizer": "AMP" },
  differences: [
    "The ball is per tensor, as in official code; the paper's is over all weights.",
    "Gradient clipping never touches the ascent; official training clips inside the closure.",
  ],
  build: ({ groups, outer, ...look }) =>
    ascending({ name: "amp", ascent: clippedPerTensor(look), groups, outer }),
});
