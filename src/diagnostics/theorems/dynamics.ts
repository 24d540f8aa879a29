/** Curvature of f(x⁺), SAM's linearization, and what follows from either. */
import { Matrix } from "ml-matrix";
import type { PlaneName } from "../../problems/planes/index.ts";
import { singularValues, spectrum, symmetricSpectrum } from "../algebra/dense.ts";
import { planeDerivatives, type Derivatives } from "../point/derivatives.ts";
import { searchPlane } from "../search/plane-search.ts";
import { refine } from "../point/refine.ts";
import { denseSamPoint, samPoint, type SamPoint } from "../point/sam-point.ts";
import { along, distance, norm, type Vector } from "../algebra/vectors.ts";
import { type TheoremRow, hallucinating, vector, planeOf, worst, least, runSam } from "./shared.ts";

/** The Hessian of f(x⁺) from values alone, by central differences, twice extrapolated. */
async function surrogateHessianByDifferences(f: Derivatives, point: SamPoint): Promise<Matrix> {
  const value = async (x: Vector) => (await samPoint(f, x, point.rho)).shiftedLoss;
  const moved = (i: number, s: number, j: number, t: number) =>
    point.x.map((x, k) => x + (k === i ? s : 0) + (k === j ? t : 0));
  const d = f.dimension;
  const estimate = async (h: number) => {
    const result = Matrix.zeros(d, d);
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) {
        const [pp, pm, mp, mm] = [
          await value(moved(i, h, j, h)),
          await value(moved(i, h, j, -h)),
          await value(moved(i, -h, j, h)),
          await value(moved(i, -h, j, -h)),
        ];
        result.set(i, j, (pp - pm - mp + mm) / (4 * h * h));
      }
    }
    return result;
  };
  // u turns over lengths of ‖g‖ divided by the curvature.
  const curvature = worst((await f.hessian(point.x)).map(norm));
  const h = 0.02 * Math.min(1, point.gradNorm / curvature);
  const [e1, e2] = [await estimate(h), await estimate(h / 2)];
  return Matrix.add(e2, Matrix.sub(e2, e1).mul(1 / 3));
}

const signs = (values: readonly number[], limit: number) =>
  values.map((v) => (Math.abs(v) <= limit ? 0 : Math.sign(v))).toSorted((a, b) => a - b);

export async function inertia(): Promise<TheoremRow[]> {
  const rows: TheoremRow[] = [];
  for (const [name, rho] of hallucinating) {
    const plane = planeOf(name);
    const f = planeDerivatives(plane);
    let [agree, compared] = [0, 0];
    const errors: number[] = [];
    for (const point of await searchPlane({ plane, rho, resolution: 30 })) {
      const matrices = await denseSamPoint(f, point);
      const singular = singularValues(matrices.perturbation).at(-1) as number;
      if (point.gradNorm < 0.05 || singular < 0.02) continue;
      const measured = await surrogateHessianByDifferences(f, point);
      const size = worst(symmetricSpectrum(matrices.surrogateHessian).map(Math.abs));
      errors.push(Matrix.sub(measured, matrices.surrogateHessian).norm("frobenius") / size);
      const shifted = symmetricSpectrum(matrices.shiftedHessian);
      const limit = 1e-5;
      const same = signs(symmetricSpectrum(measured), limit * size).join();
      if (same === signs(shifted, limit * worst(shifted.map(Math.abs))).join()) agree++;
      compared++;
    }
    rows.push({
      statement: "Inertia",
      claim: "∇²f^SAM = MᵀH⁺M, with as many positive, zero and negative eigenvalues as H⁺",
      plane: name,
      passed: compared > 0 && agree === compared && worst(errors) < 1e-3,
      numbers: { points: compared, agree, largestRelativeError: worst(errors) },
    });
  }
  return rows;
}

/** Contraction per step, and the learning rate at which it ends, against the spectrum of H⁺M. */
export async function dynamics(): Promise<TheoremRow[]> {
  const cases: [PlaneName, number, Vector][] = [
    ["cosine", 4, vector(2 * Math.PI - 4, 0)],
    ["wide-narrow", 2.5, vector(5.900680416658958 - 2.5, 0)],
    ["himmelblau", 4, vector(-0.46309417959311316, -1.0174704992636328)],
  ];
  const rows: TheoremRow[] = [];
  for (const [name, rho, near] of cases) {
    const f = planeDerivatives(planeOf(name));
    const { point } = await refine({ f, x: near, rho, tolerance: 1e-14 });
    const { samJacobian } = await denseSamPoint(f, point);
    const values = spectrum(samJacobian);
    const limit = least(values.map(({ re, im }) => (2 * re) / (re * re + im * im)));
    const contraction = (rate: number) =>
      worst(values.map(({ re, im }) => Math.hypot(1 - rate * re, rate * im)));
    const start = along(point.x, 1e-7, vector(0.8, 0.6));
    const errors: number[] = [];
    for (const rate of [0.1, 0.4].map((share) => share * limit)) {
      const exact = contraction(rate);
      // Long enough for the slowest mode to be alone, short enough to stay above rounding.
      const span = Math.min(200, Math.floor(-5 / Math.log(exact)));
      const early = await runSam(f, start, rho, rate, span);
      const late = await runSam(f, early, rho, rate, span);
      const measured = (distance(late, point.x) / distance(early, point.x)) ** (1 / span);
      errors.push(Math.abs(measured - exact) / exact);
    }
    const below = distance(await runSam(f, start, rho, 0.98 * limit, 600), point.x);
    const above = distance(await runSam(f, start, rho, 1.02 * limit, 600), point.x);
    rows.push({
      statement: "Dynamics",
      claim:
        "δ ← (I − ηH⁺M)δ predicts SAM's rate of convergence and the learning rate at which it ends",
      plane: name,
      passed: worst(errors) < 0.05 && below < 1e-7 && !(above < 1e-6),
      numbers: {
        largestStableLearningRate: limit,
        relativeErrorOfRate: worst(errors),
        distanceAt98Percent: below,
        distanceAt102Percent: above,
      },
    });
  }
  return rows;
}

