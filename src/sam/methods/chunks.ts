/** SAM on pieces of the batch. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import { addTrees, leaves, mapTrees, scalar, scale } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { grouped, normalized } from "../parts/ascent.ts";
import { entry, groups, type MethodEntry } from "../contract/entry.ts";
import { number, schedule } from "../../settings/fields.ts";
import type { Knobs, Method } from "../contract/method.ts";
import type { Objective } from "../contract/objective.ts";
import { sgd } from "../parts/outer.ts";
import { descend, evidenceOf, fixedLength, method, type Pass, type SamOptions } from "./sam.ts";
import { parseSchedule } from "../../settings/schedules.ts";

/** Every chunk is a pass of its own in the compiled step: more would take minutes to compile. */
const mostChunks = 64;

/** A piece of the batch and its share of the samples. */
export interface Chunk {
  readonly batch: ArrayTree;
  readonly share: number;
}

/**
 * This step's batch in `count` pieces whose sizes differ by one sample at most; fewer pieces when
 * there are fewer samples.
 */
export function chunksOf({ batch, size }: Objective, count: number): Chunk[] {
  const pieces = Math.min(count, size);
  if (pieces > mostChunks) {
    throw new InputError(`invalid chunks: ${pieces} (give at most ${mostChunks})`);
  }
  if (pieces === 1) return [{ batch, share: 1 }];
  const borders = Array.from({ length: pieces + 1 }, (_, i) => Math.floor((i * size) / pieces));
  // One list of pieces per leaf, in the order of `mapTrees`.
  const parts: np.Array[][] = [];
  mapTrees((leaf) => {
    parts.push(np.split(leaf.ref, borders.slice(1, -1), 0));
    return leaf;
  }, batch);
  return Array.from({ length: pieces }, (_, i) => {
    let next = 0;
    return {
      batch: mapTrees(() => (parts[next++] as np.Array[])[i] as np.Array, batch),
      share: ((borders[i + 1] as number) - (borders[i] as number)) / size,
    };
  });
}

/** Mean over chunks, each counted by its share of the samples. */
export function meanOfChunks(chunks: readonly Chunk[], trees: readonly ArrayTree[]): ArrayTree {
  if (chunks.length === 1) return trees[0] as ArrayTree;
  return trees
    .map((tree, i) => scale(scalar((chunks[i] as Chunk).share, leaves(tree)[0] as np.Array), tree))
    .reduce(addTrees);
}

export interface ChunkedOptions extends SamOptions {
  /** Number of pieces K: m = batch/K. Default 2; 1 is SAM. At most 64. */
  readonly chunks?: number;
}

/**
 * m-SAM: every chunk C_k of m samples ascends by itself, x_k⁺ = x + ρ g_k/‖g_k‖, and x follows the
 * mean of the ∇f_{C_k}(x_k⁺)   (m-sharpness, Foret et al. 2021, section 3). The ascent point that
 * is reported is the first chunk's; loss and gradients are means over the chunks.
 */
export function mSam({
  rho = 0.05,
  chunks: count = 2,
  groups = {},
  outer = sgd(),
}: ChunkedOptions = {}): Method {
  const ascent = grouped(normalized({ rho }), groups);
  return method<ArrayTree, Knobs>({
    name: "m-sam",
    knobs: ascent.knobs,
    outer,
    init: (params, size) => ascent.init(params, size),
    step(context) {
      const { objective, params } = context;
      const chunks = chunksOf(objective, count);
      const at: Pass[] = [];
      const shifted: Pass[] = [];
      const points: ArrayTree[] = [];
      for (const { batch } of chunks) {
        const pass = objective.lossAndGradient(params, batch);
        const { perturbation } = ascent.perturb({ ...context, gradient: pass.gradient });
        const point = addTrees(params, perturbation);
        at.push(pass);
        points.push(point);
        shifted.push(objective.lossAndGradient(point, batch));
      }
      const mean = (passes: readonly Pass[]) =>
        meanOfChunks(
          chunks,
          passes.map(({ loss, gradient }) => ({ loss, gradient })),
        ) as unknown as Pass;
      const meanShifted = mean(shifted);
      const evidence = evidenceOf(mean(at), meanShifted, points[0] as ArrayTree);
      return descend(outer, meanShifted.gradient, context, context.memory, evidence);
    },
  });
}

export const chunkedMethods: readonly MethodEntry[] = [
  entry({
    name: "m-sam",
    aliases: ["msam", "m-sharpness"],
    title: "m-SAM",
    formula: "x_k⁺ = x + ρ g_k/‖g_k‖ per chunk of m samples;  x ← outer(x, mean_k ∇f_k(x_k⁺))",
    state: "none",
    evaluations: 2,
    hallucination: { possible: "yes", why: `only where the chunks' mean cancels; ${fixedLength}` },
    options: z.object({
      rho: schedule(0.05, "ρ, length of every chunk's ascent"),
      chunks: number(2, "K, number of chunks: m = batch/K; 1 is SAM", {
        min: 1,
        max: mostChunks,
        integer: true,
      }),
      groups: groups(),
    }),
    citation: "Foret, Kleiner, Mobahi & Neyshabur, ICLR 2021, arXiv 2010.01412, section 3",
    elsewhere: {
      "google-research/sam": "its default: one perturbation per replica",
      "tml-epfl/understanding-sam": "--acc_steps",
    },
    differences: ["Chunks that differ in size count by their number of samples."],
    create: ({ rho, ...options }, outer) => mSam({ rho: parseSchedule(rho), ...options, outer }),
  }),
];
