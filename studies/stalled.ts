/** The runs that stall: 196–64–10 tanh network on 500 images of MNIST, full batch, η = 0.01. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { imageSplits, mlp, prepareTraining, sam, sgd, type EngineOptions } from "lucid-sam";
import { flatten, unflatten } from "lucid-sam/diagnostics";
import type { FloatType } from "lucid-sam/problems";
import { loadDataset } from "../src/platform/node/data.ts";
import { mnistEntry } from "../src/problems/datasets/mnist.ts";

export const learningRate = 0.01;
export const engine = { engine: "native", threads: 1 } as const satisfies EngineOptions;

const data = await loadDataset(mnistEntry, { n: 500, options: {} });
const problemIn = (dtype: FloatType) =>
  mlp({ ...imageSplits(data, { train: 500, test: 1, pool: 2, dtype }), hidden: [64], dtype });

/** In float64, for what examines the ends. */
export const problem = problemIn("float64");

/** Ends that were reached before; the folder may be deleted. */
const folder = resolve(import.meta.dirname, "../sweeps/stalled");

/** Where 20,000 steps of SAM in float32 end. */
export async function endOfRun(rho: number, seed: number) {
  const file = join(folder, `${rho}-${seed}.f64`);
  if (existsSync(file)) {
    return unflatten(problem.init(0), new Float64Array(new Uint8Array(readFileSync(file)).buffer));
  }
  const method = sam({ rho, outer: sgd({ learningRate }) });
  const training = await prepareTraining({ problem: problemIn("float32"), method, ...engine });
  const { carry } = await training.run({ steps: 20_000, seed });
  await training.dispose();
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, new Uint8Array(flatten(carry.params).buffer));
  return unflatten(problem.init(0), flatten(carry.params));
}
