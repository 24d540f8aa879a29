/** Refinement: from a stalled iterate to a zero of g⁺, where there is one near. */
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import type { Derivatives } from "./derivatives.ts";
import { samPoint, type SamPoint } from "./sam-point.ts";
import {
  along,
  combine,
  distance,
  norm,
  orthogonalize,
  scaled,
  type Vector,
} from "../algebra/vectors.ts";

/** The point to refine, and when to stop. */
export interface RefineOptions {
  readonly f: Derivatives;
  readonly x: Vector;
  readonly rho: number;
  /** GradRatio to reach; default 1e-10. */
  readonly tolerance?: number;
  /** Hessian-vector products to spend at most; default 500. */
  readonly maxProducts?: number | undefined;
  /** Dimension of the Krylov subspace each step is sought in; default 40. */
  readonly subspace?: number;
  /** Longer steps are shortened to this, to stay in the basin; default ρ/10. */
  readonly longestStep?: number;
  /** Told after every step. */
  readonly onStep?: (step: RefineStep) => void;
}

/** Where the iteration stood. The first entry of a log is the start. */
export interface RefineStep {
  /** Hessian-vector products so far. */
  readonly products: number;
  readonly loss: number;
  readonly shiftedLoss: number;
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  readonly gradRatio: number;
  /** Length of the step that led here. */
  readonly length: number;
  /** Distance from the start. */
  readonly moved: number;
  /** μ of the accepted step, relative to the largest singular value squared. */
  readonly damping: number;
}

/** What refining led to. */
export interface Refinement {
  readonly point: SamPoint;
  readonly steps: readonly RefineStep[];
  readonly converged: boolean;
  /** Why the iteration ended. */
  readonly sentence: string;
}

/** Dampings tried, relative to the square of the largest singular value, from Newton's step on. */
const dampings = [0, ...Array.from({ length: 13 }, (_, i) => 10 ** (-12 + i))];
/** A step that does not lower ‖g⁺‖ by this fraction counts as none. */
const leastGain = 1e-3;

/**
 * Levenberg–Marquardt iteration on F(x) = g⁺(x) = 0, whose Jacobian is J = H⁺M: each step
 * minimizes ‖F + J δ‖² + μ‖δ‖² over a Krylov subspace of J that starts at F, with the μ that lowers
 * ‖F‖ most. One subspace serves every μ, so trying several costs gradients only, no products.
 */
export async function refine({
  f,
  x,
  rho,
  tolerance = 1e-10,
  maxProducts = 500,
  subspace = 40,
  longestStep = rho / 10,
  onStep,
}: RefineOptions): Promise<Refinement> {
  const first = f.cost.products;
  const start = await samPoint(f, x, rho);
  let point = start;
  const steps: RefineStep[] = [];
  const log = (length: number, damping: number) => {
    const { loss, shiftedLoss, gradNorm, shiftedGradNorm, gradRatio } = point;
    const products = f.cost.products - first;
    const moved = distance(point.x, x);
    const step = {
      products,
      loss,
      shiftedLoss,
      gradNorm,
      shiftedGradNorm,
      gradRatio,
      length,
      moved,
      damping,
    };
    steps.push(step);
    onStep?.(step);
  };
  const end = (converged: boolean, sentence: string): Refinement => ({
    point,
    steps,
    converged,
    sentence,
  });
  log(0, 0);
  for (;;) {
    if (point.gradRatio <= tolerance) return end(true, "g⁺ vanishes.");
    const left = maxProducts - (f.cost.products - first);
    const size = Math.min(subspace, f.dimension, Math.floor(left / 2));
    if (size < 1) return end(false, `The budget of ${maxProducts} products is spent.`);
    const { basis, hessenberg } = await arnoldi(point, size);
    let best: { point: SamPoint; damping: number } | undefined;
    for (const damping of dampings) {
      const y = leastSquares(hessenberg, point.shiftedGradNorm, damping);
      const shorten = Math.min(1, longestStep / Math.hypot(...y));
      const next = await samPoint(f, along(point.x, shorten, combine(y, basis)), rho);
      if (next.shiftedGradNorm < (best?.point ?? point).shiftedGradNorm)
        best = { point: next, damping };
      // More damping means a shorter step: once it stops helping, it will not help again.
      else if (best) break;
    }
    if (
      best === undefined ||
      best.point.shiftedGradNorm > (1 - leastGain) * point.shiftedGradNorm
    ) {
      return end(
        false,
        "No damped step lowers ‖g⁺‖ any more: this is a minimum of ‖g⁺‖ that is no zero, or the linear model holds nowhere near far enough.",
      );
    }
    const length = distance(best.point.x, point.x);
    point = best.point;
    log(length, best.damping);
  }
}

/** Orthonormal V with J V = V₊ H̄ and first column −F/‖F‖. */
async function arnoldi({ samJacobian, shiftedGradient, shiftedGradNorm }: SamPoint, size: number) {
  const basis: Vector[] = [scaled(-1 / shiftedGradNorm, shiftedGradient)];
  const columns: Vector[] = [];
  while (columns.length < size) {
    const image = await samJacobian(basis.at(-1) as Vector);
    const before = norm(image);
    const components = orthogonalize(image, basis);
    const rest = norm(image);
    columns.push(Float64Array.from([...components, rest]));
    if (!(rest > 1e-14 * before)) break;
    if (columns.length < size) basis.push(scaled(1 / rest, image));
  }
  const hessenberg = Matrix.zeros(columns.length + 1, columns.length);
  columns.forEach((column, j) => column.forEach((value, i) => hessenberg.set(i, j, value)));
  return { basis, hessenberg };
}

/** The y that minimizes ‖β e₁ − H̄ y‖² + μ‖y‖², of least norm where μ = 0. */
function leastSquares(hessenberg: Matrix, beta: number, damping: number): number[] {
  const {
    leftSingularVectors: u,
    rightSingularVectors: v,
    diagonal,
  } = new SingularValueDecomposition(hessenberg);
  const largest = Math.max(...diagonal);
  const y = Matrix.zeros(hessenberg.columns, 1);
  diagonal.forEach((s, k) => {
    if (s <= 1e-12 * largest) return;
    const weight = (s * beta * u.get(0, k)) / (s * s + damping * largest * largest);
    y.add(v.getColumnVector(k).mul(weight));
  });
  return y.to1DArray();
}
