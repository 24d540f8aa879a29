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

/** Along −v: as long as the step where it is shorter than half of all are, and no longer. */
export function arrowsOf(scene: Scene, rho: number, [[left, right], [bottom, top]]: View): Arrow[] {
  const knobs = knobValues(scene, { rho });
  const cell = Math.max(right - left, top - bottom) / most;
  const columns = Math.max(4, Math.round((right - left) / cell));
  const rows = Math.max(4, Math.round((top - bottom) / cell));
  const ways = Array.from({ length: columns * rows }, (_, i) => {
    const at: Point = [
      left + (((i % columns) + 0.5) / columns) * (right - left),
      bottom + ((Math.floor(i / columns) + 0.5) / rows) * (top - bottom),
    ];
    const seen = scene.see(...at, ...knobs);
    const [v1, v2] = [seen[v1At] ?? NaN, seen[v2At] ?? NaN];
    return { at, v1, v2, norm: Math.hypot(v1, v2) };
  });
  const norms = ways
    .map(({ norm }) => norm)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const middle = norms[norms.length >> 1] || 1;
  return ways.map(({ at, v1, v2, norm }) => {
    const size = norm > 0 ? (0.8 * cell * Math.min(1, norm / middle)) / norm : 0;
    return { at, to: [at[0] - size * v1, at[1] - size * v2] };
  });
}
