/** Planes in the roles that they were chosen for. */
import { expect, test } from "vitest";
import {
  ascentJacobian,
  ascentPoint,
  bisect,
  eigenvalues,
  motionJacobian,
  multiply,
  norm,
  runSam,
  symmetricPart,
  transpose,
} from "../../../test/shifted.ts";
import type { Point } from "../problem.ts";
import { bump, cosine, dome, ring, saddle, wideNarrow } from "./index.ts";

/** Hessian of f^SAM at a zero of g⁺. */
const surrogateHessian = (plane: ReturnType<typeof ring>["plane"], x: Point, rho: number) =>
  symmetricPart(multiply(transpose(ascentJacobian(plane, x, rho)), motionJacobian(plane, x, rho)));

test("ring: Theorem 2.2's construction around the circle of maximizers gives hallucinated minimizers", () => {
  const { plane } = ring();
  const minimizer: Point = [((1 + Math.sqrt(5)) / 2) ** 2, 0];
  const rhos: number[] = [];
  for (const epsilon of [1e-4, 1e-2, 0.1, 0.3]) {
    // The component of {f ≥ 1 − ε} around the circle, ray by ray: its outer boundary.
    const boundary = Array.from({ length: 720 }, (_, i): Point => {
      const angle = (2 * Math.PI * i) / 720;
      const at = (r: number): Point => [r * Math.cos(angle), r * Math.sin(angle)];
      return at(bisect((r) => plane.value(at(r)) - (1 - epsilon), 1, 20));
    });
    const reach = (x: Point) => Math.hypot(x[0] - minimizer[0], x[1] - minimizer[1]);
    const farthest = boundary.reduce((a, b) => (reach(b) > reach(a) ? b : a));
    const rho = reach(farthest);
    rhos.push(rho);
    expect(farthest[0]).toBeLessThan(-1);
    expect(ascentPoint(plane, farthest, rho)).toEqual([
      expect.closeTo(minimizer[0], 10),
      expect.closeTo(0, 10),
    ]);
    expect(norm(plane.gradient(farthest))).toBeGreaterThan(1e-3);
    // A minimizer of f^SAM; yet SAM's motion has a direction that leads away from it.
    expect(eigenvalues(surrogateHessian(plane, farthest, rho))[0]).toBeGreaterThan(0);
    expect(eigenvalues(motionJacobian(plane, farthest, rho))[0]).toBeLessThan(0);
  }
  // An interval of ρ, which begins where the construction meets the circle.
  expect(rhos).toEqual(rhos.toSorted((a, b) => a - b));
  expect(rhos[0]).toBeGreaterThan(minimizer[0] + 1);
});

test("bump: a minimizer of f^SAM that SAM leaves", () => {
  const { plane } = bump();
  const [hole = NaN, hill = NaN] = plane.critical.map(({ points }) => points[0]?.[0]);
  const x: Point = [hill + 0.3, 0];
  const rho = x[0] - hole;
  expect(rho).toBeCloseTo(2.3665, 4);
  expect(ascentPoint(plane, x, rho)[0]).toBeCloseTo(hole, 14);
  const [low, high] = eigenvalues(surrogateHessian(plane, x, rho));
  expect(low).toBeCloseTo(2.19, 2);
  expect(high).toBeCloseTo(76.2, 1);
  const [away, toward] = eigenvalues(motionJacobian(plane, x, rho));
  expect(away).toBeCloseTo(-12.3, 1);
  expect(toward).toBeCloseTo(2.19, 2);
  const end = runSam(plane, [x[0], 1e-3], { rho, learningRate: 1e-2, steps: 5000 });
  expect(Math.hypot(end[0] - hill, end[1])).toBeLessThan(0.1);
});

test("dome: every point at distance ρ has the maximizer as its ascent point", () => {
  const { plane } = dome();
  for (let i = 0; i < 12; i++) {
    const x: Point = [0.1 * Math.cos(i), 0.1 * Math.sin(i)];
    expect(norm(ascentPoint(plane, x, 0.1))).toBeLessThan(1e-16);
  }
});

test("saddle: ±ρe₂ have the saddle as their ascent point", () => {
  const { plane } = saddle();
  for (const rho of [0.1, -0.1, 2]) {
    expect(norm(ascentPoint(plane, [0, rho], Math.abs(rho)))).toBeLessThan(1e-16);
  }
});

test("cosine: SAM with ρ = 4 stalls between two minimizers, with ρ = 0.5 it does not", () => {
  const { plane } = cosine();
  const stalled = runSam(plane, plane.start, { rho: 4, learningRate: 0.1, steps: 5000 });
  expect(stalled).toEqual([expect.closeTo(2.2831853072, 10), expect.closeTo(0, 10)]);
  expect(norm(plane.gradient(stalled))).toBeCloseTo(0.7568024953, 10);
  // Theorem 3.2's condition holds at this isolated point.
  const m = ascentJacobian(plane, stalled, 4);
  expect(eigenvalues(symmetricPart(m))[0]).toBeCloseTo(1, 9);
  const trained = runSam(plane, plane.start, { rho: 0.5, learningRate: 0.1, steps: 5000 });
  expect(norm(trained)).toBeLessThan(0.1);
});

test("wide-narrow: SAM stalls above the well; a start with gradient descent ends in the basin", () => {
  const { plane } = wideNarrow();
  const sam = { rho: 2.5, learningRate: 0.1 };
  const stalled = runSam(plane, [3.6, 0], { ...sam, steps: 1000 });
  expect(stalled[0]).toBeCloseTo(3.4006804167, 9);
  const warm = runSam(plane, [3.6, 0], { ...sam, rho: 0, steps: 100 });
  const end = runSam(plane, warm, { ...sam, steps: 900 });
  expect(end[0]).toBeCloseTo(-0.0120133145, 2);
});
