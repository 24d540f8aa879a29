/** Eigenvalues of dense matrices: every iteration is bounded, and what did not converge is said. */
import type { Matrix } from "ml-matrix";
import { addTo, dot, randomUnit, type Vector } from "./vectors.ts";

/** Iterations for one eigenvalue; three are usual. */
export const mostIterations = 60;
/** Unit roundoff of float64, twice. */
const epsilon = Number.EPSILON;

/**
 * Squares of entries, of a matrix with largest entry 1, that are far below rounding: from them on
 * reflections would be made of what rounding left of rounding, down to underflow.
 */
const nothing = 1e-40;

/** A square matrix in one row-major array. */
export interface Square {
  readonly n: number;
  readonly a: Vector;
}

/** One eigenvalue, with what tells how far rounding may have moved it. */
export interface DenseEigenvalue {
  readonly re: number;
  /** At least 0: of a complex pair, the one above the axis. */
  readonly im: number;
}

/** An eigenvector with its eigenvalue's condition. */
export interface Conditioned {
  /** 1/|y*v| for unit left and right eigenvectors y and v: by how much errors of the matrix grow. */
  readonly condition: number;
  /** ‖A v − λ v‖. */
  readonly residual: number;
  /** Real part of v, scaled to norm 1. */
  readonly vector: Vector;
  /** v, of norm 1: of a real eigenvalue its real part alone, else real and imaginary part. */
  readonly parts: readonly [re: Vector, im?: Vector];
}

/** A matrix reduced to Hessenberg form, with all its eigenvalues. */
export interface Spectrum {
  /** Leftmost first; complex pairs once. */
  readonly values: readonly DenseEigenvalue[];
  /** ‖A‖ by Frobenius. */
  readonly size: number;
  /** Vectors of an eigenvalue by inverse iteration: n² operations. */
  conditioned(value: DenseEigenvalue): Conditioned;
}

/** The entries of a matrix row by row, in one array. */
export function entriesOf(matrix: Matrix): Vector {
  const a = new Float64Array(matrix.rows * matrix.columns);
  for (let i = 0; i < matrix.rows; i++) a.set(matrix.getRow(i), i * matrix.columns);
  return a;
}

/**
 * Eigenvalues of a symmetric matrix, ascending, by Householder tridiagonalization and implicit QL
 * steps   (EISPACK tred1, tql1). Only the symmetric part is seen.
 *
 * @returns `undefined` where an entry is not finite or an eigenvalue does not converge.
 */
export function symmetricEigenvalues({ n, a: given }: Square): number[] | undefined {
  const scale = largest(given);
  if (!Number.isFinite(scale)) return undefined;
  if (scale === 0) return Array.from({ length: n }, () => 0);
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      a[i * n + j] = (0.5 * (get(given, i * n + j) + get(given, j * n + i))) / scale;
    }
  }
  const { d, e } = tridiagonalize(a, n);
  if (!tridiagonal(d, e)) return undefined;
  return Array.from(d, (value) => value * scale).sort((x, y) => x - y);
}

/**
 * Reduce a symmetric matrix, given by its lower triangle and destroyed, to tridiagonal form T = QᵀAQ:
 * diagonal `d`, `e[i]` left of `d[i]`. One pass over the matrix per reflection: it brings in the
 * last one while it multiplies by the next.
 *
 * @param last Qᵀ turns this vector into a multiple of the last unit vector; default: that vector.
 * @param onReflector told each factor of Q, the first one first.
 */
