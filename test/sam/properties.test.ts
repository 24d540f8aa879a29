/** What must hold at every point and for every ρ. */
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { leavesOf, type Tensor } from "../../src/engine/tensor.ts";
import { himmelblau, quadratic } from "../../src/problems/planes/index.ts";
import type { Point, Problem } from "../../src/problems/problem.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { createMethod, type Settings } from "../../src/sam/registry.ts";
import type { Records } from "../../src/sam/training/records.ts";
import { compileTraining, type CompiledTraining } from "../../src/sam/training/training.ts";

const lr = 1e-3;
const outer = sgd({ learningRate: lr, momentum: 0.5 });
const himmel = himmelblau();

/** Points that are no critical points of either function, and radii. */
const points = fc
  .tuple(
    fc.double({ min: 0.5, max: 4, noNaN: true }),
    fc.double({ min: -4, max: -0.5, noNaN: true }),
  )
  .map(([a, b]): Point => [a, b]);
const radii = fc.double({ min: 1e-3, max: 2, noNaN: true });
const runs = { numRuns: 40 };

const opened: CompiledTraining[] = [];
afterAll(async () => {
  for (const training of opened) await training.dispose();
});

interface Seen {
  /** x and ascent point of every step, then the last x. */
  readonly x: Point[];
  readonly ascent: Point[];
  readonly memory: Tensor[];
}

/** Compile once; then run a few steps from any point with any ρ. */
async function open(name: string, settings: Settings = {}, problem: Problem = himmel) {
  const make = (more: Settings) => createMethod(name, { ...settings, ...more }, outer);
  const training = await compileTraining({
    problem,
    method: make({ rho: 1 }),
    engine: "native",
    recordPoints: true,
  });
  opened.push(training);
  return async (start: Point, rho: number, steps = 3): Promise<Seen> => {
    const before = training.start();
    let next = 0;
    const params = Object.fromEntries(
      Object.entries(before.carry.params as Record<string, Tensor>).map(([key, leaf]) => [
        key,
        { ...leaf, data: Float64Array.from(leaf.data, () => start[next++] ?? NaN) },
      ]),
    );
    const seen: { x: Point[]; ascent: Point[] } = { x: [], ascent: [] };
    const rows = (tree: unknown, count: number): Point[] => {
      const columns = leavesOf(tree as Record<string, Tensor>).flatMap(({ data }) => {
        const width = data.length / count;
        return Array.from({ length: width }, (_, j) =>
          Array.from({ length: count }, (_, i) => data[i * width + j] ?? NaN),
        );
      });
      return Array.from({ length: count }, (_, i) => [
        columns[0]?.[i] ?? NaN,
        columns[1]?.[i] ?? NaN,
      ]);
    };
    const state = await training.run({
      steps,
      from: { ...before, carry: { ...before.carry, params } },
      method: make({ rho }),
      onRecords(records: Records) {
        seen.x.push(...rows(records.point, records.count));
        seen.ascent.push(...rows(records.ascentPoint, records.count));
      },
    });
    seen.x.push(leavesOf(state.carry.params).flatMap(({ data }) => [...data]) as unknown as Point);
    return { ...seen, memory: leavesOf(state.carry.memory) };
  };
}

const minus = (a: Point, b: Point): Point => [a[0] - b[0], a[1] - b[1]];
const dot = (a: Point, b: Point) => a[0] * b[0] + a[1] * b[1];
const norm = (a: Point) => Math.hypot(...a);
const at = <T>(list: readonly T[], i: number): T => list.at(i) as T;

describe("SAM, bit for bit", () => {
  test.each<[string, Settings]>([
    ["vasso", { theta: 1 }],
    ["f-sam", { sigma: 0 }],
    ["gsam", { alpha: 0 }],
    ["fisher-sam", { eta: 0 }],
    ["esam", { beta: 1, gamma: 1 }],
    ["looksam", { every: 1 }],
    ["multistep-sam", { steps: 1 }],
    ["lookbehind", { steps: 1, alpha: 1 }],
    ["m-sam", { chunks: 1 }],
    ["sparse-sam", { sparsity: 0, mask: "gradient" }],
    ["sam-on", { roles: "weight,bias,norm" }],
    ["switching", { at: 0 }],
    ["decaying-sam", { decay: 0 }],
    ["guarded", { act: -1e9 }],
  ])("%s %j", async (name, settings) => {
    const [sam, other] = [await open("sam"), await open(name, settings)];
    await fc.assert(
      fc.asyncProperty(points, radii, async (x, rho) => {
        const [a, b] = [await sam(x, rho), await other(x, rho)];
        expect(b.x).toEqual(a.x);
        expect(b.ascent).toEqual(a.ascent);
      }),
      runs,
    );
  });
});

