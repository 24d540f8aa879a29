/** Judgment of a point: from its numbers to its verdict. Every decision names the numbers it rests on. */
import { rounded } from "../../engine/digits.ts";
import type { ComplexEigenvalue } from "../algebra/arnoldi.ts";
import type { RunAverages } from "./nearby-runs.ts";
import type { Certificate, CertificateTolerances, NearbyRun } from "./certificate.ts";
import {
  relativeGradient,
  type Curvature,
  type Ends,
  type Estimate,
  type Motions,
} from "../point/curvature.ts";
import { scaleOf, type RestPoint } from "../point/rest-point.ts";
import type { Zero } from "../point/zero.ts";
import { isExactlyHallucinated, type VerdictName } from "../verdict.ts";
import { growth, largestRate, type Ball } from "./stability.ts";

export interface Judgment {
  readonly name: VerdictName;
  /** What about the numbers led to it. */
  readonly because: string;
  /** Whether only running the method can tell what happens: neither gradient vanishes. */
  readonly moving?: boolean;
}

/** What a verdict on a point rests on. */
export interface Facts {
  readonly point: Pick<RestPoint, "descentNorm" | "directionNorm" | "ratio" | "isSam"> & {
    readonly x: RestPoint["x"];
    readonly sam: Pick<
      RestPoint["sam"],
      "rho" | "loss" | "shiftedLoss" | "gradNorm" | "shiftedGradNorm" | "gradRatio"
    >;
  };
  readonly curvature: Pick<Curvature, "hessian" | "shiftedHessian" | "sam">;
  /** The search for a zero of v, where there was one. */
  readonly zero: Pick<Zero, "exact" | "roundingLevel" | "moved"> | undefined;
  /** Of the optimizer; 0 without decay. */
  readonly weightDecay: number;
}

/** The verdict on a point that stands still: what vanishes, and how the loss curves there. */
export function judge(
  { point, curvature, zero, weightDecay }: Facts,
  tolerances: CertificateTolerances,
): Judgment {
  const { descentNorm, directionNorm, ratio: restRatio, isSam, sam, x } = point;
  const { zeroGradient, clearGradient, zeroRatio, smallRatio, singular } = tolerances;
  const plain = weightDecay === 0;
  const G = plain ? "g" : "g + λx";
  const v = isSam && plain ? "g⁺" : "v";
  const relative = relativeGradient(descentNorm, scaleOf(sam.rho, x), curvature);
  const length = sam.rho > 0 ? "ρ" : "‖x‖";
  const g = `‖${G}‖ = ${brief(descentNorm)}, ${brief(relative)} of ${length}‖H‖`;
  if (relative <= zeroGradient) {
    const hessian = shifted(curvature.hessian, weightDecay);
    const H = plain ? "H" : "H + λI";
    const kind = kindOf(hessian, tolerances);
    const flat =
      kind === "minimizer" && hessian.min <= tolerances.curvature * hessian.max
        ? " In some direction it is flat, where higher orders decide."
        : "";
    const because = `${g} (zero is at most ${brief(zeroGradient)}); ${describe(H, hessian)}.${flat}`;
    return kind === undefined
      ? { name: "inconclusive", because: `${because} ${whyUndecided(H, hessian, tolerances)}` }
      : { name: kind, because };
  }
  const ratio =
    v === "g⁺" ? `GradRatio = ‖g⁺‖/‖g‖ = ${brief(restRatio)}` : `‖v‖/‖${G}‖ = ${brief(restRatio)}`;
  if (restRatio > smallRatio) {
    return {
      name: "inconclusive",
      because: `Neither gradient vanishes: ${g} (zero is at most ${brief(zeroGradient)}) and ‖${v}‖ = ${brief(directionNorm)}, ${ratio} (nearly zero is at most ${brief(smallRatio)}).`,
      moving: true,
    };
  }
  if (relative < clearGradient) {
    return {
      name: "inconclusive",
      because: `${g} lies between zero (at most ${brief(zeroGradient)}) and clearly not zero (at least ${brief(clearGradient)}).`,
    };
  }
  const losses = compareLosses(sam);
  if (!zero?.exact) {
    const level = zero ? `, ${brief(directionNorm / zero.roundingLevel)} times rounding` : "";
    return {
      name: "near-hallucinated",
      because: `${g}; ${ratio}${level}; no zero of ${v} was found within ${brief(tolerances.reach)} ${length}. ${losses}`,
    };
  }
  const where = `${v} vanishes: ‖${v}‖ = ${brief(directionNorm)}, rounding is ${brief(zero.roundingLevel)}`;
  if (!(sam.shiftedGradNorm <= zeroRatio * sam.gradNorm)) {
    return {
      name: "hallucinated-rest",
      because: `${g}; ${where}, though ‖g⁺‖ = ${brief(sam.shiftedGradNorm)}. ${losses}`,
    };
  }
  const { shiftedHessian } = curvature;
  const kind = kindOf(shiftedHessian, tolerances);
  const curves = describe("H⁺", shiftedHessian);
  if (kind === undefined) {
    return {
      name: "inconclusive",
      because: `${g}; ${where}; ${curves}. ${whyUndecided("H⁺", shiftedHessian, tolerances)}`,
    };
  }
  const least = curvature.sam?.minSingular.value;
  if (kind === "minimizer" && isSam && !(least !== undefined && least > singular)) {
    return {
      name: "inconclusive",
      because: `${g}; ${where}; ${curves}, but M is singular: its smallest singular value is ${brief(least ?? NaN)} (singular is at most ${brief(singular)}).`,
    };
  }
  return { name: `hallucinated-${kind}`, because: `${g}; ${where}; ${curves}. ${losses}` };
}

