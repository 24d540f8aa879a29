/** Curvature at a point a method made: every spectrum a certificate rests on, with its residuals. */
import type { Matrix } from "ml-matrix";
import { spectrumEdges, type ComplexEigenvalue } from "../algebra/arnoldi.ts";
import { InputError } from "../../engine/errors.ts";
import type { CertificateTolerances } from "../certificate/certificate.ts";
import { leftSingular, NotConverged, product, wholeSpectrum } from "../algebra/dense.ts";
import type { DenseEigenvalue, Spectrum } from "../algebra/eigen.ts";
import { nearlySymmetricSpectrum, type NearlySymmetric } from "../algebra/rank-one.ts";
import type { Derivatives } from "./derivatives.ts";
import { extremeEigenvalues } from "../algebra/lanczos.ts";
import type { RestPoint } from "./rest-point.ts";
import { denseSamPoint, type DenseSamPoint, type SamPoint } from "./sam-point.ts";
import {
  eigenvaluesWithin,
  endsOf,
  kernelPart,
  openReducer,
  perturbationForm,
  tridiagonalForm,
  type ReducedForm,
  type Reducer,
  type Tridiagonal,
} from "../algebra/tridiagonal.ts";
import {
  addTo,
  along,
  dot,
  minus,
  norm,
  scaled,
  type Operator,
  type Vector,
} from "../algebra/vectors.ts";

/** The two ends of a real spectrum. */
export interface Ends {
  readonly min: number;
  readonly max: number;
  /** The larger of both residuals: an eigenvalue lies so near to each end. */
  readonly residual: number;
  readonly converged: boolean;
}

/** One number with its residual. */
export interface Estimate {
  readonly value: number;
  readonly residual: number;
  readonly converged: boolean;
}

/** The spectrum of Dv. */
export interface Motions {
  /** All eigenvalues, or those found, complex pairs once; leftmost first. */
  readonly eigenvalues: readonly ComplexEigenvalue[];
  readonly minReal: number;
  readonly maxReal: number;
  readonly residual: number;
  readonly converged: boolean;
  /** Whether the whole spectrum is known. */
  readonly whole: boolean;
  /** Real part of a unit eigenvector to `minReal`. */
  readonly leftmostVector: Vector;
  /** Of the eigenvalue with the least real part: 1/|y*v|, and how far off it may be. */
  readonly leftmost: { readonly condition: number | undefined; readonly error: number | undefined };
  /** Takes off a vector its component in the kernel of Dvᵀ; nothing where that is not known. */
  readonly offKernel: (v: Vector) => Vector;
}

/** What only SAM has, where g does not vanish. */
export interface SamCurvature {
  /** Smallest eigenvalue of (M + Mᵀ)/2. */
  readonly minSymmetric: Estimate;
  /**
   * Smallest singular value of M. Found by iteration it is an upper bound, ‖Mv‖ for the best v
   * found, with a singular value within the residual; a smaller one is not excluded.
   */
  readonly minSingular: Estimate;
}

export interface Curvature {
  /** Whether whole spectra were computed instead of their ends. */
  readonly dense: boolean;
  readonly hessian: Ends;
  readonly shiftedHessian: Ends;
  /** `undefined` where g = 0, where it was not asked for, or where it is not finite. */
  readonly motions: Motions | undefined;
  readonly sam: SamCurvature | undefined;
  /** Kernel dimensions, where whole spectra are known. */
  readonly kernels:
    | {
        readonly shiftedHessian: number;
        readonly perturbation: number;
        readonly samJacobian: number;
        readonly surrogateHessian: number;
      }
    | undefined;
}

/**
 * ‖G‖/(ρ‖H‖): what is left of the gradient, in units of how much it changes within the radius. No
 * unit of the loss or of the parameters changes it. Without a radius, ‖x‖ takes its place; without
 * curvature any gradient is infinitely large.
 */
