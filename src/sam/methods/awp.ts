/** AWP: every layer is perturbed in proportion to its size. */
import { mapTrees, multiply, norm } from "../../engine/arrays.ts";
import type { Role } from "../../problems/problem.ts";
import { schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs, Stateless } from "../contract/method.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { ascent, quotient, restricted } from "../parts/ascent.ts";
import { ascending, type AscentOptions, type SamOptions } from "../parts/ascending.ts";
import { groups, roles } from "../parts/roles.ts";

/** What AWP is given; ρ ≥ 0 is γ = ‖ε_l‖/‖w_l‖. */
export interface AwpOptions extends SamOptions {
  /** Which tensors are perturbed. */
  readonly roles?: readonly Role[] | undefined;
}

/** ε_l = γ ‖w_l‖ g_l/‖g_l‖ for every tensor l of the given roles   (Wu, Xia & Wang 2020). */
export function layerwise({ rho, roles }: AscentOptions<AwpOptions>): Ascent {
  const knobs = { rho } satisfies Knobs;
  const look = ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb: ({ params, gradient, knobs: { rho } }) => ({
      perturbation: mapTrees(
        (w, g) => multiply(quotient(multiply(rho, norm(w)), norm(g)), g),
        params,
        gradient,
      ),
      memory: {},
    }),
  });
  return restricted(look, roles);
}

/** AWP, adversarial weight perturbation, on the samples given   (Wu, Xia & Wang 2020). */
export const awp = defineMethod<AwpOptions>({
  name: "awp",
  aliases: ["adversarial-weight-perturbation"],
  title: "Adversarial weight perturbation",
  formula: "w_l⁺ = w_l + γ‖w_l‖ g_l/‖g_l‖ for every layer l;  x ← outer(x, ∇f(x⁺))",
  state: "none",
  evaluations: 2,
  hallucination: { possible: "yes", why: fixedLength },
  options: {
    rho: schedule(0.01, "γ, relative length of the ascent in every layer (official 0.01)"),
    roles: roles(["weight", "embedding"], "the roles that are perturbed"),
    groups: groups(),
  },
  citation: "Wu, Xia & Wang, NeurIPS 2020, arXiv 2004.05884",
  elsewhere: { "csdongxian/AWP": "AdvWeightPerturb" },
  differences: [
    "The weight perturbation alone, on the samples given: make them adversarial to get the full method.",
    "The outer step starts from x; official code steps at the perturbed weights, so that its weight decay sees them.",
    "Layers are tensors of the given roles; official code takes tensors of two or more axes named “weight”.",
  ],
  build: ({ groups, outer, ...look }) =>
    ascending({ name: "awp", ascent: layerwise(look), groups, outer }),
});
