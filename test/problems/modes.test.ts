/** What tells training from evaluation, problem by problem, against numbers from elsewhere. */
import { readFile } from "node:fs/promises";
import { numpy as np } from "@jax-js/jax";
import { expect, test } from "vitest";
import { certify } from "../../src/diagnostics/certificate/certify.ts";
import { describeCertificate } from "../../src/diagnostics/certificate/report.ts";
import { compileDerivatives, flatten } from "../../src/diagnostics/point/derivatives.ts";
import { findAround } from "../../src/diagnostics/search/find.ts";
import { leavesWithPaths, tensor, type Tensor } from "../../src/engine/tensor.ts";
import { matchModel } from "../../src/problems/import/match-model.ts";
import { planes } from "../../src/problems/planes/index.ts";
import type { Problem } from "../../src/problems/problem.ts";
import type { Method } from "../../src/sam/contract/method.ts";
import { linear } from "../../src/settings/schedules.ts";
import { sam } from "../../src/sam/methods/sam.ts";
import { descend, method, plainEvidence } from "../../src/sam/parts/step.ts";
import { sampa } from "../../src/sam/methods/sampa.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { prepareEvaluation } from "../../src/sam/training/evaluation.ts";
import type { Records } from "../../src/sam/training/records.ts";
import { modelOf } from "../../src/sam/training/state.ts";
import { compileTraining } from "../../src/sam/training/training.ts";
import { flat } from "../sam/run.ts";
import { augmented, batchNormalized, dropped, edges, graph, pixels, powers } from "./networks.ts";

interface Curvature {
  readonly loss: number;
  readonly shiftedLoss: number;
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  readonly hessian: { readonly min: number; readonly max: number };
  readonly shiftedHessian: { readonly min: number; readonly max: number };
}
interface Judged {
  readonly loss: number;
  readonly accuracy: number;
}
type Nested = number | readonly Nested[];
interface Stored {
  readonly rho: number;
  readonly rate: number;
  readonly count: number;
  readonly steps: readonly {
    readonly loss: number;
    readonly shiftedLoss: number;
    readonly running_mean: readonly number[];
    readonly running_var: readonly number[];
  }[];
  readonly trained: Judged;
  readonly withInitialStatistics: Judged;
  readonly certificates: { readonly evaluate: Curvature; readonly train: Curvature };
  readonly state: { readonly [name: string]: Nested };
}

const file = new URL("../oracle/batch-norm.json", import.meta.url);
const stored = JSON.parse(await readFile(file, "utf8")) as Stored;
const torchMethod = sam({ rho: stored.rho, outer: sgd({ learningRate: stored.rate }) });

/** `state_dict()` as the tensors of a file. */
const stateDict = Object.fromEntries(
  Object.entries(stored.state).map(([name, values]): [string, Tensor] => {
    const shape: number[] = [];
    for (let node = values; Array.isArray(node); node = node[0] as Nested) shape.push(node.length);
    return [name, tensor([values].flat(3) as number[], shape, "float64")];
  }),
);
const trained = matchModel(batchNormalized("float64"), stateDict, "state_dict");

const furthest = (found: readonly number[], expected: readonly number[]) =>
  Math.max(...expected.map((value, i) => Math.abs(value - (found[i] ?? NaN))));

test.each([
  ["float64", 1e-14],
  ["float32", 1e-6],
] as const)("running statistics in training are PyTorch's, in %s", async (dtype, tolerance) => {
  for (const engine of ["native", "jax"] as const) {
    const problem = batchNormalized(dtype);
    const training = await compileTraining({ problem, method: torchMethod, engine });
    const records: Records[] = [];
    for (const [i, expected] of stored.steps.entries()) {
      const state = await training.run({
        steps: i + 1,
        onRecords: (seen) => void records.push(seen),
      });
      const statistics = [...expected.running_mean, ...expected.running_var];
      expect(furthest(flat(state.carry.statistics), statistics)).toBeLessThan(tolerance);
      const last = records.at(-1);
      expect(last?.loss.at(-1)).toBeCloseTo(expected.loss, dtype === "float64" ? 13 : 5);
      expect(last?.shiftedLoss.at(-1)).toBeCloseTo(
        expected.shiftedLoss,
        dtype === "float64" ? 13 : 5,
      );
    }
    await training.dispose();
  }
  expect(stored.steps.length).toBe(3);
});