export function tridiagonalize(
  a: Vector,
  n: number,
  last?: Vector,
  onReflector?: (reflector: Reflector) => void,
): { d: Vector; e: Vector } {
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  let v = new Float64Array(n);
  let p = new Float64Array(n);
  let nextV = new Float64Array(n);
  let nextP = new Float64Array(n);
  /** Reflect the first k coordinates of x so that only the last of them remains, which is returned. */
  const reflect = (x: Vector, k: number): number => {
    let sum = 0;
    for (let j = 0; j < k; j++) sum += get(x, j) ** 2;
    const end = get(x, k - 1);
    const isReflected = k > 1 && sum - end ** 2 > nothing;
    const alpha = !isReflected ? end : end > 0 ? -Math.sqrt(sum) : Math.sqrt(sum);
    // v = x ± ‖x‖ e, h = vᵀv/2
    const half = sum - end * alpha;
    nextV.set(x.subarray(0, k));
    nextV[k - 1] = end - alpha;
    if (!isReflected) nextV.fill(0, 0, k);
    nextP.fill(0, 0, k);
    multiplyUpdated(a, n, k, v, p, nextV, nextP);
    if (isReflected) {
      onReflector?.({ from: 0, v: nextV.slice(0, k), factor: 1 / half });
      // p = A v/h − κ v, κ = vᵀA v/(2h²)
      let vp = 0;
      for (let i = 0; i < k; i++) vp += get(nextP, i) * get(nextV, i);
      const kappa = vp / (2 * half * half);
      for (let i = 0; i < k; i++) nextP[i] = get(nextP, i) / half - kappa * get(nextV, i);
    }
    [v, nextV, p, nextP] = [nextV, v, nextP, p];
    return alpha;
  };
  if (last) reflect(last, n);
  for (let k = n - 1; k >= 0; k--) {
    // A ← A − v pᵀ − p vᵀ, of the last reflection: row k first, for the next one is made of it.
    const row = k * n;
    const [vk, pk] = [get(v, k), get(p, k)];
    for (let j = 0; j <= k; j++) a[row + j] = get(a, row + j) - vk * get(p, j) - pk * get(v, j);
    d[k] = get(a, row + k);
    if (k === 0) break;
    e[k] = reflect(a.subarray(row, row + k), k);
  }
  return { d, e };
}

/**
 * A ← A − v pᵀ − p vᵀ and y ← y + A x, on the first k rows and columns of a lower triangle; two rows
 * at a time.
 */
function multiplyUpdated(
  a: Vector,
  n: number,
  k: number,
  v: Vector,
  p: Vector,
  x: Vector,
  y: Vector,
): void {
  let i = 0;
  for (; i + 1 < k; i += 2) {
    const [at, next] = [i * n, (i + 1) * n];
    const [v0, v1, p0, p1] = [get(v, i), get(v, i + 1), get(p, i), get(p, i + 1)];
    const [x0, x1] = [get(x, i), get(x, i + 1)];
    let [sum0, sum1] = [0, 0];
    for (let j = 0; j < i; j++) {
      const pj = get(p, j);
      const vj = get(v, j);
      const xj = get(x, j);
      const a0 = get(a, at + j) - v0 * pj - p0 * vj;
      const a1 = get(a, next + j) - v1 * pj - p1 * vj;
      a[at + j] = a0;
      a[next + j] = a1;
      sum0 += a0 * xj;
      sum1 += a1 * xj;
      y[j] = get(y, j) + (a0 * x0 + a1 * x1);
    }
    const first = get(a, at + i) - 2 * v0 * p0;
    const side = get(a, next + i) - v1 * p0 - p1 * v0;
    const second = get(a, next + i + 1) - 2 * v1 * p1;
    a[at + i] = first;
    a[next + i] = side;
    a[next + i + 1] = second;
    y[i] = get(y, i) + (sum0 + first * x0 + side * x1);
    y[i + 1] = get(y, i + 1) + (sum1 + side * x0 + second * x1);
  }
  if (i === k) return;
  const at = i * n;
  const [vi, pi, xi] = [get(v, i), get(p, i), get(x, i)];
  let sum = 0;
  for (let j = 0; j < i; j++) {
    const value = get(a, at + j) - vi * get(p, j) - pi * get(v, j);
    a[at + j] = value;
    sum += value * get(x, j);
    y[j] = get(y, j) + value * xi;
  }
  a[at + i] = get(a, at + i) - 2 * vi * pi;
  y[i] = get(y, i) + (sum + get(a, at + i) * xi);
}

