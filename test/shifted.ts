/**
 * SAM on a plane in plain numbers, from the definitions: u = g/‖g‖, x⁺ = x + ρu, g⁺ = ∇f(x⁺),
 * M = I + ρ(I − uuᵀ)H/‖g‖, and the step x ← x − ηg⁺. Shares no code with src/sam.
 */
import type { Plane, Point } from "../src/problems/problem.ts";

export type Matrix = readonly [Point, Point];

export const norm = ([a, b]: Point): number => Math.hypot(a, b);

/** x⁺, which is x itself where the gradient vanishes. */
export function ascentPoint(plane: Plane, x: Point, rho: number): Point {
  const g = plane.gradient(x);
  const length = norm(g);
  return length === 0 ? x : [x[0] + (rho * g[0]) / length, x[1] + (rho * g[1]) / length];
}

/** g⁺. */
export const shiftedGradient = (plane: Plane, x: Point, rho: number): Point =>
  plane.gradient(ascentPoint(plane, x, rho));

/** M, the Jacobian of x ↦ x⁺; g must not vanish. */
export function ascentJacobian(plane: Plane, x: Point, rho: number): Matrix {
  const g = plane.gradient(x);
  const length = norm(g);
  const u: Point = [g[0] / length, g[1] / length];
  const h = plane.hessian(x);
  const entry = (i: 0 | 1, j: 0 | 1) => {
    const along = u[0] * h[0][j] + u[1] * h[1][j];
    return (i === j ? 1 : 0) + (rho / length) * (h[i][j] - u[i] * along);
  };
  return [
    [entry(0, 0), entry(0, 1)],
    [entry(1, 0), entry(1, 1)],
  ];
}

export const multiply = (a: Matrix, b: Matrix): Matrix => {
  const entry = (i: 0 | 1, j: 0 | 1) => a[i][0] * b[0][j] + a[i][1] * b[1][j];
  return [
    [entry(0, 0), entry(0, 1)],
    [entry(1, 0), entry(1, 1)],
  ];
};

export const transpose = ([[a, b], [c, d]]: Matrix): Matrix => [
  [a, c],
  [b, d],
];

export const symmetricPart = ([[a, b], [c, d]]: Matrix): Matrix => [
  [a, (b + c) / 2],
  [(b + c) / 2, d],
];

/** Eigenvalues in ascending order; NaN when they are not real. */
export function eigenvalues([[a, b], [c, d]]: Matrix): Point {
  const middle = (a + d) / 2;
  const radius = Math.sqrt(((a - d) / 2) ** 2 + b * c);
  return [middle - radius, middle + radius];
}

/** H⁺M: the Jacobian of g⁺, and of SAM's motion. */
export const motionJacobian = (plane: Plane, x: Point, rho: number): Matrix =>
  multiply(plane.hessian(ascentPoint(plane, x, rho)), ascentJacobian(plane, x, rho));

/** The last of `steps` SAM steps. */
export function runSam(
  plane: Plane,
  start: Point,
  { rho, learningRate, steps }: { rho: number; learningRate: number; steps: number },
): Point {
  let x = start;
  for (let step = 0; step < steps; step++) {
    const g = shiftedGradient(plane, x, rho);
    x = [x[0] - learningRate * g[0], x[1] - learningRate * g[1]];
  }
  return x;
}

/** Points of a grid over a region, edges included. */
export function grid(
  [[left, right], [low, high]]: Matrix,
  columns: number,
  rows = columns,
): Point[] {
  const at = (from: number, to: number, i: number, n: number) => from + ((to - from) * i) / (n - 1);
  return Array.from({ length: columns * rows }, (_, k) => [
    at(left, right, k % columns, columns),
    at(low, high, Math.floor(k / columns), rows),
  ]);
}

/** A root of `value` in [from, to] by bisection, to the last digit; its signs must differ there. */
export function bisect(value: (x: number) => number, from: number, to: number): number {
  const sign = Math.sign(value(from));
  if (sign === Math.sign(value(to))) throw new RangeError("no change of sign");
  for (let i = 0; i < 200; i++) {
    const middle = (from + to) / 2;
    if (Math.sign(value(middle)) === sign) from = middle;
    else to = middle;
  }
  return (from + to) / 2;
}

/** Newton's method on a gradient; `undefined` when it does not settle. */
export function newton(
  gradient: (x: Point) => Point,
  jacobian: (x: Point) => Matrix,
  start: Point,
): Point | undefined {
  let x = start;
  for (let i = 0; i < 60; i++) {
    const g = gradient(x);
    const [[a, b], [c, d]] = jacobian(x);
    const determinant = a * d - b * c;
    const move: Point = [(d * g[0] - b * g[1]) / determinant, (a * g[1] - c * g[0]) / determinant];
    x = [x[0] - move[0], x[1] - move[1]];
    if (!Number.isFinite(norm(x))) return undefined;
    if (norm(move) < 1e-14 * (1 + norm(x))) return x;
  }
  return norm(gradient(x)) < 1e-9 ? x : undefined;
}
