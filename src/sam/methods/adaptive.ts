/** Adaptive ascents: the radius is measured in another metric than the Euclidean. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import {
  add,
  divide,
  dot,
  mapTrees,
  mapWithPaths,
  multiply,
  norm,
  scalar,
  scale,
  square,
  sqrt,
} from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { ascent, quotient } from "../parts/ascent.ts";
import { entry, groups, type MethodEntry } from "../contract/entry.ts";
import { flag, number, schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs, Method, Stateless } from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";
import type { Objective } from "../contract/objective.ts";
import { sgd } from "../parts/outer.ts";
import { ascending, fixedLength, type SamOptions } from "./sam.ts";
import { parseSchedule } from "../../settings/schedules.ts";

export interface AdaptiveOptions {
  /** ρ ≥ 0: ‖T⁻¹ε‖; default 0.5. */
  readonly rho?: Schedule;
  /** η ≥ 0 of T = |x| + η; default 0.01. */
  readonly eta?: number;
  /** Whether T applies to biases too instead of being 1 there; default false. */
  readonly biases?: boolean;
}

/**
 * ε = ρ T² g/‖T g‖ with T = |x| + η for weights and 1 for biases   (Kwon et al. 2021), so that
 * ‖T⁻¹ε‖ = ρ: rescaling a layer rescales its perturbation.
 */
export function adaptive({ rho = 0.5, eta = 0.01, biases = false }: AdaptiveOptions = {}): Ascent {
  const knobs = { rho } satisfies Knobs;
  const isScaled = (objective: Objective, path: string) =>
    biases || !(objective.role(path) === "bias" || path.endsWith("bias"));
  return ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb({ objective, params, gradient, knobs: { rho } }) {
      const metric = mapWithPaths(params, (x, path) =>
        isScaled(objective, path) ? add(np.abs(x.ref), scalar(eta, x)) : np.onesLike(x.ref),
      );
      const scaled = mapTrees(multiply, metric, gradient);
      const perturbation = scale(quotient(rho, norm(scaled)), mapTrees(multiply, metric, scaled));
      return { perturbation, memory: {} };
    },
  });
}

/** ASAM   (Kwon et al. 2021). */
export const asam = ({
  rho = 0.5,
  eta = 0.01,
  biases = false,
  groups = {},
  outer = sgd(),
}: SamOptions & AdaptiveOptions = {}): Method =>
  ascending({ name: "asam", ascent: adaptive({ rho, eta, biases }), groups, outer });

export interface FisherOptions {
  /** γ ≥ 0: the length √(ε′P⁻¹ε) of the ascent; default 0.1. */
  readonly rho?: Schedule;
  /** η ≥ 0 of P = 1/(1 + η g²); default 1. At 0 the ascent is SAM's. */
  readonly eta?: number;
}

/**
 * ε = γ P g/√(g′P g) with P = 1/(1 + η g²), the inverse of a regularized diagonal Fisher matrix
 * made of the squared batch gradient   (Kim et al. 2022), so that ε′P⁻¹ε = γ².
 */
export function fisher({ rho = 0.1, eta = 1 }: FisherOptions = {}): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb({ gradient, knobs: { rho } }) {
      const natural: ArrayTree = mapTrees(
        (g) => divide(g, add(scalar(1, g), multiply(scalar(eta, g), square(g)))),
        gradient,
      );
      const length = sqrt(dot(gradient, natural));
      return { perturbation: scale(quotient(rho, length), natural), memory: {} };
    },
  });
}

/** Fisher SAM   (Kim et al. 2022). */
export const fisherSam = ({
  rho = 0.1,
  eta = 1,
  groups = {},
  outer = sgd(),
}: SamOptions & FisherOptions = {}): Method =>
  ascending({ name: "fisher-sam", ascent: fisher({ rho, eta }), groups, outer });

export const adaptiveMethods: readonly MethodEntry[] = [
  entry({
    name: "asam",
    aliases: ["adaptive-sam"],
    title: "Adaptive SAM",
    formula: "x⁺ = x + ρ T²g/‖Tg‖, T = |x| + η;  x ← outer(x, ∇f(x⁺))",
    state: "none",
    evaluations: 2,
    hallucination: { possible: "yes", why: fixedLength },
    options: z.object({
      rho: schedule(0.5, "ρ, length of the ascent in the metric T (SamsungLabs/ASAM: 0.5)"),
      eta: number(0.01, "η of T = |x| + η (class default 0.01; its CIFAR script 0)", { min: 0 }),
      biases: flag(false, "let T apply to biases, as davda54/sam does, instead of being 1 there"),
      groups: groups(),
    }),
    citation: "Kwon, Kim, Park & Choi, ICML 2021, arXiv 2102.11600",
    elsewhere: {
      "SamsungLabs/ASAM": "ASAM",
      "davda54/sam": "SAM(adaptive=True): eta=0, biases=true",
      pytorch_optimizer: "SAM(adaptive=True): eta=0, biases=true",
    },
    differences: [
      "With eta=0, tensors that are zero are never perturbed, as in davda54/sam; the default 0.01 avoids it.",
      "T is chosen by the parameter's role, not by whether its name contains “weight”.",
    ],
    create: ({ rho, ...options }, outer) => asam({ rho: parseSchedule(rho), ...options, outer }),
  }),
  entry({
    name: "fisher-sam",
    aliases: ["fishersam"],
    title: "Fisher SAM",
    formula: "x⁺ = x + γ Pg/√(g′Pg), P = 1/(1 + ηg²);  x ← outer(x, ∇f(x⁺))",
    state: "none",
    evaluations: 2,
    hallucination: { possible: "yes", why: fixedLength },
    options: z.object({
      rho: schedule(0.1, "γ, length of the ascent in the Fisher metric (a port: 0.1)"),
      eta: number(1, "η, weight of the Fisher matrix (ports: 1 and 0.1); 0 is SAM", { min: 0 }),
      groups: groups(),
    }),
    citation: "Kim, Li, Hu & Hospedales, ICML 2022, arXiv 2206.04920",
    elsewhere: {},
    differences: [
      "One port divides by ‖Pg‖ instead, which makes the ascent's Euclidean length γ; this follows the paper's metric.",
      "P is formed from the mean gradient over the batch: it is not invariant to the scale of the loss.",
    ],
    create: ({ rho, ...options }, outer) =>
      fisherSam({ rho: parseSchedule(rho), ...options, outer }),
  }),
];
