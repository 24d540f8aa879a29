/** The rules that every method shares. */
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/engine/tensor.ts";
import { quadratic } from "../../src/problems/planes/index.ts";
import type { Forward } from "../../src/problems/problem.ts";
import { clipped, sgd } from "../../src/sam/parts/outer.ts";
import { createMethod, methods, resolveSettings, type Settings } from "../../src/sam/registry.ts";
import { batchNorm, dropout, missingSample, normMean } from "./layers.ts";
import { flat, run } from "./run.ts";

const engine = "native";
const momentum = () => sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true });
const names = methods.map(({ name }) => name);

/** Settings that bring out a method's memory and branches within a few steps. */
const busy: Readonly<Record<string, Settings>> = {
  looksam: { every: 2 },
  "sparse-sam": { every: 2 },
  saf: { start: 0, epochs: 1 },
  mesa: { start: 0, decay: 0.5 },
  esam: { beta: 0.5, gamma: 0.5 },
  switching: { at: 0.4 },
  "late-phase-sam": { at: 0.5 },
  "auto-switching": { every: 2, resume: 0.9 },
  guarded: { act: 0.9, resume: 0.95, every: 2 },
  bsam: { noise: false },
  "entropy-sgd": { steps: 3 },
};

const needsNorm = (name: string) => name === "sam-on";
const create = (name: string, outer = momentum(), more: Settings = {}) => {
  const rho = "rho" in resolveSettings(name, {}) && { rho: 0.3 };
  return createMethod(name, { ...rho, ...busy[name], ...more }, outer);
};
/** `sam-on` needs roles that the problem has. */
const forWeights = (name: string): Settings => (needsNorm(name) ? { roles: "weight" } : {});

describe("1–3: x is restored exactly, and nothing given is written to", () => {
  test.each(names)("%s", async (name) => {
    const problem = batchNorm();
    const still = sgd({ learningRate: 0, momentum: 0.9 });
    const { points, state } = await run({
      problem,
      method: create(name, still),
      steps: 4,
      engine,
    });
    expect(points).toEqual(Array.from({ length: 5 }, () => points[0]));
    const before = structuredClone(state);
    await run({ problem, method: create(name), steps: 6, from: state, engine });
    expect(state).toEqual(before);
  });
});

describe("4: where the gradient vanishes nothing moves and nothing is NaN", () => {
  const dead = { ...quadratic({ start: [0, 0] }), outputs: 2 };
  test.each(names.filter((name) => name !== "saf" && name !== "mesa"))("%s", async (name) => {
    const { points, column } = await run({
      problem: dead,
      method: create(name, momentum(), {
        ...forWeights(name),
        ...(name === "entropy-sgd" && { noise: 0 }),
      }),
      steps: 4,
      engine,
    });
    expect(points.map((point) => point.map(Math.abs))).toEqual(
      Array.from({ length: 5 }, () => [0, 0]),
    );
    expect(column("skipped")).toEqual([0, 0, 0, 0]);
    expect(column("cosine")).toEqual([0, 0, 0, 0]);
  });
});

describe("5: all passes of a step see the same masks, and steps see different ones", () => {
  test("SAM", async () => {
    const { column, points } = await run({
      problem: dropout(),
      method: create("sam", sgd({ learningRate: 0.01 })),
      steps: 6,
      engine,
    });
    const [g, shifted] = [column("gradNorm"), column("shiftedGradNorm")];
    const slopes = g.map((norm, t) => norm / Math.hypot(...(points[t] ?? [])));
    // ∇f = c·x with c from the mask: the same mask gives ‖∇f(x⁺)‖/‖∇f(x)‖ = (‖x‖ + ρ)/‖x‖.
    expect(shifted).toHaveLength(6);
    shifted.forEach((norm, t) => {
      const length = Math.hypot(...(points[t] ?? []));
      expect(norm / (g[t] ?? NaN)).toBeCloseTo((length + 0.3) / length, 12);
    });
    expect(new Set(slopes.map((c) => c.toFixed(6))).size).toBeGreaterThan(3);
  });

  test("at ρ = 0 SAM is the outer optimizer, bit for bit", async () => {
    const from = { problem: dropout(), steps: 6, engine } as const;
    const still = await run({ ...from, method: create("sam", momentum(), { rho: 0 }) });
    const plain = await run({ ...from, method: create("gd") });
    expect(still.points).toEqual(plain.points);
  });
});

describe("6: running statistics are updated once per step, by the first gradient pass", () => {
  /** Pieces of a batch have statistics of their own: one piece is the whole. */
  const whole = (name: string): Settings => (name === "m-sam" ? { chunks: 1 } : {});
  test.each(names)("%s", async (name) => {
    const steps = 4;
    const problem = batchNorm();
    const method = create(name, momentum(), whole(name));
    const full = await run({ problem, method, steps, engine });
    let expected = 0;
    for (let t = 0; t < steps; t++) {
      // SAMPa makes no pass at x but for its first step.
      const isAhead = name === "sampa" && t > 0;
      const seen = (isAhead ? full.ascentPoints : full.points)[t] ?? [];
      expected = 0.9 * expected + 0.1 * normMean(seen.slice(2));
    }
    const { mean } = full.state.carry.statistics as { mean: Tensor };
    expect(mean.data[0]).toBeCloseTo(expected, 13);
  });
});

