/** Sparse SAM: a mask decides which weights the ascent moves. */
import { np, random } from "../../engine/jax-js.ts";
import { addTrees, leaves, mapTrees, multiply, scalar, square } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { scalarTensor } from "../../engine/tensor.ts";
import { choice, number, schedule } from "../../settings/fields.ts";
import type { Ascent, AscentContext, Knobs } from "../contract/method.ts";
import { methodKeys, randomIndices } from "../contract/random.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { ascent, ofLength } from "../parts/ascent.ts";
import { ascending, type AscentOptions, type SamOptions } from "../parts/ascending.ts";
import { zerosAs } from "../parts/outer.ts";
import { groups } from "../parts/roles.ts";

/** What sparse SAM is given. */
export interface SparseOptions extends SamOptions {
  /** Share of the weights that are not perturbed, in [0, 1). */
  readonly sparsity?: number | undefined;
  /**
   * Which are: those with the largest squared gradients summed over single samples (`fisher`)
   * or of the batch (`gradient`), or a random set that in every refresh loses the weights
   * of smallest gradient and gains others at random (`dynamic`).
   */
  readonly mask?: "fisher" | "gradient" | "dynamic" | undefined;
  /** Steps from one refresh of the mask to the next. */
  readonly every?: number | undefined;
  /** Samples that `fisher` sums over, drawn at random with replacement, 1 to 64. */
  readonly samples?: number | undefined;
  /** Share of its entries that `dynamic` exchanges in the first refresh, falling to 0 along half a cosine. */
  readonly dropRate?: number | undefined;
}

interface Memory {
  /** 1 where the ascent moves a weight, else 0. */
  readonly mask: ArrayTree;
  /** Steps since the mask was refreshed; 0 when that is due. */
  readonly age: np.Array;
  /** 0 before the first step, then 1: an int32 scalar. */
  readonly started: np.Array;
}

/** ε = m∘ρ g/‖g‖ with a mask m of zeros and ones; the norm is that of the whole gradient (Mi et al. 2022). */
export function sparse({
  rho,
  sparsity,
  mask,
  every,
  samples,
  dropRate,
}: AscentOptions<SparseOptions>): Ascent {
  const knobs = {
    rho,
    exchange: (t: number, steps: number) => (dropRate * (1 + Math.cos((Math.PI * t) / steps))) / 2,
  } satisfies Knobs;
  type Context = AscentContext<Memory, typeof knobs>;

  const refresh = (context: Context): ArrayTree => {
    const { gradient, objective, params, time, memory, knobs } = context;
    const size = leaves(gradient).reduce((sum, { size }) => sum + size, 0);
    const kept = Math.max(1, Math.round((1 - sparsity) * size));
    if (mask === "gradient") return keepLargest(flat(mapTrees(square, gradient)), kept, gradient);
    if (mask === "fisher") {
      const [key] = methodKeys(time, 1) as [np.Array];
      const rows = np.split(randomIndices(key, samples, objective.samples), samples);
      const scores = rows.map((row) => {
        const single = objective.lossAndGradient(params, objective.take(row));
        return mapTrees(square, single.gradient);
      });
      return keepLargest(flat(scores.reduce(addTrees)), kept, gradient);
    }
    const [firstKey, key] = methodKeys(time, 2) as [np.Array, np.Array];
    const draw = (from: np.Array) => random.uniform(from, [size]);
    const fresh = np.less(rankOf(draw(firstKey)), kept);
    const held = np.greater(flat(memory.mask), 0.5);
    const magnitude = np.abs(flat(gradient)).astype(np.float32);
    // Of the held weights the `count` with the smallest gradients go …
    const share = knobs.exchange.ref.astype(np.float32);
    const count = np.floor(np.multiply(share, kept)).astype(np.int32);
    const goes = np.less(rankOf(np.where(held.ref, magnitude, Infinity)), count.ref);
    const stays = np.logicalAnd(held, np.logicalNot(goes));
    // … and as many come at random from those not held now.
    const comes = np.less(rankOf(np.where(stays.ref, 2, draw(key))), count);
    const exchanged = np.logicalOr(stays, comes);
    const isFirst = np.less(memory.started.ref, 1);
    return likeTree(np.where(isFirst, fresh, exchanged), gradient);
  };

  return ascent<Memory, typeof knobs>({
    knobs,
    ...(mask !== "gradient" && { random: true }),
    init: (params) => ({
      mask: zerosAs(params),
      age: scalarTensor(0, "int32"),
      started: scalarTensor(0, "int32"),
    }),
    perturb(context) {
      const { objective, gradient, memory, knobs } = context;
      const next = objective.branch(
        np.less(memory.age.ref, 1),
        () => refresh(context),
        () => memory.mask,
      );
      const older = np.add(memory.age.ref, 1);
      return {
        perturbation: mapTrees(multiply, next, ofLength(knobs.rho, gradient)),
        memory: {
          mask: next,
          age: np.where(np.less(older.ref, every), older, 0),
          started: np.onesLike(memory.started.ref),
        },
      };
    },
  });
}