/** Implicit QL steps on a tridiagonal matrix: diagonal `d`, `e[i]` left of `d[i]`. */
function tridiagonal(d: Vector, e: Vector): boolean {
  const n = d.length;
  e.copyWithin(0, 1);
  e[n - 1] = 0;
  // As small as the rounding of the reduction. Smaller ones never vanish where many blocks are equal,
  // as for hidden units that do the same: nothing tells them apart.
  let largestRow = 0;
  for (let i = 0; i < n; i++) {
    largestRow = Math.max(largestRow, Math.abs(get(d, i)) + Math.abs(get(e, i)));
  }
  const negligible = epsilon * largestRow;
  for (let l = 0; l < n; l++) {
    for (let iteration = 0; ; iteration++) {
      let m = l;
      while (m < n - 1 && Math.abs(get(e, m)) > negligible) m++;
      if (m === l) break;
      if (iteration >= mostIterations) return false;
      let g = (get(d, l + 1) - get(d, l)) / (2 * get(e, l));
      let r = Math.hypot(g, 1);
      g = get(d, m) - get(d, l) + get(e, l) / (g + (g >= 0 ? r : -r));
      let [s, c, p] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * get(e, i);
        const b = c * get(e, i);
        // The matrix has entries up to 1, and Math.hypot takes ten times as long.
        r = Math.sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1] = get(d, i + 1) - p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = get(d, i + 1) - p;
        r = (get(d, i) - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
      }
      if (r === 0 && i >= l) continue;
      d[l] = get(d, l) - p;
      e[l] = g;
      e[m] = 0;
    }
  }
  return true;
}

/**
 * All eigenvalues of a matrix, by Householder reduction to Hessenberg form and Francis double steps
 * (EISPACK orthes, hqr), and on demand the vectors of each.
 *
 * @returns `undefined` where an entry is not finite or an eigenvalue does not converge.
 */
export function denseSpectrum({ n, a: given }: Square): Spectrum | undefined {
  const scale = largest(given);
  if (!Number.isFinite(scale)) return undefined;
  const h = scale === 0 ? given.slice() : given.map((value) => value / scale);
  const reflectors = hessenberg(h, n);
  const values = francis(h.slice(), n);
  if (values === undefined) return undefined;
  const original = scale === 0 ? h.slice() : given;
  let sum = 0;
  for (const value of h) sum += value * value;
  const size = Math.sqrt(sum) * scale;
  const unit = scale === 0 ? 1 : scale;
  return {
    size,
    values: values
      .filter(({ im }) => im >= 0)
      .map(({ re, im }) => ({ re: re * unit, im: im * unit }))
      .sort((x, y) => x.re - y.re),
    conditioned: ({ re, im }) =>
      vectorsOf(
        { n, a: original },
        h,
        re / unit,
        im / unit,
        { re, im },
        {
          right: (v) => turnBack(reflectors, v),
        },
      ),
  };
}

/** One Householder reflection I − v vᵀ·(2/vᵀv) on the coordinates from `from` on. */
export interface Reflector {
  readonly from: number;
  readonly v: Vector;
  /** 2/vᵀv. */
  readonly factor: number;
}

/** Reduce in place to upper Hessenberg form H = Qᵀ A Q, and return what Q is made of. */
function hessenberg(a: Vector, n: number): Reflector[] {
  const reflectors: Reflector[] = [];
  const w = new Float64Array(n);
  for (let k = 0; k < n - 2; k++) {
    let sum = 0;
    let below = 0;
    for (let i = k + 1; i < n; i++) {
      const square = get(a, i * n + k) ** 2;
      sum += square;
      if (i > k + 1) below += square;
    }
    if (below <= nothing) {
      for (let i = k + 2; i < n; i++) a[i * n + k] = 0;
      continue;
    }
    const v = new Float64Array(n - k - 1);
    for (let i = k + 1; i < n; i++) v[i - k - 1] = get(a, i * n + k);
    const x = get(v, 0);
    const alpha = x > 0 ? -Math.sqrt(sum) : Math.sqrt(sum);
    v[0] = x - alpha;
    const factor = 1 / (sum - x * alpha);
    // A ← (I − f v vᵀ) A: gather f vᵀA row by row, so that memory is read in order, two at a time.
    w.fill(0, k);
    let i = k + 1;
    for (; i + 1 < n; i += 2) {
      const v0 = factor * get(v, i - k - 1);
      const v1 = factor * get(v, i - k);
      const at = i * n;
      for (let j = k; j < n; j++) w[j] = get(w, j) + v0 * get(a, at + j) + v1 * get(a, at + n + j);
    }
    if (i < n) {
      const v0 = factor * get(v, i - k - 1);
      for (let j = k; j < n; j++) w[j] = get(w, j) + v0 * get(a, i * n + j);
    }
    // … and A ← A (I − f v vᵀ), while the rows are at hand.
    const right = w.subarray(k + 1);
    for (i = 0; i + 1 < n; i += 2) {
      const at = i * n + k + 1;
      const v0 = i > k ? get(v, i - k - 1) : 0;
      const v1 = i >= k ? get(v, i - k) : 0;
      let sum0 = 0;
      let sum1 = 0;
      for (let j = 0; j < v.length; j++) {
        const wj = get(right, j);
        const vj = get(v, j);
        const a0 = get(a, at + j) - v0 * wj;
        const a1 = get(a, at + n + j) - v1 * wj;
        a[at + j] = a0;
        a[at + n + j] = a1;
        sum0 += a0 * vj;
        sum1 += a1 * vj;
      }
      sum0 *= factor;
      sum1 *= factor;
      for (let j = 0; j < v.length; j++) {
        const vj = get(v, j);
        a[at + j] = get(a, at + j) - sum0 * vj;
        a[at + n + j] = get(a, at + n + j) - sum1 * vj;
      }
    }
    if (i < n) {
      const at = i * n + k + 1;
      const v0 = get(v, i - k - 1);
      let sum = 0;
      for (let j = 0; j < v.length; j++) {
        a[at + j] = get(a, at + j) - v0 * get(right, j);
        sum += get(a, at + j) * get(v, j);
      }
      sum *= factor;
      for (let j = 0; j < v.length; j++) a[at + j] = get(a, at + j) - sum * get(v, j);
    }
    a[(k + 1) * n + k] = alpha;
    for (let i = k + 2; i < n; i++) a[i * n + k] = 0;
    reflectors.push({ from: k + 1, v, factor });
  }
  return reflectors;
}

