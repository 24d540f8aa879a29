/**
 * Every hallucinated point of a plane by grid search in plain numbers, against what the library
 * finds and how it certifies it. Uses the planes' values only: gradients, ascent points, Hessians of
 * f and of f(x⁺) are differences.
 */
import { expect, test } from "vitest";
import { certify } from "../../src/diagnostics/certificate/certify.ts";
import { searchPlane } from "../../src/diagnostics/search/plane-search.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { planes } from "../../src/problems/planes/index.ts";

type Pair = [number, number];
type Field = (x: Pair) => number;

const gradientOf =
  (f: Field, h = 1e-3) =>
  ([a, b]: Pair): Pair => {
    const slope = (g: (t: number) => number) =>
      (8 * (g(h) - g(-h)) - (g(2 * h) - g(-2 * h))) / (12 * h);
    return [slope((t) => f([a + t, b])), slope((t) => f([a, b + t]))];
  };

/** Eigenvalues of the Hessian, ascending. */
function curvatures(f: Field, x: Pair, h: number): Pair {
  const row = (i: 0 | 1) => gradientOf((y) => gradientOf(f, h)(y)[i], h)(x);
  const [[a, b], [c, d]] = [row(0), row(1)];
  const [mean, half] = [(a + d) / 2, Math.hypot((a - d) / 2, (b + c) / 2)];
  return [mean - half, mean + half];
}

function kind([low, high]: Pair): string {
  const limit = 1e-3 * Math.max(Math.abs(low), Math.abs(high));
  return low >= -limit ? "minimizer" : high <= limit ? "maximizer" : "saddle";
}

for (const [name, rho, resolution] of [
  ["cosine", 4, 120],
  ["wide-narrow", 2.5, 120],
  ["ridge", 1.5, 60],
] as const) {
  test(`${name} at ρ = ${rho}`, async () => {
    const problem = planes[name].create();
    const { value, domain } = problem.plane;
    const gradient = gradientOf(value);
    const shift = (x: Pair): Pair => {
      const [g1, g2] = gradient(x);
      const size = Math.hypot(g1, g2);
      return [x[0] + (rho * g1) / size, x[1] + (rho * g2) / size];
    };
    const size = (x: Pair) => Math.hypot(...gradient(shift(x)));
    // Cells with ‖g⁺‖ lower than in the four next to them, then a shrinking pattern search.
    const steps = domain.map(([low, high]) => (high - low) / resolution) as Pair;
    const found: Pair[] = [];
    for (let i = 0; i <= resolution; i++) {
      for (let j = 0; j <= resolution; j++) {
        let x: Pair = [domain[0][0] + i * steps[0], domain[1][0] + j * steps[1]];
        const around = (y: Pair, s: number): Pair[] => [
          [y[0] + s * steps[0], y[1]],
          [y[0] - s * steps[0], y[1]],
          [y[0], y[1] + s * steps[1]],
          [y[0], y[1] - s * steps[1]],
        ];
        if (around(x, 1).some((y) => size(y) < size(x))) continue;
        for (let s = 0.5; s > 1e-9;) {
          const better = around(x, s).find((y) => size(y) < size(x));
          if (better) x = better;
          else s /= 2;
        }
        if (size(x) > 1e-6 || Math.hypot(...gradient(x)) < 0.01) continue;
        if (found.every((y) => Math.hypot(x[0] - y[0], x[1] - y[1]) > 1e-3)) found.push(x);
      }
    }
    expect(found.length).toBeGreaterThan(1);
    const searched = await searchPlane({ plane: problem.plane, rho });
    const surrogate: Field = (x) => value(shift(x));
    // On the curve of ridge neighboring points are alike: certify some of them.
    const some = found.filter((_, i) => i % Math.ceil(found.length / 12) === 0);
    for (const x of some) {
      // Isolated points are found as such; along a curve a point not farther than the grid's cells.
      const apart = Math.min(
        ...searched.map(({ x: y }) => Math.hypot((y[0] ?? NaN) - x[0], (y[1] ?? NaN) - x[1])),
      );
      expect(apart).toBeLessThan(name === "ridge" ? 0.1 : 1e-4);
      const expected = `hallucinated-${kind(curvatures(surrogate, x, 3e-3))}`;
      const { verdict } = await certify({
        problem,
        point: { x: tensor(x, [2], "float64") },
        rho,
        steps: 50,
        copies: 1,
        // The pattern search ends within about 1e-9 of the zero.
        tolerances: { zeroRatio: 1e-4 },
      });
      expect([x, verdict.name]).toEqual([x, expected]);
    }
  });
}
