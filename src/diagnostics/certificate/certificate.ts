/** Certificates: what the numbers at a point are, and the verdict that follows from them. */
import { z } from "zod";
import { verdicts, type VerdictName } from "../verdict.ts";

/** Thresholds of a certificate, all of them ratios: no unit of loss or of parameters changes them. */
export interface CertificateTolerances {
  /** ‖G‖/(ρ‖H‖) at or below which the gradient counts as zero. */
  readonly zeroGradient: number;
  /** ‖G‖/(ρ‖H‖) at or above which the gradient is clearly not zero. */
  readonly clearGradient: number;
  /** ‖g⁺‖/‖g‖ at or below which the shifted gradient counts as zero at a zero of v. */
  readonly zeroRatio: number;
  /** ‖v‖/‖G‖ at or below which v all but vanishes. */
  readonly smallRatio: number;
  /** A zero of v counts as that of the point where it lies so near, in units of ρ. */
  readonly reach: number;
  /** Eigenvalues count as zero up to this fraction of the largest |eigenvalue|. */
  readonly curvature: number;
  /** Where SAM chatters around a critical point, a negative eigenvalue must exceed this fraction. */
  readonly clearCurvature: number;
  /** Smallest singular value of M at or below which M counts as singular. */
  readonly singular: number;
  /** Residual, as a fraction of the largest |eigenvalue|, at which eigenvalues of Hessians are accepted … */
  readonly eigenvalue: number;
  /** … and those of Dv. */
  readonly spectrum: number;
}

/** Default thresholds of a certificate. */
export const defaultCertificateTolerances: CertificateTolerances = {
  zeroGradient: 1e-6,
  clearGradient: 1e-4,
  zeroRatio: 1e-6,
  smallRatio: 0.05,
  reach: 0.01,
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
  /** Below it steps contract in this direction, without momentum 2 Re λ/|λ|²; `null` where re ≤ 0. */
  maxStableLearningRate: maybe,
  /** 1/|y*v| for unit left and right eigenvectors, where it was computed. */
  condition: z.number().optional(),
  /** How far off the eigenvalue may be: condition × (residual + rounding). */
  error: z.number().optional(),
});

/** One run of the method from a perturbed copy of the point. */
export const nearbyRunSchema = z.object({
  /** What the copy was displaced by: a random direction, or the least stable eigenvector. */
  start: z.string(),
  /**
   * By the distance to the point: `returned` where it at least halved, `left` where it at least
   * doubled, else `stayed`. Certificates without `subject` judged by ‖g⁺‖.
   */
  outcome: z.enum(["returned", "stayed", "left"]),
  steps: z.number(),
  initialDistance: z.number(),
  /** `null`, as ‖g⁺‖ below, where the run had no finite number left to give. */
  finalDistance: maybe,
  initialShiftedGradNorm: maybe,
  finalShiftedGradNorm: maybe,
});

/** What was certified: enough to see whether it is one's own network. */
const subjectSchema = z.object({
  problem: z.string(),
  /** Architecture and data in words, where they are known. */
  description: z.string().optional(),
  parameters: z.number(),
  samples: z.number(),
  /** f at the point that was given. */
  loss: z.number(),
  /** What the problem scores by, such as the fraction classified correctly. */
  score: z.object({ train: z.number(), test: z.number().optional() }).optional(),
  rho: z.number(),
  /** ρ/‖x‖; `null` where x = 0. */
  relativeRho: maybe,
  /** ρ/‖x₀‖, where it is known which parameters the run started from. */
  relativeRhoAtStart: z.number().optional(),
  /** The method that was judged, on the full batch. */
  method: z.object({
    name: z.string(),
    momentum: z.number(),
    nesterov: z.boolean(),
    weightDecay: z.number(),
  }),
});

