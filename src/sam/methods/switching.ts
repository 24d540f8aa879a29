/** Switching: one method first, another in a window of the run. */
import { np } from "../../engine/jax-js.ts";
import { z } from "zod";
import { scalar } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { alignDetails } from "../parts/details.ts";
import { entry, groups, type MethodEntry } from "../contract/entry.ts";
import { number } from "../../settings/fields.ts";
import { untilSafe, type SafeRule } from "./guard.ts";
import type { Tensor, Tree } from "../../engine/tensor.ts";
import type {
  Host,
  KnobValues,
  Knobs,
  Method,
  ProblemSize,
  StepContext,
  StepResult,
} from "../contract/method.ts";
import { gradientDescent, method, sam } from "./sam.ts";
import { power } from "../../settings/schedules.ts";

export interface SwitchingOptions {
  readonly from: Method;
  /** The method inside the window. Both must share one outer optimizer. */
  readonly to: Method;
  /** Start of the window as a fraction of the run in [0, 1], at step ⌈at·steps⌉; default 0.1. */
  readonly at?: number;
  /** End of the window, itself outside: from step ⌈until·steps⌉ on it is `from` again; default 1. */
  readonly until?: number;
}

/** A switch made once looking ahead is safe. */
export interface SafeSwitchingOptions {
  readonly to: Method;
  /** The rule; `{}` for its defaults. See `untilSafe`. */
  readonly when: SafeRule;
}

/**
 * `from`, then `to`   (Park et al. 2025: plain descent for the first 10 %, then SAM). The outer
 * optimizer's state carries over the switch: a momentum buffer is kept, not restarted. The
 * methods' own memories stay apart. Details of one method are NaN while the other runs.
 *
 * With `when` in place of `from` and `at`: plain descent until looking ahead is safe, then `to`.
 */
export function switching(options: SwitchingOptions | SafeSwitchingOptions): Method {
  if ("when" in options) return untilSafe({ to: options.to, ...options.when });
  const { from, to, at = 0.1, until = 1 } = options;
  for (const fraction of [at, until]) {
    if (!(fraction >= 0 && fraction <= 1)) {
      throw new InputError(
        `invalid switch: ${fraction} (give a fraction of the run between 0 and 1)`,
      );
    }
  }
  const either = eitherMethod(from, to);
  const own = {
    // 1 inside the window. Its end is open only before the end of the run.
    switched: (t: number, steps: number) =>
      t >= at * steps && (until === 1 || t < until * steps) ? 1 : 0,
    from: from.knobs,
    to: to.knobs,
  } satisfies Knobs;
  return method<EitherMemory, typeof own>({
    name: `${from.name} to ${to.name}`,
    knobs: own,
    outer: from.outer,
    ...(either.random && { random: true }),
    init: either.init,
    step(context) {
      const { switched } = context.knobs;
      return either.run(context, np.greater(switched.ref, scalar(0.5, switched)));
    },
  });
}

/** Both methods' memories. */
export interface EitherMemory {
  readonly from: ArrayTree;
  readonly to: ArrayTree;
}

/** What methods that run one of two others in every step are made of. */
export interface Either {
  readonly random: boolean;
  readonly init: (params: Tree<Tensor>, size: ProblemSize) => Host<EitherMemory>;
  /** Traced. A step of `to` where the scalar boolean `on` holds, else of `from`. */
  readonly run: (context: EitherContext, on: np.Array) => StepResult<EitherMemory>;
}

/** The context of a step whose knobs hold those of two methods, `from` and `to`. */
export interface EitherContext extends Omit<StepContext<EitherMemory, Knobs>, "knobs"> {
  readonly knobs: { readonly [part in "from" | "to" | "outer"]: KnobValues<Knobs> };
}

