/** Ten steps of every method at large ρ and learning rate, against plain loops. */
import { numpy as np, random } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { tensor } from "../../src/engine/tensor.ts";
import { mlp } from "../../src/problems/networks/mlp.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { createMethod, methods, resolveSettings } from "../../src/sam/registry.ts";
import { batchRows } from "../../src/sam/training/train.ts";
import { flat, run } from "../sam/run.ts";
import { oracles, PlainNet, PlainSgd, type Draws } from "./methods.ts";

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

interface Variant {
  readonly method: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** How many keys the method needs per step, when it draws. */
  readonly keys?: number;
  /** Whether both kinds of steps must occur: the method's own and others. */
  readonly mixed?: boolean;
  /** Largest difference allowed; default 1e-11. */
  readonly tolerance?: number;
}

const variants: readonly Variant[] = [
  { method: "gd" },
  { method: "sam" },
  { method: "usam" },
  { method: "usam", settings: { rho: 2, ball: true } },
  // The oracle's Hessian comes from differences.
  { method: "exact-sam", tolerance: 1e-7 },
  { method: "m-sam", settings: { chunks: 2 } },
  { method: "m-sam", settings: { chunks: 5 } },
  { method: "asam", settings: { eta: 0.1 } },
  { method: "asam", settings: { eta: 0, biases: true } },
  { method: "fisher-sam", settings: { eta: 3 } },
  { method: "f-sam", settings: { sigma: 0.6, lambda: 0.7 } },
  { method: "f-sam", settings: { sigma: 0.6, lambda: 0.7, average: "current" } },
  { method: "vasso", settings: { theta: 0.3 } },
  { method: "sam-on", settings: { roles: "bias" } },
  { method: "awp" },
  { method: "amp", settings: { rate: 0.8, steps: 3 } },
  { method: "sparse-sam", settings: { mask: "fisher", every: 4, samples: 5 }, keys: 1 },
  { method: "sparse-sam", settings: { mask: "gradient", every: 3, sparsity: 0.7 } },
  { method: "multistep-sam", settings: { steps: 3 } },
  { method: "multistep-sam", settings: { steps: 3, project: false } },
  { method: "lookbehind", settings: { steps: 3, alpha: 0.4 } },
  { method: "lookbehind", settings: { steps: 2, adaptive: true } },
  { method: "gsam" },
  { method: "gsam", settings: { minimize: "plain" } },
  { method: "looksam", settings: { every: 3 } },
  { method: "looksam", settings: { every: 4, perTensor: true } },
  { method: "ae-sam", settings: { delta: 0.5 } },
  { method: "switching", settings: { at: 0.3, until: 0.7 } },
  { method: "late-phase-sam", settings: { at: 0.55 } },
  { method: "decaying-sam" },
  { method: "esam", settings: { gamma: 0.4 } },
  { method: "esam", settings: { beta: 0.5, gamma: 0.7 }, keys: 1 },
  { method: "sampa", settings: { lambda: 0.3 } },
  { method: "bsam", settings: { noise: false, precision: "new" } },
  // Normal numbers are drawn in float32: their logarithms and cosines differ between devices.
  { method: "bsam", settings: {}, keys: 1, tolerance: 1e-5 },
  { method: "saf", settings: { lambda: 2, tau: 2, start: 0, epochs: 1 } },
  { method: "saf", settings: { lambda: 2, tau: 2, start: 1, epochs: 2 } },
  { method: "mesa", settings: { lambda: 2, tau: 2, start: 0, decay: 0.7 } },
  {
    method: "entropy-sgd",
    settings: { steps: 3, gamma: 0.5, scoping: 0.1, noise: 0, momentum: 0.5 },
    keys: 2,
  },
  {
    method: "entropy-sgd",
    settings: { steps: 3, noise: 0.05, direction: "paper" },
    keys: 2,
    tolerance: 1e-5,
  },
  {
    method: "auto-switching",
    settings: { rho: 2.5, resume: 0.7, every: 1, smoothing: 0.1 },
    mixed: true,
  },
  {
    method: "guarded",
    settings: { act: 0.935, resume: 0.945, every: 2, smoothing: 0.1 },
    mixed: true,
  },
  {
    method: "guarded",
    settings: { rho: 2.5, act: 0.55, resume: 0.6, every: 1, smoothing: 0.1 },
    mixed: true,
  },
  {
    method: "guarded",
    settings: { act: 0.9, resume: 0.92, respond: "shrink", smoothing: 0.1 },
    mixed: true,
  },
];

test("every method has an oracle", () => {
  expect(new Set(variants.map(({ method }) => method))).toEqual(
    new Set(methods.map(({ name }) => name)),
  );
});

/** Methods that treat a batch of all samples in a way of its own. */
const knowsFull = new Set(["sam", "sampa", "saf", "mesa", "entropy-sgd"]);

describe.each([
  ["full batch", "full" as const, variants.filter(({ method }) => knowsFull.has(method))],
  ["mini-batches", 5, variants],
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
            : Array.from(batchRows(seed, samples, size, t, 1));
        x = step?.(x, t, rows) ?? [];
        expect(x).toHaveLength(points[0]?.length ?? NaN);
        const worst = Math.max(...x.map((v, i) => Math.abs(v - (points[t + 1]?.[i] ?? NaN))));
        expect(worst, `step ${t}`).toBeLessThan(tolerance);
      }
      if (mixed) expect(new Set(detail("intervened"))).toEqual(new Set([0, 1]));
    },
  );
});
