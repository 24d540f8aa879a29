/** What is proved about hallucinated points, as checks one can run. */
import { Matrix } from "ml-matrix";
import { randomStream } from "../engine/random.ts";
import { planes, type PlaneName } from "../problems/planes/index.ts";
import type { Plane, Point } from "../problems/problem.ts";
import { continueInRho, traceHallucinated } from "./continuation.ts";
import { construct, sweepEpsilon } from "./construction.ts";
import { apply, singularValues, spectrum, symmetricPart, symmetricSpectrum } from "./dense.ts";
import { planeDerivatives, type Derivatives } from "./derivatives.ts";
import { searchPlane } from "./plane-search.ts";
import { refine } from "./refine.ts";
import { denseSamPoint, samPoint, type SamPoint } from "./sam-point.ts";
import { searchSphere } from "./sphere.ts";
import { along, distance, dot, minus, norm, scaled, unit, type Vector } from "./vectors.ts";

/** One statement checked on one function. */
export interface TheoremRow {
  /** The statement's name, such as `Theorem 2.1`. */
  readonly statement: string;
  /** What was checked, in words. */
  readonly claim: string;
  /** A plane's name, or another function in words. */
  readonly plane: string;
  readonly passed: boolean;
  /** What it was decided by. */
  readonly numbers: { readonly [name: string]: number };
}

type Check = () => Promise<TheoremRow[]>;

/** Planes and ρ at which they have hallucinated points worth looking at. */
const hallucinating: readonly [PlaneName, number][] = [
  ["cosine", 4],
  ["wide-narrow", 2.5],
  ["bump", 2.4],
  ["saddle", 1],
  ["himmelblau", 4],
  ["ring", 2],
  ["ridge", 1.5],
];

/** Run every check. `only` keeps statements that contain a text. */
export async function checkTheorems({
  only = "",
  onProgress,
}: { readonly only?: string; readonly onProgress?: (statement: string) => void } = {}): Promise<
  TheoremRow[]
> {
  const rows: TheoremRow[] = [];
  for (const [statement, check] of Object.entries(checks)) {
    if (!statement.includes(only)) continue;
    onProgress?.(statement);
    rows.push(...(await check()));
  }
  return rows;
}

const checks: { readonly [statement: string]: Check } = {
  "Proposition A.1": convexity,
  "Theorem 2.1": () => constructions("isolated"),
  "Theorem 2.2, Corollary A.6": () => constructions("ring"),
  "Theorem 3.1": manifold,
  "Theorem 3.2": attractionToSet,
  "Corollary B.3": attractionToPoint,
  Inertia: inertia,
  Dynamics: dynamics,
  "Drawn to a saddle": drawnToSaddle,
  "Sphere, from x⁺ = c": fromPointsToSphere,
  "Sphere, to x⁺ = c": fromSphereToPoints,
  "Constructed points repel": constructedRepel,
  Continuation: continuation,
  "Root finding": rootFinding,
  "Exact gradient": exactGradient,
};

const vector = (...values: number[]): Vector => Float64Array.from(values);
const planeOf = (name: PlaneName): Plane => planes[name].create().plane;
const worst = (values: readonly number[]): number => Math.max(0, ...values);

/**
 * Convex f: gradients are monotone, ⟨g⁺ − g, x⁺ − x⟩ ≥ 0, so ‖g⁺‖ ≥ ⟨g⁺, u⟩ ≥ ‖g‖ and g⁺ cannot
 * vanish before g does.
 */
async function convexity(): Promise<TheoremRow[]> {
  const stream = randomStream(0, "convex");
  let least = Infinity;
  let reached = 0;
  const problems = 20;
  const points = 50;
  for (let i = 0; i < problems; i++) {
    const f = randomConvex(1 + stream.integer(6), stream);
    for (let k = 0; k < points; k++) {
      const x = Float64Array.from({ length: f.dimension }, () => 3 * stream.normal());
      const rho = 10 ** stream.uniform(-2, 1);
      least = Math.min(least, (await samPoint(f, x, rho)).gradRatio);
      if (k > 0) continue;
      const { point, converged } = await refine({ f, x, rho, tolerance: 1e-8, maxProducts: 100 });
      if (converged && point.gradNorm > 1e-6) reached++;
    }
  }
  return [
    {
      statement: "Proposition A.1",
      claim: "no hallucinated points where f is convex: ‖g⁺‖ ≥ ‖g‖ everywhere",
      plane: "random convex functions",
      passed: least >= 1 - 1e-12 && reached === 0,
      numbers: {
        problems,
        points: problems * points,
        leastGradRatio: least,
        zerosReached: reached,
      },
    },
  ];
}

