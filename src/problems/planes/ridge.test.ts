import { expect, test } from "vitest";
import {
  ascentJacobian,
  ascentPoint,
  bisect,
  eigenvalues,
  grid,
  motionJacobian,
  multiply,
  newton,
  norm,
  runSam,
  shiftedGradient,
  symmetricPart,
  transpose,
} from "../../../test/shifted.ts";
import type { Point } from "../problem.ts";
import { ridge } from "./index.ts";

const { plane } = ridge();
const heights = [0, 0.1, 0.3, 0.6, 1, 1.5, 2, 2.5, 3];
/** Starts on both sides of the ridge, none on it. */
const starts = grid(plane.domain, 10, 7);

/** Zeros of g⁺ where g does not vanish, by Newton's method from a fine grid. */
function hallucinations(rho: number): Point[] {
  const found = grid(plane.domain, 61, 80)
    .map((start) =>
      newton(
        (x) => shiftedGradient(plane, x, rho),
        (x) => motionJacobian(plane, x, rho),
        start,
      ),
    )
    .filter((x) => x !== undefined);
  return found.filter(
    (x) =>
      Math.abs(x[0]) <= 1.75 &&
      Math.abs(x[1]) <= 3 &&
      norm(plane.gradient(x)) > 1e-6 &&
      norm(shiftedGradient(plane, x, rho)) < 1e-9,
  );
}

/** x₁ of the attracting branch of {x₁ + ρu₁ = 1, x₁ < 0} at height x₂, if the branch gets there. */
function branch(rho: number, x2: number): number | undefined {
  const excess = (x1: number) => ascentPoint(plane, [x1, x2], rho)[0] - 1;
  for (let i = -1000; i < 0; i++) {
    const [from, to] = [i / 1000, Math.min((i + 1) / 1000, -1e-9)];
    if (excess(from) < 0 && excess(to) >= 0) return bisect(excess, from, to);
  }
  return undefined;
}

function onBranch(rho: number): Point[] {
  return heights.map((x2) => {
    const x1 = branch(rho, x2);
    if (x1 === undefined) throw new RangeError(`no branch at ρ = ${rho}, x₂ = ${x2}`);
    return [x1, x2];
  });
}

/** Points of the other pieces of that set: close to the ridge, at every height but 0. */
function besideTheRidge(rho: number): Point[] {
  return heights.slice(1).map((x2) => {
    const excess = (x1: number) => ascentPoint(plane, [x1, x2], rho)[0] - 1;
    return [bisect(excess, -0.2, -1e-9), x2];
  });
}

test("ρ < 1: g⁺ vanishes at four points beside the maximizer, and each repels", () => {
  for (const rho of [0.25, 0.5, 0.9]) {
    const expected: Point[] = [
      [rho, 0],
      [-rho, 0],
      [0, rho],
      [0, -rho],
    ];
    const found = hallucinations(rho);
    for (const point of expected) {
      const distances = found.map((x) => Math.hypot(x[0] - point[0], x[1] - point[1]));
      expect(Math.min(...distances)).toBeLessThan(1e-9);
      expect(norm(ascentPoint(plane, point, rho))).toBeLessThan(1e-15);
      expect(eigenvalues(motionJacobian(plane, point, rho))[0]).toBeLessThan(-0.2);
    }
    for (const x of found) {
      const distances = expected.map((point) => Math.hypot(x[0] - point[0], x[1] - point[1]));
      expect(Math.min(...distances)).toBeLessThan(1e-9);
    }
  }
});

test("ρ < 1: SAM ends beside a valley, or on the ridge when it starts within ρ of it", () => {
  for (const rho of [0.25, 0.5]) {
    for (const start of starts) {
      const [x1] = runSam(plane, start, { rho, learningRate: 1e-3, steps: 10_000 });
      expect(Math.abs(start[0]) - rho).not.toBeCloseTo(0, 2);
      const from = Math.abs(start[0]) < rho ? 0 : 1;
      expect(Math.abs(Math.abs(x1) - from)).toBeLessThan(0.02);
    }
  }
});

