/** Multi-step SAM: an ascent of several steps. */
import { np } from "../../engine/jax-js.ts";
import { addTrees, divide, multiply, norm, scalar, scale, select } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { flag, number, schedule } from "../../settings/fields.ts";
import type { Ascent, Knobs, Stateless } from "../contract/method.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { ascent, ofLength } from "../parts/ascent.ts";
import { ascending, type AscentOptions, type SamOptions } from "../parts/ascending.ts";
import { groups } from "../parts/roles.ts";

/** What multi-step SAM is given. */
export interface MultiStepOptions extends SamOptions {
  /** Number n ≥ 1 of ascent steps. At 1 the ascent is SAM's. */
  readonly steps?: number | undefined;
  /**
   * Steps of length ρ, each followed by a projection onto the ρ-ball, or else steps of length ρ/n
   * and no projection.
   */
  readonly project?: boolean | undefined;
}

/** n normalized ascent steps, each from where the last one ended   (Andriushchenko & Flammarion 2022). */
export function repeated({ rho, steps, project }: AscentOptions<MultiStepOptions>): Ascent {
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
export const multiStepSam = defineMethod<MultiStepOptions>({
  name: "multistep-sam",
  aliases: ["multi-step-sam"],
  title: "Multi-step SAM",
  formula: "n times δ ← Π_ρ(δ + ρ∇f(x+δ)/‖·‖);  x ← outer(x, ∇f(x+δ))",
  state: "none",
  evaluations: "1 + steps",
  hallucination: { possible: "yes", why: fixedLength },
  options: {
    rho: schedule(0.05, "ρ, radius of the ball"),
    steps: number(2, "n, ascent steps; 1 is SAM", { min: 1, integer: true }),
    project: flag(true, "steps of length ρ with projection (tml-epfl), else ρ/n without"),
    groups: groups(),
  },
  citation:
    "Andriushchenko & Flammarion, ICML 2022, arXiv 2206.06232; Kim et al. 2023, arXiv 2302.10181",
  elsewhere: {
    "tml-epfl/understanding-sam": "--sam_iters",
    optax: "contrib.sam(sync_period=n+1), without projection",
  },
  differences: [],
  build: ({ groups, outer, ...look }) =>
    ascending({ name: "multistep-sam", ascent: repeated(look), groups, outer }),
});
