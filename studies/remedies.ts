/**
 * Remedies that keep SAM off hallucinated points: plain descent for a fixed part of the run, or until
 * looking ahead is safe; a guard; momentum, the exact gradient, a decaying radius; other members of
 * the family. 196–64–10 tanh network on 500 images of MNIST, full batch: the regime in which SAM
 * stalls from ρ = 2 on.
 *
 *     npx lucid sweep studies/remedies.ts
 *     node --conditions=source scripts/study-docs.ts    # the tables of docs/remedies.md, from studies/results
 *
 * The rule and the guard were tuned on seed 0; the other seeds judge them.
 */
import type { StudyFile } from "lucid-sam/study";

export default {
  name: "remedies",
  description:
    "Tanh MLP on MNIST, full batch: remedies against hallucinated points over ρ and seeds",
  fixed: {
    data: "mnist",
    n: 500,
    pool: 2,
    hidden: [64],
    activation: "tanh",
    batch: "full",
    lr: 0.01,
    steps: 20_000,
    method: "sam",
  },
  axes: {
    remedy: {
      "none (SAM)": {},
      "switch at 1 %": { switch: 0.01 },
      "switch at 5 %": { switch: 0.05 },
      "switch at 10 %": { switch: 0.1 },
      "switch at 30 %": { switch: 0.3 },
      "switch when safe": { method: "auto-switching" },
      "guard, plain steps": { method: "guarded" },
      "guard, shrinking ρ": { method: "guarded", settings: { respond: "shrink" } },
      "decaying ρ": { method: "decaying-sam" },
      // The same effective step length.
      "momentum 0.9": { momentum: 0.9, lr: 0.001 },
      "exact gradient": { method: "exact-sam" },
      ASAM: { method: "asam" },
      GSAM: { method: "gsam" },
      "GSAM, minimize=plain": { method: "gsam", settings: { minimize: "plain" } },
      VaSSO: { method: "vasso" },
      LookSAM: { method: "looksam" },
      "AE-SAM": { method: "ae-sam" },
    },
    rho: [1, 2, 4, 8],
  },
  seeds: 5,
} satisfies StudyFile;
