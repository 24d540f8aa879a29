/** SAM seen from one point: both gradients, and every derivative of its step as an operator. */
import { Matrix } from "ml-matrix";
import { fromRows, product } from "../algebra/dense.ts";
import type { NearlySymmetric } from "../algebra/rank-one.ts";
import type { Derivatives } from "./derivatives.ts";
import {
  addTo,
  along,
  combine,
  dot,
  norm,
  scaled,
  type Operator,
  type Vector,
} from "../algebra/vectors.ts";

/** A point x, its ascent point x⁺ = x + ρu with u = g/‖g‖, and what can be said about both. */
export interface SamPoint {
  readonly x: Vector;
  readonly rho: number;
  readonly loss: number;
  /** g = ∇f(x). */
  readonly gradient: Vector;
  readonly gradNorm: number;
  /** u = g/‖g‖; zero where g is. */
  readonly direction: Vector;
  /** x⁺. */
  readonly ascentPoint: Vector;
  /** f(x⁺). */
  readonly shiftedLoss: number;
  /** g⁺ = ∇f(x⁺). */
  readonly shiftedGradient: Vector;
  readonly shiftedGradNorm: number;
  /** ‖g⁺‖/‖g‖; infinite where g = 0 and g⁺ does not vanish too. */
  readonly gradRatio: number;
  /** H = ∇²f(x). */
  readonly hessian: Operator;
  /** H⁺ = ∇²f(x⁺). */
  readonly shiftedHessian: Operator;
  /** M = I + ρ Du, Du = (I − uuᵀ) H/‖g‖: the Jacobian of x ↦ x⁺. The identity where g = 0. */
  readonly perturbation: Operator;
  /** Mᵀ. */
  readonly perturbationTransposed: Operator;
  /** H⁺M, the Jacobian of g⁺: near a zero of g⁺, SAM's step is δ ← (I − η H⁺M) δ. */
  readonly samJacobian: Operator;
  /** (H⁺M)ᵀ = Mᵀ H⁺. */
  readonly samJacobianTransposed: Operator;
  /** MᵀH⁺M, where g⁺ = 0 the Hessian of the surrogate f(x⁺). */
  readonly surrogateHessian: Operator;
}

/** Evaluate both gradients at a point. Two gradients; the operators cost one to three products each. */
export async function samPoint(f: Derivatives, x: Vector, rho: number): Promise<SamPoint> {
  const { loss, gradient } = await f.lossAndGradient(x);
  const gradNorm = norm(gradient);
  const direction = gradNorm > 0 ? scaled(1 / gradNorm, gradient) : gradient;
  const ascentPoint = along(x, rho, direction);
  const shifted = await f.lossAndGradient(ascentPoint);
  const shiftedGradNorm = norm(shifted.gradient);
  const stretch = gradNorm > 0 ? rho / gradNorm : 0;

  const hessian: Operator = (v) => f.hessianTimes(x, v);
  const shiftedHessian: Operator = (v) => f.hessianTimes(ascentPoint, v);
  /** Remove the component along u, in place. */
  const project = (v: Vector): Vector => {
    addTo(v, -dot(direction, v), direction);
    return v;
  };
  // M v = v + ρ (Hv − u(uᵀHv))/‖g‖
  const perturbation: Operator = async (v) => along(v, stretch, project(await hessian(v)));
  // Mᵀ v = v + ρ H(v − u(uᵀv))/‖g‖
  const perturbationTransposed: Operator = async (v) =>
    along(v, stretch, await hessian(project(v.slice())));
  const samJacobian: Operator = async (v) => shiftedHessian(await perturbation(v));
  const samJacobianTransposed: Operator = async (v) =>
    perturbationTransposed(await shiftedHessian(v));

  return {
    x,
    rho,
    loss,
    gradient,
    gradNorm,
    direction,
    ascentPoint,
    shiftedLoss: shifted.loss,
    shiftedGradient: shifted.gradient,
    shiftedGradNorm,
    gradRatio: shiftedGradNorm === 0 ? 0 : shiftedGradNorm / gradNorm,
    hessian,
    shiftedHessian,
    perturbation,
    perturbationTransposed,
    samJacobian,
    samJacobianTransposed,
    surrogateHessian: async (v) => samJacobianTransposed(await perturbation(v)),
  };
}

/** The matrices of a point, where they are small enough to be written down. */
export interface DenseSamPoint {
  readonly hessian: Matrix;
  readonly shiftedHessian: Matrix;
  /** M. */
  readonly perturbation: Matrix;
  /** H⁺M. */
  readonly samJacobian: Matrix;
  /** Why the spectrum of H⁺M is quick to have: H⁺M = H⁺ (N + c wᵀ), N = I + (ρ/‖g‖)H. */
  readonly factors: Omit<NearlySymmetric, "shift">;
  /** MᵀH⁺M. */
  readonly surrogateHessian: Matrix;
}

/** All matrices of a point: two products with Hessians per parameter. */
export async function denseSamPoint(f: Derivatives, point: SamPoint): Promise<DenseSamPoint> {
  const rows = await f.hessian(point.x);
  const hessian = fromRows(rows);
  const shiftedHessian = fromRows(await f.hessian(point.ascentPoint));
  const { direction: u } = point;
  const stretch = point.gradNorm === 0 ? 0 : point.rho / point.gradNorm;
  // uᵀH, to take u(uᵀH) off H row by row; u = 0 where g is.
  const along = combine(u, rows);
  const perturbation = fromRows(
    rows.map((row, i) => {
      const image = row.map((h, j) => stretch * (h - (u[i] ?? 0) * (along[j] ?? 0)));
      image[i] = 1 + (image[i] ?? 0);
      return image;
    }),
  );
  const samJacobian = await product(shiftedHessian, perturbation);
  return {
    hessian,
    shiftedHessian,
    perturbation,
    samJacobian,
    factors: {
      left: shiftedHessian,
      right: Matrix.mul(hessian, stretch).add(Matrix.eye(rows.length)),
      column: scaled(-stretch, u),
      row: along,
    },
    // Made when it is asked for: half of the work.
    get surrogateHessian() {
      return perturbation.transpose().mmul(samJacobian);
    },
  };
}
