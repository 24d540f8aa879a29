/** A point as the method sees it that made it: where it would move, and how that changes beside it. */
import { Matrix } from "ml-matrix";
import { addTo, along, distance, norm, type Operator, type Vector } from "../algebra/vectors.ts";
import type { Derivatives } from "./derivatives.ts";
import type { Direction } from "./direction.ts";
import { samPoint, type DenseSamPoint, type SamPoint } from "./sam-point.ts";

/** What moves: SAM in closed form, or the compiled direction of another method. */
export interface Motion {
  readonly f: Derivatives;
  /** ρ of the ascent; 0 for methods without one. */
  readonly rho: number;
  /** λ of the optimizer's weight decay; default 0. */
  readonly weightDecay?: number | undefined;
  /** Of the method, weight decay included; default: SAM's g⁺ + λx. */
  readonly direction?: Direction | undefined;
}

/** A point x with the direction v that a method follows there. It rests where v = 0. */
export interface RestPoint {
  readonly x: Vector;
  /** Both gradients at x and x⁺. */
  readonly sam: SamPoint;
  /** G = g + λx: what plain descent with the same optimizer follows. */
  readonly descent: Vector;
  readonly descentNorm: number;
  /** v. */
  readonly direction: Vector;
  readonly directionNorm: number;
  /** ‖v‖/‖G‖; 0 where v = 0. */
  readonly ratio: number;
  readonly weightDecay: number;
  /** Whether v is SAM's, g⁺ + λx with x⁺ = x + ρg/‖g‖, so that Dv = H⁺M + λI. */
  readonly isSam: boolean;
  /** Dv. */
  readonly jacobian: Operator;
  /** Dvᵀ, where it can be had. */
  readonly jacobianTransposed: Operator | undefined;
  /** All of Dv. */
  dense(matrices: Pick<DenseSamPoint, "samJacobian">): Promise<Matrix>;
}

/** The length that gradients are measured by: ρ, or ‖x‖ for methods without an ascent. */
export function scaleOf(rho: number, x: Vector): number {
  return rho > 0 ? rho : norm(x) || 1;
}

/** Relative difference up to which a method's direction counts as SAM's. */
const same = 1e-12;

/** Evaluate a method at a point. */
export async function restPoint(
  { f, rho, weightDecay = 0, direction: field }: Motion,
  x: Vector,
): Promise<RestPoint> {
  const sam = await samPoint(f, x, rho);
  const descent = along(sam.gradient, weightDecay, x);
  const followed = along(sam.shiftedGradient, weightDecay, x);
  const seen = await field?.at(x);
  const isSam =
    seen === undefined ||
    // Others agree with SAM at zeros, but not beside them.
    (field?.method === "sam" &&
      distance(seen.direction, followed) <= same * (norm(descent) + norm(followed)) &&
      distance(seen.ascentPoint, sam.ascentPoint) <= same * (norm(x) + rho));
  const direction = isSam || seen === undefined ? followed : seen.direction;
  const [descentNorm, directionNorm] = [norm(descent), norm(direction)];
  // (A + λI) w
  const decayed =
    (operator: Operator): Operator =>
    async (w) => {
      const image = await operator(w);
      addTo(image, weightDecay, w);
      return image;
    };
  return {
    x,
    sam,
    descent,
    descentNorm,
    direction,
    directionNorm,
    ratio: directionNorm === 0 ? 0 : directionNorm / descentNorm,
    weightDecay,
    isSam,
    jacobian: isSam || field === undefined ? decayed(sam.samJacobian) : (w) => field.times(x, w),
    jacobianTransposed: isSam ? decayed(sam.samJacobianTransposed) : undefined,
    async dense({ samJacobian }) {
      if (isSam || field === undefined) {
        if (weightDecay === 0) return samJacobian;
        return Matrix.add(samJacobian, Matrix.eye(x.length).mul(weightDecay));
      }
      return new Matrix(await field.columns(x)).transpose();
    },
  };
}