test("a trained network is judged by its trained statistics, as PyTorch judges it", async () => {
  const problem = batchNormalized("float64");
  const training = await compileTraining({ problem, method: torchMethod });
  const state = await training.run({ steps: stored.count });
  await training.dispose();
  const model = modelOf(state);
  expect(furthest(flat(model.params), flat(trained.params))).toBeLessThan(1e-12);
  expect(furthest(flat(model.statistics), flat(trained.statistics))).toBeLessThan(1e-12);

  const evaluation = prepareEvaluation(problem);
  const judged = await evaluation.evaluate(model, problem.train);
  expect(judged.loss).toBeCloseTo(stored.trained.loss, 12);
  expect(judged.score).toBe(stored.trained.accuracy);
  const { statistics } = training.start().carry;
  const mistaken = await evaluation.evaluate({ ...model, statistics }, problem.train);
  await evaluation.dispose();
  expect(mistaken.loss).toBeCloseTo(stored.withInitialStatistics.loss, 12);
  expect(mistaken.score).toBe(stored.withInitialStatistics.accuracy);
  expect(mistaken.score).not.toBe(judged.score);
});

test.each(["evaluate", "train"] as const)(
  "the certificate of a trained network has PyTorch's curvature, mode %s",
  async (mode) => {
    const problem = batchNormalized("float64");
    const { params: point, statistics } = trained;
    const options = { problem, point, rho: stored.rho, learningRate: 0.1, steps: 20 };
    const certificate = await certify({ ...options, statistics, mode });
    const expected = stored.certificates[mode];
    const numbers = ({ hessian, shiftedHessian, ...of }: Curvature) => [
      of.loss,
      of.shiftedLoss,
      of.gradNorm,
      of.shiftedGradNorm,
      hessian.min,
      hessian.max,
      shiftedHessian.min,
      shiftedHessian.max,
    ];
    expect(furthest(numbers(certificate), numbers(expected))).toBeLessThan(1e-10);
    expect(certificate.mode).toBe(mode);
    expect(describeCertificate(certificate)).toContain(
      mode === "evaluate" ? "running statistics" : "statistics of all training samples",
    );

    const initial = problem.initStatistics?.() ?? {};
    const mistaken = await certify({ ...options, statistics: initial, mode });
    const difference = Math.abs(mistaken.loss - certificate.loss);
    expect(difference > 0.1, "statistics matter in evaluation only").toBe(mode === "evaluate");
  },
);

test("a certificate refuses to guess statistics", async () => {
  const problem = batchNormalized("float64");
  const { params: point, statistics } = trained;
  await expect(certify({ problem, point, rho: 1 })).rejects.toThrow(
    /^missing statistics: batch-normalized keeps running statistics/,
  );
  const { layers } = statistics as { layers: { 1: { mean: Tensor } } };
  const without = { layers: { 1: { mean: layers[1].mean } } };
  await expect(certify({ problem, point, statistics: without, rho: 1 })).rejects.toThrow(
    /^missing statistics\/layers\/1\/variance/,
  );
});

/** The cosine plane, seen from elsewhere: by the statistic in evaluation, by 1 in training. */
function displaced(): Problem {
  const plane = planes.cosine.create();
  return {
    name: "displaced",
    dtype: "float64",
    role: () => "weight",
    train: plane.train,
    init: (seed) => plane.init(seed),
    initStatistics: () => ({ shift: tensor([0], [], "float64") }),
    forward(params, batch, { mode, statistics }) {
      const { x } = params as { x: np.Array };
      const { shift } = statistics as { shift: np.Array };
      const by = mode === "train" ? np.onesLike(shift.ref) : shift.ref;
      const direction = np.array([1, 0], { dtype: np.float64 });
      const moved = np.add(x, np.multiply(by, direction));
      const next = np.add(shift, np.array(0.1, { dtype: np.float64 }));
      return { ...plane.forward({ x: moved }, batch, { mode }), statistics: { shift: next } };
    },
  };
}

