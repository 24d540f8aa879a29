/** One step of SAM of every network against PyTorch, from PyTorch's initial numbers. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { compileDerivatives, flatten } from "../../src/diagnostics/point/derivatives.ts";
import { leavesOf } from "../../src/engine/tensor.ts";
import type { FloatType, Problem } from "../../src/problems/problem.ts";
import { sam } from "../../src/sam/methods/sam.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { prepareEvaluation } from "../../src/sam/training/evaluation.ts";
import type { Records } from "../../src/sam/training/records.ts";
import { modelOf } from "../../src/sam/training/state.ts";
import { compileTraining } from "../../src/sam/training/training.ts";
import { networks as made } from "./networks.ts";

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
