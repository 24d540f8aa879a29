/** Fisher SAM: the radius is measured in the metric of a diagonal Fisher matrix. */
import {
  add,
  divide,
  dot,
  mapTrees,
  multiply,
  scalar,
  scale,
  sqrt,
  square,
} from "../../engine/arrays.ts";
import { number, schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs, Stateless } from "../contract/method.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { ascent, quotient } from "../parts/ascent.ts";
import { ascending, type AscentOptions, type SamOptions } from "../parts/ascending.ts";
import { groups } from "../parts/roles.ts";

/** What Fisher SAM is given; ρ ≥ 0 is γ, the length √(ε′P⁻¹ε) of the ascent. */
export interface FisherOptions extends SamOptions {
  /** η ≥ 0 of P = 1/(1 + η g²). At 0 the ascent is SAM's. */
  readonly eta?: number | undefined;
}

/**
 * ε = γ P g/√(g′P g) with P = 1/(1 + η g²), the inverse of a regularized diagonal Fisher matrix
 * made of the squared batch gradient   (Kim et al. 2022), so that ε′P⁻¹ε = γ².
 */
export function fisher({ rho, eta }: AscentOptions<FisherOptions>): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb({ gradient, knobs: { rho } }) {
      const natural = mapTrees(
        (g) => divide(g, add(scalar(1, g), multiply(scalar(eta, g), square(g)))),
        gradient,
      );
      const length = sqrt(dot(gradient, natural));
      return { perturbation: scale(quotient(rho, length), natural), memory: {} };
    },
  });
}

/** Fisher SAM   (Kim et al. 2022). */
export const fisherSam = defineMethod<FisherOptions>({
  name: "fisher-sam",
  aliases: ["fishersam"],
  title: "Fisher SAM",
  formula: "x⁺ = x + γ Pg/√(g′Pg), P = 1/(1 + ηg²);  x ← outer(x, ∇f(x⁺))",
  state: "none",
  evaluations: 2,
  hallucination: { possible: "yes", why: fixedLength },
  options: {
    rho: schedule(0.1, "γ, length of the ascent in the Fisher metric (a port: 0.1)"),
    eta: number(1, "η, weight of the Fisher matrix (ports: 1 and 0.1); 0 is SAM", { min: 0 }),
    groups: groups(),
  },
  citation: "Kim, Li, Hu & Hospedales, ICML 2022, arXiv 2206.04920",
  elsewhere: {},
  differences: [
    "One port divides by ‖Pg‖ instead, which makes the ascent's Euclidean length γ; this follows the paper's metric.",
    "P is formed from the mean gradient over the batch: it is not invariant to the scale of the loss.",
  ],
  build: ({ groups, outer, ...look }) =>
    ascending({ name: "fisher-sam", ascent: fisher(look), groups, outer }),
});
