/** The certificate of a point: numbers in float64, and the verdict that follows from them. */
import { InputError } from "../../engine/errors.ts";
import type { EngineOptions } from "../../engine/index.ts";
import type { Tensor, Tree } from "../../engine/tensor.ts";
import type { Problem } from "../../problems/problem.ts";
import { runFrom, runNearby, type Displacement } from "./nearby-runs.ts";
import {
  defaultCertificateTolerances,
  type Certificate,
  type CertificateTolerances,
  type NearbyRun,
} from "./certificate.ts";
import { curvatureAt, type Curvature, type Ends, type SamCurvature } from "../point/curvature.ts";
import { compileDerivatives, flatten } from "../point/derivatives.ts";
import { checkTensors, fixedLoss, type FixedLossOptions } from "../point/fixed-loss.ts";
import { samPoint } from "../point/sam-point.ts";
import { distance, randomUnit, scaled } from "../algebra/vectors.ts";
import { judge, judgeAttraction, judgeMotion, offKernel, stableRate } from "./judgment.ts";
import { isHallucinated, verdicts } from "../verdict.ts";

/** The point to certify, and how hard to try. */
export interface CertifyOptions extends FixedLossOptions {
  /** In float64. */
  readonly problem: Problem;
  /** The point to certify, as the problem's parameters. */
  readonly point: Tree<Tensor>;
  /** ρ > 0 of the SAM in question. */
  readonly rho: number;
  /** η of the runs from perturbed copies; default: half the largest stable one, at most 1. */
  readonly learningRate?: number;
  readonly tolerances?: Partial<CertificateTolerances>;
  /** Up to so many parameters whole spectra are computed instead of their ends; default 200. */
  readonly denseLimit?: number;
  /** Steps of each run from a perturbed copy; default 1000, more where whole spectra are known. */
  readonly steps?: number;
  /** Displacement of the perturbed copies, in units of ρ; default 1e-3. */
  readonly radius?: number;
  /** Number of copies displaced at random; default 3. */
  readonly copies?: number;
  /** Seed of all random directions; default 0. */
  readonly seed?: number;
  readonly engine?: EngineOptions;
  /** Told what is being computed. */
  readonly onProgress?: (what: string) => void;
}

/**
 * Say what a point is.
 *
 * @throws {InputError} when ρ is not positive, the problem is not in float64, or the point or its
 * statistics do not fit the problem or are not finite.
 * @example
 * const { params, statistics } = modelOf(state);
 * const { verdict } = await certify({ problem, point: params, statistics, rho: 4 });
 */
