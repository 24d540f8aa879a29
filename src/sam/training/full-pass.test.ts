import { afterAll, describe, expect, test } from "vitest";
import { batchNormalized } from "../../../test/problems/networks.ts";
import { compileDerivatives, flatten, unflatten } from "../../diagnostics/point/derivatives.ts";
import { leavesOf, tensor, type Tensor, type Tree } from "../../engine/tensor.ts";
import { karate } from "../../problems/datasets/graphs.ts";
import { gcn } from "../../problems/networks/gcn.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { blockOf, bytesPerSample } from "./pass-memory.ts";
import { sgd } from "../parts/outer.ts";
import { createMethod, type Settings } from "../registry.ts";
import { fullEvidence, prepareFullPass, samRadius } from "./full-pass.ts";

const disposals: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const dispose of disposals) await dispose();
});

test.each([14, 5, 4, 1])(
  "loss, gradient and products in blocks of %d are those of one pass",
  async (block) => {
    const problem = batchNormalized("float64");
    const model = { params: problem.init(0), statistics: problem.initStatistics?.() ?? {} };
    const f = await compileDerivatives(problem, { statistics: model.statistics });
    const full = await prepareFullPass(problem, { block });
    disposals.push(
      () => f.dispose(),
      () => full.dispose(),
    );
    const x = flatten(model.params);
    const v = Float64Array.from(x, (_, i) => Math.cos(3 * i));
    const [a, b] = [await f.lossAndGradient(x), await full.lossAndGradient(model)];
    expect(b.loss).toBeCloseTo(a.loss, 14);
    const close = (seen: ArrayLike<number>, expected: ArrayLike<number>) =>
      Array.from(expected, (value, i) => expect(seen[i]).toBeCloseTo(value, 13));
    expect(close(flatten(b.gradient), a.gradient)).toHaveLength(x.length);
    const product = await full.hessianTimes(model, unflatten(model.params, v));
    close(flatten(product), await f.hessianTimes(x, v));
  },
);

test("a problem with constants, such as the edges of a graph, is seen with them", async () => {
  const problem = gcn({ ...karate(), hidden: [3], dtype: "float64" });
  const params = problem.init(1);
  const f = await compileDerivatives(problem, {});
  const full = await prepareFullPass(problem, { block: problem.train.size });
  disposals.push(
    () => f.dispose(),
    () => full.dispose(),
  );
  const x = flatten(params);
  const [a, b] = [
    await f.lossAndGradient(x),
    await full.lossAndGradient({ params, statistics: {} }),
  ];
  expect(b.loss).toBeCloseTo(a.loss, 13);
  const gradient = flatten(b.gradient);
  expect(gradient).toHaveLength(x.length);
  a.gradient.forEach((value, i) => expect(gradient[i]).toBeCloseTo(value, 13));
});

test("memory grows with the widths, and decides whether samples are cut into blocks", async () => {
  const network = (hidden: number[], samples: number) =>
    mlp({
      hidden,
      classes: 2,
      train: {
        size: samples,
        batch: {
          x: tensor(new Float32Array(samples * 3), [samples, 3], "float32"),
          y: tensor(new Int32Array(samples), [samples], "int32"),
        },
      },
    });
  const [narrow, wide] = [
    await bytesPerSample(network([10], 2)),
    await bytesPerSample(network([1000], 2)),
  ];
  // A hidden unit is a sum, with its bias, and what tanh makes of it: at least two numbers of 4 bytes.
  expect(narrow).toBeGreaterThan(2 * 4 * (2 * 10));
  expect(wide - narrow).toBeGreaterThan(2 * 4 * 2 * 990);
  expect(wide - narrow).toBeLessThan(2 * 4 * 16 * 990);
  expect(await blockOf(network([1000], 2000))).toBeUndefined();
  const block = (await blockOf(network([8000], 20_000))) ?? NaN;
  expect(block).toBeGreaterThan(500);
  expect(block).toBeLessThan(20_000);
});

/** Passes over f = a·x²/2 + y²/2 − c·(x + y) in two leaves, and the points at which they were taken. */
function bowl(a: number, c: number) {
  const seen: number[][] = [];
  const leaf = (value: number, like: Tensor) => tensor([value], like.shape, "float64");
  const full = {
    block: 1,
    engine: "none",
    async lossAndGradient({ params }: { readonly params: Tree<Tensor> }) {
      const { x, y } = params as { readonly x: Tensor; readonly y: Tensor };
      const [p = NaN, q = NaN] = [x, y].map(({ data }) => data[0]);
      seen.push([p, q]);
      const loss = (a * p * p + q * q) / 2 - c * (p + q);
      return { loss, gradient: { x: leaf(a * p - c, x), y: leaf(q - c, y) } };
    },
    hessianTimes: () => Promise.reject(new Error("not asked for")),
    dispose: async () => {},
  };
  return { full, seen };
}

