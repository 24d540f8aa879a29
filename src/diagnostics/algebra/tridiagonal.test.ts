/** Tridiagonal forms, beside decompositions of the library and closed forms. */
import { createHash } from "node:crypto";
import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import { expect, test } from "vitest";
import { openWorker } from "../../engine/worker.ts";
import { NotConverged } from "./dense.ts";
import { entriesOf } from "./eigen.ts";
import type { ReducedForm } from "./reduced-form.ts";
import type { ReductionQuestion } from "./reduction-worker.ts";
import {
  eigenvaluesWithin,
  endsOf,
  kernelPart,
  openReducer,
  perturbationForm,
  tridiagonalForm,
} from "./tridiagonal.ts";
import { randomUnit } from "./vectors.ts";

const symmetric = (n: number, name: string) => {
  const a = Matrix.from1DArray(n, n, randomUnit(n * n, n, name)).mul(n);
  return Matrix.add(a, a.transpose());
};

/** Of rank n − 2, where there is room. */
const flat = (n: number) => {
  const a = symmetric(n, "flat");
  for (let i = 0; i < n; i++) {
    for (const k of n > 3 ? [0, 2] : []) {
      a.set(i, k, 0);
      a.set(k, i, 0);
    }
  }
  return a;
};

const cases = [1, 2, 3, 4, 5, 8, 33].flatMap((n) => [
  { n, kind: "random", hessian: symmetric(n, "h"), u: randomUnit(n, n, "u") },
  { n, kind: "flat", hessian: flat(n), u: randomUnit(n, n, "u") },
  { n, kind: "zero", hessian: Matrix.zeros(n, n), u: randomUnit(n, n, "u") },
  { n, kind: "with u as an axis", hessian: symmetric(n, "a"), u: axis(n) },
  { n, kind: "diagonal", hessian: Matrix.diag(Array.from(randomUnit(n, n, "d"))), u: axis(n) },
]);

function axis(n: number) {
  const u = new Float64Array(n);
  u[0] = 1;
  return u;
}

test.each(cases)("$kind, $n rows: ends and counts are those of eigenvalues", ({ n, hessian }) => {
  const form = tridiagonalForm(hessian);
  const values = new EigenvalueDecomposition(hessian, { assumeSymmetric: true }).realEigenvalues;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const size = Math.max(-least, most);
  const { min, max } = endsOf(form);
  expect(Math.abs(min - least)).toBeLessThanOrEqual(1e-14 * n * size);
  expect(Math.abs(max - most)).toBeLessThanOrEqual(1e-14 * n * size);
  for (const part of [1e-6, 0.1, 0.5, 1.001]) {
    const within = values.filter((value) => Math.abs(value) <= part * size).length;
    expect([part, eigenvaluesWithin(form, part * size)]).toEqual([part, within]);
  }
});

test.each(cases)("$kind, $n rows: M is as it is written down", ({ n, hessian, u }) => {
  for (const stretch of [0, 0.3, 1e4]) {
    // M = I + s(I − uuᵀ)H
    const across = Matrix.eye(n).sub(Matrix.columnVector(u).mmul(Matrix.rowVector(u)));
    const m = Matrix.eye(n).add(across.mmul(hessian).mul(stretch));
    const wanted = new SingularValueDecomposition(m).diagonal.toSorted((a, b) => a - b);
    const part = Matrix.add(m, m.transpose()).mul(0.5);
    const symmetrical = new EigenvalueDecomposition(part, { assumeSymmetric: true });
    const found = perturbationForm(tridiagonalForm(hessian, u), stretch);
    const [least = NaN, most = NaN] = [wanted[0], wanted.at(-1)];
    // In one dimension rounding of u is all that is left of H.
    const rounding = 1e-14 * n * (most + stretch * hessian.norm("frobenius"));
    expect(Math.abs(found.minSingular - least)).toBeLessThanOrEqual(rounding);
    const lowest = Math.min(...symmetrical.realEigenvalues);
    expect(Math.abs(found.minSymmetric - lowest)).toBeLessThanOrEqual(rounding);
    for (const limit of [0.999 * least, 1.001 * least, 0.6 * most, 1.001 * most]) {
      const count = wanted.filter((value) => value <= limit).length;
      expect([limit, found.singularAtMost(limit)]).toEqual([limit, count]);
    }
  }
});

