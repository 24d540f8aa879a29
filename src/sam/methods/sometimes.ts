/** Methods that look ahead only in some steps. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import {
  add,
  addTrees,
  dot,
  mapTrees,
  moveAlong,
  multiply,
  norm,
  scalar,
  scale,
  select,
  sqrt,
  square,
  squaredNorm,
  subtract,
  subtractTrees,
} from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { scalarTensor } from "../../engine/tensor.ts";
import { normalized, quotient } from "../parts/ascent.ts";
import { entry, type MethodEntry } from "../contract/entry.ts";
import { flag, number, schedule } from "../../settings/fields.ts";
import type { Evidence, Knobs, Method, StepContext } from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";
import { dtypeOf, sgd, zerosAs } from "../parts/outer.ts";
import { descend, evidenceOf, method, plainEvidence, type Pass, type SamOptions } from "./sam.ts";
import { parseSchedule } from "../../settings/schedules.ts";

/** The second pass of SAM from where the first one, `at`, was made. */
function lookAhead(
  { objective, params, knobs, ...context }: StepContext<ArrayTree, { rho: Schedule }>,
  at: Pass,
): { readonly gradient: ArrayTree; readonly evidence: Evidence } {
  const { perturbation } = normalized().perturb({
    ...context,
    objective,
    params,
    knobs: { rho: knobs.rho },
    memory: {},
    gradient: at.gradient,
  });
  const ascentPoint = addTrees(params, perturbation);
  const shifted = objective.lossAndGradient(ascentPoint);
  return { gradient: shifted.gradient, evidence: evidenceOf(at, shifted, ascentPoint) };
}

export interface LookSamOptions extends Omit<SamOptions, "groups"> {
  /** SAM every k-th step, k ≥ 1; default 10. At 1 the method is SAM. */
  readonly every?: number;
  /** α ≥ 0, weight of the remembered direction in between; default 0.7. */
  readonly alpha?: number;
  /** Project and rescale tensor by tensor instead of globally; default false. */
  readonly perTensor?: boolean;
}

/**
 * Every k-th step a SAM gradient s, of which the part across g is remembered, r = s − (s·u)u; in
 * between v = g + α (‖g‖/‖r‖) r   (Liu et al. 2022).
 */
export function lookSam({
  rho = 0.1,
  every = 10,
  alpha = 0.7,
  perTensor = false,
  outer = sgd(),
}: LookSamOptions = {}): Method {
  const knobs = { rho } satisfies Knobs & { rho: Schedule };
  interface Memory {
    /** r. */
    readonly across: ArrayTree;
    /** Steps since r was refreshed; 0 when it is due. */
    readonly age: np.Array;
  }
  // Rescaling would turn rounding into a direction of its own: what is no more counts as zero.
  const across = (s: ArrayTree, g: ArrayTree): ArrayTree => {
    const rest = subtractTrees(s, scale(quotient(dot(s, g), squaredNorm(g)), g));
    const length = norm(s);
    const rounding = multiply(scalar(16 * epsilonOf(length), length), length);
    const isReal = np.greater(norm(rest), rounding);
    return scale(select(isReal, scalar(1, length), scalar(0, length)), rest);
  };
  const reuse = (g: ArrayTree, r: ArrayTree): ArrayTree => {
    const length = norm(g);
    return moveAlong(g, quotient(multiply(scalar(alpha, length), length), norm(r)), r);
  };
  const each = (combine: (a: ArrayTree, b: ArrayTree) => ArrayTree) =>
    perTensor
      ? (a: ArrayTree, b: ArrayTree) => mapTrees((x, y) => combine(x, y) as np.Array, a, b)
      : combine;
  return method<Memory, typeof knobs>({
    name: "looksam",
    knobs,
    outer,
    init: (params) => ({
      across: zerosAs(params),
      age: scalarTensor(0, "int32"),
    }),
    step(context) {
      const { objective, params, memory } = context;
      const at = objective.lossAndGradient(params);
      const isDue = np.less(memory.age.ref, 1);
      const { direction, remembered, evidence } = objective.branch(
        isDue,
        () => {
          const { gradient, evidence } = lookAhead(withoutMemory(context), at);
          return {
            direction: gradient,
            remembered: each(across)(gradient, at.gradient),
            evidence,
          };
        },
        () => ({
          direction: each(reuse)(at.gradient, memory.across),
          remembered: memory.across,
          evidence: plainEvidence(at, params),
        }),
      );
      const one = scalar(1, at.loss);
      const details = { refreshed: np.where(isDue.ref, one, scalar(0, at.loss)) };
      const older = np.add(memory.age.ref, 1);
      const age = np.where(np.less(older.ref, every), older, 0);
      return descend(
        outer,
        direction,
        context,
        { across: remembered, age },
        { ...evidence, details },
      );
    },
  });
}

/** Distance from 1 to the next number. */
const epsilonOf = ({ dtype }: np.Array): number => (dtype === np.float64 ? 2 ** -52 : 2 ** -23);

const withoutMemory = <K extends Knobs>(context: StepContext<unknown, K>) =>
  ({ ...context, memory: {} }) as unknown as StepContext<ArrayTree, { rho: Schedule }>;

