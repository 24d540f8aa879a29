/** A counterfactual: what a few plain descent steps in a copy of the run would do to the loss. */
import type { EngineOptions } from "../../engine/index.ts";
import { InputError } from "../../engine/errors.ts";
import type { Problem } from "../../problems/problem.ts";
import type { Outer } from "../../sam/contract/method.ts";
import { gradientDescent } from "../../sam/methods/sam.ts";
import type { TrainingState } from "../../sam/training/state.ts";
import { compileTraining } from "../../sam/training/training.ts";

/** What is asked, and with which optimizer. */
export interface CounterfactualOptions extends EngineOptions {
  /** Judged on all training samples. */
  readonly problem: Problem;
  /** The run's own outer optimizer: its state is copied too. */
  readonly outer: Outer;
  /** Descent steps in the copy; default 8. A look costs so many gradients, and one more. */
  readonly steps?: number | undefined;
}

/** What was seen from one state of a run. */
export interface CounterfactualLook {
  /** Step of the run that the copy was taken at. */
  readonly step: number;
  /** Loss there, on all training samples. */
  readonly loss: number;
  /** Loss after the descent steps: the screen's column of that name. */
  readonly descentLoss: number;
}

/** Of which run a state is. */
export interface CounterfactualRun {
  /** Seed of the run; default 0. */
  readonly seed?: number | undefined;
  /** Length of the run, which schedules refer to; default: as far as the look goes. */
  readonly length?: number | undefined;
  /** Knobs in place of the outer optimizer's own, of the same structure. */
  readonly outer?: Outer | undefined;
}

/** Compiled once, asked as often as wanted. The run itself is left as it is. */
export interface Counterfactual {
  look(state: TrainingState, run?: CounterfactualRun): Promise<CounterfactualLook>;
  dispose(): Promise<void>;
}

/**
 * Asks what the same optimizer would do with the true gradient. If that lowers the loss and the run
 * does not, the method holds the run, whatever its optimizer.
 *
 * @example
 * const probe = await prepareCounterfactual({ problem, outer: sgd({ learningRate: 0.01 }) });
 * const { step, loss, descentLoss } = await probe.look(state);
 * @throws {InputError} when `steps` is not a whole number from 1 on.
 */
export async function prepareCounterfactual({
  problem,
  outer,
  steps = 8,
  ...engine
}: CounterfactualOptions): Promise<Counterfactual> {
  if (!Number.isInteger(steps) || steps < 1) {
    throw new InputError(`invalid steps: ${steps} (give a whole number from 1 on)`);
  }
  const descent = await compileTraining({ problem, method: gradientDescent({ outer }), ...engine });
  return {
    dispose: () => descent.dispose(),
    async look({ step, carry }, { seed = 0, length = 0, outer: tuned } = {}) {
      const { memory } = descent.start(seed).carry;
      const until = step + steps + 1;
      const losses: number[] = [];
      await descent.run({
        steps: Math.max(length, until),
        until,
        seed,
        from: { step, carry: { ...carry, memory } },
        ...(tuned && { method: gradientDescent({ outer: tuned }) }),
        onRecords: ({ loss }) => void losses.push(...Array.from(loss, Number)),
      });
      return { step, loss: losses[0] as number, descentLoss: losses[steps] as number };
    },
  };
}
