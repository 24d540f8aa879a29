/** Switching: one method first, another from some step on. */
import { numpy as np } from "@jax-js/jax";
import type { ArrayTree } from "../engine/program.ts";
import type { Knobs, Method, StepResult } from "./method.ts";
import { method } from "./sam.ts";

/**
 * `from` for the first `at` of the run, then `to`   (Park et al. 2025: SGD for the first 10 %,
 * then SAM). Both must share one outer optimizer, whose state carries over the switch: a momentum
 * buffer is kept, not restarted. The methods' own memories stay apart.
 *
 * @param at fraction of the run in [0, 1]; the switch happens at step ⌈at·steps⌉. Default 0.1.
 */
export function switching({
  from,
  to,
  at = 0.1,
}: {
  from: Method;
  to: Method;
  at?: number;
}): Method {
  if (!(at >= 0 && at <= 1)) {
    throw new RangeError(`invalid switch: ${at} (give a fraction of the run between 0 and 1)`);
  }
  if (from.outer !== to.outer) {
    throw new TypeError("invalid switch: both methods must be given the same outer optimizer");
  }
  const knobs = {
    // 1 from the switch on.
    switched: (t: number, steps: number) => (t >= at * steps ? 1 : 0),
    from: from.knobs,
    to: to.knobs,
  } satisfies Knobs;
  interface Memory {
    readonly from: ArrayTree;
    readonly to: ArrayTree;
  }
  return method<Memory, typeof knobs>({
    name: `${from.name} to ${to.name}`,
    knobs,
    outer: from.outer,
    ...((from.random || to.random) && { random: true }),
    init: (params, size) => ({ from: from.init(params, size), to: to.init(params, size) }),
    step(context) {
      const { objective, knobs, memory } = context;
      const run = (active: Method, own: "from" | "to"): StepResult<Memory> => {
        const result = active.step({
          ...context,
          memory: memory[own],
          knobs: { ...knobs[own], outer: knobs.outer },
        });
        return { ...result, memory: { ...memory, [own]: result.memory } };
      };
      const switched = np.greater(knobs.switched.ref, 0.5);
      return objective.branch(
        switched,
        () => run(to, "to"),
        () => run(from, "from"),
      );
    },
  });
}
