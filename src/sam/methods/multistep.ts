/** Several ascents per step. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import {
  add,
  addTrees,
  divide,
  dot,
  mapTrees,
  moveAlong,
  multiply,
  norm,
  scalar,
  scale,
  select,
  subtractTrees,
} from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { ascent, ofLength, quotient } from "../parts/ascent.ts";
import { entry, groups, type MethodEntry } from "../contract/entry.ts";
import { flag, number, schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs, Method, Stateless } from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";
import { sgd } from "../parts/outer.ts";
import { ascending, evidenceOf, fixedLength, method, type Pass, type SamOptions } from "./sam.ts";
import { parseSchedule } from "../../settings/schedules.ts";

export interface MultiStepOptions {
  /** ρ ≥ 0; default 0.05. */
  readonly rho?: Schedule;
  /** Number n ≥ 1 of ascent steps; default 2. At 1 the ascent is SAM's. */
  readonly steps?: number;
  /**
   * Steps of length ρ, each followed by a projection onto the ρ-ball (default), or steps of length
   * ρ/n and no projection.
   */
  readonly project?: boolean;
}

/** n normalized ascent steps, each from where the last one ended   (Andriushchenko & Flammarion 2022). */
export function repeated({ rho = 0.05, steps = 2, project = true }: MultiStepOptions = {}): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb({ objective, params, gradient, knobs: { rho } }) {
      const stride = project ? rho : multiply(rho, scalar(1 / steps, rho));
      let perturbation = ofLength(stride, gradient);
      for (let i = 1; i < steps; i++) {
        const { gradient } = objective.lossAndGradient(addTrees(params, perturbation));
        const moved = addTrees(perturbation, ofLength(stride, gradient));
        perturbation = project ? intoBall(rho, moved) : moved;
      }
      return { perturbation, memory: {} };
    },
  });
}

/** The nearest vector of norm `radius` or less. */
function intoBall(radius: np.Array, vector: ArrayTree): ArrayTree {
  const length = norm(vector);
  const isOutside = np.greater(length.ref, radius.ref);
  return scale(select(isOutside, divide(radius, length), scalar(1, length)), vector);
}

/** SAM whose ascent takes several steps. */
export const multiStepSam = ({
  groups = {},
  outer = sgd(),
  ...options
}: SamOptions & MultiStepOptions = {}): Method =>
  ascending({ name: "multistep-sam", ascent: repeated(options), groups, outer });

export interface LookbehindOptions extends Omit<SamOptions, "groups"> {
  /** k ≥ 1, inner steps; default 2. */
  readonly steps?: number;
  /** α in [0, 1], how far x follows the fast parameters; default 0.5. */
  readonly alpha?: number;
  /** Choose α for every tensor as (cos(φ₁ − x, φ_k − x) + 1)/2 instead; default false. */
  readonly adaptive?: boolean;
}

/**
 * z₀ = φ₀ = x; k times z ← z + ρ ∇f(z)/‖∇f(z)‖, φ ← outer(φ, ∇f(z)); x ← x + α(φ_k − x)
 * (Mordido et al. 2024). ‖z_k − x‖ may reach kρ. With k = α = 1 the method is SAM.
 */
export function lookbehind({
  rho = 0.05,
  steps = 2,
  alpha = 0.5,
  adaptive = false,
  outer = sgd(),
}: LookbehindOptions = {}): Method {
  const knobs = { rho } satisfies Knobs & { rho: Schedule };
  return method<Stateless, typeof knobs>({
    name: "lookbehind",
    knobs,
    outer,
    init: () => ({}),
    step({ objective, params, outer: before, knobs }) {
      const at: Pass = objective.lossAndGradient(params);
      let [slow, pass, state] = [params, at, before];
      const fast: ArrayTree[] = [params];
      for (let i = 0; i < steps; i++) {
        slow = addTrees(slow, ofLength(knobs.rho, pass.gradient));
        pass = objective.lossAndGradient(slow);
        const next = outer.update(pass.gradient, fast[i] as ArrayTree, state, knobs.outer);
        fast.push(next.params);
        state = next.state;
      }
      const [first, last] = [fast[1] as ArrayTree, fast[steps] as ArrayTree];
      const moved = subtractTrees(last, params);
      const one = scalar(1, at.loss);
      const reached = adaptive
        ? mapTrees(
            (x, a, b) => {
              const cosine = quotient(dot(a, b), multiply(norm(a), norm(b)));
              const share = multiply(scalar(0.5, cosine), add(cosine, one));
              return add(x, multiply(share, b));
            },
            params,
            subtractTrees(first, params),
            moved,
          )
        : alpha === 1
          ? last
          : moveAlong(params, scalar(alpha, at.loss), moved);
      return {
        params: reached,
        outer: state,
        memory: {},
        evidence: evidenceOf(at, pass, slow),
      };
    },
  });
}

export const multiStepMethods: readonly MethodEntry[] = [
  entry({
    name: "multistep-sam",
    aliases: ["multi-step-sam"],
    title: "Multi-step SAM",
    formula: "n times δ ← Π_ρ(δ + ρ∇f(x+δ)/‖·‖);  x ← outer(x, ∇f(x+δ))",
    state: "none",
    evaluations: "1 + steps",
    hallucination: { possible: "yes", why: fixedLength },
    options: z.object({
      rho: schedule(0.05, "ρ, radius of the ball"),
      steps: number(2, "n, ascent steps; 1 is SAM", { min: 1, integer: true }),
      project: flag(true, "steps of length ρ with projection (tml-epfl), else ρ/n without"),
      groups: groups(),
    }),
    citation:
      "Andriushchenko & Flammarion, ICML 2022, arXiv 2206.06232; Kim et al. 2023, arXiv 2302.10181",
    elsewhere: {
      "tml-epfl/understanding-sam": "--sam_iters",
      optax: "contrib.sam(sync_period=n+1), without projection",
    },
    differences: [],
    create: ({ rho, ...options }, outer) =>
      multiStepSam({ rho: parseSchedule(rho), ...options, outer }),
  }),
  entry({
    name: "lookbehind",
    aliases: ["lookbehind-sam"],
    title: "Lookbehind-SAM",
    formula: "k times z ← z + ρ∇f(z)/‖·‖, φ ← outer(φ, ∇f(z));  x ← x + α(φ_k − x)",
    state: "none; 2 copies within a step",
    evaluations: "1 + steps",
    hallucination: {
      possible: "yes",
      why: `${fixedLength}; also where the k gradients cancel`,
    },
    options: z.object({
      rho: schedule(0.05, "ρ, length of every ascent (README: 0.05)"),
      steps: number(2, "k, inner steps (README 2, class 5)", { min: 1, integer: true }),
      alpha: number(0.5, "α, how far x follows (README: 0.2, 0.5 or 0.8)", { min: 0, max: 1 }),
      adaptive: flag(false, "choose α per tensor from the angle between first and last move"),
    }),
    citation: "Mordido, Malviya, Baratin & Chandar, ICML 2024, arXiv 2307.16704",
    elsewhere: { "chandar-lab/Lookbehind-SAM": "Lookbehind" },
    differences: [
      "k + 1 gradients per step; the shipped loop computes 2k of which k − 1 are repeated.",
      "The outer optimizer's state advances k times per step.",
    ],
    create: ({ rho, ...options }, outer) =>
      lookbehind({ rho: parseSchedule(rho), ...options, outer }),
  }),
];
