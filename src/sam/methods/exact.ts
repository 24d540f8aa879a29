/** SAM with the gradient that its derivation drops a term of. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import {
  addTrees,
  dot,
  mapTrees,
  moveAlong,
  multiply,
  norm,
  scalar,
  scale,
  subtract,
} from "../../engine/arrays.ts";
import { quotient } from "../parts/ascent.ts";
import { entry, type MethodEntry } from "../contract/entry.ts";
import { number, schedule } from "../../settings/fields.ts";
import type { Knobs, Method, Stateless } from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";
import { sgd } from "../parts/outer.ts";
import { descend, evidenceOf, method, type SamOptions } from "./sam.ts";
import { parseSchedule } from "../../settings/schedules.ts";

export interface ExactOptions extends Omit<SamOptions, "groups"> {
  /** Largest ρ/‖g‖ in front of the Hessian; default 10,000. Where it binds the step leans towards SAM's. */
  readonly cap?: number;
}

/**
 * Descend f(x⁺) itself. With u = g/‖g‖ and p = ∇f(x⁺):
 * ∇[f(x + ρu)] = p + (ρ/‖g‖) H(x) (p − u(u·p)).
 * SAM keeps p alone. The two agree to first order in ρ.
 */
export function exactSam({ rho = 0.05, cap = 1e4, outer = sgd() }: ExactOptions = {}): Method {
  const knobs = { rho } satisfies Knobs & { rho: Schedule };
  return method<Stateless, typeof knobs>({
    name: "exact-sam",
    knobs,
    outer,
    init: () => ({}),
    step(context) {
      const { objective, params, knobs } = context;
      const at = objective.lossAndGradient(params);
      const length = norm(at.gradient);
      const direction = scale(quotient(scalar(1, length), length), at.gradient);
      const ascentPoint = moveAlong(params, knobs.rho, direction);
      const shifted = objective.lossAndGradient(ascentPoint);
      const along = dot(direction, shifted.gradient);
      const across = mapTrees(
        (p, u) => subtract(p, multiply(along, u)),
        shifted.gradient,
        direction,
      );
      const curved = objective.hessianVectorProduct(params, across);
      const factor = np.minimum(quotient(knobs.rho, length), scalar(cap, length));
      const exact = addTrees(shifted.gradient, scale(factor, curved));
      return descend(outer, exact, context, {}, evidenceOf(at, shifted, ascentPoint));
    },
  });
}

export const exactMethods: readonly MethodEntry[] = [
  entry({
    name: "exact-sam",
    aliases: ["sam-exact"],
    title: "SAM with the exact gradient",
    formula: "p = ∇f(x⁺), u = g/‖g‖;  x ← outer(x, p + (ρ/‖g‖) H (p − u(u·p)))",
    state: "none",
    evaluations: 4,
    hallucination: {
      possible: "yes",
      why: "where ∇f(x⁺) vanishes so does the exact gradient: such points are true minima of f(x⁺)",
    },
    options: z.object({
      rho: schedule(0.05, "ρ, length of the ascent"),
      cap: number(1e4, "largest ρ/‖g‖ in front of the Hessian, ours", { above: 0 }),
    }),
    citation: "the term is named and dropped in Foret et al., ICLR 2021, arXiv 2010.01412",
    elsewhere: {},
    differences: ["No public code follows the exact gradient (see google-research/sam issue 14)."],
    create: ({ rho, cap }, outer) => exactSam({ rho: parseSchedule(rho), cap, outer }),
  }),
];