export function relativeGradient(
  descentNorm: number,
  length: number,
  { hessian, shiftedHessian }: Pick<Curvature, "hessian" | "shiftedHessian">,
): number {
  if (descentNorm === 0) return 0;
  const size = Math.max(...[hessian, shiftedHessian].flatMap(({ min, max }) => [-min, max]), 0);
  return descentNorm / (length * size);
}

export interface CurvatureOptions {
  readonly tolerances: CertificateTolerances;
  /** Up to so many parameters whole spectra are computed. */
  readonly denseLimit: number;
  /** Whether the method rests here, so that the spectrum of Dv means something. */
  readonly rests: boolean;
  /** The length gradients are measured by: ρ, or ‖x‖ for methods without an ascent. */
  readonly length: number;
  readonly seed: number;
  /** Threads that may compute at once; default 1. */
  readonly threads?: number | undefined;
  /** Told what is being computed. */
  readonly onProgress?: ((what: string) => void) | undefined;
}

/** Up to so many parameters whole spectra are computed where the method does not rest, too. */
const wholeLimit = 300;

/**
 * Compute every spectrum, whole or by its ends. Where a dense routine does not converge the
 * iterations take over.
 *
 * @throws {InputError} when a Hessian is not finite.
 */
export async function curvatureAt(
  f: Derivatives,
  point: RestPoint,
  options: CurvatureOptions,
): Promise<Curvature> {
  if (f.dimension > options.denseLimit) return sparseCurvature(f, point, options);
  try {
    return await denseCurvature(f, point, options);
  } catch (error) {
    if (!(error instanceof NotConverged)) throw error;
    options.onProgress?.(`${error.message}: iterating instead`);
    return sparseCurvature(f, point, options);
  }
}

async function denseCurvature(
  f: Derivatives,
  point: RestPoint,
  options: CurvatureOptions,
): Promise<Curvature> {
  const { rests, onProgress } = options;
  // Where nothing rests the ends of Hessians are enough, and iterations find them sooner.
  if (!rests && f.dimension > wholeLimit) return sparseCurvature(f, point, options);
  onProgress?.("whole spectra");
  const reducer = openReducer(f.dimension, options.threads ?? 1);
  try {
    return await spectraOf(await denseSamPoint(f, point.sam), point, reducer, options);
  } finally {
    await reducer.close();
  }
}

