import { expect, test } from "vitest";
import { plainNetwork } from "../../../test/oracle/tanh-network.ts";
import { tensor } from "../../engine/tensor.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { planes, type PlaneName } from "../../problems/planes/index.ts";
import type { Plane } from "../../problems/problem.ts";
import { compileDerivatives, flatten, planeDerivatives } from "../point/derivatives.ts";
import { samPoint } from "../point/sam-point.ts";
import { searchSphere } from "./sphere.ts";
import { distance } from "../algebra/vectors.ts";

/** Brute force: local minima of f along the circle, each with the outward slope there. */
function minimaOnCircle(
  { value, gradient }: Plane,
  [c1 = 0, c2 = 0]: readonly number[],
  rho: number,
) {
  const at = (t: number): [number, number] => [c1 + rho * Math.cos(t), c2 + rho * Math.sin(t)];
  const count = 20_000;
  const values = Array.from({ length: count }, (_, i) => value(at((2 * Math.PI * i) / count)));
  return values.flatMap((v, i) => {
    const [before, after] = [values.at(i - 1) ?? NaN, values[(i + 1) % count] ?? NaN];
    if (!(v < before && v <= after)) return [];
    const t = (2 * Math.PI * i) / count;
    const [g1, g2] = gradient(at(t));
    return [{ x: at(t), inward: g1 * Math.cos(t) + g2 * Math.sin(t) < 0 }];
  });
}

const cases: [PlaneName, number, number[]][] = [
  ["cosine", 4, [2 * Math.PI, 0]],
  ["wide-narrow", 2.5, [5.900680416658958, 0]],
  ["himmelblau", 4.6, [3, 2]],
  ["himmelblau", 6.3, [3, 2]],
  ["ring", 2, [((1 + Math.sqrt(5)) / 2) ** 2, 0]],
];

test.each(cases)(
  "%s at ρ = %d around %j: all constrained minima, none else",
  async (name, rho, c) => {
    const { plane } = planes[name].create();
    const f = planeDerivatives(plane);
    const { points, hallucinated, starts } = await searchSphere({
      f,
      center: Float64Array.from(c),
      rho,
      starts: 24,
    });
    const expected = minimaOnCircle(plane, c, rho);
    const key = (x: ArrayLike<number>) =>
      Array.from(x)
        .map((v) => String(Math.round(50 * v) + 0))
        .join(" ");
    const byPlace = (a: string, b: string) => a.localeCompare(b);
    expect(points.map(({ x }) => key(x)).sort(byPlace)).toEqual(
      expected.map(({ x }) => key(x)).sort(byPlace),
    );
    expect(hallucinated.length).toBeGreaterThan(0);
    expect(hallucinated.length).toBe(expected.filter(({ inward }) => inward).length);
    expect(points.reduce((sum, { hits }) => sum + hits, 0)).toBe(starts);
    for (const { x, angle } of hallucinated) {
      expect(angle).toBeLessThan(1e-10);
      const point = await samPoint(f, x, rho);
      expect(distance(point.ascentPoint, Float64Array.from(c))).toBeLessThan(1e-8);
    }
  },
);

test("a network: constrained minima around a saddle that predicts class frequencies", async () => {
  const { inputs, labels } = plainNetwork(12, 2, 2, 3);
  const train = {
    size: inputs.length,
    batch: {
      x: tensor(inputs.flat(), [inputs.length, 2], "float64"),
      y: tensor(labels, [labels.length], "int32"),
    },
  };
  const problem = mlp({ train, hidden: [2], dtype: "float64" });
  const f = await compileDerivatives(problem);
  const center = flatten(problem.init(0)).fill(0);
  // Equal class counts: with all parameters 0 the gradient is 0.
  expect((await samPoint(f, center, 1)).gradNorm).toBeLessThan(1e-15);
  const { points, hallucinated } = await searchSphere({ f, center, rho: 2, starts: 6, seed: 1 });
  expect(points.length).toBeGreaterThan(0);
  // Descent ends outside the plateau: lower than the center, where f still falls outward.
  for (const { x, loss, inward } of points) {
    expect(distance(x, center)).toBeCloseTo(2, 12);
    expect(loss).toBeLessThan(Math.log(3));
    expect(inward).toBe(true);
  }
  for (const { x } of hallucinated) {
    const point = await samPoint(f, x, 2);
    expect(point.gradRatio).toBeLessThan(1e-7);
  }
  expect(hallucinated.length).toBeGreaterThan(0);
  await f.dispose();
});
