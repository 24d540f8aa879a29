import { describe, expect, test } from "vitest";
import { spectrumEdges } from "./arnoldi.ts";
import { extremeEigenvalues } from "./lanczos.ts";
import { minres } from "./minres.ts";
import { along, dot, minus, norm, randomUnit, type Operator, type Vector } from "./vectors.ts";

/** v ↦ Q v with Q a product of three fixed reflections, and its inverse. */
function rotation(dimension: number) {
  const mirrors = [1, 2, 3].map((seed) => randomUnit(dimension, seed, "mirror"));
  const reflect = (v: Vector, m: Vector) => along(v, -2 * dot(m, v), m);
  return {
    forward: (v: Vector) => mirrors.reduce(reflect, v),
    back: (v: Vector) => mirrors.toReversed().reduce(reflect, v),
  };
}

/** A symmetric operator with the given eigenvalues. */
function symmetric(eigenvalues: readonly number[]) {
  const { forward, back } = rotation(eigenvalues.length);
  let applications = 0;
  const operator: Operator = async (v) => {
    applications++;
    return forward(back(v).map((value, i) => value * (eigenvalues[i] ?? NaN)));
  };
  return {
    operator,
    eigenvector: (i: number) => forward(axis(eigenvalues.length, i)),
    count: () => applications,
  };
}

const axis = (dimension: number, i: number) =>
  Float64Array.from({ length: dimension }, (_, j) => (i === j ? 1 : 0));

/** Most eigenvalues near 0, a few far out, as in Hessians of networks. */
const hessianLike = Array.from({ length: 400 }, (_, i) =>
  i < 5 ? -1 - 0.01 * i : i < 15 ? 3 * (i - 4) : 0.05 * Math.sin(i),
);

describe("extremeEigenvalues", () => {
  test("finds both ends of a known spectrum, with eigenvectors", async () => {
    const { operator, eigenvector, count } = symmetric(hessianLike);
    const found = await extremeEigenvalues({
      operator,
      dimension: 400,
      basisSize: 30,
      tolerance: 1e-10,
    });
    expect(found.converged).toBe(true);
    expect(found.lowest.value).toBeCloseTo(-1.04, 12);
    expect(found.highest.value).toBeCloseTo(30, 10);
    expect(Math.abs(dot(found.highest.vector, eigenvector(14)))).toBeCloseTo(1, 10);
    expect(Math.abs(dot(found.lowest.vector, eigenvector(4)))).toBeCloseTo(1, 7);
    // Both residuals cost one more.
    expect(count()).toBe(found.applications + 2);
  });

  test("residuals bound the error, also where it has not converged", async () => {
    const { operator } = symmetric(hessianLike);
    for (const maxApplications of [4, 8, 16]) {
      const found = await extremeEigenvalues({ operator, dimension: 400, maxApplications });
      expect(found.converged).toBe(false);
      for (const { value, residual, vector } of [found.lowest, found.highest]) {
        const nearest = Math.min(...hessianLike.map((e) => Math.abs(e - value)));
        expect(nearest).toBeLessThanOrEqual(residual);
        const image = await operator(vector);
        expect(norm(along(image, -value, vector))).toBeCloseTo(residual, 10);
      }
    }
  });

  test("one end alone takes fewer products, and directions can be left out", async () => {
    const { operator, eigenvector } = symmetric(hessianLike);
    const options = { operator, dimension: 400, basisSize: 12 };
    const highest = await extremeEigenvalues({ ...options, ends: "highest" });
    const both = await extremeEigenvalues(options);
    expect(highest.applications).toBeLessThan(both.applications);
    const second = await extremeEigenvalues({ ...options, without: [eigenvector(14)] });
    expect(second.highest.value).toBeCloseTo(27, 8);
  });

  test("spaces smaller than the basis, multiple eigenvalues and zero are exact", async () => {
    const three = symmetric([-2, 5, 5]);
    const small = await extremeEigenvalues({ operator: three.operator, dimension: 3 });
    expect([small.lowest.value, small.highest.value]).toEqual([
      expect.closeTo(-2, 13),
      expect.closeTo(5, 13),
    ]);
    expect(small.converged).toBe(true);
    const zero: Operator = async (v) => v.map(() => 0);
    const none = await extremeEigenvalues({ operator: zero, dimension: 50 });
    expect(none).toMatchObject({ converged: true, lowest: { value: 0, residual: 0 } });
  });

  test("equal seeds give equal numbers", async () => {
    const { operator } = symmetric(hessianLike);
    const run = (seed: number) =>
      extremeEigenvalues({ operator, dimension: 400, maxApplications: 12, seed });
    expect(await run(1)).toEqual(await run(1));
    expect((await run(1)).lowest.value).not.toBe((await run(2)).lowest.value);
  });
});

