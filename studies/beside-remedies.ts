/**
 * What stands beside the remedies of studies/remedies.ts, in the same regime: SAM at radii that people
 * use, where it does not stall, and two remedies again, to keep their ends, so that sharpness can be
 * measured there.
 *
 *     npx lucid sweep studies/beside-remedies.ts
 *     node --conditions=source studies/sharpness.ts FILE.jsonl.gz sweeps/beside-remedies
 */
import type { StudyFile } from "lucid-sam/study";
import remedies from "./remedies.ts";

/** A remedy of the other study at a radius. */
const again = (remedy: keyof typeof remedies.axes.remedy, rho: number) => ({
  [`${remedy}, ρ = ${rho}`]: { ...remedies.axes.remedy[remedy], rho },
});

const training = {
  "SAM, ρ = 0.05": { rho: 0.05 },
  "SAM, ρ = 0.1": { rho: 0.1 },
  "SAM, ρ = 0.2": { rho: 0.2 },
  "SAM, ρ = 0.5": { rho: 0.5 },
  ...again("none (SAM)", 1),
  ...again("switch at 10 %", 2),
};

export default {
  name: "beside-remedies",
  description: "Tanh MLP on MNIST, full batch: small radii, and remedies again",
  fixed: remedies.fixed,
  axes: { training },
  seeds: [1, 2, 3, 4],
  keep: true,
} satisfies StudyFile;
