/** SAMPa: both gradients of a step at once. */
import { np } from "../../engine/jax-js.ts";
import { addTrees, scalar, share } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { scalarTensor, zeros } from "../../engine/tensor.ts";
import { number, schedule } from "../../settings/fields.ts";
import type { Knobs } from "../contract/method.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { ofLength } from "../parts/ascent.ts";
import type { SamOptions } from "../parts/ascending.ts";
import { blend } from "../parts/average.ts";
import { dtypeOf, zerosAs } from "../parts/outer.ts";
import { descend, evidenceOf, method, type Pass } from "../parts/step.ts";

/** What SAMPa is given. */
export interface SampaOptions extends Omit<SamOptions, "groups"> {
  /** λ in [0, 1], weight of the gradient at y. */
  readonly lambda?: number | undefined;
}

interface Memory {
  /** f(y_t) and ∇f(y_t). */
  readonly loss: np.Array;
  readonly gradient: ArrayTree;
  /** The samples it was taken on, int32 [batch]. */
  readonly rows: np.Array;
  /** 0 before the first step, then 1. */
  readonly started: np.Array;
}

/**
 * x̃_t = x_t + ρ h_t/‖h_t‖ with h_t = ∇f(y_t); y_{t+1} = outer(x_t, h_t);
 * x_{t+1} = outer(x_t, (1−λ)∇f(x̃_t) + λ∇f(y_{t+1})), from y₀ = x₀   (Xie, Pethick & Cevher 2024).
 * The two new gradients do not depend on each other.
 *
 * With mini-batches ∇f(x̃_t) is taken on the batch of h_t, the previous step's, and ∇f(y_{t+1}) on
 * this step's. Nothing is evaluated at x_t: loss and gradient at y_t are reported in its place.
 */
export const sampa = defineMethod<SampaOptions>({
  name: "sampa",
  aliases: ["parallel-sam"],
  title: "SAM parallelized",
  formula: "h = ∇f(y), x̃ = x + ρh/‖h‖, y ← outer(x, h);  x ← outer(x, (1−λ)∇f(x̃) + λ∇f(y))",
  state: "1 copy: h",
  evaluations: "2, in parallel; 3 in the first step",
  hallucination: {
    possible: "yes",
    why: `for λ = 0 as in SAM; for λ > 0 at a balance of the two gradients. ${fixedLength}`,
  },
  options: {
    rho: schedule(0.1, "ρ, length of the ascent (official 0.1)"),
    lambda: number(0.2, "λ, weight of the gradient at y (official 0.2)", { min: 0, max: 1 }),
  },
  citation: "Xie, Pethick & Cevher, NeurIPS 2024, arXiv 2410.10683",
  elsewhere: { "LIONS-EPFL/SAMPa": "SAMPa" },
  differences: [
    "Starts with the gradient at y₀ = x₀ as the paper does; official code starts with 0, so that its first step is plain SGD.",
    "λ = 0 works; the shipped script divides by λ.",
    "Running statistics come from the pass at x̃ alone, but for the first step.",
  ],
  build({ rho, lambda, outer }) {
    const knobs = { rho } satisfies Knobs;
    return method<Memory, typeof knobs>({
      name: "sampa",
      knobs,
      outer,
      init: (params, { batch }) => ({
        loss: scalarTensor(0, dtypeOf(params)),
        gradient: zerosAs(params),
        rows: zeros([batch], "int32"),
        started: scalarTensor(0, dtypeOf(params)),
      }),
      step(context) {
        const { objective, params, memory, knobs, outerState } = context;
        const isFirst = np.less(memory.started.ref, scalar(1, memory.started));
        const carried = objective.branch<Pick<Memory, "loss" | "gradient" | "rows">>(
          isFirst,
          () => {
            const { loss, gradient } = objective.lossAndGradient(params);
            return { loss, gradient, rows: objective.indices };
          },
          () => ({ loss: memory.loss, gradient: memory.gradient, rows: memory.rows }),
        );
        const isFull = objective.size === objective.samples;
        const batch = isFull ? objective.batch : objective.take(carried.rows);
        const ascentPoint = addTrees(params, ofLength(knobs.rho, carried.gradient));
        const shifted: Pass = objective.lossAndGradient(ascentPoint, batch);
        const ahead = outer.update(carried.gradient, params, outerState, knobs.outer).params;
        const next: Pass = objective.lossAndGradient(ahead);
        const direction =
          lambda === 0
            ? shifted.gradient
            : blend(1 - lambda, shifted.gradient, lambda, next.gradient);
        return descend(
          outer,
          direction,
          context,
          {
            loss: next.loss,
            gradient: share(next.gradient),
            rows: objective.indices,
            started: np.onesLike(memory.started.ref),
          },
          evidenceOf(carried, shifted, ascentPoint),
        );
      },
    });
  },
});
