/** What must hold for models of every problem: from training to judgment, storage and certificate. */
import { describe, expect, test } from "vitest";
import { compileDerivatives, flatten } from "../../src/diagnostics/point/derivatives.ts";
import { readSafetensors, writeSafetensors } from "../../src/engine/safetensors.ts";
import { castFloat, leavesWithPaths, mapTree, tensor } from "../../src/engine/tensor.ts";
import type { Tensor, Tree } from "../../src/engine/tensor.ts";
import { matchModel } from "../../src/problems/import/match-model.ts";
import { blockModel } from "../../src/problems/datasets/graphs.ts";
import { cnn } from "../../src/problems/networks/cnn.ts";
import { gcn } from "../../src/problems/networks/gcn.ts";
import { gpt } from "../../src/problems/networks/gpt.ts";
import { mlp } from "../../src/problems/networks/mlp.ts";
import { planes } from "../../src/problems/planes/index.ts";
import type { FloatType, Model, Problem } from "../../src/problems/problem.ts";
import { decodeCheckpoint, encodeCheckpoint, encodeModel } from "../../src/run/checkpoint.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { sam } from "../../src/sam/methods/sam.ts";
import { prepareEvaluation } from "../../src/sam/training/evaluation.ts";
import { modelOf, type TrainingState } from "../../src/sam/training/state.ts";
import { compileTraining } from "../../src/sam/training/training.ts";
import { flat } from "../sam/run.ts";
import { augmented, autoencoder, batchNormalized, dropped, graph, wave } from "./networks.ts";

const engines = ["native", "jax"] as const;
const dtypes = ["float64", "float32"] as const;

const problems: { readonly [name: string]: (dtype: FloatType) => Problem } = {
  plane: (dtype) => planes.himmelblau.create({ dtype }),
  mlp: (dtype) =>
    mlp({
      dtype,
      hidden: [3],
      train: {
        size: 7,
        batch: {
          x: tensor(wave(14, 1, 1.7, 0.3), [7, 2], dtype),
          y: tensor([0, 1, 2, 0, 1, 2, 0], [7], "int32"),
        },
      },
    }),
  batchNormalized,
  dropped,
  augmented,
  graph,
  autoencoder,
  cnn: (dtype) =>
    cnn({
      dtype,
      channels: [3, 4],
      norm: "batch",
      activation: "tanh",
      train: {
        size: 7,
        batch: {
          x: tensor(wave(7 * 16, 1, 1.7, 0.3), [7, 1, 4, 4], dtype),
          y: tensor([0, 1, 2, 0, 1, 2, 0], [7], "int32"),
        },
      },
    }),
  gpt: (dtype) =>
    gpt({
      dtype,
      dim: 4,
      heads: 2,
      blocks: 1,
      vocabulary: 4,
      train: {
        size: 7,
        batch: {
          x: tensor(
            Array.from({ length: 21 }, (_, i) => (i * i) % 4),
            [7, 3],
            "int32",
          ),
          y: tensor(
            Array.from({ length: 14 }, (_, i) => (3 * i + 1) % 4),
            [7, 2],
            "int32",
          ),
        },
      },
    }),
  gcn: (dtype) => gcn({ ...blockModel({ nodes: 9, inside: 0.6 }), hidden: [3], dtype }),
};
const names = Object.keys(problems);
const create = (name: string, dtype: FloatType) =>
  (problems[name] as (dtype: FloatType) => Problem)(dtype);

type Law = "mini-batches" | "blocks" | "score" | "statistics";

/** Laws that do not apply, with the reason. */
const skips: readonly { readonly law: Law; readonly problem: string; readonly why: string }[] = [
  { law: "mini-batches", problem: "plane", why: "has one sample" },
  { law: "mini-batches", problem: "graph", why: "its edges mean all nodes" },
  { law: "mini-batches", problem: "gcn", why: "its edges mean all nodes" },
  { law: "blocks", problem: "plane", why: "has one sample" },
  { law: "blocks", problem: "graph", why: "its edges mean all nodes" },
  { law: "blocks", problem: "gcn", why: "its edges mean all nodes" },
  ...names
    .filter((name) => !["mlp", "batchNormalized", "graph", "cnn", "gpt", "gcn"].includes(name))
    .map((problem) => ({ law: "score", problem, why: "no output is right or wrong" }) as const),
  ...names
    .filter((name) => !["batchNormalized", "cnn"].includes(name))
    .map((problem) => ({ law: "statistics", problem, why: "keeps none" }) as const),
];
const applies = (law: Law, problem: string) =>
  !skips.some((skip) => skip.law === law && skip.problem === problem);