/** Reflections that are put off and applied to a row together: memory is read once for all. */
const blockSize = 24;

/** Eigenvalues of an upper Hessenberg matrix, which is destroyed; complex pairs twice. */
function francis(h: Vector, n: number): DenseEigenvalue[] | undefined {
  const values: DenseEigenvalue[] = [];
  // Beside entries of rounding size alone neighbors never look small enough, as with a flat loss
  // whose Hessian has a few entries: without this bound such blocks split off only by chance.
  const negligible = 0.01 * epsilon * largest(h);
  const at = (i: number, j: number) => get(h, i * n + j);
  const block = new Float64Array(5 * (blockSize + 1));
  let shift = 0;
  let end = n - 1;
  let iteration = 0;
  while (end >= 0) {
    // The last row from which the block below is not split off.
    let l = end;
    for (; l > 0; l--) {
      const neighbors = Math.abs(at(l - 1, l - 1)) + Math.abs(at(l, l));
      if (Math.abs(at(l, l - 1)) <= Math.max(epsilon * neighbors, negligible)) {
        h[l * n + l - 1] = 0;
        break;
      }
    }
    let x = at(end, end);
    if (l === end) {
      values.push({ re: x + shift, im: 0 });
      end--;
      iteration = 0;
      continue;
    }
    let y = at(end - 1, end - 1);
    let w = at(end, end - 1) * at(end - 1, end);
    if (l === end - 1) {
      const p = 0.5 * (y - x);
      const q = p * p + w;
      const root = Math.sqrt(Math.abs(q));
      x += shift;
      if (q >= 0) {
        const z = p + (p >= 0 ? root : -root);
        values.push({ re: x + z, im: 0 }, { re: z === 0 ? x : x - w / z, im: 0 });
      } else if (root <= 100 * negligible) {
        // Rounding alone decides whether equal eigenvalues come out as a pair.
        values.push({ re: x + p, im: 0 }, { re: x + p, im: 0 });
      } else {
        values.push({ re: x + p, im: root }, { re: x + p, im: -root });
      }
      end -= 2;
      iteration = 0;
      continue;
    }
    if (iteration >= mostIterations) return undefined;
    if (iteration % 10 === 9) {
      // An exceptional shift, against cycles.
      shift += x;
      for (let i = 0; i <= end; i++) h[i * n + i] = at(i, i) - x;
      const s = Math.abs(at(end, end - 1)) + Math.abs(at(end - 1, end - 2));
      x = y = 0.75 * s;
      w = -0.4375 * s * s;
    }
    iteration++;
    // Two consecutive small entries below the diagonal are enough to begin at.
    let m = end - 2;
    let [p, q, r] = [0, 0, 0];
    for (; m >= l; m--) {
      const z = at(m, m);
      const [a, b] = [x - z, y - z];
      p = (a * b - w) / at(m + 1, m) + at(m, m + 1);
      q = at(m + 1, m + 1) - z - a - b;
      r = at(m + 2, m + 1);
      const s = Math.abs(p) + Math.abs(q) + Math.abs(r);
      [p, q, r] = [p / s, q / s, r / s];
      if (m === l) break;
      const u = Math.abs(at(m, m - 1)) * (Math.abs(q) + Math.abs(r));
      const v =
        Math.abs(p) * (Math.abs(at(m - 1, m - 1)) + Math.abs(z) + Math.abs(at(m + 1, m + 1)));
      if (u <= epsilon * v) break;
    }
    for (let i = m + 2; i <= end; i++) {
      h[i * n + i - 2] = 0;
      if (i > m + 2) h[i * n + i - 3] = 0;
    }
    let start = m;
    const apply = (until: number) => {
      // Rows above the block, which the block itself never read: all its reflections at once. Two rows
      // at a time, for each reflection waits for the one before.
      const whole = Math.min(until, end - 1);
      let i = l;
      for (; i + 1 < start; i += 2) {
        let c = i * n + start;
        let [a0, a1] = [get(h, c), get(h, c + 1)];
        let [b0, b1] = [get(h, c + n), get(h, c + n + 1)];
        for (let k = start, b = 0; k < whole; k++, b += 5, c++) {
          const a2 = get(h, c + 2);
          const b2 = get(h, c + n + 2);
          const u0 = get(block, b);
          const u1 = get(block, b + 1);
          const u2 = get(block, b + 2);
          const q = get(block, b + 3);
          const r = get(block, b + 4);
          const sumA = u0 * a0 + u1 * a1 + u2 * a2;
          const sumB = u0 * b0 + u1 * b1 + u2 * b2;
          h[c] = a0 - sumA;
          h[c + n] = b0 - sumB;
          a0 = a1 - sumA * q;
          b0 = b1 - sumB * q;
          a1 = a2 - sumA * r;
          b1 = b2 - sumB * r;
        }
        h[c] = a0;
        h[c + 1] = a1;
        h[c + n] = b0;
        h[c + n + 1] = b1;
      }
      for (; i < start; i++) {
        for (let k = start, b = 0; k < whole; k++, b += 5) {
          const c = i * n + k;
          const h0 = get(h, c);
          const h1 = get(h, c + 1);
          const h2 = get(h, c + 2);
          const sum = get(block, b) * h0 + get(block, b + 1) * h1 + get(block, b + 2) * h2;
          h[c] = h0 - sum;
          h[c + 1] = h1 - sum * get(block, b + 3);
          h[c + 2] = h2 - sum * get(block, b + 4);
        }
      }
      // The last reflection has two entries.
      if (until === end) {
        const b = 5 * (end - 1 - start);
        for (let i = l; i < start; i++) {
          const c = i * n + end - 1;
          const sum = get(block, b) * get(h, c) + get(block, b + 1) * get(h, c + 1);
          h[c] = get(h, c) - sum;
          h[c + 1] = get(h, c + 1) - sum * get(block, b + 3);
        }
      }
      start = until;
    };
    for (let k = m; k < end; k++) {
      if (k === start + blockSize) apply(k);
      const three = k < end - 1;
      block.fill(0, 5 * (k - start), 5 * (k - start) + 5);
      if (k > m) {
        p = at(k, k - 1);
        q = at(k + 1, k - 1);
        r = three ? at(k + 2, k - 1) : 0;
        x = Math.abs(p) + Math.abs(q) + Math.abs(r);
        if (x === 0) continue;
        [p, q, r] = [p / x, q / x, r / x];
      }
      const length = Math.sqrt(p * p + q * q + r * r);
      const s = p >= 0 ? length : -length;
      if (s === 0) continue;
      if (k > m) h[k * n + k - 1] = -s * x;
      else if (l !== m) h[k * n + k - 1] = -at(k, k - 1);
      p += s;
      x = p / s;
      y = q / s;
      const z = r / s;
      q /= p;
      r /= p;
      const b = 5 * (k - start);
      block[b] = x;
      block[b + 1] = y;
      block[b + 2] = three ? z : 0;
      block[b + 3] = q;
      block[b + 4] = three ? r : 0;
      const rows = k * n;
      const last = Math.min(end, k + 3);
      if (three) {
        for (let j = k; j <= end; j++) {
          const sum = get(h, rows + j) + q * get(h, rows + n + j) + r * get(h, rows + 2 * n + j);
          h[rows + j] = get(h, rows + j) - sum * x;
          h[rows + n + j] = get(h, rows + n + j) - sum * y;
          h[rows + 2 * n + j] = get(h, rows + 2 * n + j) - sum * z;
        }
        for (let i = start; i <= last; i++) {
          const c = i * n + k;
          const sum = x * get(h, c) + y * get(h, c + 1) + z * get(h, c + 2);
          h[c] = get(h, c) - sum;
          h[c + 1] = get(h, c + 1) - sum * q;
          h[c + 2] = get(h, c + 2) - sum * r;
        }
      } else {
        for (let j = k; j <= end; j++) {
          const sum = get(h, rows + j) + q * get(h, rows + n + j);
          h[rows + j] = get(h, rows + j) - sum * x;
          h[rows + n + j] = get(h, rows + n + j) - sum * y;
        }
        for (let i = start; i <= last; i++) {
          const c = i * n + k;
          const sum = x * get(h, c) + y * get(h, c + 1);
          h[c] = get(h, c) - sum;
          h[c + 1] = get(h, c + 1) - sum * q;
        }
      }
    }
    apply(end);
  }
  return values;
}