/** f(x), f(x⁺), and which of them is lower. */
function compareLosses({
  rho,
  loss,
  shiftedLoss,
}: Pick<RestPoint["sam"], "rho" | "loss" | "shiftedLoss">): string {
  if (rho === 0) return `f(x) = ${digits(loss)}.`;
  const relation =
    shiftedLoss < loss ? "so x⁺ lies lower" : shiftedLoss > loss ? "so x lies lower" : "the same";
  return `f(x) = ${digits(loss)} and f(x⁺) = ${digits(shiftedLoss)}, ${relation}.`;
}

/** Six digits tell two losses apart. */
const digits = (value: number): string => String(rounded(value, 6));

/** What the method did from a point at which neither gradient vanishes. */
export function judgeMotion(
  still: Judgment,
  run: RunAverages,
  { hessian }: Pick<Curvature, "hessian">,
  tolerances: CertificateTolerances,
  name = "SAM",
): Judgment {
  const ratio = run.shiftedGradNorm / run.gradNorm;
  const watched = `${name} from here: ‖g‖ averages ${brief(run.gradNorm)}, ‖g⁺‖ ${brief(run.shiftedGradNorm)}, cos(g, g⁺) ${brief(run.cosine)}; the loss went from ${brief(run.firstLoss)} to ${brief(run.lastLoss)}.`;
  const because = `${still.because} ${watched}`;
  if (!run.finite) {
    return { name: "diverged", because: `${still.because} ${name} from here is not finite.` };
  }
  const scale = Math.max(Math.abs(hessian.min), Math.abs(hessian.max));
  const indefinite = hessian.min <= -tolerances.clearCurvature * scale;
  // Across a critical point the gradients at x and x⁺ oppose each other or have little in common.
  if (ratio >= chatterRatio && indefinite && run.cosine < 0.5) {
    return {
      name: "trapped-at-saddle",
      because: `${because} The spectrum of H runs from ${brief(hessian.min)} to ${brief(hessian.max)}. That saddles attract SAM: Kim et al., arXiv 2301.06308.`,
    };
  }
  if (ratio <= tolerances.smallRatio) {
    return { ...still, because: `${because} It stalls where g⁺ vanishes: certify its end.` };
  }
  const fall = run.firstLoss - run.lastLoss;
  if (fall > falling * Math.abs(run.firstLoss)) return { name: "descending", because };
  return run.cosine < 0.5 ? { name: "oscillating", because } : { ...still, because };
}

/** ‖g⁺‖/‖g‖ from which on a run chatters around a critical point. */
const chatterRatio = 3;
/** Fall of the loss, as a fraction of it, that counts as descending. */
const falling = 0.01;

/** What the drift from a point near a zero that was not found looked like. */
export function describeDrift(
  { moved, firstLoss, endLoss }: Pick<RunAverages, "moved" | "firstLoss" | "endLoss">,
  steps: number,
  learningRate: number,
): string {
  const [from, to] = [digits(firstLoss), digits(endLoss)];
  const change =
    from === to
      ? `stayed at ${from}`
      : `${endLoss < firstLoss ? "fell" : "rose"} from ${from} to ${to}`;
  return `In ${steps} steps at the learning rate ${brief(learningRate)} it drifted by ${brief(moved)}, and the loss ${change}.`;
}

