/** AE-SAM: SAM where the gradient is large by its own standards, plain descent elsewhere. */
import { np } from "../../engine/jax-js.ts";
import { add, multiply, scalar, sqrt, square, squaredNorm, subtract } from "../../engine/arrays.ts";
import { scalarTensor } from "../../engine/tensor.ts";
import { number, schedule } from "../../settings/fields.ts";
import type { Knobs } from "../contract/method.ts";
import { defineMethod } from "../define.ts";
import { normalized } from "../parts/ascent.ts";
import type { SamOptions } from "../parts/ascending.ts";
import { dtypeOf } from "../parts/outer.ts";
import { descend, evidenceOf, lookAhead, method, plainEvidence } from "../parts/step.ts";

/** What AE-SAM is given. */
export interface AeSamOptions extends Omit<SamOptions, "groups"> {
  /** δ in [0, 1), weight of the *old* averages. */
  readonly delta?: number | undefined;
  /** λ₁: threshold at the end of the run, in standard deviations. */
  readonly lambda1?: number | undefined;
  /** λ₂: threshold at its start. */
  readonly lambda2?: number | undefined;
  /** σ² before the first step. */
  readonly initialVariance?: number | undefined;
}

interface Memory {
  readonly mean: np.Array;
  readonly variance: np.Array;
}

/**
 * With q = ‖g‖²: μ ← δμ + (1−δ)q, σ² ← δσ² + (1−δ)(q − μ)², and SAM where q ≥ μ + c_t σ with
 * c_t = (t/T)λ₁ + (1 − t/T)λ₂, else plain descent   (Jiang et al. 2023).
 */
export const aeSam = defineMethod<AeSamOptions>({
  name: "ae-sam",
  aliases: ["aesam", "adaptive-policy-sam"],
  title: "SAM by an adaptive policy",
  formula: "SAM where ‖g‖² ≥ μ + c_t σ, running mean and deviation of ‖g‖²;  else x ← outer(x, g)",
  state: "2 scalars",
  evaluations: "1 to 2",
  hallucination: {
    possible: "conditional",
    why: "only while the SAM branch keeps firing: at rest ‖g‖² = μ and σ → 0 is a tie, and a tie fires",
  },
  options: {
    rho: schedule(0.05, "ρ, length of the ascent"),
    delta: number(0.9, "δ, weight of the old averages", { min: 0, below: 1 }),
    lambda1: number(-1, "λ₁, threshold at the end of the run"),
    lambda2: number(1, "λ₂, threshold at its start"),
    initialVariance: number(Math.exp(-10), "σ² before the first step", { min: 0 }),
  },
  citation: "Jiang, Yang, Zhang & Kwok, ICLR 2023, arXiv 2304.14647",
  elsewhere: {},
  differences: ["No official code is public; the rule is the paper's."],
  build({ rho, delta, lambda1, lambda2, initialVariance, outer }) {
    const ascent = normalized({ rho });
    const knobs = {
      rho,
      threshold: (t: number, steps: number) => (t / steps) * lambda1 + (1 - t / steps) * lambda2,
    } satisfies Knobs;
    return method<Memory, typeof knobs>({
      name: "ae-sam",
      knobs,
      outer,
      init: (params) => ({
        mean: scalarTensor(0, dtypeOf(params)),
        variance: scalarTensor(initialVariance, dtypeOf(params)),
      }),
      step(context) {
        const { objective, params, memory, knobs } = context;
        const at = objective.lossAndGradient(params);
        const q = squaredNorm(at.gradient);
        const average = (old: np.Array, now: np.Array) =>
          add(multiply(scalar(delta, old), old), multiply(scalar(1 - delta, now), now));
        const mean = average(memory.mean, q);
        const variance = average(memory.variance, square(subtract(q, mean)));
        const bound = add(mean, multiply(knobs.threshold, sqrt(variance)));
        const isSharp = np.greaterEqual(q.ref, bound);
        const { direction, evidence } = objective.branch(
          isSharp,
          () => {
            const { ascentPoint, shifted } = lookAhead(ascent, { ...context, memory: {} }, at);
            return {
              direction: shifted.gradient,
              evidence: evidenceOf(at, shifted, ascentPoint),
            };
          },
          () => ({ direction: at.gradient, evidence: plainEvidence(at, params) }),
        );
        const details = { fired: np.where(isSharp.ref, scalar(1, q), scalar(0, q)) };
        return descend(outer, direction, context, { mean, variance }, { ...evidence, details });
      },
    });
  },
});
