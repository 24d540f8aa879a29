/** ASAM: the radius is measured relative to the size of the weights. */
import { np } from "../../engine/jax-js.ts";
import { add, mapTrees, mapWithPaths, multiply, norm, scalar, scale } from "../../engine/arrays.ts";
import { flag, number, schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs, Stateless } from "../contract/method.ts";
import type { Objective } from "../contract/objective.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { ascent, quotient } from "../parts/ascent.ts";
import { ascending, type AscentOptions, type SamOptions } from "../parts/ascending.ts";
import { groups } from "../parts/roles.ts";

/** What ASAM is given; ρ ≥ 0 is ‖T⁻¹ε‖. */
export interface AsamOptions extends SamOptions {
  /** η ≥ 0 of T = |x| + η. */
  readonly eta?: number | undefined;
  /** Whether T applies to biases too instead of being 1 there. */
  readonly biases?: boolean | undefined;
}

/**
 * ε = ρ T² g/‖T g‖ with T = |x| + η for weights and 1 for biases   (Kwon et al. 2021), so that
 * ‖T⁻¹ε‖ = ρ: rescaling a layer rescales its perturbation.
 */
export function adaptive({ rho, eta, biases }: AscentOptions<AsamOptions>): Ascent {
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
export const asam = defineMethod<AsamOptions>({
  name: "asam",
  aliases: ["adaptive-sam"],
  title: "Adaptive SAM",
  formula: "x⁺ = x + ρ T²g/‖Tg‖, T = |x| + η;  x ← outer(x, ∇f(x⁺))",
  state: "none",
  evaluations: 2,
  hallucination: { possible: "yes", why: fixedLength },
  options: {
    rho: schedule(0.5, "ρ, length of the ascent in the metric T (SamsungLabs/ASAM: 0.5)"),
    eta: number(0.01, "η of T = |x| + η (class default 0.01; its CIFAR script 0)", { min: 0 }),
    biases: flag(false, "let T apply to biases, as davda54/sam does, instead of being 1 there"),
    groups: groups(),
  },
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
  build: ({ groups, outer, ...look }) =>
    ascending({ name: "asam", ascent: adaptive(look), groups, outer }),
});
