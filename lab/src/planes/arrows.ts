/** Arrows of a field: the way that a method takes from the points of a grid. */
import type { Point } from "lucid-sam/problems";
import type { View } from "./overlay.ts";
import { pathOutputs } from "./protocol.ts";
import { knobValues, type Scene } from "./walk.ts";

/** From a point to where its arrow ends. */
export interface Arrow {
  readonly at: Point;
  readonly to: Point;
}

/** Arrows side by side along the longer side of a map. */
const most = 19;
const [v1At, v2At] = [pathOutputs.indexOf("direction1"), pathOutputs.indexOf("direction2")];

/** What a method follows from a point: its step is −ηv. */
export interface Direction {
  readonly at: Point;
  readonly v: Point;
  /** ‖v‖ */
  readonly norm: number;
}

/** Directions at the centers of cells with about equal sides, so many along the longer side of a map. */
export function directionsOf(
  scene: Scene,
  rho: number,
  [[left, right], [bottom, top]]: View,
  count: number,
): Direction[] {
  const knobs = knobValues(scene, { rho });
  const cell = Math.max(right - left, top - bottom) / count;
  const columns = Math.max(4, Math.round((right - left) / cell));
  const rows = Math.max(4, Math.round((top - bottom) / cell));
  return Array.from({ length: columns * rows }, (_, i) => {
    const at: Point = [
      left + (((i % columns) + 0.5) / columns) * (right - left),
      bottom + ((Math.floor(i / columns) + 0.5) / rows) * (top - bottom),
    ];
    const seen = scene.see(...at, ...knobs);
    const v: Point = [seen[v1At] ?? NaN, seen[v2At] ?? NaN];
    return { at, v, norm: Math.hypot(...v) };
  });
}

/** Along −v: as long as the step where it is shorter than half of all are, and no longer. */
export function arrowsOf(scene: Scene, rho: number, view: View): Arrow[] {
  const ways = directionsOf(scene, rho, view, most);
  const [[left, right], [bottom, top]] = view;
  const cell = Math.max(right - left, top - bottom) / most;
  const norms = ways
    .map(({ norm }) => norm)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const middle = norms[norms.length >> 1] || 1;
  return ways.map(({ at, v, norm }) => {
    const size = norm > 0 ? (0.8 * cell * Math.min(1, norm / middle)) / norm : 0;
    return { at, to: [at[0] - size * v[0], at[1] - size * v[1]] };
  });
}
