/** SAM-ON: SAM whose ascent moves normalization layers only. */
import type { Role } from "../../problems/problem.ts";
import { flag, number, schedule } from "../../settings/fields.ts";
import { defineMethod } from "../define.ts";
import { normalized, restricted } from "../parts/ascent.ts";
import { ascending, type SamOptions } from "../parts/ascending.ts";
import { groups, roles } from "../parts/roles.ts";
import { adaptive } from "./asam.ts";

/** What SAM-ON is given. */
export interface SamOnOptions extends SamOptions {
  /** Which parameters are perturbed. */
  readonly roles?: readonly Role[] | undefined;
  /** Measure ρ in ASAM's metric |x| + η. */
  readonly adaptive?: boolean | undefined;
  /** η ≥ 0, used when `adaptive`. */
  readonly eta?: number | undefined;
}

/** SAM-ON: SAM on normalization layers only; all parameters move   (Mueller et al. 2023). */
export const samOn = defineMethod<SamOnOptions>({
  name: "sam-on",
  aliases: ["samon", "sam-only-norm"],
  title: "SAM on normalization layers only",
  formula: "x⁺ = x + ρ g_S/‖g_S‖, S: normalization layers;  x ← outer(x, ∇f(x⁺))",
  state: "none",
  evaluations: 2,
  hallucination: {
    possible: "yes",
    why: "as in SAM, but only through critical points that differ from x in S alone",
  },
  options: {
    rho: schedule(0.5, "ρ, length of the ascent within S (official 0.5); larger than SAM's"),
    roles: roles(
      ["norm"],
      "S, the roles that are perturbed; weight,bias,embedding is the complement",
    ),
    adaptive: flag(false, "measure ρ in ASAM's metric |x| + η (ASAM-ON; official example: ρ = 10)"),
    eta: number(0, "η of the metric (official 0)", { min: 0 }),
    groups: groups(),
  },
  citation: "Mueller, Vlaar, Rolnick & Hein, NeurIPS 2023, arXiv 2306.04226",
  elsewhere: { "mueller-mp/SAM-ON": "--only_norm" },
  differences: [
    "Layers are chosen by role; where the problem has none, an error says so instead of an empty norm failing.",
  ],
  build({ rho, roles, adaptive: inMetric, eta, groups, outer }) {
    const look = inMetric ? adaptive({ rho, eta, biases: true }) : normalized({ rho });
    return ascending({ name: "sam-on", ascent: restricted(look, roles), groups, outer });
  },
});
