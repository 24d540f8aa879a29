/** The field that SAM follows on a plane, on a grid. */
import type { Plane, Point } from "../problems/problem.ts";

/** A region: [[x₁ min, x₁ max], [x₂ min, x₂ max]]. */
export type View = readonly [Point, Point];

/** x⁺ = x + ρ g/‖g‖, and x where g = 0. */
export function ascentPoint(plane: Plane, x: Point, rho: number): Point {
  const [g1, g2] = plane.gradient(x);
  const norm = Math.hypot(g1, g2);
  return norm === 0 ? x : [x[0] + (rho * g1) / norm, x[1] + (rho * g2) / norm];
}

/** Centers of columns × rows equal cells. */
export function grid([[left, right], [bottom, top]]: View, columns: number, rows: number): Point[] {
  return Array.from({ length: columns * rows }, (_, i) => [
    left + ((right - left) * ((i % columns) + 0.5)) / columns,
    bottom + ((top - bottom) * (Math.floor(i / columns) + 0.5)) / rows,
  ]);
}

/** The way that a method takes from a point: of SAM, −g⁺. */
export interface Arrow {
  readonly at: Point;
  /** Degrees clockwise from the direction of x₂. */
  readonly angle: number;
  /** ‖g⁺‖, or the norm of what the method follows. */
  readonly norm: number;
}

/** The arrow of a method that takes its step along −v. */
export const arrow = (at: Point, [v1, v2]: Point): Arrow => ({
  at,
  angle: (180 / Math.PI) * Math.atan2(-v1, -v2),
  norm: Math.hypot(v1, v2),
});

/** −g⁺, SAM's step up to the learning rate, at the centers of cells with equal sides. */
export function shiftedField(plane: Plane, rho: number, view: View, columns: number): Arrow[] {
  const [[left, right], [bottom, top]] = view;
  const rows = Math.round((columns * (top - bottom)) / (right - left));
  return grid(view, columns, rows).map((at) =>
    arrow(at, plane.gradient(ascentPoint(plane, at, rho))),
  );
}

/** Values that divide the given ones into `count + 1` parts of equal size, each once. */
export function quantiles(values: readonly number[], count: number): number[] {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return [];
  const chosen = Array.from(
    { length: count },
    (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / (count + 1))] as number,
  );
  return [...new Set(chosen)];
}

export const inside = ([x1, x2]: Point, [[left, right], [bottom, top]]: View): boolean =>
  x1 >= left && x1 <= right && x2 >= bottom && x2 <= top;
