/** SAM with a ρ that falls as a power of the step. */
import { number } from "../../settings/fields.ts";
import { power } from "../../settings/schedules.ts";
import { defineMethod } from "../define.ts";
import type { SamOptions } from "../parts/ascending.ts";
import { groups } from "../parts/roles.ts";
import { sam } from "./sam.ts";

/** What SAM with decaying ρ is given. */
export interface DecayingOptions extends Omit<SamOptions, "rho"> {
  /** ρ ≥ 0 of the first step. */
  readonly rho?: number | undefined;
  /** p ≥ 0 of ρ_t = ρ/(t+1)^p. At 0 the method is SAM. */
  readonly decay?: number | undefined;
}

/** SAM with ρ_t = ρ/(t+1)^p   (Khanh et al. 2024). */
export const decayingSam = defineMethod<DecayingOptions>({
  name: "decaying-sam",
  aliases: ["decaying-rho"],
  title: "SAM with decaying ρ",
  formula: "x⁺ = x + ρ/(t+1)^p g/‖g‖;  x ← outer(x, ∇f(x⁺))",
  state: "none",
  evaluations: 2,
  hallucination: {
    possible: "conditional",
    why: "not in the limit, as ‖∇f(x⁺) − g‖ ≤ Lρ_t → 0; but the limit may be a maximizer or saddle",
  },
  options: {
    rho: number(0.05, "ρ of the first step", { min: 0 }),
    decay: number(0.5, "p: ρ_t = ρ/(t+1)^p; 0 is SAM", { min: 0 }),
    groups: groups(),
  },
  citation: "Khanh, Luong, Mordukhovich & Tran, NeurIPS 2024, arXiv 2401.08060",
  elsewhere: {},
  differences: [
    "Every method takes such a ρ as a schedule: rho=power(0.1, 0.5), linear(…), cosine(…), stepwise(…).",
  ],
  build: ({ rho, decay, groups, outer }) =>
    sam({ rho: power({ initial: rho, exponent: decay }), groups, outer }),
});