/** A zero of the method's direction v. */
const zeroSchema = z.object({
  /** Whether v is 0 there: ‖v‖ is at rounding level, or Newton and Kantorovich's constants say so. */
  exact: z.boolean(),
  /** How far from the given point, in units of the parameters. The certificate is of the zero. */
  moved: z.number(),
  /** ‖v‖ there. */
  residual: z.number(),
  /** ‖v‖ that cannot be told from 0. */
  roundingLevel: z.number(),
  /** Newton–Kantorovich constants, L an estimate; where Dv is regular and the problem small. */
  kantorovich: z
    .object({
      beta: z.number(),
      eta: z.number(),
      lipschitz: z.number(),
      h: z.number(),
      radius: maybe,
    })
    .nullable(),
});

/** What the method did from a point near which no zero was found. */
const driftSchema = z.object({
  steps: z.number(),
  learningRate: z.number(),
  moved: z.number(),
  lossBefore: z.number(),
  lossAfter: z.number(),
});

/** Kinks around the point, of losses that have some. */
const smoothnessSchema = z.object({
  kind: z.literal("piecewise smooth"),
  /** Pre-activations in all: per sample, times the samples. */
  units: z.number(),
  /** Those that are 0 to rounding, at x or x⁺: there the loss has no Hessian. */
  atKink: z.number(),
  /** The most that change sign on the way to one of the displaced copies, at x and x⁺ together. */
  withinReach: z.number(),
  /** How far the copies are displaced, and how many they are. */
  reach: z.number(),
  copies: z.number(),
});

/** Numbers at the given point over several subsets of the samples. */
const subsetSchema = z.object({
  /** Samples per subset; the certificate is of the loss over the first subset. */
  samples: z.number(),
  of: z.number(),
  subsets: z.number(),
  /** Mean over the subsets, and standard deviation: the error bar of a number from one subset. */
  numbers: z.record(z.string(), z.object({ mean: z.number(), deviation: z.number() })),
});

/** The JSON form of a certificate. What earlier versions did not have is optional. */
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
  /**
   * Least and largest real part of the spectrum of Dv, for SAM H⁺M; `null` where g = 0, and, beyond
   * the dense limit, where the method does not rest.
   */
  samJacobian: z.object({ minReal: maybe, maxReal: maybe, residual: maybe }),
  /** Smallest eigenvalue of (M + Mᵀ)/2 and smallest singular value found of M; `null` where g = 0. */
  perturbationJacobian: z.object({ minSymmetric: maybe, minSingular: maybe }),
  /**
   * The learning rate below which steps contract along every eigenvalue of Dv found with Re λ > 0:
   * without momentum min 2 Re λ/|λ|²; `null` where there is none. An upper bound unless `dense`.
   */
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
    /** Steps that the slowest rate asks of the runs; more than were made where a cap cut them. */
    stepsAskedFor: z.number().optional(),
  }),
  subject: subjectSchema.optional(),
  /** The method's direction v, that of plain descent G, and their ratio. */
  direction: z
    .object({ norm: z.number(), descentNorm: z.number(), ratio: maybe, samLike: z.boolean() })
    .optional(),
  /** `null` where none was looked for. */
  zero: zeroSchema.nullable().optional(),
  drift: driftSchema.nullable().optional(),
  /** Absent for losses that are smooth, or tell of no kinks. */
  smoothness: smoothnessSchema.optional(),
  /** Where samples were taken in blocks. */
  memory: z
    .object({
      /** Samples per block, and bytes that a pass over one takes, about. */
      block: z.number(),
      blockBytes: z.number(),
      /** Vectors of all parameters that eigenvalue iterations keep, and their bytes. */
      vectors: z.number(),
      vectorBytes: z.number(),
    })
    .optional(),
  subset: subsetSchema.optional(),
});

/** A verdict with the numbers and bounds it rests on; JSON by `certificateSchema`. */
export type Certificate = z.infer<typeof certificateSchema>;
export type Smoothness = z.infer<typeof smoothnessSchema>;
export type NearbyRun = z.infer<typeof nearbyRunSchema>;
