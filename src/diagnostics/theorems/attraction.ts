/** Sets of hallucinated minimizers and SAM beside them: Theorems 3.1 and 3.2, Corollary B.3. */
import type { PlaneName } from "../../problems/planes/index.ts";
import { traceHallucinated } from "../search/continuation.ts";
import { singularValues, symmetricPart, symmetricSpectrum } from "../algebra/dense.ts";
import { planeDerivatives } from "../point/derivatives.ts";
import { refine } from "../point/refine.ts";
import { denseSamPoint, samPoint } from "../point/sam-point.ts";
import { along, distance, type Vector } from "../algebra/vectors.ts";
import { type TheoremRow, vector, planeOf, worst, least, runSam } from "./shared.ts";

/** On `ridge` minimizers form lines, and hallucinated minimizers a curve that maps onto one. */
export async function manifold(): Promise<TheoremRow[]> {
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
  const leastSingular = least(singular);
  return [
    {
      statement: "Theorem 3.1",
      claim:
        "hallucinated minimizers form a curve: the kernel of MᵀH⁺M is a line, M is nonsingular",
      plane: "ridge",
      passed:
        worst(offValley) < 1e-9 &&
        least(dimensions) === 1 &&
        worst(dimensions) === 1 &&
        leastSingular > 0.01,
      numbers: {
        points: points.length,
        largestDistanceToMinimizers: worst(offValley),
        leastSingularValueOfM: leastSingular,
        kernelDimension: worst(dimensions),
      },
    },
  ];
}

export async function attractionToSet(): Promise<TheoremRow[]> {
  const f = planeDerivatives(planeOf("ridge"));
  const rho = 1.5;
  const ends: number[] = [];
  const symmetric: number[] = [];
  for (const [x1, x2] of [
    [-0.5, 0],
    [-0.5, 0.6],
    [-0.5, -1.2],
  ] as const) {
    const { point } = await refine({ f, x: vector(x1, x2), rho, tolerance: 1e-13 });
    const { perturbation } = await denseSamPoint(f, point);
    symmetric.push(symmetricSpectrum(symmetricPart(perturbation))[0] as number);
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
      passed: least(symmetric) > 0 && worst(ends) < 1e-9,
      numbers: { leastEigenvalueOfSymM: least(symmetric), largestDistanceAtEnd: worst(ends) },
    },
  ];
}

export async function attractionToPoint(): Promise<TheoremRow[]> {
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
