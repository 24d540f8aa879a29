/** One step of SAM of every network against PyTorch, from PyTorch's initial numbers. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { compileDerivatives, flatten } from "../../src/diagnostics/point/derivatives.ts";
import { leavesOf, tensor } from "../../src/engine/tensor.ts";
import { cnn } from "../../src/problems/networks/cnn.ts";
import { gcn } from "../../src/problems/networks/gcn.ts";
import { gpt } from "../../src/problems/networks/gpt.ts";
import { mlp } from "../../src/problems/networks/mlp.ts";
import { resnet } from "../../src/problems/networks/resnet.ts";
import { vit } from "../../src/problems/networks/vit.ts";
import type { FloatType, Problem, Split } from "../../src/problems/problem.ts";
import { sam } from "../../src/sam/methods/sam.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { prepareEvaluation } from "../../src/sam/training/evaluation.ts";
import type { Records } from "../../src/sam/training/records.ts";
import { modelOf } from "../../src/sam/training/state.ts";
import { compileTraining } from "../../src/sam/training/training.ts";

interface Case {
  readonly parameters: number;
  readonly startNorm: number;
  readonly startSum: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly shiftedLoss: number;
  readonly shiftedGradNorm: number;
  readonly evaluated: number;
  /** ‖H u‖ and u·H u at the start, u = g/‖g‖. */
  readonly hessianNorm: number;
  readonly curvature: number;
}
interface Stored {
  readonly seed: number;
  readonly rho: number;
  readonly rate: number;
  readonly cases: { readonly [name: string]: Case };
}

const file = new URL("networks.json", import.meta.url);
const { cases, seed, rho, rate } = JSON.parse(await readFile(file, "utf8")) as Stored;

/** The samples of networks.py. */
function images(samples: number, channels: number, side: number, classes: number): Split {
  const x = Array.from(
    { length: samples * channels * side * side },
    (_, k) => 1.2 * Math.sin(1.7 * k + 0.3) + 0.3,
  );
  const y = Array.from({ length: samples }, (_, n) => (n * 7 + 1) % classes);
  return {
    size: samples,
    batch: {
      x: tensor(x, [samples, channels, side, side], "float64"),
      y: tensor(y, [samples], "int32"),
    },
  };
}

/** The sequences of networks.py. */
function tokens(samples: number, places: number, vocabulary: number, predicted: number) {
  const x = Array.from({ length: samples * places }, (_, i) => (i * i + 3 * i) % vocabulary);
  const y = Array.from({ length: samples * predicted }, (_, i) => (3 * i + 1) % vocabulary);
  const batch = {
    x: tensor(x, [samples, places], "int32"),
    y: tensor(y, [samples, predicted], "int32"),
  };
  return { train: { size: samples, batch }, vocabulary };
}

/** Two triangles with a bridge, of which the classes of three nodes are known. */
const bridge = {
  train: {
    size: 6,
    batch: {
      x: tensor(
        Array.from({ length: 12 }, (_, k) => Math.sin(1.9 * k + 0.3)),
        [6, 2],
        "float64",
      ),
      y: tensor([0, 1, 1, 0, 1, 0], [6], "int32"),
      weight: tensor([2, 2, 0, 0, 2, 0], [6], "float64"),
    },
  },
  edges: [
    [0, 1],
    [1, 2],
    [2, 0],
    [3, 4],
    [4, 5],
    [5, 3],
    [0, 3],
  ],
  classes: 2,
} as const;

const made: { readonly [name: string]: (dtype: FloatType) => Problem } = {
  "mlp leaky-relu": (dtype) =>
    mlp({ train: images(8, 1, 3, 3), hidden: [7], activation: "leaky-relu", dtype }),
  "mlp sin, gain 2": (dtype) =>
    mlp({ train: images(8, 1, 3, 3), hidden: [7], activation: "sin", initGain: 2, dtype }),
  "mlp gelu, layer norm": (dtype) =>
    mlp({ train: images(8, 1, 3, 3), hidden: [7, 5], activation: "gelu", norm: "layer", dtype }),
  "mlp silu, layer norm": (dtype) =>
    mlp({ train: images(8, 1, 3, 3), hidden: [7, 5], activation: "silu", norm: "layer", dtype }),
  cnn: (dtype) => cnn({ train: images(6, 3, 7, 4), channels: [6, 8, 10], dtype }),
  "cnn batch": (dtype) =>
    cnn({
      train: images(6, 1, 8, 4),
      channels: [6, 8],
      activation: "tanh",
      norm: "batch",
      dtype,
    }),
  "cnn group": (dtype) =>
    cnn({ train: images(6, 3, 8, 4), channels: [6, 8], norm: "group", dtype }),
  "resnet 8": (dtype) => resnet({ train: images(8, 3, 12, 5), width: 4, dtype }),
  "resnet 8 group": (dtype) =>
    resnet({ train: images(6, 1, 7, 5), width: 8, norm: "group", dtype }),
  "resnet 18": (dtype) => resnet({ train: images(8, 3, 16, 5), depth: 18, width: 4, dtype }),
  "resnet 20": (dtype) => resnet({ train: images(8, 3, 8, 5), depth: 20, width: 4, dtype }),
  vit: (dtype) => vit({ train: images(6, 3, 8, 5), patch: 4, dim: 12, heads: 3, dtype }),
  gpt: (dtype) => gpt({ ...tokens(5, 7, 11, 7), dim: 12, heads: 2, dtype }),
  "gpt of the last": (dtype) => gpt({ ...tokens(9, 3, 11, 1), dim: 16, blocks: 1, dtype }),
  gcn: (dtype) => gcn({ ...bridge, hidden: [5, 4], dtype }),
};

