/**
 * A residual network on CIFAR-100 as people train it, epoch by epoch: SAM and plain descent, to be laid
 * beside PyTorch's (resnet.py) with the same settings and the same initial parameters per seed.
 *
 * `LUCID_DATA=DIR node studies/cifar/resnet.ts OUT.jsonl METHOD SEED` adds a row per epoch.
 */
import { appendFileSync } from "node:fs";
import { buildMethod, buildProblem } from "../../src/run/build.ts";
import { nodeSources } from "../../src/run/node-sources.ts";
import { parseSpec } from "../../src/run/spec.ts";
import { prepareTraining } from "../../src/run/training.ts";
import { mapTree, wrap } from "../../src/engine/tensor.ts";
import { settings } from "./settings.ts";

const [, , out = "cifar.jsonl", method = "sam", seed = "0"] = process.argv;
const { test: judged, rho, ...run } = settings;
const spec = parseSpec({
  ...run,
  problem: "resnet",
  data: "cifar100",
  method,
  seed,
  ...(method === "sam" && { rho }),
});
const problem = await buildProblem(spec, nodeSources());
const test = problem.test && {
  size: judged,
  batch: mapTree(problem.test.batch, ({ data, shape, dtype }) => {
    const each = data.length / (shape[0] ?? 1);
    return wrap(data.slice(0, judged * each), [judged, ...shape.slice(1)], dtype);
  }),
};
const training = await prepareTraining({
  problem,
  method: buildMethod(spec),
  batchSize: settings.batch,
});
const perEpoch = Math.floor(settings.n / settings.batch);
const losses: number[] = [];
const before = process.cpuUsage();
let state = training.start(spec.seed);
for (let epoch = 1; epoch <= settings.epochs; epoch++) {
  const began = losses.length;
  state = await training.run({
    steps: spec.steps,
    seed: spec.seed,
    until: epoch * perEpoch,
    from: state,
    onRecords: ({ loss }) => void losses.push(...Array.from(loss, Number)),
  });
  const seen = losses.slice(began);
  const { loss, score } = await training.evaluate(state, test);
  const row = {
    framework: "lucid-sam",
    method,
    seed: spec.seed,
    epoch,
    trainLoss: seen.reduce((a, b) => a + b, 0) / seen.length,
    testLoss: loss,
    testAccuracy: score,
  };
  appendFileSync(out, `${JSON.stringify(row)}\n`);
}
const { user, system } = process.cpuUsage(before);
console.error(`${method} ${seed}: ${((user + system) / 1e6).toFixed(0)} s of processor time`);
await training.dispose();
