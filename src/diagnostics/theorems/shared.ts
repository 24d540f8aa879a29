/** Tools of the theorem checks: rows, planes that hallucinate, plain SAM in closed form. */
import { planes, type PlaneName } from "../../problems/planes/index.ts";
import type { Plane, Point } from "../../problems/problem.ts";
import type { Derivatives } from "../point/derivatives.ts";
import { along, norm, type Vector } from "../algebra/vectors.ts";

/** One statement checked on one function. */
export interface TheoremRow {
  /** The statement's name, such as `Theorem 2.1`. */
  readonly statement: string;
  /** What was checked, in words. */
  readonly claim: string;
  /** A plane's name, or another function in words. */
  readonly plane: string;
  readonly passed: boolean;
  /** What it was decided by. */
  readonly numbers: { readonly [name: string]: number };
}

/** Planes and ρ at which they have hallucinated points worth looking at. */
export const hallucinating: readonly [PlaneName, number][] = [
  ["cosine", 4],
  ["wide-narrow", 2.5],
  ["bump", 2.4],
  ["saddle", 1],
  ["himmelblau", 4],
  ["ring", 2],
  ["ridge", 1.5],
];

export const vector = (...values: number[]): Vector => Float64Array.from(values);

export const planeOf = (name: PlaneName): Plane => planes[name].create().plane;

/**
 * The largest of some numbers that are not negative. Of none it is NaN, which passes no comparison:
 * a check that has found nothing to look at must not pass.
 */
export const worst = (values: readonly number[]): number =>
  values.length === 0 ? NaN : Math.max(0, ...values);

/** The smallest of some numbers, likewise. */
export const least = (values: readonly number[]): number =>
  values.length === 0 ? NaN : Math.min(...values);

/** Every pair of a maximizer and a minimizer; a plane without one is the wrong one to ask. */
export function extremumPairs(plane: Plane): [maximizer: Point, minimizer: Point][] {
  const of = (kind: string) => plane.critical.filter((set) => set.kind === kind);
  const found = of("maximizer").flatMap(({ points: [maximizer] }) =>
    of("minimizer").flatMap(({ points: [minimizer] }): [Point, Point][] =>
      maximizer && minimizer ? [[maximizer, minimizer]] : [],
    ),
  );
  if (found.length === 0) throw new Error("a plane without a maximizer and a minimizer");
  return found;
}

/** Plain SAM in closed form. */
export async function runSam(
  f: Derivatives,
  start: Vector,
  rho: number,
  rate: number,
  steps: number,
) {
  let x = start;
  for (let step = 0; step < steps; step++) {
    const { gradient } = await f.lossAndGradient(x);
    const size = norm(gradient);
    const ascent = size > 0 ? along(x, rho / size, gradient) : x;
    x = along(x, -rate, (await f.lossAndGradient(ascent)).gradient);
  }
  return x;
}
