/** Dense matrices: whole spectra, on problems small enough to have them. */
import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import type { ComplexEigenvalue } from "./arnoldi.ts";
import { unit, type Vector } from "./vectors.ts";

/** (A + Aᵀ)/2. */
export const symmetricPart = (a: Matrix): Matrix => Matrix.add(a, a.transpose()).mul(0.5);

/** Eigenvalues of a symmetric matrix, ascending. Only its symmetric part is seen. */
export function symmetricSpectrum(a: Matrix): number[] {
  const { realEigenvalues } = new EigenvalueDecomposition(symmetricPart(a), {
    assumeSymmetric: true,
  });
  return realEigenvalues.sort((x, y) => x - y);
}

/** All eigenvalues, complex pairs twice; residual 0 stands for rounding error. */
export function spectrum(a: Matrix): ComplexEigenvalue[] {
  const { realEigenvalues, imaginaryEigenvalues } = new EigenvalueDecomposition(a);
  return realEigenvalues.map((re, i) => ({
    re,
    im: imaginaryEigenvalues[i] as number,
    residual: 0,
  }));
}

/** Real part of an eigenvector, of norm 1, to the eigenvalue with the least real part. */
export function leftmostEigenvector(a: Matrix): Vector {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(a);
  const least = realEigenvalues.indexOf(Math.min(...realEigenvalues));
  return unit(Float64Array.from(eigenvectorMatrix.getColumn(least)));
}

/** Singular values, descending. */
export const singularValues = (a: Matrix): number[] =>
  new SingularValueDecomposition(a).diagonal.sort((x, y) => y - x);

/** A matrix from its rows. */
export const fromRows = (rows: readonly Vector[]): Matrix => new Matrix(rows);

/** A x. */
export const apply = (a: Matrix, x: Vector): Vector =>
  Float64Array.from({ length: a.rows }, (_, i) =>
    a.getRow(i).reduce((sum, value, j) => sum + value * (x[j] as number), 0),
  );
