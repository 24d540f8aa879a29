/** Schedules: settings that change over a run. */
import { InputError, show, unknownName } from "../engine/errors.ts";

/**
 * A setting over the course of a run: a number, or a function of the step t = 0, 1, … and the
 * length of the run. Knobs are inputs of the compiled step: changing one does not recompile.
 */
export type Schedule = number | ((t: number, steps: number) => number);

/** The value at step t of a run of `steps` steps. */
export function valueAt(schedule: Schedule, t: number, steps: number): number {
  return typeof schedule === "number" ? schedule : schedule(t, steps);
}

/** initial / (t + 1)^exponent; default exponent ½. */
export function power({
  initial,
  exponent = 0.5,
}: {
  initial: number;
  exponent?: number | undefined;
}): Schedule {
  return (t) => initial / (t + 1) ** exponent;
}

/** From `initial` to `final`, default 0, along a straight line. */
export function linear({
  initial,
  final = 0,
}: {
  initial: number;
  final?: number | undefined;
}): Schedule {
  return (t, steps) => initial + ((final - initial) * t) / steps;
}

/** From `initial` to `final` along half a cosine (Loshchilov & Hutter 2017, without restarts). */
export function cosine({
  initial,
  final = 0,
}: {
  initial: number;
  final?: number | undefined;
}): Schedule {
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
  factor?: number | undefined;
  milestones?: readonly number[];
}): Schedule {
  return (t, steps) => initial * factor ** milestones.filter((m) => t >= m * steps).length;
}

/**
 * Warm-up: over the first `share` of the run, W steps, a straight line, v(t + 1)/W at step t for the
 * first value v of what follows; then `after`, over the steps that are left.
 */
export function warmup({ share, after }: { share: number; after: Schedule }): Schedule {
  return (t, steps) => {
    const length = Math.round(share * steps);
    if (t >= length) return valueAt(after, t - length, steps - length);
    return (valueAt(after, 0, steps - length) * (t + 1)) / length;
  };
}

/** How schedules are written: first and last argument of each form, in order. */
const forms: { readonly [name: string]: (first: number, second?: number) => Schedule } = {
  power: (initial, exponent) => power({ initial, exponent }),
  linear: (initial, final) => linear({ initial, final }),
  cosine: (initial, final) => cosine({ initial, final }),
  stepwise: (initial, factor) => stepwise({ initial, factor }),
};

/** A schedule as text: what may stand where a number may. */
export const scheduleForms =
  "power(0.1, 0.5), linear(0.1, 0), cosine(0.1, 0) or stepwise(0.1, 0.1)";

/**
 * Read a schedule: a number, or one of {@link scheduleForms}, whose second argument may be left
 * out.
 *
 * @throws {InputError} when it is neither.
 */
export function parseSchedule(text: number | string): Schedule {
  if (typeof text === "number") return text;
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number)) return number;
  const [, name, list] = /^\s*([a-z]+)\(([^()]*)\)\s*$/.exec(text) ?? [];
  const remedy = `give a number, ${scheduleForms}`;
  if (name === undefined || list === undefined) {
    throw new InputError(`invalid schedule: ${show(text)} (${remedy})`);
  }
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined;
  if (form === undefined) throw unknownName("schedule", name, Object.keys(forms));
  const numbers = list.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  const [first, second] = numbers;
  if (first === undefined || numbers.length > 2 || !numbers.every(Number.isFinite)) {
    throw new InputError(`invalid schedule: ${show(text)} (${remedy})`);
  }
  return form(first, second);
}
