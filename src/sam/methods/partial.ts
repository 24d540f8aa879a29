/** Ascents that treat layers one by one: only some of them, or each at a length of its own. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import {
  add,
  addTrees,
  divide,
  mapTrees,
  multiply,
  norm,
  scalar,
  select,
  zerosLike,
} from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type { Role } from "../../problems/problem.ts";
import { adaptive } from "./adaptive.ts";
import { ascent, normalized, quotient, restricted } from "../parts/ascent.ts";
import { entry, groups, roles, type MethodEntry } from "../contract/entry.ts";
import { flag, number, schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs, Method, Stateless } from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";
import { sgd } from "../parts/outer.ts";
import { ascending, fixedLength, type SamOptions } from "./sam.ts";
import { parseSchedule } from "../../settings/schedules.ts";

export interface SamOnOptions extends SamOptions {
  /** Which parameters are perturbed; default normalization layers. */
  readonly roles?: readonly Role[];
  /** Measure ρ in ASAM's metric |x| + η; default false. */
  readonly adaptive?: boolean;
  /** η ≥ 0, used when `adaptive`; default 0. */
  readonly eta?: number;
}

/** SAM-ON: SAM on normalization layers only; all parameters move   (Mueller et al. 2023). */
export function samOn({
  rho = 0.5,
  roles = ["norm"],
  adaptive: inMetric = false,
  eta = 0,
  groups = {},
  outer = sgd(),
}: SamOnOptions = {}): Method {
  const look = inMetric ? adaptive({ rho, eta, biases: true }) : normalized({ rho });
  return ascending({ name: "sam-on", ascent: restricted(look, roles), groups, outer });
}

export interface LayerwiseOptions {
  /** γ ≥ 0: ‖ε_l‖/‖w_l‖; default 0.01. */
  readonly rho?: Schedule;
  /** Which tensors are perturbed; default weights and embeddings. */
  readonly roles?: readonly Role[];
}

/** ε_l = γ ‖w_l‖ g_l/‖g_l‖ for every tensor l of the given roles   (Wu, Xia & Wang 2020). */
export function layerwise({
  rho = 0.01,
  roles = ["weight", "embedding"],
}: LayerwiseOptions = {}): Ascent {
  const knobs = { rho } satisfies Knobs;
  const look = ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb: ({ params, gradient, knobs: { rho } }) => ({
      perturbation: mapTrees(
        (w, g) => multiply(quotient(multiply(rho, norm(w)), norm(g)), g),
        params,
        gradient,
      ),
      memory: {},
    }),
  });
  return restricted(look, roles);
}

/** AWP, adversarial weight perturbation, on the samples given   (Wu, Xia & Wang 2020). */
export const awp = ({
  rho = 0.01,
  roles = ["weight", "embedding"],
  groups = {},
  outer = sgd(),
}: SamOptions & LayerwiseOptions = {}): Method =>
  ascending({ name: "awp", ascent: layerwise({ rho, roles }), groups, outer });

export interface ClippedOptions {
  /** Largest ‖δ_l‖ of a tensor; default 0.5. */
  readonly rho?: Schedule;
  /** ζ > 0, step length of the inner ascent; default 1. */
  readonly rate?: number;
  /** Number N ≥ 1 of inner steps; default 1. */
  readonly steps?: number;
}

/**
 * N times δ ← δ + ζ ∇f(x + δ), each tensor then scaled down to norm ρ where it is longer
 * (Zheng, Zhang & Mao 2021). A tensor that is not scaled down is perturbed as in USAM with ρ = ζ.
 */
export function clippedPerTensor({ rho = 0.5, rate = 1, steps = 1 }: ClippedOptions = {}): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb({ objective, params, gradient, knobs: { rho } }) {
      let perturbation: ArrayTree = zerosLike(params);
      let slope = gradient;
      for (let i = 0; i < steps; i++) {
        if (i > 0) slope = objective.lossAndGradient(addTrees(params, perturbation)).gradient;
        const moved = mapTrees(
          (delta, g) => add(delta, multiply(scalar(rate, g), g)),
          perturbation,
          slope,
        );
        perturbation = mapTrees((delta) => {
          const length = norm(delta);
          const isLong = np.greater(length.ref, rho.ref);
          return multiply(select(isLong, divide(rho, length), scalar(1, rho)), delta);
        }, moved);
      }
      return { perturbation, memory: {} };
    },
  });
}

