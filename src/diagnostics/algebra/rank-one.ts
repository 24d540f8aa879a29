/**
 * Spectra of products of two symmetric matrices up to a rank-one term, which is what SAM's Jacobian
 * is:
 *
 * H⁺M = P (N + c wᵀ)   with P = H⁺, N = I + sH, c = −su, w = Hu, s = ρ/‖g‖.
 *
 * Where P or N is definite the matrix is similar to a symmetric one plus a bᵀ. Tridiagonalized so
 * that a becomes a multiple of a unit vector, that is a Hessenberg matrix in 4n numbers, and steps
 * of the QR algorithm keep it one: A = S + x yᵀ with S symmetric, so that what is above the diagonal
 * follows from what is below   (Eidelman, Gemignani & Gohberg 2008).
 */
import { Matrix } from "ml-matrix";
import { apply, product } from "./dense.ts";
import {
  entriesOf,
  mostIterations,
  tridiagonalize,
  turn,
  turnBack,
  vectorsOf,
  type Coordinates,
  type DenseEigenvalue,
  type Reflector,
  type Spectrum,
} from "./eigen.ts";
import { combine, dot, norm, scaled, type Vector } from "./vectors.ts";

/** A = P (N + c wᵀ) + λ I, and what it is made of. */
export interface NearlySymmetric {
  /** P. */
  readonly left: Matrix;
  /** N. */
  readonly right: Matrix;
  /** c. */
  readonly column: Vector;
  /** w. */
  readonly row: Vector;
  /** λ. */
  readonly shift: number;
}

/** Least square of a pivot, as a fraction of the largest entry of the diagonal. */
const leastPivot = 1e-8;

/** Largest mistake in the sums of all eigenvalues and of their squares, as a fraction of the size. */
const sumTolerance = 1e-9;

/**
 * The spectrum of a matrix, from its structure.
 *
 * @param matrix the matrix itself, which residuals and sums of eigenvalues are measured on.
 * @returns `undefined` where neither factor is definite, or the result does not stand up to the
 * matrix.
 */
export async function nearlySymmetricSpectrum(
  matrix: Matrix,
  { left, right, column, row, shift }: NearlySymmetric,
): Promise<Spectrum | undefined> {
  const n = matrix.rows;
  for (const sign of [1, -1, 0]) {
    const l = cholesky(sign === 0 ? right : sign === 1 ? left : Matrix.mul(left, -1));
    if (l === undefined) continue;
    // A = X (S + a bᵀ) X⁻¹ + λ I
    const [factor, transposed] = [new Matrix(l), new Matrix(l).transpose()];
    const inner = sign === 0 ? left : right;
    const middle = await product(await product(transposed, inner), factor);
    const parts =
      sign === 0
        ? // P N = P L Lᵀ, X = L⁻ᵀ
          {
            symmetric: middle,
            a: combine(apply(left, column), l),
            b: solveLower(l, row),
            coordinates: {
              right: (v: Vector) => solveUpper(l, v),
              left: (y: Vector) => timesRows(l, y),
            },
          }
        : // P N = ± L Lᵀ N, X = L
          {
            symmetric: sign === 1 ? middle : middle.mul(-1),
            a: scaled(sign, combine(column, l)),
            b: combine(row, l),
            coordinates: {
              right: (v: Vector) => timesRows(l, v),
              left: (y: Vector) => solveUpper(l, y),
            },
          };
    const found = spectrumOf(matrix, n, parts, shift);
    if (found && standsUp(matrix, found)) return found;
  }
  return undefined;
}

interface Similar {
  readonly symmetric: Matrix;
  readonly a: Vector;
  readonly b: Vector;
  readonly coordinates: Coordinates & { readonly left: (y: Vector) => Vector };
}