/** All spectra of the matrices of a point. The reducer works on Hessians while Dv is worked on here. */
async function spectraOf(
  matrices: DenseSamPoint,
  point: RestPoint,
  reducer: Reducer,
  { tolerances, length }: CurvatureOptions,
): Promise<Curvature> {
  const { sam, isSam, descentNorm } = point;
  // In coordinates in which H is tridiagonal and u a unit vector, M is tridiagonal as well.
  const reduced = Promise.all([
    reducer.reduce(matrices.hessian, sam.direction),
    reducer.reduce(matrices.shiftedHessian),
  ]);
  // Whoever waits for them is told.
  reduced.catch(() => {});
  // Where G is clearly not 0 the spectrum of Dv is asked for, whatever the Hessians' are.
  const size = Math.max(
    matrices.hessian.norm("frobenius"),
    matrices.shiftedHessian.norm("frobenius"),
  );
  const isClear = descentNorm > 1.01 * tolerances.zeroGradient * length * size;
  const early = isClear && sam.gradNorm > 0 ? await spectrumOfMotions(matrices, point) : undefined;
  const [hessian, shiftedHessian] = await reduced;
  const ends = (form: Tridiagonal): Ends => ({ ...endsOf(form), residual: 0, converged: true });
  const base = { dense: true, hessian: ends(hessian), shiftedHessian: ends(shiftedHessian) };
  const critical = relativeGradient(descentNorm, length, base) <= tolerances.zeroGradient;
  if (critical || sam.gradNorm === 0) {
    return { ...base, motions: undefined, sam: undefined, kernels: undefined };
  }
  const perturbation =
    isSam && finite(matrices.perturbation)
      ? perturbationForm(hessian, sam.rho / sam.gradNorm)
      : undefined;
  const ofPerturbation = perturbation?.singularAtMost(tolerances.singular);
  const moving = early ?? (await spectrumOfMotions(matrices, point));
  const motions =
    moving &&
    (await motionsOf(
      moving,
      // Of MᵀH⁺ with a regular M the kernel is that of H⁺.
      ofPerturbation === 0 && point.weightDecay === 0
        ? () => offKernelOf(shiftedHessian, base.shiftedHessian)
        : undefined,
    ));
  if (perturbation === undefined || ofPerturbation === undefined) {
    return { ...base, motions, sam: undefined, kernels: undefined };
  }
  const exact = (value: number): Estimate => ({ value, residual: 0, converged: true });
  const kernel = (form: Tridiagonal, { min, max } = endsOf(form)) =>
    eigenvaluesWithin(form, tolerances.curvature * Math.max(Math.abs(min), Math.abs(max)));
  const ofShifted = kernel(shiftedHessian, base.shiftedHessian);
  const sizes = (motions?.eigenvalues ?? []).flatMap(({ re, im }) =>
    (im === 0 ? [re] : [re, re]).map((part) => Math.hypot(part, im)),
  );
  const limit = tolerances.curvature * Math.max(...sizes);
  return {
    ...base,
    motions,
    sam: {
      minSymmetric: exact(perturbation.minSymmetric),
      minSingular: exact(perturbation.minSingular),
    },
    kernels: {
      shiftedHessian: ofShifted,
      perturbation: ofPerturbation,
      samJacobian: sizes.filter((size) => size <= limit).length,
      // A regular M keeps the inertia of H⁺   (Sylvester).
      surrogateHessian:
        ofPerturbation === 0
          ? ofShifted
          : kernel(
              tridiagonalForm(
                await product(matrices.perturbation.transpose(), matrices.samJacobian),
              ),
            ),
    },
  };
}

/** Up to so many eigenvalues each gets its condition; of more, those that decide: n² operations each. */
const conditionedLimit = 100;

const finite = (matrix: Matrix): boolean => Number.isFinite(matrix.sum());

/** Rounding of a matrix put together from products, as a fraction of its size. */
const rounding = 100 * Number.EPSILON;

/** Dv with all its eigenvalues. */
interface Moving {
  readonly jacobian: Matrix;
  readonly found: Spectrum;
}

/** The whole spectrum of Dv; `undefined` where that is not finite. */
async function spectrumOfMotions(
  matrices: DenseSamPoint,
  point: RestPoint,
): Promise<Moving | undefined> {
  const jacobian = await point.dense(matrices);
  if (!finite(jacobian)) return undefined;
  // SAM's is a product of symmetric matrices but for a rank-one term.
  const factors: NearlySymmetric | undefined =
    point.isSam && jacobian.rows > conditionedLimit
      ? { ...matrices.factors, shift: point.weightDecay }
      : undefined;
  const found =
    (factors && (await nearlySymmetricSpectrum(jacobian, factors))) ?? wholeSpectrum(jacobian);
  return { jacobian, found };
}

/**
 * The spectrum of Dv, with error bars for all eigenvalues, or for those that decide.
 *
 * @param offKernel makes what takes the kernel of Dvᵀ off a vector, where that is known.
 */
async function motionsOf(
  { jacobian, found }: Moving,
  offKernel: (() => Motions["offKernel"]) | undefined,
): Promise<Motions> {
  const { values } = found;
  const deciding = values.length <= conditionedLimit ? values : decisive(values, found);
  const barred = new Map(
    deciding.map((value) => {
      const { condition, residual, vector } = found.conditioned(value);
      const error = condition * (residual + rounding * found.size);
      return [value, { condition, residual, error, vector }] as const;
    }),
  );
  const first = values[0] as DenseEigenvalue;
  const leftmost = barred.get(first);
  const largest = Math.max(0, ...values.map(({ re, im }) => Math.hypot(re, im)));
  return {
    eigenvalues: values.map((value) => {
      const bar = barred.get(value);
      return { ...value, residual: 0, condition: bar?.condition, error: bar?.error };
    }),
    minReal: first.re,
    maxReal: (values.at(-1) as DenseEigenvalue).re,
    residual: 0,
    converged: true,
    whole: true,
    leftmostVector: leftmost?.vector ?? new Float64Array(jacobian.rows),
    leftmost: { condition: leftmost?.condition, error: leftmost?.error },
    // Zero eigenvalues come out as large as 1e-8 where several are one.
    offKernel: values.some(({ re, im }) => Math.hypot(re, im) <= 1e-6 * largest)
      ? (offKernel?.() ?? (await offLeftKernel(jacobian, kernelTolerance * largest)))
      : (v) => v,
  };
}