/** From the coordinates of a Hessenberg form H = X⁻¹A X to those of the matrix A. */
export interface Coordinates {
  /** X v. */
  readonly right: (v: Vector) => Vector;
  /** X⁻ᵀ y; default: X is orthogonal. */
  readonly left?: ((y: Vector) => Vector) | undefined;
}

/** Both eigenvectors by three steps of inverse iteration each, on the Hessenberg form. */
export function vectorsOf(
  { n, a }: Square,
  h: Vector,
  re: number,
  im: number,
  value: DenseEigenvalue,
  { right, left }: Coordinates,
): Conditioned {
  const factors = factor(h, n, re, im);
  const start = (name: string): Complex => ({
    re: randomUnit(n, 0, "eigenvector", name),
    im: new Float64Array(n),
  });
  let v = start("right");
  let y = start("left");
  for (let pass = 0; pass < 3; pass++) {
    v = normalized(solve(factors, n, v));
    y = normalized(solveAdjoint(factors, n, y));
  }
  // y*v
  let [productRe, productIm] = [0, 0];
  for (let i = 0; i < n; i++) {
    const [yr, yi, vr, vi] = [get(y.re, i), get(y.im, i), get(v.re, i), get(v.im, i)];
    productRe += yr * vr + yi * vi;
    productIm += yr * vi - yi * vr;
  }
  // X cancels in y*v and changes both lengths. Of a real eigenvalue both vectors are real.
  const turn = (map: (part: Vector) => Vector, { re, im }: Complex): Complex => ({
    re: map(re),
    im: value.im === 0 ? im : map(im),
  });
  const turned = turn(right, v);
  const back = left ? normalized(turned) : turned;
  const stretch = left ? sizeOf(turned) * sizeOf(turn(left, y)) : 1;
  const { re: backRe, im: backIm } = back;
  let residual = 0;
  for (let i = 0; i < n; i++) {
    let [sumRe, sumIm] = [0, 0];
    for (let j = 0; j < n; j++) sumRe += get(a, i * n + j) * get(backRe, j);
    if (value.im !== 0) {
      for (let j = 0; j < n; j++) sumIm += get(a, i * n + j) * get(backIm, j);
    }
    const [vr, vi] = [get(back.re, i), get(back.im, i)];
    residual +=
      (sumRe - value.re * vr + value.im * vi) ** 2 + (sumIm - value.re * vi - value.im * vr) ** 2;
  }
  // Of a real eigenvalue the vector may come with any phase: keep the longer part.
  const [lengthRe, lengthIm] = [length(back.re), length(back.im)];
  const [part, size] = lengthRe >= lengthIm ? [back.re, lengthRe] : [back.im, lengthIm];
  const vector = part.map((entry) => entry / size);
  return {
    condition: stretch / Math.hypot(productRe, productIm),
    residual: Math.sqrt(residual),
    vector,
    parts: value.im === 0 ? [vector] : [back.re, back.im],
  };
}