function spectrumOf(
  matrix: Matrix,
  n: number,
  { symmetric, a, b, coordinates }: Similar,
  shift: number,
): Spectrum | undefined {
  const reflectors: Reflector[] = [];
  const { d, e } = tridiagonalize(entriesOf(symmetric), n, a, (reflector) =>
    reflectors.push(reflector),
  );
  const onto = turn(reflectors, a)[n - 1] as number;
  // Upside down the dense row comes first: A = T + onto e₀ yᵀ.
  const y = turn(reflectors, b).reverse();
  const x = new Float64Array(n);
  x[0] = onto;
  d.reverse();
  const below = Float64Array.from(e.subarray(1)).reverse();
  const h = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    h[i * n + i] = get(d, i);
    if (i + 1 < n) h[(i + 1) * n + i] = h[i * n + i + 1] = get(below, i);
  }
  for (let j = 0; j < n; j++) h[j] = get(h, j) + onto * get(y, j);
  d[0] = get(h, 0);
  const values = rankOneEigenvalues(d, below, x, y);
  if (values === undefined) return undefined;
  const square = { n, a: entriesOf(matrix) };
  const back = (v: Vector) => turnBack(reflectors, v.slice().reverse());
  return {
    size: norm(square.a),
    values: values
      .filter(({ im }) => im >= 0)
      .map(({ re, im }) => ({ re: re + shift, im }))
      .sort((p, q) => p.re - q.re),
    conditioned: (value) =>
      vectorsOf(square, h, value.re - shift, value.im, value, {
        right: (v) => coordinates.right(back(v)),
        left: (v) => coordinates.left(back(v)),
      }),
  };
}

/** Whether eigenvalues and their squares add up to the traces of A and A². */
function standsUp(matrix: Matrix, { values, size }: Spectrum): boolean {
  let [trace, ofSquare] = [0, 0];
  for (let i = 0; i < matrix.rows; i++) {
    trace += matrix.get(i, i);
    for (let j = 0; j < matrix.rows; j++) ofSquare += matrix.get(i, j) * matrix.get(j, i);
  }
  for (const { re, im } of values) {
    const times = im > 0 ? 2 : 1;
    trace -= times * re;
    ofSquare -= times * (re * re - im * im);
  }
  return Math.abs(trace) <= sumTolerance * size && Math.abs(ofSquare) <= sumTolerance * size * size;
}

/**
 * All eigenvalues of the Hessenberg matrix A = S + x yᵀ, S symmetric, by Francis' double steps in
 * O(n) each. All arguments are destroyed; complex pairs come twice.
 *
 * @param d the diagonal of A.
 * @param e below it.
 * @returns `undefined` where an entry is not finite or an eigenvalue does not converge.
 */
