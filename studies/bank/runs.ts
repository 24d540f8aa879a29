/**
 * Runs for the bank made by this library: SAM at several radii and seeds, each with its twin without
 * SAM, continued for half as many steps again. runs.py does the same in PyTorch.
 *
 *     node studies/bank/runs.ts FAMILY FOLDER
 *
 * MNIST is read from LUCID_DATA, or downloaded.
 */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { buildProblem } from "../../src/run/build.ts";
import { parseSpec } from "../../src/run/spec.ts";
import { prepareTraining } from "../../src/run/training.ts";
import { nodeSources } from "../../src/run/node-sources.ts";
import { flatten, norm } from "../../src/diagnostics/index.ts";
import { prepareCounterfactual } from "../../src/diagnostics/screen/counterfactual.ts";
import { mlp } from "../../src/problems/networks/mlp.ts";
import type { Problem } from "../../src/problems/problem.ts";
import { sam } from "../../src/sam/methods/sam.ts";
import { adamW, sgd } from "../../src/sam/parts/outer.ts";
import { tensor } from "../../src/engine/tensor.ts";
import type { Outer } from "../../src/sam/contract/method.ts";
import type { MetricRow } from "../../src/run/history.ts";

const columns = ["loss", "shiftedLoss", "gradNorm", "shiftedGradNorm", "cosine"] as const;

interface Family {
  readonly problem: () => Promise<Problem>;
  readonly outer: Outer;
  readonly batchSize: number | "full";
  readonly steps: number;
  /** A row of every so many steps. */
  readonly every: number;
  readonly rhos: readonly number[];
  readonly seeds: number;
}

/** Descent steps of the counterfactual, asked at every eighth row. */
const k = 8;

const families: { readonly [name: string]: Family } = {
  // The reference of docs/what-we-found.md, on mini-batches with momentum.
  mnist: {
    problem: () => problemOf({ problem: "mlp", data: "mnist", n: 500, pool: 2, hidden: [64] }),
    outer: sgd({ learningRate: 0.01, momentum: 0.9 }),
    batchSize: 50,
    steps: 3000,
    every: 10,
    rhos: [0.05, 0.5, 2],
    seeds: 5,
  },
  // Three arms in the plane, as in runs.py, with fewer points and a smaller network.
  spirals: {
    problem: async () => mlp({ train: spirals(3, 40), hidden: [16, 16] }),
    outer: sgd({ learningRate: 0.03, momentum: 0.9 }),
    batchSize: "full",
    steps: 3000,
    every: 15,
    rhos: [0.1, 0.5, 1, 1.5, 2.5, 4],
    seeds: 4,
  },
  // Radii at which some of these starts stall and some do not.
  "spirals-edge": {
    problem: async () => mlp({ train: spirals(3, 40), hidden: [16, 16] }),
    outer: sgd({ learningRate: 0.03, momentum: 0.9 }),
    batchSize: "full",
    steps: 3000,
    every: 15,
    rhos: [0.9, 0.8],
    seeds: 8,
  },
  digits: {
    problem: () =>
      problemOf({ problem: "mlp", data: "digits", n: 400, hidden: [32, 32], activation: "relu" }),
    outer: adamW({ learningRate: 0.001 }),
    batchSize: 40,
    steps: 1200,
    every: 6,
    rhos: [0.05, 0.2, 0.5, 1, 2, 4],
    seeds: 3,
  },
  convolutions: {
    problem: () =>
      problemOf({ problem: "cnn", data: "digits", n: 200, pool: 2, channels: [8, 16] }),
    outer: sgd({ learningRate: 0.05, momentum: 0.9 }),
    batchSize: 40,
    steps: 1200,
    every: 6,
    rhos: [0.05, 0.2, 0.5, 1, 2],
    seeds: 2,
  },
  modular: {
    problem: () => problemOf({ problem: "gpt", data: "modular", p: 13, dim: 24, blocks: 1 }),
    outer: adamW({ learningRate: 0.003 }),
    batchSize: 42,
    steps: 1200,
    every: 6,
    rhos: [1.2, 0.02, 0.3],
    seeds: 2,
  },
  communities: {
    problem: () =>
      problemOf({ problem: "gcn", data: "block-model", nodes: 60, communities: 3, labelled: 6 }),
    outer: sgd({ learningRate: 0.05, momentum: 0.9 }),
    batchSize: "full",
    steps: 1200,
    every: 6,
    rhos: [0.05, 0.2, 0.5, 1],
    seeds: 4,
  },
  // Written down after warnings began to wait while a fall gathers speed, and before any of them was run.
  patches: {
    problem: () =>
      problemOf({ problem: "vit", data: "digits", n: 200, pool: 2, patch: 7, dim: 24, blocks: 1 }),
    outer: adamW({ learningRate: 0.003 }),
    batchSize: 40,
    steps: 1000,
    every: 5,
    rhos: [0.05, 0.2, 0.5, 1, 2],
    seeds: 2,
  },
  blocks: {
    problem: () =>
      problemOf({ problem: "resnet", data: "digits", n: 200, pool: 2, depth: 8, width: 4 }),
    outer: sgd({ learningRate: 0.05, momentum: 0.9 }),
    batchSize: 40,
    steps: 600,
    every: 4,
    rhos: [0.05, 0.2, 0.5, 1, 2],
    seeds: 2,
  },
  gelu: {
    problem: () =>
      problemOf({
        problem: "mlp",
        data: "mnist",
        n: 300,
        pool: 4,
        hidden: [32],
        activation: "gelu",
      }),
    outer: sgd({ learningRate: 0.3 }),
    batchSize: "full",
    steps: 4000,
    every: 20,
    rhos: [0.1, 0.5, 1, 2, 4],
    seeds: 4,
  },
  "noisy digits": {
    problem: () =>
      problemOf({
        problem: "mlp",
        data: "digits",
        n: 400,
        hidden: [64],
        activation: "silu",
        labelNoise: 0.2,
      }),
    outer: sgd({ learningRate: 0.03, momentum: 0.9 }),
    batchSize: "full",
    steps: 2000,
    every: 10,
    rhos: [0.1, 0.5, 1, 2, 4],
    seeds: 3,
  },
  runge: {
    problem: () => problemOf({ problem: "regression", hidden: [10], target: "runge", n: 32 }),
    outer: sgd({ learningRate: 0.05, momentum: 0.9 }),
    batchSize: "full",
    steps: 4000,
    every: 20,
    rhos: [0.1, 0.3, 0.6, 1, 2],
    seeds: 4,
  },
};

