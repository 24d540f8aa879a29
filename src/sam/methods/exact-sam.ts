/** Exact SAM: SAM with the term of the gradient that its derivation drops. */
import { np } from "../../engine/jax-js.ts";
import {
  addTrees,
  dot,
  mapTrees,
  multiply,
  norm,
  scalar,
  scale,
  subtract,
} from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { number, schedule } from "../../settings/fields.ts";
import type { Schedule } from "../../settings/schedules.ts";
import type { Ascent, Knobs, Stateless } from "../contract/method.ts";
import { defineMethod } from "../define.ts";
import { ascent, quotient } from "../parts/ascent.ts";
import { ascending, type SamOptions } from "../parts/ascending.ts";

/** What SAM with the exact gradient is given. */
export interface ExactOptions extends Omit<SamOptions, "groups"> {
  /** Largest ρ/‖g‖ in front of the Hessian, above 0. Where it binds the step leans towards SAM's. */
  readonly cap?: number | undefined;
}

/** u = g/‖g‖, or zero where g vanishes. */
function unit(gradient: ArrayTree): ArrayTree {
  const length = norm(gradient);
  return scale(quotient(scalar(1, length), length), gradient);
}

/** ε = ρ u, as in SAM: scaled after u is formed, the very u that the exact gradient contains. */
function alongUnit(rho: Schedule): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb: ({ gradient, knobs: { rho } }) => ({
      perturbation: scale(rho, unit(gradient)),
      memory: {},
    }),
  });
}

/**
 * Descend f(x⁺) itself. With u = g/‖g‖ and p = ∇f(x⁺):
 * ∇[f(x + ρu)] = p + (ρ/‖g‖) H(x) (p − u(u·p)).
 * SAM keeps p alone. The two agree to first order in ρ.
 */
export const exactSam = defineMethod<ExactOptions>({
  name: "exact-sam",
  aliases: ["sam-exact"],
  title: "SAM with the exact gradient",
  formula: "p = ∇f(x⁺), u = g/‖g‖;  x ← outer(x, p + (ρ/‖g‖) H (p − u(u·p)))",
  state: "none",
  evaluations: 4,
  hallucination: {
    possible: "yes",
    why: "where ∇f(x⁺) vanishes so does the exact gradient: such points are true minima of f(x⁺)",
  },
  options: {
    rho: schedule(0.05, "ρ, length of the ascent"),
    cap: number(1e4, "largest ρ/‖g‖ in front of the Hessian, ours", { above: 0 }),
  },
  citation: "the term is named and dropped in Foret et al., ICLR 2021, arXiv 2010.01412",
  elsewhere: {},
  differences: ["No public code follows the exact gradient (see google-research/sam issue 14)."],
  build: ({ rho, cap, outer }) =>
    ascending({
      name: "exact-sam",
      ascent: alongUnit(rho),
      outer,
      follow({ objective, params, knobs, at, shifted }) {
        const [u, p, length] = [unit(at.gradient), shifted.gradient, norm(at.gradient)];
        const along = dot(u, p);
        const across = mapTrees((p, u) => subtract(p, multiply(along, u)), p, u);
        const curved = objective.hessianVectorProduct(params, across);
        const factor = np.minimum(quotient(knobs["rho"] as np.Array, length), scalar(cap, length));
        return { direction: addTrees(p, scale(factor, curved)) };
      },
    }),
});
