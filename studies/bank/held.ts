/**
 * Counterfactuals at false alarms: the transformers of studies/real-networks.ts at ρ = 1, at the step at
 * which the screen warns. From there SAM takes 64 steps, and descent, in copies, 8 and 64.
 *
 *     node studies/bank/held.ts
 */
import { writeFileSync } from "node:fs";
import { prepareCounterfactual } from "../../src/diagnostics/screen/counterfactual.ts";
import { buildProblem } from "../../src/run/build.ts";
import { nodeSources } from "../../src/run/node-sources.ts";
import { parseSpec } from "../../src/run/spec.ts";
import { prepareTraining } from "../../src/run/training.ts";
import { sam } from "../../src/sam/methods/sam.ts";
import { adamW } from "../../src/sam/parts/outer.ts";

const [steps, warned, later] = [1000, 152, 64];
const spec = { problem: "gpt", data: "modular", p: 13, fraction: 0.6, dim: 32, blocks: 1 };
const problem = await buildProblem(parseSpec({ ...spec, batch: "full" }), nodeSources());
const outer = adamW({ learningRate: 0.003, weightDecay: 0.5 });
const training = await prepareTraining({ problem, method: sam({ rho: 1, outer }) });
const few = await prepareCounterfactual({ problem, outer, steps: 8 });
const many = await prepareCounterfactual({ problem, outer, steps: later });

const lines: string[] = [];
for (const seed of [0, 1, 2]) {
  const run = await training.run({ steps, until: warned, seed });
  const from = run.checkpoint.state;
  const after = await training.run({ steps, until: warned + later, seed, from });
  const { loss, descentLoss } = await few.look(from, { seed, length: steps });
  const { descentLoss: manyLoss } = await many.look(from, { seed, length: steps });
  const { loss: samLoss } = await few.look(after.checkpoint.state, { seed, length: steps });
  lines.push(JSON.stringify({ seed, step: warned, later, loss, samLoss, descentLoss, manyLoss }));
}
writeFileSync(new URL("held.jsonl", import.meta.url), `${lines.join("\n")}\n`);
await Promise.all([training, few, many].map((one) => one.dispose()));
