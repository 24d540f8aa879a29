/** Curvature at a point of SAM: every spectrum a certificate rests on, with its residuals. */
import { spectrumEdges, type ComplexEigenvalue } from "../algebra/arnoldi.ts";
import type { CertificateTolerances } from "../certificate/certificate.ts";
import {
  leftmostEigenvector,
  singularValues,
  spectrum,
  symmetricPart,
  symmetricSpectrum,
} from "../algebra/dense.ts";
import type { Derivatives } from "./derivatives.ts";
import { extremeEigenvalues } from "../algebra/lanczos.ts";
import { denseSamPoint, type SamPoint } from "./sam-point.ts";
import { addTo, along, dot, norm, scaled, type Operator, type Vector } from "../algebra/vectors.ts";

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

/** What only exists where g does not vanish. */
export interface SamCurvature {
  /** Of H⁺M: all eigenvalues, or those found, complex pairs once; leftmost first. */
  readonly eigenvalues: readonly ComplexEigenvalue[];
  readonly minReal: number;
  readonly maxReal: number;
  readonly residual: number;
  readonly converged: boolean;
  /** Real part of a unit eigenvector to `minReal`. */
  readonly leftmostVector: Vector;
  /** Smallest eigenvalue of (M + Mᵀ)/2. */
  readonly minSymmetric: Estimate;
  /**
   * Smallest singular value of M. Found by iteration it is an upper bound, ‖Mv‖ for the best v
   * found, with a singular value within the residual; a smaller one is not excluded.
   */
  readonly minSingular: Estimate;
}

export interface Curvature {
  readonly dense: boolean;
  readonly hessian: Ends;
  readonly shiftedHessian: Ends;
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

export interface CurvatureOptions {
  readonly tolerances: CertificateTolerances;
  /** Up to so many parameters whole spectra are computed. */
  readonly denseLimit: number;
  readonly seed: number;
  /** Told what is being computed. */
  readonly onProgress?: ((what: string) => void) | undefined;
}

/** Compute every spectrum, whole or by its ends. */
export function curvatureAt(
  f: Derivatives,
  point: SamPoint,
  options: CurvatureOptions,
): Promise<Curvature> {
  return f.dimension <= options.denseLimit
    ? denseCurvature(f, point, options)
    : sparseCurvature(f, point, options);
}

async function denseCurvature(
  f: Derivatives,
  point: SamPoint,
  { tolerances, onProgress }: CurvatureOptions,
): Promise<Curvature> {
  onProgress?.("whole spectra");
  const matrices = await denseSamPoint(f, point);
  const ends = (values: readonly number[]): Ends => ({
    min: values[0] as number,
    max: values.at(-1) as number,
    residual: 0,
    converged: true,
  });
  const kernel = (sizes: readonly number[]) => {
    const limit = tolerances.curvature * Math.max(...sizes);
    return sizes.filter((size) => size <= limit).length;
  };
  const hessian = symmetricSpectrum(matrices.hessian);
  const shiftedHessian = symmetricSpectrum(matrices.shiftedHessian);
  const base = { dense: true, hessian: ends(hessian), shiftedHessian: ends(shiftedHessian) };
  if (point.gradNorm <= tolerances.zeroGradient)
    return { ...base, sam: undefined, kernels: undefined };

  const all = spectrum(matrices.samJacobian).sort((a, b) => a.re - b.re);
  const eigenvalues = all.filter(({ im }) => im >= 0);
  const singular = singularValues(matrices.perturbation);
  const exact = (value: number): Estimate => ({ value, residual: 0, converged: true });
  return {
    ...base,
    sam: {
      eigenvalues,
      minReal: eigenvalues[0]?.re ?? NaN,
      maxReal: eigenvalues.at(-1)?.re ?? NaN,
      residual: 0,
      converged: true,
      leftmostVector: leftmostEigenvector(matrices.samJacobian),
      minSymmetric: exact(symmetricSpectrum(symmetricPart(matrices.perturbation))[0] as number),
      minSingular: exact(singular.at(-1) as number),
    },
    kernels: {
      shiftedHessian: kernel(shiftedHessian.map(Math.abs)),
      perturbation: singular.filter((value) => value <= tolerances.singular).length,
      samJacobian: kernel(all.map(({ re, im }) => Math.hypot(re, im))),
      surrogateHessian: kernel(symmetricSpectrum(matrices.surrogateHessian).map(Math.abs)),
    },
  };
}

async function sparseCurvature(
  f: Derivatives,
  point: SamPoint,
  { tolerances, seed, onProgress }: CurvatureOptions,
): Promise<Curvature> {
  const { dimension } = f;
  const ends = async (what: string, operator: Operator): Promise<Ends> => {
    onProgress?.(what);
    const found = await extremeEigenvalues({
      operator,
      dimension,
      tolerance: tolerances.eigenvalue,
      seed,
    });
    return {
      min: found.lowest.value,
      max: found.highest.value,
      residual: Math.max(found.lowest.residual, found.highest.residual),
      converged: found.converged,
    };
  };
  const hessian = await ends("spectrum of H", point.hessian);
  const shiftedHessian = await ends("spectrum of H⁺", point.shiftedHessian);
  if (point.gradNorm <= tolerances.zeroGradient) {
    return { dense: false, hessian, shiftedHessian, sam: undefined, kernels: undefined };
  }
  onProgress?.("spectrum of H⁺M");
  const edges = await spectrumEdges({
    operator: point.samJacobian,
    dimension,
    tolerance: tolerances.spectrum,
    basisSize: 160,
    maxApplications: 800,
    seed,
  });
  onProgress?.("perturbation Jacobian M");
  const symmetric = await extremeEigenvalues({
    operator: await symmetricPartOf(point),
    dimension,
    ends: "lowest",
    tolerance: tolerances.eigenvalue,
    seed,
  });
  const eigenvalues = [...edges.values].sort((a, b) => a.re - b.re);
  return {
    dense: false,
    hessian,
    shiftedHessian,
    sam: {
      eigenvalues,
      minReal: edges.leftmost.re,
      maxReal: edges.rightmost.re,
      residual: Math.max(edges.leftmost.residual, edges.rightmost.residual),
      converged: edges.converged,
      leftmostVector: edges.leftmostVector,
      minSymmetric: {
        value: symmetric.lowest.value,
        residual: symmetric.lowest.residual,
        converged: symmetric.converged,
      },
      minSingular: await smallestSingularValue(point, dimension, tolerances, seed),
    },
    kernels: undefined,
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