describe("what SAM sees on all samples", () => {
  const modelAt = (x: number, y: number) => ({
    params: { x: tensor([x], [1], "float64"), y: tensor([y], [1, 1], "float64") },
    statistics: {},
  });

  test("is the loss and the gradient at x, and at x⁺ = x + ρ g/‖g‖", async () => {
    const { full, seen } = bowl(3, 0);
    // g = (3, 4), so x⁺ = (1, 4) + (0.6, 0.8)·5 = (4, 8) and g⁺ = (12, 8).
    expect(await fullEvidence(full, modelAt(1, 4), 5)).toEqual({
      loss: 9.5,
      shiftedLoss: 56,
      gradNorm: 5,
      shiftedGradNorm: expect.closeTo(Math.sqrt(208), 12),
      cosine: expect.closeTo((3 * 12 + 4 * 8) / (5 * Math.sqrt(208)), 12),
    });
    expect(seen).toEqual([
      [1, 4],
      [4, 8],
    ]);
  });

  test("is one pass without a radius, where x⁺ is x", async () => {
    const { full, seen } = bowl(3, 0);
    expect(await fullEvidence(full, modelAt(1, 4), 0)).toEqual({
      loss: 9.5,
      shiftedLoss: 9.5,
      gradNorm: 5,
      shiftedGradNorm: 5,
      cosine: 1,
    });
    expect(seen).toHaveLength(1);
  });

  test("has no direction where the gradient vanishes, at x or at x⁺", async () => {
    const rest = bowl(3, 0);
    expect(await fullEvidence(rest.full, modelAt(0, 0), 2)).toEqual({
      loss: 0,
      shiftedLoss: 0,
      gradNorm: 0,
      shiftedGradNorm: 0,
      cosine: 0,
    });
    expect(rest.seen).toHaveLength(1);
    // A hallucinated point: from (2, 0) along g = (−2, 0) to (0, 0), where g⁺ = 0.
    const dome = bowl(-1, 0);
    const held = await fullEvidence(dome.full, modelAt(2, 0), 2);
    expect(held).toEqual({
      loss: -2,
      shiftedLoss: 0,
      gradNorm: 2,
      shiftedGradNorm: 0,
      cosine: 0,
    });
  });

  test("leaves the model and its statistics as they are", async () => {
    const { full } = bowl(3, 0);
    const model = { ...modelAt(1, 4), statistics: { mean: tensor([7], [1], "float64") } };
    const before = structuredClone(model);
    const asked: unknown[] = [];
    const watched = {
      ...full,
      lossAndGradient: (given: typeof model) => {
        asked.push(given.statistics);
        return full.lossAndGradient(given);
      },
    };
    await fullEvidence(watched, model, 5);
    expect(asked).toEqual([model.statistics, model.statistics]);
    expect(model).toEqual(before);
    expect(leavesOf<Tensor>(model.params)).toHaveLength(2);
  });
});

test.each<[string, Settings, number, number | undefined]>([
  ["gd", {}, 3, 0],
  ["sam", { rho: 0.5 }, 3, 0.5],
  ["sam", { rho: "linear(1, 0)" }, 0, 1],
  ["sam", { rho: "linear(1, 0)" }, 5, 0.5],
  ["sam", { groups: "bias:0" }, 3, undefined],
  ["sam", { groups: "weight:1,bias:1", rho: 0.5 }, 3, 0.5],
  ["asam", { rho: 0.5 }, 3, undefined],
  ["switching", { at: 0.4, rho: 0.5 }, 3, 0],
  ["switching", { at: 0.4, rho: 0.5 }, 4, 0.5],
  ["switching", { at: 0.4, rho: "linear(1, 0)" }, 5, 0.5],
  ["switching", { at: 0.4, of: "asam" }, 5, undefined],
  ["switching", { at: 0.4, groups: "norm:2" }, 5, undefined],
  ["late-phase-sam", { at: 0.4, groups: "norm:2" }, 5, undefined],
  ["guarded", { rho: 0.5 }, 5, undefined],
])("%s with %j looks at step %d of 10 as far as %s", (name, settings, step, radius) => {
  expect(samRadius(createMethod(name, settings, sgd()), step, 10)).toBe(radius);
});