test("runs beside a point are of the loss that is certified, at the model's statistics", async () => {
  // SAM with ρ = 4 hallucinates at 2π − 4 on the plane, hence here at 2π − 4 − shift.
  const shift = 0.3;
  const certificate = await certify({
    problem: displaced(),
    point: { x: tensor([2 * Math.PI - 4 - shift, 0], [2], "float64") },
    statistics: { shift: tensor([shift], [], "float64") },
    rho: 4,
  });
  expect(certificate.verdict.name).toMatch(/^hallucinated/);
  const { runs } = certificate.details;
  expect(runs.length).toBeGreaterThan(0);
  expect(new Set(runs.map(({ outcome }) => outcome))).toEqual(new Set(["returned"]));
  // At rest where it was certified, so ‖g⁺‖ is of the order of the displacement.
  for (const { initialShiftedGradNorm } of runs) expect(initialShiftedGradNorm).toBeLessThan(0.05);
  expect(certificate.attracting.answer).toBe("yes");

  const { found } = await findAround({
    problem: displaced(),
    center: { x: tensor([2 * Math.PI - shift, 0], [2], "float64") },
    statistics: { shift: tensor([shift], [], "float64") },
    rho: 4,
  });
  expect(found.length).toBeGreaterThan(0);
  for (const each of found) expect(each.certificate.verdict.name).toMatch(/^hallucinated/);
});

test("a model of PyTorch's is matched by its names, and what is missing is said", () => {
  expect(leavesWithPaths(trained.statistics).map(([path]) => path)).toEqual([
    "layers/1/mean",
    "layers/1/variance",
  ]);
  const { "1.running_var": _, ...without } = stateDict;
  const problem = batchNormalized("float64");
  expect(() => matchModel(problem, without, "net.npz")).toThrow(
    /^missing statistics\/layers\/1\/variance in net\.npz: it has 0\/weight/,
  );
  expect(() =>
    matchModel(graph("float64"), {
      ...stateDict,
      weight: tensor([0.5, -0.3, 0.2, 0.8], [2, 2], "float64"),
    }),
  ).toThrow(/^unknown layers\/0\/weight in point/);
});

test("a network with dropout has a certificate: evaluation draws no masks", async () => {
  const problem = dropped("float64");
  const training = await compileTraining({
    problem,
    method: sam({ rho: 0.05, outer: sgd({ learningRate: 0.05 }) }),
  });
  const losses: number[] = [];
  const held = { method: sam({ rho: 0.05, outer: sgd({ learningRate: 0 }) }), steps: 6 };
  await training.run({ ...held, onRecords: ({ loss }) => void losses.push(...loss) });
  expect(new Set(losses).size, "training draws masks").toBe(6);
  await training.dispose();

  const params = problem.init(0);
  const certificate = await certify({ problem, point: params, rho: 0.05, steps: 5 });
  const { x, y } = problem.train.batch as { x: Tensor; y: Tensor };
  const [weight] = leavesWithPaths(params).map(([, { data }]) => data);
  // The mean of (x·w − y)² in plain numbers.
  const expected =
    Array.from(y.data).reduce((sum, target, n) => {
      const output = Array.from(x.data.subarray(4 * n, 4 * n + 4)).reduce(
        (dot, value, i) => dot + value * (weight?.[i] ?? NaN),
        0,
      );
      return sum + (output - target) ** 2;
    }, 0) / y.data.length;
  expect(certificate.loss).toBeCloseTo(expected, 13);
  expect(certificate.mode).toBeUndefined();
});

