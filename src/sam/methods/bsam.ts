/** bSAM: SAM as a relaxation of Bayes, a diagonal Gaussian around the parameters. */
import { np } from "../../engine/jax-js.ts";
import {
  add,
  addTrees,
  divide,
  mapTrees,
  multiply,
  scalar,
  scale,
  sqrt,
} from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { mapTree, type Tensor } from "../../engine/tensor.ts";
import { choice, flag, number, schedule } from "../../settings/fields.ts";
import type { Knobs } from "../contract/method.ts";
import { methodKeys, normalsLike } from "../contract/random.ts";
import { defineMethod } from "../define.ts";
import type { SamOptions } from "../parts/ascending.ts";
import { zerosAs } from "../parts/outer.ts";
import { meanOfPieces, piecesOf } from "../parts/pieces.ts";
import { descend, evidenceOf, method, type Pass } from "../parts/step.ts";

/** What bSAM is given. */
export interface BsamOptions extends Omit<SamOptions, "groups"> {
  /** β₁, weight of the old average gradient. */
  readonly b1?: number | undefined;
  /** β₂, weight of the old precision. */
  readonly b2?: number | undefined;
  /** Added to the precision's target. */
  readonly damping?: number | undefined;
  /** δ·N, the prior's precision. */
  readonly priorPrecision?: number | undefined;
  /** How many samples augmentation makes of one: N = samples × this. */
  readonly dataFactor?: number | undefined;
  /** Whether the first gradient is taken at a draw from the Gaussian instead of at its mean. */
  readonly noise?: boolean | undefined;
  /** Number of pieces of the batch that draw and ascend by themselves. */
  readonly chunks?: number | undefined;
  /** Whether x moves with the precision before (official code) or after its update. */
  readonly precision?: "old" | "new" | undefined;
}

interface Memory {
  readonly average: ArrayTree;
  readonly precision: ArrayTree;
}

/**
 * Elementwise, with n standard normal   (Möllenhoff & Khan 2023):
 * θ = x + n/√(N s); g = ∇f(θ); x⁺ = x + ρ g/s; m ← β₁m + (1−β₁)(∇f(x⁺) + δx); x ← outer(x, m/s);
 * s ← β₂s + (1−β₂)(√s |g| + δ + damping). Starts with m = 0, s = 1.
 *
 * m is the method's own momentum: give an outer optimizer without any. The prior δ takes the place
 * of weight decay. Loss and gradient at θ are reported as those at x.
 */
export const bsam = defineMethod<BsamOptions>({
  name: "bsam",
  aliases: ["bayesian-sam"],
  title: "Bayesian SAM",
  formula: "g = ∇f(x + n/√(Ns)), x⁺ = x + ρg/s, m ← β₁m + (1−β₁)(∇f(x⁺) + δx);  x ← outer(x, m/s)",
  state: "2 copies: m, s",
  evaluations: 2,
  hallucination: {
    possible: "conditional",
    why: "the ascent shrinks with the gradient: excluded while ρL is below the smallest precision s",
  },
  options: {
    rho: schedule(0.01, "ρ (official, CIFAR ResNet-18: 0.01)"),
    b1: number(0.9, "β₁, weight of the old average (official 0.9)", { min: 0, below: 1 }),
    b2: number(0.999, "β₂, weight of the old precision (official 0.999)", { min: 0, max: 1 }),
    damping: number(0.1, "added to the precision's target (official 0.1)", { min: 0 }),
    priorPrecision: number(40, "N·δ, the prior's precision (official 40)", { min: 0 }),
    dataFactor: number(4, "N = samples × this, for augmentation (official 4)", { above: 0 }),
    noise: flag(true, "take the first gradient at a draw from the Gaussian, not at its mean"),
    chunks: number(1, "pieces of the batch that draw and ascend by themselves (official 8)", {
      min: 1,
      integer: true,
    }),
    precision: choice(
      ["old", "new"],
      "old",
      "precision that x moves with: before (official code) or after its update (paper)",
    ),
  },
  citation: "Möllenhoff & Khan, ICLR 2023, arXiv 2210.01620",
  elsewhere: { "team-approx-bayes/bayesian-sam": "bsam" },
  differences: [
    "pytorch_optimizer's BSAM is another algorithm: its noise scale, its mean and its precision differ.",
    "One chunk by default; the official example splits every batch in eight.",
  ],
  build({ rho, b1, b2, damping, priorPrecision, dataFactor, noise, chunks, precision, outer }) {
    const knobs = { rho } satisfies Knobs;
    return method<Memory, typeof knobs>({
      name: "bsam",
      knobs,
      outer,
      ...(noise && { random: true }),
      init: (params) => ({
        average: zerosAs(params),
        precision: mapTree(params, ({ data, ...type }): Tensor => ({
          ...type,
          data: data.slice().fill(1),
        })),
      }),
      step(context) {
        const { objective, params, memory, knobs, time } = context;
        const samples = objective.samples * dataFactor;
        const prior = priorPrecision / samples;
        const s = memory.precision;
        const pieces = piecesOf(objective, chunks);
        const draws = noise
          ? normalsLike(methodKeys(time, 1)[0] as np.Array, params, pieces.length)
          : [];
        const deviation = mapTrees((s) => np.reciprocal(sqrt(multiply(scalar(samples, s), s))), s);
        const at: Pass[] = [];
        const shifted: Pass[] = [];
        const points: ArrayTree[] = [];
        pieces.forEach(({ batch }, i) => {
          const drawn = draws[i];
          const draw = drawn && mapTrees(multiply, drawn, deviation);
          const pass = objective.lossAndGradient(draw ? addTrees(params, draw) : params, batch);
          const point = addTrees(params, scale(knobs.rho, mapTrees(divide, pass.gradient, s)));
          at.push(pass);
          points.push(point);
          shifted.push(objective.lossAndGradient(point, batch));
        });
        const mean = (trees: readonly ArrayTree[]) => meanOfPieces(pieces, trees);
        const meanPass = (passes: readonly Pass[]): Pass => ({
          loss: mean(passes.map(({ loss }) => loss)) as np.Array,
          gradient: mean(passes.map(({ gradient }) => gradient)),
        });
        const size = mean(at.map(({ gradient }) => mapTrees((g) => np.abs(g.ref), gradient)));
        const descent = meanPass(shifted);
        const average = mapTrees(
          (m, g, x) =>
            add(
              multiply(scalar(b1, m), m),
              multiply(scalar(1 - b1, m), add(g, multiply(scalar(prior, x), x))),
            ),
          memory.average,
          descent.gradient,
          params,
        );
        const next = mapTrees(
          (s, g) => {
            const target = add(multiply(sqrt(s), g), scalar(prior + damping, s));
            return add(multiply(scalar(b2, s), s), multiply(scalar(1 - b2, s), target));
          },
          s,
          size,
        );
        const direction = mapTrees(divide, average, precision === "old" ? s : next);
        const evidence = evidenceOf(meanPass(at), descent, points[0] as ArrayTree);
        return descend(outer, direction, context, { average, precision: next }, evidence);
      },
    });
  },
});
