import { expect, test } from "vitest";
import { planes } from "../../problems/planes/index.ts";
import { planeDerivatives } from "./derivatives.ts";
import { refine, type RefineStep } from "./refine.ts";

const vector = (...values: number[]) => Float64Array.from(values);
const plane = (name: keyof typeof planes) => planeDerivatives(planes[name].create().plane);

test("an isolated zero of g⁺ is reached, quadratically in the end", async () => {
  const seen: RefineStep[] = [];
  const { point, converged, steps } = await refine({
    f: plane("cosine"),
    x: vector(2.1, 0.2),
    rho: 4,
    onStep: (step) => seen.push(step),
  });
  expect(converged).toBe(true);
  expect([...point.x]).toEqual([expect.closeTo(2 * Math.PI - 4, 10), expect.closeTo(0, 10)]);
  expect(point.gradRatio).toBeLessThan(1e-10);
  expect(steps).toEqual(seen);
  const norms = steps.map(({ shiftedGradNorm }) => shiftedGradNorm);
  expect(norms.every((value, i) => i === 0 || value < (norms[i - 1] ?? 0))).toBe(true);
  expect(steps.length).toBeLessThan(9);
  expect(steps[0]).toMatchObject({ moved: 0, length: 0, products: 0 });
  expect(steps.at(-1)?.moved).toBeCloseTo(Math.hypot(2 * Math.PI - 4 - 2.1, 0.2), 10);
});

test("where zeros form a curve the nearest part of it is reached", async () => {
  const { point, converged, steps } = await refine({
    f: plane("ridge"),
    x: vector(-0.6, 0.4),
    rho: 1.5,
  });
  expect(converged).toBe(true);
  expect(point.ascentPoint[0]).toBeCloseTo(1, 10);
  expect(steps.at(-1)?.moved).toBeLessThan(0.25);
});

test("without a zero it says so and returns the best point it had", async () => {
  // Convex: g⁺ = 0 with g ≠ 0 is impossible   (Park et al. 2025, Proposition A.1).
  const f = plane("quadratic");
  const { converged, sentence, steps } = await refine({ f, x: vector(3, 1), rho: 0.5 });
  expect(converged).toBe(false);
  expect(sentence).toMatch(/^No damped step lowers/);
  expect(steps.at(-1)?.shiftedGradNorm).toBeLessThan(steps[0]?.shiftedGradNorm ?? 0);
});

test("keeps within its budget of products", async () => {
  const f = plane("himmelblau");
  const before = f.cost.products;
  const { sentence } = await refine({
    f,
    x: vector(4.5, 4.5),
    rho: 3,
    maxProducts: 5,
    tolerance: 0,
  });
  expect(f.cost.products - before).toBeLessThanOrEqual(5);
  expect(sentence).toMatch(/budget of 5 products|No damped step/);
});

test("from rounding on, a step that does not lower ‖v‖ to a tenth is the last", async () => {
  // Without a zero ‖g⁺‖ falls by a little each time, as rounding does.
  const options = { f: plane("quadratic"), x: vector(3, 1), rho: 0.5, tolerance: 0 };
  const first = (await refine(options)).steps;
  expect(first.length).toBeGreaterThan(2);
  const slow = first.findIndex(
    ({ shiftedGradNorm }, i) =>
      i > 0 && shiftedGradNorm > (first[i - 1]?.shiftedGradNorm ?? 0) / 10,
  );
  const { steps, sentence, converged } = await refine({ ...options, rounding: Infinity });
  expect([sentence, converged]).toEqual(["‖g⁺‖ has come down to rounding.", false]);
  expect(steps).toHaveLength(slow + 1);
  const above = await refine({ ...options, rounding: (first.at(-2)?.shiftedGradNorm ?? 0) / 2 });
  expect(above.steps).toHaveLength(first.length);
});
