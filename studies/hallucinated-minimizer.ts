/**
 * True hallucinated minimizers of a network with 13,258 weights: constrained minima on spheres
 * around the minimizer of a loss with an L2 penalty, which has one at a finite place.
 *
 *     node --conditions=source studies/hallucinated-minimizer.ts FILE.json.gz    # about a quarter of an hour on two cores
 */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { numpy as np } from "@jax-js/jax";
import { gradientDescent, prepareTraining, sam, sgd, type Problem } from "lucid-sam";
import {
  along,
  certify,
  compileDerivatives,
  extremeEigenvalues,
  flatten,
  minres,
  norm,
  randomUnit,
  runNearby,
  scaled,
  searchSphere,
  unflatten,
  type Vector,
} from "lucid-sam/diagnostics";
import { scalar, squaredNorm } from "lucid-sam/engine";
import { engine, learningRate, problem as network } from "./stalled.ts";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("missing file (give one for the results)");
const penalty = 0.01;
/** The loss plus λ‖x‖²/2: without it 500 images are separated ever better toward infinity. */
const problem: Problem = {
  ...network,
  name: `mlp with L2 penalty ${penalty}`,
  forward(params, batch, context) {
    const size = squaredNorm(params);
    const result = network.forward(params, batch, context);
    return {
      ...result,
      losses: np.add(result.losses, np.multiply(size, scalar(penalty / 2, size))),
    };
  },
};
const f = await compileDerivatives(problem, engine);

/** The minimizer: descent with momentum, then damped Newton steps. */
async function minimize(): Promise<Vector> {
  const method = gradientDescent({ outer: sgd({ learningRate: 0.1, momentum: 0.95 }) });
  const training = await prepareTraining({ problem, method, ...engine });
  const { carry } = await training.run({ steps: 4000 });
  await training.dispose();
  let x = flatten(carry.params);
  let at = await f.lossAndGradient(x);
  let damping = 1e-2;
  for (let step = 0; step < 100 && norm(at.gradient) > 1e-10; step++) {
    const { x: move } = await minres({
      operator: async (v) => along(await f.hessianTimes(x, v), damping, v),
      right: scaled(-1, at.gradient),
      tolerance: 1e-3,
      maxApplications: 150,
    });
    const next = await f.lossAndGradient(along(x, 1, move));
    if (next.loss < at.loss || norm(next.gradient) < 0.5 * norm(at.gradient)) {
      [x, at, damping] = [along(x, 1, move), next, Math.max(1e-12, damping / 5)];
    } else damping *= 10;
  }
  return x;
}

const center = await minimize();
const { loss, gradient } = await f.lossAndGradient(center);
const ends = await extremeEigenvalues({
  operator: (v) => f.hessianTimes(center, v),
  dimension: f.dimension,
});
console.log(`minimizer: f = ${loss}, ‖g‖ = ${norm(gradient)}, H from ${ends.lowest.value}`);

async function search(rho: number) {
  const { points, hallucinated } = await searchSphere({
    f,
    center,
    rho,
    starts: 4,
    maxSteps: 1500,
    newtonSteps: 6,
    maxProducts: 300,
  });
  const found = [];
  for (const { x } of hallucinated) {
    const certificate = await certify({
      problem,
      point: unflatten(problem.init(0), x),
      rho,
      learningRate,
      // ‖g‖ is small here, since the sphere passes close to another valley; g⁺ is far smaller still.
      tolerances: { clearGradient: 1e-5 },
      engine,
    });
    const slowRate = (certificate.maxStableLearningRate ?? 0) / 2;
    const runs = await runNearby({
      problem,
      x,
      method: sam({ rho }),
      learningRate: slowRate,
      steps: 2000,
      radius: 1e-5,
      displacements: [1, 2, 3].map((i) => ({
        name: `random ${i}`,
        direction: randomUnit(f.dimension, 0, "copy", String(i)),
      })),
      engine,
    });
    found.push({ certificate, slow: { learningRate: slowRate, runs } });
  }
  return {
    rho,
    constrainedMinima: points.map(({ loss, gradNorm, angle, converged, inward, hits }) => ({
      loss,
      gradNorm,
      angle,
      converged,
      inward,
      hits,
    })),
    found,
  };
}

const searches = [];
for (const rho of [2, 4, 8]) {
  const result = await search(rho);
  searches.push(result);
  const inward = result.constrainedMinima.filter((point) => point.inward && point.converged);
  console.log(
    `ρ = ${rho}: ${result.constrainedMinima.length} constrained minima, ${inward.length} with x⁺ = center`,
  );
  for (const { certificate: c, slow } of result.found) {
    console.log(
      `  ${c.verdict.name}: f = ${c.loss}, ‖g‖ = ${c.gradNorm}, GradRatio ${c.gradRatio}, H⁺ from ` +
        `${c.shiftedHessian.min}, H⁺M from ${c.samJacobian.minReal}, η below ` +
        `${c.maxStableLearningRate}; at half of it ${slow.runs.map(({ outcome }) => outcome).join(", ")}`,
    );
    console.log(`  ${c.attracting.sentence}`);
  }
}
await f.dispose();
const results = {
  penalty,
  center: { loss, gradNorm: norm(gradient), hessian: [ends.lowest.value, ends.highest.value] },
  searches,
};
writeFileSync(file, gzipSync(JSON.stringify(results), { level: 9 }));