interface Complex {
  readonly re: Vector;
  readonly im: Vector;
}

/** P (H − λ I) = L U for Hessenberg H: U row by row, one multiplier and one swap per row. */
interface Factors {
  readonly re: Vector;
  /** Absent for real λ, where all imaginary parts are 0. */
  readonly im: Vector | undefined;
  readonly lRe: Vector;
  readonly lIm: Vector;
  readonly swapped: Uint8Array;
}

function factor(h: Vector, n: number, lambdaRe: number, lambdaIm: number): Factors {
  const re = h.slice();
  const im = lambdaIm === 0 ? undefined : new Float64Array(n * n);
  let size = 0;
  for (let i = 0; i < n; i++) {
    re[i * n + i] = get(h, i * n + i) - lambdaRe;
    if (im) im[i * n + i] = -lambdaIm;
    for (let j = Math.max(0, i - 1); j < n; j++) size = Math.max(size, Math.abs(get(h, i * n + j)));
  }
  // Squares of pivots must not vanish.
  const smallest = Math.max(epsilon * size, 1e-150);
  const lRe = new Float64Array(n);
  const lIm = new Float64Array(n);
  const swapped = new Uint8Array(n);
  for (let k = 0; k < n; k++) {
    const [at, next] = [k * n, (k + 1) * n];
    if (k < n - 1) {
      const here = Math.abs(get(re, at + k)) + Math.abs(imaginary(im, at + k));
      const below = Math.abs(get(re, next + k)) + Math.abs(imaginary(im, next + k));
      if (below > here) {
        swapped[k] = 1;
        swapRows(re, at + k, next + k, n - k);
        if (im) swapRows(im, at + k, next + k, n - k);
      }
    }
    // An exact eigenvalue makes a pivot vanish: the smallest one that counts takes its place.
    if (Math.abs(get(re, at + k)) + Math.abs(imaginary(im, at + k)) < smallest) {
      re[at + k] = smallest;
      if (im) im[at + k] = 0;
    }
    if (k === n - 1) break;
    const [pr, pi] = [get(re, at + k), imaginary(im, at + k)];
    const d = pr * pr + pi * pi;
    const [br, bi] = [get(re, next + k), imaginary(im, next + k)];
    const [mr, mi] = [(br * pr + bi * pi) / d, (bi * pr - br * pi) / d];
    lRe[k] = mr;
    lIm[k] = mi;
    if (im === undefined) {
      for (let j = k + 1; j < n; j++) re[next + j] = get(re, next + j) - mr * get(re, at + j);
      continue;
    }
    for (let j = k + 1; j < n; j++) {
      const ur = get(re, at + j);
      const ui = get(im, at + j);
      re[next + j] = get(re, next + j) - (mr * ur - mi * ui);
      im[next + j] = get(im, next + j) - (mr * ui + mi * ur);
    }
  }
  return { re, im, lRe, lIm, swapped };
}

