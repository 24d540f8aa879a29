/** LookSAM: SAM in every k-th step, and what it adds to the gradient reused in between. */
import { np } from "../../engine/jax-js.ts";
import {
  dot,
  mapTrees,
  moveAlong,
  multiply,
  norm,
  scalar,
  scale,
  select,
  squaredNorm,
  subtractTrees,
} from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { scalarTensor } from "../../engine/tensor.ts";
import { flag, number, schedule } from "../../settings/fields.ts";
import type { Knobs } from "../contract/method.ts";
import { defineMethod } from "../define.ts";
import { normalized, quotient } from "../parts/ascent.ts";
import type { SamOptions } from "../parts/ascending.ts";
import { zerosAs } from "../parts/outer.ts";
import { descend, evidenceOf, lookAhead, method, plainEvidence } from "../parts/step.ts";

/** What LookSAM is given. */
export interface LookSamOptions extends Omit<SamOptions, "groups"> {
  /** SAM every k-th step, k ≥ 1. At 1 the method is SAM. */
  readonly every?: number | undefined;
  /** α ≥ 0, weight of the remembered direction in between. */
  readonly alpha?: number | undefined;
  /** Project and rescale tensor by tensor instead of globally. */
  readonly perTensor?: boolean | undefined;
}

interface Memory {
  /** r. */
  readonly across: ArrayTree;
  /** Steps since r was refreshed; 0 when it is due. */
  readonly age: np.Array;
}

/**
 * r = s − (s·u)u. Rescaling would turn rounding into a direction of its own: what is no more counts
 * as zero.
 */
function partAcross(s: ArrayTree, g: ArrayTree): ArrayTree {
  const rest = subtractTrees(s, scale(quotient(dot(s, g), squaredNorm(g)), g));
  const length = norm(s);
  const rounding = multiply(scalar(16 * epsilonOf(length), length), length);
  const isReal = np.greater(norm(rest), rounding);
  return scale(select(isReal, scalar(1, length), scalar(0, length)), rest);
}

/** Distance from 1 to the next number. */
const epsilonOf = ({ dtype }: np.Array): number => (dtype === np.float64 ? 2 ** -52 : 2 ** -23);

/**
 * Every k-th step a SAM gradient s, of which the part across g is remembered, r = s − (s·u)u; in
 * between v = g + α (‖g‖/‖r‖) r   (Liu et al. 2022).
 */
export const lookSam = defineMethod<LookSamOptions>({
  name: "looksam",
  aliases: ["look-sam"],
  title: "LookSAM",
  formula: "every k steps SAM's s, r = s − (s·u)u;  else x ← outer(x, g + α(‖g‖/‖r‖)r)",
  state: "1 copy: r",
  evaluations: "1 + 1/every",
  hallucination: {
    possible: "conditional",
    why: "for k > 1 the steps in between follow the true gradient, so no such point is a fixed point; a bias remains",
  },
  options: {
    rho: schedule(0.1, "ρ, length of the ascent (ports: 0.1)"),
    every: number(10, "k, steps from one SAM gradient to the next (ports 10, paper 5); 1 is SAM", {
      min: 1,
      integer: true,
    }),
    alpha: number(0.7, "α, weight of the remembered direction", { min: 0 }),
    perTensor: flag(false, "project and rescale tensor by tensor, as most ports do"),
  },
  citation: "Liu, Mai, Chen, Hsieh & You, CVPR 2022, arXiv 2203.02714",
  elsewhere: { pytorch_optimizer: "LookSAM", "rollovd/LookSAM": "LookSAM" },
  differences: [
    "Norms and projections are global, as in the paper; rollovd and pytorch_optimizer take them per tensor (perTensor=true).",
    "A remembered direction that is mere rounding counts as zero; ports add 1e-8 to its norm.",
    "Steps are counted from the method's first step, which is a SAM step, also after a switch.",
  ],
  build({ rho, every, alpha, perTensor, outer }) {
    const knobs = { rho } satisfies Knobs;
    const ascent = normalized({ rho });
    const reuse = (g: ArrayTree, r: ArrayTree): ArrayTree => {
      const length = norm(g);
      return moveAlong(g, quotient(multiply(scalar(alpha, length), length), norm(r)), r);
    };
    const each = (combine: (a: ArrayTree, b: ArrayTree) => ArrayTree) =>
      perTensor
        ? (a: ArrayTree, b: ArrayTree) => mapTrees((x, y) => combine(x, y) as np.Array, a, b)
        : combine;
    return method<Memory, typeof knobs>({
      name: "looksam",
      knobs,
      outer,
      init: (params) => ({
        across: zerosAs(params),
        age: scalarTensor(0, "int32"),
      }),
      step(context) {
        const { objective, params, memory } = context;
        const at = objective.lossAndGradient(params);
        const isDue = np.less(memory.age.ref, 1);
        const { direction, remembered, evidence } = objective.branch(
          isDue,
          () => {
            const { ascentPoint, shifted } = lookAhead(ascent, { ...context, memory: {} }, at);
            return {
              direction: shifted.gradient,
              remembered: each(partAcross)(shifted.gradient, at.gradient),
              evidence: evidenceOf(at, shifted, ascentPoint),
            };
          },
          () => ({
            direction: each(reuse)(at.gradient, memory.across),
            remembered: memory.across,
            evidence: plainEvidence(at, params),
          }),
        );
        const one = scalar(1, at.loss);
        const details = { refreshed: np.where(isDue.ref, one, scalar(0, at.loss)) };
        const older = np.add(memory.age.ref, 1);
        const age = np.where(np.less(older.ref, every), older, 0);
        const next = { across: remembered, age };
        return descend(outer, direction, context, next, { ...evidence, details });
      },
    });
  },
});
