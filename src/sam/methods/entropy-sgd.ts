/** Entropy-SGD: descend towards the mean of a short Langevin walk. */
import { np } from "../../engine/jax-js.ts";
import { moveAlong, scalar, scale, subtractTrees } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { choice, number } from "../../settings/fields.ts";
import type { Knobs, Stateless } from "../contract/method.ts";
import { methodKeys, normalsLike, randomIndices } from "../contract/random.ts";
import { defineMethod, type OuterOptions } from "../define.ts";
import { blend } from "../parts/average.ts";
import { descend, evidenceOf, method, type Pass } from "../parts/step.ts";

/** What Entropy-SGD is given. */
export interface EntropyOptions extends OuterOptions {
  /** L ≥ 1, inner steps. */
  readonly steps?: number | undefined;
  /** γ₀ ≥ 0, pull back to x. */
  readonly gamma?: number | undefined;
  /** γ_t = γ₀ (1 + scoping)^t. */
  readonly scoping?: number | undefined;
  /** Temperature ε: every inner step adds noise of standard deviation ε√(2η′). */
  readonly noise?: number | undefined;
  /** η′ > 0, inner learning rate. */
  readonly rate?: number | undefined;
  /** β in [0, 1), weight of the old mean μ. */
  readonly beta?: number | undefined;
  /** Nesterov momentum of the inner steps, reset in every outer step. */
  readonly momentum?: number | undefined;
  /** Outer direction: x − μ (official code) or γ(x − μ) (paper). */
  readonly direction?: "code" | "paper" | undefined;
}

/**
 * x′ = μ = x; L times x′ ← x′ − η′(∇f(x′) − γ(x − x′)) + noise, μ ← βμ + (1−β)x′;
 * x ← outer(x, x − μ)   (Chaudhari et al. 2017).
 *
 * The first inner step sees this step's batch, every further one a random batch of the same size.
 * As ascent point the last x′ is reported, as shifted loss and gradient those of the last pass.
 */
export const entropySgd = defineMethod<EntropyOptions>({
  name: "entropy-sgd",
  aliases: ["entropysgd"],
  title: "Entropy-SGD",
  formula: "L times x′ ← x′ − η′(∇f(x′) − γ(x−x′)) + noise, μ ← βμ + (1−β)x′;  x ← outer(x, x−μ)",
  state: "none; 2 copies within a step",
  evaluations: "steps",
  hallucination: {
    possible: "no",
    why: "no ascent: it rests at stationary points of a smoothed loss",
  },
  options: {
    steps: number(20, "L, inner steps (official runs: 20)", { min: 1, max: 64, integer: true }),
    gamma: number(0.03, "γ₀, pull back to x (official: 0.03 CIFAR, 1e-4 MNIST)", { min: 0 }),
    scoping: number(1e-3, "γ_t = γ₀(1 + scoping)^t (official 1e-3)", { min: 0 }),
    noise: number(1e-4, "temperature ε: inner noise has deviation ε√(2η′) (official 1e-4)", {
      min: 0,
    }),
    rate: number(0.1, "η′, inner learning rate (official 0.1)", { above: 0 }),
    beta: number(0.75, "β, weight of the old mean μ (official 0.75)", { min: 0, below: 1 }),
    momentum: number(0, "Nesterov momentum of the inner steps", { min: 0, below: 1 }),
    direction: choice(
      ["code", "paper"],
      "code",
      "x − μ (official code, γ is left to the learning rate) or γ(x − μ) (paper)",
    ),
  },
  citation: "Chaudhari et al., ICLR 2017, arXiv 1611.01838",
  elsewhere: { "ucla-vision/entropy-sgd": "EntropySGD" },
  differences: [
    "Scoping works; the official PyTorch port never advances its counter.",
    "L gradients per step; official code computes one more and discards it.",
    "Weight decay acts in the outer step alone.",
  ],
  build({ steps, gamma, scoping, noise, rate, beta, momentum, direction, outer }) {
    const knobs = {
      gamma: (t: number) => gamma * (1 + scoping) ** t,
    } satisfies Knobs;
    return method<Stateless, typeof knobs>({
      name: "entropy-sgd",
      knobs,
      outer,
      random: true,
      init: () => ({}),
      step(context) {
        const { objective, params, knobs, time } = context;
        const { size, samples } = objective;
        const constant = (value: number) => scalar(value, knobs.gamma);
        const isFull = size === samples || steps === 1;
        const [noiseKey, rowsKey] = methodKeys(time, isFull ? 1 : 2) as [np.Array, np.Array?];
        const others = rowsKey
          ? np.split(randomIndices(rowsKey, (steps - 1) * size, samples), steps - 1)
          : [];
        const noises = noise > 0 ? normalsLike(noiseKey, params, steps) : [];
        let [walker, mean] = [params, params];
        let velocity: ArrayTree | undefined;
        let at: Pass | undefined;
        let pass: Pass | undefined;
        for (let i = 0; i < steps; i++) {
          const rows = others[i - 1];
          const batch = rows ? objective.take(rows) : objective.batch;
          pass = objective.lossAndGradient(walker, batch);
          at ??= pass;
          let slope = pass.gradient;
          if (momentum > 0) {
            velocity = velocity ? moveAlong(slope, constant(momentum), velocity) : slope;
            slope = moveAlong(slope, constant(momentum), velocity);
          }
          const pull = scale(knobs.gamma, subtractTrees(params, walker));
          walker = moveAlong(walker, constant(-rate), subtractTrees(slope, pull));
          const drawn = noises[i];
          if (drawn) walker = moveAlong(walker, constant(noise * Math.sqrt(2 * rate)), drawn);
          mean = blend(beta, mean, 1 - beta, walker);
        }
        const away = subtractTrees(params, mean);
        return descend(
          outer,
          direction === "code" ? away : scale(knobs.gamma, away),
          context,
          {},
          evidenceOf(at as Pass, pass as Pass, walker),
        );
      },
    });
  },
});
