/** Dense matrices: products and singular values, beside those of the library. */
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { expect, test } from "vitest";
import { clearSingularValues, product } from "./dense.ts";
import { randomUnit } from "./vectors.ts";

const random = (rows: number, columns: number) =>
  Matrix.from1DArray(rows, columns, randomUnit(rows * columns, rows, String(columns))).mul(10);

test.each([
  [1, 1, 1],
  [3, 5, 7],
  [2, 64, 3],
  [9, 67, 66],
  [4, 130, 5],
  [101, 103, 102],
])("a product of %i×%i with %i columns is the library's", async (rows, inner, columns) => {
  const [a, b] = [random(rows, inner), random(inner, columns)];
  expect(Matrix.sub(await product(a, b), a.mmul(b)).norm("frobenius")).toBeLessThan(1e-12);
});

test("singular values by squares are those of a decomposition, and small ones are not squared", async () => {
  const n = 104;
  const regular = random(n, n).add(Matrix.eye(n));
  const singular = await product(random(n, n - 1), random(n - 1, n));
  for (const matrix of [regular, singular]) {
    const wanted = new SingularValueDecomposition(matrix).diagonal.sort((a, b) => b - a);
    const found = await clearSingularValues(matrix);
    const most = wanted[0] ?? NaN;
    expect(found).toHaveLength(n);
    found.forEach((value, i) => {
      expect(Math.abs(value - (wanted[i] ?? NaN)) / most).toBeLessThan(1e-10);
    });
  }
  expect((await clearSingularValues(singular)).at(-1)).toBeLessThan(1e-12);
});
