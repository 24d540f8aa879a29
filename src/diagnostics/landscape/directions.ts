/** Directions through a point of a loss: the axes along which a landscape is drawn. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { InputError } from "../../engine/errors.ts";
import { leavesWithPaths, sizeOf, type TensorType, type Tree } from "../../engine/tensor.ts";
import { randomStream } from "../../engine/random.ts";
import type { Role } from "../../problems/problem.ts";
import { extremeEigenvalues } from "../algebra/lanczos.ts";
import { spectrumEdges } from "../algebra/arnoldi.ts";
import {
  addTo,
  combine,
  dot,
  minus,
  norm,
  orthogonalize,
  scaled,
  unit,
  type Vector,
} from "../algebra/vectors.ts";
import type { SamPoint } from "../point/sam-point.ts";

/** A direction of norm 1: coordinates along it are distances between parameters. */
export interface Axis {
  /** For labels: `a filter-normalized direction (seed 0)`, `the way to minimum.safetensors`. */
  readonly name: string;
  /** Share of the variance of a run's points that lies along it, 0 to 1, where it comes from them. */
  readonly share?: number | undefined;
  readonly vector: Vector;
}

/** How a random direction is shaped: as drawn, or in the proportions of the weights. */
export type Normalization = "none" | "filter" | "layer";

/**
 * A random direction in the proportions of the weights: every filter (the weights into one unit),
 * or every layer, as long beside the others as it is in x. Where a loss does not change with the
 * scale of a filter, only such directions compare   (Li et al. 2018, section 4). Biases and the
 * parameters of normalization layers stay where they are, as there; so does what is 0 in x.
 *
 * @param role of the parameter at a path, see `Problem.role`.
 */
export function randomDirection(
  params: Tree<TensorType>,
  role: (path: string) => Role,
  x: Vector,
  normalization: Normalization,
  seed: number,
): Vector {
  const stream = randomStream(seed, "landscape", normalization);
  const direction = Float64Array.from(x, () => stream.normal());
  if (normalization === "none") return unit(direction);
  let offset = 0;
  for (const [path, { shape }] of leavesWithPaths(params)) {
    const size = sizeOf(shape);
    const isShaped = role(path) === "weight" || role(path) === "embedding";
    // The first axis of a weight counts the units that it leads to.
    const parts = normalization === "filter" ? (shape[0] ?? 1) : 1;
    for (let part = 0; part < parts; part++) {
      const range = [offset + (part * size) / parts, offset + ((part + 1) * size) / parts] as const;
      const drawn = direction.subarray(...range);
      const factor = isShaped ? norm(x.subarray(...range)) / norm(drawn) : 0;
      for (let i = 0; i < drawn.length; i++) drawn[i] = (drawn[i] as number) * factor;
    }
    offset += size;
  }
  if (norm(direction) === 0) {
    throw new InputError(
      `invalid directions: ${normalization} (every weight is 0 at this point; give random)`,
    );
  }
  return unit(direction);
}

/** Eigenvectors to the smallest and the largest eigenvalue of MᵀH⁺M, the curvature of what SAM sees; of H where ρ = 0. */
export async function eigenDirections(point: SamPoint): Promise<readonly [Axis, Axis]> {
  const { lowest, highest } = await extremeEigenvalues({
    operator: point.surrogateHessian,
    dimension: point.x.length,
    tolerance: 1e-6,
  });
  // In words, because not every font has a raised T.
  const what = point.rho === 0 ? "the loss" : "what SAM sees";
  const axis = (which: string, { value, vector }: { value: number; vector: Vector }): Axis => ({
    name: `${which} direction of ${what} (curvature ${Number(value.toPrecision(3))})`,
    vector,
  });
  return [axis("steepest", highest), axis("flattest", lowest)];
}

/**
 * Directions in which SAM's own step moves fastest and slowest: those of the rightmost and the
 * leftmost eigenvalue of H⁺M. Of a complex pair the real part of the vector is taken.
 */
