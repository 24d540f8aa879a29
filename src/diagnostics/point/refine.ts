/** Refinement: from a stalled iterate to a zero of g⁺, where there is one near. */
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { restPoint, type Motion, type RestPoint } from "./rest-point.ts";
import {
  along,
  combine,
  distance,
  norm,
  mostVectors,
  orthogonalize,
  scaled,
  type Vector,
} from "../algebra/vectors.ts";

/** The point to refine, the method whose zero is sought, and when to stop. */
export interface RefineOptions extends Motion {
  readonly x: Vector;
  /** ‖v‖/‖G‖ to reach, for SAM GradRatio; default 1e-10. */
  readonly tolerance?: number;
  /** Hessian-vector products to spend at most; default 500. */
  readonly maxProducts?: number | undefined;
  /** Dimension of the Krylov subspace each step is sought in; default 40. */
  readonly subspace?: number;
  /** Longer steps are shortened to this, to stay in the basin; default ρ/10. */
  readonly longestStep?: number;
  /** Go no farther from the start than this; default: anywhere. */
  readonly reach?: number;
  /** ‖v‖ from which on rounding counts: a step that does not lower it to a tenth is the last; default 0. */
  readonly rounding?: number;
  /** Told after every step. */
  readonly onStep?: (step: RefineStep) => void;
}

/** Where the iteration stood. The first entry of a log is the start. */
export interface RefineStep {
  /** Hessian-vector products so far. */
  readonly products: number;
  readonly loss: number;
  readonly shiftedLoss: number;
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  /** ‖v‖/‖G‖: for SAM without decay ‖g⁺‖/‖g‖. */
  readonly gradRatio: number;
  /** Length of the step that led here. */
  readonly length: number;
  /** Distance from the start. */
  readonly moved: number;
  /** μ of the accepted step, relative to the largest singular value squared. */
  readonly damping: number;
}

/** What refining led to. */
export interface Refinement {
  readonly point: RestPoint["sam"];
  /** The same point, as the method sees it. */
  readonly rest: RestPoint;
  readonly steps: readonly RefineStep[];
  readonly converged: boolean;
  /** Why the iteration ended. */
  readonly sentence: string;
}

/** Dampings tried, relative to the square of the largest singular value, from Newton's step on. */
const dampings = [0, ...Array.from({ length: 13 }, (_, i) => 10 ** (-12 + i))];
/** A step that does not lower ‖v‖ by this fraction counts as none. */
const leastGain = 1e-3;

/**
 * Levenberg–Marquardt iteration on F(x) = v(x) = 0, for SAM g⁺(x) = 0 with Jacobian J = H⁺M: each step
 * minimizes ‖F + J δ‖² + μ‖δ‖² over a Krylov subspace of J that starts at F, with the μ that lowers
 * ‖F‖ most. One subspace serves every μ, so trying several costs gradients only, no products.
 */
export async function refine({
  x,
  tolerance = 1e-10,
  maxProducts = 500,
  subspace = 40,
  longestStep,
  reach = Infinity,
  rounding = 0,
  onStep,
  ...motion
}: RefineOptions): Promise<Refinement> {
  const { f, rho, direction } = motion;
  const spent = () => f.cost.products + (direction?.cost.products ?? 0);
  const first = spent();
  const longest = longestStep ?? (rho > 0 ? rho : norm(x)) / 10;
  let rest = await restPoint(motion, x);
  const steps: RefineStep[] = [];
  const log = (length: number, damping: number) => {
    const { loss, shiftedLoss, gradNorm, shiftedGradNorm } = rest.sam;
    const step = {
      products: spent() - first,
      loss,
      shiftedLoss,
      gradNorm,
      shiftedGradNorm,
      gradRatio: rest.ratio,
      length,
      moved: distance(rest.x, x),
      damping,
    };
    steps.push(step);
    onStep?.(step);
  };
  const end = (converged: boolean, sentence: string): Refinement => ({
    point: rest.sam,
    rest,
    steps,
    converged,
    sentence,
  });
  const name = rest.isSam && rest.weightDecay === 0 ? "g⁺" : "v";
  log(0, 0);
  for (;;) {
    if (rest.ratio <= tolerance) return end(true, `${name} vanishes.`);
    const left = maxProducts - (spent() - first);
    const size = Math.min(subspace, mostVectors(f.dimension), f.dimension, Math.floor(left / 2));
    if (size < 1) return end(false, `The budget of ${maxProducts} products is spent.`);
    const { basis, hessenberg } = await arnoldi(rest, size);
    let best: { rest: RestPoint; damping: number } | undefined;
    for (const damping of dampings) {
      const y = leastSquares(hessenberg, rest.directionNorm, damping);
      const shorten = Math.min(1, longest / Math.hypot(...y));
      const next = await restPoint(motion, along(rest.x, shorten, combine(y, basis)));
      if (distance(next.x, x) > reach) continue;
      if (next.directionNorm < (best?.rest ?? rest).directionNorm) best = { rest: next, damping };
      // More damping means a shorter step: once it stops helping, it will not help again.
      else if (best) break;
    }
    if (best === undefined || best.rest.directionNorm > (1 - leastGain) * rest.directionNorm) {
      return end(
        false,
        `No damped step lowers ‖${name}‖ any more: this is a minimum of ‖${name}‖ that is no zero, or the linear model holds nowhere near far enough.`,
      );
    }
    const length = distance(best.rest.x, rest.x);
    const before = rest.directionNorm;
    rest = best.rest;
    log(length, best.damping);
    if (before <= rounding && rest.directionNorm > before / 10) {
      return end(rest.ratio <= tolerance, `‖${name}‖ has come down to rounding.`);
    }
  }
}

/** Orthonormal V with J V = V₊ H̄ and first column −F/‖F‖. */
async function arnoldi({ jacobian, direction, directionNorm }: RestPoint, size: number) {
  const basis: Vector[] = [scaled(-1 / directionNorm, direction)];
  const columns: Vector[] = [];
  while (columns.length < size) {
    const image = await jacobian(basis.at(-1) as Vector);
    const before = norm(image);
    const components = orthogonalize(image, basis);
    const rest = norm(image);
    columns.push(Float64Array.from([...components, rest]));
    if (!(rest > 1e-14 * before)) break;
    if (columns.length < size) basis.push(scaled(1 / rest, image));
  }
  const hessenberg = Matrix.zeros(columns.length + 1, columns.length);
  columns.forEach((column, j) => column.forEach((value, i) => hessenberg.set(i, j, value)));
  return { basis, hessenberg };
}

/** The y that minimizes ‖β e₁ − H̄ y‖² + μ‖y‖², of least norm where μ = 0. */
function leastSquares(hessenberg: Matrix, beta: number, damping: number): number[] {
  // The decomposition would not end on what is not finite.
  if (!Number.isFinite(hessenberg.sum())) return Matrix.zeros(1, hessenberg.columns).to1DArray();
  const {
    leftSingularVectors: u,
    rightSingularVectors: v,
    diagonal,
  } = new SingularValueDecomposition(hessenberg);
  const largest = Math.max(...diagonal);
  const y = Matrix.zeros(hessenberg.columns, 1);
  if (!(largest > 0)) return y.to1DArray();
  diagonal.forEach((s, k) => {
    if (s <= 1e-12 * largest) return;
    const weight = (s * beta * u.get(0, k)) / (s * s + damping * largest * largest);
    y.add(v.getColumnVector(k).mul(weight));
  });
  return y.to1DArray();
}
