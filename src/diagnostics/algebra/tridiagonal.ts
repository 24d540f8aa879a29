/**
 * Tridiagonal forms: ends of spectra, counts of eigenvalues and singular values, in O(n) each once a
 * matrix is reduced.
 */
import type { Matrix } from "ml-matrix";
import { openWorker, WorkerLost } from "../../engine/worker.ts";
import { NotConverged } from "./dense.ts";
import { entriesOf, imaginaryResolvent, largest, turn, turnBack } from "./eigen.ts";
import { reducedForm, type ReducedForm, type Tridiagonal } from "./reduced-form.ts";
import type { ReductionQuestion } from "./reduction-worker.ts";
import { scaled, type Vector } from "./vectors.ts";

export type { ReducedForm, Tridiagonal } from "./reduced-form.ts";

/**
 * The tridiagonal form QᵀAQ of a symmetric matrix. Only its symmetric part is seen.
 *
 * @param last Qᵀ turns this vector into a multiple of the last unit vector; default: any.
 * @throws {NotConverged} when an entry is not finite.
 */
export const tridiagonalForm = (a: Matrix, last?: Vector): ReducedForm =>
  finiteForm(reducedForm({ n: a.rows, a: entriesOf(a) }, last));

function finiteForm(form: ReducedForm | undefined): ReducedForm {
  if (form === undefined) throw new NotConverged("no spectrum of a symmetric matrix");
  return form;
}

/** Reduces matrices to their tridiagonal forms, in a thread of its own where that pays. */
export interface Reducer {
  /** {@link tridiagonalForm}, begun at once. */
  reduce(a: Matrix, last?: Vector): Promise<ReducedForm>;
  close(): Promise<void>;
}

/** Smaller matrices are reduced before a thread has started. */
const leastBeside = 300;

/**
 * Open a reducer for matrices of n rows.
 *
 * @param threads that may compute at once.
 */
export function openReducer(n: number, threads: number): Reducer {
  const worker =
    threads > 1 && n >= leastBeside
      ? openWorker<ReductionQuestion, ReducedForm | undefined>(import.meta.url, "reduction-worker")
      : undefined;
  return {
    async reduce(a, last) {
      if (worker === undefined) return tridiagonalForm(a, last);
      try {
        return finiteForm(await worker.ask({ square: { n, a: entriesOf(a) }, last }));
      } catch (error) {
        if (!(error instanceof WorkerLost)) throw error;
        return tridiagonalForm(a, last);
      }
    },
    async close() {
      await worker?.close();
    },
  };
}

/** The smallest and the largest eigenvalue. */
export function endsOf({ d, e, scale }: Tridiagonal): { min: number; max: number } {
  const reach = rowSum({ d, e });
  const end = (below: number) =>
    scale * lastWith((x) => eigenvaluesBelow(d, e, x) <= below, -reach, reach);
  return { min: end(0), max: end(d.length - 1) };
}

/** How many eigenvalues lie within ± `limit`. */
export function eigenvaluesWithin({ d, e, scale }: Tridiagonal, limit: number): number {
  if (scale === 0) return d.length;
  const x = limit / scale;
  // Those at the limit itself are within.
  const above = x * (1 + Number.EPSILON) + Number.MIN_VALUE;
  return eigenvaluesBelow(d, e, above) - eigenvaluesBelow(d, e, -x);
}

/**
 * What takes of a vector its component in the span of the eigenvectors with |λ| ≤ `limit`: by
 * δ²/(A² + δ²) = δ Im (A − iδ)⁻¹, twice, with δ ten times the limit. That is 0.98 where |λ| is the limit,
 * 1e-4 at a hundred times of it.
 */
export function kernelPart(
  { d, e, scale, reflectors }: ReducedForm,
  limit: number,
): (v: Vector) => Vector {
  const n = d.length;
  if (scale === 0) return (v) => v.slice();
  const t = new Float64Array(n * n);
  d.forEach((value, i) => {
    t[i * n + i] = value;
    if (i > 0) t[i * n + i - 1] = t[(i - 1) * n + i] = get(e, i);
  });
  const delta = (10 * limit) / scale;
  const resolvent = imaginaryResolvent(t, n, delta);
  const filter = (v: Vector) => scaled(delta, resolvent(v));
  return (v) => turnBack(reflectors, filter(filter(turn(reflectors, v))));
}

/**
 * The Jacobian of x ↦ x⁺ in the coordinates in which H is tridiagonal and u the last unit vector. Of
 * (I − uuᵀ)H the last row is gone, so that M = I + s(I − uuᵀ)H is tridiagonal too.
 */
export interface PerturbationForm {
  /** The smallest eigenvalue of (M + Mᵀ)/2. */
  readonly minSymmetric: number;
  /** The smallest singular value of M. */
  readonly minSingular: number;
  /** How many singular values are at most so large. */
  singularAtMost(limit: number): number;
}

/**
 * What can be said about M = I + s(I − uuᵀ)H.
 *
 * @param hessian the form of H whose last coordinate is u's.
 * @param stretch s = ρ/‖g‖.
 */