/** f(x) = log Σ exp(aᵢᵀx + bᵢ) + c‖x‖²/2 with random a, b, c. */
function randomConvex(dimension: number, stream: ReturnType<typeof randomStream>): Derivatives {
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

/** Every pair of maximizers and minimizers, with the planes that have them. */
async function constructions(kind: "isolated" | "ring"): Promise<TheoremRow[]> {
  const names: readonly PlaneName[] = kind === "ring" ? ["ring"] : ["bump", "ridge", "himmelblau"];
  const rows: TheoremRow[] = [];
  for (const name of names) {
    const plane = planeOf(name);
    const f = planeDerivatives(plane);
    for (const [maximizer, minimizer] of pairs(plane)) {
      const { constructions, interval, atMaximizer } = sweepEpsilon({
        plane,
        maximizer,
        minimizer,
        count: 16,
        resolution: 100,
      });
      const error = worst(constructions.map(({ error }) => error));
      let leastCurvature = Infinity;
      for (const { x, rho } of constructions) {
        const { surrogateHessian } = await denseSamPoint(f, await samPoint(f, vector(...x), rho));
        const values = symmetricSpectrum(surrogateHessian);
        leastCurvature = Math.min(leastCurvature, (values[0] ?? NaN) / (values.at(-1) ?? NaN));
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
          leastCurvature > -1e-9,
        numbers: {
          largestError: error,
          distanceToMaximizer: atMaximizer,
          rhoFrom: interval[0],
          rhoTo: interval[1],
          leastCurvatureOfSurrogate: leastCurvature,
        },
      });
    }
  }
  return rows;
}

function pairs(plane: Plane): [maximizer: Point, minimizer: Point][] {
  const of = (kind: string) => plane.critical.filter((set) => set.kind === kind);
  return of("maximizer").flatMap(({ points: [maximizer] }) =>
    of("minimizer").flatMap(({ points: [minimizer] }): [Point, Point][] =>
      maximizer && minimizer ? [[maximizer, minimizer]] : [],
    ),
  );
}

/** On `ridge` minimizers form lines, and hallucinated minimizers a curve that maps onto one. */
async function manifold(): Promise<TheoremRow[]> {
  const f = planeDerivatives(planeOf("ridge"));
  const rho = 1.5;
  const { points, dimensions } = await traceHallucinated({
    f,
    x: vector(1 - rho, 0),
    rho,
    inside: ([, x2 = NaN]) => Math.abs(x2) < 3,
  });
  const offValley: number[] = [];
  const singular: number[] = [];
  for (const x of points) {
    const point = await samPoint(f, x, rho);
    offValley.push(Math.abs((point.ascentPoint[0] as number) - 1));
    const { perturbation } = await denseSamPoint(f, point);
    singular.push(singularValues(perturbation).at(-1) as number);
  }
  const leastSingular = Math.min(...singular);
  return [
    {
      statement: "Theorem 3.1",
      claim:
        "hallucinated minimizers form a curve: the kernel of MᵀH⁺M is a line, M is nonsingular",
      plane: "ridge",
      passed: worst(offValley) < 1e-9 && dimensions.every((d) => d === 1) && leastSingular > 0.01,
      numbers: {
        points: points.length,
        largestDistanceToMinimizers: worst(offValley),
        leastSingularValueOfM: leastSingular,
        kernelDimension: worst(dimensions),
      },
    },
  ];
}

/** Plain SAM in closed form. */
async function runSam(f: Derivatives, start: Vector, rho: number, rate: number, steps: number) {
  let x = start;
  for (let step = 0; step < steps; step++) {
    const { gradient } = await f.lossAndGradient(x);
    const size = norm(gradient);
    const ascent = size > 0 ? along(x, rho / size, gradient) : x;
    x = along(x, -rate, (await f.lossAndGradient(ascent)).gradient);
  }
  return x;
}

