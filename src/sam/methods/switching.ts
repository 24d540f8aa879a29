/** Switching: one method first, another in a window of the run or once it is safe. */
import { np } from "../../engine/jax-js.ts";
import { scalar } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type { Tensor, Tree } from "../../engine/tensor.ts";
import { number } from "../../settings/fields.ts";
import type {
  KnobValues,
  Knobs,
  Method,
  OnHost,
  ProblemSize,
  StepContext,
  StepResult,
} from "../contract/method.ts";
import { defineWrapper } from "../define.ts";
import { alignDetails } from "../parts/details.ts";
import { method } from "../parts/step.ts";
import { untilSafe, type SafeRule } from "./guard.ts";
import { gradientDescent } from "./sam.ts";

/** Both methods' memories. */
interface EitherMemory {
  readonly from: ArrayTree;
  readonly to: ArrayTree;
}

/** What methods that run one of two others in every step are made of. */
interface Either {
  readonly random: boolean;
  readonly init: (params: Tree<Tensor>, size: ProblemSize) => OnHost<EitherMemory>;
  /** Traced. A step of `to` where the scalar boolean `on` holds, else of `from`. */
  readonly run: (context: EitherContext, on: np.Array) => StepResult<EitherMemory>;
}

/** The context of a step whose knobs hold those of two methods, `from` and `to`. */
interface EitherContext extends Omit<StepContext<EitherMemory, Knobs>, "knobs"> {
  readonly knobs: { readonly [part in "from" | "to" | "outer"]: KnobValues<Knobs> };
}

/** Join two methods; their knobs must be the wrapper's knobs `from` and `to`. */
function eitherMethod(from: Method, to: Method): Either {
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

/** What switching in a window is given. */
export interface SwitchingOptions {
  /** The method outside the window. */
  readonly from: Method;
  /** The method inside the window. Both must share one outer optimizer. */
  readonly to: Method;
  /** Start of the window as a fraction of the run in [0, 1], at step ⌈at·steps⌉. */
  readonly at?: number | undefined;
  /** End of the window, itself outside: from step ⌈until·steps⌉ on it is `from` again. */
  readonly until?: number | undefined;
}

/** `from`, and `to` in a window of the run. See `switching`. */
export const switchingInWindow = defineWrapper<SwitchingOptions>({
  ...window,
  name: "switching",
  aliases: ["switch", "warm-start"],
  title: "Plain descent, then SAM",
  formula: "x ← outer(x, g) before step at·T;  then SAM, or the method named by `of`",
  options: {
    at: number(0.1, "where the window starts, as a fraction of the run", { min: 0, max: 1 }),
    until: number(1, "where it ends", { min: 0, max: 1 }),
  },
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
  around: { from: ({ outer }) => gradientDescent({ outer }), to: (inner) => inner },
  build({ from, to, at, until }) {
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
      ...(to.grouped && { grouped: true }),
      init: either.init,
      step(context) {
        const { switched } = context.knobs;
        return either.run(context, np.greater(switched.ref, scalar(0.5, switched)));
      },
    });
  },
});

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
export const switching = (options: SwitchingOptions | SafeSwitchingOptions): Method =>
  "when" in options ? untilSafe({ to: options.to, ...options.when }) : switchingInWindow(options);

/** What SAM in the late phase is given. */
export interface LatePhaseOptions {
  /** The method of the late phase. */
  readonly to: Method;
  /** Where it starts as a fraction of the run in [0, 1]. */
  readonly at?: number | undefined;
}

/** Plain descent, then `to` for the end of the run   (Zhou et al. 2025). */
export const latePhaseSam = defineWrapper<LatePhaseOptions>({
  ...window,
  name: "late-phase-sam",
  aliases: ["late-phase"],
  title: "SAM in the late phase",
  formula: "x ← outer(x, g);  SAM, or the method named by `of`, from step at·T on",
  options: {
    at: number(0.9375, "where SAM starts, as a fraction of the run (official: 150 of 160 epochs)", {
      min: 0,
      max: 1,
    }),
  },
  citation: "Zhou et al., ICLR 2025, arXiv 2410.10373",
  elsewhere: { "zzp1012/SAM-in-Late-Phase": "ERM_to_SAM" },
  differences: [
    "Momentum continues over the switch; the official script keeps two optimizers, so that it restarts from zero.",
  ],
  wraps: "sam",
  around: { to: (inner) => inner },
  build: ({ to, at }) => switchingInWindow({ from: gradientDescent({ outer: to.outer }), to, at }),
});
