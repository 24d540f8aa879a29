/** Arithmetic on flat float64 vectors in host memory. */
import { randomStream } from "../../engine/random.ts";

/** A point or direction with all parameters in one row. */
export type Vector = Float64Array<ArrayBuffer>;

/** A linear map known only by its products. It neither keeps nor changes its argument. */
export type Operator = (v: Vector) => Promise<Vector>;

/** Bytes of vectors that an iteration keeps at most, and vectors that it cannot do without. */
const mostBytes = 2 ** 31;
const fewestVectors = 8;

/** How many vectors of a dimension an iteration keeps at most: fewer in larger dimensions. */
export const mostVectors = (dimension: number): number =>
  Math.max(fewestVectors, Math.floor(mostBytes / (8 * dimension)));

/** ⟨a, b⟩. */
export function dot(a: Vector, b: Vector): number {
  // Four sums: they pipeline, and round less than one long sum does.
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const n = a.length;
  let i = 0;
  for (; i + 3 < n; i += 4) {
    s0 += (a[i] as number) * (b[i] as number);
    s1 += (a[i + 1] as number) * (b[i + 1] as number);
    s2 += (a[i + 2] as number) * (b[i + 2] as number);
    s3 += (a[i + 3] as number) * (b[i + 3] as number);
  }
  for (; i < n; i++) s0 += (a[i] as number) * (b[i] as number);
  return s0 + s1 + (s2 + s3);
}

/** ‖a‖, Euclidean. */
export const norm = (a: Vector): number => Math.sqrt(dot(a, a));

/** y ← y + s·x, in place. */
export function addTo(y: Vector, s: number, x: Vector): void {
  for (let i = 0; i < y.length; i++) y[i] = (y[i] as number) + s * (x[i] as number);
}

/** x + s·d. */
export function along(x: Vector, s: number, d: Vector): Vector {
  const y = x.slice();
  addTo(y, s, d);
  return y;
}

/** s·x. */
export const scaled = (s: number, x: Vector): Vector => x.map((value) => s * value);

/** a − b. */
export const minus = (a: Vector, b: Vector): Vector => along(a, -1, b);

/** x/‖x‖. */
export const unit = (x: Vector): Vector => scaled(1 / norm(x), x);

/** ‖a − b‖. */
export const distance = (a: Vector, b: Vector): number => norm(minus(a, b));

/** Σ wᵢ vᵢ. */
export function combine(weights: ArrayLike<number>, vectors: readonly Vector[]): Vector {
  const sum = new Float64Array(vectors[0]?.length ?? 0);
  vectors.forEach((v, i) => addTo(sum, weights[i] as number, v));
  return sum;
}

/**
 * Take out of `v`, in place, its components along orthonormal vectors, and return them. Classical
 * Gram–Schmidt, done again where much was taken out: that leaves `v` orthogonal to working
 * accuracy   (Daniel, Gragg, Kaufman & Stewart 1976).
 */
export function orthogonalize(v: Vector, basis: readonly Vector[]): Vector {
  const components = new Float64Array(basis.length);
  let after = norm(v);
  for (let pass = 0; pass < 3; pass++) {
    const before = after;
    const found = basis.map((q) => dot(q, v));
    basis.forEach((q, i) => {
      addTo(v, -(found[i] as number), q);
      components[i] = (components[i] as number) + (found[i] as number);
    });
    after = norm(v);
    if (after > 0.7 * before) break;
  }
  return components;
}

/** A direction drawn uniformly from the unit sphere; equal seeds and names give equal directions. */
export function randomUnit(dimension: number, seed: number, ...names: string[]): Vector {
  const stream = randomStream(seed, "direction", ...names);
  return unit(Float64Array.from({ length: dimension }, () => stream.normal()));
}