test("skips name problems, and every law is left some", () => {
  for (const { problem } of skips) expect(names).toContain(problem);
  for (const { law } of skips) expect(names.filter((name) => applies(law, name))).not.toEqual([]);
});

const inFloat64 = (tree: Tree<Tensor>) => mapTree(tree, (leaf) => castFloat(leaf, "float64"));
const exact = ({ params, statistics }: Model): Model => ({
  params: inFloat64(params),
  statistics: inFloat64(statistics),
});

async function train(problem: Problem, name: string, engine: (typeof engines)[number]) {
  const method = sam({ rho: 0.05, outer: sgd({ learningRate: 0.01, momentum: 0.9 }) });
  const batchSize = applies("mini-batches", name) ? 3 : "full";
  const training = await compileTraining({ problem, method, batchSize, engine });
  const losses: number[] = [];
  const state = await training.run({
    steps: 5,
    seed: 1,
    onRecords: ({ loss }) => void losses.push(...loss),
  });
  const start = training.start(1);
  await training.dispose();
  return { start, state, losses };
}

describe.each(dtypes)("%s", (dtype) => {
  test.each(names)("%s", async (name) => {
    const problem = create(name, dtype);
    const tolerance = dtype === "float64" ? 1e-11 : 2e-4;
    const ends: { state: TrainingState; loss: number; score: number | undefined }[] = [];
    for (const engine of engines) {
      const { start, state, losses } = await train(problem, name, engine);
      expect(losses.length).toBe(5);
      expect(losses.every(Number.isFinite), "trains to its end").toBe(true);
      const model = modelOf(state);
      expect(flat(model.params)).not.toEqual(flat(start.carry.params));
      expect(flat(model.statistics).length > 0).toBe(applies("statistics", name));
      if (applies("statistics", name)) {
        expect(flat(model.statistics)).not.toEqual(flat(start.carry.statistics));
      }

      const evaluation = prepareEvaluation(problem, { engine });
      const judged = await evaluation.evaluate(model, problem.train);
      expect(await evaluation.evaluate(model, problem.train), "draws nothing").toEqual(judged);
      await evaluation.dispose();
      expect(judged.score !== undefined).toBe(applies("score", name));
      if (applies("blocks", name)) {
        const inBlocks = prepareEvaluation(problem, { engine, blockSize: 3 });
        const { loss, score } = await inBlocks.evaluate(model, problem.train);
        await inBlocks.dispose();
        expect(problem.train.size % 3, "the last block is shorter").not.toBe(0);
        expect(Math.abs(loss - judged.loss)).toBeLessThan(tolerance * Math.abs(judged.loss));
        expect(score).toBe(judged.score);
      }
      ends.push({ state, loss: judged.loss, score: judged.score });

      const exactProblem = create(name, "float64");
      const { statistics, params } = exact(model);
      const f = await compileDerivatives(exactProblem, { engine, statistics });
      const { loss } = await f.lossAndGradient(flatten(params));
      await f.dispose();
      expect(Math.abs(loss - judged.loss), "certificates see what evaluation sees").toBeLessThan(
        tolerance * Math.max(1, Math.abs(loss)),
      );

      const stored = encodeModel(model);
      const found = matchModel(exactProblem, readSafetensors(stored).tensors);
      expect(found, "end points hold the model").toEqual(exact(model));
      if (!applies("statistics", name)) expect(stored).toEqual(writeSafetensors(model.params));
      const checkpoint = { state, screen: {} as never, evaluations: 1, seconds: 1 };
      const { restore } = decodeCheckpoint(encodeCheckpoint(checkpoint, 0), "checkpoint");
      expect(restore(start).state, "checkpoints hold the state").toEqual(state);
    }
    const [native, jax] = ends as [(typeof ends)[number], (typeof ends)[number]];
    expect(native.score).toBe(jax.score);
    const [left, right] = [native, jax].map(({ state }) => flat({ ...modelOf(state) })) as [
      number[],
      number[],
    ];
    expect(left.length).toBe(leavesLength(native.state));
    const worst = Math.max(...left.map((value, i) => Math.abs(value - (right[i] ?? NaN))));
    expect(worst, "engines agree").toBeLessThan(tolerance);
  });
});

const leavesLength = (state: TrainingState) =>
  leavesWithPaths({ ...modelOf(state) }).reduce((sum, [, { data }]) => sum + data.length, 0);
