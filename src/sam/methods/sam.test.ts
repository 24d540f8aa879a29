import { numpy as np } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { scalar } from "../../engine/arrays.ts";
import { tensor, type Tensor } from "../../engine/tensor.ts";
import type { Problem } from "../../problems/problem.ts";
import type { Method } from "../contract/method.ts";
import { sgd } from "../parts/outer.ts";
import { gradientDescent, sam } from "./sam.ts";
import { switching } from "./switching.ts";
import { batchIndices } from "../training/batches.ts";
import type { Records } from "../training/records.ts";
import { compileTraining } from "../training/training.ts";

/** f(x) = −cos x₁ + x₂²/2, whose SAM at ρ = 4 has a hallucinated minimizer at (2π − 4, 0). */
const cosine = (start: readonly number[]): Problem => ({
  name: "cosine",
  dtype: "float64",
  init: () => ({ x: tensor(start, [2], "float64") }),
  role: () => "weight",
  train: { size: 1, batch: { one: tensor([1], [1], "float64") } },
  forward(params, batch) {
    const [x1, x2] = np.split((params as { x: np.Array }).x, 2) as [np.Array, np.Array];
    const half = scalar(0.5, x1);
    const value = np.add(np.negative(np.cos(x1)), np.multiply(half, np.square(x2)));
    return { losses: np.multiply((batch as { one: np.Array }).one, value) };
  },
});

async function run(method: Method, steps: number, start: readonly number[] = [2, 0.5]) {
  const training = await compileTraining({
    problem: cosine(start),
    method,
    engine: "jax",
    recordPoints: true,
  });
  const points: number[] = [];
  const chunks: Records[] = [];
  const state = await training.run({
    steps,
    onRecords(records) {
      chunks.push(records);
      points.push(...(records.point as { x: Tensor }).x.data);
    },
  });
  await training.dispose();
  const column = (name: "gradNorm" | "evaluations" | "skipped" | "cosine" | "shiftedGradNorm") =>
    chunks.flatMap((chunk) => [...chunk[name]]);
  return { x: [...(state.carry.params as { x: Tensor }).x.data], points, column };
}

const outer = sgd({ learningRate: 0.1 });

test("SAM converges to the hallucinated minimizer of cosine, where the gradient is sin 4", async () => {
  const { x, column } = await run(sam({ rho: 4, outer }), 400);
  expect(x[0]).toBeCloseTo(2 * Math.PI - 4, 10);
  expect(x[1]).toBeCloseTo(0, 10);
  expect(column("gradNorm").at(-1)).toBeCloseTo(-Math.sin(4), 10);
  expect(column("shiftedGradNorm").at(-1)).toBeLessThan(1e-10);
});

test("at ρ = 0 SAM is the outer optimizer, bit for bit", async () => {
  const momentum = sgd({ learningRate: 0.3, momentum: 0.9, nesterov: true, weightDecay: 0.01 });
  const plain = await run(gradientDescent({ outer: momentum }), 20);
  const still = await run(sam({ rho: 0, outer: momentum }), 20);
  expect(still.points).toEqual(plain.points);
});

test.each([false, true])(
  "decoupled weight decay stays out of the momentum (Nesterov: %s)",
  async (nesterov) => {
    const [eta, mu, lambda] = [0.3, 0.9, 0.2];
    const decoupled = { learningRate: eta, momentum: mu, weightDecay: lambda, decoupled: true };
    const { points } = await run(gradientDescent({ outer: sgd({ ...decoupled, nesterov }) }), 6);
    // x ← (1 − ηλ)x − ηv with v ← μv + g, g = (sin x₁, x₂).
    let [x, v] = [points.slice(0, 2), [0, 0]];
    for (let t = 0; t < 6; t++) {
      const [a = NaN, b = NaN] = points.slice(2 * t, 2 * t + 2);
      expect(x[0]).toBeCloseTo(a, 12);
      expect(x[1]).toBeCloseTo(b, 12);
      const g = [Math.sin(a), b];
      v = v.map((old, i) => mu * old + (g[i] ?? NaN));
      const move = nesterov ? v.map((now, i) => (g[i] ?? NaN) + mu * now) : v;
      x = x.map((value, i) => (1 - eta * lambda) * value - eta * (move[i] ?? NaN));
    }
    expect(sgd(decoupled).descending).toBeUndefined();
    expect(sgd({ ...decoupled, momentum: 0 }).descending).toMatchObject({ weightDecay: lambda });
  },
);

test("a zero gradient gives a zero perturbation, no NaN", async () => {
  const { x, column } = await run(sam({ rho: 4, outer }), 3, [0, 0]);
  expect(x.map(Math.abs)).toEqual([0, 0]);
  expect(column("cosine")).toEqual([0, 0, 0]);
  expect(column("skipped")).toEqual([0, 0, 0]);
});

test("a step with numbers that are not finite is skipped and counted", async () => {
  const { points, column } = await run(sam({ rho: 1, outer }), 2, [Infinity, 1]);
  expect(column("skipped")).toEqual([1, 1]);
  expect(points).toEqual([Infinity, 1, Infinity, 1]);
});

describe("switching", () => {
  const method = (at: number) =>
    switching({ from: gradientDescent({ outer }), to: sam({ rho: 0.5, outer }), at });

  test("takes plain steps up to the switch and SAM steps from it on", async () => {
    const { points, column } = await run(method(0.3), 10);
    const plain = await run(gradientDescent({ outer }), 3);
    expect(points.slice(0, 6)).toEqual(plain.points);
    expect(column("evaluations")).toEqual([1, 1, 1, 2, 2, 2, 2, 2, 2, 2]);
    const rest = await run(sam({ rho: 0.5, outer }), 7, plain.x);
    expect(points.slice(6)).toEqual(rest.points);
  });

  test("refuses fractions outside [0, 1] and different outer optimizers", () => {
    expect(() => method(1.5)).toThrow("invalid at: 1.5 (give a number from 0 to 1)");
    expect(() =>
      switching({ from: gradientDescent({ outer }), to: sam({ rho: 1, outer: sgd() }) }),
    ).toThrow(/^invalid switch: both methods/);
  });
});

test("batches: every epoch a new order of all samples, the same from any step on", () => {
  const all = batchIndices(3, 10, 3, 0, 9);
  for (const epoch of [0, 1, 2]) {
    const seen = [...all.subarray(epoch * 9, epoch * 9 + 9)];
    expect(new Set(seen).size).toBe(9);
    expect(seen.every((index) => index >= 0 && index < 10)).toBe(true);
  }
  expect([...all.subarray(0, 9)]).not.toEqual([...all.subarray(9, 18)]);
  expect(batchIndices(3, 10, 3, 4, 5)).toEqual(all.subarray(12));
  expect(batchIndices(4, 10, 3, 0, 9)).not.toEqual(all);
});
