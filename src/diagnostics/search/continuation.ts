/** Branches of hallucinated points: along ρ, and along curves of them at one ρ. */
import { InputError } from "../../engine/errors.ts";
import { symmetricSpectrum } from "../algebra/dense.ts";
import type { Derivatives } from "../point/derivatives.ts";
import { denseSamPoint, samPoint } from "../point/sam-point.ts";
import { traceCurve, type Trace } from "../algebra/trace.ts";
import { distance, minus, type Vector } from "../algebra/vectors.ts";

/** The largest problem continued along a branch: each step decomposes a dense matrix. */
const largestDimension = 200;

/** Where a branch starts and how far to follow it. */
export interface BranchOptions {
  readonly f: Derivatives;
  /** The critical point of f that all points of the branch have as their ascent point. */
  readonly center: Vector;
  /** A point with x⁺ = center at `rho`, or near one. */
  readonly x: Vector;
  readonly rho: number;
  /** Follow the branch while ρ stays inside; default 0 to 10 times `rho`. */
  readonly range?: readonly [number, number];
  /** Longest step along the branch in (x, ρ); default `rho`/50. */
  readonly step?: number;
  /** Points in each of both directions; default 500. */
  readonly maxPoints?: number;
}

export interface BranchPoint {
  readonly x: Vector;
  readonly rho: number;
  /** dρ/ds along the branch; changes sign at folds. */
  readonly slope: number;
  readonly gradNorm: number;
}

/** Points of one branch, in order. */
export interface Branch {
  /** In order along the branch. */
  readonly points: readonly BranchPoint[];
  /** Points where the branch turns back in ρ, where M is singular: ρ located to about 1e-8. */
  readonly folds: readonly BranchPoint[];
  /** Least and largest ρ on the branch. */
  readonly interval: readonly [number, number];
  /** Why each direction ended: toward smaller ρ first, then toward larger. */
  readonly ends: readonly [Trace["end"], Trace["end"]];
}

/**
 * The branch x(ρ) of points with x + ρu(x) = center, along which M dx/dρ = −u, in both directions
 * and through folds.
 *
 * @throws {InputError} when the problem has more than 200 parameters or no branch passes near `x`.
 */
export async function continueInRho({
  f,
  center,
  x,
  rho,
  range = [0, 10 * rho],
  step = rho / 50,
  maxPoints = 500,
}: BranchOptions): Promise<Branch> {
  checkDimension(f);
  const split = (z: Vector) => ({ x: z.slice(0, -1), rho: z.at(-1) as number });
  const equations = {
    // x + ρu(x) − c = 0, Jacobian [M u].
    async evaluate(z: Vector) {
      const { x, rho } = split(z);
      const point = await samPoint(f, x, rho);
      const { perturbation } = await denseSamPoint(f, point);
      const jacobian = perturbation.clone().addColumn(f.dimension, [...point.direction]);
      return { residual: minus(point.ascentPoint, center), jacobian };
    },
    inside: (z: Vector) => split(z).rho > range[0] && split(z).rho < range[1],
  };
  const start = Float64Array.from([...x, rho]);
  const axis = (sign: number) => start.map((_, i) => (i === f.dimension ? sign : 0));
  const options = { start, step, maxPoints };
  const down = await traceCurve(equations, { ...options, toward: axis(-1) });
  const up = await traceCurve(equations, { ...options, toward: axis(1) });
  if (down.points.length === 0) {
    throw new InputError(
      `invalid point: no branch of points with x⁺ = center passes near it at rho ${rho}`,
    );
  }
  const describe = async (z: Vector, slope: number): Promise<BranchPoint> => ({
    ...split(z),
    slope,
    gradNorm: (await samPoint(f, split(z).x, split(z).rho)).gradNorm,
  });
  /** The fold between two neighboring points, by halving the arc between them. */
  async function locateFold(
    from: { z: Vector; tangent: Vector },
    to: Vector,
  ): Promise<BranchPoint> {
    let [a, b] = [from, distance(from.z, to)];
    for (let i = 0; i < 30 && b > 1e-9; i++) {
      const { points } = await traceCurve(equations, {
        start: a.z.map((value, k) => value + (b / 2) * (a.tangent[k] as number)),
        toward: a.tangent,
        step: b,
        maxPoints: 1,
      });
      const [middle] = points;
      if (middle === undefined) break;
      if ((middle.tangent.at(-1) as number) * (a.tangent.at(-1) as number) > 0) a = middle;
      b /= 2;
    }
    return describe(a.z, a.tangent.at(-1) as number);
  }
  const ordered = [
    ...down.points.toReversed().map(({ z, tangent }) => ({ z, tangent: tangent.map((t) => -t) })),
    ...up.points.slice(1),
  ];
  const points: BranchPoint[] = [];
  const folds: BranchPoint[] = [];
  for (const [i, { z, tangent }] of ordered.entries()) {
    const slope = tangent.at(-1) as number;
    const next = ordered[i + 1];
    points.push(await describe(z, slope));
    if (next && slope * (next.tangent.at(-1) as number) < 0) {
      folds.push(await locateFold({ z, tangent }, next.z));
    }
  }
  const radii = [...points, ...folds].map(({ rho }) => rho);
  return {
    points,
    folds,
    interval: [Math.min(...radii), Math.max(...radii)],
    ends: [down.end, up.end],
  };
}

