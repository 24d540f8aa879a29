/**
 * What a step of every method costs on the native engine, in gradient evaluations and in time
 * relative to SAM's: writes docs/costs.md. `node scripts/method-costs.ts`, best on a quiet machine.
 */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { format } from "prettier";
import { digits } from "../src/problems/digits.ts";
import { imageSplits } from "../src/problems/images.ts";
import { mlp } from "../src/problems/mlp.ts";
import { sgd } from "../src/sam/outer.ts";
import { createMethod, methods, type Settings } from "../src/sam/registry.ts";
import { prepareTraining, type Training } from "../src/sam/train.ts";

const path = resolve(import.meta.dirname, "../docs/costs.md");
const steps = 40;
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
relative to SAM's; expected is half the evaluations.

| method | gradient evaluations | expected time | measured time | difference |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

Where measured and expected time differ by more than a tenth:

- Bayesian SAM and Entropy-SGD draw a normal number per parameter (and inner step); on this small
  network the generator, a hundred integer operations per number, costs more than a gradient.
- SAF and MESA compare outputs with earlier ones; SAF also looks up and writes a table over all
  samples.
- Efficient SAM sorts losses and gathers samples; sparse SAM sorts all scores when it refreshes.
- m-SAM's smaller pieces use the matrix kernels less well.
- Gradient descent and LookSAM: what a step costs besides gradients, the loop, the update and the
  records, is shared by fewer evaluations.
- Guards form the plain step beside the method's.
`;
writeFileSync(path, await format(text, { parser: "markdown", printWidth: 100 }));