export async function certify(options: CertifyOptions): Promise<Certificate> {
  const began = performance.now();
  const { problem, statistics, mode = "evaluate", rho, onProgress, engine = {} } = options;
  const { seed = 0, denseLimit = 200 } = options;
  if (!(rho > 0 && rho < Infinity)) {
    throw new InputError(`invalid rho: ${rho} (give a positive number)`);
  }
  checkTensors(problem.init(0), options.point, "", `${problem.name} has no such parameter`);
  const loss = fixedLoss(problem, { statistics, mode });
  const tolerances = { ...defaultCertificateTolerances, ...options.tolerances };
  onProgress?.("compiling");
  const f = await compileDerivatives(problem, { statistics, mode, ...engine });
  try {
    const point = await samPoint(f, flatten(options.point), rho);
    if (!Number.isFinite(point.loss) || !Number.isFinite(point.gradNorm)) {
      throw new InputError(
        `invalid point: its loss is ${point.loss} (give a point with finite loss)`,
      );
    }
    const curvature = await curvatureAt(f, point, { tolerances, denseLimit, seed, onProgress });
    const still = judge(point, curvature, tolerances);
    const learningRate =
      options.learningRate ?? Math.min(1, (stableRate(curvature.sam, tolerances) ?? 0.02) / 2);
    const runOptions = { problem: loss, x: point.x, rho, learningRate, engine };

    let verdict = still;
    let runs: NearbyRun[] = [];
    if (isHallucinated(still.name) && curvature.sam) {
      onProgress?.("SAM from perturbed copies");
      runs = await runNearby({
        ...runOptions,
        steps: options.steps ?? stepsToDecay(curvature, learningRate, tolerances),
        radius: (options.radius ?? 1e-3) * rho,
        displacements: displacements(
          f.dimension,
          curvature.sam,
          options.copies ?? 3,
          seed,
          tolerances,
        ),
      });
    } else if (still.name === "inconclusive" && still.moving) {
      onProgress?.("SAM from the point itself");
      const run = await runFrom({ ...runOptions, steps: options.steps ?? 1000 });
      verdict = judgeMotion(still, run, curvature, tolerances);
    }
    const attracting = judgeAttraction(
      verdict.name,
      point,
      curvature,
      runs,
      learningRate,
      tolerances,
    );
    const { sam } = curvature;
    return {
      verdict: { name: verdict.name, sentence: `${verdicts[verdict.name]} ${verdict.because}` },
      attracting,
      loss: point.loss,
      shiftedLoss: point.shiftedLoss,
      gradNorm: point.gradNorm,
      shiftedGradNorm: point.shiftedGradNorm,
      gradRatio: finite(point.gradRatio),
      hessian: withoutFlag(curvature.hessian),
      shiftedHessian: withoutFlag(curvature.shiftedHessian),
      samJacobian: {
        minReal: sam?.minReal ?? null,
        maxReal: sam?.maxReal ?? null,
        residual: sam?.residual ?? null,
      },
      perturbationJacobian: {
        minSymmetric: sam?.minSymmetric.value ?? null,
        minSingular: sam?.minSingular.value ?? null,
      },
      maxStableLearningRate: stableRate(sam, tolerances) ?? null,
      ...(problem.initStatistics && { mode }),
      tolerances: { ...tolerances },
      dtype: "float64",
      engine: f.engine,
      seconds: (performance.now() - began) / 1000,
      products: f.cost.products,
      details: {
        rho,
        dimension: f.dimension,
        distance: distance(point.ascentPoint, point.x),
        gradients: f.cost.gradients,
        dense: curvature.dense,
        converged: {
          hessian: curvature.hessian.converged,
          shiftedHessian: curvature.shiftedHessian.converged,
          samJacobian: sam?.converged ?? false,
          symmetricPart: sam?.minSymmetric.converged ?? false,
          singularValue: sam?.minSingular.converged ?? false,
        },
        perturbationResiduals: {
          minSymmetric: sam?.minSymmetric.residual ?? null,
          minSingular: sam?.minSingular.residual ?? null,
        },
        spectrum: (sam?.eigenvalues ?? []).map(({ re, im }) => ({
          re,
          im,
          maxStableLearningRate: re > 0 ? (2 * re) / (re * re + im * im) : null,
        })),
        kernels: curvature.kernels ?? null,
        learningRate: runs.length > 0 || still.moving ? learningRate : null,
        runs,
      },
    };
  } finally {
    await f.dispose();
  }
}

/** Steps in which the slowest known mode changes by e⁵, within reason. */
function stepsToDecay(
  { dense, sam }: Curvature,
  learningRate: number,
  tolerances: CertificateTolerances,
): number {
  const usual = 1000;
  if (!dense || sam === undefined) return usual;
  const slowest = Math.min(...offKernel(sam.eigenvalues, tolerances).map(({ re }) => Math.abs(re)));
  return Math.min(20 * usual, Math.max(usual, Math.ceil(5 / (learningRate * slowest))));
}

function displacements(
  dimension: number,
  sam: SamCurvature,
  copies: number,
  seed: number,
  { curvature }: CertificateTolerances,
): Displacement[] {
  const random = Array.from({ length: copies }, (_, i) => ({
    name: `random ${i + 1}`,
    direction: randomUnit(dimension, seed, "copy", String(i)),
  }));
  if (sam.minReal >= -curvature * sam.maxReal) return random;
  const v = sam.leftmostVector;
  return [
    ...random,
    { name: "along the leftmost eigenvector", direction: v },
    { name: "against the leftmost eigenvector", direction: scaled(-1, v) },
  ];
}

const withoutFlag = ({ min, max, residual }: Ends) => ({ min, max, residual });
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
