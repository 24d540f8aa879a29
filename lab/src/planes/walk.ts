/** Walks: the paths of methods on a plane, step by step in float64, from generated code. */
import type { Plane, Point } from "lucid-sam/problems";
import type { LabRow } from "../engine/protocol.ts";
import type { Evidence, SceneCode } from "./protocol.ts";

/** Where a method stands and what it sees there: x₁, x₂ and knobs to `pathOutputs`. */
export type See = (...inputs: number[]) => number[];

/** A scene that runs. */
export interface Scene extends SceneCode {
  readonly see: See;
  /** x₁, x₂ and knobs to `mapOutputs`. */
  readonly shades: See;
}

/** Values of a scene's knobs, in its order: the ones given, else those of its settings. */
export const knobValues = (
  { knobs }: Pick<SceneCode, "knobs">,
  given: { readonly [name: string]: number },
): number[] => knobs.map(([name, value]) => given[name] ?? value);

/** All bounds, or the part of the plane where f is a number. */
export type Left = "bounds" | "domain";

/** Where a run went: by column, an entry for every step and one for where it ended. */
export interface Course extends Evidence {
  readonly x1: Float64Array;
  readonly x2: Float64Array;
  /** x⁺ */
  readonly ahead1: Float64Array;
  readonly ahead2: Float64Array;
  /** How many entries there are. */
  readonly count: number;
  /** What it left with its last entry, if anything. */
  readonly left?: Left | undefined;
}

/** A stretch of a run in which one method is followed. */
export interface Stretch {
  readonly see: See;
  readonly knobs: readonly number[];
  /** The step before which it ends. */
  readonly until: number;
}

const columns = [
  "x1",
  "x2",
  "ahead1",
  "ahead2",
  "loss",
  "shiftedLoss",
  "gradNorm",
  "shiftedGradNorm",
  "cosine",
  "directionNorm",
] as const;

/** x ← x − ηv, from a start. What leaves all bounds, or where f is a number, ends there. */
export function walk(
  stretches: readonly Stretch[],
  [a, b]: Point,
  rate: number,
  steps: number,
): Course {
  const course = Object.fromEntries(columns.map((name) => [name, new Float64Array(steps + 1)])) as {
    [Name in (typeof columns)[number]]: Float64Array;
  };
  let count = 0;
  let left: Left | undefined;
  let at = 0;
  for (let k = 0; k <= steps; k++) {
    while (k >= (stretches[at]?.until ?? Infinity) && at < stretches.length - 1) at++;
    const stretch = stretches[at];
    if (stretch === undefined) break;
    const [f, g1, g2, g, p1, p2, fp, s1, s2, s, v1, v2] = stretch.see(a, b, ...stretch.knobs);
    if (!(Math.abs(a) < 1e12 && Math.abs(b) < 1e12)) left = "bounds";
    else if (!Number.isFinite(f)) left = "domain";
    if (left !== undefined) break;
    course.x1[k] = a;
    course.x2[k] = b;
    course.ahead1[k] = num(p1);
    course.ahead2[k] = num(p2);
    course.loss[k] = num(f);
    course.shiftedLoss[k] = num(fp);
    course.gradNorm[k] = num(g);
    course.shiftedGradNorm[k] = num(s);
    course.cosine[k] = (num(g1) * num(s1) + num(g2) * num(s2)) / (num(g) * num(s));
    course.directionNorm[k] = Math.hypot(num(v1), num(v2));
    count = k + 1;
    a -= rate * num(v1);
    b -= rate * num(v2);
  }
  return { ...cut(course, count), count, left };
}

const num = (value: number | undefined): number => value ?? NaN;

function cut(
  course: { readonly [Name in (typeof columns)[number]]: Float64Array },
  count: number,
): typeof course {
  return Object.fromEntries(
    columns.map((name) => [name, course[name].subarray(0, count)]),
  ) as typeof course;
}

