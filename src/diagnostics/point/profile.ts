/** The ascent profile: the loss along the line on which SAM looks ahead. */
import type { Derivatives } from "./derivatives.ts";
import { samPoint } from "./sam-point.ts";
import { along, dot, norm, type Vector } from "../algebra/vectors.ts";

/** f(x + tu), u = g/‖g‖, with x at t = 0 and the ascent point x⁺ at t = ρ. */
export interface Profile {
  readonly rho: number;
  /** ρ/‖x‖; not finite where x is 0. */
  readonly relativeRho: number;
  readonly points: readonly { readonly distance: number; readonly loss: number }[];
  /** f(x). */
  readonly loss: number;
  /** f(x⁺). */
  readonly shiftedLoss: number;
  /** ‖g‖, the slope at x. */
  readonly slope: number;
  /** ⟨u, g⁺⟩, the slope at x⁺. */
  readonly shiftedSlope: number;
}

/** Half of them per ρ, so that x and x⁺ are among them. */
const intervals = 160;

/**
 * The loss from ρ/2 before x to ρ/2 beyond x⁺. Undefined where there is no line: where g or ρ is
 * zero.
 */
export async function ascentProfile(
  f: Derivatives,
  x: Vector,
  rho: number,
): Promise<Profile | undefined> {
  const point = await samPoint(f, x, rho);
  const { gradNorm, direction } = point;
  if (gradNorm === 0 || rho === 0) return undefined;
  const points: { distance: number; loss: number }[] = [];
  for (let i = 0; i <= intervals; i++) {
    const distance = rho * ((2 * i) / intervals - 0.5);
    const { loss } = await f.lossAndGradient(along(x, distance, direction));
    points.push({ distance, loss });
  }
  return {
    rho,
    relativeRho: rho / norm(x),
    points,
    loss: point.loss,
    shiftedLoss: point.shiftedLoss,
    slope: gradNorm,
    shiftedSlope: dot(direction, point.shiftedGradient),
  };
}
