/** Schedules: settings that change over a run. */
import type { Schedule } from "./method.ts";

/** The value at step t of a run of `steps` steps. */
export function valueAt(schedule: Schedule, t: number, steps: number): number {
  return typeof schedule === "number" ? schedule : schedule(t, steps);
}

/** From `initial` to `final` along half a cosine (Loshchilov & Hutter 2017, without restarts). */
export function cosine({ initial, final = 0 }: { initial: number; final?: number }): Schedule {
  return (t, steps) => final + ((initial - final) * (1 + Math.cos((Math.PI * t) / steps))) / 2;
}

/**
 * Multiply by `factor` at each milestone, given as fractions of the run.
 * Defaults: a tenth at one half and again at three quarters.
 */
export function stepwise({
  initial,
  factor = 0.1,
  milestones = [0.5, 0.75],
}: {
  initial: number;
  factor?: number;
  milestones?: readonly number[];
}): Schedule {
  return (t, steps) => initial * factor ** milestones.filter((m) => t >= m * steps).length;
}