test("1 < ρ < 2: beyond the ridge g⁺ vanishes along a curve, whose ascent points are minimizers", () => {
  for (const rho of [1.3, 1.5, 1.6, 1.8, 1.95]) {
    for (const x of onBranch(rho)) {
      const ascent = ascentPoint(plane, x, rho);
      expect(ascent[0]).toBeCloseTo(1, 12);
      expect(norm(shiftedGradient(plane, x, rho))).toBeLessThan(1e-11);
      expect(norm(plane.gradient(x))).toBeGreaterThan(0.2);
      expect(plane.value(x)).toBeGreaterThan(0.005);
      const m = ascentJacobian(plane, x, rho);
      const [low, high] = eigenvalues(m);
      expect(Math.min(Math.abs(low), Math.abs(high))).toBeGreaterThan(0.05);
      // The Hessian of f^SAM, MᵀH⁺M: its kernel has the dimension of the curve (Theorem 3.1).
      const surrogate = multiply(transpose(m), motionJacobian(plane, x, rho));
      const [flat, steep] = eigenvalues(symmetricPart(surrogate));
      expect(Math.abs(flat)).toBeLessThan(1e-10);
      expect(steep).toBeGreaterThan(1);
    }
  }
});

test("the curve attracts: H⁺M has a positive eigenvalue and a kernel, and from ρ = 1.3 on sym(M) ≻ 0", () => {
  for (const rho of [1.3, 1.5, 1.6, 1.8, 1.95]) {
    for (const x of onBranch(rho)) {
      const [flat, steep] = eigenvalues(motionJacobian(plane, x, rho));
      expect(Math.abs(flat)).toBeLessThan(1e-9);
      expect(steep).toBeGreaterThan(1);
      // Theorem 3.2's sufficient condition.
      expect(eigenvalues(symmetricPart(ascentJacobian(plane, x, rho)))[0]).toBeGreaterThan(0.05);
      // The field −g⁺ points at the curve from both sides.
      expect(shiftedGradient(plane, [x[0] - 0.02, x[1]], rho)[0]).toBeLessThan(0);
      expect(shiftedGradient(plane, [x[0] + 0.02, x[1]], rho)[0]).toBeGreaterThan(0);
    }
  }
});

test("Theorem 3.2's condition is not necessary: near its birth the curve attracts without it", () => {
  const x: Point = [-0.05, 0];
  const [flat, steep] = eigenvalues(motionJacobian(plane, x, 1.05));
  expect([flat, steep]).toEqual([expect.closeTo(0, 9), expect.closeTo(8, 9)]);
  expect(eigenvalues(ascentJacobian(plane, x, 1.05))[0]).toBeCloseTo(-0.30921875, 9);
});

test("numbers of docs/ridge.md at x₂ = 0.6", () => {
  for (const [rho, x1, f, slope, steep, least] of [
    [1.3, -0.293207, 0.801, 1.0331, 7.367, 0.611],
    [1.5, -0.498152, 0.5419, 1.4381, 7.646, 0.815],
    [1.6, -0.599007, 0.3942, 1.4738, 7.671, 0.856],
    [1.8, -0.799802, 0.1245, 1.1053, 7.679, 0.904],
    [1.95, -0.949989, 0.0091, 0.3553, 7.673, 0.928],
  ] as const) {
    const x: Point = [branch(rho, 0.6) ?? NaN, 0.6];
    expect(x[0]).toBeCloseTo(x1, 6);
    expect(plane.value(x)).toBeCloseTo(f, 4);
    expect(norm(plane.gradient(x))).toBeCloseTo(slope, 4);
    expect(eigenvalues(motionJacobian(plane, x, rho))[1]).toBeCloseTo(steep, 3);
    const symmetric = symmetricPart(ascentJacobian(plane, x, rho));
    expect(eigenvalues(symmetric)[0]).toBeCloseTo(least, 3);
  }
});