/** The ends of a spectrum and the eigenvalue that allows the shortest steps. */
function decisive(values: readonly DenseEigenvalue[], { size }: Spectrum): DenseEigenvalue[] {
  const rate = ({ re, im }: DenseEigenvalue) =>
    re > rounding * size ? (2 * re) / (re * re + im * im) : Infinity;
  const shortest = [...values].sort((a, b) => rate(a) - rate(b)).slice(0, 2);
  return [...new Set([...values.slice(0, 4), ...shortest, ...values.slice(-1)])];
}

/** Eigenvalues and singular values up to this fraction of the largest make a kernel to stay out of. */
const kernelTolerance = 1e-10;

/** What takes off a vector its component in the kernel of a symmetric matrix. */
function offKernelOf(form: ReducedForm, { min, max }: Ends): Motions["offKernel"] {
  const limit = kernelTolerance * Math.max(Math.abs(min), Math.abs(max));
  if (eigenvaluesWithin(form, limit) === 0) return (v) => v;
  const part = kernelPart(form, limit);
  return (v) => minus(v, part(v));
}

/** What takes off a vector its components along left singular vectors whose singular values are at most `limit`. */
async function offLeftKernel(matrix: Matrix, limit: number): Promise<Motions["offKernel"]> {
  // Where no eigenvalue of AAᵀ can be so small there is nothing to look for.
  const squares = tridiagonalForm(await product(matrix, matrix.transpose()));
  if (endsOf(squares).min > (10 * limit) ** 2) return (v) => v;
  const { u, s } = leftSingular(matrix);
  const kernel = s.flatMap((value, k) =>
    value <= limit ? [Float64Array.from(u.getColumn(k))] : [],
  );
  return (given) => {
    const v = given.slice();
    for (const q of kernel) addTo(v, -dot(q, v), q);
    return v;
  };
}

async function sparseCurvature(
  f: Derivatives,
  point: RestPoint,
  { tolerances, seed, rests, onProgress }: CurvatureOptions,
): Promise<Curvature> {
  const { dimension } = f;
  const { sam, isSam } = point;
  const ends = async (name: string, where: string, operator: Operator): Promise<Ends> => {
    onProgress?.(`spectrum of ${name}`);
    const found = await extremeEigenvalues({
      operator,
      dimension,
      tolerance: tolerances.eigenvalue,
      maxApplications: 400,
      seed,
    }).catch(undecided);
    if (found === undefined) {
      throw new InputError(
        `invalid point: the Hessian of its loss is not finite at ${where} (give a point beside which the loss has second derivatives)`,
      );
    }
    return {
      min: found.lowest.value,
      max: found.highest.value,
      residual: Math.max(found.lowest.residual, found.highest.residual),
      converged: found.converged,
    };
  };
  const hessian = await ends("H", "x", sam.hessian);
  const shiftedHessian = await ends("H⁺", "x⁺", sam.shiftedHessian);
  const base = { dense: false, hessian, shiftedHessian, kernels: undefined };
  if (point.descentNorm === 0 || sam.gradNorm === 0) {
    return { ...base, motions: undefined, sam: undefined };
  }
  const motions = rests
    ? await sparseMotions(point, tolerances, seed, onProgress).catch(undecided)
    : undefined;
  if (!isSam || !rests) return { ...base, motions, sam: undefined };
  onProgress?.("perturbation Jacobian M");
  const symmetric = await extremeEigenvalues({
    operator: await symmetricPartOf(sam),
    dimension,
    ends: "lowest",
    tolerance: tolerances.eigenvalue,
    maxApplications: 400,
    seed,
  });
  return {
    ...base,
    motions,
    sam: {
      minSymmetric: {
        value: symmetric.lowest.value,
        residual: symmetric.lowest.residual,
        converged: symmetric.converged,
      },
      minSingular: await smallestSingularValue(sam, dimension, tolerances, seed),
    },
  };
}

