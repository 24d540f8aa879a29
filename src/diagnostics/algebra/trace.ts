/** Curve tracing: solutions of equations, followed as a parameter changes. */
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { addTo, along, dot, minus, norm, scaled, unit, type Vector } from "./vectors.ts";

/** Equations F(z) = 0 whose solutions form a curve: n unknowns, Jacobian of rank n − 1. */
export interface CurveEquations {
  /** F and its Jacobian, rows × n. */
  readonly evaluate: (
    z: Vector,
  ) => Promise<{ readonly residual: Vector; readonly jacobian: Matrix }>;
  /** Whether to go on from here. */
  readonly inside: (z: Vector) => boolean;
}

export interface TraceOptions {
  /** A solution, or near one. */
  readonly start: Vector;
  /** Direction to set out in; only its sign along the curve matters. */
  readonly toward: Vector;
  /** First and longest step along the curve. */
  readonly step: number;
  /** Default 500. */
  readonly maxPoints?: number;
  /** ‖F‖ at which a point counts as a solution; default 1e-11. */
  readonly tolerance?: number;
}

export interface CurvePoint {
  readonly z: Vector;
  /** Unit tangent. */
  readonly tangent: Vector;
}

export interface Trace {
  readonly points: readonly CurvePoint[];
  /** Why it ended. */
  readonly end: "left the region" | "closed" | "enough points" | "no solution near";
}

/**
 * Pseudo-arclength continuation   (Keller 1977): predict along the tangent, which is the kernel of
 * the Jacobian, and correct by Newton steps of least norm, which are orthogonal to it. Passes folds,
 * since no unknown is singled out as the parameter.
 */
export async function traceCurve(
  { evaluate, inside }: CurveEquations,
  { start, toward, step, maxPoints = 500, tolerance = 1e-11 }: TraceOptions,
): Promise<Trace> {
  const correct = async (guess: Vector, before: Vector): Promise<CurvePoint | undefined> => {
    let z = guess;
    for (let iteration = 0; iteration < 12; iteration++) {
      const { residual, jacobian } = await evaluate(z);
      if (!residual.every(Number.isFinite)) return undefined;
      const { correction, tangent } = newton(jacobian, residual);
      if (norm(residual) <= tolerance) {
        return { z, tangent: dot(tangent, before) < 0 ? scaled(-1, tangent) : tangent };
      }
      z = along(z, 1, correction);
    }
    return undefined;
  };
  const first = await correct(start, toward);
  if (first === undefined || !inside(first.z)) return { points: [], end: "no solution near" };
  const points = [first];
  let length = step;
  while (points.length < maxPoints) {
    const { z, tangent } = points.at(-1) as CurvePoint;
    const guess = along(z, length, tangent);
    const next = await correct(guess, tangent);
    // A far correction or a sharp turn means that the step was too long for the curve.
    const good =
      next && norm(minus(next.z, guess)) < 0.3 * length && dot(next.tangent, tangent) > 0.9;
    if (!next || !good) {
      length /= 2;
      if (length < step * 1e-6) return { points, end: "no solution near" };
      continue;
    }
    if (!inside(next.z)) return { points, end: "left the region" };
    points.push(next);
    const home = minus(first.z, next.z);
    if (points.length > 3 && norm(home) < 0.75 * length && dot(home, next.tangent) > 0) {
      return { points, end: "closed" };
    }
    length = Math.min(step, length * 1.5);
  }
  return { points, end: "enough points" };
}

/** The Newton step of least norm for a Jacobian of rank n − 1, and its kernel. */
function newton(jacobian: Matrix, residual: Vector): { correction: Vector; tangent: Vector } {
  const n = jacobian.columns;
  // Square, so that the decomposition holds the kernel too.
  const square = Matrix.zeros(Math.max(n, jacobian.rows), n);
  square.setSubMatrix(jacobian, 0, 0);
  const { leftSingularVectors, rightSingularVectors, diagonal } = new SingularValueDecomposition(
    square,
  );
  const least = diagonal.indexOf(Math.min(...diagonal));
  const correction = new Float64Array(n);
  diagonal.forEach((s, k) => {
    if (k === least) return;
    const component = residual.reduce((sum, r, i) => sum + r * leftSingularVectors.get(i, k), 0);
    addTo(correction, -component / s, Float64Array.from(rightSingularVectors.getColumn(k)));
  });
  return { correction, tangent: unit(Float64Array.from(rightSingularVectors.getColumn(least))) };
}
