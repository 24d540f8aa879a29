/** Radii: ρ of a run as a number, and beside the norm of the parameters it starts from. */
import { rounded } from "../engine/digits.ts";
import { leavesOf, type Tensor, type Tree } from "../engine/tensor.ts";
import { parseSchedule, valueAt } from "../settings/schedules.ts";

/** What says a radius: a number, a schedule as text, or nothing for methods without one. */
type Rho = number | string | undefined;

/** ρ of a run's first step, which is what tables and figures go by; 0 without one. */
export const firstRho = (rho: Rho): number => valueAt(parseSchedule(rho ?? 0), 0, 1);

/** ρ of the last of so many steps, which is what its end is certified at; 0 without one. */
export const lastRho = (rho: Rho, steps: number): number =>
  valueAt(parseSchedule(rho ?? 0), Math.max(0, steps - 1), Math.max(1, steps));

/**
 * ρ/‖x₀‖, the radius beside all starting parameters: what makes a radius large or small. Of a
 * schedule, all of which rise or fall throughout, with the larger of its ends.
 *
 * @returns `null` without a radius, and where the parameters start at 0.
 */
export function relativeRho(rho: Rho, steps: number, start: Tree<Tensor>): number | null {
  const radius = Math.max(firstRho(rho), lastRho(rho, steps));
  let sum = 0;
  for (const { data } of leavesOf(start)) for (const x of data) sum += x ** 2;
  return radius > 0 && sum > 0 ? radius / Math.sqrt(sum) : null;
}

/**
 * `0.27 ‖x₀‖`, or `0.26–0.28 ‖x₀‖` for runs from several starts; empty where none is known, as in
 * rows of earlier versions.
 */
export function relativeWords(relative: readonly (number | null | undefined)[]): string {
  const known = knownRelative(relative);
  const ends = [known[0], known.at(-1)].flatMap((value) =>
    value === undefined ? [] : [String(rounded(value, 2))],
  );
  return ends.length === 0 ? "" : `${[...new Set(ends)].join("–")} ‖x₀‖`;
}

/** Of several starts, ρ/‖x₀‖ of the least, the middle and the largest; nothing where none is known. */
export function relativeRange(relative: readonly (number | null | undefined)[]) {
  const known = knownRelative(relative);
  const [least, median, most] = [known[0], known[known.length >> 1], known.at(-1)];
  return least === undefined || median === undefined || most === undefined
    ? undefined
    : { least, median, most };
}

const knownRelative = (relative: readonly (number | null | undefined)[]): number[] =>
  relative.filter((value) => typeof value === "number").sort((a, b) => a - b);

/** `ρ = 2 (0.27 ‖x₀‖)` */
export function radiusWords(rho: Rho, relative: readonly (number | null | undefined)[]): string {
  const beside = relativeWords(relative);
  return `ρ = ${rho}${beside === "" ? "" : ` (${beside})`}`;
}