const imaginary = (im: Vector | undefined, i: number): number => (im ? get(im, i) : 0);

/** Exchange `count` entries of two rows. */
function swapRows(a: Vector, one: number, other: number, count: number): void {
  for (let j = 0; j < count; j++) {
    const kept = get(a, one + j);
    a[one + j] = get(a, other + j);
    a[other + j] = kept;
  }
}

/** Im (H − iδ)⁻¹ b for a Hessenberg matrix H and real vectors b. */
export function imaginaryResolvent(h: Vector, n: number, delta: number): (b: Vector) => Vector {
  const factors = factor(h, n, 0, delta);
  return (b) => solve(factors, n, { re: b, im: new Float64Array(n) }).im;
}

/** (H − λI)⁻¹ b; for real λ of a real b. */
function solve({ re, im, lRe, lIm, swapped }: Factors, n: number, b: Complex): Complex {
  const [xr, xi] = [b.re.slice(), b.im.slice()];
  for (let k = 0; k < n - 1; k++) {
    if (swapped[k]) swap(xr, xi, k);
    const [mr, mi, r, i] = [get(lRe, k), get(lIm, k), get(xr, k), get(xi, k)];
    xr[k + 1] = get(xr, k + 1) - (mr * r - mi * i);
    xi[k + 1] = get(xi, k + 1) - (mr * i + mi * r);
  }
  for (let k = n - 1; k >= 0; k--) {
    let [r, i] = [get(xr, k), get(xi, k)];
    const at = k * n;
    if (im === undefined) {
      for (let j = k + 1; j < n; j++) r -= get(re, at + j) * get(xr, j);
    } else {
      for (let j = k + 1; j < n; j++) {
        const ur = get(re, at + j);
        const ui = get(im, at + j);
        const vr = get(xr, j);
        const vi = get(xi, j);
        r -= ur * vr - ui * vi;
        i -= ur * vi + ui * vr;
      }
    }
    const [pr, pi] = [get(re, at + k), imaginary(im, at + k)];
    const d = pr * pr + pi * pi;
    xr[k] = (r * pr + i * pi) / d;
    xi[k] = (i * pr - r * pi) / d;
  }
  return { re: xr, im: xi };
}

