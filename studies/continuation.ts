/**
 * Continuation toward a zero of g⁺ near a stalled end, in a penalty and in ρ.
 *
 *     node --conditions=source studies/continuation.ts FILE.jsonl.gz RHO-SEED …
 *
 * **Penalty.** Near a constant answer the critical points of f fill a manifold, and Newton's method has
 * nothing to hold on to. Those of φ(x) = f(x) + (λ/2)‖x − y‖² are isolated unless −λ is an
 * eigenvalue of H. (Around y = 0 a constant answer is critical only where all other weights are 0.)
 * With y = x⁺ of the end, ∇φ(x⁺) = g⁺ and ∇φ(x) = g − λρu there, which is parallel to g while
 * λ < ‖g‖/ρ: the end is as near to a zero for SAM on φ as it is on f. From λ = ‖g‖/2ρ on each zero is
 * sought from the last, and λ divided by √10, to 1e-5.
 *
 * **ρ.** At other radii, away from that of the run in two directions, each from x⁺ − ρu of the last.
 */
import { existsSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import {
  along,
  compileDerivatives,
  flatten,
  norm,
  refine,
  samPoint,
  type Derivatives,
  type Vector,
} from "lucid-sam/diagnostics";
import { readContinuedEnds, type Stage } from "./continued-ends.ts";
import { endOfRun, engine, problem } from "./stalled.ts";

/** Ratio ‖v‖/‖g‖ to reach, and products to spend at one value. */
const tolerance = 1e-8;
const maxProducts = 240;
/** Radii relative to that of the run. */
const shrinking = [0.99, 0.97, 0.95];
const growing = [1.01, 1.03, 1.05];

/** f(x) + (λ/2)‖x − y‖². */
const penalized = (f: Derivatives, y: Vector, lambda: number): Derivatives => ({
  ...f,
  get cost() {
    return f.cost;
  },
  async lossAndGradient(x) {
    const { loss, gradient } = await f.lossAndGradient(x);
    const away = along(x, -1, y);
    return {
      loss: loss + (lambda / 2) * norm(away) ** 2,
      gradient: along(gradient, lambda, away),
    };
  },
  hessianTimes: async (x, v) => along(await f.hessianTimes(x, v), lambda, v),
});

const [file, ...wanted] = process.argv.slice(2);
if (file === undefined || wanted.length === 0) {
  throw new Error("missing file or ends (give a file for the results, and ends as RHO-SEED)");
}
const rows = existsSync(file) ? readContinuedEnds(file) : [];
const f = await compileDerivatives(problem, engine);

/** Refine at one value, and say where that led as SAM on f sees it. */
async function reach(
  value: number,
  { loss, from, rho, end }: { loss: Derivatives; from: Vector; rho: number; end: Vector },
): Promise<{ stage: Stage; x: Vector }> {
  const first = f.cost.products;
  const { point, rest, converged } = await refine({
    f: loss,
    x: from,
    rho,
    tolerance,
    maxProducts,
    subspace: 60,
  });
  const products = f.cost.products - first;
  const { gradNorm, shiftedGradNorm } = await samPoint(f, point.x, rho);
  const moved = norm(along(point.x, -1, end));
  const stage = {
    value,
    converged,
    ratio: rest.ratio,
    gradNorm,
    shiftedGradNorm,
    moved,
    products,
  };
  console.log(JSON.stringify(stage));
  return { stage, x: point.x };
}

for (const name of wanted) {
  const [rho = NaN, seed = NaN] = name.split("-").map(Number);
  const end = flatten(await endOfRun(rho, seed));
  const { gradNorm, shiftedGradNorm, ascentPoint } = await samPoint(f, end, rho);
  console.log(`ρ = ${rho}, seed ${seed}: ‖g‖ = ${gradNorm}, ‖g⁺‖ = ${shiftedGradNorm}`);

  const penalty: Stage[] = [];
  let x: Vector = end;
  for (let lambda = gradNorm / (2 * rho); lambda > 1e-5; lambda /= Math.sqrt(10)) {
    const loss = penalized(f, ascentPoint, lambda);
    const found = await reach(lambda, { loss, from: x, rho, end });
    penalty.push(found.stage);
    x = found.x;
  }

  const following = async (radii: readonly number[]) => {
    const stages: Stage[] = [];
    let point = await samPoint(f, end, rho);
    for (const factor of radii) {
      const from = along(point.ascentPoint, -factor * rho, point.direction);
      const found = await reach(factor * rho, { loss: f, from, rho: factor * rho, end });
      stages.push(found.stage);
      point = await samPoint(f, found.x, factor * rho);
    }
    return stages;
  };
  const row = {
    rho,
    seed,
    gradNorm,
    shiftedGradNorm,
    penalty,
    smaller: await following(shrinking),
    larger: await following(growing),
  };
  const at = rows.findIndex((known) => known.rho === rho && known.seed === seed);
  rows.splice(at < 0 ? rows.length : at, at < 0 ? 0 : 1, row);
  const lines = rows.map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(file, gzipSync(lines.join(""), { level: 9 }));
}
await f.dispose();
