/**
 * A network in which SAM converges to a strict, attracting hallucinated minimizer: the run, its limit,
 * what refining reaches on the way, and the same network from other starts.
 *
 *     node --conditions=source studies/hallucinated-minimizer.ts FILE.json.gz
 *
 * The network, its points and its loss are those of the problem `regression`; see
 * docs/hallucinated-minimizer.md.
 */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { gradientDescent, prepareTraining, sam, sgd } from "lucid-sam";
import {
  certify,
  compileDerivatives,
  flatten,
  refine,
  unflatten,
  type RefineStep,
  type Vector,
} from "lucid-sam/diagnostics";
import { regression } from "lucid-sam/problems";
import type { MetricRow } from "lucid-sam/run";
import type { HallucinatedMinimizer, OtherStart } from "./hallucinated-minimizer-rows.ts";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("missing file (give one for the results)");
const [rho, learningRate, lastStep, otherSteps] = [2, 0.01, 320_000, 20_000];
/** w, b, a, c. */
const start = [
  -0.49026082, -0.10984739, -0.06453957, 0.0952704, 0.1912387, -0.4470479, -0.51799646,
];
const engine = { engine: "native", threads: 1 } as const;
const problem = regression({ start });
const names = ["w", "b", "a", "c"] as const;

const f = await compileDerivatives(problem, engine);
const outer = sgd({ learningRate });
const training = await prepareTraining({ problem, method: sam({ rho, outer }), ...engine });
const refineFrom = async (x: Vector) => refine({ f, x, rho, tolerance: 1e-15 });

const refined: { step: number; log: readonly RefineStep[] }[] = [];
const history: MetricRow[] = [];
let from = training.start(0);
for (const until of [10_000, 20_000, 45_000, lastStep]) {
  const run = await training.run({ steps: lastStep, until, from, recordEvery: 1000 });
  history.push(...run.history);
  from = run;
  refined.push({ step: until, log: (await refineFrom(flatten(run.carry.params))).steps });
  console.log(
    `${until} steps: ‖g⁺‖ = ${refined
      .at(-1)
      ?.log.map((s) => s.shiftedGradNorm)
      .join(" → ")}`,
  );
}
const { point: end } = await refineFrom(flatten(from.carry.params));
const point = unflatten(problem.init(0), end.x) as unknown as {
  [name in (typeof names)[number]]: { readonly data: ArrayLike<number> };
};
const judge = (x: Vector) =>
  certify({
    problem,
    point: unflatten(problem.init(0), x),
    rho,
    learningRate,
    steps: 1000,
    description: "16 points of sine, hidden 2",
    engine,
  });
const certificate = await judge(end.x);
const { EigenvalueDecomposition, Matrix } = await import("ml-matrix");
const hessian = new Matrix((await f.hessian(end.ascentPoint)).map((row) => [...row]));
const shiftedHessian = new EigenvalueDecomposition(hessian, {
  assumeSymmetric: true,
}).realEigenvalues.toSorted((a, b) => a - b);
await training.dispose();

const drawn = regression();
const [descent, ascent] = await Promise.all(
  [gradientDescent({ outer }), sam({ rho, outer })].map((method) =>
    prepareTraining({ problem: drawn, method, ...engine }),
  ),
);
if (!descent || !ascent) throw new Error("no training");
const others: OtherStart[] = [];
for (let seed = 0; seed < 40; seed++) {
  const plain = await descent.run({ steps: otherSteps, seed });
  const run = await ascent.run({ steps: otherSteps, seed });
  const last = run.history.at(-1);
  const reached =
    last && last.shiftedGradNorm <= 0.05 * last.gradNorm
      ? await refineFrom(flatten(run.carry.params))
      : undefined;
  const judged =
    reached && reached.point.shiftedGradNorm <= 1e-12 && (await judge(reached.point.x));
  const {
    loss = NaN,
    gradNorm = NaN,
    shiftedGradNorm = NaN,
    moved = NaN,
    products = NaN,
  } = reached?.steps.at(-1) ?? {};
  others.push({
    seed,
    descent: plain.history.at(-1)?.loss ?? NaN,
    sam: last?.loss ?? NaN,
    screen: run.verdict.name,
    refined: reached ? { loss, gradNorm, shiftedGradNorm, moved, products } : null,
    verdict: judged ? judged.verdict.name : null,
    attracting: judged ? judged.attracting.answer : null,
  });
  console.log(JSON.stringify(others.at(-1)));
}
await Promise.all([descent.dispose(), ascent.dispose()]);
await f.dispose();

const results: HallucinatedMinimizer = {
  rho,
  learningRate,
  start,
  startNorm: Math.hypot(...start),
  history: history.map(({ step, loss, shiftedLoss, gradNorm, shiftedGradNorm }) => ({
    step,
    loss,
    shiftedLoss,
    gradNorm,
    shiftedGradNorm,
  })),
  refined,
  point: names.flatMap((name) => Array.from(point[name].data)),
  certificate,
  shiftedHessian,
  others,
};
writeFileSync(file, gzipSync(JSON.stringify(results), { level: 9 }));
