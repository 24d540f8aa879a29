/** Zeros of a method's direction: whether one is there, exactly, or none was found. */
import { inverse, Matrix } from "ml-matrix";
import { NotConverged, symmetricSpectrum } from "../algebra/dense.ts";
import { along, distance, norm, randomUnit, scaled, type Vector } from "../algebra/vectors.ts";
import { refine } from "./refine.ts";
import { restPoint, type Motion, type RestPoint } from "./rest-point.ts";
import { denseSamPoint } from "./sam-point.ts";

/**
 * The constants of the Newton–Kantorovich theorem   (Kantorovich 1948): where ‖Dv(x) − Dv(y)‖ ≤ L‖x − y‖
 * and h = βLη ≤ ½, v has a zero within 2η/(1 + √(1 − 2h)) of x.
 */
export interface Kantorovich {
  /** β = ‖Dv⁻¹‖. */
  readonly beta: number;
  /** η = ‖Dv⁻¹v‖, the length of Newton's step. */
  readonly eta: number;
  /** L, the largest found between x and points around it: an estimate, no bound. */
  readonly lipschitz: number;
  /** βLη. */
  readonly h: number;
  /** How far the zero can be from x; `null` where h > ½. */
  readonly radius: number | null;
}

/** What is known about a zero of v near a point. */
export interface Zero {
  /** Where the search ended. */
  readonly point: RestPoint;
  /** How far that is from where it began. */
  readonly moved: number;
  /** ‖v‖ up to which v cannot be told from 0. */
  readonly roundingLevel: number;
  /** Whether ‖v‖ is that small, or the constants say that a zero is there. */
  readonly exact: boolean;
  /** `undefined` for large problems, and where Dv is singular. */
  readonly kantorovich: Kantorovich | undefined;
}

/** Up to so many parameters Newton and Kantorovich's constants are computed. */
const kantorovichLimit = 100;

/**
 * Look for a zero of v within `reach` of a point, by Levenberg–Marquardt steps as far as float64
 * goes.
 */
export async function findZero(
  motion: Motion,
  start: RestPoint,
  { reach, maxProducts, seed }: { reach: number; maxProducts: number; seed: number },
): Promise<Zero> {
  const { rest: point } = await refine({
    ...motion,
    x: start.x,
    tolerance: 0,
    maxProducts,
    subspace: 60,
    reach,
    rounding: await roundingOf(start, seed),
  });
  const roundingLevel = await roundingOf(point, seed);
  const kantorovich = await constantsOf(motion, point, seed);
  const within = kantorovich?.radius ?? Infinity;
  return {
    point,
    moved: distance(point.x, start.x),
    roundingLevel,
    exact: point.directionNorm <= roundingLevel || within <= reach,
    kantorovich,
  };
}

/** Units in the last place that a gradient of some layers may lose. */
const lostUnits = 500;

/** ε (‖H⁺‖(‖x‖ + ρ) + ‖G‖), some units of it: what rounding x⁺ alone does to v. */
async function roundingOf({ x, sam, descentNorm }: RestPoint, seed: number): Promise<number> {
  let v: Vector = randomUnit(x.length, seed, "size of H⁺");
  let size = 0;
  for (let i = 0; i < 8; i++) {
    const image = await sam.shiftedHessian(v);
    size = norm(image);
    if (!(size > 0)) break;
    v = scaled(1 / size, image);
  }
  return lostUnits * Number.EPSILON * (size * (norm(x) + sam.rho) + descentNorm);
}

async function constantsOf(
  motion: Motion,
  point: RestPoint,
  seed: number,
): Promise<Kantorovich | undefined> {
  const { x } = point;
  if (x.length > kantorovichLimit) return undefined;
  const jacobianAt = async (at: RestPoint) => at.dense(await denseSamPoint(motion.f, at.sam));
  const jacobian = await jacobianAt(point);
  const size = jacobian.norm("frobenius");
  if (!(size > 0 && size < Infinity)) return undefined;
  try {
    // β from the smallest eigenvalue of DvDvᵀ, where that is well above rounding.
    const least = symmetricSpectrum(jacobian.mmul(jacobian.transpose()))[0] as number;
    if (!(least > 1e-14 * size * size)) return undefined;
    const beta = 1 / Math.sqrt(least);
    const step = inverse(jacobian).mmul(Matrix.columnVector(point.direction));
    const eta = norm(Float64Array.from(step.getColumn(0)));
    const around = Math.max(2 * eta, 1e-5 * (norm(x) + motion.rho));
    const slopes: number[] = [];
    for (let i = 0; i < 6; i++) {
      const y = along(x, around, randomUnit(x.length, seed, "Lipschitz", String(i)));
      const other = await jacobianAt(await restPoint(motion, y));
      // Frobenius' norm is at least the spectral one.
      slopes.push(Matrix.sub(other, jacobian).norm("frobenius") / around);
    }
    const lipschitz = Math.max(...slopes);
    const h = beta * lipschitz * eta;
    if (!Number.isFinite(h)) return undefined;
    const radius = h <= 0.5 ? (2 * eta) / (1 + Math.sqrt(1 - 2 * h)) : null;
    return { beta, eta, lipschitz, h, radius };
  } catch (error) {
    if (error instanceof NotConverged) return undefined;
    throw error;
  }
}