/** Leaves in the order in which `mapTrees` visits them. */
function visited(tree: ArrayTree): np.Array[] {
  const found: np.Array[] = [];
  mapTrees((leaf) => {
    found.push(leaf);
    return leaf;
  }, tree);
  return found;
}

/** All leaves one after another. */
const flat = (tree: ArrayTree): np.Array =>
  np.concatenate(visited(tree).map((leaf) => leaf.ref.reshape([leaf.size])));

/** A vector of truth values cut into the leaves of `like`, as zeros and ones. */
function likeTree(vector: np.Array, like: ArrayTree): ArrayTree {
  let end = 0;
  const ends = visited(like).map(({ size }) => (end += size));
  const parts = np.split(vector, ends.slice(0, -1));
  let next = 0;
  return mapTrees((leaf) => {
    const part = (parts[next++] as np.Array).reshape(leaf.shape);
    return np.where(part, scalar(1, leaf), scalar(0, leaf));
  }, like);
}

/** Place of every entry in ascending order, counted from 0; among equals the earlier comes first. */
const rankOf = (values: np.Array): np.Array => np.argsort(np.argsort(values));

const keepLargest = (scores: np.Array, count: number, like: ArrayTree): ArrayTree =>
  likeTree(np.less(rankOf(np.negative(scores)), count), like);

/** SAM with a sparse perturbation   (Mi et al. 2022; Zhong et al. 2022). */
export const sparseSam = defineMethod<SparseOptions>({
  name: "sparse-sam",
  aliases: ["ssam", "ssam-f", "fsam-mask"],
  title: "Sparse SAM",
  formula: "x⁺ = x + m∘ρ g/‖g‖, m a mask of zeros and ones;  x ← outer(x, ∇f(x⁺))",
  state: "1 mask",
  evaluations: "2, and samples/batch more in a refresh by fisher",
  hallucination: { possible: "yes", why: fixedLength },
  options: {
    rho: schedule(0.05, "ρ, length of the ascent before masking (official 0.05)"),
    sparsity: number(0.5, "share of weights not perturbed (SSAM flag 0.2, README 0.5; FSAM 0.9)", {
      min: 0,
      below: 1,
    }),
    mask: choice(
      ["fisher", "gradient", "dynamic"],
      "fisher",
      "squared gradients of single samples (SSAM-F), of the batch (FSAM), or SSAM-D",
    ),
    every: number(100, "steps between refreshes (FSAM README 100; SSAM 5 epochs)", {
      min: 1,
      integer: true,
    }),
    samples: number(16, "samples that fisher sums over (SSAM README 16, flag 1024)", {
      min: 1,
      max: 64,
      integer: true,
    }),
    dropRate: number(0.5, "share that dynamic exchanges at first (official 0.5)", {
      min: 0,
      max: 1,
    }),
    groups: groups(),
  },
  citation: "Mi et al., NeurIPS 2022, arXiv 2210.05177; Zhong et al., EMNLP 2022, arXiv 2210.05497",
  elsewhere: {
    "Mi-Peng/Sparse-Sharpness-Aware-Minimization": "SSAMF, SSAMD",
    "WHU-ZQH/FSAM4PLM": "FSAM",
  },
  differences: [
    "The mask is refreshed before it is used, also in the first step; official SSAM-F starts with an empty mask, so that its first step is plain SGD.",
    "Passes for the mask leave running statistics alone; official code updates them.",
    "All parameters are masked; FSAM's code perturbs biases, embeddings and batch norm fully.",
  ],
  build: ({ groups, outer, ...look }) =>
    ascending({ name: "sparse-sam", ascent: sparse(look), groups, outer }),
});