/** The course of a run that an engine computed. */
export function courseOf(rows: readonly LabRow[]): Course {
  const finite = rows.findIndex(({ loss }) => !Number.isFinite(loss));
  const kept = finite < 0 ? rows : rows.slice(0, finite);
  const column = (value: (row: LabRow) => number | undefined) =>
    Float64Array.from(kept, (row) => value(row) ?? NaN);
  return {
    x1: column(({ point }) => point?.[0]),
    x2: column(({ point }) => point?.[1]),
    ahead1: column(({ ascentPoint }) => ascentPoint?.[0]),
    ahead2: column(({ ascentPoint }) => ascentPoint?.[1]),
    loss: column(({ loss }) => loss),
    shiftedLoss: column(({ shiftedLoss }) => shiftedLoss),
    gradNorm: column(({ gradNorm }) => gradNorm),
    shiftedGradNorm: column(({ shiftedGradNorm }) => shiftedGradNorm),
    cosine: column(({ cosine }) => cosine),
    directionNorm: column(({ shiftedGradNorm }) => shiftedGradNorm),
    count: kept.length,
    left: kept.length < rows.length ? "bounds" : undefined,
  };
}

/** The entry of a course at a step: the last one where it is shorter. */
export const entryAt = ({ count }: Course, step: number): number =>
  Math.max(0, Math.min(step, count - 1));

export const pointAt = ({ x1, x2 }: Course, k: number): Point => [num(x1[k]), num(x2[k])];

export const aheadAt = ({ ahead1, ahead2 }: Course, k: number): Point => [
  num(ahead1[k]),
  num(ahead2[k]),
];

/** How a run stands at a step, by simple rules; what is certain is a certificate's to say. */
export type Stand =
  | { readonly kind: "minimizer" | "saddle" | "maximizer" }
  | { readonly kind: "stopped" | "slowing" }
  | { readonly kind: "around"; readonly what: "minimizer" | "saddle" | "maximizer" | undefined }
  | { readonly kind: "moving" }
  | { readonly kind: "diverged"; readonly left: Left };

/** ‖g‖ that counts as none. */
const restNorm = 1e-6;
/** ‖v‖/‖g‖ that counts as standing still, and as all but that. */
const [still, slow] = [1e-6, 0.01];
/** Steps that are looked back on. */
const lookBack = 40;

/**
 * How a run stands at an entry of its course.
 *
 * @param reach how far from a critical point a run may go around it, such as ρ.
 */
export function standAt(course: Course, k: number, plane: Plane, reach: number): Stand {
  if (course.left && k >= course.count - 1) return { kind: "diverged", left: course.left };
  const [g, v] = [num(course.gradNorm[k]), num(course.directionNorm[k])];
  if (g <= restNorm) return { kind: criticalKind(plane, pointAt(course, k)) };
  if (v <= still * g) return { kind: "stopped" };
  if (v <= slow * g) return { kind: "slowing" };
  const from = k - lookBack;
  if (from < 0) return { kind: "moving" };
  let length = 0;
  const middle: [number, number] = [0, 0];
  for (let i = from; i < k; i++) {
    const [a, b] = [pointAt(course, i), pointAt(course, i + 1)];
    length += Math.hypot(b[0] - a[0], b[1] - a[1]);
    middle[0] += b[0] / lookBack;
    middle[1] += b[1] / lookBack;
  }
  const [a, b] = [pointAt(course, from), pointAt(course, k)];
  // Steps that are lost in rounding lead nowhere, and not to and fro either.
  const isOnItsWay = length === 0 || Math.hypot(b[0] - a[0], b[1] - a[1]) > 0.1 * length;
  if (isOnItsWay) return { kind: "moving" };
  let nearest = reach;
  let what: "minimizer" | "saddle" | "maximizer" | undefined;
  for (const { kind, points } of plane.critical) {
    for (const [x1, x2] of points) {
      const distance = Math.hypot(x1 - middle[0], x2 - middle[1]);
      if (distance < nearest) [nearest, what] = [distance, kind];
    }
  }
  return { kind: "around", what };
}

function criticalKind(plane: Plane, x: Point): "minimizer" | "saddle" | "maximizer" {
  const [[a, b], [, d]] = plane.hessian(x);
  const [half, spread] = [(a + d) / 2, Math.hypot((a - d) / 2, b)];
  const small = 1e-6 * (Math.abs(half) + spread);
  if (half - spread >= -small) return "minimizer";
  return half + spread <= small ? "maximizer" : "saddle";
}
