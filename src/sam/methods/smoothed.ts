/** Friendly SAM and VaSSO: ascents along gradients smoothed over time, which follow less of the batch's noise. */
import { mapTrees, multiply, scalar, selectTree, subtract } from "../../engine/arrays.ts";
import { choice, number, schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs } from "../contract/method.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { ascent, ofLength } from "../parts/ascent.ts";
import { ascending, type AscentOptions, type SamOptions } from "../parts/ascending.ts";
import {
  blend,
  hasStarted,
  noAverage,
  startedWith,
  type RunningAverage,
} from "../parts/average.ts";
import { groups } from "../parts/roles.ts";

/** What friendly SAM is given. */
export interface FriendlyOptions extends SamOptions {
  /** σ, how much of the average is taken out of the gradient. At 0 the ascent is SAM's. */
  readonly sigma?: number | undefined;
  /** λ in [0, 1], the weight of the *old* average. */
  readonly lambda?: number | undefined;
  /**
   * Which average is taken out: the one before this step's gradient entered it (official code) or
   * the one after (the paper's formulas). For σ = 1 both give one direction.
   */
  readonly average?: "previous" | "current" | undefined;
}

/**
 * d = g − σm, m ← λm + (1 − λ)g;  ε = ρ d/‖d‖   (Li et al. 2024). The first step sets m = g and
 * ascends along g.
 */
export function friendly({ rho, sigma, lambda, average }: AscentOptions<FriendlyOptions>): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<RunningAverage, typeof knobs>({
    knobs,
    init: noAverage,
    perturb({ gradient, memory, knobs: { rho } }) {
      const blended = blend(lambda, memory.average, 1 - lambda, gradient);
      const taken = average === "previous" ? memory.average : blended;
      const rest = mapTrees((g, m) => subtract(g, multiply(m, scalar(sigma, m))), gradient, taken);
      const started = hasStarted(memory);
      return {
        perturbation: ofLength(rho, selectTree(started, rest, gradient)),
        memory: startedWith(selectTree(started, blended, gradient), memory),
      };
    },
  });
}

/** F-SAM, friendly sharpness-aware minimization   (Li et al. 2024). */
export const friendlySam = defineMethod<FriendlyOptions>({
  name: "f-sam",
  aliases: ["fsam", "friendly-sam", "friendlysam"],
  title: "Friendly SAM",
  formula: "d = g − σm, m ← λm + (1−λ)g;  x⁺ = x + ρ d/‖d‖;  x ← outer(x, ∇f(x⁺))",
  state: "1 copy: m",
  evaluations: 2,
  hallucination: {
    possible: "conditional",
    why: "at rest m → g, so with σ = 1 and no noise d vanishes and nothing holds the ascent; for σ < 1 as in SAM",
  },
  options: {
    rho: schedule(0.05, "ρ, length of the ascent (class default 0.05; CIFAR-100 script 0.2)"),
    sigma: number(1, "σ, share of the average taken out of the gradient"),
    lambda: number(0.9, "λ, weight of the old average (class default 0.9; script 0.6)", {
      min: 0,
      max: 1,
    }),
    average: choice(
      ["previous", "current"],
      "previous",
      "m before this step's gradient enters it (official code) or after (paper)",
    ),
    groups: groups(),
  },
  citation: "Li, Zhou, He, Cheng & Huang, CVPR 2024, arXiv 2403.12350",
  elsewhere: { "nblt/F-SAM": "FriendlySAM", pytorch_optimizer: "FriendlySAM" },
  differences: [
    "pytorch_optimizer feeds the difference g − σm back into the average, which then is no average of gradients.",
  ],
  build: ({ groups, outer, ...look }) =>
    ascending({ name: "f-sam", ascent: friendly(look), groups, outer }),
});

/** What VaSSO is given. */
export interface VassoOptions extends SamOptions {
  /** θ in [0, 1], the weight of the *new* gradient. At 1 the ascent is SAM's. */
  readonly theta?: number | undefined;
}

/** d ← (1 − θ) d + θ g, d₀ = g₀;  ε = ρ d/‖d‖   (Li & Giannakis 2023). */
export function averaged({ rho, theta }: AscentOptions<VassoOptions>): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<RunningAverage, typeof knobs>({
    knobs,
    init: noAverage,
    perturb({ gradient, memory, knobs: { rho } }) {
      const blended = blend(1 - theta, memory.average, theta, gradient);
      const average = selectTree(hasStarted(memory), blended, gradient);
      return { perturbation: ofLength(rho, average), memory: startedWith(average, memory) };
    },
  });
}

/** VaSSO, variance-suppressed sharpness-aware optimization   (Li & Giannakis 2023). */
export const vasso = defineMethod<VassoOptions>({
  name: "vasso",
  aliases: [],
  title: "Variance-suppressed sharpness-aware optimization",
  formula: "d ← (1−θ)d + θg;  x⁺ = x + ρ d/‖d‖;  x ← outer(x, ∇f(x⁺))",
  state: "1 copy: d",
  evaluations: 2,
  hallucination: { possible: "yes", why: `at rest d = g, and then as in SAM: ${fixedLength}` },
  options: {
    rho: schedule(0.05, "ρ, length of the ascent (official 0.05; CIFAR-100 script 0.2)"),
    theta: number(0.9, "θ, weight of the new gradient (official 0.9); 1 is SAM", {
      min: 0,
      max: 1,
    }),
    groups: groups(),
  },
  citation: "Li & Giannakis, NeurIPS 2023, arXiv 2309.15639",
  elsewhere: { "BingcongLi/VaSSO": "VASSO" },
  differences: [
    "Running statistics are updated by the first pass alone; official code updates them in both.",
  ],
  build: ({ groups, outer, ...look }) =>
    ascending({ name: "vasso", ascent: averaged(look), groups, outer }),
});
