/**
 * Draws the loss along the ascent from a stalled network, for docs/what-we-found.md. Needs MNIST.
 * Run: `node scripts/slope-picture.ts`
 */
import { resolve } from "node:path";
import { compileDerivatives, flatten } from "../src/diagnostics/derivatives.ts";
import { ascentProfile } from "../src/diagnostics/profile.ts";
import { renderSvg } from "../src/figures/render.ts";
import { slopeFigure } from "../src/figures/slope.ts";
import { loadMnist } from "../src/platform/node/data.ts";
import { makeFolder, writeText } from "../src/platform/node/files.ts";
import { imageSplits } from "../src/problems/images.ts";
import { mlp } from "../src/problems/mlp.ts";
import { sgd } from "../src/sam/outer.ts";
import { sam } from "../src/sam/sam.ts";
import { prepareTraining } from "../src/sam/train.ts";

const rho = 4;
const folder = resolve(import.meta.dirname, "../docs/images");
const data = await loadMnist();
const problemIn = (dtype: "float32" | "float64") =>
  mlp({ ...imageSplits(data, { train: 500, test: 1, pool: 2, dtype }), hidden: [64], dtype });

const training = await prepareTraining({
  problem: problemIn("float32"),
  method: sam({ rho, outer: sgd({ learningRate: 0.01 }) }),
  engine: "native",
});
const { carry } = await training.run({ steps: 20_000, seed: 0 });
await training.dispose();
const f = await compileDerivatives(problemIn("float64"), { engine: "native" });
const profile = await ascentProfile(f, flatten(carry.params), rho);
await f.dispose();
if (profile === undefined) throw new Error("the gradient vanishes");
await makeFolder(folder);
// The verdict is that of studies/results/certificates/rho-4-seed-0.json.
await writeText(
  resolve(folder, "stalled-slope.svg"),
  renderSvg(slopeFigure(profile, "hallucinated-saddle")),
);
