/** The Arnoldi iteration: extreme eigenvalues of operators that need not be symmetric. */
import { Matrix } from "ml-matrix";
import { wholeSpectrum } from "./dense.ts";
import { krylov, lift, type Projection } from "./krylov.ts";
import { addTo, along, norm, orthogonalize, scaled } from "./vectors.ts";
import type { Operator, Vector } from "./vectors.ts";

/** A place on the rim of a spectrum. */
export type Edge = "leftmost" | "rightmost" | "largest";

export interface ArnoldiOptions {
  readonly operator: Operator;
  readonly dimension: number;
  /** Edges that must converge; default all three. */
  readonly edges?: readonly Edge[];
  /** A residual below `tolerance` times the largest |eigenvalue| counts as converged; default 1e-8. */
  readonly tolerance?: number;
  /** Vectors kept in memory; default 80. */
  readonly basisSize?: number;
  /** Default 1000. */
  readonly maxApplications?: number;
  /** Seed of the random start; default 0. */
  readonly seed?: number;
}

/** An approximate eigenvalue re + i·im; of a complex pair, the one with im > 0. */
export interface ComplexEigenvalue {
  readonly re: number;
  readonly im: number;
  /**
   * ‖A v − λ v‖ for the unit eigenvector v; of the edges computed from A v, of other values by the
   * recurrence. For operators far from normal the distance to an
   * eigenvalue can be larger, by the eigenvalue's condition number.
   */
  readonly residual: number;
  /** 1/|y*v| for unit left and right eigenvectors y and v, where it was computed. */
  readonly condition?: number | undefined;
  /** How far the eigenvalue may be from the one found: condition × (residual + rounding). */
  readonly error?: number | undefined;
}

export interface SpectrumEdges {
  readonly leftmost: ComplexEigenvalue;
  readonly rightmost: ComplexEigenvalue;
  /** Of largest modulus. */
  readonly largest: ComplexEigenvalue;
  /** Real part of the leftmost eigenvector, of norm 1. */
  readonly leftmostVector: Vector;
  /** Real part of the rightmost eigenvector, of norm 1. */
  readonly rightmostVector: Vector;
  /** All eigenvalues found to the tolerance. */
  readonly values: readonly ComplexEigenvalue[];
  readonly converged: boolean;
  /** Of the iteration; the residual of each eigenvalue at an edge costs one or two more. */
  readonly applications: number;
}

/** The edges of a spectrum by Arnoldi iteration with thick restarts. */
export async function spectrumEdges({
  operator,
  edges = ["leftmost", "rightmost", "largest"],
  tolerance = 1e-8,
  basisSize = 80,
  maxApplications = 1000,
  seed = 0,
  ...options
}: ArnoldiOptions): Promise<SpectrumEdges> {
  const { projection, done, applications } = await krylov({
    ...options,
    operator,
    basisSize,
    maxApplications,
    seed,
    judge(projection) {
      const found = ritz(projection);
      const limit = tolerance * Math.max(...found.map(modulus));
      const sorted = edges.map((edge) => [...found].sort(orders[edge]));
      const done = sorted.every(([first]) => first !== undefined && first.residual <= limit);
      return { done, keep: span(projection.matrix.rows, sorted) };
    },
  });
  const found = ritz(projection);
  const limit = tolerance * Math.max(...found.map(modulus));
  const first = (edge: Edge): RitzPair => [...found].sort(orders[edge])[0] as RitzPair;
  const residuals = new Map<RitzPair, number>();
  const at = async (edge: Edge): Promise<ComplexEigenvalue> => {
    const pair = first(edge);
    // The rightmost eigenvalue is often the largest.
    const residual = residuals.get(pair) ?? (await residualOf(operator, projection, pair));
    residuals.set(pair, residual);
    return { re: pair.re, im: pair.im, residual };
  };
  const vectorOf = (edge: Edge): Vector => {
    const vector = lift(projection, first(edge).columns[0] as readonly number[]);
    return scaled(1 / norm(vector), vector);
  };
  return {
    leftmost: await at("leftmost"),
    rightmost: await at("rightmost"),
    largest: await at("largest"),
    leftmostVector: vectorOf("leftmost"),
    rightmostVector: vectorOf("rightmost"),
    values: found
      .filter(({ residual }) => residual <= limit)
      .map(({ re, im, residual }) => ({ re, im, residual })),
    converged: done,
    applications,
  };
}

/** The recurrence knows its residuals only as long as rounding lets it; this is the pair's own. */
async function residualOf(
  operator: Operator,
  projection: Projection,
  { re, im, columns }: RitzPair,
): Promise<number> {
  const [v, w] = columns.map((column) => lift(projection, column)) as [Vector, Vector?];
  const rest = along(await operator(v), -re, v);
  if (w === undefined) return norm(rest) / norm(v);
  // A (v + iw) = (re + i im)(v + iw), part by part.
  addTo(rest, im, w);
  const imaginaryRest = along(along(await operator(w), -re, w), -im, v);
  return Math.hypot(norm(rest), norm(imaginaryRest)) / Math.hypot(norm(v), norm(w));
}

interface RitzPair extends ComplexEigenvalue {
  /** The eigenvector of T, or real and imaginary part of a pair's. */
  readonly columns: readonly (readonly number[])[];
}

const modulus = ({ re, im }: ComplexEigenvalue): number => Math.hypot(re, im);

const orders: Record<Edge, (a: ComplexEigenvalue, b: ComplexEigenvalue) => number> = {
  leftmost: (a, b) => a.re - b.re,
  rightmost: (a, b) => b.re - a.re,
  largest: (a, b) => modulus(b) - modulus(a),
};

/** Eigenvalues of the projected matrix, complex pairs once. */
function ritz({ matrix, coupling }: Projection): RitzPair[] {
  const spectrum = wholeSpectrum(matrix);
  return spectrum.values.map((value) => {
    const columns = spectrum
      .conditioned(value)
      .parts.flatMap((part) => (part === undefined ? [] : [Array.from(part)]));
    const along = (y: readonly number[]) =>
      y.reduce((sum, entry, j) => sum + entry * (coupling[j] as number), 0);
    const residual = Math.hypot(...columns.map(along)) / Math.hypot(...columns.flat());
    return { ...value, residual, columns };
  });
}

/**
 * An orthonormal basis of the span of the eigenvectors next to each edge: up to half of the
 * projected space, shared out evenly among the edges.
 */
function span(size: number, sorted: readonly (readonly RitzPair[])[]): Matrix {
  const chosen = new Set<RitzPair>();
  let columns = 0;
  const limit = Math.max(1, Math.floor(size / 2));
  for (let depth = 0; depth < size && columns < limit; depth++) {
    for (const pairs of sorted) {
      const pair = pairs[depth];
      if (pair && !chosen.has(pair) && columns + pair.columns.length <= Math.max(limit, 2)) {
        chosen.add(pair);
        columns += pair.columns.length;
      }
    }
  }
  return orthonormal([...chosen].flatMap((pair) => pair.columns));
}

/** An orthonormal basis, as columns, of the span of the given vectors. */
function orthonormal(vectors: readonly (readonly number[])[]): Matrix {
  const basis: Vector[] = [];
  for (const given of vectors) {
    const v = Float64Array.from(given);
    const before = norm(v);
    orthogonalize(v, basis);
    const rest = norm(v);
    // Eigenvectors of a nearly defective matrix may coincide.
    if (rest > 1e-10 * before) basis.push(scaled(1 / rest, v));
  }
  return new Matrix(basis).transpose();
}
