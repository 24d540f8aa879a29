import { assert, asyncProperty, constantFrom, double, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { autodiff } from "../../../test/autodiff.ts";
import { eigenvalues, grid, newton, norm } from "../../../test/shifted.ts";
import { compileJax } from "../../engine/jax.ts";
import { leavesWithPaths, tensor, typesOf } from "../../engine/tensor.ts";
import type { Plane, Point } from "../problem.ts";
import { cosine, himmelblau, planes, quadratic, rosenbrock, wideNarrow } from "./index.ts";

const pointIn = ([[left, right], [low, high]]: Plane["domain"]) => ({
  x1: double({ min: left, max: right, noNaN: true }),
  x2: double({ min: low, max: high, noNaN: true }),
});
const distance = (a: Point, b: Point) => Math.hypot(a[0] - b[0], a[1] - b[1]);
/** Equal up to `tolerance` times the larger of 1 and the expected size. */
const near = (value: number, tolerance: number) =>
  expect.closeTo(value, -Math.log10(2 * tolerance * Math.max(1, Math.abs(value))));

for (const [name, { create, title }] of Object.entries(planes)) {
  describe(name, () => {
    const problem = create();
    const { plane } = problem;
    const { x1, x2 } = pointIn(plane.domain);

    test("value, gradient and Hessian agree with autodiff", async () => {
      await assert(
        asyncProperty(x1, x2, async (a, b) => {
          const params = { x: tensor([a, b], [2], "float64") };
          for (const [column, direction] of [
            [0, [1, 0]],
            [1, [0, 1]],
          ] as const) {
            const { losses, gradient, hessianProduct } = await autodiff(problem, params, direction);
            const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
            expect(mean).toEqual(near(plane.value([a, b]), 1e-13));
            expect(gradient).toEqual(plane.gradient([a, b]).map((v) => near(v, 1e-12)));
            const rows = plane.hessian([a, b]);
            expect(hessianProduct).toEqual(rows.map((row) => near(row[column], 1e-11)));
          }
        }),
        { numRuns: 10 },
      );
    });

    test("gradient and Hessian agree with central differences", () => {
      assert(
        property(x1, x2, (a, b) => {
          const h = 1e-5;
          const difference = (f: (x: Point) => number): Point => [
            (f([a + h, b]) - f([a - h, b])) / (2 * h),
            (f([a, b + h]) - f([a, b - h])) / (2 * h),
          ];
          const close = (v: number) => near(v, 1e-5);
          expect(difference(plane.value)).toEqual(plane.gradient([a, b]).map(close));
          for (const i of [0, 1] as const) {
            const row = plane.hessian([a, b])[i];
            expect(difference((x) => plane.gradient(x)[i])).toEqual(row.map(close));
          }
        }),
      );
    });

    test("critical points are critical and of their kind", () => {
      const scale = Math.max(...grid(plane.domain, 9).map((x) => norm(plane.gradient(x))));
      for (const { kind, points, source } of plane.critical) {
        expect(source).not.toBe("");
        for (const point of points) {
          expect(norm(plane.gradient(point))).toBeLessThan(1e-14 * Math.max(1, scale));
          const [least, most] = eigenvalues(plane.hessian(point));
          // Along a curve of critical points one eigenvalue is 0, beside it none is.
          const zeros = [least, most].filter((v) => Math.abs(v) < 1e-9 * Math.max(-least, most));
          expect(zeros).toHaveLength(points.length > 1 ? 1 : 0);
          if (kind === "minimizer") expect(least).toBeGreaterThan(-1e-9);
          if (kind === "maximizer") expect(most).toBeLessThan(1e-9);
          if (kind === "saddle") expect(least * most).toBeLessThan(0);
        }
      }
    });

    test("nothing else is critical: Newton's method finds no other point", () => {
      const known = plane.critical.flatMap(({ points }) => points);
      const [[left, right], [low, high]] = plane.domain;
      const found = grid(plane.domain, 24)
        .map((start) => newton(plane.gradient, plane.hessian, start))
        .filter((x) => x !== undefined)
        .filter(([a, b]) => a >= left && a <= right && b >= low && b <= high);
      expect(found.length).toBeGreaterThan(0);
      for (const x of found) {
        // Samples of a curve lie 0.1 apart.
        expect(Math.min(...known.map((point) => distance(x, point)))).toBeLessThan(0.051);
      }
    });

    test("the minimum is the value of the best minimizer and below everything else", () => {
      const values = plane.critical
        .filter(({ kind }) => kind === "minimizer")
        .flatMap(({ points }) => points.map(plane.value));
      if (plane.minimum === undefined) {
        expect(values).toEqual([]);
        expect(plane.value([1e8, 1e9])).toBeLessThan(-1e9);
        return;
      }
      expect(Math.min(...values)).toEqual(near(plane.minimum, 1e-14));
      const [[left, right], [low, high]] = plane.domain;
      const beyond: Plane["domain"] = [
        [3 * left, 3 * right],
        [3 * low, 3 * high],
      ];
      for (const x of [...grid(plane.domain, 101), ...grid(beyond, 101)]) {
        expect(plane.value(x)).toBeGreaterThanOrEqual(plane.minimum - 1e-14);
      }
    });

    test("starts inside its domain, where the gradient does not vanish", () => {
      const [[left, right], [low, high]] = plane.domain;
      const [a, b] = plane.start;
      expect(a >= left && a <= right && b >= low && b <= high).toBe(true);
      expect(norm(plane.gradient(plane.start))).toBeGreaterThan(0.1);
      expect(problem.init(7)).toEqual({ x: tensor(plane.start, [2], "float64") });
    });

    test("options: dtype and start", () => {
      const problem = create({ dtype: "float32", start: [0.1, -2] });
      expect(problem.init(0)).toEqual({ x: tensor([0.1, -2], [2], "float32") });
      expect(problem.dtype).toBe("float32");
      const leaves = leavesWithPaths(problem.train.batch);
      expect(leaves.length).toBeGreaterThan(0);
      for (const [, leaf] of leaves) {
        expect(leaf).toMatchObject({ dtype: "float32", shape: [problem.train.size] });
      }
      expect(problem.role("x")).toBe("weight");
      expect(() => create({ start: [NaN, 0.5] })).toThrow(
        "invalid start: NaN, 0.5 (give two finite numbers)",
      );
      expect(() => create({ start: [1] as unknown as Point })).toThrow(/^invalid start: 1 /);
    });

    test("runs compiled, in both dtypes", async () => {
      for (const dtype of ["float32", "float64"] as const) {
        const problem = create({ dtype });
        const program = await compileJax({
          step: (carry, inputs) => ({
            carry,
            record: problem.forward(carry, inputs, { mode: "evaluate" }).losses,
          }),
          carry: typesOf(problem.init(0)),
          inputs: typesOf(problem.train.batch),
          knobs: {},
        });
        const { records } = await program.run({
          carry: problem.init(0),
          inputs: problem.train.batch,
          knobs: {},
          steps: 1,
        });
        expect(records).toMatchObject({ dtype, shape: [1, problem.train.size] });
        await program.dispose();
      }
    });

    test("has a title of one sentence", () => {
      expect(title).toMatch(/^[A-Z].*\.$/);
      expect(problem.name).toBe(name);
    });
  });
}

describe("quadratic", () => {
  test("its samples are x₁² and 10 x₂², together and alone", async () => {
    for (const separate of [false, true]) {
      const problem = quadratic({ separate, start: [3, 0.5] });
      expect((await autodiff(problem, problem.init(0))).losses).toEqual([9, 2.5]);
      const second = { a: tensor([0], [1], "float64"), b: tensor([10], [1], "float64") };
      const alone = await autodiff(problem, problem.init(0), undefined, second);
      expect(alone.losses).toEqual([2.5]);
      expect(alone.gradient).toEqual([0, 10]);
    }
  });

  test("separate: two tensors, the second with the role of a normalization layer", async () => {
    const problem = quadratic({ separate: true });
    expect(problem.init(0)).toEqual({
      x1: tensor([1], [1], "float64"),
      x2: tensor([1], [1], "float64"),
    });
    expect(["x1", "x2"].map((path) => problem.role(path))).toEqual(["weight", "norm"]);
    const { gradient, hessianProduct } = await autodiff(problem, problem.init(0), [1, 1]);
    expect([...gradient, ...hessianProduct]).toEqual([1, 10, 1, 10]);
  });
});

test("himmelblau: the published minimizers, to six digits, and the published maximum", () => {
  const { plane } = himmelblau();
  const published: Point[] = [
    [3, 2],
    [-2.805118, 3.131312],
    [-3.77931, -3.283186],
    [3.584428, -1.848126],
  ];
  for (const point of published) expect(plane.value(point)).toBeLessThan(1e-10);
  const minimizers = plane.critical.filter(({ kind }) => kind === "minimizer");
  expect(minimizers.flatMap(({ points }) => points)).toEqual(
    published.map((point) => point.map((v) => expect.closeTo(v, 5))),
  );
  expect(plane.value([-0.270845, -0.923039])).toBeCloseTo(181.617, 3);
  expect(plane.critical.map(({ kind }) => kind).sort()).toEqual(
    ["maximizer", "minimizer", "minimizer", "minimizer", "minimizer"].concat(
      Array<string>(4).fill("saddle"),
    ),
  );
});

test("rosenbrock: its minimizer and the value at its customary start", () => {
  const { plane } = rosenbrock();
  expect(plane.value([1, 1])).toBe(0);
  expect(plane.start).toEqual([-1.2, 1]);
  expect(plane.value(plane.start)).toBeCloseTo(24.2, 12);
  expect(plane.gradient(plane.start)).toEqual([
    expect.closeTo(-215.6, 12),
    expect.closeTo(-88, 12),
  ]);
});

test("known roots: the hallucinated points of SAM on cosine and wide-narrow", () => {
  // Both are a minimizer minus ρ, uphill of which the next basin lies.
  const onCosine = cosine().plane.gradient([2 * Math.PI - 4, 0]);
  expect(onCosine).toEqual([expect.closeTo(0.7568024953, 10), 0]);
  expect(cosine().plane.critical[2]?.points[0]?.[0]).toBe(2 * Math.PI);
  const [, top, bottom] = wideNarrow().plane.critical.map(({ points }) => points[0]);
  expect(top?.[0]).toBeCloseTo(4.1974915389, 10);
  expect(bottom?.[0]).toBeCloseTo(5.9006804167, 10);
  const x = (bottom?.[0] ?? NaN) - 2.5;
  expect(x).toBeCloseTo(3.4006804167, 10);
  expect(wideNarrow().plane.gradient([x, 0])[0]).toBeCloseTo(0.3219247268, 10);
});

test("other methods' roots on cosine have the gradients listed for them", () => {
  // ASAM ρ = 4 η = 0.01, Fisher SAM γ = 4 η = 1, AWP γ = 4, USAM ρ = 5.
  const roots: Point[] = [
    [1.2486370614, 0.9485539731],
    [2.6571418183, 0.4657224569],
    [1.2566370614, 0.9510565163],
    [1.3768901563, 0.9812590302],
  ];
  for (const [x, slope] of roots) {
    expect(cosine().plane.gradient([x, 0])[0]).toBeCloseTo(slope, 9);
  }
});

test("every seed starts at the same point", () => {
  assert(
    property(constantFrom(...Object.values(planes)), double(), ({ create }, seed) => {
      expect(create().init(seed)).toEqual(create().init(0));
    }),
  );
});
