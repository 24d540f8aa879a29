/**
 * Exact checks on functions worked out by hand: numbers printed in ten digits come from NumPy in
 * float64, apart from this project.
 */
import { numpy as np } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { cosine, dome, quadratic, saddle, wideNarrow } from "../../src/problems/planes/index.ts";
import type { Point, Problem } from "../../src/problems/problem.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { createMethod, type Settings } from "../../src/sam/registry.ts";
import { run } from "./run.ts";

const descent = (learningRate: number) => sgd({ learningRate });

const last = <T>(list: readonly T[]): T => list.at(-1) as T;

describe("on the quadratic", () => {
  test("AE-SAM decides as worked out by hand", async () => {
    const log: [fires: 0 | 1, next: Point][] = [
      [1, [0.9798009926, 0.7800992562]],
      [1, [0.9599557319, 0.6042353151]],
      [1, [0.9404428105, 0.463635973]],
      [0, [0.9216339543, 0.3709087784]],
      [0, [0.9032012752, 0.2967270227]],
      [0, [0.8851372497, 0.2373816182]],
      [0, [0.8674345047, 0.1899052945]],
      [0, [0.8500858146, 0.1519242356]],
      [1, [0.832107495, 0.1040858904]],
      [1, [0.8142164855, 0.0676470935]],
    ];
    const settings = { rho: 0.1, delta: 0.9, lambda1: -1, lambda2: 1, initialVariance: 0 };
    const { points, detail, column } = await run({
      problem: quadratic(),
      method: createMethod("ae-sam", settings, descent(0.02)),
      steps: 10,
    });
    expect(detail("fired")).toEqual(log.map(([fires]) => fires));
    expect(column("evaluations")).toEqual(log.map(([fires]) => 1 + fires));
    expect(points.slice(1).map((x) => x.map((c) => c.toFixed(10)))).toEqual(
      log.map(([, x]) => x.map((c) => c.toFixed(10))),
    );
  });

  test("the exact gradient's factor ρ/‖g‖ is capped", async () => {
    const start: Point = [1e-6, 1e-7];
    const { points } = await run({
      problem: quadratic({ start }),
      method: createMethod("exact-sam", { rho: 0.1, cap: 100 }, descent(0.02)),
      steps: 1,
    });
    // g = (1, 1)·1e-6, so u = (1, 1)/√2; p = A(x + ρu), and p − u(u·p) = (p₁ − p₂)/2·(1, −1).
    const along = 0.1 / Math.SQRT2;
    const p: Point = [start[0] + along, 10 * (start[1] + along)];
    const across = (p[0] - p[1]) / 2;
    const v: Point = [p[0] + 100 * across, p[1] - 100 * 10 * across];
    expect(points[1]).toEqual(start.map((x, i) => expect.closeTo(x - 0.02 * (v[i] ?? NaN), 10)));
  });

  test("AMP shorter than its ball is USAM with its inner rate", async () => {
    const { points, ascentPoints } = await run({
      problem: quadratic({ start: [1e-3, 1e-3] }),
      method: createMethod("amp", { rho: 0.1, rate: 1 }, descent(0.02)),
      steps: 1,
    });
    expect(ascentPoints[0]?.map((x) => x.toFixed(10))).toEqual(["0.0020000000", "0.0110000000"]);
    expect(points[1]?.map((x) => x.toFixed(10))).toEqual(["0.0009600000", "-0.0012000000"]);
  });

  test("SAM ends in a cycle of radius ηaρ/(2 − ηa), USAM shrinks by 1 − ηa(1 + ρa)", async () => {
    const from = { problem: quadratic({ start: [0, 1] }), engine: "native" } as const;
    const sam = await run({
      ...from,
      method: createMethod("sam", { rho: 0.1 }, descent(0.02)),
      steps: 4000,
    });
    expect(Math.abs(last(sam.points)[1] as number)).toBeCloseTo((0.2 * 0.1) / 1.8, 10);
    const usam = await run({
      ...from,
      method: createMethod("usam", { rho: 0.1 }, descent(0.02)),
      steps: 50,
    });
    expect(last(usam.points)[1]).toBeCloseTo(8.083e-12, 15);
  });

  test.each([
    ["sam", {}, 1, [0.0099503719, 0.099503719]],
    ["sam", {}, 1024, [0.0099503719, 0.099503719]],
    ["usam", {}, 1, [0.1, 1]],
    ["usam", {}, 1024, [102.4, 1024]],
    ["fisher-sam", { eta: 1 }, 1, [0.0409602352, 0.0081109377]],
    ["fisher-sam", { eta: 1 }, 1024, [0.0000690533, 0.0000069053]],
  ] as const)("%s %j with the loss times %i ascends by %j", async (name, more, c, expected) => {
    const { ascentPoints } = await run({
      problem: scaled(quadratic(), c),
      method: createMethod(name, { rho: 0.1, ...more }, descent(0.02)),
      steps: 1,
    });
    const found = ascentPoints[0]?.map((x) => (x - 1).toFixed(10));
    expect(found).toEqual(expected.map((e) => e.toFixed(10)));
  });
});

