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
import { prepareTraining } from "../../src/run/training.ts";
import { nodeSources } from "../../src/run/node-sources.ts";
import { prepareCounterfactual } from "../../src/diagnostics/screen/counterfactual.ts";
import { findDataset } from "../../src/problems/datasets/registry.ts";
import { imageSplits } from "../../src/problems/datasets/images.ts";
import { mlp } from "../../src/problems/networks/mlp.ts";
import type { Problem } from "../../src/problems/problem.ts";
import { sam } from "../../src/sam/methods/sam.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
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
    problem: async () => {
      const images = await imagesOf("mnist", 500);
      return mlp({ ...images, hidden: [64] });
    },
    outer: sgd({ learningRate: 0.01, momentum: 0.9 }),
    batchSize: 50,
    steps: 3000,
    every: 10,
    rhos: [0.05, 0.5, 2],
    seeds: 5,
  },
};

const [name = "", folder] = process.argv.slice(2);
const family = families[name];
if (family === undefined || folder === undefined) {
  throw new Error(`missing family or folder: give one of ${Object.keys(families).join(", ")}`);
}
const { outer, batchSize, steps, every, rhos, seeds } = family;
const problem = await family.problem();
const length = 1.5 * steps;
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
      const seen = await all.evidence(from, { steps: length, seed, method });
      if (from.step % (steps / 2) === 0) fullLoss.push(seen.loss[0] as number);
      const isKept = rho > 0 && from.step < steps;
      const isAsked = isKept && from.step % (8 * every) === 0;
      const { descentLoss } = isAsked
        ? await counterfactual.look(from, { seed, length })
        : { descentLoss: null };
      const run = await training.run({
        steps: length,
        until: from.step + every,
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
    console.error(name, rho, seed, fullLoss.map((loss) => loss.toPrecision(3)).join(" "));
  }
}
for (const [kind, some] of lines) {
  writeFileSync(`${folder}/our-${name}-${kind}.jsonl.gz`, gzipSync(some.join("")));
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

async function imagesOf(data: string, n: number) {
  const dataset = await nodeSources().dataset(data, {
    n,
    options: findDataset(data).options.parse({}),
  });
  return imageSplits(dataset, {
    train: n,
    pool: data === "mnist" ? 2 : 1,
    normalization: "standard",
    dtype: "float32",
  });
}