test("a singular M is seen to be one, however large it is", () => {
  // On the sphere of radius ρ = ‖g‖ around a maximizer of curvature 1, M = uuᵀ.
  const n = 6;
  for (const size of [1, 1e-200, 1e200]) {
    const found = perturbationForm(tridiagonalForm(Matrix.eye(n).mul(-size), axis(n)), 1 / size);
    expect(found.minSingular).toBeLessThan(1e-15);
    expect([found.singularAtMost(1e-8), found.singularAtMost(2)]).toEqual([n - 1, n]);
  }
});

test("a kernel is counted to the last dimension", () => {
  for (const n of [5, 33]) {
    const form = tridiagonalForm(flat(n));
    const { max } = endsOf(form);
    expect([1e-14, 1e-9].map((part) => eigenvaluesWithin(form, part * max))).toEqual([2, 2]);
  }
  expect(eigenvaluesWithin(tridiagonalForm(Matrix.zeros(7, 7)), 0)).toBe(7);
  expect(eigenvaluesWithin(tridiagonalForm(Matrix.diag([-2, 1, 2])), 2)).toBe(3);
});

test("the kernel's part of a vector is its projection, and the rest has none", () => {
  const n = 33;
  // A of rank n − 5 with a basis of its kernel, and eigenvalues from 1e-6 on.
  const { eigenvectorMatrix: q } = new EigenvalueDecomposition(symmetric(n, "q"));
  const values = Array.from({ length: n }, (_, i) =>
    i < 5 ? 0 : (i % 2 ? -1 : 1) * 10 ** (i / 5 - 7),
  );
  const a = q.mmul(Matrix.diag(values)).mmul(q.transpose());
  const basis = q.subMatrixColumn([0, 1, 2, 3, 4]);
  for (const size of [1, 1e-100, 1e100]) {
    const form = tridiagonalForm(Matrix.mul(a, size));
    const part = kernelPart(form, 1e-10 * endsOf(form).max);
    for (const name of ["one", "two", "three"]) {
      const v = randomUnit(n, 0, name);
      const column = Matrix.columnVector(Array.from(v));
      const wanted = basis.mmul(basis.transpose().mmul(column)).to1DArray();
      expect([...part(v)]).toEqual(wanted.map((value) => expect.closeTo(value, 7)));
    }
  }
  // (δ²/(λ² + δ²))², δ = 1e-9
  const between = kernelPart(tridiagonalForm(Matrix.diag([0, -1e-10, 1e-8, 1])), 1e-10);
  const ones = Float64Array.of(1, 1, 1, 1);
  expect([...between(ones)]).toEqual(
    [1, 1 / 1.01 ** 2, 1 / 101 ** 2, 0].map((value) => expect.closeTo(value, 9)),
  );
  const v = randomUnit(4, 0, "v");
  expect([...kernelPart(tridiagonalForm(Matrix.zeros(4, 4)), 0)(v)]).toEqual([...v]);
});

test("what is not finite is refused", () => {
  for (const wrong of [NaN, Infinity]) {
    const matrix = new Matrix([
      [1, wrong],
      [wrong, 3],
    ]);
    expect(() => tridiagonalForm(matrix)).toThrow(NotConverged);
  }
  const form = tridiagonalForm(Matrix.eye(3));
  expect(() => perturbationForm(form, Infinity)).toThrow(NotConverged);
});

/** Every digit of a form, in few characters: what differs in a million numbers takes minutes to show. */
const digitsOf = (form: ReducedForm | undefined): string =>
  createHash("sha256").update(JSON.stringify(form)).digest("hex");

test("a reducer finds the same forms in a thread of its own, and here once that has ended", async () => {
  const n = 300;
  const [a, b, u] = [symmetric(n, "one"), symmetric(n, "other"), randomUnit(n, n, "u")];
  const worker = openWorker<ReductionQuestion, ReducedForm>(import.meta.url, "reduction-worker");
  const square = { n, a: entriesOf(a) };
  expect(digitsOf(await worker?.ask({ square, last: u }))).toBe(digitsOf(tridiagonalForm(a, u)));
  await worker?.close();
  const reducer = openReducer(n, 2);
  const forms = await Promise.all([reducer.reduce(a, u), reducer.reduce(b)]);
  expect(forms.map(digitsOf)).toEqual([tridiagonalForm(a, u), tridiagonalForm(b)].map(digitsOf));
  a.set(1, 2, NaN);
  await expect(reducer.reduce(a)).rejects.toThrow(NotConverged);
  await reducer.close();
  expect(digitsOf(await reducer.reduce(b))).toBe(digitsOf(forms[1]));
});
