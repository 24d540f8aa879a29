/** GSAM: descend the perturbed loss and, across it, the gap to the loss. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import {
  addTrees,
  dot,
  moveAlong,
  norm,
  scale,
  select,
  squaredNorm,
  subtractTrees,
  scalar,
} from "../../engine/arrays.ts";
import { normalized, quotient } from "../parts/ascent.ts";
import { entry, type MethodEntry } from "../contract/entry.ts";
import { choice, number, schedule } from "../../settings/fields.ts";
import type { Knobs, Method, Stateless } from "../contract/method.ts";
import { sgd } from "../parts/outer.ts";
import { descend, evidenceOf, fixedLength, method, type SamOptions } from "./sam.ts";
import { parseSchedule } from "../../settings/schedules.ts";

export interface GsamOptions extends Omit<SamOptions, "groups"> {
  /** α ≥ 0, weight of the second part; default 0.4. At 0 `perturbed` is SAM and `plain` is descent. */
  readonly alpha?: number;
  /** Which loss is followed: the perturbed one (default) or the plain one. */
  readonly minimize?: "perturbed" | "plain";
}

/**
 * With g = ∇f(x), p = ∇f(x⁺), u = g/‖g‖   (Zhuang et al. 2022):
 * - `perturbed`: v = p − α (g − (g·p/‖p‖²) p), the part of g across p taken out;
 * - `plain`: v = g + α (p − (p·u) u), the part of p across g added. v = 0 implies g = 0.
 *
 * Where p = 0 there is no direction across it, and `perturbed` stands still.
 */
export function gsam({
  rho = 0.05,
  alpha = 0.4,
  minimize = "perturbed",
  outer = sgd(),
}: GsamOptions = {}): Method {
  const ascent = normalized({ rho });
  return method<Stateless, Knobs>({
    name: "gsam",
    knobs: ascent.knobs,
    outer,
    init: () => ({}),
    step(context) {
      const { objective, params } = context;
      const at = objective.lossAndGradient(params);
      const { perturbation } = ascent.perturb({ ...context, gradient: at.gradient });
      const ascentPoint = addTrees(params, perturbation);
      const shifted = objective.lossAndGradient(ascentPoint);
      const [g, p] = [at.gradient, shifted.gradient];
      const [followed, other] = minimize === "perturbed" ? [p, g] : [g, p];
      const along = scale(quotient(dot(g, p), squaredNorm(followed)), followed);
      const across = subtractTrees(other, along);
      const weight = scalar(minimize === "perturbed" ? -alpha : alpha, at.loss);
      const length = norm(p);
      const zero = scalar(0, length);
      const applied =
        minimize === "perturbed" ? select(np.greater(length.ref, zero), weight, zero) : weight;
      const direction = moveAlong(followed, applied, across);
      const evidence = evidenceOf(at, shifted, ascentPoint, { acrossNorm: norm(across) });
      return descend(outer, direction, context, {}, evidence);
    },
  });
}

export const gsamMethods: readonly MethodEntry[] = [
  entry({
    name: "gsam",
    aliases: ["surrogate-gap-sam"],
    title: "Surrogate gap guided SAM",
    formula: "p = ∇f(x⁺), g⊥ = g − (g·p/‖p‖²)p;  x ← outer(x, p − αg⊥)",
    state: "none",
    evaluations: 2,
    hallucination: {
      possible: "conditional",
      why: `p and g⊥ would have to vanish together, but iterates hover around such points, and in one dimension g⊥ = 0; with minimize=plain impossible. ${fixedLength}`,
    },
    options: z.object({
      rho: schedule(
        0.05,
        "ρ; the paper ties it to the learning rate: give it a schedule of the same form, such as cosine(0.6, 0.1)",
      ),
      alpha: number(0.4, "α, weight of the second part (PyTorch example 0.4; ViT 0.6)", { min: 0 }),
      minimize: choice(
        ["perturbed", "plain"],
        "perturbed",
        "the loss that is followed; plain is official minimize_fp=False",
      ),
    }),
    citation: "Zhuang et al., ICLR 2022, arXiv 2203.08065",
    elsewhere: {
      "juntang-zhuang/GSAM": "GSAM",
      "google-research/big_vision": "gsam_gradient",
      pytorch_optimizer: "GSAM",
    },
    differences: [
      "Where ∇f(x⁺) = 0 the step is 0; PyTorch code then steps uphill along −αg, JAX code gives NaN.",
      "ρ follows a schedule of its own instead of being computed from the learning rate.",
      "Not adaptive: the public adaptive variants differ from each other and from ASAM.",
    ],
    create: ({ rho, ...options }, outer) => gsam({ rho: parseSchedule(rho), ...options, outer }),
  }),
];
