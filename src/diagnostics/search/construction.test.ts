import { expect, test } from "vitest";
import { planes, type PlaneName } from "../../problems/planes/index.ts";
import type { Point } from "../../problems/problem.ts";
import { construct, sweepEpsilon } from "./construction.ts";

const apart = (a: Point, b: Point) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** Every pair of a maximizer and a minimizer that a plane has. */
function pairs(name: PlaneName) {
  const { plane } = planes[name].create();
  const of = (kind: string) => plane.critical.filter((set) => set.kind === kind);
  return of("maximizer").flatMap(({ points: [maximizer = [NaN, NaN]] }) =>
    of("minimizer").map(({ points: [minimizer = [NaN, NaN]] }) => ({
      plane,
      maximizer,
      minimizer,
    })),
  );
}

test.each([
  ["bump", 1],
  ["ridge", 2],
  ["ring", 2],
  ["himmelblau", 4],
] as const)(
  "%s: for a whole interval of ρ the ascent point is the minimizer to 1e-10",
  (name, count) => {
    expect(pairs(name)).toHaveLength(count);
    for (const { plane, maximizer, minimizer } of pairs(name)) {
      const { constructions, interval, atMaximizer } = sweepEpsilon({
        plane,
        maximizer,
        minimizer,
        count: 12,
        resolution: 100,
      });
      expect(constructions.length).toBeGreaterThan(3);
      expect(interval[1]).toBeGreaterThan(1.05 * interval[0]);
      let before = atMaximizer;
      for (const { x, rho, ascentPoint, error, level, component } of constructions) {
        expect(error).toBeLessThan(1e-10);
        expect(apart(ascentPoint, minimizer)).toBe(error);
        expect(plane.value(x)).toBeCloseTo(level, 8);
        expect(apart(x, minimizer)).toBeCloseTo(rho, 12);
        // Larger components reach farther.
        expect(rho).toBeGreaterThan(before);
        before = rho;
        // No cell of the component lies farther away than x.
        const { bounds, resolution, inside } = component;
        const side = (bounds[0][1] - bounds[0][0]) / resolution;
        let reach = 0;
        inside.forEach((on, cell) => {
          const center: Point = [
            bounds[0][0] + ((cell % resolution) + 0.5) * side,
            bounds[1][0] + (Math.floor(cell / resolution) + 0.5) * side,
          ];
          if (on) reach = Math.max(reach, apart(center, minimizer));
        });
        expect(reach).toBeLessThan(rho + 1e-9);
        expect(reach).toBeGreaterThan(rho - 3 * side);
      }
    }
  },
);

test("refuses an ε that is not positive, reaches the minimizer or leaves the component unbounded", () => {
  const [bump] = pairs("bump");
  const [saddles] = pairs("himmelblau");
  if (!bump || !saddles) throw new Error("planes without pairs");
  const attempt = (pair: typeof bump, epsilon: number) => () => construct({ ...pair, epsilon });
  expect(attempt(bump, 0)).toThrow("invalid epsilon: 0 (give a positive number)");
  expect(attempt(bump, 2)).toThrow(/^invalid epsilon: 2 reaches below the minimizer/);
  // Over a saddle and down the far side, where himmelblau rises without bound.
  expect(attempt(saddles, 170)).toThrow(/^invalid epsilon: the component around the maximizer/);
});