export function perturbationForm({ d, e, scale }: Tridiagonal, stretch: number): PerturbationForm {
  const n = d.length;
  const factor = stretch * scale;
  const diagonal = d.map((value, i) => (i < n - 1 ? 1 + factor * value : 1));
  const above = e.map((value) => factor * value);
  const below = above.slice();
  below[n - 1] = 0;
  const unit = Math.max(largest(diagonal), largest(above));
  if (!Number.isFinite(unit)) throw new NotConverged("no singular values");
  const inUnits = (values: Vector) => scaled(1 / unit, values);
  const beside = inUnits(above);
  if (n > 1) beside[n - 1] = get(beside, n - 1) / 2;
  const zigzag = golubKahan(bidiagonal(inUnits(diagonal), inUnits(above), inUnits(below)));
  const none = new Float64Array(2 * n);
  /** Eigenvalues of [0 B; Bᵀ 0] are ± the singular values. */
  const singularBelow = (x: number) => eigenvaluesBelow(none, zigzag, x) - n;
  const least = lastWith((x) => x <= 0 || singularBelow(x) <= 0, 0, rowSum({ d: none, e: zigzag }));
  return {
    minSymmetric: endsOf({ d: inUnits(diagonal), e: beside, scale: unit }).min,
    minSingular: unit * least,
    singularAtMost: (limit) => singularBelow((limit / unit) * (1 + Number.EPSILON)),
  };
}

/** An upper bidiagonal matrix: diagonal, and `above[i]` over `diagonal[i]`. */
interface Bidiagonal {
  readonly diagonal: Vector;
  readonly above: Vector;
}

/**
 * Turn a tridiagonal matrix by rotations from both sides into an upper bidiagonal one, which has the
 * same singular values: what is below the diagonal first, then what that put two above it, row by
 * row, chasing what comes up instead off the end   (Schwarz 1968, for bands).
 *
 * @param above `above[i]` over `diagonal[i]`.
 * @param below `below[i]` left of `diagonal[i]`.
 */
function bidiagonal(diagonal: Vector, above: Vector, below: Vector): Bidiagonal {
  const n = diagonal.length;
  /** Entries from one left of the diagonal to three right of it, with room for rows past the end. */
  const width = 5;
  const band = new Float64Array((n + 1) * width);
  const place = (i: number, j: number) => i * width + j - i + 1;
  for (let i = 0; i < n; i++) {
    band[place(i, i)] = get(diagonal, i);
    if (i + 1 < n) {
      band[place(i, i + 1)] = get(above, i + 1);
      band[place(i + 1, i)] = get(below, i + 1);
    }
  }
  /** Rotate the entries at `p` and `q`, of which the second is to vanish. */
  const rotation = (p: number, q: number) => {
    const length = Math.hypot(p, q);
    return length === 0 ? ([1, 0] as const) : ([p / length, q / length] as const);
  };
  const turn = (one: number, other: number, c: number, s: number) => {
    const [a, b] = [get(band, one), get(band, other)];
    band[one] = c * a + s * b;
    band[other] = c * b - s * a;
  };
  /** Rows i and i + 1, so that what is below the diagonal in column i vanishes. */
  const rows = (i: number, until: number) => {
    const [c, s] = rotation(get(band, place(i, i)), get(band, place(i + 1, i)));
    for (let j = i; j <= Math.min(until, n - 1); j++) turn(place(i, j), place(i + 1, j), c, s);
    band[place(i + 1, i)] = 0;
  };
  /** Columns j and j + 1, so that the entry of row i in the second vanishes. */
  const columns = (i: number, j: number) => {
    const [c, s] = rotation(get(band, place(i, j)), get(band, place(i, j + 1)));
    for (let k = i; k <= j + 1; k++) turn(place(k, j), place(k, j + 1), c, s);
    band[place(i, j + 1)] = 0;
  };
  for (let i = 0; i + 1 < n; i++) rows(i, i + 2);
  for (let i = 0; i + 2 < n; i++) {
    // The entry two above the diagonal, then those that come up three above it.
    for (let [row, j] = [i, i + 1]; j + 1 < n; [row, j] = [j, j + 2]) {
      columns(row, j);
      rows(j, j + 3);
    }
  }
  return {
    diagonal: diagonal.map((_, i) => get(band, place(i, i))),
    above: diagonal.map((_, i) => (i === 0 ? 0 : get(band, place(i - 1, i)))),
  };
}

/** What stands beside the diagonal, which is 0, of [0 B; Bᵀ 0] in its tridiagonal order   (Golub & Kahan 1965). */
function golubKahan({ diagonal, above }: Bidiagonal): Vector {
  const e = new Float64Array(2 * diagonal.length);
  diagonal.forEach((value, i) => {
    e[2 * i] = get(above, i);
    e[2 * i + 1] = value;
  });
  return e;
}

/** Pivots smaller than this, in units of the largest entry, count as positive ones of this size. */
const leastPivot = 1e-290;

/** Eigenvalues below x: negative pivots of T − x I   (Sylvester's law of inertia). */
function eigenvaluesBelow(d: Vector, e: Vector, x: number): number {
  let count = 0;
  let pivot = 1;
  for (let i = 0; i < d.length; i++) {
    const side = i === 0 ? 0 : get(e, i);
    pivot = get(d, i) - x - (side / pivot) * side;
    if (Math.abs(pivot) < leastPivot) pivot = leastPivot;
    if (pivot < 0) count++;
  }
  return count;
}

/** A bound of all |eigenvalues|, by sums of rows   (Gershgorin). */
function rowSum({ d, e }: Pick<Tridiagonal, "d" | "e">): number {
  let most = 0;
  for (let i = 0; i < d.length; i++) {
    const sides = Math.abs(i === 0 ? 0 : get(e, i)) + Math.abs(e[i + 1] ?? 0);
    most = Math.max(most, Math.abs(get(d, i)) + sides);
  }
  return most * (1 + 4 * Number.EPSILON);
}

/** In units of the largest entry, what is nothing beside rounding. */
const nothing = 1e-20;

/** The last x between two bounds at which a condition holds that holds from the first on. */
function lastWith(holds: (x: number) => boolean, first: number, last: number): number {
  let [low, high] = [first, last];
  if (holds(high)) return high;
  while (high - low > nothing) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

const get = (values: Vector, i: number): number => values[i] as number;