test("SAM ends on the curve where gradient descent finds the minimum", () => {
  for (const rho of [1.3, 1.6]) {
    for (const start of starts) {
      const x = runSam(plane, start, { rho, learningRate: 5e-3, steps: 4000 });
      const ascent = ascentPoint(plane, x, rho);
      expect(ascent[0] * x[0]).toBeLessThan(0);
      expect(Math.abs(ascent[0])).toBeCloseTo(1, 9);
      expect(norm(shiftedGradient(plane, x, rho))).toBeLessThan(1e-8);
      expect(plane.value(x)).toBeGreaterThan(0.2);
      const descended = runSam(plane, start, { rho: 0, learningRate: 5e-3, steps: 4000 });
      expect(plane.value(descended)).toBeLessThan(1e-12);
    }
  }
});

test("the curve starts at the maximizer and drifts outward as ρ grows", () => {
  // Near its birth all of it is near the origin, as far as the drawing goes to |x₂| = 2.
  for (const [rho, reach] of [
    [1.02, 0.05],
    [1.05, 0.15],
    [1.1, 0.35],
  ] as const) {
    expect(branch(rho, 0)).toBeCloseTo(1 - rho, 12);
    const curve = Array.from({ length: 401 }, (_, i) => [branch(rho, i / 200), i / 200] as const);
    const there = curve.filter(([x1]) => x1 !== undefined);
    expect(there.length).toBeGreaterThan(3);
    for (const [x1 = NaN, x2] of there) expect(Math.hypot(x1, x2)).toBeLessThan(reach);
  }
  // Later it reaches every height.
  expect(branch(1.1, 1)).toBeUndefined();
  for (const x2 of heights) expect(branch(1.2, x2)).toBeDefined();
  // Pieces that repel hug the ridge.
  const beside = besideTheRidge(1.6);
  expect(beside).toHaveLength(heights.length - 1);
  for (const x of beside) {
    expect(norm(shiftedGradient(plane, x, 1.6))).toBeLessThan(1e-12);
    expect(eigenvalues(motionJacobian(plane, x, 1.6))[0]).toBeLessThan(-100);
  }
  // It crosses the axis at 1 − ρ, and moves away from the ridge at every height.
  const radii = [1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 1.99];
  for (const rho of radii) expect(branch(rho, 0)).toBeCloseTo(1 - rho, 12);
  const curves = radii.map(onBranch);
  for (const [i, curve] of curves.entries()) {
    for (const [k, [x1]] of curve.entries()) {
      expect(x1).toBeLessThan(curves[i - 1]?.[k]?.[0] ?? 0);
    }
  }
});

test("ρ = 2: the curve coincides with the minimizers, and each valley maps onto the other", () => {
  for (const gap of [1e-2, 1e-3, 1e-4]) {
    for (const [x1] of onBranch(2 - gap)) {
      expect(Math.abs(x1 - (gap - 1))).toBeLessThan(gap * gap);
    }
  }
  for (const x2 of heights) {
    for (const side of [-1, 1]) {
      const ascent = ascentPoint(plane, [side * (1 - 1e-9), x2], 2);
      expect(ascent).toEqual([expect.closeTo(-side, 8), expect.closeTo(x2, 8)]);
    }
  }
});

test("ρ > 2: no curve is left that attracts, and SAM does not come to rest", () => {
  for (const rho of [2.05, 2.5]) {
    for (const start of starts) {
      const end = runSam(plane, start, { rho, learningRate: 5e-3, steps: 1000 });
      expect(norm(shiftedGradient(plane, end, rho))).toBeGreaterThan(0.1);
    }
    // Newton's method finds the isolated points, bisection the pieces of the curve.
    const isolated = hallucinations(rho);
    expect(isolated.length).toBeGreaterThan(100);
    const left = [...isolated, ...besideTheRidge(rho)];
    expect(left.length).toBe(isolated.length + heights.length - 1);
    for (const x of left) {
      expect(eigenvalues(motionJacobian(plane, x, rho))[0]).toBeLessThan(-0.2);
    }
  }
});
