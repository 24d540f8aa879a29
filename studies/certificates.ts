/**
 * What the stalled runs of figure 5 are: the ends of SAM with ρ = 2 and 4 from five seeds, certified,
 * and what refining reaches from there.
 *
 *     node studies/certificates.ts FOLDER    # trains and certifies what FOLDER lacks, prints the table
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { certify } from "../src/diagnostics/certify.ts";
import { compileDerivatives, flatten } from "../src/diagnostics/derivatives.ts";
import { refine, type RefineStep } from "../src/diagnostics/refine.ts";
import type { Certificate } from "../src/diagnostics/certificate.ts";
import { loadMnist } from "../src/platform/node/data.ts";
import { makeFolder, readJson, writeJson } from "../src/platform/node/files.ts";
import { imageSplits } from "../src/problems/images.ts";
import { mlp } from "../src/problems/mlp.ts";
import { sgd } from "../src/sam/outer.ts";
import { sam } from "../src/sam/sam.ts";
import { prepareTraining } from "../src/sam/train.ts";

interface Row {
  readonly rho: number;
  readonly seed: number;
  readonly certificate: Certificate;
  readonly refinement: {
    readonly converged: boolean;
    readonly sentence: string;
    readonly steps: readonly RefineStep[];
  };
}

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("missing folder (give one for the certificates)");
await makeFolder(folder);

const learningRate = 0.01;
const data = await loadMnist();
const problemIn = (dtype: "float32" | "float64") =>
  mlp({ ...imageSplits(data, { train: 500, test: 1, pool: 2, dtype }), hidden: [64], dtype });
const engine = { engine: "native", threads: 2 } as const;
const method = (rho: number) => sam({ rho, outer: sgd({ learningRate }) });
const problem = problemIn("float64");

async function study(rho: number, seed: number): Promise<Row> {
  const training = await prepareTraining({
    problem: problemIn("float32"),
    method: method(rho),
    ...engine,
  });
  const { carry } = await training.run({ steps: 20_000, seed });
  await training.dispose();
  const certificate = await certify({ problem, point: carry.params, rho, learningRate, engine });
  const f = await compileDerivatives(problem, engine);
  const { converged, sentence, steps } = await refine({
    f,
    x: flatten(carry.params),
    rho,
    tolerance: 1e-6,
  });
  await f.dispose();
  return { rho, seed, certificate, refinement: { converged, sentence, steps } };
}

const rows: Row[] = [];
for (const rho of [2, 4]) {
  for (const seed of [0, 1, 2, 3, 4]) {
    const file = join(folder, `rho-${rho}-seed-${seed}.json`);
    if (!existsSync(file)) await writeJson(file, await study(rho, seed));
    rows.push((await readJson(file)) as Row);
  }
}

const digits = (value: number | null | undefined, count = 2) =>
  value === null || value === undefined ? "–" : String(Number(value.toPrecision(count)));
const range = (min: number | null, max: number | null) => `${digits(min)} … ${digits(max, 3)}`;
const table = [
  [
    "ρ",
    "seed",
    "f(x)",
    "f(x⁺)",
    "‖g‖",
    "‖g⁺‖",
    "GradRatio",
    "H",
    "H⁺",
    "Re H⁺M",
    "max η",
    "verdict",
    "attracting",
  ],
  ...rows.map(({ rho, seed, certificate: c }) => [
    digits(rho),
    digits(seed),
    c.loss.toFixed(3),
    c.shiftedLoss.toFixed(3),
    digits(c.gradNorm),
    digits(c.shiftedGradNorm),
    digits(c.gradRatio),
    range(c.hessian.min, c.hessian.max),
    range(c.shiftedHessian.min, c.shiftedHessian.max),
    range(c.samJacobian.minReal, c.samJacobian.maxReal),
    digits(c.maxStableLearningRate, 3),
    c.verdict.name,
    c.attracting.answer,
  ]),
];
const refined = [
  ["ρ", "seed", "GradRatio", "refined", "‖g⁺‖", "refined", "moved", "products"],
  ...rows.map(({ rho, seed, refinement: { steps } }) => {
    const [first, last] = [steps[0], steps.at(-1)];
    return [
      digits(rho),
      digits(seed),
      digits(first?.gradRatio),
      digits(last?.gradRatio),
      digits(first?.shiftedGradNorm),
      digits(last?.shiftedGradNorm),
      digits(last?.moved),
      digits(last?.products, 3),
    ];
  }),
];
for (const lines of [table, refined]) {
  console.log(lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n"), "\n");
}
