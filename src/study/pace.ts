/** The pace of a sweep: how long it takes, from the time of single steps. */
import { programKey } from "../run/build.ts";
import type { RunSpec } from "../run/spec.ts";
import type { Cell } from "./study.ts";

/** Steps timed before a sweep. */
export interface StepTimes {
  /** Seconds per step on one thread, by program key. */
  readonly secondsPerStep: ReadonlyMap<string, number>;
  /** Programs in all, of which the map holds those that were timed. */
  readonly programs: number;
}

/** Seconds that the steps of these cells take on one thread. */
export function predictSeconds(cells: readonly Cell[], estimate: StepTimes): number {
  const cost = costOf(estimate);
  return cells.reduce((sum, { spec }) => sum + spec.steps * cost(spec), 0);
}

/** Programs that were not timed are taken for average ones. */
function costOf({ secondsPerStep }: StepTimes): (spec: RunSpec) => number {
  const timed = [...secondsPerStep.values()];
  const mean = timed.reduce((sum, seconds) => sum + seconds, 0) / Math.max(1, timed.length);
  return (spec) => secondsPerStep.get(programKey(spec)) ?? mean;
}

/** Follows a sweep; predictions are corrected by how long the work done so far really took. */
export interface Pace {
  /** A cell's run stands at this step; its first report says where it began. */
  reach(cell: Cell, step: number): void;
  /** The cell needs no more work. */
  finish(cell: Cell): void;
  secondsLeft(): number;
}

/** @param now seconds, from any origin; default the monotonic clock. */
export function createPace(
  pending: readonly Cell[],
  estimate: StepTimes,
  workers: number,
  now: () => number = () => performance.now() / 1000,
): Pace {
  const cost = costOf(estimate);
  const steps = new Map<string, number>();
  const began = now();
  let left = predictSeconds(pending, estimate);
  let done = 0;
  const advance = (cell: Cell, from: number, to: number) => {
    const seconds = (to - from) * cost(cell.spec);
    left -= seconds;
    return seconds;
  };
  return {
    reach(cell, step) {
      const before = steps.get(cell.id);
      const seconds = advance(cell, before ?? 0, step);
      if (before !== undefined) done += seconds;
      steps.set(cell.id, step);
    },
    finish(cell) {
      done += advance(cell, steps.get(cell.id) ?? 0, cell.spec.steps);
      steps.delete(cell.id);
    },
    secondsLeft() {
      const elapsed = now() - began;
      // Before anything is done there is nothing but the prediction.
      const scale = done > 0 ? elapsed / done : 1 / workers;
      return Math.max(0, left) * scale;
    },
  };
}
