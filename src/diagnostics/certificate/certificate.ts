/** Certificates: what the numbers at a point are, and the verdict that follows from them. */
import { z } from "zod";
import { verdicts, type VerdictName } from "../verdict.ts";

/** Thresholds of a certificate. Each verdict names those it was decided by. */
export interface CertificateTolerances {
  /** ‖g‖ at or below which the gradient counts as zero; in units of loss per parameter unit. */
  readonly zeroGradient: number;
  /** ‖g‖ at or above which the gradient is clearly not zero. */
  readonly clearGradient: number;
  /** GradRatio = ‖g⁺‖/‖g‖ at or below which the shifted gradient counts as zero. */
  readonly zeroRatio: number;
  /** GradRatio at or below which it all but vanishes: enough for a saddle, not for a minimizer. */
  readonly smallRatio: number;
  /** Eigenvalues count as zero up to this fraction of the largest |eigenvalue|. */
  readonly curvature: number;
  /** Where g⁺ only all but vanishes, a negative eigenvalue must exceed this fraction. */
  readonly clearCurvature: number;
  /** Smallest singular value of M at or below which M counts as singular. */
  readonly singular: number;
  /** Residual, as a fraction of the largest |eigenvalue|, at which eigenvalues of Hessians are accepted … */
  readonly eigenvalue: number;
  /** … and those of H⁺M. */
  readonly spectrum: number;
}

/** Default thresholds of a certificate. */
export const defaultCertificateTolerances: CertificateTolerances = {
  zeroGradient: 1e-6,
  clearGradient: 1e-4,
  zeroRatio: 1e-6,
  smallRatio: 0.05,
  curvature: 1e-6,
  clearCurvature: 1e-3,
  singular: 1e-8,
  eigenvalue: 1e-8,
  spectrum: 1e-6,
};

const names = Object.keys(verdicts) as [VerdictName, ...VerdictName[]];
/** JSON has no infinity and no NaN: what is not defined is `null`. */
const maybe = z.number().nullable();
const ends = z.object({ min: z.number(), max: z.number(), residual: z.number() });
const eigenvalue = z.object({
  re: z.number(),
  im: z.number(),
  /** 2 Re λ/|λ|²: below it SAM contracts in this direction; `null` where re ≤ 0. */
  maxStableLearningRate: maybe,
});

/** One SAM run from a perturbed copy of the point. */
export const nearbyRunSchema = z.object({
  /** What the copy was displaced by: a random direction, or the least stable eigenvector. */
  start: z.string(),
  /**
   * `returned`: ‖g⁺‖ fell back to what it is at the point, which along a set of zeros need not mean
   * that the distance fell; `left`: the distance grew more than threefold; else `stayed`.
   */
  outcome: z.enum(["returned", "stayed", "left"]),
  steps: z.number(),
  initialDistance: z.number(),
  finalDistance: z.number(),
  initialShiftedGradNorm: z.number(),
  finalShiftedGradNorm: z.number(),
});

/** The JSON form of a certificate. */
export const certificateSchema = z.object({
  verdict: z.object({ name: z.enum(names), sentence: z.string() }),
  attracting: z.object({ answer: z.enum(["yes", "no", "unknown"]), sentence: z.string() }),
  /** f(x). */
  loss: z.number(),
  /** f(x⁺). */
  shiftedLoss: z.number(),
  gradNorm: z.number(),
  shiftedGradNorm: z.number(),
  /** ‖g⁺‖/‖g‖; `null` where g = 0. */
  gradRatio: maybe,
  /** Ends of the spectrum of H(x); an eigenvalue lies within `residual` of either. */
  hessian: ends,
  /** The same of H⁺ = H(x⁺). */
  shiftedHessian: ends,
  /** Least and largest real part of the spectrum of H⁺M; `null` where g = 0. */
  samJacobian: z.object({ minReal: maybe, maxReal: maybe, residual: maybe }),
  /** Smallest eigenvalue of (M + Mᵀ)/2 and smallest singular value found of M; `null` where g = 0. */
  perturbationJacobian: z.object({ minSymmetric: maybe, minSingular: maybe }),
  /** min 2 Re λ/|λ|² over the eigenvalues λ of H⁺M found with Re λ > 0; `null` where there is none. */
  maxStableLearningRate: maybe,
  /** Statistics that normalize: running ones, or those of the batch; for problems that keep some. */
  mode: z.enum(["evaluate", "train"]).optional(),
  tolerances: z.record(z.string(), z.number()),
  dtype: z.literal("float64"),
  engine: z.string(),
  seconds: z.number(),
  /** Hessian-vector products. */
  products: z.number(),
  /** What the numbers above rest on. */
  details: z.object({
    rho: z.number(),
    dimension: z.number(),
    /** ‖x⁺ − x‖, which must be ρ. */
    distance: z.number(),
    /** Gradients, apart from those of the runs. */
    gradients: z.number(),
    /** Whether whole spectra were computed instead of their ends. */
    dense: z.boolean(),
    converged: z.object({
      hessian: z.boolean(),
      shiftedHessian: z.boolean(),
      samJacobian: z.boolean(),
      symmetricPart: z.boolean(),
      singularValue: z.boolean(),
    }),
    /** Residuals of the two numbers of `perturbationJacobian`. */
    perturbationResiduals: z.object({ minSymmetric: maybe, minSingular: maybe }),
    /** Eigenvalues of H⁺M, all of them if `dense`, else those found. Complex pairs once. */
    spectrum: z.array(eigenvalue),
    /** Kernel dimensions; `null` unless `dense`. */
    kernels: z
      .object({
        shiftedHessian: z.number(),
        perturbation: z.number(),
        samJacobian: z.number(),
        /** Of MᵀH⁺M: the dimension of the set of hallucinated points, by Theorem 3.1. */
        surrogateHessian: z.number(),
      })
      .nullable(),
    /** Learning rate of the runs. */
    learningRate: maybe,
    runs: z.array(nearbyRunSchema),
  }),
});

/** A verdict with the numbers and bounds it rests on; JSON by `certificateSchema`. */
export type Certificate = z.infer<typeof certificateSchema>;
export type NearbyRun = z.infer<typeof nearbyRunSchema>;