/** A problem with its loss multiplied by `factor`. */
const scaled = (problem: Problem, factor: number): Problem => ({
  ...problem,
  forward(...given) {
    const { losses } = problem.forward(...given);
    const by = np.array(factor, { dtype: losses.dtype });
    return { losses: np.multiply(losses, by) };
  },
});

describe("hallucinated points of −cos x₁ + ½x₂²", () => {
  /** Points whose ascent point is the minimizer 2π. */
  test.each<[string, Settings, number]>([
    ["sam", { rho: 4 }, 2 * Math.PI - 4],
    ["asam", { rho: 4, eta: 0.01 }, 1.2486370614],
    ["fisher-sam", { rho: 4, eta: 1 }, 2.6571418183],
    ["awp", { rho: 4 }, 1.2566370614],
    ["usam", { rho: 5 }, 1.3768901563],
  ])("%s %j stands still at %f", async (name, settings, root) => {
    const { ascentPoints, points, column } = await run({
      problem: cosine({ start: [root, 0] }),
      method: createMethod(name, settings, descent(0.1)),
      steps: 1,
    });
    expect(ascentPoints[0]?.[0]).toBeCloseTo(2 * Math.PI, 8);
    expect(points[1]?.[0]).toBeCloseTo(root, 9);
    expect(column("gradNorm")[0]).toBeCloseTo(Math.sin(root), 9);
    expect(column("shiftedGradNorm")[0]).toBeLessThan(1e-8);
  });

  test("USAM has none for ρ ≤ 1/L", () => {
    for (const rho of [0.25, 0.5, 1]) {
      for (let x = 0.001; x < Math.PI; x += 0.001) {
        expect(Math.sin(x + rho * Math.sin(x))).toBeGreaterThan(0);
      }
    }
  });

  /** Where many steps from 2 lead: all of these have settled after 1000, and the derivative of −cos there. */
  test.each<[string, Settings, number, number]>([
    ["gd", {}, 0, 0],
    ["sam", { rho: 4 }, 2.2831853072, 0.7568024953],
    ["sam", { rho: 0.5 }, 0.025063393, 0.025060769],
    ["usam", { rho: 0.5 }, 0, 0],
    ["usam", { rho: 5 }, 1.3768901563, 0.9812590302],
    ["amp", { rho: 4, rate: 1 }, 0, 0],
    ["asam", { rho: 4, eta: 0.01 }, 2.5052741229, 0.5942385102],
    ["vasso", { rho: 4, theta: 0.4 }, 2.2831853072, 0.7568024953],
    ["sampa", { rho: 4, lambda: 0 }, 2.2831853072, 0.7568024953],
    ["sampa", { rho: 4, lambda: 0.2 }, 2.0494595809, 0.8876114115],
    ["gsam", { rho: 4, alpha: 0.4 }, 2.2831853072, 0.7568024953],
    ["lookbehind", { rho: 4, steps: 2, alpha: 0.5 }, 1.1415926536, 0.9092974268],
    ["switching", { at: 0.1, rho: 4 }, 2.2831853072, 0.7568024953],
    ["exact-sam", { rho: 4 }, 2.2831853072, 0.7568024953],
  ])("%s %j ends at %f", async (name, settings, end, slope) => {
    const { points } = await run({
      problem: cosine({ start: [2, 0] }),
      method: createMethod(name, settings, descent(0.1)),
      steps: 1000,
      engine: "native",
    });
    const [x] = last(points) as [number];
    expect(Math.abs(x)).toBeCloseTo(end, 9);
    expect(Math.abs(Math.sin(x))).toBeCloseTo(slope, 9);
  });

  /** These chatter, or depend on ties: only whether they end far from stationary is asserted. */
  test.each<[string, Settings, boolean]>([
    ["looksam", { rho: 4, every: 5 }, true],
    ["ae-sam", { rho: 4 }, true],
    ["decaying-sam", { rho: 4, decay: 0.5 }, false],
    ["sam", { rho: 3 }, false],
  ])("%s %j: stalls away from stationary points is %s", async (name, settings, stalls) => {
    const { column } = await run({
      problem: cosine({ start: [2, 0] }),
      method: createMethod(name, settings, descent(0.1)),
      steps: 1000,
      engine: "native",
    });
    expect(last(column("gradNorm")) > 0.1).toBe(stalls);
  });

  test("SAM's first iterates", async () => {
    const { points } = await run({
      problem: cosine({ start: [2, 0] }),
      method: createMethod("sam", { rho: 4 }, descent(0.1)),
      steps: 3,
    });
    const first = points.map(([x]) => x?.toFixed(10));
    expect(first.slice(1)).toEqual(["2.0279415498", "2.0531896774", "2.0759870043"]);
  });

  test.each<[string, Settings, number]>([
    ["sam", { rho: 4 }, 0.7568024953],
    ["gsam", { rho: 4, alpha: 0.4 }, 0.69],
    ["gsam", { rho: 4, alpha: 0.4, minimize: "plain" }, 0.1],
  ])("in two dimensions %s %j ends where ‖g‖ is about %f", async (name, settings, norm) => {
    const { column } = await run({
      problem: cosine(),
      method: createMethod(name, settings, descent(0.1)),
      steps: 1000,
      engine: "native",
    });
    expect(last(column("gradNorm"))).toBeCloseTo(norm, 1);
  });
});

