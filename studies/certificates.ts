/**
 * Certificates of the stalled runs of figure 5: the ends of SAM with ρ = 2 and 4 from five seeds,
 * certified; what refining reaches from there; and which critical point of the loss lies near the
 * ascent point.
 *
 *     node --conditions=source studies/certificates.ts FILE.jsonl.gz
 *
 * trains and certifies what FILE lacks, a line per end, and prints the tables.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { Matrix } from "ml-matrix";
import type { Tensor } from "lucid-sam";
import {
  certify,
  compileDerivatives,
  flatten,
  refine,
  samPoint,
  unflatten,
  type Certificate,
  type Refinement,
  type RefineStep,
  type Vector,
} from "lucid-sam/diagnostics";
import { endOfRun, engine, learningRate, problem } from "./stalled.ts";

interface Row {
  readonly rho: number;
  readonly seed: number;
  readonly certificate: Certificate;
  /** From x toward a zero of g⁺. */
  readonly refinement: Refined;
  /** From x⁺ toward a zero of g: the critical point that SAM sees. */
  readonly nearAscentPoint: Refined;
  /** What the network computes at x, at x⁺ and where the iteration from x⁺ ended. */
  readonly predictions: readonly [Predictions, Predictions, Predictions];
}

interface Predictions {
  /** Largest |p − class frequency| over images and classes: 0 when every image gets the same guess. */
  readonly fromFrequencies: number;
  /** ‖Cov(labels, hidden features)‖: 0 when the features have nothing to tell about the labels. */
  readonly labelCovariance: number;
}

interface Refined {
  readonly converged: boolean;
  readonly sentence: string;
  readonly steps: readonly RefineStep[];
}

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("missing file (give one for the certificates)");

const logOf = ({ converged, sentence, steps }: Refinement): Refined => ({
  converged,
  sentence,
  steps,
});

async function study(rho: number, seed: number): Promise<Row> {
  const point = await endOfRun(rho, seed);
  const certificate = await certify({ problem, point, rho, learningRate, engine });
  const f = await compileDerivatives(problem, engine);
  const x = flatten(point);
  const refinement = logOf(await refine({ f, x, rho, tolerance: 1e-6 }));
  // With ρ = 0 the ascent point is the point itself, and g⁺ is g.
  const { ascentPoint } = await samPoint(f, x, rho);
  const near = await refine({
    f,
    x: ascentPoint,
    rho: 0,
    maxProducts: 3000,
    subspace: 150,
    longestStep: 0.4,
  });
  await f.dispose();
  return {
    rho,
    seed,
    certificate,
    refinement,
    nearAscentPoint: logOf(near),
    predictions: [predict(x), predict(ascentPoint), predict(near.point.x)],
  };
}

/** The network in matrices, [classes or features, images]. */
function predict(x: Vector): Predictions {
  const { layers } = unflatten(problem.init(0), x) as {
    layers: { weight: Tensor; bias: Tensor }[];
  };
  const batch = problem.train.batch as { x: Tensor; y: Tensor };
  const images = matrixOf(batch.x).transpose();
  const affine = ({ weight, bias }: { weight: Tensor; bias: Tensor }, input: Matrix) =>
    matrixOf(weight)
      .mmul(input)
      .addColumnVector([...bias.data]);
  const [first, second] = layers;
  if (first === undefined || second === undefined) throw new Error("not a network of two layers");
  const hidden = affine(first, images).tanh();
  const chances = affine(second, hidden).exp();
  chances.divRowVector(chances.sum("column"));
  const labels = Matrix.zeros(chances.rows, chances.columns);
  batch.y.data.forEach((label, image) => labels.set(label, image, 1));
  const frequencies = labels.mean("row");
  return {
    fromFrequencies: chances.clone().subColumnVector(frequencies).abs().max(),
    labelCovariance:
      labels.subColumnVector(frequencies).mmul(hidden.transpose()).norm() / images.columns,
  };
}

const matrixOf = ({ data, shape }: Tensor): Matrix =>
  Matrix.from1DArray(shape[0] ?? 1, shape[1] ?? 1, [...data]);

const rows: Row[] = [];
if (existsSync(file)) {
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  rows.push(...lines.map((line) => JSON.parse(line) as Row));
}
for (const rho of [2, 4]) {
  for (const seed of [0, 1, 2, 3, 4]) {
    if (rows.some((row) => row.rho === rho && row.seed === seed)) continue;
    rows.push(await study(rho, seed));
    const lines = rows.map((row) => `${JSON.stringify(row)}\n`);
    writeFileSync(file, gzipSync(lines.join(""), { level: 9 }));
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
    "seconds",
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
    c.seconds.toFixed(0),
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
const near = [
  ["ρ", "seed", "f(x⁺)", "‖∇f‖ there", "f", "‖∇f‖", "distance from x⁺", "products"],
  ...rows.map(({ rho, seed, nearAscentPoint: { steps } }) => {
    const [first, last] = [steps[0], steps.at(-1)];
    return [
      digits(rho),
      digits(seed),
      digits(first?.loss, 8),
      digits(first?.gradNorm),
      digits(last?.loss, 8),
      digits(last?.gradNorm),
      digits(last?.moved),
      digits(last?.products, 4),
    ];
  }),
];
const guesses = [
  ["ρ", "seed", "|p − frequency| at x", "at x⁺", "near it", "‖Cov‖ at x", "at x⁺", "near it"],
  ...rows.map(({ rho, seed, predictions }) => [
    digits(rho),
    digits(seed),
    ...predictions.map(({ fromFrequencies }) => digits(fromFrequencies)),
    ...predictions.map(({ labelCovariance }) => digits(labelCovariance)),
  ]),
];
for (const lines of [table, refined, near, guesses]) {
  console.log(lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n"), "\n");
}