/** AMP, adversarial model perturbation   (Zheng, Zhang & Mao 2021). */
export const amp = ({
  groups = {},
  outer = sgd(),
  ...options
}: SamOptions & ClippedOptions = {}): Method =>
  ascending({ name: "amp", ascent: clippedPerTensor(options), groups, outer });

export const partialMethods: readonly MethodEntry[] = [
  entry({
    name: "sam-on",
    aliases: ["samon", "sam-only-norm"],
    title: "SAM on normalization layers only",
    formula: "x⁺ = x + ρ g_S/‖g_S‖, S: normalization layers;  x ← outer(x, ∇f(x⁺))",
    state: "none",
    evaluations: 2,
    hallucination: {
      possible: "yes",
      why: "as in SAM, but only through critical points that differ from x in S alone",
    },
    options: z.object({
      rho: schedule(0.5, "ρ, length of the ascent within S (official 0.5); larger than SAM's"),
      roles: roles(
        ["norm"],
        "S, the roles that are perturbed; weight,bias,embedding is the complement",
      ),
      adaptive: flag(
        false,
        "measure ρ in ASAM's metric |x| + η (ASAM-ON; official example: ρ = 10)",
      ),
      eta: number(0, "η of the metric (official 0)", { min: 0 }),
      groups: groups(),
    }),
    citation: "Mueller, Vlaar, Rolnick & Hein, NeurIPS 2023, arXiv 2306.04226",
    elsewhere: { "mueller-mp/SAM-ON": "--only_norm" },
    differences: [
      "Layers are chosen by role; where the problem has none, an error says so instead of an empty norm failing.",
    ],
    create: ({ rho, ...options }, outer) => samOn({ rho: parseSchedule(rho), ...options, outer }),
  }),
  entry({
    name: "awp",
    aliases: ["adversarial-weight-perturbation"],
    title: "Adversarial weight perturbation",
    formula: "w_l⁺ = w_l + γ‖w_l‖ g_l/‖g_l‖ for every layer l;  x ← outer(x, ∇f(x⁺))",
    state: "none",
    evaluations: 2,
    hallucination: { possible: "yes", why: fixedLength },
    options: z.object({
      rho: schedule(0.01, "γ, relative length of the ascent in every layer (official 0.01)"),
      roles: roles(["weight", "embedding"], "the roles that are perturbed"),
      groups: groups(),
    }),
    citation: "Wu, Xia & Wang, NeurIPS 2020, arXiv 2004.05884",
    elsewhere: { "csdongxian/AWP": "AdvWeightPerturb" },
    differences: [
      "The weight perturbation alone, on the samples given: make them adversarial to get the full method.",
      "The outer step starts from x; official code steps at the perturbed weights, so that its weight decay sees them.",
      "Layers are tensors of the given roles; official code takes tensors of two or more axes named “weight”.",
    ],
    create: ({ rho, ...options }, outer) => awp({ rho: parseSchedule(rho), ...options, outer }),
  }),
  entry({
    name: "amp",
    aliases: ["adversarial-model-perturbation"],
    title: "Adversarial model perturbation",
    formula: "δ ← δ + ζ∇f(x+δ), ‖δ_l‖ ≤ ρ per tensor, N times;  x ← outer(x, ∇f(x+δ))",
    state: "none",
    evaluations: "1 + steps",
    hallucination: {
      possible: "conditional",
      why: "tensors shorter than ρ are perturbed in proportion to their gradient: then only if ζL ≥ 1",
    },
    options: z.object({
      rho: schedule(0.5, "largest perturbation of a tensor (official epsilon: 0.5)"),
      rate: number(1, "ζ, inner learning rate (official 1)", { above: 0 }),
      steps: number(1, "N, inner steps (official 1)", { min: 1, integer: true }),
      groups: groups(),
    }),
    citation: "Zheng, Zhang & Mao, CVPR 2021, arXiv 2010.04925",
    elsewhere: { "hiyouga/AMP-Regularizer": "AMP" },
    differences: [
      "The ball is per tensor, as in official code; the paper's is over all weights.",
      "Gradient clipping never touches the ascent; official training clips inside the closure.",
    ],
    create: ({ rho, ...options }, outer) => amp({ rho: parseSchedule(rho), ...options, outer }),
  }),
];