/** Similar to a block diagonal matrix with the given eigenvalues, and far from symmetric. */
function nonsymmetric(blocks: readonly (readonly [re: number, im: number])[]): {
  operator: Operator;
  dimension: number;
} {
  const dimension = blocks.reduce((sum, [, im]) => sum + (im === 0 ? 1 : 2), 0);
  const { forward, back } = rotation(dimension);
  // S = I + N with N strictly upper bidiagonal; S⁻¹ by back substitution.
  const couple = 0.6;
  const shear = (v: Vector) => v.map((value, i) => value + couple * (v[i + 1] ?? 0));
  const unshear = (v: Vector) => {
    const x = v.slice();
    for (let i = dimension - 2; i >= 0; i--) x[i] = (x[i] ?? NaN) - couple * (x[i + 1] ?? NaN);
    return x;
  };
  const multiply = (v: Vector) => {
    const w = v.slice();
    let i = 0;
    for (const [re, im] of blocks) {
      const [a, b] = [v[i] ?? NaN, v[i + 1] ?? NaN];
      w[i] = re * a + (im === 0 ? 0 : im * b);
      if (im !== 0) w[i + 1] = re * b - im * a;
      i += im === 0 ? 1 : 2;
    }
    return w;
  };
  return { dimension, operator: async (v) => forward(shear(multiply(unshear(back(v))))) };
}

test("residuals are those of the pairs: not below rounding, however far the iteration went", async () => {
  const few = symmetric([-3, -1, 2, 5, ...Array.from({ length: 40 }, () => 1)]);
  const { lowest } = await extremeEigenvalues({ ...few, dimension: 44 });
  expect(lowest.residual).toBe(
    norm(along(await few.operator(lowest.vector), -lowest.value, lowest.vector)),
  );
  expect(lowest.residual).toBeGreaterThan(1e-17);
  expect(lowest.residual).toBeLessThan(1e-13);
});

describe("spectrumEdges", () => {
  const bulk = Array.from({ length: 150 }, (_, i): [number, number] => [
    Math.sin(i),
    i % 3 === 0 ? 0.3 * Math.cos(i) : 0,
  ]);

  test("finds leftmost, rightmost and largest eigenvalues, real and complex", async () => {
    const { operator, dimension } = nonsymmetric([[-3, 0.5], [6, 0], [5, 7], ...bulk]);
    const edges = await spectrumEdges({ operator, dimension, basisSize: 40, tolerance: 1e-10 });
    expect(edges.converged).toBe(true);
    expect(edges.leftmost).toMatchObject({ re: expect.closeTo(-3, 8), im: expect.closeTo(0.5, 8) });
    expect(edges.rightmost).toMatchObject({ re: expect.closeTo(6, 8), im: 0 });
    expect(edges.largest).toMatchObject({ re: expect.closeTo(5, 8), im: expect.closeTo(7, 8) });
    for (const { residual } of [edges.leftmost, edges.rightmost, edges.largest]) {
      expect(residual).toBeLessThan(1e-8);
    }
    const times = (re: number) => edges.values.filter((e) => Math.abs(e.re - re) < 1e-6).length;
    expect([times(-3), times(6), times(5)]).toEqual([1, 1, 1]);
  });

  test("restarts: a basis too small for one pass still converges", async () => {
    const { operator, dimension } = nonsymmetric([[-3, 0.5], [6, 0], [5, 7], ...bulk]);
    const edges = await spectrumEdges({ operator, dimension, basisSize: 16 });
    expect(edges.applications).toBeGreaterThan(20);
    expect(edges.leftmost.re).toBeCloseTo(-3, 6);
  });

  test("the leftmost eigenvector is one", async () => {
    const { operator, dimension } = nonsymmetric([[-2, 0], [4, 0], ...bulk]);
    const { leftmostVector: v, leftmost } = await spectrumEdges({
      operator,
      dimension,
      tolerance: 1e-10,
    });
    expect(norm(along(await operator(v), 2, v))).toBeLessThan(1e-8);
    expect(leftmost.residual).toBeCloseTo(norm(along(await operator(v), -leftmost.re, v)), 13);
  });

  test("says so when it has not converged", async () => {
    const { operator, dimension } = nonsymmetric(bulk);
    const edges = await spectrumEdges({ operator, dimension, maxApplications: 10 });
    expect(edges.converged).toBe(false);
    expect(edges.applications).toBe(10);
  });
});

describe("minres", () => {
  test("solves an indefinite system", async () => {
    const { operator } = symmetric([-3, -1, ...Array.from({ length: 60 }, (_, i) => 1 + i / 10)]);
    const right = randomUnit(62, 5, "right");
    const { x, converged, relativeResidual } = await minres({ operator, right, tolerance: 1e-11 });
    expect(converged).toBe(true);
    expect(norm(minus(await operator(x), right))).toBeLessThan(1e-10);
    expect(relativeResidual).toBeLessThanOrEqual(1e-11);
  });

  test("reports the residual it stopped at", async () => {
    const { operator } = symmetric(Array.from({ length: 60 }, (_, i) => i - 30.5));
    const right = randomUnit(60, 6, "right");
    const { x, converged, relativeResidual, applications } = await minres({
      operator,
      right,
      maxApplications: 20,
    });
    expect([converged, applications]).toEqual([false, 20]);
    expect(norm(minus(await operator(x), right))).toBeCloseTo(relativeResidual, 10);
  });

  test("b = 0 and eigenvectors", async () => {
    const { operator, eigenvector } = symmetric([2, -4, 1, 7]);
    expect(await minres({ operator, right: new Float64Array(4) })).toMatchObject({
      converged: true,
      applications: 0,
    });
    const { x } = await minres({ operator, right: eigenvector(1) });
    expect(norm(along(eigenvector(1), 4, x))).toBeLessThan(1e-13);
  });
});
