/**
 * The costs of methods: what a step of each takes on the native engine, in gradient evaluations and in
 * time relative to SAM's: writes docs/costs.md. `node scripts/method-costs.ts`, best on a quiet
 * machine.
 */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { format } from "prettier";
import { digits } from "../src/problems/datasets/digits.ts";
import { imageSplits } from "../src/problems/datasets/images.ts";
import { mlp } from "../src/problems/networks/mlp.ts";
import { sgd } from "../src/sam/parts/outer.ts";
import { createMethod, methods, type Settings } from "../src/sam/registry.ts";
import { prepareTraining, type Training } from "../src/run/training.ts";

const path = resolve(import.meta.dirname, "../docs/costs.md");
/** Whole periods of everything that happens only in some steps. */
const steps = 100;
const rounds = 12;

/** Settings that leave out what happens only in some phases of a run. */
const steady: { readonly [method: string]: Settings } = {
  "sam-on": { roles: "weight" },
  looksam: { every: 5 },
  switching: { at: 0 },
  "late-phase-sam": { at: 0 },
  "entropy-sgd": { steps: 5 },
  esam: { gamma: 0.5 },
};

const problem = mlp({ ...imageSplits(digits({ train: 500, test: 10, size: 14 })), hidden: [64] });
const outer = sgd({ learningRate: 0.01 });

interface Timed {
  readonly training: Training;
  /** Milliseconds of processor time per step, of the fastest round. */
  best: number;
  evaluations: number;
}

async function open(name: string): Promise<Timed> {
  const method = createMethod(name, steady[name] ?? {}, outer);
  const training = await prepareTraining({ problem, method, engine: "native" });
  return { training, best: Infinity, evaluations: 0 };
}

async function round(timed: Timed): Promise<void> {
  let evaluations = 0;
  const before = process.cpuUsage();
  await timed.training.run({
    steps,
    onRecords: (records) => {
      for (const spent of records.evaluations) evaluations += spent;
    },
  });
  const { user, system } = process.cpuUsage(before);
  timed.best = Math.min(timed.best, (user + system) / 1000 / steps);
  timed.evaluations = evaluations / steps;
}

const reference = await open("sam");
let milliseconds = Infinity;
const rows: string[] = [];
for (const { name, title } of methods) {
  const timed = await open(name);
  reference.best = Infinity;
  // Taking turns: whatever else the machine does, it does to both.
  for (let i = 0; i < rounds; i++) {
    await round(reference);
    await round(timed);
  }
  await timed.training.dispose();
  milliseconds = Math.min(milliseconds, reference.best);
  const relative = timed.best / reference.best;
  const expected = timed.evaluations / 2;
  const settings = Object.entries(steady[name] ?? {}).map(
    ([key, value]) => `${key}=${String(value)}`,
  );
  const cells = [
    `${title}${settings.length > 0 ? ` (${settings.join(", ")})` : ""}`,
    timed.evaluations.toFixed(2),
    expected.toFixed(2),
    relative.toFixed(2),
    `${relative > expected ? "+" : ""}${(100 * (relative / expected - 1)).toFixed(0)} %`,
  ];
  console.log(cells.join("  "));
  rows.push(`| ${cells.join(" | ")} |`);
}
await reference.training.dispose();

const text = `# What a step costs

*Written by \`node scripts/method-costs.ts\`.*

196–64–10 tanh network, batch of 500, float32, native engine, one thread. Evaluations are counted by
the objective: a forward and backward pass is one, a forward pass a third, a Hessian-vector product
two. Time is processor time, the least of ${rounds} rounds of ${steps} steps in turns with SAM's,
relative to SAM's, which takes ${(1000 * milliseconds).toFixed(0)} µs; expected is half the evaluations.

| method | gradient evaluations | expected time | measured time | difference |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

Where measured and expected time differ by more than a tenth, in µs per step on a machine where
SAM takes 750, a gradient 320 and a forward pass 155:

- Entropy-SGD and Bayesian SAM draw a normal number per parameter (and inner step), 13 258 of them.
  Entropy-SGD without noise takes what its gradients take; with it 1290 more, of which 970 make the
  random words, 180 logarithms, sines and cosines, 140 add the noise. Bayesian SAM: 230 for the
  words, 40 for the functions, 70 for scaling by the precision, and 70 for its averages. A block of
  Threefry, two words and hence two numbers, is a hundred integer operations: 35 ns here. The
  gradient itself costs 24 ns per parameter.
- SAF spends 60 on the divergence of outputs and its gradient, 30 on its table of all samples; MESA
  60 on the divergence, 20 on its average of parameters, and 45 as below.
- A forward pass is counted as a third of a gradient, but costs half of one here, where the first
  layer needs no gradient of its inputs: 50 more for Efficient SAM, 45 for MESA.
- A gradient on half the batch takes 185, not 160: its 50 operators cost half a microsecond or more
  each at any size. That makes 100 in m-SAM, with four, and 25 in Efficient SAM, which also spends 30
  on sorting losses and 10 on gathering samples.
- LookSAM: 35 for the remembered direction, its norm, its sum with the gradient, its copies; 20 for
  the rest of a step, the loop, the update and the records, which fewer evaluations share.
- SAM with the exact gradient: its Hessian-vector product shares the pass at x with the gradient there
  and costs 1.6 gradients, not two.
`;
writeFileSync(path, await format(text, { parser: "markdown", printWidth: 100 }));
