/**
 * Certificates of the stalled runs of figure 5: the ends of SAM with ρ = 2 and 4 from five seeds,
 * certified; what refining reaches from there; which critical point of the loss lies near the ascent
 * point; and the zero of g⁺ at a constant answer, found and certified.
 *
 *     node --conditions=source studies/certificates.ts FILE.jsonl.gz [RHO-SEED …]
 *
 * trains, searches and certifies what FILE lacks, a line per end. scripts/study-docs.ts makes tables of
 * it.
 */
import { existsSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { Matrix } from "ml-matrix";
import type { Tensor } from "lucid-sam";
import {
  certify,
  compileDerivatives,
  flatten,
  refine,
  samPoint,
  unflatten,
  type Refinement,
  type Vector,
} from "lucid-sam/diagnostics";
import { refineToConstantAnswer } from "./constant-answers.ts";
import {
  readStalledEnds,
  type Predictions,
  type Refined,
  type StalledEnd,
} from "./stalled-ends.ts";
import { endOfRun, engine, learningRate, problem } from "./stalled.ts";

const logOf = ({ converged, sentence, steps }: Refinement): Refined => ({
  converged,
  sentence,
  steps,
});

/** Compute what is missing of an end. */
async function study(known: Partial<StalledEnd>, rho: number, seed: number): Promise<StalledEnd> {
  const point = await endOfRun(rho, seed);
  const x = flatten(point);
  const f = await compileDerivatives(problem, engine);
  const judge = (at: Vector) =>
    certify({
      problem,
      point: unflatten(problem.init(0), at),
      rho,
      learningRate,
      description: "hidden 64, data mnist",
      engine,
    });
  const certificate = known.certificate ?? (await judge(x));
  const refinement =
    known.refinement ?? logOf(await refine({ f, x, rho, tolerance: 1e-6, maxProducts: 500 }));
  let { nearAscentPoint, predictions } = known;
  if (nearAscentPoint === undefined || predictions === undefined) {
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
    nearAscentPoint = logOf(near);
    predictions = [predict(x), predict(ascentPoint), predict(near.point.x)];
  }
  let { constantAnswer } = known;
  if (constantAnswer === undefined) {
    const found = await refineToConstantAnswer({
      problem,
      f,
      x,
      rho,
      // Where g⁺ has not all but vanished there is little hope.
      maxProducts: (certificate.gradRatio ?? Infinity) <= 0.05 ? 6000 : 1500,
      onStep: ({ products, shiftedGradNorm, moved }) =>
        console.log(`${products} products: ‖g⁺‖ = ${shiftedGradNorm}, moved by ${moved}`),
    });
    const { converged, steps } = found;
    constantAnswer = {
      converged,
      steps,
      certificate: converged ? await judge(found.point.x) : null,
    };
  }
  await f.dispose();
  return { rho, seed, certificate, refinement, nearAscentPoint, predictions, constantAnswer };
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

const [file, ...wanted] = process.argv.slice(2);
if (file === undefined) throw new Error("missing file (give one for the certificates)");
const rows = existsSync(file) ? readStalledEnds(file) : [];
for (const rho of [2, 4]) {
  for (const seed of [0, 1, 2, 3, 4]) {
    if (wanted.length > 0 && !wanted.includes(`${rho}-${seed}`)) continue;
    const at = rows.findIndex((row) => row.rho === rho && row.seed === seed);
    const row = await study(rows[at] ?? {}, rho, seed);
    rows.splice(at < 0 ? rows.length : at, at < 0 ? 0 : 1, row);
    console.log(`ρ = ${rho}, seed ${seed}: ${row.certificate.verdict.name}`);
    const lines = rows.map((line) => `${JSON.stringify(line)}\n`);
    writeFileSync(file, gzipSync(lines.join(""), { level: 9 }));
  }
}