/** Where no routine comes to an end there is no spectrum. */
function undecided(error: unknown): undefined {
  if (!(error instanceof NotConverged)) throw error;
}

async function sparseMotions(
  point: RestPoint,
  tolerances: CertificateTolerances,
  seed: number,
  onProgress: CurvatureOptions["onProgress"],
): Promise<Motions> {
  onProgress?.("spectrum of Dv");
  const search = {
    dimension: point.x.length,
    tolerance: tolerances.spectrum,
    basisSize: 160,
    maxApplications: 800,
    seed,
  };
  const edges = await spectrumEdges({ ...search, operator: point.jacobian });
  const { leftmost, rightmost, leftmostVector } = edges;
  let condition: number | undefined;
  if (point.jacobianTransposed && leftmost.im === 0) {
    onProgress?.("left eigenvector of Dv");
    const left = await spectrumEdges({
      ...search,
      operator: point.jacobianTransposed,
      edges: ["leftmost"],
      maxApplications: 400,
    });
    const sameValue = Math.abs(left.leftmost.re - leftmost.re) <= 1e-3 * Math.abs(leftmost.re);
    if (left.converged && sameValue) {
      condition = 1 / Math.abs(dot(left.leftmostVector, leftmostVector));
    }
  }
  return {
    eigenvalues: [...edges.values].sort((a, b) => a.re - b.re),
    minReal: leftmost.re,
    maxReal: rightmost.re,
    residual: Math.max(leftmost.residual, rightmost.residual),
    converged: edges.converged,
    whole: false,
    leftmostVector,
    leftmost: {
      condition,
      error: condition === undefined ? undefined : condition * leftmost.residual,
    },
    offKernel: (v) => v,
  };
}

/** (M + Mᵀ)/2 at one product each, since Mᵀv needs Hv and H u only. */
async function symmetricPartOf({
  direction: u,
  rho,
  gradNorm,
  hessian,
}: SamPoint): Promise<Operator> {
  const hu = await hessian(u);
  // sym(M) v = v + (ρ/2‖g‖)(2Hv − u(uᵀHv) − (uᵀv)Hu)
  const half = rho / (2 * gradNorm);
  return async (v) => {
    const hv = await hessian(v);
    const sum = along(v, 2 * half, hv);
    addTo(sum, -half * dot(u, hv), u);
    addTo(sum, -half * dot(u, v), hu);
    return sum;
  };
}

/** The v with the smallest ‖Mv‖ found by Lanczos iteration on MᵀM. */
async function smallestSingularValue(
  { perturbation, perturbationTransposed }: SamPoint,
  dimension: number,
  tolerances: CertificateTolerances,
  seed: number,
): Promise<Estimate> {
  const { lowest } = await extremeEigenvalues({
    operator: async (v) => perturbationTransposed(await perturbation(v)),
    dimension,
    ends: "lowest",
    tolerance: tolerances.eigenvalue,
    maxApplications: 120,
    seed,
  });
  // Not √(lowest.value): squaring has cost half of the digits.
  const image = await perturbation(lowest.vector);
  const value = norm(image);
  if (value === 0) return { value, residual: 0, converged: true };
  const back = await perturbationTransposed(scaled(1 / value, image));
  const residual = norm(along(back, -value, lowest.vector));
  return { value, residual, converged: residual <= tolerances.spectrum };
}
