import { describe, expect, test } from "vitest";
import { planes } from "../../problems/planes/index.ts";
import type { Plane } from "../../problems/problem.ts";
import { continueInRho, traceHallucinated } from "./continuation.ts";
import { planeDerivatives } from "../point/derivatives.ts";

const vector = (...values: number[]) => Float64Array.from(values);

/**
 * Brute force: the points of the circle of radius ρ around c at which f is critical along the
 * circle and decreases outward, by bisection between sign changes of the tangential derivative.
 */
function onCircle({ gradient }: Plane, [c1 = 0, c2 = 0]: readonly number[], rho: number) {
  const at = (t: number): [number, number] => [c1 + rho * Math.cos(t), c2 + rho * Math.sin(t)];
  const parts = (t: number) => {
    const [g1, g2] = gradient(at(t));
    return {
      tangential: g2 * Math.cos(t) - g1 * Math.sin(t),
      outward: g1 * Math.cos(t) + g2 * Math.sin(t),
    };
  };
  const found: [number, number][] = [];
  const count = 4000;
  for (let i = 0; i < count; i++) {
    let [a, b] = [(2 * Math.PI * i) / count, (2 * Math.PI * (i + 1)) / count];
    const sign = Math.sign(parts(a).tangential);
    if (sign === Math.sign(parts(b).tangential)) continue;
    for (let k = 0; k < 50; k++) {
      const middle = (a + b) / 2;
      if (Math.sign(parts(middle).tangential) === sign) a = middle;
      else b = middle;
    }
    if (parts(a).outward < 0) found.push(at(a));
  }
  return found;
}

describe("continueInRho", () => {
  test("cosine: the branch x = 2π − ρ between the points where the gradient vanishes", async () => {
    const { plane } = planes.cosine.create();
    const branch = await continueInRho({
      f: planeDerivatives(plane),
      center: vector(2 * Math.PI, 0),
      x: vector(2.3, 0.01),
      rho: 4,
    });
    expect(branch.folds).toEqual([]);
    expect(branch.points.length).toBeGreaterThan(10);
    for (const { x, rho } of branch.points) {
      expect([...x]).toEqual([expect.closeTo(2 * Math.PI - rho, 9), expect.closeTo(0, 9)]);
    }
    expect(branch.interval[0]).toBeLessThan(3.25);
    expect(branch.interval[0]).toBeGreaterThanOrEqual(Math.PI);
    expect(branch.interval[1]).toBeGreaterThan(6.1);
    expect(branch.interval[1]).toBeLessThanOrEqual(2 * Math.PI);
  });

  test("himmelblau: every point of the branch by brute force, and the folds where they vanish", async () => {
    const { plane } = planes.himmelblau.create();
    const center = [3, 2];
    const rho = 6.3;
    const starts = onCircle(plane, center, rho);
    expect(starts.length).toBeGreaterThan(0);
    let folds = 0;
    for (const start of starts) {
      const branch = await continueInRho({
        f: planeDerivatives(plane),
        center: vector(...center),
        x: vector(...start),
        rho,
        range: [0.1, 9],
      });
      expect(branch.points.length).toBeGreaterThan(10);
      for (const { x, rho } of branch.points) {
        const distances = onCircle(plane, center, rho).map(([a, b]) =>
          Math.hypot(a - (x[0] ?? NaN), b - (x[1] ?? NaN)),
        );
        expect(Math.min(...distances)).toBeLessThan(1e-6);
      }
      for (const { rho: turn, x } of branch.folds) {
        folds++;
        const near = (rho: number) =>
          onCircle(plane, center, rho).filter(
            ([a, b]) => Math.hypot(a - (x[0] ?? NaN), b - (x[1] ?? NaN)) < 0.1,
          ).length;
        expect([near(turn - 1e-4), near(turn + 1e-4)].toSorted((a, b) => a - b)).toEqual([0, 2]);
      }
    }
    expect(folds).toBeGreaterThan(0);
  });

  test("refuses a start with no branch near, and problems with too many parameters", async () => {
    const f = planeDerivatives(planes.quadratic.create().plane);
    const options = { f, center: vector(0, 0), x: vector(1, 1), rho: 1 };
    await expect(continueInRho(options)).rejects.toThrow(/^invalid point: no branch/);
    await expect(continueInRho({ ...options, f: { ...f, dimension: 201 } })).rejects.toThrow(
      /^invalid problem: 201 parameters/,
    );
  });
});

describe("traceHallucinated", () => {
  test("ridge at ρ = 1.5: the curve whose ascent points lie in the other valley", async () => {
    const curve = await traceHallucinated({
      f: planeDerivatives(planes.ridge.create().plane),
      x: vector(-0.52, 0.01),
      rho: 1.5,
      inside: ([, x2 = NaN]) => Math.abs(x2) < 2.5,
    });
    expect(curve.ends).toEqual(["left the region", "left the region"]);
    expect(curve.points.length).toBeGreaterThan(10);
    expect(curve.dimensions).toEqual(curve.points.map(() => 1));
    const heights = curve.points.map(([, x2]) => x2 ?? NaN);
    expect(Math.min(...heights)).toBeLessThan(-2.4);
    expect(Math.max(...heights)).toBeGreaterThan(2.4);
    const { gradient } = planes.ridge.create().plane;
    for (const [x1 = NaN, x2 = NaN] of curve.points) {
      const [g1, g2] = gradient([x1, x2]);
      expect(x1 + (1.5 * g1) / Math.hypot(g1, g2)).toBeCloseTo(1, 9);
    }
  });

  test("an isolated zero has dimension 0, and without one near it refuses", async () => {
    const f = planeDerivatives(planes.quadratic.create().plane);
    await expect(
      traceHallucinated({ f, x: vector(2, 1), rho: 0.5, inside: () => true }),
    ).rejects.toThrow(/^invalid point: g⁺ has no zero near/);
  });
});