/** Negative curvature in H⁺ and in M can cancel: SAM then converges to a hallucinated saddle. */
export async function drawnToSaddle(): Promise<TheoremRow[]> {
  const f = planeDerivatives(planeOf("himmelblau"));
  const rho = 4;
  const near = vector(-0.46309417959311316, -1.0174704992636328);
  const { point } = await refine({ f, x: near, rho, tolerance: 1e-13 });
  const { shiftedHessian, samJacobian } = await denseSamPoint(f, point);
  const [lowest = NaN, highest = NaN] = symmetricSpectrum(shiftedHessian);
  const leastReal = least(spectrum(samJacobian).map(({ re }) => re));
  const end = await runSam(f, along(point.x, 0.02, vector(0.6, -0.8)), rho, 2e-3, 2000);
  return [
    {
      statement: "Drawn to a saddle",
      claim:
        "SAM converges to a point whose ascent point is a saddle, so not to a minimizer of f^SAM",
      plane: "himmelblau",
      passed: lowest < 0 && highest > 0 && leastReal > 0 && distance(end, point.x) < 1e-9,
      numbers: {
        gradNorm: point.gradNorm,
        leastEigenvalueOfShiftedHessian: lowest,
        leastRealPartOfSamJacobian: leastReal,
        distanceAtEnd: distance(end, point.x),
      },
    },
  ];
}

/** From where SAM has got to after a few steps, tens of products do what many steps would. */
export async function rootFinding(): Promise<TheoremRow[]> {
  const cases: [PlaneName, number, Vector][] = [
    ["cosine", 4, vector(2, 0.5)],
    ["wide-narrow", 2.5, vector(3.6, 0.5)],
    ["ridge", 1.5, vector(-0.25, 0.75)],
  ];
  const rows: TheoremRow[] = [];
  for (const [name, rho, start] of cases) {
    const f = planeDerivatives(planeOf(name));
    const stalled = await runSam(f, start, rho, 0.05, 20);
    const { point, converged, steps } = await refine({ f, x: stalled, rho });
    const last = steps.at(-1);
    rows.push({
      statement: "Root finding",
      claim: "Levenberg–Marquardt iteration on g⁺ = 0 polishes an iterate in tens of products",
      plane: name,
      passed: converged && point.gradNorm > 1e-3 && (last?.products ?? Infinity) < 100,
      numbers: {
        gradRatioBefore: steps[0]?.gradRatio ?? NaN,
        gradRatioAfter: point.gradRatio,
        products: last?.products ?? NaN,
        moved: last?.moved ?? NaN,
      },
    });
  }
  return rows;
}

/** ∇f^SAM = Mᵀg⁺ vanishes where g⁺ does: following the exact gradient does not help. */
export async function exactGradient(): Promise<TheoremRow[]> {
  const rows: TheoremRow[] = [];
  for (const [name, rho] of hallucinating) {
    const plane = planeOf(name);
    const f = planeDerivatives(plane);
    const measured: number[] = [];
    const points = await searchPlane({ plane, rho, resolution: 30 });
    for (const point of points) {
      const value = async (x: Vector) => (await samPoint(f, x, rho)).shiftedLoss;
      const h = 1e-5;
      const gradient = await Promise.all(
        [vector(1, 0), vector(0, 1)].map(
          async (e) =>
            ((await value(along(point.x, h, e))) - (await value(along(point.x, -h, e)))) / (2 * h),
        ),
      );
      const { surrogateHessian } = await denseSamPoint(f, point);
      // Differences of a function with curvature λ round to about λh.
      measured.push(
        Math.hypot(...gradient) / (1 + worst(symmetricSpectrum(surrogateHessian).map(Math.abs))),
      );
    }
    rows.push({
      statement: "Exact gradient",
      claim: "the gradient of f^SAM itself, by differences, vanishes at every hallucinated point",
      plane: name,
      passed: points.length > 0 && worst(measured) < 1e-5,
      numbers: { points: points.length, largest: worst(measured) },
    });
  }
  return rows;
}
