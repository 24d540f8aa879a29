/** Eigenvalues of dense matrices: every iteration is bounded, and what did not converge is said. */
import type { Matrix } from "ml-matrix";
import { randomUnit, type Vector } from "./vectors.ts";

/** Iterations for one eigenvalue; three are usual. */
const mostIterations = 60;
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

/** The entries of a matrix, in one array. */
export function squareOf(matrix: Matrix): Square {
  const n = matrix.rows;
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] = matrix.get(i, j);
  return { n, a };
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
    for (let j = 0; j < n; j++) {
      a[i * n + j] = (0.5 * (get(given, i * n + j) + get(given, j * n + i))) / scale;
    }
  }
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  const p = new Float64Array(n);
  for (let k = n - 1; k > 0; k--) {
    // Reflect row k so that only its entry at k − 1 remains: v = x ± ‖x‖ e.
    const row = k * n;
    let sum = 0;
    for (let j = 0; j < k; j++) sum += get(a, row + j) ** 2;
    const rest = sum - get(a, row + k - 1) ** 2;
    if (k === 1 || rest <= nothing) {
      e[k] = get(a, row + k - 1);
      continue;
    }
    const x = get(a, row + k - 1);
    const length = Math.sqrt(sum);
    const alpha = x > 0 ? -length : length;
    e[k] = alpha;
    a[row + k - 1] = x - alpha;
    const half = sum - x * alpha;
    // p = A v/h, row by row over the lower triangle; h = vᵀv/2.
    p.fill(0, 0, k);
    for (let i = 0; i < k; i++) {
      const vi = get(a, row + i);
      const at = i * n;
      let total = get(a, at + i) * vi;
      for (let j = 0; j < i; j++) {
        const aij = get(a, at + j);
        total += aij * get(a, row + j);
        p[j] = get(p, j) + aij * vi;
      }
      p[i] = get(p, i) + total;
    }
    let vp = 0;
    for (let i = 0; i < k; i++) {
      p[i] = get(p, i) / half;
      vp += get(p, i) * get(a, row + i);
    }
    const kappa = vp / (2 * half);
    for (let i = 0; i < k; i++) p[i] = get(p, i) - kappa * get(a, row + i);
    // A ← A − v pᵀ − p vᵀ
    for (let i = 0; i < k; i++) {
      const [vi, pi, at] = [get(a, row + i), get(p, i), i * n];
      for (let j = 0; j <= i; j++) {
        a[at + j] = get(a, at + j) - vi * get(p, j) - pi * get(a, row + j);
      }
    }
  }
  for (let i = 0; i < n; i++) d[i] = get(a, i * n + i);
  if (!tridiagonal(d, e)) return undefined;
  return Array.from(d, (value) => value * scale).sort((x, y) => x - y);
}