test("F-SAM with σ = 1 goes one way with m before and after its update", async () => {
  const [before, after] = [
    await open("f-sam", { sigma: 1, lambda: 0.6 }),
    await open("f-sam", { sigma: 1, lambda: 0.6, average: "current" }),
  ];
  await fc.assert(
    fc.asyncProperty(points, radii, async (x, rho) => {
      const [a, b] = [await before(x, rho, 2), await after(x, rho, 2)];
      expect(norm(minus(at(a.ascent, 1), at(b.ascent, 1)))).toBeLessThan(1e-6 * rho);
    }),
    runs,
  );
});

describe("the length of the ascent in its metric is ρ", () => {
  /** ε in the method's metric. */
  const metrics: [string, Settings, (e: Point, x: Point, g: Point) => number][] = [
    ["sam", {}, norm],
    [
      "asam",
      { eta: 0.01 },
      (e, x) => norm([e[0] / (Math.abs(x[0]) + 0.01), e[1] / (Math.abs(x[1]) + 0.01)]),
    ],
    [
      "fisher-sam",
      { eta: 1 },
      (e, _, g) => Math.sqrt(e[0] ** 2 * (1 + g[0] ** 2) + e[1] ** 2 * (1 + g[1] ** 2)),
    ],
    ["awp", {}, (e, x) => norm(e) / norm(x)],
    ["vasso", {}, norm],
    ["gsam", {}, norm],
  ];
  test.each(metrics)("%s", async (name, settings, length) => {
    const go = await open(name, settings);
    await fc.assert(
      fc.asyncProperty(points, radii, async (x, rho) => {
        const { ascent } = await go(x, rho, 1);
        const e = minus(at(ascent, 0), x);
        expect(length(e, x, himmel.plane.gradient(x)) / rho).toBeCloseTo(1, 9);
      }),
      runs,
    );
  });

  test.each<[string, Settings]>([
    ["sparse-sam", { mask: "gradient" }],
    ["multistep-sam", { steps: 4 }],
    ["amp", {}],
    ["usam", { ball: true }],
  ])("%s: or less", async (name, settings) => {
    const go = await open(name, settings);
    await fc.assert(
      fc.asyncProperty(points, radii, async (x, rho) => {
        const { ascent } = await go(x, rho, 1);
        expect(norm(minus(at(ascent, 0), x))).toBeLessThan(rho * (1 + 1e-9));
      }),
      runs,
    );
  });
});

test("on a quadratic SAM's gradient differs from the true one by ρAu", async () => {
  const go = await open("sam", {}, quadratic());
  await fc.assert(
    fc.asyncProperty(points, radii, async (x, rho) => {
      const { x: visited } = await go(x, rho, 1);
      const moved = minus(x, at(visited, 1));
      const g: Point = [x[0], 10 * x[1]];
      const u: Point = [g[0] / norm(g), g[1] / norm(g)];
      expect(moved[0] / lr - g[0]).toBeCloseTo(rho * u[0], 8);
      expect(moved[1] / lr - g[1]).toBeCloseTo(rho * 10 * u[1], 8);
    }),
    runs,
  );
});

test("LookSAM remembers a direction across the gradient", async () => {
  const go = await open("looksam");
  await fc.assert(
    fc.asyncProperty(points, radii, async (x, rho) => {
      const { memory } = await go(x, rho, 1);
      const across = memory.find(({ shape }) => shape.length === 1)?.data as unknown as Point;
      const g = himmel.plane.gradient(x);
      expect(Math.abs(dot(across, g))).toBeLessThan(1e-9 * norm(g) * (norm(across) + norm(g)));
    }),
    runs,
  );
});

test("GSAM takes out, or adds, a part across the gradient that it follows", async () => {
  for (const minimize of ["perturbed", "plain"] as const) {
    const go = await open("gsam", { minimize, alpha: 0.4 });
    await fc.assert(
      fc.asyncProperty(points, radii, async (x, rho) => {
        const { x: visited, ascent } = await go(x, rho, 1);
        const v = minus(x, at(visited, 1)).map((d) => d / lr) as unknown as Point;
        const [g, p] = [himmel.plane.gradient(x), himmel.plane.gradient(at(ascent, 0))];
        const followed = minimize === "perturbed" ? p : g;
        const added = minus(v, followed);
        const scale = norm(followed) * (norm(g) + norm(p));
        expect(Math.abs(dot(added, followed))).toBeLessThan(1e-8 * scale);
      }),
      runs,
    );
  }
});

test("on a convex function the guard never acts", async () => {
  const [guarded, sam] = [
    await open("guarded", { act: 0.25 }, quadratic()),
    await open("sam", {}, quadratic()),
  ];
  // In one dimension: along an axis the cosine is 1 and GradRatio at least 1.
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 0.1, max: 4, noNaN: true }), radii, async (c, rho) => {
      for (const x of [
        [c, 0],
        [0, -c],
      ] as Point[]) {
        expect((await guarded(x, rho)).x).toEqual((await sam(x, rho)).x);
      }
    }),
    runs,
  );
});
