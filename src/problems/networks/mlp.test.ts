import { assert, nat, property } from "fast-check";
import { expect, test } from "vitest";
import { autodiff } from "../../../test/autodiff.ts";
import { compile } from "../../engine/index.ts";
import type { np } from "../../engine/jax-js.ts";
import {
  leavesOf,
  leavesWithPaths,
  tensor,
  unflattenLike,
  type Tensor,
  type Tree,
} from "../../engine/tensor.ts";
import type { ActivationName } from "./activations.ts";
import type { LabeledSamples } from "./classification.ts";
import { mlp, type MlpOptions } from "./mlp.ts";

/** Inputs of a fixed pattern, labels 0, 1, 2, 0, … */
function samples(size: number, features: number): LabeledSamples {
  const x = Array.from({ length: size * features }, (_, i) => Math.sin(1.7 * i + 0.3) * 1.5);
  const y = Array.from({ length: size }, (_, i) => i % 3);
  return {
    size,
    batch: { x: tensor(x, [size, features], "float64"), y: tensor(y, [size], "int32") },
  };
}

/** erf by its Maclaurin series, good to 1e-13 for |x| < 3. */
function erf(x: number): number {
  let sum = 0;
  let term = x;
  for (let k = 0; k < 120; k++) {
    sum += term / (2 * k + 1);
    term *= (-x * x) / (k + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const plainActivations: Record<ActivationName, (x: number) => number> = {
  tanh: Math.tanh,
  relu: (x) => Math.max(x, 0),
  "leaky-relu": (x) => (x > 0 ? x : x / 100),
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  sin: Math.sin,
};
const names = Object.keys(plainActivations) as ActivationName[];

/** The network in plain loops: logits and loss of every sample. */
function plainForward(
  parameters: readonly number[],
  widths: readonly number[],
  activation: ActivationName,
  { batch, size }: LabeledSamples,
) {
  // Leaves in sorted order: layers/0/bias, layers/0/weight, layers/1/bias, …
  const features = widths[0] as number;
  const outputs: number[] = [];
  const losses: number[] = [];
  for (let n = 0; n < size; n++) {
    let values = Array.from(batch.x.data.slice(n * features, (n + 1) * features));
    let at = 0;
    for (let layer = 1; layer < widths.length; layer++) {
      const [fanIn, fanOut] = [widths[layer - 1] as number, widths[layer] as number];
      const bias = parameters.slice(at, (at += fanOut));
      const weight = parameters.slice(at, (at += fanIn * fanOut));
      values = bias.map((b, o) =>
        values.reduce((s, v, i) => s + v * (weight[o * fanIn + i] ?? NaN), b),
      );
      if (layer < widths.length - 1) values = values.map(plainActivations[activation]);
    }
    outputs.push(...values);
    const largest = Math.max(...values);
    const sum = values.reduce((s, v) => s + Math.exp(v - largest), 0);
    losses.push(Math.log(sum) + largest - (values[batch.y.data[n] as number] ?? NaN));
  }
  return { outputs, losses };
}

const flat = (params: Tree<Tensor>) => leavesOf(params).flatMap(({ data }) => Array.from(data));
const near = (values: readonly number[], digits: number) =>
  values.map((value) => expect.closeTo(value, digits));

/** d/dx of a list-valued function along a direction, by central differences with one Richardson step. */
function differences(f: (t: number) => number[]): number[] {
  const central = (h: number) => {
    const [above, below] = [f(h), f(-h)];
    return above.map((a, i) => (a - (below[i] ?? NaN)) / (2 * h));
  };
  const [coarse, fine] = [central(2e-3), central(1e-3)];
  return fine.map((d, i) => d + (d - (coarse[i] ?? NaN)) / 3);
}

for (const activation of names) {
  for (const hidden of activation === "tanh" ? [[], [5], [4, 3]] : [[5]]) {
    test(`${activation}, hidden [${hidden.join(", ")}]: forward and derivatives agree with plain loops`, async () => {
      const train = samples(7, 4);
      const problem = mlp({ train, hidden, activation, dtype: "float64" });
      const params = problem.init(3);
      const point = flat(params);
      const direction = point.map((_, i) => Math.cos(2.3 * i));
      const widths = [4, ...hidden, 3];
      const { losses, outputs, gradient, hessianProduct } = await autodiff(
        problem,
        params,
        direction,
      );
      const expected = plainForward(point, widths, activation, train);
      expect(outputs).toEqual(near(expected.outputs, 13));
      expect(losses).toEqual(near(expected.losses, 13));

      const meanLossAt = (at: readonly number[]) =>
        plainForward(at, widths, activation, train).losses.reduce((a, b) => a + b) / 7;
      const numeric = point.map(
        (_, i) => differences((t) => [meanLossAt(point.with(i, (point[i] ?? NaN) + t))])[0],
      );
      expect(gradient).toEqual(near(numeric as number[], 9));

      const moved = (t: number) =>
        unflattenLike(
          params,
          leavesOf(params).map(({ data, shape, dtype }, leaf, all) => {
            const before = all.slice(0, leaf).reduce((n, other) => n + other.data.length, 0);
            const values = Array.from(data, (v, i) => v + t * (direction[before + i] ?? NaN));
            return tensor(values, shape, dtype);
          }),
        );
      const h = 1e-4;
      const [above, below] = [
        await autodiff(problem, moved(h)),
        await autodiff(problem, moved(-h)),
      ];
      const slope = above.gradient.map((g, i) => (g - (below.gradient[i] ?? NaN)) / (2 * h));
      expect(hessianProduct).toEqual(near(slope, 6));
    });
  }
}

test("gelu is exact in float64, tails included", async () => {
  // Softmax regression on top of one GELU unit with weights 1: the logit is gelu(x).
  const x = [-40, -9, -8, -3, -1, -1e-8, 0, 0.5, 2, 2.9, 8, 9, 40];
  const train: LabeledSamples = {
    size: x.length,
    batch: {
      x: tensor(x, [x.length, 1], "float64"),
      y: tensor(
        x.map(() => 0),
        [x.length],
        "int32",
      ),
    },
  };
  const problem = mlp({ train, hidden: [1], activation: "gelu", dtype: "float64" });
  const zero = tensor([0], [1], "float64");
  const one = tensor([1], [1, 1], "float64");
  const params = {
    layers: [
      { weight: one, bias: zero },
      { weight: one, bias: zero },
    ],
  };
  const { outputs } = await autodiff(problem, params);
  const expected = x.map((v) =>
    Math.abs(v) > 4 ? Math.max(v, 0) : (v / 2) * (1 + erf(v / Math.SQRT2)),
  );
  expect(outputs).toEqual(near(expected, 12));
});

test("ReLU has derivative 0 at 0 and keeps NaN", async () => {
  const train: LabeledSamples = {
    size: 1,
    batch: { x: tensor([0], [1, 1], "float64"), y: tensor([1], [1], "int32") },
  };
  const problem = mlp({ train, hidden: [1], activation: "relu", dtype: "float64" });
  const at = (bias: number): Tree<Tensor> => ({
    layers: [
      { weight: tensor([1], [1, 1], "float64"), bias: tensor([bias], [1], "float64") },
      { weight: tensor([1, -1], [2, 1], "float64"), bias: tensor([0, 0], [2], "float64") },
    ],
  });
  expect((await autodiff(problem, at(0))).gradient.slice(0, 2)).toEqual([0, 0]);
  expect((await autodiff(problem, at(0.5))).gradient[0]).not.toBe(0);
  expect((await autodiff(problem, at(NaN))).losses).toEqual([NaN]);
});

test("huge pre-activations leave losses and gradients finite", async () => {
  for (const activation of names) {
    const train = samples(3, 2);
    const problem = mlp({ train, hidden: [2], activation, dtype: "float64" });
    const params = unflattenLike(
      problem.init(0),
      leavesOf(problem.init(0)).map(({ data, shape, dtype }) =>
        tensor(
          Array.from(data, (v) => v * 1e4),
          shape,
          dtype,
        ),
      ),
    );
    const direction = flat(params).map(() => 1);
    const { losses, gradient, hessianProduct } = await autodiff(problem, params, direction);
    expect([...losses, ...gradient, ...hessianProduct].every(Number.isFinite), activation).toBe(
      true,
    );
  }
});

test("initialization is PyTorch's: names, shapes, uniform within ±1/√fan_in", () => {
  const problem = mlp({ train: samples(4, 100), hidden: [50, 20] });
  const leaves = leavesWithPaths(problem.init(1));
  expect(Object.fromEntries(leaves.map(([path, { shape }]) => [path, shape]))).toEqual({
    "layers/0/weight": [50, 100],
    "layers/0/bias": [50],
    "layers/1/weight": [20, 50],
    "layers/1/bias": [20],
    "layers/2/weight": [3, 20],
    "layers/2/bias": [3],
  });
  const fanIn = [100, 50, 20];
  for (const [path, { data, dtype }] of leaves) {
    const bound = 1 / Math.sqrt(fanIn[Number(path.split("/")[1])] as number);
    const scaled = Array.from(data, (v) => v / bound);
    expect(dtype).toBe("float32");
    expect(Math.max(...scaled.map(Math.abs))).toBeLessThanOrEqual(1 + 1e-6);
    if (scaled.length < 1000) continue;
    // Mean 0 and variance 1/3 of the uniform distribution, within four standard errors.
    const mean = scaled.reduce((a, b) => a + b) / scaled.length;
    const variance = scaled.reduce((a, b) => a + b * b, 0) / scaled.length;
    expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(1 / 3 / scaled.length));
    expect(Math.abs(variance - 1 / 3)).toBeLessThan(4 * Math.sqrt(4 / 45 / scaled.length));
  }
  expect(problem.role("layers/0/weight")).toBe("weight");
  expect(problem.role("layers/0/bias")).toBe("bias");
});

test("equal seeds give equal parameters, different seeds and tensors different ones; dtypes agree", () => {
  assert(
    property(nat(), (seed) => {
      const train = samples(3, 4);
      const single = flat(mlp({ train, hidden: [4] }).init(seed));
      const double = flat(mlp({ train, hidden: [4], dtype: "float64" }).init(seed));
      expect(single).toEqual(double.map(Math.fround));
      expect(new Set(double).size).toBe(double.length);
      expect(flat(mlp({ train, hidden: [4] }).init(seed))).toEqual(single);
      expect(flat(mlp({ train, hidden: [4] }).init(seed + 1))).not.toEqual(single);
    }),
    { numRuns: 20 },
  );
});

test("float32 and float64 agree; each keeps its dtype", async () => {
  const train = samples(6, 4);
  for (const activation of names) {
    const [single, double] = (["float32", "float64"] as const).map((dtype) =>
      mlp({ train, hidden: [5], activation, dtype }),
    ) as [ReturnType<typeof mlp>, ReturnType<typeof mlp>];
    expect(single.train.batch).toMatchObject({ x: { dtype: "float32" } });
    const a = await autodiff(single, single.init(0));
    const b = await autodiff(double, double.init(0));
    expect(a.losses).toEqual(near(b.losses, 5));
    expect(a.gradient).toEqual(near(b.gradient, 5));
    expect(a.losses).toEqual(a.losses.map(Math.fround));
    expect(b.losses).not.toEqual(b.losses.map(Math.fround));
  }
});

test("images keep their shape, are cast, and count as rows", async () => {
  const rows = samples(4, 6);
  const { x, y } = rows.batch;
  const images = { size: 4, batch: { x: { ...x, shape: [4, 1, 2, 3] }, y } };
  const problem = mlp({ train: images, test: images, hidden: [5] });
  for (const split of [problem.train, problem.test]) {
    expect(split?.batch).toMatchObject({ x: { dtype: "float32", shape: [4, 1, 2, 3] } });
  }
  const [a, b] = [problem, mlp({ train: rows, hidden: [5] })].map((one) =>
    autodiff(one, one.init(0)),
  );
  expect(await a).toEqual(await b);
});

test("the score is 1 where the largest output is the label's, the first of equals", async () => {
  const outputs = [
    [1, 3, 2],
    [1, 3, 3],
    [1, 3, 3],
    [-1, -1, -1],
    [NaN, 1, 0],
    [-Infinity, -5, -Infinity],
  ];
  const labels = [1, 1, 2, 0, 1, 1];
  for (const dtype of ["float32", "float64"] as const) {
    const problem = mlp({ train: samples(6, 1), dtype });
    if (problem.score === undefined) throw new Error("a classifier without a score");
    for (const engine of ["native", "jax"] as const) {
      const program = await compile(
        {
          carry: {},
          inputs: {
            outputs: { dtype, shape: [6, 3] },
            y: { dtype: "int32", shape: [6] },
          },
          knobs: {},
          step(carry, inputs) {
            const { outputs, y } = inputs as { outputs: np.Array; y: np.Array };
            return { carry, record: { scores: problem.score?.(outputs, { y }) as np.Array } };
          },
        },
        { engine },
      );
      const inputs = {
        outputs: tensor(outputs.flat(), [6, 3], dtype),
        y: tensor(labels, [6], "int32"),
      };
      const { records } = await program.run({ carry: {}, inputs, knobs: {}, steps: 1 });
      await program.dispose();
      const { scores } = records as { scores: Tensor };
      expect(scores.dtype).toBe(dtype);
      expect([...scores.data]).toEqual([1, 1, 0, 1, 0, 1]);
    }
  }
});

test("refuses options and samples it cannot use", () => {
  const train = samples(4, 6);
  const make = (options: Partial<MlpOptions>) => () => mlp({ train, ...options });
  expect(make({ hidden: [0] })).toThrow("invalid hidden: 0 (give widths of 1 or more)");
  expect(make({ hidden: [8, 2.5] })).toThrow(/^invalid hidden: 2.5/);
  expect(make({ activation: "swish" as ActivationName })).toThrow(
    'unknown activation "swish" (choose from tanh, relu, leaky-relu, gelu, silu, sin)',
  );
  expect(make({ activation: "toString" as ActivationName })).toThrow(/^unknown activation/);
  expect(make({ classes: 2 })).toThrow("invalid train/y: label 2 of sample 2 (give 0 to 1)");
  const narrow = samples(2, 6);
  expect(make({ train: narrow, test: train })).toThrow(
    "invalid test/y: label 2 of sample 2 (give 0 to 1)",
  );
  expect(make({ classes: 0 })).toThrow(/^invalid classes: 0/);
  expect(make({ test: samples(4, 5) })).toThrow(
    "invalid test/x: samples of shape [5] (give [6], as in train)",
  );
  expect(make({ train: { ...train, size: 0 } })).toThrow(/^invalid train: 0 samples/);
  expect(make({ train: { ...train, size: 5 } })).toThrow(/^invalid train\/x: float64\[4, 6\]/);
  expect(make({ classes: 3, test: samples(4, 6) })).not.toThrow();
  expect(make({ train: { size: 4, batch: { x: train.batch.x } } })).toThrow(/^missing train\/y/);
  expect(make({ train: { size: 4, batch: train.batch.x } })).toThrow(/^missing train\/x/);
  const floatLabels = { ...train.batch, y: tensor([0, 1, 2, 0], [4], "float32") };
  expect(make({ train: { size: 4, batch: floatLabels } })).toThrow(
    /^invalid train\/y: float32\[4\]/,
  );
});
