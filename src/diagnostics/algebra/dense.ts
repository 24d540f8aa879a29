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

/** Eigenvalues of MᵀM from which on their roots are singular values to seven digits. */
const clear = 1e-8;

/**
 * Singular values, descending, like {@link singularValues}: by the eigenvalues of MᵀM, some times as
 * fast, where none is so small that squaring loses it.
 *
 * @throws {NotConverged}
 */
export function clearSingularValues(a: Matrix): number[] {
  if (a.rows > smallSize) {
    const squares = symmetricSpectrum(product(a.transpose(), a));
    const [least = 0, most = 0] = [squares[0], squares.at(-1)];
    if (least > clear * most) return squares.map(Math.sqrt).reverse();
  }
  return singularValues(a);
}

/** Rows up to which the way that is exact for every matrix takes no time to speak of. */
const smallSize = 100;

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

/** Rows of the right factor that are used while they are near. */
const nearRows = 64;

/**
 * A B, four rows of B at a time and blocks of them while they are in the cache: for a thousand rows
 * several times as fast as a matrix class that asks for one entry after the other.
 */
export function product(a: Matrix, b: Matrix): Matrix {
  const [n, inner, width] = [a.rows, a.columns, b.columns];
  const right = Array.from({ length: inner }, (_, k) => Float64Array.from(b.getRow(k)));
  const left = Array.from({ length: n }, (_, i) => Float64Array.from(a.getRow(i)));
  const result = Array.from({ length: n }, () => new Float64Array(width));
  const none = new Float64Array(width);
  for (let from = 0; from < inner; from += nearRows) {
    const until = Math.min(inner, from + nearRows);
    for (let i = 0; i < n; i++) {
      const row = left[i] as Vector;
      const sum = result[i] as Vector;
      for (let k = from; k < until; k += 4) {
        const [b0 = none, b1 = none, b2 = none, b3 = none] = right.slice(k, Math.min(k + 4, until));
        const [a0 = 0, a1 = 0, a2 = 0, a3 = 0] = row.subarray(k, Math.min(k + 4, until));
        for (let j = 0; j < width; j++) {
          sum[j] =
            (sum[j] as number) +
            (a0 * (b0[j] as number) + a1 * (b1[j] as number)) +
            (a2 * (b2[j] as number) + a3 * (b3[j] as number));
        }
      }
    }
  }
  return new Matrix(result);
}

/** A matrix from its rows. */
export const fromRows = (rows: readonly Vector[]): Matrix => new Matrix(rows);

/** A x. */
export const apply = (a: Matrix, x: Vector): Vector =>
  Float64Array.from({ length: a.rows }, (_, i) =>
    a.getRow(i).reduce((sum, value, j) => sum + value * (x[j] as number), 0),
  );
