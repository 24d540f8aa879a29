/** Reduced forms: symmetric matrices made tridiagonal, with the reflections that made them so. */
import { largest, tridiagonalize, type Reflector, type Square } from "./eigen.ts";
import { norm, type Vector } from "./vectors.ts";

/** A symmetric tridiagonal matrix in units of `scale`: diagonal `d`, `e[i]` left of `d[i]`. */
export interface Tridiagonal {
  readonly d: Vector;
  /** `e[0]` stands for nothing. */
  readonly e: Vector;
  readonly scale: number;
}

/** A tridiagonal form QᵀAQ, and what Q is made of. */
export interface ReducedForm extends Tridiagonal {
  readonly reflectors: readonly Reflector[];
}

/**
 * The tridiagonal form QᵀAQ of a symmetric matrix, which is destroyed; `undefined` where an entry is not finite. Only its
 * symmetric part is seen.
 *
 * @param last Qᵀ turns this vector into a multiple of the last unit vector; default: any.
 */
export function reducedForm({ n, a: entries }: Square, last?: Vector): ReducedForm | undefined {
  const scale = largest(entries);
  if (!Number.isFinite(scale)) return undefined;
  const reflectors: Reflector[] = [];
  if (scale === 0) return { d: new Float64Array(n), e: new Float64Array(n), scale, reflectors };
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      entries[i * n + j] = (0.5 * (get(entries, i * n + j) + get(entries, j * n + i))) / scale;
    }
  }
  // A direction of any length does, and one that is nothing turns nothing.
  const length = last ? norm(last) : 0;
  const toward = last && length > 0 ? last.map((value) => value / length) : undefined;
  const { d, e } = tridiagonalize(entries, n, toward, (reflector) => reflectors.push(reflector));
  return { d, e, scale, reflectors };
}

const get = (values: Vector, i: number): number => values[i] as number;
