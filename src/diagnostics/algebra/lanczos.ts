/** The Lanczos iteration: extreme eigenvalues of symmetric operators. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { krylov, lift, type Projection } from "./krylov.ts";
import { distance, norm, scaled, type Operator, type Vector } from "./vectors.ts";

export interface LanczosOptions {
  /** Symmetric. */
  readonly operator: Operator;
  readonly dimension: number;
  /** A residual below `tolerance` times the largest |eigenvalue| counts as converged; default 1e-8. */
  readonly tolerance?: number;
  /** Which ends of the spectrum must converge; default both. */
  readonly ends?: "both" | "lowest" | "highest";
  /** Vectors kept in memory; default 80. */
  readonly basisSize?: number;
  /** Default 1000. */
  readonly maxApplications?: number;
  /** Seed of the random start; default 0. */
  readonly seed?: number;
  /** Orthonormal directions to leave out; the operator must map their complement into itself. */
  readonly without?: readonly Vector[];
}

/** An approximate eigenpair of a symmetric operator. */
export interface EigenPair {
  readonly value: number;
  /**
   * ‖A v − value·v‖, computed from A v: an eigenvalue lies at most so far from `value`   (Weinstein's
   * bound).
   */
  readonly residual: number;
  /** v, of norm 1. */
  readonly vector: Vector;
}

export interface Extremes {
  /** Its value is never below the smallest eigenvalue, by the Rayleigh–Ritz principle. */
  readonly lowest: EigenPair;
  /** Its value is never above the largest eigenvalue. */
  readonly highest: EigenPair;
  readonly converged: boolean;
  /** Of the iteration; the two residuals cost one more each. */
  readonly applications: number;
}

/**
 * The smallest and largest eigenvalue of a symmetric operator, by thick-restart Lanczos iteration
 * with full reorthogonalization. A subspace from a random start may in principle miss an
 * eigenvalue; what is found is an eigenvalue within its residual.
 */
export async function extremeEigenvalues({
  operator,
  tolerance = 1e-8,
  ends = "both",
  basisSize = 80,
  maxApplications = 1000,
  seed = 0,
  ...options
}: LanczosOptions): Promise<Extremes> {
  const { projection, done, applications } = await krylov({
    ...options,
    operator,
    basisSize,
    maxApplications,
    seed,
    judge(projection) {
      const { values, vectors, residuals } = ritz(projection);
      const n = values.length;
      const limit = tolerance * Math.max(Math.abs(values[0] ?? 0), Math.abs(values[n - 1] ?? 0));
      const good = (i: number) => (residuals[i] ?? 0) <= limit;
      const done = (ends === "highest" || good(0)) && (ends === "lowest" || good(n - 1));
      // Keeping neighbors of the wanted eigenvectors is what makes restarts converge.
      const half = Math.max(1, Math.min(Math.floor(n / 4), Math.floor((n - 1) / 2)));
      const below = ends === "highest" ? 1 : ends === "lowest" ? 2 * half - 1 : half;
      const columns = Array.from({ length: n }, (_, i) => i).filter(
        (i) => i < below || i >= n - (2 * half - below),
      );
      return { done, keep: vectors.subMatrixColumn(columns) };
    },
  });
  const { values, vectors } = ritz(projection);
  /** The recurrence knows its residuals only as long as rounding lets it; these are the pair's own. */
  const pair = async (i: number): Promise<EigenPair> => {
    const lifted = lift(projection, vectors.getColumn(i));
    const vector = scaled(1 / norm(lifted), lifted);
    const value = values[i] as number;
    return { value, residual: distance(await operator(vector), scaled(value, vector)), vector };
  };
  return {
    lowest: await pair(0),
    highest: await pair(values.length - 1),
    converged: done,
    applications,
  };
}

/** Ritz values in ascending order, with their coefficient vectors and residuals. */
function ritz({ matrix, coupling }: Projection) {
  const symmetric = Matrix.add(matrix, matrix.transpose()).mul(0.5);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(symmetric, {
    assumeSymmetric: true,
  });
  const order = realEigenvalues
    .map((_, i) => i)
    .sort((i, j) => (realEigenvalues[i] as number) - (realEigenvalues[j] as number));
  const vectors = eigenvectorMatrix.subMatrixColumn(order);
  const residuals = order.map((_, j) =>
    Math.abs(vectors.getColumn(j).reduce((sum, y, i) => sum + y * (coupling[i] as number), 0)),
  );
  return { values: order.map((i) => realEigenvalues[i] as number), vectors, residuals };
}