test("7: weight decay neither shapes the ascent nor is evaluated at x⁺", async () => {
  const problem = quadratic();
  const step = (weightDecay: number) =>
    run({
      problem,
      method: createMethod("sam", { rho: 0.1 }, sgd({ learningRate: 0.02, weightDecay })),
      steps: 1,
      engine,
    });
  const [plain, decayed] = [await step(0), await step(0.5)];
  expect(decayed.ascentPoints).toEqual(plain.ascentPoints);
  const [x1 = NaN, x2 = NaN] = plain.points[1] ?? [];
  const moved = [x1, x2].map((x) => expect.closeTo(x - 0.02 * 0.5 * 1, 14));
  expect(decayed.points[1]).toEqual(moved);
});

test("8: clipping acts on the final vector alone", async () => {
  const outer = clipped({ maxNorm: 1, outer: sgd({ learningRate: 0.02 }) });
  const { ascentPoints, points, column } = await run({
    problem: quadratic(),
    method: createMethod("sam", { rho: 0.1 }, outer),
    steps: 1,
    engine,
  });
  expect(ascentPoints[0]?.map((x) => x.toFixed(10))).toEqual(["1.0099503719", "1.0995037190"]);
  expect(column("shiftedGradNorm")[0]).toBeGreaterThan(10);
  const [x1 = NaN, x2 = NaN] = points[1] ?? [];
  expect(Math.hypot(1 - x1, 1 - x2)).toBeCloseTo(0.02, 14);
});

describe("9: a step that meets numbers that are not finite is skipped whole, and counted", () => {
  test.each(names)("%s", async (name) => {
    const settings = forWeights(name);
    const from = {
      problem: missingSample(),
      method: create(name, momentum(), settings),
      steps: 4,
      batchSize: 1,
      engine,
    } as const;
    const whole = await run(from);
    const skipped = whole.column("skipped");
    // Entropy-SGD draws batches of its own and may meet the sample more than once.
    const count = skipped.filter((s) => s === 1).length;
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(name === "entropy-sgd" ? 4 : 2);
    expect(flat(whole.state.carry).every(Number.isFinite)).toBe(true);
    const at = skipped.indexOf(1);
    const [before, after] = [
      await run({ ...from, until: at }),
      await run({ ...from, until: at + 1 }),
    ];
    expect(after.state.carry).toEqual(before.state.carry);
  });
});

describe("10: a resumed run equals an uninterrupted one, bit for bit", () => {
  test.each(names)("%s", async (name) => {
    const from = {
      problem: batchNorm(),
      method: create(name),
      steps: 7,
      batchSize: 2,
      seed: 3,
      engine,
    } as const;
    const whole = await run(from);
    const half = await run({ ...from, until: 3 });
    const rest = await run({ ...from, from: structuredClone(half.state) });
    expect(rest.state).toEqual(whole.state);
    expect([...half.column("loss"), ...rest.column("loss")]).toEqual(whole.column("loss"));
  });
});

describe("12: the loss reported is that of the first pass, at x", () => {
  /** SAMPa has none at x. */
  test.each(names.filter((name) => name !== "sampa"))("%s", async (name) => {
    const problem = quadratic({ start: [1, -0.5] });
    const { points, column } = await run({
      problem: {
        ...problem,
        outputs: 1,
        forward: (...given) => withOutputs(problem.forward(...given)),
      },
      method: create(name, momentum(), forWeights(name)),
      steps: 4,
      engine,
    });
    const losses = points.map(([x1 = NaN, x2 = NaN]) => (x1 * x1 + 10 * x2 * x2) / 2);
    expect(column("loss")).toHaveLength(4);
    column("loss").forEach((loss, t) => expect(loss).toBeCloseTo(losses[t] ?? NaN, 12));
  });
});

/** The same with the losses as outputs, for methods that need some. */
function withOutputs(forward: Forward): Forward {
  const { losses } = forward;
  return { ...forward, outputs: losses.ref.reshape([losses.size, 1]) };
}

test("13: with a ρ per role, ‖ε‖² = Σ (ρ_k ‖g_k‖/‖g‖)²", async () => {
  const { points, ascentPoints } = await run({
    problem: quadratic({ separate: true }),
    method: createMethod("sam", { rho: 0.1, groups: "weight:3,norm:0.5" }, sgd()),
    steps: 1,
    engine,
  });
  const e = ascentPoints[0]?.map((x, i) => x - (points[0]?.[i] ?? NaN));
  const length = Math.hypot(1, 10);
  expect(e?.[0]).toBeCloseTo((0.3 * 1) / length, 14);
  expect(e?.[1]).toBeCloseTo((0.05 * 10) / length, 14);
});