export interface AeSamOptions extends Omit<SamOptions, "groups"> {
  /** δ in [0, 1), weight of the *old* averages; default 0.9. */
  readonly delta?: number;
  /** λ₁: threshold at the end of the run, in standard deviations; default −1. */
  readonly lambda1?: number;
  /** λ₂: threshold at its start; default 1. */
  readonly lambda2?: number;
  /** σ² before the first step; default e⁻¹⁰. */
  readonly initialVariance?: number;
}

/**
 * With q = ‖g‖²: μ ← δμ + (1−δ)q, σ² ← δσ² + (1−δ)(q − μ)², and SAM where q ≥ μ + c_t σ with
 * c_t = (t/T)λ₁ + (1 − t/T)λ₂, else plain descent   (Jiang et al. 2023).
 */
export function aeSam({
  rho = 0.05,
  delta = 0.9,
  lambda1 = -1,
  lambda2 = 1,
  initialVariance = Math.exp(-10),
  outer = sgd(),
}: AeSamOptions = {}): Method {
  const knobs = {
    rho,
    threshold: (t: number, steps: number) => (t / steps) * lambda1 + (1 - t / steps) * lambda2,
  } satisfies Knobs;
  interface Memory {
    readonly mean: np.Array;
    readonly variance: np.Array;
  }
  return method<Memory, typeof knobs>({
    name: "ae-sam",
    knobs,
    outer,
    init: (params) => ({
      mean: scalarTensor(0, dtypeOf(params)),
      variance: scalarTensor(initialVariance, dtypeOf(params)),
    }),
    step(context) {
      const { objective, params, memory, knobs } = context;
      const at = objective.lossAndGradient(params);
      const q = squaredNorm(at.gradient);
      const average = (old: np.Array, now: np.Array) =>
        add(multiply(scalar(delta, old), old), multiply(scalar(1 - delta, now), now));
      const mean = average(memory.mean, q);
      const variance = average(memory.variance, square(subtract(q, mean)));
      const bound = add(mean, multiply(knobs.threshold, sqrt(variance)));
      const isSharp = np.greaterEqual(q.ref, bound);
      const { direction, evidence } = objective.branch(
        isSharp,
        () => {
          const { gradient, evidence } = lookAhead(withoutMemory(context), at);
          return { direction: gradient, evidence };
        },
        () => ({ direction: at.gradient, evidence: plainEvidence(at, params) }),
      );
      const details = { fired: np.where(isSharp.ref, scalar(1, q), scalar(0, q)) };
      return descend(outer, direction, context, { mean, variance }, { ...evidence, details });
    },
  });
}

export const sometimesMethods: readonly MethodEntry[] = [
  entry({
    name: "looksam",
    aliases: ["look-sam"],
    title: "LookSAM",
    formula: "every k steps SAM's s, r = s − (s·u)u;  else x ← outer(x, g + α(‖g‖/‖r‖)r)",
    state: "1 copy: r",
    evaluations: "1 + 1/every",
    hallucination: {
      possible: "conditional",
      why: "for k > 1 the steps in between follow the true gradient, so no such point is a fixed point; a bias remains",
    },
    options: z.object({
      rho: schedule(0.1, "ρ, length of the ascent (ports: 0.1)"),
      every: number(
        10,
        "k, steps from one SAM gradient to the next (ports 10, paper 5); 1 is SAM",
        {
          min: 1,
          integer: true,
        },
      ),
      alpha: number(0.7, "α, weight of the remembered direction", { min: 0 }),
      perTensor: flag(false, "project and rescale tensor by tensor, as most ports do"),
    }),
    citation: "Liu, Mai, Chen, Hsieh & You, CVPR 2022, arXiv 2203.02714",
    elsewhere: { pytorch_optimizer: "LookSAM", "rollovd/LookSAM": "LookSAM" },
    differences: [
      "Norms and projections are global, as in the paper; rollovd and pytorch_optimizer take them per tensor (perTensor=true).",
      "A remembered direction that is mere rounding counts as zero; ports add 1e-8 to its norm.",
      "Steps are counted from the method's first step, which is a SAM step, also after a switch.",
    ],
    create: ({ rho, ...options }, outer) => lookSam({ rho: parseSchedule(rho), ...options, outer }),
  }),
  entry({
    name: "ae-sam",
    aliases: ["aesam", "adaptive-policy-sam"],
    title: "SAM by an adaptive policy",
    formula:
      "SAM where ‖g‖² ≥ μ + c_t σ, running mean and deviation of ‖g‖²;  else x ← outer(x, g)",
    state: "2 scalars",
    evaluations: "1 to 2",
    hallucination: {
      possible: "conditional",
      why: "only while the SAM branch keeps firing: at rest ‖g‖² = μ and σ → 0 is a tie, and a tie fires",
    },
    options: z.object({
      rho: schedule(0.05, "ρ, length of the ascent"),
      delta: number(0.9, "δ, weight of the old averages", { min: 0, below: 1 }),
      lambda1: number(-1, "λ₁, threshold at the end of the run"),
      lambda2: number(1, "λ₂, threshold at its start"),
      initialVariance: number(Math.exp(-10), "σ² before the first step", { min: 0 }),
    }),
    citation: "Jiang, Yang, Zhang & Kwok, ICLR 2023, arXiv 2304.14647",
    elsewhere: {},
    differences: ["No official code is public; the rule is the paper's."],
    create: ({ rho, ...options }, outer) => aeSam({ rho: parseSchedule(rho), ...options, outer }),
  }),
];