/** Where a curve starts and how far to trace it. */
export interface CurveOptions {
  readonly f: Derivatives;
  /** A point where g⁺ vanishes, or near one. */
  readonly x: Vector;
  readonly rho: number;
  /** Follow the curve while this holds. */
  readonly inside: (x: Vector) => boolean;
  /** Longest step along the curve; default ρ/50. */
  readonly step?: number;
  /** Points in each of both directions; default 500. */
  readonly maxPoints?: number;
  /** Eigenvalues of MᵀH⁺M below this fraction of the largest count as zero; default 1e-6. */
  readonly tolerance?: number;
}

/** A curve of hallucinated points. */
export interface HallucinatedCurve {
  /** In order along the curve. */
  readonly points: readonly Vector[];
  /** Dimension of the kernel of MᵀH⁺M at each point: 1 on a curve, by Theorem 3.1. */
  readonly dimensions: readonly number[];
  readonly ends: readonly [Trace["end"], Trace["end"]];
}

/**
 * The curve of points with g⁺ = 0 through a point, where minimizers of f are not isolated but form
 * curves   (Park et al. 2025, Theorem 3.1).
 *
 * @throws {InputError} when the problem has more than 200 parameters or there is no zero near `x`.
 */
export async function traceHallucinated({
  f,
  x,
  rho,
  inside,
  step = rho / 50,
  maxPoints = 500,
  tolerance = 1e-6,
}: CurveOptions): Promise<HallucinatedCurve> {
  checkDimension(f);
  const equations = {
    async evaluate(x: Vector) {
      const point = await samPoint(f, x, rho);
      const { samJacobian } = await denseSamPoint(f, point);
      return { residual: point.shiftedGradient, jacobian: samJacobian };
    },
    inside,
  };
  const forward = await traceCurve(equations, {
    start: x,
    toward: x.map(() => 1),
    step,
    maxPoints,
  });
  const [first] = forward.points;
  if (first === undefined) {
    throw new InputError(`invalid point: g⁺ has no zero near it at rho ${rho} (refine it first)`);
  }
  const closed = forward.end === "closed";
  const backward: Trace = closed
    ? { points: [], end: "closed" }
    : await traceCurve(equations, {
        start: first.z,
        toward: first.tangent.map((t) => -t),
        step,
        maxPoints,
      });
  const points = [...backward.points.slice(1).toReversed(), ...forward.points].map(({ z }) => z);
  const dimensions: number[] = [];
  for (const z of points) {
    const { surrogateHessian } = await denseSamPoint(f, await samPoint(f, z, rho));
    const sizes = symmetricSpectrum(surrogateHessian).map(Math.abs);
    const limit = tolerance * Math.max(...sizes);
    dimensions.push(sizes.filter((size) => size <= limit).length);
  }
  return { points, dimensions, ends: [backward.end, forward.end] };
}

function checkDimension({ dimension }: Derivatives): void {
  if (dimension > largestDimension) {
    throw new InputError(
      `invalid problem: ${dimension} parameters (continuation takes at most ${largestDimension})`,
    );
  }
}