/** What attraction is judged by. */
export interface AttractionFacts {
  readonly name: VerdictName;
  readonly motions: Motions | undefined;
  readonly runs: readonly NearbyRun[];
  readonly learningRate: number;
  readonly ball: Ball;
  /** Steps that the slowest rate asks for. */
  readonly stepsAskedFor: number;
  /** The method, as sentences call it. */
  readonly method: string;
  /** What Dv is called: H⁺M for SAM. */
  readonly matrix: string;
}

/** Whether nearby runs of the method end here. */
export function judgeAttraction(
  { name, motions, runs, learningRate, ball, stepsAskedFor, method, matrix }: AttractionFacts,
  tolerances: CertificateTolerances,
): Certificate["attracting"] {
  if (!isExactlyHallucinated(name)) {
    return {
      answer: "unknown",
      sentence:
        name === "near-hallucinated"
          ? "Nothing rests here, so there is no stability to speak of."
          : "The question is asked of hallucinated points only.",
    };
  }
  if (motions === undefined) {
    return {
      answer: "unknown",
      sentence: `The derivative of ${method}'s direction is not finite.`,
    };
  }
  const left = runs.filter(({ outcome }) => outcome === "left").length;
  const returned = runs.filter(({ outcome }) => outcome === "returned").length;
  const steps = runs[0]?.steps ?? 0;
  const cut =
    stepsAskedFor > steps ? ` of the ${stepsAskedFor} that the slowest rate asks for` : "";
  const happened =
    runs.length === 0
      ? ""
      : ` Of ${runs.length} runs from displaced copies ${returned} came back to at most half of their distance, ${left} left to twice of it, ${runs.length - left - returned} neither (${steps} steps${cut}, learning rate ${brief(learningRate)}).`;
  const largest = Math.max(largestOf(motions.eigenvalues), motions.maxReal);
  const bar = motions.leftmost.error;
  // Without a condition number the residual alone bounds nothing: 3 of them are a guess.
  const error = Math.max(
    errorOf(largest, bar, tolerances),
    bar === undefined ? 3 * motions.residual : 0,
  );
  const isZero = motions.minReal !== 0 && Math.abs(motions.minReal) <= error;
  const { condition } = motions.leftmost;
  const conditioned =
    bar === undefined || condition === undefined
      ? ""
      : ` ± ${brief(bar)}, condition ${brief(condition)}`;
  const leftmost = `the leftmost eigenvalue of ${matrix} is ${brief(motions.minReal)}${isZero ? `, which is zero within ${brief(error)}` : conditioned}`;
  if (motions.minReal < -error) {
    const time = 1 / (learningRate * -motions.minReal);
    return {
      answer: "no",
      sentence: `${method} is pushed away${time > steps ? ", though slowly" : ""}: ${leftmost}, so a displacement grows e-fold in about ${brief(time)} steps.${happened}`,
    };
  }
  if (!motions.converged) {
    return {
      answer: left > 0 ? "no" : "unknown",
      sentence: `The spectrum of ${matrix} does not decide: ${leftmost} with residual ${brief(motions.residual)}.${happened}`,
    };
  }
  const rate = stableRate(motions, tolerances, ball) ?? Infinity;
  const bound = motions.whole ? "" : ", an upper bound";
  if (learningRate >= rate) {
    return {
      answer: "no",
      sentence: `At the learning rate ${brief(learningRate)} ${method} overshoots: it would be drawn in below ${brief(rate)}${bound} only, since no eigenvalue of ${matrix} clearly pushes away (${leftmost}).${happened}`,
    };
  }
  if (left > 0) {
    return {
      answer: "unknown",
      sentence: `The spectrum of ${matrix} says yes, ${leftmost}, yet runs left.${happened}`,
    };
  }
  if (!motions.whole) {
    return {
      answer: returned > 0 && returned === runs.length ? "yes" : "unknown",
      sentence: `No eigenvalue of ${matrix} was found without positive real part (${leftmost}), for learning rates below ${brief(rate)}${bound}; a missed one is not excluded.${happened}`,
    };
  }
  return {
    answer: "yes",
    sentence: `${method} is drawn in: every eigenvalue of ${matrix} off its kernel has positive real part (${leftmost}), for learning rates below ${brief(rate)}.${happened}`,
  };
}

