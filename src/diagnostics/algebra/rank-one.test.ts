/** Spectra of nearly symmetric products, beside those that take no notice of the structure. */
import { Matrix } from "ml-matrix";
import { expect, test } from "vitest";
import { wholeSpectrum } from "./dense.ts";
import { nearlySymmetricSpectrum } from "./rank-one.ts";
import { randomUnit, scaled } from "./vectors.ts";

const random = (n: number, name: string) =>
  Matrix.from1DArray(n, n, randomUnit(n * n, n, name)).mul(Math.sqrt(n));
const symmetric = (n: number, name: string) => {
  const a = random(n, name);
  return Matrix.add(a, a.transpose()).mul(0.5);
};
const definite = (n: number, name: string) => {
  const a = random(n, name);
  return a.mmul(a.transpose()).add(Matrix.eye(n).mul(0.01));
};

/** A = P (N + c wᵀ) + λ I. */
function problem(n: number, left: Matrix, right: Matrix, length: number, shift = 0) {
  const column = scaled(length, randomUnit(n, 1, "column"));
  const row = scaled(length, randomUnit(n, 2, "row"));
  const inner = Matrix.add(right, Matrix.columnVector(column).mmul(Matrix.rowVector(row)));
  const matrix = left.mmul(inner).add(Matrix.eye(n).mul(shift));
  return { matrix, factors: { left, right, column, row, shift } };
}

const cases = [1, 2, 3, 4, 5, 9, 40, 90].flatMap((n) =>
  [0, 0.1, 3].map((length) => [n, length] as const),
);

test.each(cases)("%i rows, rank-one term of size %d", async (n, length) => {
  const given = [
    problem(n, definite(n, "p"), symmetric(n, "n"), length),
    problem(n, definite(n, "p").mul(-1), symmetric(n, "n"), length, 0.3),
    problem(n, symmetric(n, "p"), definite(n, "n"), length),
    problem(n, Matrix.eye(n), Matrix.zeros(n, n), length, 1),
  ];
  for (const { matrix, factors } of given) {
    const found = await nearlySymmetricSpectrum(matrix, factors);
    const wanted = wholeSpectrum(matrix);
    const size = wanted.size;
    // Pairs twice; each eigenvalue takes the nearest one that is left.
    const all = (values: typeof wanted.values = []) =>
      values.flatMap(({ re, im }) =>
        im > 0 ? [[re, im] as const, [re, -im] as const] : [[re, 0] as const],
      );
    const left = all(found?.values);
    expect(left).toHaveLength(n);
    for (const [re, im] of all(wanted.values)) {
      const distances = left.map(([a, b]) => Math.hypot(a - re, b - im));
      const nearest = distances.indexOf(Math.min(...distances));
      expect((distances[nearest] ?? NaN) / size).toBeLessThan(1e-7);
      left.splice(nearest, 1);
    }
    for (const value of found?.values ?? []) {
      expect(found?.conditioned(value).residual).toBeLessThan(1e-11 * size);
    }
  }
});

test("conditions and vectors are those of the matrix itself", async () => {
  const n = 30;
  const { matrix, factors } = problem(n, definite(n, "p"), symmetric(n, "n"), 2, 0.1);
  const [found, wanted] = [await nearlySymmetricSpectrum(matrix, factors), wholeSpectrum(matrix)];
  for (const i of [0, 1, 2, wanted.values.length - 1]) {
    const [value, other] = [found?.values[i], wanted.values[i]];
    if (!value || !other) throw new Error("eigenvalues are missing");
    const [own, whole] = [found?.conditioned(value), wanted.conditioned(other)];
    expect((own?.condition ?? NaN) / whole.condition).toBeCloseTo(1, 6);
    if (value.im > 0) continue;
    const cosine = whole.vector.reduce((sum, v, j) => sum + v * (own?.vector[j] ?? NaN), 0);
    expect(Math.abs(cosine)).toBeCloseTo(1, 8);
  }
});

test("without a definite factor, or factors of another matrix, nothing is found", async () => {
  const n = 12;
  const indefinite = problem(n, symmetric(n, "p"), symmetric(n, "n"), 1);
  expect(await nearlySymmetricSpectrum(indefinite.matrix, indefinite.factors)).toBeUndefined();
  const { matrix, factors } = problem(n, definite(n, "p"), symmetric(n, "n"), 1);
  const other = Matrix.add(matrix, Matrix.eye(n).mul(1e-3));
  expect(await nearlySymmetricSpectrum(other, factors)).toBeUndefined();
});