export async function samEigenDirections(point: SamPoint): Promise<readonly [Axis, Axis]> {
  const { rightmost, leftmost, rightmostVector, leftmostVector } = await spectrumEdges({
    operator: point.samJacobian,
    dimension: point.x.length,
    edges: ["rightmost", "leftmost"],
    tolerance: 1e-6,
  });
  const name = (which: string, { re }: { re: number }) =>
    `${which} eigenvector of H⁺M (${Number(re.toPrecision(3))})`;
  return [
    { name: name("rightmost", rightmost), vector: rightmostVector },
    { name: name("leftmost", leftmost), vector: leftmostVector },
  ];
}

/** Two axes as they are drawn: the second made orthogonal to the first, which may cost it its share. */
export function orthonormal(first: Axis, second: Axis): readonly [Axis, Axis] {
  const vector = second.vector.slice();
  orthogonalize(vector, [first.vector]);
  if (norm(vector) < 1e-9) {
    throw new InputError(
      `invalid directions: ${first.name} and ${second.name} are one line (give another second direction, such as random)`,
    );
  }
  const isTurned = Math.abs(dot(first.vector, second.vector)) > 1e-6;
  return [first, { ...second, ...(isTurned && { share: undefined }), vector: unit(vector) }];
}

/** Where points lie on a plane or line through `center`, and how much of their spread it shows. */
export interface Projection {
  /** Coordinates of each point, one per axis. */
  readonly coordinates: readonly (readonly number[])[];
  /** Share of the points' variance about their mean that the axes keep, 0 to 1; 1 where they do not spread. */
  readonly kept: number;
}

/** Project points on orthonormal axes through `center`. */
export function project(
  points: readonly Vector[],
  center: Vector,
  axes: readonly Axis[],
): Projection {
  const coordinates = points.map((point) => {
    const offset = minus(point, center);
    return axes.map(({ vector }) => dot(offset, vector));
  });
  const spread = points.reduce((sum, point) => {
    const offset = minus(point, meanOf(points));
    return sum + dot(offset, offset);
  }, 0);
  const shown = axes.reduce((sum, _, k) => {
    const along = coordinates.map((at) => at[k] as number);
    const mean = along.reduce((a, b) => a + b, 0) / along.length;
    return sum + along.reduce((total, value) => total + (value - mean) ** 2, 0);
  }, 0);
  return { coordinates, kept: spread === 0 ? 1 : shown / spread };
}

/**
 * The two directions in which points spread most: their principal components, from the Gram matrix,
 * which is as small as the points are few. Points on a line have no second.
 *
 * @throws {InputError} when they do not spread at all.
 */
export function principalDirections(points: readonly Vector[]): readonly [Axis, ...Axis[]] {
  const mean = meanOf(points);
  const centered = points.map((point) => minus(point, mean));
  const gram = new Matrix(centered.map((a) => centered.map((b) => dot(a, b))));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, {
    assumeSymmetric: true,
  });
  const order = realEigenvalues
    .map((value, column) => ({ value, column }))
    .sort((a, b) => b.value - a.value);
  const total = order.reduce((sum, { value }) => sum + Math.max(0, value), 0);
  const axis = (which: number): Axis | undefined => {
    const { value, column } = order[which] ?? { value: 0, column: 0 };
    // Rounding alone leaves eigenvalues of about 1e-16 of the largest, with vectors that mean nothing.
    if (!(value > 1e-14 * total)) return undefined;
    const vector = combine(eigenvectorMatrix.getColumn(column), centered);
    return {
      name: `principal component ${which + 1}`,
      share: value / total,
      vector: unit(vector),
    };
  };
  const [first, second] = [axis(0), axis(1)];
  if (first === undefined) {
    throw new InputError("invalid directions: trajectory (the run stands still; give another)");
  }
  return second === undefined ? [first] : [first, second];
}

function meanOf(points: readonly Vector[]): Vector {
  const sum = new Float64Array(points[0]?.length ?? 0);
  for (const point of points) addTo(sum, 1, point);
  return scaled(1 / points.length, sum);
}
