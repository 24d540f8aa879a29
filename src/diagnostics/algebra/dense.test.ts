/** Products of dense matrices, beside those of the library. */
import { Matrix } from "ml-matrix";
import { expect, test } from "vitest";
import { product } from "./dense.ts";
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
