/** Lookbehind-SAM: several ascents and descents per step, of which x goes a part of the way. */
import {
  add,
  addTrees,
  dot,
  mapTrees,
  moveAlong,
  multiply,
  norm,
  scalar,
  subtractTrees,
} from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { flag, number, schedule } from "../../settings/fields.ts";
import type { Knobs, Stateless } from "../contract/method.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { ofLength, quotient } from "../parts/ascent.ts";
import type { SamOptions } from "../parts/ascending.ts";
import { evidenceOf, method, type Pass } from "../parts/step.ts";

/** What Lookbehind-SAM is given. */
export interface LookbehindOptions extends Omit<SamOptions, "groups"> {
  /** k ≥ 1, inner steps. */
  readonly steps?: number | undefined;
  /** α in [0, 1], how far x follows the fast parameters. */
  readonly alpha?: number | undefined;
  /** Choose α for every tensor as (cos(φ₁ − x, φ_k − x) + 1)/2 instead. */
  readonly adaptive?: boolean | undefined;
}

/**
 * z₀ = φ₀ = x; k times z ← z + ρ ∇f(z)/‖∇f(z)‖, φ ← outer(φ, ∇f(z)); x ← x + α(φ_k − x)
 * (Mordido et al. 2024). ‖z_k − x‖ may reach kρ. With k = α = 1 the method is SAM.
 */
export const lookbehind = defineMethod<LookbehindOptions>({
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
  options: {
    rho: schedule(0.05, "ρ, length of every ascent (README: 0.05)"),
    steps: number(2, "k, inner steps (README 2, class 5)", { min: 1, integer: true }),
    alpha: number(0.5, "α, how far x follows (README: 0.2, 0.5 or 0.8)", { min: 0, max: 1 }),
    adaptive: flag(false, "choose α per tensor from the angle between first and last move"),
  },
  citation: "Mordido, Malviya, Baratin & Chandar, ICML 2024, arXiv 2307.16704",
  elsewhere: { "chandar-lab/Lookbehind-SAM": "Lookbehind" },
  differences: [
    "k + 1 gradients per step; the shipped loop computes 2k of which k − 1 are repeated.",
    "The outer optimizer's state advances k times per step.",
  ],
  build({ rho, steps, alpha, adaptive, outer }) {
    const knobs = { rho } satisfies Knobs;
    return method<Stateless, typeof knobs>({
      name: "lookbehind",
      knobs,
      outer,
      init: () => ({}),
      step({ objective, params, outerState, knobs }) {
        const at: Pass = objective.lossAndGradient(params);
        let [slow, pass, state] = [params, at, outerState];
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
          outerState: state,
          memory: {},
          evidence: evidenceOf(at, pass, slow),
        };
      },
    });
  },
});
