/** Dense matrices: whole spectra, on problems small enough to have them. */
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { compile } from "../../engine/index.ts";
import { np } from "../../engine/jax-js.ts";
import { scalarTensor, tensor, typesOf, type Tensor } from "../../engine/tensor.ts";
import type { ComplexEigenvalue } from "./arnoldi.ts";
import { denseSpectrum, entriesOf, symmetricEigenvalues, type Spectrum } from "./eigen.ts";
import { dot, type Vector } from "./vectors.ts";

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
  const values = symmetricEigenvalues({ n: a.rows, a: entriesOf(a) });
  if (values === undefined) throw new NotConverged("no eigenvalues of a symmetric matrix");
  return values;
}

/**
 * The spectrum of a matrix, with vectors on demand.
 *
 * @throws {NotConverged}
 */
export function wholeSpectrum(a: Matrix): Spectrum {
  const found = denseSpectrum({ n: a.rows, a: entriesOf(a) });
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

/** Products of so many numbers are done before a program is compiled. */
const smallProduct = 100 ** 3;

/**
 * A B; of large matrices by a compiled program, which takes a twentieth of the time that loops do.
 */
export async function product(a: Matrix, b: Matrix): Promise<Matrix> {
  const [n, inner, width] = [a.rows, a.columns, b.columns];
  if (n * inner * width <= smallProduct) return a.mmul(b);
  const nothing = { evaluation: scalarTensor(0, "float64") };
  const factors = {
    left: tensor(entriesOf(a), [n, inner], "float64"),
    right: tensor(entriesOf(b), [inner, width], "float64"),
  };
  const program = await compile(
    {
      step(carry, inputs) {
        const { left, right } = inputs as { left: np.Array; right: np.Array };
        return { carry, record: np.matmul(left, right) };
      },
      carry: typesOf(nothing),
      inputs: typesOf(factors),
      knobs: {},
    },
    { onFallback() {} },
  );
  try {
    const run = await program.run({ carry: nothing, inputs: factors, knobs: {}, steps: 1 });
    return Matrix.from1DArray(n, width, (run.records as Tensor).data);
  } finally {
    await program.dispose();
  }
}

/** A matrix from its rows. */
export const fromRows = (rows: readonly Vector[]): Matrix => new Matrix(rows);

/** A x. */
export const apply = (a: Matrix, x: Vector): Vector =>
  Float64Array.from({ length: a.rows }, (_, i) => dot(Float64Array.from(a.getRow(i)), x));