/** Implicit QL steps on a tridiagonal matrix: diagonal `d`, `e[i]` left of `d[i]`. */
function tridiagonal(d: Vector, e: Vector): boolean {
  const n = d.length;
  e.copyWithin(0, 1);
  e[n - 1] = 0;
  for (let l = 0; l < n; l++) {
    for (let iteration = 0; ; iteration++) {
      let m = l;
      for (; m < n - 1; m++) {
        const neighbors = Math.abs(get(d, m)) + Math.abs(get(d, m + 1));
        if (Math.abs(get(e, m)) <= epsilon * neighbors || Math.abs(get(e, m)) < 1e-290) break;
      }
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
        r = Math.hypot(f, g);
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
      vectorsOf({ n, a: original }, h, reflectors, re / unit, im / unit, { re, im }),
  };
}

/** One Householder reflection I − v vᵀ·(2/vᵀv) on the coordinates from `from` on. */
interface Reflector {
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
    // A ← (I − f v vᵀ) A: gather vᵀA row by row, so that memory is read in order.
    w.fill(0, k);
    for (let i = k + 1; i < n; i++) {
      const vi = get(v, i - k - 1);
      const at = i * n;
      for (let j = k; j < n; j++) w[j] = get(w, j) + vi * get(a, at + j);
    }
    // … and A ← A (I − f v vᵀ), while the row is at hand.
    for (let i = 0; i < n; i++) {
      const at = i * n + k + 1;
      if (i > k) {
        const vi = factor * get(v, i - k - 1);
        for (let j = 0; j < v.length; j++) a[at + j] = get(a, at + j) - vi * get(w, k + 1 + j);
      }
      let total = 0;
      for (let j = 0; j < v.length; j++) total += get(a, at + j) * get(v, j);
      total *= factor;
      for (let j = 0; j < v.length; j++) a[at + j] = get(a, at + j) - total * get(v, j);
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
      // Rows above the block, which the block itself never read: all its reflections at once.
      for (let i = l; i < start; i++) {
        for (let k = start, b = 0; k < until; k++, b += 5) {
          const c = i * n + k;
          const third = k < end - 1;
          const h0 = get(h, c);
          const h1 = get(h, c + 1);
          const h2 = third ? get(h, c + 2) : 0;
          const sum = get(block, b) * h0 + get(block, b + 1) * h1 + get(block, b + 2) * h2;
          h[c] = h0 - sum;
          h[c + 1] = h1 - sum * get(block, b + 3);
          if (third) h[c + 2] = h2 - sum * get(block, b + 4);
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

/** Both eigenvectors by two steps of inverse iteration each, on the Hessenberg form. */
function vectorsOf(
  { n, a }: Square,
  h: Vector,
  reflectors: readonly Reflector[],
  re: number,
  im: number,
  value: DenseEigenvalue,
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
  const back = { re: turnBack(reflectors, v.re), im: turnBack(reflectors, v.im) };
  let residual = 0;
  for (let i = 0; i < n; i++) {
    let [sumRe, sumIm] = [0, 0];
    for (let j = 0; j < n; j++) {
      sumRe += get(a, i * n + j) * get(back.re, j);
      sumIm += get(a, i * n + j) * get(back.im, j);
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
    condition: 1 / Math.hypot(productRe, productIm),
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
  readonly im: Vector;
  readonly lRe: Vector;
  readonly lIm: Vector;
  readonly swapped: Uint8Array;
}

function factor(h: Vector, n: number, lambdaRe: number, lambdaIm: number): Factors {
  const re = h.slice();
  const im = new Float64Array(n * n);
  let size = 0;
  for (let i = 0; i < n; i++) {
    re[i * n + i] = get(h, i * n + i) - lambdaRe;
    im[i * n + i] = -lambdaIm;
    for (let j = Math.max(0, i - 1); j < n; j++) size = Math.max(size, Math.abs(get(h, i * n + j)));
  }
  const smallest = epsilon * Math.max(size, Number.MIN_VALUE / epsilon);
  const lRe = new Float64Array(n);
  const lIm = new Float64Array(n);
  const swapped = new Uint8Array(n);
  for (let k = 0; k < n; k++) {
    const [at, next] = [k * n, (k + 1) * n];
    if (k < n - 1) {
      const here = Math.abs(get(re, at + k)) + Math.abs(get(im, at + k));
      const below = Math.abs(get(re, next + k)) + Math.abs(get(im, next + k));
      if (below > here) {
        swapped[k] = 1;
        for (let j = k; j < n; j++) {
          const [r, i] = [get(re, at + j), get(im, at + j)];
          re[at + j] = get(re, next + j);
          im[at + j] = get(im, next + j);
          re[next + j] = r;
          im[next + j] = i;
        }
      }
    }
    // An exact eigenvalue makes a pivot vanish: the smallest one that counts takes its place.
    if (Math.abs(get(re, at + k)) + Math.abs(get(im, at + k)) < smallest) {
      re[at + k] = smallest;
      im[at + k] = 0;
    }
    if (k === n - 1) break;
    const [pr, pi] = [get(re, at + k), get(im, at + k)];
    const d = pr * pr + pi * pi;
    const [br, bi] = [get(re, next + k), get(im, next + k)];
    const [mr, mi] = [(br * pr + bi * pi) / d, (bi * pr - br * pi) / d];
    lRe[k] = mr;
    lIm[k] = mi;
    for (let j = k + 1; j < n; j++) {
      const [ur, ui] = [get(re, at + j), get(im, at + j)];
      re[next + j] = get(re, next + j) - (mr * ur - mi * ui);
      im[next + j] = get(im, next + j) - (mr * ui + mi * ur);
    }
  }
  return { re, im, lRe, lIm, swapped };
}

/** (H − λI)⁻¹ b. */
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
    for (let j = k + 1; j < n; j++) {
      const [ur, ui, vr, vi] = [get(re, at + j), get(im, at + j), get(xr, j), get(xi, j)];
      r -= ur * vr - ui * vi;
      i -= ur * vi + ui * vr;
    }
    const [pr, pi] = [get(re, at + k), get(im, at + k)];
    const d = pr * pr + pi * pi;
    xr[k] = (r * pr + i * pi) / d;
    xi[k] = (i * pr - r * pi) / d;
  }
  return { re: xr, im: xi };
}

/** (H − λI)⁻* b: the conjugate transpose. */
function solveAdjoint({ re, im, lRe, lIm, swapped }: Factors, n: number, b: Complex): Complex {
  const [xr, xi] = [b.re.slice(), b.im.slice()];
  for (let k = 0; k < n; k++) {
    const at = k * n;
    const [pr, pi] = [get(re, at + k), -get(im, at + k)];
    const d = pr * pr + pi * pi;
    const [r, i] = [get(xr, k), get(xi, k)];
    const [zr, zi] = [(r * pr + i * pi) / d, (i * pr - r * pi) / d];
    xr[k] = zr;
    xi[k] = zi;
    for (let j = k + 1; j < n; j++) {
      const [ur, ui] = [get(re, at + j), -get(im, at + j)];
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

/** Q v: from the Hessenberg form's coordinates to those of the matrix. */
function turnBack(reflectors: readonly Reflector[], given: Vector): Vector {
  const x = given.slice();
  for (const { from, v, factor } of [...reflectors].reverse()) {
    let sum = 0;
    for (let i = 0; i < v.length; i++) sum += get(v, i) * get(x, from + i);
    sum *= factor;
    for (let i = 0; i < v.length; i++) x[from + i] = get(x, from + i) - sum * get(v, i);
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
function largest(values: Vector): number {
  let most = 0;
  for (const value of values) {
    const size = Math.abs(value);
    if (!(size <= most)) most = size;
    if (Number.isNaN(most)) return NaN;
  }
  return most;
}
