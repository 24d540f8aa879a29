/**
 * A network of your own on a table of your own, from the file to the certificate. Trained with SAM
 * over AdamW on mini-batches, and for comparison with AdamW alone; stopped, saved and gone on with.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adamW,
  cosine,
  crossEntropy,
  defineProblem,
  dense,
  isRight,
  loadState,
  np,
  parseCsv,
  prepareTraining,
  sam,
  saveState,
  type Table,
} from "lucid-sam";
import { certify, describeCertificate } from "lucid-sam/diagnostics";
import { figureRun, lossFigure } from "lucid-sam/figures";
import { renderSvg, runPage } from "lucid-sam/report";

// Three arms of a spiral, by position.
const table = parseCsv(await readFile(new URL("spiral.csv", import.meta.url), "utf8"));
const [test, train] = table.split(0.25);
const samples = (part: Table) => ({ x: part.numbers("x", "y"), y: part.labels("arm") });

const problem = defineProblem({
  name: "spiral",
  train: samples(train),
  test: samples(test),
  init: (random) => ({ hidden: random.dense(2, 24), output: random.dense(24, 3) }),
  forward({ hidden, output }, { x, y }) {
    const logits = dense(np.tanh(dense(x, hidden)), output);
    return { losses: crossEntropy(logits.ref, y), outputs: logits };
  },
  score: (logits, { y }) => isRight(logits, y),
});

const [rho, steps] = [0.1, 3000];
const outer = adamW({ learningRate: cosine({ initial: 0.02 }) });
const training = await prepareTraining({ problem, method: sam({ rho, outer }), batchSize: 45 });
const folder = await mkdtemp(join(tmpdir(), "spiral-"));
const state = join(folder, "state.safetensors");

const half = await training.run({ steps, until: steps / 2 });
await writeFile(state, saveState(half));
const from = loadState(await readFile(state), training);
const run = await training.run({
  steps,
  from,
  evaluateEvery: 500,
  onScores: ({ step, test }) => console.log(`step ${step}: test accuracy ${test?.score}`),
  onWarning: ({ sentence }) => console.log(sentence),
});
console.log(run.verdict.sentence);

const alone = await prepareTraining({ problem, method: outer, batchSize: 45 });
const plain = await alone.run({ steps });
const certificate = await certify({ problem, point: run.model.params, rho });
console.log(describeCertificate(certificate));

const runs = [
  figureRun({ method: "sam", rho }, { ...run, history: [...half.history, ...run.history] }),
  figureRun({ method: "gd" }, plain),
];
await writeFile(join(folder, "loss.svg"), renderSvg(lossFigure(runs)));
await writeFile(join(folder, "report.html"), runPage({ title: "Spiral", runs, certificate }));
console.log(`written to ${folder}`);

const { score } = await training.evaluate(run.model);
assert.ok(score !== undefined && score > 0.9, "the arms are told apart on samples not seen");
assert.equal(run.step, steps);
await training.dispose();
await alone.dispose();
