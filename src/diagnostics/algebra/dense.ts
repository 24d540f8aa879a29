/** Dense matrices: whole spectra, on problems small enough to have them. */
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import type { ComplexEigenvalue } from "./arnoldi.ts";
import { denseSpectrum, squareOf, symmetricEigenvalues, type Spectrum } from "./eigen.ts";
import type { Vector } from "./vectors.ts";

/** A dense computation did not come to an end within its bounds, or its input is not finite. */
export class NotConverged extends Error {
  override readonly name = "NotConverged";
}

/** (A + Aᵀ)/2. */
export const symmetricPart = (a: Matrix): Matrix => Matrix.add(a, a.transpose()).mul(0.5);

/**
 * Eigenvalues of a symmetric matrix, ascending. Only its symmetric part is seen.
 *
 * @throws {NotConverged}
 */
export function symmetricSpectrum(a: Matrix): number[] {
  const values = symmetricEigenvalues(squareOf(a));
  if (values === undefined) throw new NotConverged("no eigenvalues of a symmetric matrix");
  return values;
}

/**
 * The spectrum of a matrix, with vectors on demand.
 *
 * @throws {NotConverged}
 */
export function wholeSpectrum(a: Matrix): Spectrum {
  const found = denseSpectrum(squareOf(a));
  if (found === undefined) throw new NotConverged("no eigenvalues of a matrix");
  return found;
}

/**
 * All eigenvalues, complex pairs twice; residual 0 stands for rounding error.
 *
 * @throws {NotConverged}
 */
export function spectrum(a: Matrix): ComplexEigenvalue[] {
  return wholeSpectrum(a).values.flatMap(({ re, im }) => [
    { re, im, residual: 0 },
    ...(im > 0 ? [{ re, im: -im, residual: 0 }] : []),
  ]);
}

/**
 * Singular values, descending.
 *
 * @throws {NotConverged}
 */
export function singularValues(a: Matrix): number[] {
  if (!Number.isFinite(a.sum())) throw new NotConverged("no singular values");
  return new SingularValueDecomposition(a).diagonal.sort((x, y) => y - x);
}

/**
 * Left singular vectors, as columns, with their singular values.
 *
 * @throws {NotConverged}
 */
export function leftSingular(a: Matrix): { readonly u: Matrix; readonly s: number[] } {
  if (!Number.isFinite(a.sum())) throw new NotConverged("no singular vectors");
  const { leftSingularVectors, diagonal } = new SingularValueDecomposition(a);
  return { u: leftSingularVectors, s: diagonal };
}

/** A matrix from its rows. */
export const fromRows = (rows: readonly Vector[]): Matrix => new Matrix(rows);

/** A x. */
export const apply = (a: Matrix, x: Vector): Vector =>
  Float64Array.from({ length: a.rows }, (_, i) =>
    a.getRow(i).reduce((sum, value, j) => sum + value * (x[j] as number), 0),
  );
