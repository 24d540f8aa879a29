/** The rules that every method shares. */
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/engine/tensor.ts";
import { quadratic } from "../../src/problems/planes/index.ts";
import type { Forward } from "../../src/problems/problem.ts";
import { clipped, sgd } from "../../src/sam/parts/outer.ts";
import { createMethod } from "../../src/sam/registry.ts";
import { holds, methodFor, names, type Check } from "./cases.ts";
import { batchNorm, dropout, missingSample, normMean } from "./layers.ts";
import { flat, run } from "./run.ts";

const engine = "native";
const momentum = () => sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true });
const create = (name: string, outer = momentum(), checks: readonly Check[] = []) =>
  methodFor(name, { rho: 0.3, outer, checks });

describe("x is restored exactly, and nothing given is written to", () => {
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

describe("where the gradient vanishes nothing moves and nothing is NaN", () => {
  const dead = { ...quadratic({ start: [0, 0] }), outputs: 2 };
  const check = "a vanishing gradient moves nothing";
  test.each(names.filter((name) => holds(check, name)))("%s", async (name) => {
    const { points, column } = await run({
      problem: dead,
      method: create(name, momentum(), [check]),
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

describe("the direction that is reported is the one that was followed", () => {
  const check = "the direction is that of the step";
  test.each(names.filter((name) => holds(check, name)))("%s", async (name) => {
    const learningRate = 0.02;
    const { points, column } = await run({
      problem: batchNorm(),
      method: create(name, sgd({ learningRate }), [check]),
      steps: 5,
      engine,
    });
    // x ← x − ηv
    const moved = points.slice(1).map((to, step) => {
      const from = points[step] as number[];
      return Math.hypot(...to.map((value, i) => value - (from[i] as number))) / learningRate;
    });
    const norms = column("directionNorm");
    expect(norms).toHaveLength(5);
    norms.forEach((norm, step) => expect(norm).toBeCloseTo(moved[step] as number, 10));
  });
});

describe("all passes of a step see the same masks, and steps see different ones", () => {
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
    const still = await run({ ...from, method: createMethod("sam", { rho: 0 }, momentum()) });
    const plain = await run({ ...from, method: create("gd") });
    expect(still.points).toEqual(plain.points);
  });
});

describe("running statistics are updated once per step, by the first gradient pass", () => {
  test.each(names)("%s", async (name) => {
    const steps = 4;
    const problem = batchNorm();
    const method = create(name, momentum(), ["statistics are those of one pass"]);
    const isAtX = holds("the first pass is at x", name);
    const full = await run({ problem, method, steps, engine });
    let expected = 0;
    for (let t = 0; t < steps; t++) {
      const seen = (isAtX || t === 0 ? full.points : full.ascentPoints)[t] ?? [];
      expected = 0.9 * expected + 0.1 * normMean(seen.slice(2));
    }
    const { mean } = full.state.carry.statistics as { mean: Tensor };
    expect(mean.data[0]).toBeCloseTo(expected, 13);
  });
});

test("weight decay neither shapes the ascent nor is evaluated at x⁺", async () => {
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

test("clipping acts on the final vector alone", async () => {
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

describe("a step that meets numbers that are not finite is skipped whole, and counted", () => {
  test.each(names)("%s", async (name) => {
    const from = {
      problem: missingSample(),
      method: create(name),
      steps: 4,
      batchSize: 1,
      engine,
    } as const;
    const whole = await run(from);
    const skipped = whole.column("skipped");
    const count = skipped.filter((s) => s === 1).length;
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(holds("a sample is met once per epoch", name) ? 2 : 4);
    expect(flat(whole.state.carry).every(Number.isFinite)).toBe(true);
    const at = skipped.indexOf(1);
    const [before, after] = [
      await run({ ...from, until: at }),
      await run({ ...from, until: at + 1 }),
    ];
    expect(after.state.carry).toEqual(before.state.carry);
  });
});

describe("a resumed run equals an uninterrupted one, bit for bit", () => {
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

describe("the loss reported is that of the first pass, at x", () => {
  test.each(names.filter((name) => holds("the first pass is at x", name)))("%s", async (name) => {
    const problem = quadratic({ start: [1, -0.5] });
    const { points, column } = await run({
      problem: {
        ...problem,
        outputs: 1,
        forward: (...given) => withOutputs(problem.forward(...given)),
      },
      method: create(name),
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

test("with a ρ per role, ‖ε‖² = Σ (ρ_k ‖g_k‖/‖g‖)²", async () => {
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