async function attractionToSet(): Promise<TheoremRow[]> {
  const f = planeDerivatives(planeOf("ridge"));
  const rho = 1.5;
  const ends: number[] = [];
  const least: number[] = [];
  for (const [x1, x2] of [
    [-0.5, 0],
    [-0.5, 0.6],
    [-0.5, -1.2],
  ] as const) {
    const { point } = await refine({ f, x: vector(x1, x2), rho, tolerance: 1e-13 });
    const { perturbation } = await denseSamPoint(f, point);
    least.push(symmetricSpectrum(symmetricPart(perturbation))[0] as number);
    for (const angle of [0.4, 2, 3.5, 5]) {
      const start = along(point.x, 0.02, vector(Math.cos(angle), Math.sin(angle)));
      const end = await samPoint(f, await runSam(f, start, rho, 0.05, 400), rho);
      ends.push(
        Math.abs((end.ascentPoint[0] as number) - 1),
        distance(end.x, point.x) > 0.1 ? 1 : 0,
      );
    }
  }
  return [
    {
      statement: "Theorem 3.2",
      claim: "where sym(M) ≻ 0 SAM with a small learning rate converges to the set",
      plane: "ridge",
      passed: Math.min(...least) > 0 && worst(ends) < 1e-9,
      numbers: { leastEigenvalueOfSymM: Math.min(...least), largestDistanceAtEnd: worst(ends) },
    },
  ];
}

async function attractionToPoint(): Promise<TheoremRow[]> {
  const cases: [PlaneName, number, Vector][] = [
    ["cosine", 4, vector(2 * Math.PI - 4, 0)],
    ["wide-narrow", 2.5, vector(5.900680416658958 - 2.5, 0)],
  ];
  const rows: TheoremRow[] = [];
  for (const [name, rho, x] of cases) {
    const f = planeDerivatives(planeOf(name));
    const point = await samPoint(f, x, rho);
    const { perturbation, surrogateHessian } = await denseSamPoint(f, point);
    const leastCurvature = symmetricSpectrum(surrogateHessian)[0] as number;
    const leastSymmetric = symmetricSpectrum(symmetricPart(perturbation))[0] as number;
    const ends: number[] = [];
    for (const angle of [0.3, 1.7, 3, 4.9]) {
      const start = along(x, 0.05, vector(Math.cos(angle), Math.sin(angle)));
      ends.push(distance(await runSam(f, start, rho, 0.05, 1000), x));
    }
    rows.push({
      statement: "Corollary B.3",
      claim: "x* isolated and M nonsingular: x_h is isolated, and SAM converges to it",
      plane: name,
      passed: leastCurvature > 0 && leastSymmetric > 0 && worst(ends) < 1e-9,
      numbers: {
        leastCurvature,
        leastEigenvalueOfSymM: leastSymmetric,
        largestDistanceAtEnd: worst(ends),
      },
    });
  }
  return rows;
}

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

