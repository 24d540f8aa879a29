/** The certificate of a point: numbers in float64, and the verdict that follows from them. */
import { InputError } from "../../engine/errors.ts";
import type { EngineOptions } from "../../engine/index.ts";
import type { Tensor, Tree } from "../../engine/tensor.ts";
import { castTree, inFloat64 } from "../../problems/float64.ts";
import type { Mode, Problem } from "../../problems/problem.ts";
import type { Descending, Method } from "../../sam/contract/method.ts";
import { sam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { prepareEvaluation } from "../../sam/training/evaluation.ts";
import { valueAt } from "../../settings/schedules.ts";
import {
  compiledRunner,
  lateStep,
  runCopies,
  runFrom,
  type Displacement,
  type Runner,
} from "./nearby-runs.ts";
import {
  defaultCertificateTolerances,
  type Certificate,
  type CertificateTolerances,
  type NearbyRun,
} from "./certificate.ts";
import { curvatureAt, type Curvature, type Ends, type Motions } from "../point/curvature.ts";
import { compileDerivatives, flatten, type Derivatives } from "../point/derivatives.ts";
import { compileDirection, type Direction } from "../point/direction.ts";
import { checkTensors, fixedLoss, type FixedLossOptions } from "../point/fixed-loss.ts";
import { restPoint, scaleOf, type Motion } from "../point/rest-point.ts";
import { findZero, type Zero } from "../point/zero.ts";
import {
  distance,
  mostVectors,
  norm,
  randomUnit,
  scaled,
  unit,
  type Vector,
} from "../algebra/vectors.ts";
import {
  describeDrift,
  judge,
  judgeAttraction,
  judgeMotion,
  type Judgment,
  stableRate,
  stepsOfSlowest,
} from "./judgment.ts";
import { onSamples } from "../../problems/subset.ts";
import {
  describeSmoothness,
  needsCurvature,
  smoothnessAt,
  type SmoothnessOptions,
} from "./smoothness.ts";
import { largestRate } from "./stability.ts";
import { isExactlyHallucinated, verdicts } from "../verdict.ts";

/** How hard to try. */
export interface CertifyEffort {
  /** η of the runs from displaced copies; default: half the largest stable one. */
  readonly learningRate?: number | undefined;
  readonly tolerances?: Partial<CertificateTolerances> | undefined;
  /** Up to so many parameters the whole spectrum of Dv is computed instead of its ends; default 1000. */
  readonly denseLimit?: number | undefined;
  /** Steps of each run; default: what the slowest rate asks for, within a limit that is stated. */
  readonly steps?: number | undefined;
  /** Displacement of the copies, in units of ρ; default 1e-3. */
  readonly radius?: number | undefined;
  /** Number of copies displaced at random; default 3. */
  readonly copies?: number | undefined;
  /** Seed of all random directions; default 0. */
  readonly seed?: number | undefined;
  /** Told what is being computed. */
  readonly onProgress?: ((what: string) => void) | undefined;
}

/** The point to certify, the method that made it, and how hard to try. */
export interface CertifyOptions extends FixedLossOptions, CertifyEffort {
  /** In float64. */
  readonly problem: Problem;
  /** The point to certify, as the problem's parameters. */
  readonly point: Tree<Tensor>;
  /** ρ > 0 of the SAM in question; default: that of the method at the end of its run. */
  readonly rho?: number | undefined;
  /**
   * The method that made the point: any that is deterministic and keeps nothing but momentum, on
   * the full batch. Its learning rate does not matter; its weight decay and momentum do. Default:
   * SAM with plain gradient steps.
   */
  readonly method?: Method | undefined;
  /** Architecture and data in words, for the report. */
  readonly description?: string | undefined;
  /** Parameters that the run started from, to say how large ρ was beside them. */
  readonly start?: Tree<Tensor> | undefined;
  /** Samples that a pass takes at a time; default: all, or as many as 2 GiB have room for. */
  readonly block?: number | undefined;
  readonly engine?: EngineOptions | undefined;
}

/**
 * A point of a loss and the method that made it, whatever computes them: a problem compiled here, or
 * another program.
 */
export interface Certifiable {
  readonly f: Derivatives;
  readonly x: Vector;
  /** ρ of the ascent; 0 for methods without one. */
  readonly rho: number;
  /** The direction of methods other than SAM. */
  readonly direction?: Direction | undefined;
  readonly method: Descending & { readonly name: string };
  /** Runs the method. */
  readonly runner: Runner;
  /** Which normalization the loss has, where it keeps statistics. */
  readonly mode?: Mode | undefined;
  /** What the loss is of. */
  readonly problem: string;
  readonly description?: string | undefined;
  readonly samples: number;
  /** Parameters that the run started from, where they are known. */
  readonly start?: Vector | undefined;
  /** Where the loss is only piecewise smooth, as far as can be told; default: it is smooth. */
  readonly smoothness?:
    | ((
        around: Omit<SmoothnessOptions, "loss" | "f" | "engine">,
      ) => ReturnType<typeof smoothnessAt>)
    | undefined;
  /** Threads that may compute at once; default 1. */
  readonly threads?: number | undefined;
  /** How good the model is, where that is known; asked last. */
  readonly score?: (() => Promise<Pick<NonNullable<Certificate["subject"]>, "score">>) | undefined;
}

/**
 * Say what a point is.
 *
 * @throws {InputError} when ρ is not positive, the problem is not in float64, the point or its
 * statistics do not fit the problem or are not finite, or the method draws random numbers or
 * remembers earlier steps.
 * @example
 * const { params, statistics } = modelOf(state);
 * const { verdict } = await certify({ problem, point: params, statistics, rho: 4 });
 */
export async function certify(options: CertifyOptions): Promise<Certificate> {
  const began = performance.now();
  const { problem, statistics, mode = "evaluate", onProgress, engine = {} } = options;
  const rho = radiusOf(options);
  const start = options.start && flatten(options.start);
  checkTensors(problem.init(0), options.point, "", `${problem.name} has no such parameter`);
  const loss = fixedLoss(problem, { statistics, mode });
  const method = options.method ?? sam({ rho, outer: sgd() });
  onProgress?.("compiling");
  const { block } = options;
  const f = await compileDerivatives(problem, { statistics, mode, block, ...engine });
  const { blocks } = f;
  // A method's own step takes all samples at once: in blocks only SAM's formula and descent's can be had.
  const direction =
    options.method && blocks === undefined
      ? await compileDirection(problem, options.method, { statistics, mode, ...engine })
      : undefined;
  try {
    if (blocks && options.method) await checkFormula(options, rho, blocks.samples);
    const certificate = await certifyPoint(
      {
        f,
        x: flatten(options.point),
        rho,
        direction,
        method: {
          name: method.name,
          ...(method.outer.descending ?? { momentum: 0, nesterov: false, weightDecay: 0 }),
        },
        runner: compiledRunner({
          problem: loss,
          method,
          engine,
          ...(blocks && { sam: { f, rho } }),
        }),
        smoothness: (around) => smoothnessAt({ ...around, loss, f, engine }),
        mode: problem.initStatistics && mode,
        problem: problem.name,
        description: options.description,
        samples: problem.train.size,
        start,
        threads: engine.threads,
        score: () => scoresOf(options),
      },
      options,
    );
    return { ...certificate, seconds: (performance.now() - began) / 1000 };
  } finally {
    await f.dispose();
    await direction?.dispose();
  }
}

/**
 * {@link certify} for what is computed elsewhere.
 *
 * @throws {InputError} when the loss at the point is not finite.
 */
export async function certifyPoint(
  subject: Certifiable,
  options: CertifyEffort = {},
): Promise<Certificate> {
  const began = performance.now();
  const { f, rho, direction, method, runner, start } = subject;
  const { blocks } = f;
  const { seed = 0, denseLimit = 1000, onProgress } = options;
  const tolerances = { ...defaultCertificateTolerances, ...options.tolerances };
  const { name, ...optimizer } = method;
  const { weightDecay } = optimizer;
  const motion: Motion = { f, rho, weightDecay, direction };
  const given = await restPoint(motion, subject.x);
  if (!Number.isFinite(given.sam.loss) || !Number.isFinite(given.descentNorm)) {
    throw new InputError(
      `invalid point: its loss is ${given.sam.loss} (give a point with finite loss)`,
    );
  }
  const length = scaleOf(rho, given.x);
  let zero: Zero | undefined;
  if (given.descentNorm > 0 && given.ratio <= tolerances.smallRatio) {
    onProgress?.("a zero of the direction nearby");
    zero = await findZero(motion, given, {
      reach: tolerances.reach * length,
      maxProducts: f.dimension <= denseLimit ? 600 : 120,
      seed,
    });
  }
  // What rests is the zero; without one the point is judged as it was given.
  const point = zero?.exact ? zero.point : given;
  const curvature = await curvatureAt(f, point, {
    tolerances,
    denseLimit,
    rests: zero?.exact ?? false,
    length,
    seed,
    threads: subject.threads,
    onProgress,
  });
  const { motions } = curvature;
  const { x } = point;
  const smooth = judge({ point, curvature, zero, weightDecay }, tolerances);
  // What is said of a point where the gradient vanishes rests on x alone.
  const isCritical = ["minimizer", "saddle", "maximizer"].includes(smooth.name);
  const reach = (options.radius ?? 1e-3) * length;
  onProgress?.("kinks nearby");
  const smoothness = await subject.smoothness?.({
    x,
    ascentPoint: isCritical ? undefined : point.sam.ascentPoint,
    rho,
    directions: motions
      ? displacements(x, motions, options.copies ?? 3, seed).map(({ direction: along }) => along)
      : [0, 1, 2].map((i) => randomUnit(x.length, seed, "copy", String(i))),
    reach,
  });
  const still: Judgment =
    smoothness && smoothness.atKink > 0 && needsCurvature(smooth.name)
      ? { name: "inconclusive", because: describeSmoothness(smoothness) }
      : smooth;
  const stable = stableRate(motions, tolerances, optimizer);
  const learningRate =
    options.learningRate ??
    (zero?.exact && stable !== undefined ? stable / 2 : steepestRate(curvature) / 20);

  let verdict = still;
  let runs: NearbyRun[] = [];
  let drift: Certificate["drift"] = null;
  const asked = stepsOfSlowest(motions, tolerances, learningRate, optimizer);
  if (isExactlyHallucinated(still.name) && motions) {
    onProgress?.(`${name} from displaced copies`);
    runs = await runCopies(runner, {
      x,
      learningRate,
      steps:
        options.steps ??
        (blocks ? blockedSteps : Math.min(mostSteps(f.dimension), Math.max(1000, asked))),
      radius: reach,
      displacements: displacements(x, motions, options.copies ?? 3, seed),
    });
  } else if (still.moving || still.name === "near-hallucinated") {
    onProgress?.(`${name} from the point itself`);
    const steps = options.steps ?? (blocks ? blockedSteps : 1000);
    const run = await runFrom(runner, { x, learningRate, steps });
    const { moved, firstLoss: lossBefore, endLoss: lossAfter, finite } = run;
    if (finite) drift = { steps, learningRate, moved, lossBefore, lossAfter };
    if (still.moving) verdict = judgeMotion(still, run, curvature, tolerances, words(name));
    else if (finite) {
      const seen = describeDrift(run, steps, learningRate);
      verdict = { ...still, because: `${still.because} ${seen}` };
    }
  }
  if (smoothness && needsCurvature(verdict.name)) {
    const nearby = describeSmoothness(smoothness);
    verdict =
      smoothness.atKink > 0
        ? { name: "inconclusive", because: nearby }
        : { ...verdict, because: `${verdict.because} ${nearby}` };
  }
  const onPiece = judgeAttraction(
    {
      name: verdict.name,
      motions,
      runs,
      learningRate,
      ball: optimizer,
      stepsAskedFor: asked,
      method: words(name),
      matrix: point.isSam && weightDecay === 0 ? "H⁺M" : "Dv",
    },
    tolerances,
  );
  // A spectrum speaks of one piece: beyond a kink another one begins.
  const attracting: Certificate["attracting"] =
    smoothness && smoothness.withinReach > 0 && onPiece.answer !== "unknown"
      ? {
          answer: "unknown",
          sentence: `${describeSmoothness(smoothness)} Of that piece alone: ${onPiece.sentence}`,
        }
      : onPiece;
  const { sam: samCurvature } = curvature;
  const { sam: seen } = point;
  return {
    verdict: { name: verdict.name, sentence: `${verdicts[verdict.name]} ${verdict.because}` },
    attracting,
    loss: seen.loss,
    shiftedLoss: seen.shiftedLoss,
    gradNorm: seen.gradNorm,
    shiftedGradNorm: seen.shiftedGradNorm,
    gradRatio: finite(seen.gradRatio),
    hessian: withoutFlag(curvature.hessian),
    shiftedHessian: withoutFlag(curvature.shiftedHessian),
    samJacobian: {
      minReal: motions?.minReal ?? null,
      maxReal: motions?.maxReal ?? null,
      residual: motions?.residual ?? null,
    },
    perturbationJacobian: {
      minSymmetric: samCurvature?.minSymmetric.value ?? null,
      minSingular: samCurvature?.minSingular.value ?? null,
    },
    maxStableLearningRate: finite(stable ?? NaN),
    ...(subject.mode && { mode: subject.mode }),
    tolerances: { ...tolerances },
    dtype: "float64",
    engine: f.engine,
    seconds: (performance.now() - began) / 1000,
    products: f.cost.products + (direction?.cost.products ?? 0),
    details: {
      rho,
      dimension: f.dimension,
      distance: distance(seen.ascentPoint, seen.x),
      gradients: f.cost.gradients,
      dense: curvature.dense,
      converged: {
        hessian: curvature.hessian.converged,
        shiftedHessian: curvature.shiftedHessian.converged,
        samJacobian: motions?.converged ?? false,
        symmetricPart: samCurvature?.minSymmetric.converged ?? false,
        singularValue: samCurvature?.minSingular.converged ?? false,
      },
      perturbationResiduals: {
        minSymmetric: samCurvature?.minSymmetric.residual ?? null,
        minSingular: samCurvature?.minSingular.residual ?? null,
      },
      spectrum: (motions?.eigenvalues ?? []).map(({ re, im, condition, error }) => ({
        re,
        im,
        maxStableLearningRate: finite(largestRate({ re, im }, optimizer) ?? NaN),
        ...(condition !== undefined && Number.isFinite(condition) && { condition }),
        ...(error !== undefined && Number.isFinite(error) && { error }),
      })),
      kernels: curvature.kernels ?? null,
      learningRate: runs.length > 0 || drift ? learningRate : null,
      runs,
      ...(runs.length > 0 && { stepsAskedFor: asked }),
    },
    subject: {
      problem: subject.problem,
      ...(subject.description !== undefined && { description: subject.description }),
      parameters: f.dimension,
      samples: subject.samples,
      loss: given.sam.loss,
      ...(await subject.score?.()),
      rho,
      relativeRho: finite(rho / norm(given.x)),
      ...(start !== undefined &&
        rho > 0 &&
        norm(start) > 0 && { relativeRhoAtStart: rho / norm(start) }),
      method,
    },
    direction: {
      norm: point.directionNorm,
      descentNorm: point.descentNorm,
      ratio: finite(point.ratio),
      samLike: point.isSam,
    },
    zero: zero
      ? {
          exact: zero.exact,
          moved: zero.moved,
          residual: zero.point.directionNorm,
          roundingLevel: zero.roundingLevel,
          kantorovich: zero.kantorovich ?? null,
        }
      : null,
    drift,
    ...(smoothness && { smoothness }),
    ...(blocks && {
      memory: {
        block: blocks.samples,
        blockBytes: blocks.bytes,
        vectors: keptVectors(f.dimension),
        vectorBytes: keptVectors(f.dimension) * f.dimension * 8,
      },
    }),
  };
}

/** Steps of each run where every step takes the samples block by block, unless it is told otherwise. */
const blockedSteps = 20;

/** Vectors of all parameters that the iterations keep at once, at most: Arnoldi's basis. */
const keptVectors = (dimension: number): number => Math.min(160, mostVectors(dimension));

/**
 * Check, on a few samples, that a method follows SAM's formula or plain descent.
 *
 * @throws {InputError} when it does not.
 */
async function checkFormula(
  { problem, method, point, statistics, mode, engine = {} }: CertifyOptions,
  rho: number,
  block: number,
): Promise<void> {
  if (method === undefined) return;
  const few = Array.from({ length: Math.min(block, 16) }, (_, i) => i);
  const part = onSamples(problem, few);
  const { weightDecay = 0 } = method.outer.descending ?? {};
  const direction = await compileDirection(part, method, { statistics, mode, ...engine });
  const f = await compileDerivatives(part, { statistics, mode, ...engine });
  try {
    const seen = await restPoint({ f, rho, weightDecay, direction }, flatten(point));
    const isDescent =
      rho === 0 &&
      distance(seen.direction, seen.descent) <= 1e-12 * (seen.descentNorm + seen.directionNorm);
    if (seen.isSam || isDescent) return;
    throw new InputError(
      `invalid method: ${method.name} takes all ${problem.train.size} samples in one pass, for which there is no room (give --samples, or --method sam)`,
    );
  } finally {
    await f.dispose();
    await direction.dispose();
  }
}

/** The method, as sentences call it. */
const words = (name: string): string => (name === "sam" ? "SAM" : name);

/** ρ as it was given, or of the method at the end of its run; 0 for methods without an ascent. */
export function radiusOf({ rho, method }: Pick<CertifyOptions, "rho" | "method">): number {
  const own = method?.knobs["rho"];
  const given =
    rho ??
    (typeof own === "number" || typeof own === "function"
      ? valueAt(own, lateStep, lateStep + 1)
      : undefined);
  if (given === undefined && method) return 0;
  if (given === undefined) {
    throw new InputError("missing rho (give SAM's radius, or the method that made the point)");
  }
  if (!(given > 0 && given < Infinity)) {
    throw new InputError(`invalid rho: ${given} (give a positive number)`);
  }
  return given;
}

/** A rate that no curvature of the loss makes unstable: 2/‖H‖; 2 where the loss is flat. */
function steepestRate({ hessian, shiftedHessian }: Curvature): number {
  const size = Math.max(...[hessian, shiftedHessian].flatMap(({ min, max }) => [-min, max]));
  return size > 0 ? 2 / size : 2;
}

/** Steps that are not exceeded, however slow the slowest rate: about as long for every size. */
export const mostSteps = (dimension: number): number =>
  Math.min(20_000, Math.max(1000, Math.floor(1e6 / dimension)));

/** How good the model is on its data, where the problem says how to tell. */
async function scoresOf({
  problem,
  point: params,
  statistics = {},
  engine,
}: CertifyOptions): Promise<Pick<NonNullable<Certificate["subject"]>, "score">> {
  if (!problem.score || problem.train.size === 0) return {};
  const exact = inFloat64(problem);
  const model = castTree({ params, statistics }, "float64");
  const evaluation = prepareEvaluation(exact, engine);
  try {
    const on = async (split: Problem["train"]) => (await evaluation.evaluate(model, split)).score;
    const train = await on(exact.train);
    const test = exact.test && (await on(exact.test));
    if (train === undefined) return {};
    return { score: { train, ...(test !== undefined && { test }) } };
  } finally {
    await evaluation.dispose();
  }
}

/**
 * Where copies start: in random directions, on both sides along the leftmost eigenvector, and, where
 * parameters are equal or mirrored, off that symmetry. The kernel of Dvᵀ is left out: along it a
 * displacement stays, for other points of the same set of zeros lie there.
 */
function displacements(
  x: Vector,
  { leftmostVector, offKernel }: Motions,
  copies: number,
  seed: number,
): Displacement[] {
  const without = (given: Vector): Vector => {
    const v = offKernel(given);
    // Nothing but the kernel is left where all of it is one.
    return norm(v) > 1e-3 * norm(given) ? unit(v) : unit(given);
  };
  const random = Array.from({ length: copies }, (_, i) => ({
    name: `random ${i + 1}`,
    direction: without(randomUnit(x.length, seed, "copy", String(i))),
  }));
  const off = offSymmetry(x, seed);
  return [
    ...random,
    ...(norm(leftmostVector) > 0
      ? [
          { name: "along the leftmost eigenvector", direction: leftmostVector },
          { name: "against the leftmost eigenvector", direction: scaled(-1, leftmostVector) },
        ]
      : []),
    ...(off ? [{ name: "off equal parameters", direction: without(off) }] : []),
  ];
}

/** A random direction along which parameters that are equal up to sign no longer are. */
function offSymmetry(x: Vector, seed: number): Vector | undefined {
  const random = randomUnit(x.length, seed, "off symmetry");
  const direction = new Float64Array(x.length);
  const order = Array.from(x.keys()).sort((i, j) => Math.abs(x[i] ?? 0) - Math.abs(x[j] ?? 0));
  const sizeAt = (k: number) => Math.abs(x[order[k] ?? -1] ?? NaN);
  for (let first = 0; first < order.length;) {
    let end = first + 1;
    while (sizeAt(end) - sizeAt(first) <= 1e-12 * sizeAt(first)) end++;
    const group = order.slice(first, end);
    first = end;
    if (group.length < 2 || x[group[0] as number] === 0) continue;
    const mean = group.reduce((sum, i) => sum + (random[i] as number), 0) / group.length;
    for (const i of group)
      direction[i] = Math.sign(x[i] as number) * ((random[i] as number) - mean);
  }
  return norm(direction) > 0 ? unit(direction) : undefined;
}

const withoutFlag = ({ min, max, residual }: Ends) => ({ min, max, residual });
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
