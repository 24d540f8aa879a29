/** Spheres around critical points, and branches of points on them as the radius changes. */
import type { PlaneName } from "../../problems/planes/index.ts";
import type { Plane, Point } from "../../problems/problem.ts";
import { construct } from "../search/construction.ts";
import { continueInRho } from "../search/continuation.ts";
import { apply, singularValues, spectrum, symmetricSpectrum } from "../algebra/dense.ts";
import { planeDerivatives } from "../point/derivatives.ts";
import { searchPlane } from "../search/plane-search.ts";
import { denseSamPoint, samPoint } from "../point/sam-point.ts";
import { searchSphere } from "../search/sphere.ts";
import { along, distance, dot, minus, norm, unit, type Vector } from "../algebra/vectors.ts";
import {
  type TheoremRow,
  hallucinating,
  vector,
  planeOf,
  worst,
  least,
  extremumPairs,
  runSam,
} from "./shared.ts";

/** Points with x⁺ = c lie on the sphere, are critical on it, and f decreases outward there. */
export async function fromPointsToSphere(): Promise<TheoremRow[]> {
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
export async function fromSphereToPoints(): Promise<TheoremRow[]> {
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
      passed: hallucinated.length > 0 && worst(errors) < 1e-8 && least(tangents) > 0,
      numbers: {
        points: hallucinated.length,
        largestError: worst(errors),
        leastTangentialM: least(tangents),
      },
    });
  }
  return rows;
}

/** The point that Theorem 2.1 constructs near a maximizer minimizes f^SAM and repels SAM. */
export async function constructedRepel(): Promise<TheoremRow[]> {
  const plane = planeOf("bump");
  const f = planeDerivatives(plane);
  const [[maximizer, minimizer]] = extremumPairs(plane) as [[Point, Point]];
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
        least(jacobian) < 0 &&
        distance(end, point.x) > 0.1 &&
        toMaximizer < 0.1,
      numbers: {
        rho: built.rho,
        surrogateMin: surrogate[0] ?? NaN,
        surrogateMax: surrogate.at(-1) ?? NaN,
        samJacobianMin: least(jacobian),
        samJacobianMax: Math.max(...jacobian),
        tangentialM: perturbation.get(1, 1),
        oneMinusRhoOverR: 1 - built.rho / r,
        distanceToMaximizerAtEnd: toMaximizer,
      },
    },
  ];
}

/** A branch with a fold, point by point against the constrained critical points on each circle. */
export async function continuation(): Promise<TheoremRow[]> {
  const plane = planeOf("himmelblau");
  const f = planeDerivatives(plane);
  const center = vector(3, 2);
  const rho = 6.3;
  const [start] = criticalOnCircle(plane, [3, 2], rho) as [Point];
  const branch = await continueInRho({
    step: 0.03,
    f,
    center,
    x: vector(...start),
    rho,
    range: [0.1, 9],
  });
  const errors = branch.points.map(({ x, rho }) =>
    least(criticalOnCircle(plane, [3, 2], rho).map((y) => distance(x, vector(...y)))),
  );
  const singular: number[] = [];
  for (const fold of branch.folds) {
    const { perturbation } = await denseSamPoint(f, await samPoint(f, fold.x, fold.rho));
    singular.push(singularValues(perturbation).at(-1) as number);
  }
  // M dx/dρ = −u, by differences between neighbors.
  const laws: number[] = [];
  for (const [i, { x, rho }] of branch.points.entries()) {
    const next = branch.points[i + 1];
    if (!next) continue;
    const move = minus(next.x, x);
    const point = await samPoint(f, along(x, 0.5, move), (rho + next.rho) / 2);
    const { perturbation } = await denseSamPoint(f, point);
    const image = apply(perturbation, move);
    const size = perturbation.norm("frobenius") * norm(move) + Math.abs(next.rho - rho);
    laws.push(norm(along(image, next.rho - rho, point.direction)) / size);
  }
  return [
    {
      statement: "Continuation",
      claim:
        "the branch of points with x⁺ = c agrees with brute force at every ρ, obeys M dx/dρ = −u, and folds where M is singular",
      plane: "himmelblau",
      passed:
        worst(errors) < 1e-6 &&
        branch.folds.length > 0 &&
        worst(singular) < 1e-6 &&
        worst(laws) < 1e-3,
      numbers: {
        points: branch.points.length,
        rhoFrom: branch.interval[0],
        rhoTo: branch.interval[1],
        folds: branch.folds.length,
        largestDistanceToBruteForce: worst(errors),
        singularValueOfMAtFolds: worst(singular),
        relativeErrorOfLaw: worst(laws),
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
