/** Krylov subspaces with thick restarts: what Lanczos and Arnoldi iterations share. */
import { Matrix } from "ml-matrix";
import { NotConverged } from "./dense.ts";
import { addTo, combine, mostVectors, norm, orthogonalize, randomUnit, scaled } from "./vectors.ts";
import type { Operator, Vector } from "./vectors.ts";

/**
 * What a subspace says about an operator A: with the orthonormal `basis` V,
 * A V = V T + r bᵀ, where r is a unit vector orthogonal to V.
 */
export interface Projection {
  readonly basis: readonly Vector[];
  /** T = VᵀAV. */
  readonly matrix: Matrix;
  /** b: for T y = θ y the residual ‖A V y − θ V y‖ is |bᵀy|. */
  readonly coupling: Float64Array;
}

/** Whether a projection will do, and with what to start again where it does not. */
export interface Restart {
  readonly done: boolean;
  /**
   * Orthonormal columns that span an invariant subspace of T: what to keep at a restart. Not
   * needed when done.
   */
  readonly keep: Matrix;
}

export interface KrylovOptions {
  readonly operator: Operator;
  readonly dimension: number;
  /** Largest basis; reduced to the dimension, or to {@link mostVectors}, where those are smaller. */
  readonly basisSize: number;
  /** Largest number of applications of the operator. */
  readonly maxApplications: number;
  readonly seed: number;
  /** Directions to leave out: orthonormal vectors, the operator maps their complement into itself. */
  readonly without?: readonly Vector[];
  readonly judge: (projection: Projection) => Restart;
}

/** Below this multiple of the largest entry of T a residual is rounding error. */
const negligible = 1e-13;

/**
 * Build a Krylov subspace from a seeded random start and judge it; until the judgment is done,
 * shrink it to what the judge keeps and extend it again   (Stewart 2001, Krylov–Schur; for symmetric
 * operators Wu & Simon 2000, thick-restart Lanczos). Every new vector is orthogonalized against the
 * whole basis.
 *
 * @throws {NotConverged} when the operator leads to what is not finite.
 */
export async function krylov({
  operator,
  dimension,
  basisSize,
  maxApplications,
  seed,
  without = [],
  judge,
}: KrylovOptions): Promise<{ projection: Projection; done: boolean; applications: number }> {
  const size = Math.min(basisSize, mostVectors(dimension), dimension - without.length);
  const start = randomUnit(dimension, seed, "krylov");
  orthogonalize(start, without);
  let next = scaled(1 / norm(start), start);
  let basis: Vector[] = [];
  let matrix = Matrix.zeros(size, size);
  let coupling = new Float64Array(size);
  let applications = 0;
  for (;;) {
    let scale = matrix.rows === 0 ? 0 : Math.max(0, ...matrix.to1DArray().map(Math.abs));
    while (basis.length < size && applications < maxApplications) {
      const column = basis.length;
      basis.push(next);
      coupling.slice(0, column).forEach((b, i) => matrix.set(column, i, b));
      const image = await operator(next);
      applications++;
      // Iterations on what is not finite would not end.
      if (!Number.isFinite(norm(image))) throw new NotConverged("a product is not finite");
      orthogonalize(image, without);
      orthogonalize(image, basis).forEach((h, i) => {
        matrix.set(i, column, h);
        scale = Math.max(scale, Math.abs(h));
      });
      const residual = norm(image);
      coupling = new Float64Array(size);
      if (residual <= negligible * scale) {
        // The subspace is invariant: its eigenvalues are exact, and there is nowhere to go on to.
        break;
      }
      coupling[column] = residual;
      next = scaled(1 / residual, image);
    }
    const k = basis.length;
    const projection: Projection = {
      basis,
      matrix: matrix.subMatrix(0, k - 1, 0, k - 1),
      coupling: coupling.slice(0, k),
    };
    const judgment = judge(projection);
    if (judgment.done || applications >= maxApplications || k < size) {
      return { projection, done: judgment.done, applications };
    }
    const { keep } = judgment;
    const kept = keep.transpose().mmul(projection.matrix).mmul(keep);
    matrix = Matrix.zeros(size, size);
    matrix.setSubMatrix(kept, 0, 0);
    coupling = new Float64Array(size);
    coupling.set(
      Matrix.rowVector([...projection.coupling])
        .mmul(keep)
        .getRow(0),
    );
    basis = Array.from({ length: keep.columns }, (_, j) => combine(keep.getColumn(j), basis));
  }
}

/** V y for a vector y of coefficients. */
export function lift({ basis }: Projection, y: ArrayLike<number>): Vector {
  const v = new Float64Array(basis[0]?.length ?? 0);
  basis.forEach((q, i) => addTo(v, y[i] as number, q));
  return v;
}
