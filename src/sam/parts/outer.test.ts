/** Optimizers on f = ½(x₁² + 10 x₂²) against their update rules in plain loops. */
import { describe, expect, test } from "vitest";
import { run } from "../../../test/sam/run.ts";
import { quadratic } from "../../problems/planes/index.ts";
import { linear } from "../../settings/schedules.ts";
import type { Outer } from "../contract/method.ts";
import { gradientDescent } from "../methods/sam.ts";
import { adamW, clipped, dtypeOf, sgd, type AdamWOptions, type SgdOptions } from "./outer.ts";

const steps = 7;
/** Of one coordinate: curvature times value. */
const slopes = [1, 10] as const;
const start = [1, 1] as const;

/** Points x₀ … x₇ of plain descent with an optimizer. */
async function points(outer: Outer, engine: "jax" | "native" = "jax"): Promise<number[][]> {
  const method = gradientDescent({ outer });
  return (await run({ problem: quadratic(), method, steps, engine })).points;
}

type Plain<O> = { readonly [K in keyof O]?: number | boolean | undefined };

/** torch.optim.SGD, of one coordinate. */
function plainSgd(slope: number, x0: number, o: Plain<SgdOptions>): number[] {
  const [lr, mu, decay] = [o.learningRate ?? 0.01, o.momentum ?? 0, o.weightDecay ?? 0].map(Number);
  const all = [x0];
  let [x, v] = [x0, 0];
  for (let t = 0; t < steps; t++) {
    const d = slope * x + (decay ?? 0) * x;
    v = (mu ?? 0) * v + d;
    x -= (lr ?? 0) * (o.nesterov ? d + (mu ?? 0) * v : v);
    all.push(x);
  }
  return all;
}

/** torch.optim.AdamW, of one coordinate. */
function plainAdamW(slope: number, x0: number, o: Plain<AdamWOptions>): number[] {
  const { learningRate = 0.001, b1 = 0.9, b2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = o;
  const [lr, β1, β2, ε, λ] = [learningRate, b1, b2, epsilon, weightDecay].map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const all = [x0];
  let [x, m, v] = [x0, 0, 0];
  for (let t = 1; t <= steps; t++) {
    const g = slope * x;
    x *= 1 - lr * λ;
    m = β1 * m + (1 - β1) * g;
    v = β2 * v + (1 - β2) * g * g;
    x -= (lr * (m / (1 - β1 ** t))) / (Math.sqrt(v / (1 - β2 ** t)) + ε);
    all.push(x);
  }
  return all;
}

const expectPoints = (found: readonly number[][], wanted: readonly number[][]) => {
  expect(found).toHaveLength(steps + 1);
  found.forEach((point, t) =>
    point.forEach((x, i) => expect(x, `step ${t}`).toBeCloseTo(wanted[i]?.[t] ?? NaN, 12)),
  );
};

describe.each(["jax", "native"] as const)("engine %s", (engine) => {
  test.each<SgdOptions & { readonly learningRate?: number }>([
    {},
    { learningRate: 0.05 },
    { learningRate: 0.05, weightDecay: 0.3 },
    { learningRate: 0.05, momentum: 0.9 },
    { learningRate: 0.05, momentum: 0.9, nesterov: true },
    { learningRate: 0.05, momentum: 0.5, nesterov: true, weightDecay: 0.3 },
  ])("SGD %j", async (options) => {
    expectPoints(
      await points(sgd(options), engine),
      slopes.map((slope, i) => plainSgd(slope, start[i] ?? NaN, options)),
    );
  });

  test.each<AdamWOptions & { readonly learningRate?: number }>([
    {},
    { learningRate: 0.3, weightDecay: 0 },
    { learningRate: 0.3, weightDecay: 0.5 },
    { learningRate: 0.3, b1: 0, b2: 0.5, epsilon: 0.1 },
    { learningRate: 0.3, b1: 0.5, b2: 0, epsilon: 0 },
  ])("AdamW %j", async (options) => {
    expectPoints(
      await points(adamW(options), engine),
      slopes.map((slope, i) => plainAdamW(slope, start[i] ?? NaN, options)),
    );
  });
});

test("clipping shortens what is too long, and leaves the rest as it is", async () => {
  const learningRate = 0.05;
  const found = await points(clipped({ maxNorm: 6, outer: sgd({ learningRate }) }));
  const lengths = found.slice(1).map((x, t) => {
    const before = found[t] ?? [];
    const g = slopes.map((slope, i) => slope * (before[i] ?? NaN));
    const factor = Math.min(1, 6 / Math.hypot(...g));
    x.forEach((value, i) =>
      expect(value).toBeCloseTo((before[i] ?? NaN) - learningRate * factor * (g[i] ?? NaN), 12),
    );
    return Math.hypot(...g);
  });
  // Both sides of the bound were met.
  expect(Math.max(...lengths)).toBeGreaterThan(6);
  expect(Math.min(...lengths)).toBeLessThan(6);
});

test("clipping keeps the buffer of what it wraps, and its schedule", async () => {
  const inner = sgd({ learningRate: linear({ initial: 0.05, final: 0.02 }), momentum: 0.9 });
  const bound = clipped({ maxNorm: 1e9, outer: inner });
  expect(await points(bound)).toEqual(await points(inner));
  expect(bound.descending).toEqual({ momentum: 0.9, nesterov: false, weightDecay: 0 });
  expect(bound.name).toBe("clipped sgd");
});

test("the type of parameters is the widest among them", () => {
  const leaf = (dtype: "float32" | "float64") => ({ dtype, shape: [], data: new Float64Array(1) });
  expect(dtypeOf(leaf("float32"))).toBe("float32");
  expect(dtypeOf([leaf("float32"), leaf("float64"), leaf("float32")])).toBe("float64");
});