test("every case of PyTorch's has its network", () => {
  expect(Object.keys(made)).toEqual(Object.keys(cases));
});

const relative = (found: number, expected: number) => Math.abs(found / expected - 1);

/** In float32 ReLU networks with many normalizations lose digits, PyTorch's as ours. */
const tolerances = {
  float64: { loss: 1e-9, norm: 1e-8 },
  float32: { loss: 1e-5, norm: 3e-4 },
} as const;

/** Initial embeddings are PyTorch's to 4e-8 only. */
const embedded = { loss: 1e-7, norm: 1e-6 };

test.each(Object.entries(made))("one step of %s", async (name, make) => {
  const expected = cases[name] as Case;
  // What depth costs in float32 is seen at 18 layers.
  const dtypes = name === "resnet 20" ? (["float64"] as const) : (["float64", "float32"] as const);
  for (const dtype of dtypes) {
    const problem = make(dtype);
    const training = await compileTraining({
      problem,
      method: sam({ rho, outer: sgd({ learningRate: rate }) }),
    });
    const start = leavesOf(problem.init(seed)).flatMap(({ data }) => Array.from(data));
    expect(start.length).toBe(expected.parameters);
    const norm = Math.hypot(...start);
    expect(relative(norm, expected.startNorm)).toBeLessThan(1e-7);
    const sum = start.reduce((total, value) => total + value, 0);
    expect(Math.abs(sum - expected.startSum)).toBeLessThan(1e-6 * norm);

    const records: Records[] = [];
    const state = await training.run({
      steps: 1,
      seed,
      onRecords: (seen) => void records.push(seen),
    });
    await training.dispose();
    const [seen] = records;
    const of = (column: "loss" | "gradNorm" | "shiftedLoss" | "shiftedGradNorm") =>
      seen?.[column][0] ?? NaN;
    const isClose = dtype === "float64" && /^(gpt|vit)/.test(name);
    const tolerance = isClose ? embedded : tolerances[dtype];
    expect(relative(of("loss"), expected.loss)).toBeLessThan(tolerance.loss);
    expect(relative(of("shiftedLoss"), expected.shiftedLoss)).toBeLessThan(tolerance.loss);
    expect(relative(of("gradNorm"), expected.gradNorm)).toBeLessThan(tolerance.norm);
    expect(relative(of("shiftedGradNorm"), expected.shiftedGradNorm)).toBeLessThan(tolerance.norm);

    const evaluation = prepareEvaluation(problem);
    const judged = await evaluation.evaluate(modelOf(state), problem.train);
    await evaluation.dispose();
    expect(relative(judged.loss, expected.evaluated)).toBeLessThan(tolerance.loss);
  }
});

/** One of each kind: depth adds nothing to what a second derivative can get wrong. */
const curved = ["mlp gelu, layer norm", "cnn batch", "cnn group", "vit", "gpt of the last", "gcn"];

test.each(curved)("curvature of %s along the gradient", async (name) => {
  const problem = (made[name] as (dtype: FloatType) => Problem)("float64");
  const expected = cases[name] as Case;
  const f = await compileDerivatives(problem, {
    mode: "train",
    statistics: problem.initStatistics?.(),
  });
  const start = flatten(problem.init(seed));
  const { gradient } = await f.lossAndGradient(start);
  const length = Math.hypot(...gradient);
  expect(relative(length, expected.gradNorm)).toBeLessThan(embedded.norm);
  const u = gradient.map((value) => value / length);
  const product = await f.hessianTimes(start, u);
  await f.dispose();
  const along = product.reduce((sum, value, i) => sum + value * (u[i] ?? NaN), 0);
  expect(relative(Math.hypot(...product), expected.hessianNorm)).toBeLessThan(1e-5);
  expect(Math.abs(along - expected.curvature)).toBeLessThan(1e-5 * expected.hessianNorm);
});
