/** Methods in three factors: ascent (where to look) × what to follow × outer (how to move). */
import type { ArrayTree } from "../../engine/program.ts";
import type { Complete } from "../../settings/options.ts";
import type { Schedule } from "../../settings/schedules.ts";
import type { Ascent, Evidence, Knobs, Method, Outer, StepContext } from "../contract/method.ts";
import type { Objective } from "../contract/objective.ts";
import type { OuterOptions } from "../define.ts";
import { grouped, type Groups } from "./ascent.ts";
import { sgd } from "./outer.ts";
import { descend, evidenceOf, lookAhead, method, type Pass } from "./step.ts";

/** What SAM and its kin are given. */
export interface SamOptions extends OuterOptions {
  /** ρ ≥ 0, in units of the parameters. At ρ = 0 the method is the outer optimizer, bit for bit. */
  readonly rho?: Schedule | undefined;
  /** Factor of ρ per role; 1 for roles left out. See `grouped`. */
  readonly groups?: Groups | undefined;
}

/** What an ascent takes of a method's options, with every default filled in. */
export type AscentOptions<Options> = Complete<Omit<Options, "groups" | "outer">>;

/** What is known once the ascent was made: x, the pass there, and x⁺. */
export interface Reached {
  readonly objective: Objective;
  readonly params: ArrayTree;
  /** Values of the ascent's knobs in this step. */
  readonly knobs: StepContext<ArrayTree, Knobs>["knobs"];
  /** The pass at x. */
  readonly at: ReturnType<Objective["lossAndGradient"]>;
  /** x⁺. */
  readonly ascentPoint: ArrayTree;
}

/** What is known once the pass at x⁺ was made, too. */
export interface Seen extends Reached {
  readonly shifted: Pass;
}

/** What the outer optimizer is handed. */
export interface Followed {
  /** Stands for the gradient. */
  readonly direction: ArrayTree;
  /** More scalars worth recording. */
  readonly details?: Evidence["details"];
}

/** The factors of a method that looks ahead in every step. */
export interface AscendingOptions {
  readonly name: string;
  /** Where to look. */
  readonly ascent: Ascent;
  /** Factor of the perturbation per role; default 1 for all. */
  readonly groups?: Groups | undefined;
  /** Traced. The pass at x⁺; default: the mean loss over the step's batch and its gradient. */
  readonly passAt?: (reached: Reached) => Pass;
  /** Traced, borrows. What to follow; default: SAM's ∇f(x⁺). */
  readonly follow?: (seen: Seen) => Followed;
  /** How to move; default `sgd()`. */
  readonly outer?: Outer | undefined;
}

/**
 * x⁺ = x + ε(x);  x ← outer(x, v(x, x⁺)), where v = ∇f(x⁺) unless `follow` says otherwise
 * (Foret et al. 2021, algorithm 1).
 *
 * @example
 * const sam = ascending({ name: "sam", ascent: normalized({ rho: 0.05 }) });
 */
export function ascending({
  name,
  ascent: ungrouped,
  groups = {},
  passAt = ({ objective, ascentPoint }) => objective.lossAndGradient(ascentPoint),
  follow = ({ shifted }) => ({ direction: shifted.gradient }),
  outer = sgd(),
}: AscendingOptions): Method {
  const ascent = grouped(ungrouped, groups);
  return method<ArrayTree, Knobs>({
    name,
    knobs: ascent.knobs,
    outer,
    ...(ascent.random && { random: true }),
    ...(Object.values(groups).some((factor) => factor !== 1) && { grouped: true }),
    init: (params, size) => ascent.init(params, size),
    step(context) {
      const { objective, params, knobs } = context;
      const at = objective.lossAndGradient(params);
      const from = { objective, params, knobs, at };
      const ahead = lookAhead(ascent, context, at, (ascentPoint) =>
        passAt({ ...from, ascentPoint }),
      );
      const { ascentPoint, shifted, memory } = ahead;
      const { direction, details } = follow({ ...from, ascentPoint, shifted });
      const evidence = evidenceOf(at, shifted, ascentPoint, details);
      return descend(outer, direction, context, memory, evidence);
    },
  });
}