export function rankOneEigenvalues(
  d: Vector,
  e: Vector,
  x: Vector,
  y: Vector,
): DenseEigenvalue[] | undefined {
  const values: DenseEigenvalue[] = [];
  /** What makes A[i, j], j > i, of A[j, i]: A − Aᵀ = x yᵀ − y xᵀ. */
  const skew = (i: number, j: number) => get(x, i) * get(y, j) - get(x, j) * get(y, i);
  const largest = [d, e].reduce(
    (most, part) => part.reduce((a, b) => Math.max(a, Math.abs(b)), most),
    0,
  );
  // As small as the rounding of the reduction.
  const negligible = Number.EPSILON * largest;
  const block = new Float64Array(9);
  let shift = 0;
  let end = d.length - 1;
  let iteration = 0;
  while (end >= 0) {
    let l = end;
    for (; l > 0; l--) {
      const neighbors = Math.abs(get(d, l - 1)) + Math.abs(get(d, l));
      if (Math.abs(get(e, l - 1)) <= Math.max(Number.EPSILON * neighbors, negligible)) {
        e[l - 1] = 0;
        break;
      }
    }
    let right = get(d, end);
    if (l === end) {
      values.push({ re: right + shift, im: 0 });
      end--;
      iteration = 0;
      continue;
    }
    let left = get(d, end - 1);
    let w = get(e, end - 1) * (get(e, end - 1) + skew(end - 1, end));
    if (l === end - 1) {
      const p = 0.5 * (left - right);
      const q = p * p + w;
      const root = Math.sqrt(Math.abs(q));
      right += shift;
      if (q >= 0) {
        const z = p + (p >= 0 ? root : -root);
        values.push({ re: right + z, im: 0 }, { re: z === 0 ? right : right - w / z, im: 0 });
      } else if (root <= negligible) {
        values.push({ re: right + p, im: 0 }, { re: right + p, im: 0 });
      } else {
        values.push({ re: right + p, im: root }, { re: right + p, im: -root });
      }
      end -= 2;
      iteration = 0;
      continue;
    }
    if (iteration >= mostIterations || !Number.isFinite(w)) return undefined;
    if (iteration % 10 === 9) {
      // An exceptional shift, against cycles.
      shift += right;
      for (let i = 0; i <= end; i++) d[i] = get(d, i) - right;
      const s = Math.abs(get(e, end - 1)) + Math.abs(get(e, end - 2));
      right = left = 0.75 * s;
      w = -0.4375 * s * s;
    }
    iteration++;
    // The first column of (A − λ₁)(A − λ₂), λ those of the block at the end, divided by e.
    const z = get(d, l);
    let p = ((right - z) * (left - z) - w) / get(e, l) + get(e, l) + skew(l, l + 1);
    let q = get(d, l + 1) - z - (right - z) - (left - z);
    let r = get(e, l + 1);
    /** A[k + 1, k − 1], A[k + 2, k − 1] and A[k + 2, k]: the bulge. */
    let [f1, f2, f3] = [0, 0, 0];
    for (let k = l; k < end; k++) {
      const three = k < end - 1;
      if (k > l) [p, q, r] = [get(e, k - 1), f1, three ? f2 : 0];
      const size = Math.abs(p) + Math.abs(q) + Math.abs(r);
      if (size === 0) {
        [f1, f2, f3] = [f3, 0, 0];
        continue;
      }
      [p, q, r] = [p / size, q / size, r / size];
      const length = Math.sqrt(p * p + q * q + r * r);
      const s = p >= 0 ? length : -length;
      if (k > l) e[k - 1] = -s * size;
      // I − (u₀, u₁, u₂)ᵀ(1, q, r)
      p += s;
      const u0 = p / s;
      const u1 = q / s;
      const u2 = r / s;
      q /= p;
      r /= p;
      // The block of rows and columns k to k + 2, what is above its diagonal by symmetry.
      const [c10, c20, c21] = [get(e, k), f3, three ? get(e, k + 1) : 0];
      block[0] = get(d, k);
      block[1] = c10 + skew(k, k + 1);
      block[2] = three ? c20 + skew(k, k + 2) : 0;
      block[3] = c10;
      block[4] = get(d, k + 1);
      block[5] = three ? c21 + skew(k + 1, k + 2) : 0;
      block[6] = c20;
      block[7] = c21;
      block[8] = three ? get(d, k + 2) : 0;
      for (let j = 0; j < 3; j++) {
        const sum = get(block, j) + q * get(block, 3 + j) + r * get(block, 6 + j);
        block[j] = get(block, j) - sum * u0;
        block[3 + j] = get(block, 3 + j) - sum * u1;
        block[6 + j] = get(block, 6 + j) - sum * u2;
      }
      for (let i = 0; i < 9; i += 3) {
        const sum = u0 * get(block, i) + u1 * get(block, i + 1) + u2 * get(block, i + 2);
        block[i] = get(block, i) - sum;
        block[i + 1] = get(block, i + 1) - sum * q;
        block[i + 2] = get(block, i + 2) - sum * r;
      }
      for (const z of [x, y]) {
        const sum = get(z, k) + q * get(z, k + 1) + (three ? r * get(z, k + 2) : 0);
        z[k] = get(z, k) - sum * u0;
        z[k + 1] = get(z, k + 1) - sum * u1;
        if (three) z[k + 2] = get(z, k + 2) - sum * u2;
      }
      d[k] = get(block, 0);
      e[k] = get(block, 3);
      d[k + 1] = get(block, 4);
      [f1, f2, f3] = [get(block, 6), 0, 0];
      if (!three) continue;
      e[k + 1] = get(block, 7);
      d[k + 2] = get(block, 8);
      if (k + 3 > end) continue;
      // The row below has one entry, which spreads.
      const spread = u2 * get(e, k + 2);
      [f2, f3] = [-spread, -spread * q];
      e[k + 2] = get(e, k + 2) - spread * r;
    }
  }
  return values;
}

