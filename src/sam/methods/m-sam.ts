/** m-SAM: SAM on every piece of the batch by itself. */
import type { ArrayTree } from "../../engine/program.ts";
import { number, schedule } from "../../settings/fields.ts";
import type { Knobs } from "../contract/method.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { grouped, normalized } from "../parts/ascent.ts";
import type { SamOptions } from "../parts/ascending.ts";
import { meanOfPieces, mostPieces, piecesOf } from "../parts/pieces.ts";
import { groups } from "../parts/roles.ts";
import { descend, evidenceOf, lookAhead, method, type Pass } from "../parts/step.ts";

/** What m-SAM is given. */
export interface MSamOptions extends SamOptions {
  /** Number of pieces K, at most 64: m = batch/K. 1 is SAM. */
  readonly chunks?: number | undefined;
}

/**
 * m-SAM: every chunk C_k of m samples ascends by itself, x_k⁺ = x + ρ g_k/‖g_k‖, and x follows the
 * mean of the ∇f_{C_k}(x_k⁺)   (m-sharpness, Foret et al. 2021, section 3). The ascent point that
 * is reported is the first chunk's; loss and gradients are means over the chunks.
 */
export const mSam = defineMethod<MSamOptions>({
  name: "m-sam",
  aliases: ["msam", "m-sharpness"],
  title: "m-SAM",
  formula: "x_k⁺ = x + ρ g_k/‖g_k‖ per chunk of m samples;  x ← outer(x, mean_k ∇f_k(x_k⁺))",
  state: "none",
  evaluations: 2,
  hallucination: { possible: "yes", why: `only where the chunks' mean cancels; ${fixedLength}` },
  options: {
    rho: schedule(0.05, "ρ, length of every chunk's ascent"),
    chunks: number(2, "K, number of chunks: m = batch/K; 1 is SAM", {
      min: 1,
      max: mostPieces,
      integer: true,
    }),
    groups: groups(),
  },
  citation: "Foret, Kleiner, Mobahi & Neyshabur, ICLR 2021, arXiv 2010.01412, section 3",
  elsewhere: {
    "google-research/sam": "its default: one perturbation per replica",
    "tml-epfl/understanding-sam": "--acc_steps",
  },
  differences: ["Chunks that differ in size count by their number of samples."],
  build({ rho, chunks, groups, outer }) {
    const ascent = grouped(normalized({ rho }), groups);
    return method<ArrayTree, Knobs>({
      name: "m-sam",
      knobs: ascent.knobs,
      outer,
      init: (params, size) => ascent.init(params, size),
      step(context) {
        const { objective, params } = context;
        const pieces = piecesOf(objective, chunks);
        const at: Pass[] = [];
        const shifted: Pass[] = [];
        const points: ArrayTree[] = [];
        for (const { batch } of pieces) {
          const pass = objective.lossAndGradient(params, batch);
          const ahead = lookAhead(ascent, context, pass, (point) =>
            objective.lossAndGradient(point, batch),
          );
          at.push(pass);
          points.push(ahead.ascentPoint);
          shifted.push(ahead.shifted);
        }
        const mean = (passes: readonly Pass[]) =>
          meanOfPieces(
            pieces,
            passes.map(({ loss, gradient }) => ({ loss, gradient })),
          ) as unknown as Pass;
        const meanShifted = mean(shifted);
        const evidence = evidenceOf(mean(at), meanShifted, points[0] as ArrayTree);
        return descend(outer, meanShifted.gradient, context, context.memory, evidence);
      },
    });
  },
});