test("every point at distance ρ from a maximizer is a hallucinated one", async () => {
  const { ascentPoints, points, column } = await run({
    problem: dome({ start: [0.06, 0.08] }),
    method: createMethod("sam", { rho: 0.1 }, descent(0.1)),
    steps: 1,
  });
  expect(ascentPoints[0]).toEqual([expect.closeTo(0, 15), expect.closeTo(0, 15)]);
  expect(points[1]).toEqual([expect.closeTo(0.06, 15), expect.closeTo(0.08, 15)]);
  expect(column("gradNorm")[0]).toBeCloseTo(0.1, 15);
});

test("so are the points at distance ρ below a saddle", async () => {
  const { ascentPoints, column } = await run({
    problem: saddle({ start: [0, 0.1] }),
    method: createMethod("sam", { rho: 0.1 }, descent(0.1)),
    steps: 1,
  });
  expect(ascentPoints[0]).toEqual([expect.closeTo(0, 15), expect.closeTo(0, 15)]);
  expect(column("gradNorm")[0]).toBeCloseTo(0.2, 15);
});

describe("a wide basin beside a narrow well, ρ = 2.5", () => {
  test.each<[string, Settings, number]>([
    ["sam", { rho: 2.5 }, 3.4006804167],
    ["switching", { rho: 2.5, at: 0.1 }, -0.01],
    ["late-phase-sam", { rho: 2.5, at: 0.9 }, 0.01],
    ["gd", {}, 0.0001569066],
  ])("%s %j ends near %f", async (name, settings, end) => {
    const { points } = await run({
      problem: wideNarrow({ start: [3.6, 0] }),
      method: createMethod(name, settings, descent(0.1)),
      steps: 1000,
      engine: "native",
    });
    expect(last(points)[0]).toBeCloseTo(end, 2);
  });
});