test.each(["native", "jax"] as const)(
  "both gradients of a step see the same augmented batch, %s",
  async (engine) => {
    const problem = augmented("float64");
    const [rho, learningRate, steps] = [0.5, 0.001, 12];
    const training = await compileTraining({
      problem,
      method: sam({ rho, outer: sgd({ learningRate }) }),
      engine,
    });
    const seen: Records[] = [];
    const state = await training.run({ steps, onRecords: (records) => void seen.push(records) });
    await training.dispose();
    const column = (name: "loss" | "gradNorm" | "shiftedGradNorm") =>
      seen.flatMap((records) => Array.from(records[name]));
    // By hand: ∇f = A·w and ∇f(x⁺) = A·(w + ρ) with one A per step, from the loss A·w²/2.
    let w = 3;
    const doubled = new Set<number>();
    for (const [t, loss] of column("loss").entries()) {
      const a = (2 * loss) / (w * w);
      doubled.add(Math.round(8 * a) - 255);
      expect(8 * a).toBeCloseTo(Math.round(8 * a), 9);
      expect(column("gradNorm")[t]).toBeCloseTo(a * w, 9);
      expect(column("shiftedGradNorm")[t]).toBeCloseTo(a * (w + rho), 9);
      w -= learningRate * a * (w + rho);
    }
    expect(flat(state.carry.params)[0]).toBeCloseTo(w, 9);
    expect(doubled.size, "every step draws anew").toBeGreaterThan(8);
    expect([...doubled].every((mask) => mask >= 0 && mask <= 255)).toBe(true);

    const evaluation = prepareEvaluation(problem, { engine });
    const { loss } = await evaluation.evaluate(modelOf(state), problem.train);
    await evaluation.dispose();
    const plain = powers.reduce((sum, a) => sum + a, 0) / powers.length;
    expect(loss, "evaluation sees samples as they are").toBeCloseTo((plain * w * w) / 2, 9);
    const certificate = await certify({ problem, point: state.carry.params, rho, steps: 5 });
    expect(certificate.loss).toBeCloseTo((plain * w * w) / 2, 9);
    expect(certificate.hessian.max).toBeCloseTo(plain, 9);
  },
);

/** Descent that reports the loss on samples it took itself: those of the batch. */
const taking = (): Method => {
  const outer = sgd({ learningRate: 0.001 });
  return method({
    name: "taking",
    knobs: {},
    outer,
    init: () => ({}),
    step(context) {
      const { objective, params } = context;
      const taken = objective.lossAndGradient(params, objective.take(objective.indices));
      const pass = objective.lossAndGradient(params);
      const evidence = { ...plainEvidence(pass, params), details: { taken: taken.loss } };
      return descend(outer, pass.gradient, context, {}, evidence);
    },
  });
};

test.each([["full"], [3]] as const)(
  "samples that a method takes are prepared as the batch is, batch %s",
  async (batchSize) => {
    const problem = augmented("float64");
    const training = await compileTraining({ problem, method: taking(), batchSize });
    const losses: number[] = [];
    const taken: number[] = [];
    await training.run({
      steps: 6,
      onRecords({ loss, details }) {
        losses.push(...loss);
        taken.push(...(details["taken"] ?? []));
      },
    });
    await training.dispose();
    expect(taken).toEqual(losses);
    expect(new Set(losses).size).toBe(6);
  },
);

test("constants reach every pass: a graph's edges", async () => {
  const problem = graph("float64");
  const { x, y } = problem.train.batch as { x: Tensor; y: Tensor };
  /** Mean loss and accuracy in plain loops. */
  const byHand = (weight: readonly number[]) => {
    const nodes = Array.from({ length: 6 }, (_, n) => [...x.data.subarray(2 * n, 2 * n + 2)]);
    const sums = nodes.map((own, n) =>
      edges.reduce(
        (sum, [from, to]) => (to === n ? sum.map((s, i) => s + (nodes[from]?.[i] ?? NaN)) : sum),
        own,
      ),
    );
    let [loss, right] = [0, 0];
    for (const [n, [a = NaN, b = NaN]] of sums.entries()) {
      const [w0 = NaN, w1 = NaN, w2 = NaN, w3 = NaN] = weight;
      const logits = [w0 * a + w1 * b, w2 * a + w3 * b];
      const label = y.data[n] ?? NaN;
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
      loss += Math.log(total) - (logits[label] ?? NaN);
      right += (logits[label] ?? NaN) > (logits[1 - label] ?? NaN) ? 1 : 0;
    }
    return { loss: loss / 6, score: right / 6 };
  };
  const training = await compileTraining({
    problem,
    method: sam({ rho: 0.1, outer: sgd({ learningRate: 0.5 }) }),
  });
  const losses: number[] = [];
  const state = await training.run({
    steps: 8,
    onRecords: ({ loss }) => void losses.push(...loss),
  });
  await training.dispose();
  const weight = flat(state.carry.params);
  expect(losses[0]).toBeCloseTo(byHand([0.5, -0.3, 0.2, 0.8]).loss, 13);
  const evaluation = prepareEvaluation(problem);
  const judged = await evaluation.evaluate(modelOf(state), problem.train);
  await evaluation.dispose();
  expect(judged.loss).toBeCloseTo(byHand(weight).loss, 13);
  expect(judged.score).toBe(byHand(weight).score);
  expect(judged.loss).toBeLessThan(losses[0] ?? NaN);
  const certificate = await certify({ problem, point: state.carry.params, rho: 0.1, steps: 3 });
  expect(certificate.loss).toBeCloseTo(judged.loss, 13);
});

