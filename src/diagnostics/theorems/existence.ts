/** Existence of hallucinated points: Proposition A.1, Theorems 2.1 and 2.2, Corollary A.6. */
import { randomStream, type RandomStream } from "../../engine/random.ts";
import type { PlaneName } from "../../problems/planes/index.ts";
import { sweepEpsilon } from "../search/construction.ts";
import { symmetricSpectrum } from "../algebra/dense.ts";
import { planeDerivatives, type Derivatives } from "../point/derivatives.ts";
import { refine } from "../point/refine.ts";
import { denseSamPoint, samPoint } from "../point/sam-point.ts";
import { along, dot, scaled, type Vector } from "../algebra/vectors.ts";
import { type TheoremRow, vector, planeOf, worst, least, extremumPairs } from "./shared.ts";

/**
 * Convex f: gradients are monotone, ⟨g⁺ − g, x⁺ − x⟩ ≥ 0, so ‖g⁺‖ ≥ ⟨g⁺, u⟩ ≥ ‖g‖ and g⁺ cannot
 * vanish before g does.
 */
export async function convexity(): Promise<TheoremRow[]> {
  const stream = randomStream(0, "convex");
  const bowl = planeDerivatives(planeOf("quadratic"));
  const random = Array.from({ length: 20 }, () => randomConvex(1 + stream.integer(6), stream));
  return [
    await convexRow("quadratic", [bowl], 500, stream),
    await convexRow("random convex functions", random, 50, stream),
  ];
}

async function convexRow(
  plane: string,
  functions: readonly Derivatives[],
  points: number,
  stream: RandomStream,
): Promise<TheoremRow> {
  const ratios: number[] = [];
  let reached = 0;
  for (const f of functions) {
    for (let k = 0; k < points; k++) {
      const x = Float64Array.from({ length: f.dimension }, () => 3 * stream.normal());
      const rho = 10 ** stream.uniform(-2, 1);
      ratios.push((await samPoint(f, x, rho)).gradRatio);
      if (k > 0) continue;
      const { point, converged } = await refine({ f, x, rho, tolerance: 1e-8, maxProducts: 100 });
      if (converged && point.gradNorm > 1e-6) reached++;
    }
  }
  return {
    statement: "Proposition A.1",
    claim: "no hallucinated points where f is convex: ‖g⁺‖ ≥ ‖g‖ everywhere",
    plane,
    passed: least(ratios) >= 1 - 1e-12 && reached === 0,
    numbers: { points: ratios.length, leastGradRatio: least(ratios), zerosReached: reached },
  };
}

/** f(x) = log Σ exp(aᵢᵀx + bᵢ) + c‖x‖²/2 with random a, b, c. */
function randomConvex(dimension: number, stream: RandomStream): Derivatives {
  const count = dimension + 2;
  const a = Array.from({ length: count }, () =>
    Float64Array.from({ length: dimension }, () => stream.normal()),
  );
  const b = a.map(() => stream.normal());
  const c = stream.uniform(0, 0.5);
  const probabilities = (x: Vector) => {
    const logits = a.map((row, i) => dot(row, x) + (b[i] as number));
    const largest = Math.max(...logits);
    const weights = logits.map((z) => Math.exp(z - largest));
    const total = weights.reduce((s, w) => s + w, 0);
    return { p: weights.map((w) => w / total), loss: Math.log(total) + largest };
  };
  const mean = (p: readonly number[], x: Vector) =>
    a.reduce((sum, row, i) => along(sum, p[i] as number, row), scaled(c, x));
  const hessianTimes = async (x: Vector, v: Vector) => {
    const { p } = probabilities(x);
    const average = a.reduce((sum, row, i) => sum + (p[i] as number) * dot(row, v), 0);
    return mean(
      p.map((pi, i) => pi * (dot(a[i] as Vector, v) - average)),
      v,
    );
  };
  return {
    dimension,
    engine: "closed form",
    cost: { products: 0, gradients: 0 },
    async lossAndGradient(x) {
      const { p, loss } = probabilities(x);
      return { loss: loss + (c * dot(x, x)) / 2, gradient: mean(p, x) };
    },
    hessianTimes,
    hessian: (x) =>
      Promise.all(
        Array.from({ length: dimension }, (_, i) =>
          hessianTimes(
            x,
            Float64Array.from({ length: dimension }, (_, j) => (i === j ? 1 : 0)),
          ),
        ),
      ),
    async dispose() {},
  };
}

/** What Theorem 2.1 constructs for every pair of a maximizer and a minimizer. */
export async function constructions(kind: "isolated" | "ring"): Promise<TheoremRow[]> {
  const names: readonly PlaneName[] = kind === "ring" ? ["ring"] : ["bump", "ridge", "himmelblau"];
  const rows: TheoremRow[] = [];
  for (const name of names) {
    const plane = planeOf(name);
    const f = planeDerivatives(plane);
    for (const [maximizer, minimizer] of extremumPairs(plane)) {
      const { constructions, interval, atMaximizer } = sweepEpsilon({
        plane,
        maximizer,
        minimizer,
        count: 16,
        resolution: 100,
      });
      const error = worst(constructions.map(({ error }) => error));
      const curvatures: number[] = [];
      for (const { x, rho } of constructions) {
        const { surrogateHessian } = await denseSamPoint(f, await samPoint(f, vector(...x), rho));
        const values = symmetricSpectrum(surrogateHessian);
        curvatures.push((values[0] ?? NaN) / (values.at(-1) ?? NaN));
      }
      const isGlobal = plane.value(minimizer) <= (plane.minimum ?? NaN) + 1e-9;
      rows.push({
        statement: kind === "isolated" ? "Theorem 2.1" : isGlobal ? "Theorem 2.2" : "Corollary A.6",
        claim:
          "the farthest point of the component around the maximizer has the minimizer as its ascent point, for an interval of ρ",
        plane: name,
        passed:
          error <= 1e-10 &&
          constructions.length > 3 &&
          interval[0] > atMaximizer &&
          interval[1] > interval[0] &&
          least(curvatures) > -1e-9,
        numbers: {
          largestError: error,
          distanceToMaximizer: atMaximizer,
          rhoFrom: interval[0],
          rhoTo: interval[1],
          leastCurvatureOfSurrogate: least(curvatures),
        },
      });
    }
  }
  return rows;
}