/** With error bars eigenvalues count as zero up to them, and up to this fraction of the largest. */
const barredZero = 1e-10;

/** How far an eigenvalue may be off, and still be zero. */
function errorOf(
  largest: number,
  error: number | undefined,
  { curvature }: CertificateTolerances,
): number {
  return error === undefined ? curvature * largest : Math.max(barredZero * largest, error);
}

const largestOf = (eigenvalues: readonly ComplexEigenvalue[]): number =>
  Math.max(0, ...eigenvalues.map(size));

const size = ({ re, im }: ComplexEigenvalue) => Math.hypot(re, im);

/** The largest learning rate that contracts along every eigenvalue off the kernel with Re λ > 0. */
export function stableRate(
  motions: Pick<Motions, "eigenvalues"> | undefined,
  tolerances: CertificateTolerances,
  ball: Ball,
): number | undefined {
  const rates = offKernel(motions?.eigenvalues ?? [], tolerances).flatMap(
    (eigenvalue) => largestRate(eigenvalue, ball) ?? [],
  );
  return rates.length > 0 ? Math.min(...rates) : undefined;
}

/** Steps in which the slowest mode off the kernel shrinks, or grows, e-fold. */
export function stepsOfSlowest(
  motions: Pick<Motions, "eigenvalues"> | undefined,
  tolerances: CertificateTolerances,
  learningRate: number,
  ball: Ball,
): number {
  const rates = offKernel(motions?.eigenvalues ?? [], tolerances).map((eigenvalue) =>
    Math.abs(Math.log(growth(eigenvalue, learningRate, ball))),
  );
  const slowest = Math.min(...rates.filter((rate) => rate > 0));
  return Number.isFinite(slowest) ? Math.ceil(1 / slowest) : 0;
}

/** Eigenvalues that are not zero: beyond their error bars, and a fraction of the largest. */
export function offKernel(
  eigenvalues: readonly ComplexEigenvalue[],
  tolerances: CertificateTolerances,
): readonly ComplexEigenvalue[] {
  const largest = largestOf(eigenvalues);
  return eigenvalues.filter(
    (eigenvalue) => size(eigenvalue) > errorOf(largest, eigenvalue.error, tolerances),
  );
}

/** Whether Theorem 3.2 applies: sym(M) ≻ 0, and the zero is an isolated one since H⁺ ≻ 0. */
export function isProvedAttracting(
  name: VerdictName,
  {
    shiftedHessian: { min, max, residual, converged },
    minSymmetric,
  }: { readonly shiftedHessian: Ends; readonly minSymmetric: Estimate },
  { curvature }: Pick<CertificateTolerances, "curvature">,
): boolean {
  return (
    name === "hallucinated-minimizer" &&
    minSymmetric.converged &&
    minSymmetric.value - minSymmetric.residual > 0 &&
    converged &&
    min - residual > curvature * max
  );
}

type Kind = "minimizer" | "saddle" | "maximizer";

const shifted = (ends: Ends, by: number): Ends => ({
  ...ends,
  min: ends.min + by,
  max: ends.max + by,
});

/** The kind of critical point that a Hessian with these ends makes; `undefined` if undecided. */
export function kindOf(
  { min, max, residual, converged }: Ends,
  { curvature }: Pick<CertificateTolerances, "curvature">,
): Kind | undefined {
  const limit = curvature * Math.max(Math.abs(min), Math.abs(max));
  // Ritz values lie inside the spectrum: negative and positive curvature found is there.
  if (min < -limit && max > limit) return "saddle";
  if (!converged || limit === 0) return undefined;
  if (min - residual >= -limit) return "minimizer";
  return max + residual <= limit ? "maximizer" : undefined;
}

function whyUndecided(
  name: string,
  { min, max, residual, converged }: Ends,
  { curvature }: CertificateTolerances,
): string {
  const size = Math.max(Math.abs(min), Math.abs(max));
  if (size === 0) return `${name} is zero: the loss is flat here, and curvature does not decide.`;
  if (!converged) return `The spectrum of ${name} has not converged: residual ${brief(residual)}.`;
  return `The residual ${brief(residual)} is too large to tell ${name}'s ends from zero (at most ${brief(curvature * size)}).`;
}

const describe = (name: string, { min, max }: Ends) =>
  `the spectrum of ${name} runs from ${brief(min)} to ${brief(max)}`;

/** Three digits are enough for a sentence. */
export const brief = (value: number): string => String(rounded(value, 3));