/** A method with a memory whose shape depends on the batch: SAMPa, with a falling ρ. */
const remembering = () =>
  sampa({ rho: linear({ initial: 0.2 }), outer: sgd({ learningRate: 0.1 }) });

test("evidence at a state is the record of the next step, which is not taken", async () => {
  const problem = batchNormalized("float64");
  const training = await compileTraining({ problem, method: remembering() });
  const steps = 4;
  const from = await training.run({ steps, until: 3 });
  const before = structuredClone(from);
  const evidence = await training.evidence(from, { steps });
  expect(from).toEqual(before);
  const next: Records[] = [];
  await training.run({
    steps: steps + 1,
    until: 4,
    from,
    onRecords: (seen) => void next.push(seen),
  });
  expect(evidence).toEqual(next[0]);
  expect([evidence.first, evidence.count]).toEqual([3, 1]);
  await training.dispose();
});

test("evidence of mini-batch training is asked of a training on all samples", async () => {
  const problem = batchNormalized("float64");
  const inBatches = await compileTraining({ problem, method: remembering(), batchSize: 5 });
  const full = await compileTraining({ problem, method: remembering() });
  const state = await inBatches.run({ steps: 4 });
  const { loss, gradNorm, first } = await full.evidence(state, { steps: 4 });
  expect(first).toBe(4);
  // Its memory of mini-batches is of no use there: it sees the state as a first step would.
  const { params, statistics } = modelOf(state);
  const f = await compileDerivatives(problem, { statistics, mode: "train" });
  const there = await f.lossAndGradient(flatten(params));
  await f.dispose();
  expect(loss[0]).toBeCloseTo(there.loss, 13);
  expect(gradNorm[0]).toBeCloseTo(Math.hypot(...there.gradient), 13);
  await inBatches.dispose();
  await full.dispose();
});

test.each(["float64", "float32"] as const)(
  "bytes are numbers of the problem's dtype to every pass, to the bit, in %s",
  async (dtype) => {
    const floats = pixels(dtype, dtype);
    const bytes = pixels(dtype, "uint8");
    for (const engine of ["native", "jax"] as const) {
      const seen: unknown[] = [];
      for (const problem of [floats, bytes]) {
        const training = await compileTraining({
          problem,
          method: sam({ rho: 0.1, outer: sgd({ learningRate: 0.1 }) }),
          batchSize: 4,
          engine,
        });
        const records: Records[] = [];
        const state = await training.run({ steps: 5, onRecords: (r) => void records.push(r) });
        await training.dispose();
        const evaluation = prepareEvaluation(problem, { engine, blockSize: 4 });
        const judged = await evaluation.evaluate(modelOf(state), problem.train);
        await evaluation.dispose();
        let derivatives: unknown;
        if (dtype === "float64") {
          const f = await compileDerivatives(problem, { engine });
          derivatives = await f.lossAndGradient(flatten(state.carry.params));
          await f.dispose();
        }
        seen.push({
          params: flat(state.carry.params),
          losses: records.flatMap(({ loss }) => [...loss]),
          judged,
          derivatives,
        });
      }
      expect(seen[1]).toEqual(seen[0]);
    }
  },
);