async function inertia(): Promise<TheoremRow[]> {
  const rows: TheoremRow[] = [];
  for (const [name, rho] of hallucinating) {
    const plane = planeOf(name);
    const f = planeDerivatives(plane);
    let [agree, compared] = [0, 0];
    const errors: number[] = [];
    for (const point of await searchPlane({ plane, rho, resolution: 30 })) {
      const matrices = await denseSamPoint(f, point);
      const least = singularValues(matrices.perturbation).at(-1) as number;
      if (point.gradNorm < 0.05 || least < 0.02) continue;
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
async function dynamics(): Promise<TheoremRow[]> {
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
    const limit = Math.min(...values.map(({ re, im }) => (2 * re) / (re * re + im * im)));
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
async function drawnToSaddle(): Promise<TheoremRow[]> {
  const f = planeDerivatives(planeOf("himmelblau"));
  const rho = 4;
  const near = vector(-0.46309417959311316, -1.0174704992636328);
  const { point } = await refine({ f, x: near, rho, tolerance: 1e-13 });
  const { shiftedHessian, samJacobian } = await denseSamPoint(f, point);
  const [least = NaN, largest = NaN] = symmetricSpectrum(shiftedHessian);
  const leastReal = Math.min(...spectrum(samJacobian).map(({ re }) => re));
  const end = await runSam(f, along(point.x, 0.02, vector(0.6, -0.8)), rho, 2e-3, 2000);
  return [
    {
      statement: "Drawn to a saddle",
      claim:
        "SAM converges to a point whose ascent point is a saddle, so not to a minimizer of f^SAM",
      plane: "himmelblau",
      passed: least < 0 && largest > 0 && leastReal > 0 && distance(end, point.x) < 1e-9,
      numbers: {
        gradNorm: point.gradNorm,
        leastEigenvalueOfShiftedHessian: least,
        leastRealPartOfSamJacobian: leastReal,
        distanceAtEnd: distance(end, point.x),
      },
    },
  ];
}

/** Points with x⁺ = c lie on the sphere, are critical on it, and f decreases outward there. */
async function fromPointsToSphere(): Promise<TheoremRow[]> {
  const rows: TheoremRow[] = [];
  for (const [name, rho] of hallucinating) {
    const plane = planeOf(name);
    const f = planeDerivatives(plane);
    const [offSphere, angles, tangents]: number[][] = [[], [], []];
    let outward = 0;
    const points = await searchPlane({ plane, rho, resolution: 30 });
    for (const point of points) {
      const center = point.ascentPoint;
      const normal = unit(minus(point.x, center));
      const radial = dot(point.gradient, normal);
      offSphere?.push(Math.abs(distance(point.x, center) - rho));
      angles?.push(norm(along(point.gradient, -radial, normal)) / point.gradNorm);
      if (radial >= 0) outward++;
      // On the tangent: M = (ρ/‖g‖)·(constrained Hessian), the latter tᵀHt − ⟨g, n⟩/ρ.
      const tangent = vector(-(normal[1] as number), normal[0] as number);
      const { hessian, perturbation } = await denseSamPoint(f, point);
      const constrained = dot(tangent, apply(hessian, tangent)) - radial / rho;
      const along1 = dot(tangent, apply(perturbation, tangent));
      tangents?.push(
        Math.abs(along1 - (rho / point.gradNorm) * constrained) / (1 + Math.abs(along1)),
      );
    }
    rows.push({
      statement: "Sphere, from x⁺ = c",
      claim:
        "every hallucinated point is critical on the sphere around x⁺, with inward gradient; there M is ρ/‖g‖ times the constrained Hessian",
      plane: name,
      passed:
        points.length > 0 &&
        outward === 0 &&
        worst([...(offSphere ?? []), ...(angles ?? []), ...(tangents ?? [])]) < 1e-9,
      numbers: {
        points: points.length,
        outward,
        largestDistanceToSphere: worst(offSphere ?? []),
        largestAngle: worst(angles ?? []),
        largestErrorOfM: worst(tangents ?? []),
      },
    });
  }
  return rows;
}

/** Constrained minima with inward gradient have the center as ascent point, and M ≻ 0 across. */
async function fromSphereToPoints(): Promise<TheoremRow[]> {
  const cases: [PlaneName, number, Vector][] = [
    ["cosine", 4, vector(2 * Math.PI, 0)],
    ["wide-narrow", 2.5, vector(5.900680416658958, 0)],
    ["himmelblau", 4.6, vector(3, 2)],
    ["ring", 2, vector(((1 + Math.sqrt(5)) / 2) ** 2, 0)],
  ];
  const rows: TheoremRow[] = [];
  for (const [name, rho, center] of cases) {
    const f = planeDerivatives(planeOf(name));
    const { hallucinated } = await searchSphere({ f, center, rho });
    const errors: number[] = [];
    const tangents: number[] = [];
    for (const { x } of hallucinated) {
      const point = await samPoint(f, x, rho);
      errors.push(distance(point.ascentPoint, center));
      const { perturbation } = await denseSamPoint(f, point);
      const tangent = vector(-(point.direction[1] as number), point.direction[0] as number);
      tangents.push(dot(tangent, apply(perturbation, tangent)));
    }
    rows.push({
      statement: "Sphere, to x⁺ = c",
      claim:
        "constrained minima on the sphere with inward gradient have x⁺ = c, and M ≻ 0 across the radius",
      plane: name,
      passed: hallucinated.length > 0 && worst(errors) < 1e-8 && Math.min(...tangents) > 0,
      numbers: {
        points: hallucinated.length,
        largestError: worst(errors),
        leastTangentialM: Math.min(...tangents),
      },
    });
  }
  return rows;
}

/** The point that Theorem 2.1 constructs near a maximizer minimizes f^SAM and repels SAM. */
async function constructedRepel(): Promise<TheoremRow[]> {
  const plane = planeOf("bump");
  const f = planeDerivatives(plane);
  const [pair] = pairs(plane);
  if (pair === undefined) return [];
  const [maximizer, minimizer] = pair;
  const r = 0.3;
  const x: Point = [maximizer[0] + r, 0];
  const built = construct({
    plane,
    maximizer,
    minimizer,
    epsilon: plane.value(maximizer) - plane.value(x),
  });
  const point = await samPoint(f, vector(...built.x), built.rho);
  const { perturbation, samJacobian, surrogateHessian } = await denseSamPoint(f, point);
  const surrogate = symmetricSpectrum(surrogateHessian);
  const jacobian = spectrum(samJacobian).map(({ re }) => re);
  const end = await runSam(f, along(point.x, 1e-3, vector(0.6, 0.8)), built.rho, 0.01, 4000);
  const toMaximizer = distance(end, vector(...maximizer));
  return [
    {
      statement: "Constructed points repel",
      claim:
        "the constructed point is a minimizer of f^SAM, yet SAM leaves it and ends chattering at the maximizer; tangentially M ≈ 1 − ρ/r",
      plane: "bump",
      passed:
        (surrogate[0] ?? NaN) > 0 &&
        Math.min(...jacobian) < 0 &&
        distance(end, point.x) > 0.1 &&
        toMaximizer < 0.1,
      numbers: {
        rho: built.rho,
        surrogateMin: surrogate[0] ?? NaN,
        surrogateMax: surrogate.at(-1) ?? NaN,
        samJacobianMin: Math.min(...jacobian),
        samJacobianMax: Math.max(...jacobian),
        tangentialM: perturbation.get(1, 1),
        oneMinusRhoOverR: 1 - built.rho / r,
        distanceToMaximizerAtEnd: toMaximizer,
      },
    },
  ];
}

/** A branch with a fold, point by point against the constrained critical points on each circle. */
async function continuation(): Promise<TheoremRow[]> {
  const plane = planeOf("himmelblau");
  const f = planeDerivatives(plane);
  const center = vector(3, 2);
  const rho = 6.3;
  const [start] = criticalOnCircle(plane, [3, 2], rho);
  if (start === undefined) return [];
  const branch = await continueInRho({ f, center, x: vector(...start), rho, range: [0.1, 9] });
  const errors = branch.points.map(({ x, rho }) =>
    Math.min(...criticalOnCircle(plane, [3, 2], rho).map((y) => distance(x, vector(...y)))),
  );
  const singular: number[] = [];
  for (const fold of branch.folds) {
    const { perturbation } = await denseSamPoint(f, await samPoint(f, fold.x, fold.rho));
    singular.push(singularValues(perturbation).at(-1) as number);
  }
  // dx/dρ by differences along the branch against M dx/dρ = −u.
  return [
    {
      statement: "Continuation",
      claim:
        "the branch of points with x⁺ = c agrees with brute force at every ρ, and folds where M is singular",
      plane: "himmelblau",
      passed: worst(errors) < 1e-6 && branch.folds.length > 0 && worst(singular) < 1e-6,
      numbers: {
        points: branch.points.length,
        rhoFrom: branch.interval[0],
        rhoTo: branch.interval[1],
        folds: branch.folds.length,
        largestDistanceToBruteForce: worst(errors),
        singularValueOfMAtFolds: worst(singular),
      },
    },
  ];
}

/** Brute force: critical points on a circle with inward gradient, by bisection. */
function criticalOnCircle({ gradient }: Plane, center: Point, rho: number): Point[] {
  const at = (t: number): Point => [center[0] + rho * Math.cos(t), center[1] + rho * Math.sin(t)];
  const turning = (t: number) => {
    const [g1, g2] = gradient(at(t));
    return g2 * Math.cos(t) - g1 * Math.sin(t);
  };
  const found: Point[] = [];
  const count = 2000;
  for (let i = 0; i < count; i++) {
    let [a, b] = [(2 * Math.PI * i) / count, (2 * Math.PI * (i + 1)) / count];
    const sign = Math.sign(turning(a));
    if (sign === Math.sign(turning(b))) continue;
    for (let k = 0; k < 50; k++) {
      const middle = (a + b) / 2;
      if (Math.sign(turning(middle)) === sign) a = middle;
      else b = middle;
    }
    const [g1, g2] = gradient(at(a));
    if (g1 * Math.cos(a) + g2 * Math.sin(a) < 0) found.push(at(a));
  }
  return found;
}

/** From where SAM has got to after a few steps, tens of products do what many steps would. */
async function rootFinding(): Promise<TheoremRow[]> {
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
async function exactGradient(): Promise<TheoremRow[]> {
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