/** Join two methods; their knobs must be the wrapper's knobs `from` and `to`. */
export function eitherMethod(from: Method, to: Method): Either {
  if (from.outer !== to.outer) {
    throw new InputError("invalid switch: both methods must be given the same outer optimizer");
  }
  return {
    random: (from.random || to.random) ?? false,
    init: (params, size) => ({ from: from.init(params, size), to: to.init(params, size) }),
    run(context, on) {
      const { objective, knobs, memory } = context;
      const step = (active: Method, own: "from" | "to"): StepResult<EitherMemory> => {
        const result = active.step({
          ...context,
          memory: memory[own],
          knobs: { ...knobs[own], outer: knobs.outer },
        });
        return { ...result, memory: { ...memory, [own]: result.memory } };
      };
      return objective.branch(
        on,
        () => step(to, "to"),
        () => step(from, "from"),
        alignDetails,
      );
    },
  };
}

const anchor = "Park, Jang, Ryu & Yang, preprint, 2025, arXiv 2509.21818";

const window = {
  state: "that of the wrapped method",
  evaluations: "1 outside the window, the wrapped method's inside",
  hallucination: {
    possible: "yes",
    why: "whenever the wrapped method can and is on: the plain steps only choose where it starts",
  },
} as const;

export const switchingMethods: readonly MethodEntry[] = [
  entry({
    ...window,
    name: "switching",
    aliases: ["switch", "warm-start"],
    title: "Plain descent, then SAM",
    formula: "x ← outer(x, g) before step at·T;  then SAM, or the method named by `of`",
    options: z.object({
      at: number(0.1, "where the window starts, as a fraction of the run", { min: 0, max: 1 }),
      until: number(1, "where it ends", { min: 0, max: 1 }),
    }),
    citation: `${anchor}; Andriushchenko & Flammarion, ICML 2022, figure 8`,
    elsewhere: {
      "tml-epfl/understanding-sam": "--sam_epoch_frac_start, --sam_epoch_frac_end (inclusive)",
      "mueller-mp/SAM-ON": "--start_sam, --end_sam",
    },
    differences: [
      "One outer optimizer for both phases, whose momentum continues; public scripts keep two.",
      "The window is half-open: its end lies outside.",
    ],
    wraps: "sam",
    create: ({ at, until }, outer, inner) =>
      switching({ from: gradientDescent({ outer }), to: inner ?? sam({ outer }), at, until }),
  }),
  entry({
    ...window,
    name: "late-phase-sam",
    aliases: ["late-phase"],
    title: "SAM in the late phase",
    formula: "x ← outer(x, g);  SAM, or the method named by `of`, from step at·T on",
    options: z.object({
      at: number(
        0.9375,
        "where SAM starts, as a fraction of the run (official: 150 of 160 epochs)",
        {
          min: 0,
          max: 1,
        },
      ),
    }),
    citation: "Zhou et al., ICLR 2025, arXiv 2410.10373",
    elsewhere: { "zzp1012/SAM-in-Late-Phase": "ERM_to_SAM" },
    differences: [
      "Momentum continues over the switch; the official script keeps two optimizers, so that it restarts from zero.",
    ],
    wraps: "sam",
    create: ({ at }, outer, inner) =>
      switching({ from: gradientDescent({ outer }), to: inner ?? sam({ outer }), at }),
  }),
  entry({
    name: "decaying-sam",
    aliases: ["decaying-rho"],
    title: "SAM with decaying ρ",
    formula: "x⁺ = x + ρ/(t+1)^p g/‖g‖;  x ← outer(x, ∇f(x⁺))",
    state: "none",
    evaluations: 2,
    hallucination: {
      possible: "conditional",
      why: "not in the limit, as ‖∇f(x⁺) − g‖ ≤ Lρ_t → 0; but the limit may be a maximizer or saddle",
    },
    options: z.object({
      rho: number(0.05, "ρ of the first step", { min: 0 }),
      decay: number(0.5, "p: ρ_t = ρ/(t+1)^p; 0 is SAM", { min: 0 }),
      groups: groups(),
    }),
    citation: "Khanh, Luong, Mordukhovich & Tran, NeurIPS 2024, arXiv 2401.08060",
    elsewhere: {},
    differences: [
      "Every method takes such a ρ as a schedule: rho=power(0.1, 0.5), linear(…), cosine(…), stepwise(…).",
    ],
    create: ({ rho, decay, groups }, outer) =>
      sam({ rho: power({ initial: rho, exponent: decay }), groups, outer }),
  }),
];
