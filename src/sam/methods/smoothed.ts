/** Ascents along gradients smoothed over time, which follow less of the batch's noise. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import { add, mapTrees, multiply, scalar, selectTree, subtract } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { scalarTensor, type Tensor, type Tree } from "../../engine/tensor.ts";
import { ascent, ofLength } from "../parts/ascent.ts";
import { entry, groups, type MethodEntry } from "../contract/entry.ts";
import { choice, number, schedule } from "../../settings/fields.ts";
import type { Ascent, Host, Knobs, Method } from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";
import { dtypeOf, sgd, zerosAs } from "../parts/outer.ts";
import { ascending, fixedLength, type SamOptions } from "./sam.ts";
import { parseSchedule } from "../../settings/schedules.ts";

/** An average of gradients that starts with the first gradient it sees. */
export interface RunningAverage {
  readonly average: ArrayTree;
  /** 0 before the first step, then 1. */
  readonly started: np.Array;
}

export const noAverage = (params: Tree<Tensor>): Host<RunningAverage> => ({
  average: zerosAs(params),
  started: scalarTensor(0, dtypeOf(params)),
});

/** a·old + b·now, leaf by leaf. */
export const blend = (a: number, old: ArrayTree, b: number, now: ArrayTree): ArrayTree =>
  mapTrees((m, g) => add(multiply(m, scalar(a, m)), multiply(g, scalar(b, g))), old, now);

const hasStarted = ({ started }: RunningAverage) => np.greater(started.ref, scalar(0, started));

const startedWith = (average: ArrayTree, { started }: RunningAverage): RunningAverage => ({
  average,
  started: np.onesLike(started.ref),
});

export interface VassoOptions {
  /** ρ ≥ 0; default 0.05. */
  readonly rho?: Schedule;
  /** θ in [0, 1], the weight of the *new* gradient; default 0.9. At 1 the ascent is SAM's. */
  readonly theta?: number;
}

/** d ← (1 − θ) d + θ g, d₀ = g₀;  ε = ρ d/‖d‖   (Li & Giannakis 2023). */
export function averaged({ rho = 0.05, theta = 0.9 }: VassoOptions = {}): Ascent {
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
export const vasso = ({
  rho = 0.05,
  theta = 0.9,
  groups = {},
  outer = sgd(),
}: SamOptions & VassoOptions = {}): Method =>
  ascending({ name: "vasso", ascent: averaged({ rho, theta }), groups, outer });

export interface FriendlyOptions {
  /** ρ ≥ 0; default 0.05. */
  readonly rho?: Schedule;
  /** σ, how much of the average is taken out of the gradient; default 1. At 0 the ascent is SAM's. */
  readonly sigma?: number;
  /** λ in [0, 1], the weight of the *old* average; default 0.9. */
  readonly lambda?: number;
  /**
   * Which average is taken out: the one before this step's gradient entered it (official code,
   * default) or the one after (the paper's formulas). For σ = 1 both give one direction.
   */
  readonly average?: "previous" | "current";
}

/**
 * d = g − σm, m ← λm + (1 − λ)g;  ε = ρ d/‖d‖   (Li et al. 2024). The first step sets m = g and
 * ascends along g.
 */
export function friendly({
  rho = 0.05,
  sigma = 1,
  lambda = 0.9,
  average = "previous",
}: FriendlyOptions = {}): Ascent {
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
export const friendlySam = ({
  groups = {},
  outer = sgd(),
  ...options
}: SamOptions & FriendlyOptions = {}): Method =>
  ascending({ name: "f-sam", ascent: friendly(options), groups, outer });

export const smoothedMethods: readonly MethodEntry[] = [
  entry({
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
    options: z.object({
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
    }),
    citation: "Li, Zhou, He, Cheng & Huang, CVPR 2024, arXiv 2403.12350",
    elsewhere: { "nblt/F-SAM": "FriendlySAM", pytorch_optimizer: "FriendlySAM" },
    differences: [
      "pytorch_optimizer feeds the difference g − σm back into the average, which then is no average of gradients.",
    ],
    create: ({ rho, ...options }, outer) =>
      friendlySam({ rho: parseSchedule(rho), ...options, outer }),
  }),
  entry({
    name: "vasso",
    aliases: [],
    title: "Variance-suppressed sharpness-aware optimization",
    formula: "d ← (1−θ)d + θg;  x⁺ = x + ρ d/‖d‖;  x ← outer(x, ∇f(x⁺))",
    state: "1 copy: d",
    evaluations: 2,
    hallucination: { possible: "yes", why: `at rest d = g, and then as in SAM: ${fixedLength}` },
    options: z.object({
      rho: schedule(0.05, "ρ, length of the ascent (official 0.05; CIFAR-100 script 0.2)"),
      theta: number(0.9, "θ, weight of the new gradient (official 0.9); 1 is SAM", {
        min: 0,
        max: 1,
      }),
      groups: groups(),
    }),
    citation: "Li & Giannakis, NeurIPS 2023, arXiv 2309.15639",
    elsewhere: { "BingcongLi/VaSSO": "VASSO" },
    differences: [
      "Running statistics are updated by the first pass alone; official code updates them in both.",
    ],
    create: ({ rho, ...options }, outer) => vasso({ rho: parseSchedule(rho), ...options, outer }),
  }),
];
