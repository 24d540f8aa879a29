/**
 * Remedies of studies/remedies.ts in settings other than their defaults, in the same regime: LookSAM
 * as in its paper, ASAM whose ascent is at the start as long as SAM's, AE-SAM that looks ahead, GSAM
 * with less weight on its second part.
 *
 *     npx lucid sweep studies/settings-of-remedies.ts
 */
import type { StudyFile } from "lucid-sam/study";
import remedies from "./remedies.ts";

/** ρ of ASAM with scaled biases over ‖x⁺ − x‖ at the start: 11.2 to 11.8 at the seeds below. */
const asamRadius = 11.6;

/** What each is given at a radius. */
const others = {
  "LookSAM, every=5": (rho: number) => ({ method: "looksam", settings: { every: 5 }, rho }),
  "AE-SAM, λ₂=−1": (rho: number) => ({ method: "ae-sam", settings: { lambda2: -1 }, rho }),
  "GSAM, α=0.2": (rho: number) => ({ method: "gsam", settings: { alpha: 0.2 }, rho }),
  "ASAM, as far as SAM": (rho: number) => ({
    method: "asam",
    settings: { biases: true },
    rho: asamRadius * rho,
  }),
  "GSAM, α=0.1": (rho: number) => ({ method: "gsam", settings: { alpha: 0.1 }, rho }),
};

const training = Object.fromEntries(
  Object.entries(others).flatMap(([remedy, at]) =>
    remedies.axes.rho.map((rho) => [`${remedy}, ρ = ${rho}`, at(rho)] as const),
  ),
);

export default {
  name: "settings-of-remedies",
  description: "Tanh MLP on MNIST, full batch: remedies in other settings, over ρ and seeds",
  fixed: remedies.fixed,
  axes: { training },
  seeds: [1, 2, 3, 4],
} satisfies StudyFile;
