/** Ten steps of every method at large ρ and learning rate, against plain loops. */
import { numpy as np, random } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { tensor } from "../../src/engine/tensor.ts";
import { mlp } from "../../src/problems/networks/mlp.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { createMethod, methods, resolveSettings } from "../../src/sam/registry.ts";
import { batchIndices } from "../../src/sam/training/batches.ts";
import { flat, run } from "../sam/run.ts";
import {
  knowsFull,
  oracles,
  PlainNet,
  PlainSgd,
  variants,
  type Draws,
  type Variant,
} from "./methods.ts";

const samples = 12;
const features = 3;
const hidden = 4;
const classes = 3;
const seed = 5;
const steps = 10;

const inputs = Array.from({ length: samples }, (_, n) =>
  Array.from({ length: features }, (_, i) => 1.7 * Math.sin(2.3 * (n * features + i) + 0.4)),
);
const labels = inputs.map((_, n) => (2 * n + 1) % classes);
const problem = mlp({
  train: {
    size: samples,
    batch: {
      x: tensor(inputs.flat(), [samples, features], "float64"),
      y: tensor(labels, [samples], "int32"),
    },
  },
  hidden: [hidden],
  dtype: "float64",
});
const net = new PlainNet(inputs, labels, hidden, classes);

/** The step's random numbers from jax-js's words, from as many keys as the method needs. */
function drawsOf(keys: number): Draws {
  const keyOf = (t: number, which: number) => {
    const own = np.array([seed + 0x53, t + 0x414d], { dtype: np.uint32 });
    return keys === 1 ? own : random.split(own, keys).slice(which);
  };
  const size = net.tensors.at(-1)?.to ?? 0;
  return {
    normal(t, key, row, rows) {
      const pairs = Math.ceil((rows * size) / 2);
      const words = random.split(keyOf(t, key), pairs).js() as [number, number][];
      const polar = words.map(([a, b]) => {
        const u = Math.fround(Math.fround(a) + 1) / 2 ** 32;
        return [Math.sqrt(-2 * Math.log(u)), (2 * Math.PI * b) / 2 ** 32] as const;
      });
      const cosines = polar.map(([r, angle]) => r * Math.cos(angle));
      const sines = polar.map(([r, angle]) => r * Math.sin(angle));
      return [...cosines, ...sines].slice(row * size, (row + 1) * size);
    },
    rows: (t, key, count) =>
      random
        .randint(keyOf(t, key), { minval: 0, maxval: samples, shape: [count] })
        .js() as number[],
    keep: (t, chance) =>
      (random.uniform(keyOf(t, 0), [net.tensors.length]).js() as number[]).map((u) => u < chance),
  };
}

test("every method has an oracle", () => {
  expect(new Set(Object.keys(oracles))).toEqual(new Set(methods.map(({ name }) => name)));
  expect(Object.keys(oracles)).toEqual(expect.arrayContaining(variants.map((v) => v.method)));
});

/** Every method at the settings it is tried with, by default its own. */
const tried: readonly Variant[] = methods.flatMap(({ name: method }) => {
  const own = variants.filter((variant) => variant.method === method);
  return own.length > 0 ? own : [{ method }];
});

describe.each([
  ["full batch", "full" as const, tried.filter(({ method }) => knowsFull.has(method))],
  ["mini-batches", 5, tried],
])("%s", (_, batchSize, cases) => {
  test.each(cases)(
    "$method $settings",
    async ({ method, settings, keys = 1, mixed, tolerance = 1e-11 }) => {
      const rho = "rho" in resolveSettings(method, {}) && { rho: 0.6 };
      const given = { ...rho, ...settings };
      const outer = sgd({ learningRate: 0.4, momentum: 0.9, weightDecay: 0.01 });
      const { points, detail } = await run({
        problem,
        method: createMethod(method, given, outer),
        steps,
        seed,
        batchSize,
        engine: "native",
      });
      const step = oracles[method]?.(
        {
          net,
          sgd: new PlainSgd(0.4, 0.9, 0.01),
          steps,
          samples,
          // On the full batch no rows are drawn: one key is enough.
          draws: drawsOf(batchSize === "full" ? 1 : keys),
        },
        resolveSettings(method, given) as never,
      );
      const size = batchSize === "full" ? samples : batchSize;
      let x = flat(problem.init(seed));
      for (let t = 0; t < steps; t++) {
        const rows =
          batchSize === "full"
            ? inputs.map((_, n) => n)
            : Array.from(batchIndices(seed, samples, size, t, 1));
        x = step?.(x, t, rows) ?? [];
        expect(x).toHaveLength(points[0]?.length ?? NaN);
        const worst = Math.max(...x.map((v, i) => Math.abs(v - (points[t + 1]?.[i] ?? NaN))));
        expect(worst, `step ${t}`).toBeLessThan(tolerance);
      }
      if (mixed) expect(new Set(detail("intervened"))).toEqual(new Set([0, 1]));
    },
  );
});
