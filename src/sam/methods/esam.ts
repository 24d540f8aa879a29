/** ESAM: SAM on some parameters and some samples. */
import { np } from "../../engine/jax-js.ts";
import { mapTrees, mean, multiply, norm, scalar, scale, subtract } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { choice, number, schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs, Stateless, StepTime } from "../contract/method.ts";
import type { Objective } from "../contract/objective.ts";
import { methodKeys, uniformLike } from "../contract/random.ts";
import { takeSamples } from "../contract/samples.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { ascent, normalized, quotient } from "../parts/ascent.ts";
import { ascending, type AscentOptions, type SamOptions } from "../parts/ascending.ts";

/** What ESAM is given. */
export interface EsamOptions extends Omit<SamOptions, "groups"> {
  /** β in (0, 1], the chance of being perturbed. */
  readonly beta?: number | undefined;
  /** γ in (0, 1], the share of samples that shape the step. */
  readonly gamma?: number | undefined;
  /** What is kept or left out as a whole: tensors (official code) or coordinates (paper). */
  readonly unit?: "tensor" | "coordinate" | undefined;
  /** Whose gradients the norm is taken over: kept ones (official code) or all (paper). */
  readonly over?: "kept" | "all" | undefined;
}

/** ε = (ρ/β) m∘g/‖·‖ with a random mask m, P(m = 1) = β: stochastic weight perturbation (Du et al. 2022a). */
export function stochastic({
  rho,
  beta,
  unit,
  over,
}: Omit<AscentOptions<EsamOptions>, "gamma">): Ascent {
  if (beta === 1) return normalized({ rho });
  const knobs = { rho } satisfies Knobs;
  return ascent<Stateless, typeof knobs>({
    knobs,
    random: true,
    init: () => ({}),
    perturb({ gradient, knobs: { rho }, time }) {
      const masked = mapTrees(multiply, keepMask(time, gradient, beta, unit), gradient);
      const length = norm(over === "kept" ? masked : gradient);
      const farther = multiply(rho, scalar(1 / beta, rho));
      return { perturbation: scale(quotient(farther, length), masked), memory: {} };
    },
  });
}

function keepMask(
  time: StepTime,
  like: ArrayTree,
  beta: number,
  unit: "tensor" | "coordinate",
): ArrayTree {
  const [key] = methodKeys(time, 1) as [np.Array];
  const each =
    unit === "coordinate" ? like : mapTrees((leaf) => np.zeros([], { dtype: leaf.dtype }), like);
  return mapTrees(
    (u) => np.where(np.less(u.ref, scalar(beta, u)), scalar(1, u), scalar(0, u)),
    uniformLike(key, each),
  );
}

/** The `keep` samples of the batch with the largest scores; among equals the earlier ones. */
function largest(scores: np.Array, keep: number, { batch }: Objective): ArrayTree {
  const order = np.argsort(np.negative(scores));
  const [largest] = np.split(order, [keep]) as [np.Array];
  return takeSamples(batch, largest);
}

/**
 * A random part of the parameters is perturbed, and the step follows ∇f(x⁺) on the ⌈γB⌉ samples
 * whose loss rose most from x to x⁺   (Du et al. 2022a). β = γ = 1 is SAM. The loss at x⁺ is
 * reported over all samples, the gradient there over the chosen ones.
 */
export const esam = defineMethod<EsamOptions>({
  name: "esam",
  aliases: ["efficient-sam"],
  title: "Efficient SAM",
  formula:
    "x⁺ = x + (ρ/β) m∘g/‖m∘g‖, m random;  x ← outer(x, ∇f on the ⌈γB⌉ samples that rose most)",
  state: "none",
  evaluations: "1 + 1/3 + gamma; 2 for gamma = 1",
  hallucination: {
    possible: "conditional",
    why: `for β = 1 as in SAM; for β < 1 the random mask moves the ascent point in every step. ${fixedLength}`,
  },
  options: {
    rho: schedule(0.05, "ρ, length of the ascent times β (official 0.05)"),
    beta: number(1, "β, chance of being perturbed (flag default 1; script 0.5 or 0.6)", {
      above: 0,
      max: 1,
    }),
    gamma: number(1, "γ, share of samples that shape the step (flag default 1; script 0.5)", {
      above: 0,
      max: 1,
    }),
    unit: choice(
      ["tensor", "coordinate"],
      "tensor",
      "what is perturbed or left as a whole: tensor (official code) or coordinate (paper)",
    ),
    over: choice(
      ["kept", "all"],
      "kept",
      "gradients the norm is taken over: kept (official code) or all (paper)",
    ),
  },
  citation: "Du, Yan, Feng, Zhou, Zhen, Goh & Tan, ICLR 2022, arXiv 2110.03141",
  elsewhere: { "dydjw9/Efficient_SAM": "ESAM" },
  differences: [
    "Exactly ⌈γB⌉ samples are kept; official code compares with >, keeping one fewer, and none when γB = 1.",
    "The backward pass at x covers all parameters, where official code skips tensors that are not perturbed.",
    "The mask is drawn in the step that uses it.",
  ],
  build: ({ gamma, outer, ...look }) =>
    ascending({
      name: "esam",
      ascent: stochastic(look),
      outer,
      passAt({ objective, at, ascentPoint }) {
        const keep = Math.ceil(gamma * objective.size);
        if (keep === objective.size) return objective.lossAndGradient(ascentPoint);
        const { losses } = objective.forward(ascentPoint);
        const chosen = largest(subtract(losses, at.forward.losses), keep, objective);
        const { gradient } = objective.lossAndGradient(ascentPoint, chosen);
        return { loss: mean(losses), gradient };
      },
    }),
});