/** L with A = L Lᵀ, row by row; `undefined` where A is not clearly positive definite. */
function cholesky(matrix: Matrix): Vector[] | undefined {
  const n = matrix.rows;
  let most = 0;
  for (let i = 0; i < n; i++) most = Math.max(most, matrix.get(i, i));
  const rows = Array.from({ length: n }, (_, i) => Float64Array.from(matrix.getRow(i)));
  for (let first = 0; first < n; first += 4) {
    // Four rows at a time: the rows above them are read once for all.
    const four = rows.slice(first, first + 4);
    const [r0, r1, r2, r3] = four;
    if (r0 && r1 && r2 && r3) {
      for (let j = 0; j < first; j++) {
        const other = rows[j] as Vector;
        const pivot = get(other, j);
        let s0 = 0;
        let s1 = 0;
        let s2 = 0;
        let s3 = 0;
        for (let k = 0; k < j; k++) {
          const value = get(other, k);
          s0 += value * get(r0, k);
          s1 += value * get(r1, k);
          s2 += value * get(r2, k);
          s3 += value * get(r3, k);
        }
        r0[j] = (get(r0, j) - s0) / pivot;
        r1[j] = (get(r1, j) - s1) / pivot;
        r2[j] = (get(r2, j) - s2) / pivot;
        r3[j] = (get(r3, j) - s3) / pivot;
      }
    }
    const done = four.length === 4 ? first : 0;
    for (const [k, row] of four.entries()) {
      const i = first + k;
      for (let j = done; j < i; j++) {
        const other = rows[j] as Vector;
        row[j] = (get(row, j) - partOf(row, other, j)) / get(other, j);
      }
      const square = get(row, i) - partOf(row, row, i);
      if (!(square > leastPivot * most)) return undefined;
      row[i] = Math.sqrt(square);
      row.fill(0, i + 1);
    }
  }
  return rows;
}

/** The product of the first `count` entries of two rows. */
function partOf(a: Vector, b: Vector, count: number): number {
  // Four sums pipeline.
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < count; i += 4) {
    s0 += get(a, i) * get(b, i);
    s1 += get(a, i + 1) * get(b, i + 1);
    s2 += get(a, i + 2) * get(b, i + 2);
    s3 += get(a, i + 3) * get(b, i + 3);
  }
  for (; i < count; i++) s0 += get(a, i) * get(b, i);
  return s0 + s1 + (s2 + s3);
}

/** L v. */
const timesRows = (rows: readonly Vector[], v: Vector): Vector =>
  Float64Array.from(rows, (row) => dot(row, v));

/** L⁻¹ v. */
function solveLower(rows: readonly Vector[], v: Vector): Vector {
  const x = v.slice();
  rows.forEach((row, i) => {
    x[i] = (get(x, i) - partOf(row, x, i)) / get(row, i);
  });
  return x;
}

/** L⁻ᵀ v. */
function solveUpper(rows: readonly Vector[], v: Vector): Vector {
  const x = v.slice();
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i] as Vector;
    const value = get(x, i) / get(row, i);
    x[i] = value;
    for (let j = 0; j < i; j++) x[j] = get(x, j) - value * get(row, j);
  }
  return x;
}

const get = (values: Vector, i: number): number => values[i] as number;