const [name = "", folder] = process.argv.slice(2);
const family = families[name];
if (family === undefined || folder === undefined) {
  throw new Error(`missing family or folder: give one of ${Object.keys(families).join(", ")}`);
}
const { outer, batchSize, steps, every, rhos, seeds } = family;
const problem = await family.problem();
const half = steps / 2;
const length = 3 * half;
const training = await prepareTraining({ problem, method: sam({ rho: 1, outer }), batchSize });
const all = await prepareTraining({ problem, method: sam({ rho: 1, outer }) });
const counterfactual = await prepareCounterfactual({ problem, outer, steps: k });
/** Full batches are their own probes; of mini-batches both are kept, as two families. */
const kinds = batchSize === "full" ? ["own"] : ["own", "probe"];
const lines = new Map<string, string[]>(kinds.map((kind) => [kind, []]));

for (const rho of [0, ...rhos]) {
  for (let seed = 0; seed < seeds; seed++) {
    const method = sam({ rho, outer });
    const rows = new Map<string, (readonly (number | null)[])[]>(kinds.map((kind) => [kind, []]));
    const fullLoss: number[] = [];
    let from = training.start(seed);
    while (from.step < length) {
      const isKept = rho > 0 && from.step < steps;
      const isMark = from.step % half === 0;
      const isSeen = isMark || (isKept && batchSize !== "full");
      const seen = isSeen ? await all.evidence(from, { steps: length, seed, method }) : undefined;
      if (isMark) fullLoss.push(seen?.loss[0] ?? NaN);
      const isAsked = isKept && from.step % (8 * every) === 0;
      const { descentLoss } = isAsked
        ? await counterfactual.look(from, { seed, length })
        : { descentLoss: null };
      const run = await training.run({
        steps: length,
        until: isKept ? from.step + every : (Math.floor(from.step / half) + 1) * half,
        seed,
        from,
        method,
        recordEvery: every,
      });
      const [own] = run.history;
      if (isKept && own) {
        // What a copy does to the whole loss is no statement about a mini-batch's.
        rows.get("own")?.push([...numbers(own), batchSize === "full" ? descentLoss : null]);
        rows.get("probe")?.push([...numbers(own, seen), descentLoss]);
      }
      from = run.checkpoint.state;
    }
    const seen = await all.evidence(from, { steps: length, seed, method });
    fullLoss.push(seen.loss[0] as number);
    const [start, , end, later] = fullLoss;
    for (const kind of kinds) {
      const run = {
        family: batchSize === "full" || kind === "probe" ? `our ${name}` : `our ${name}, batches`,
        rho,
        seed,
        x0: norm(flatten(problem.init(seed))),
        steps,
        every,
        guess: problem.guessLoss,
        k: batchSize === "full" || kind === "probe" ? k : 0,
        probe: batchSize === "full" || kind === "probe",
        start,
        end,
        later,
        rows: rows.get(kind),
      };
      lines.get(kind)?.push(`${JSON.stringify(run)}\n`);
    }
    // What is there is kept if the rest is not waited for.
    for (const [kind, some] of lines) {
      writeFileSync(`${folder}/our-${name}-${kind}.jsonl.gz`, gzipSync(some.join("")));
    }
    console.error(name, rho, seed, fullLoss.map((loss) => loss.toPrecision(3)).join(" "));
  }
}
await counterfactual.dispose();
await all.dispose();
await training.dispose();

/** A row of the bank, with the numbers of full-batch evidence in place of the step's own. */
function numbers(
  row: MetricRow,
  seen?: { readonly [Name in (typeof columns)[number]]: ArrayLike<number> },
): (number | null)[] {
  return [row.step, ...columns.map((column) => (seen ? (seen[column][0] ?? null) : row[column]))];
}

function problemOf(fields: { readonly [field: string]: unknown }): Promise<Problem> {
  return buildProblem(parseSpec({ ...fields, batch: "full" }), nodeSources());
}

/** Points on arms that turn about the origin, and which arm each is on. */
function spirals(arms: number, points: number) {
  const each = Array.from({ length: arms * points }, (_, i) => {
    const arm = Math.floor(i / points);
    const along = 0.1 + (0.9 * (i % points)) / (points - 1);
    const angle = 3.5 * along + (2 * Math.PI * arm) / arms;
    return { arm, at: [2 * along * Math.cos(angle), 2 * along * Math.sin(angle)] };
  });
  const size = each.length;
  return {
    size,
    batch: {
      x: tensor(Float32Array.from(each.flatMap(({ at }) => at)), [size, 2], "float32"),
      y: tensor(Int32Array.from(each.map(({ arm }) => arm)), [size], "int32"),
    },
  };
}