/** (H − λI)⁻* b, of the conjugate transpose; for real λ of a real b. */
function solveAdjoint({ re, im, lRe, lIm, swapped }: Factors, n: number, b: Complex): Complex {
  const [xr, xi] = [b.re.slice(), b.im.slice()];
  for (let k = 0; k < n; k++) {
    const at = k * n;
    const [pr, pi] = [get(re, at + k), -imaginary(im, at + k)];
    const d = pr * pr + pi * pi;
    const [r, i] = [get(xr, k), get(xi, k)];
    const [zr, zi] = [(r * pr + i * pi) / d, (i * pr - r * pi) / d];
    xr[k] = zr;
    xi[k] = zi;
    if (im === undefined) {
      for (let j = k + 1; j < n; j++) xr[j] = get(xr, j) - get(re, at + j) * zr;
      continue;
    }
    for (let j = k + 1; j < n; j++) {
      const ur = get(re, at + j);
      const ui = -get(im, at + j);
      xr[j] = get(xr, j) - (ur * zr - ui * zi);
      xi[j] = get(xi, j) - (ur * zi + ui * zr);
    }
  }
  for (let k = n - 2; k >= 0; k--) {
    const [mr, mi, r, i] = [get(lRe, k), -get(lIm, k), get(xr, k + 1), get(xi, k + 1)];
    xr[k] = get(xr, k) - (mr * r - mi * i);
    xi[k] = get(xi, k) - (mr * i + mi * r);
    if (swapped[k]) swap(xr, xi, k);
  }
  return { re: xr, im: xi };
}

function swap(xr: Vector, xi: Vector, k: number): void {
  const [r, i] = [get(xr, k), get(xi, k)];
  xr[k] = get(xr, k + 1);
  xi[k] = get(xi, k + 1);
  xr[k + 1] = r;
  xi[k + 1] = i;
}

/** Scaled by its largest entry first: solutions close to an eigenvalue are very long. */
function normalized({ re, im }: Complex): Complex {
  const top = Math.max(largest(re), largest(im));
  const [r, i] = [re.map((x) => x / top), im.map((x) => x / top)];
  const size = Math.hypot(length(r), length(i));
  return { re: r.map((x) => x / size), im: i.map((x) => x / size) };
}

const sizeOf = ({ re, im }: Complex): number => Math.hypot(length(re), length(im));

/** Qᵀ v: from the coordinates of a matrix to those of its reduced form. */
export function turn(reflectors: readonly Reflector[], given: Vector): Vector {
  const x = given.slice();
  for (const { from, v, factor } of reflectors) {
    const part = x.subarray(from, from + v.length);
    addTo(part, -factor * dot(v, part), v);
  }
  return x;
}

/** Q v: from the Hessenberg form's coordinates to those of the matrix. */
export function turnBack(reflectors: readonly Reflector[], given: Vector): Vector {
  const x = given.slice();
  for (const { from, v, factor } of [...reflectors].reverse()) {
    const part = x.subarray(from, from + v.length);
    addTo(part, -factor * dot(v, part), v);
  }
  return x;
}

const get = (values: Vector, i: number): number => values[i] as number;

function length(values: Vector): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

/** The largest |entry|; NaN where one is not a number. */
export function largest(values: Vector): number {
  let most = 0;
  for (const value of values) {
    const size = Math.abs(value);
    if (!(size <= most)) most = size;
    if (Number.isNaN(most)) return NaN;
  }
  return most;
}
