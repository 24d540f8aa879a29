import { Matrix } from "ml-matrix";
import { expect, test } from "vitest";
import { randomStream } from "../../engine/random.ts";
import { NotConverged, spectrum, symmetricSpectrum, wholeSpectrum } from "./dense.ts";
import { denseSpectrum, symmetricEigenvalues } from "./eigen.ts";

const close = (values: readonly number[], digits = 10) =>
  values.map((value) => expect.closeTo(value, digits));

/** Entries in ±1, reproducible. */
function random(n: number, seed: number): Matrix {
  const stream = randomStream(seed, "eigen");
  return Matrix.zeros(n, n).apply(function (this: Matrix, i, j) {
    this.set(i, j, 2 * stream.uniform() - 1);
  });
}

const values = (matrix: Matrix) =>
  spectrum(matrix)
    .map(({ re, im }) => [re, im] as const)
    .toSorted(([a, b], [c, d]) => a - c || b - d);

test("eigenvalues of matrices whose eigenvalues are known", () => {
  // Companion matrix of (z − 1)(z − 2)(z² + 4) = z⁴ − 3z³ + 6z² − 12z + 8.
  const companion = new Matrix([
    [3, -6, 12, -8],
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
  ]);
  const found = spectrum(companion);
  expect(found.map(({ re }) => re).toSorted((a, b) => a - b)).toEqual(close([0, 0, 1, 2]));
  expect(found.map(({ im }) => im).toSorted((a, b) => a - b)).toEqual(close([-2, 0, 0, 2]));
  // Second differences: 2 − 2 cos(kπ/(n + 1)).
  const n = 40;
  const differences = Matrix.zeros(n, n);
  for (let i = 0; i < n; i++) {
    differences.set(i, i, 2);
    if (i > 0) differences.set(i, i - 1, -1).set(i - 1, i, -1);
  }
  const cosines = Array.from(
    { length: n },
    (_, k) => 2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)),
  );
  expect(symmetricSpectrum(differences)).toEqual(close(cosines, 12));
  expect(values(differences).map(([re]) => re)).toEqual(close(cosines, 12));
});

test("trace, and trace of the square, are those of the matrix", () => {
  for (const n of [1, 2, 3, 7, 30, 61]) {
    const a = random(n, n);
    const square = a.mmul(a);
    const found = spectrum(a);
    expect(found).toHaveLength(n);
    const sum = found.reduce((total, { re }) => total + re, 0);
    const squares = found.reduce((total, { re, im }) => total + re * re - im * im, 0);
    expect([sum, squares]).toEqual(close([a.trace(), square.trace()], 9));
    const symmetric = Matrix.add(a, a.transpose());
    const own = symmetricSpectrum(symmetric);
    expect(own).toEqual(own.toSorted((x, y) => x - y));
    const total = [own.reduce((x, y) => x + y, 0), own.reduce((x, y) => x + y * y, 0)];
    expect(total).toEqual(close([symmetric.trace(), symmetric.mmul(symmetric).trace()], 8));
  }
});

test("vectors belong to their eigenvalues, and conditions are those of the closed form", () => {
  const a = random(30, 5);
  const found = denseSpectrum({ n: 30, a: Float64Array.from(a.to1DArray()) });
  expect(found?.values.some(({ im }) => im > 0)).toBe(true);
  for (const value of found?.values ?? []) {
    expect(found?.conditioned(value).residual).toBeLessThan(1e-12);
  }
  // [[1, t], [0, 2]]: right vectors (1, 0) and (t, 1), left (1, −t) and (0, 1); 1/|y*v| = √(1 + t²).
  for (const t of [0, 1, 1000]) {
    const skew = denseSpectrum({ n: 2, a: Float64Array.of(1, t, 0, 2) });
    const conditions = skew?.values.map((value) => skew.conditioned(value).condition) ?? [];
    expect(conditions.map((condition) => condition / Math.hypot(1, t))).toEqual(close([1, 1]));
  }
  const rotation = denseSpectrum({ n: 2, a: Float64Array.of(0, -3, 3, 0) });
  expect(rotation?.values).toEqual([{ re: 0, im: expect.closeTo(3, 12) as number }]);
  const [pair] = rotation?.values ?? [];
  expect(pair && rotation?.conditioned(pair).condition).toBeCloseTo(1, 10);
});

test("zero, flat, tiny, huge and defective matrices come to an end", () => {
  const jordan = Matrix.eye(60).mul(2);
  for (let i = 1; i < 60; i++) jordan.set(i - 1, i, 1);
  const low = Matrix.zeros(195, 195);
  for (let i = 0; i < 3; i++) for (let j = 0; j < 195; j++) low.set(190 + i, j, 1e-17 * (i - j));
  const farFromNormal = Matrix.eye(100).set(99, 0, 1e-9);
  for (let i = 0; i < 100; i++) {
    for (let j = i + 1; j < 100; j++) farFromNormal.set(i, j, 3 * Math.sin(i * j + 1));
  }
  const cases = [
    Matrix.zeros(195, 195),
    low,
    jordan,
    random(20, 1).mul(1e-310),
    random(20, 1).mul(1e300),
    Matrix.eye(50),
    farFromNormal,
  ];
  for (const matrix of cases) {
    expect(spectrum(matrix)).toHaveLength(matrix.rows);
    expect(symmetricSpectrum(matrix)).toHaveLength(matrix.rows);
  }
  expect(symmetricSpectrum(Matrix.zeros(3, 3))).toEqual([0, 0, 0]);
});

test("pairs whose imaginary part is rounding alone are real", () => {
  for (const [im, count] of [
    [1e-17, 2],
    [1e-12, 1],
  ] as const) {
    const matrix = new Matrix([
      [0, im, 0],
      [-im, 0, 0],
      [0, 0, 1],
    ]);
    const found = wholeSpectrum(matrix).values;
    expect([im, found.filter(({ re }) => re < 0.5).length]).toEqual([im, count]);
  }
});

test("many equal blocks come to an end", () => {
  // What hidden units that are all zero make of a Hessian.
  for (const blocks of [20, 60, 100]) {
    const n = 3 * blocks;
    const a = Matrix.eye(n).mul(0.003);
    for (let i = 0; i < blocks; i++) {
      for (const [j, entry] of [
        [i + blocks, 2.841365244429765],
        [i + 2 * blocks, 0.10951863075172823],
      ] as const) {
        a.set(i, j, entry).set(j, i, entry);
      }
    }
    const side = Math.hypot(2.841365244429765, 0.10951863075172823);
    const wanted = [0.003 - side, 0.003, 0.003 + side];
    expect(symmetricSpectrum(a)).toEqual(
      close(
        wanted.flatMap((value) => Array.from({ length: blocks }, () => value)),
        13,
      ),
    );
    expect(spectrum(a)).toHaveLength(n);
  }
});

test("what is not finite is refused", () => {
  for (const wrong of [NaN, Infinity, -Infinity]) {
    const a = Float64Array.of(1, wrong, 2, 3);
    expect(symmetricEigenvalues({ n: 2, a })).toBeUndefined();
    expect(denseSpectrum({ n: 2, a })).toBeUndefined();
    const matrix = new Matrix([
      [1, wrong],
      [2, 3],
    ]);
    for (const compute of [spectrum, symmetricSpectrum]) {
      expect(() => compute(matrix)).toThrow(NotConverged);
    }
  }
});
