/** From the numbers of a point to its verdict. Every decision names the numbers it rests on. */
import type { ComplexEigenvalue } from "../algebra/arnoldi.ts";
import type { RunAverages } from "./nearby-runs.ts";
import type { Certificate, CertificateTolerances, NearbyRun } from "./certificate.ts";
import type { Curvature, Ends, SamCurvature } from "../point/curvature.ts";
import type { SamPoint } from "../point/sam-point.ts";
import { isHallucinated, type VerdictName } from "../verdict.ts";

export interface Judgment {
  readonly name: VerdictName;
  /** What about the numbers led to it. */
  readonly because: string;
  /** Whether neither gradient vanishes, so that only running SAM can tell what happens. */
  readonly moving?: boolean;
}

/** The verdict on a point that stands still: what vanishes, and how the loss curves there. */
export function judge(
  point: SamPoint,
  { hessian, shiftedHessian, sam }: Curvature,
  tolerances: CertificateTolerances,
): Judgment {
  const { gradNorm, shiftedGradNorm, gradRatio } = point;
  const { zeroGradient, clearGradient, zeroRatio, smallRatio, clearCurvature, singular } =
    tolerances;
  const g = `‖g‖ = ${short(gradNorm)}`;
  if (gradNorm <= zeroGradient) {
    const kind = kindOf(hessian, tolerances);
    const because = `${g} is at most ${short(zeroGradient)}; ${describe("H", hessian)}.`;
    return kind === undefined
      ? { name: "inconclusive", because: `${because} ${whyUndecided("H", hessian, tolerances)}` }
      : { name: kind, because };
  }
  const ratio = `GradRatio = ‖g⁺‖/‖g‖ = ${short(gradRatio)}`;
  if (gradRatio > smallRatio) {
    return {
      name: "inconclusive",
      because: `Neither gradient vanishes: ${g} (zero is at most ${short(zeroGradient)}) and ‖g⁺‖ = ${short(shiftedGradNorm)}, ${ratio} (zero is at most ${short(zeroRatio)}, nearly zero ${short(smallRatio)}).`,
      moving: true,
    };
  }
  if (gradNorm < clearGradient) {
    return {
      name: "inconclusive",
      because: `${g} lies between zero (at most ${short(zeroGradient)}) and clearly not zero (at least ${short(clearGradient)}).`,
    };
  }
  const kind = kindOf(shiftedHessian, tolerances);
  const curves = describe("H⁺", shiftedHessian);
  if (kind === undefined) {
    return {
      name: "inconclusive",
      because: `${g} and ${ratio}; ${curves}. ${whyUndecided("H⁺", shiftedHessian, tolerances)}`,
    };
  }
  if (gradRatio > zeroRatio) {
    const scale = Math.max(Math.abs(shiftedHessian.min), Math.abs(shiftedHessian.max));
    const nearly = `g⁺ all but vanishes: ${ratio}, above the ${short(zeroRatio)} that counts as zero`;
    return shiftedHessian.min <= -clearCurvature * scale
      ? {
          name: `hallucinated-${kind}`,
          because: `${g}; ${nearly}; ${curves}, too clearly negative for a small step to change.`,
        }
      : {
          name: "inconclusive",
          because: `${g}; ${nearly}. ${curves}: too close to call before the point is refined to a zero of g⁺.`,
        };
  }
  if (kind === "minimizer" && !(sam && sam.minSingular.value > singular)) {
    return {
      name: "inconclusive",
      because: `${g} and ${ratio}; ${curves}, but M is singular: its smallest singular value is ${short(sam?.minSingular.value ?? NaN)} (singular is at most ${short(singular)}).`,
    };
  }
  return { name: `hallucinated-${kind}`, because: `${g} and ${ratio}; ${curves}.` };
}

/** What SAM did from a point at which neither gradient vanishes. */
export function judgeMotion(
  still: Judgment,
  run: RunAverages,
  { hessian }: Curvature,
  tolerances: CertificateTolerances,
): Judgment {
  const ratio = run.shiftedGradNorm / run.gradNorm;
  const watched = `SAM from here: ‖g‖ averages ${short(run.gradNorm)}, ‖g⁺‖ ${short(run.shiftedGradNorm)}, cos(g, g⁺) ${short(run.cosine)}; the loss went from ${short(run.firstLoss)} to ${short(run.lastLoss)}.`;
  const because = `${still.because} ${watched}`;
  if (!run.finite)
    return { name: "diverged", because: `${still.because} SAM from here is not finite.` };
  const scale = Math.max(Math.abs(hessian.min), Math.abs(hessian.max));
  const indefinite = hessian.min <= -tolerances.clearCurvature * scale;
  // Across a critical point the gradients at x and x⁺ oppose each other or have little in common.
  if (ratio >= chatterRatio && indefinite && run.cosine < 0.5) {
    return {
      name: "trapped-at-saddle",
      because: `${because} The spectrum of H runs from ${short(hessian.min)} to ${short(hessian.max)}.`,
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

/** Whether nearby SAM runs end here. */
export function judgeAttraction(
  name: VerdictName,
  { gradRatio }: Pick<SamPoint, "gradRatio">,
  { sam, dense }: Pick<Curvature, "sam" | "dense">,
  runs: readonly NearbyRun[],
  learningRate: number,
  tolerances: CertificateTolerances,
): Certificate["attracting"] {
  if (!isHallucinated(name) || sam === undefined) {
    return { answer: "unknown", sentence: "The question is asked of hallucinated points only." };
  }
  const left = runs.filter(({ outcome }) => outcome === "left").length;
  const returned = runs.filter(({ outcome }) => outcome === "returned").length;
  const happened = `Of ${runs.length} SAM runs from perturbed copies ${returned} returned, ${runs.length - left - returned} stayed near, ${left} left (${runs[0]?.steps} steps, learning rate ${short(learningRate)}).`;
  const sizes = sam.eigenvalues.map(({ re, im }) => Math.hypot(re, im));
  const error = Math.max(tolerances.curvature * Math.max(...sizes, sam.maxReal), 3 * sam.residual);
  const isZero = sam.minReal !== 0 && Math.abs(sam.minReal) <= error;
  const leftmost = `the leftmost eigenvalue of H⁺M is ${short(sam.minReal)}${isZero ? `, which is zero within ${short(error)}` : ""}`;
  if (sam.minReal < -error) {
    const steps = 1 / (learningRate * -sam.minReal);
    return {
      answer: "no",
      sentence: `SAM is pushed away${steps > (runs[0]?.steps ?? 0) ? ", though slowly" : ""}: ${leftmost}, so a displacement grows e-fold in about ${short(steps)} steps. ${happened}`,
    };
  }
  if (!sam.converged) {
    return {
      answer: left > 0 ? "no" : "unknown",
      sentence: `The spectrum of H⁺M does not decide: ${leftmost} with residual ${short(sam.residual)}. ${happened}`,
    };
  }
  if (gradRatio > tolerances.zeroRatio) {
    return {
      answer: left > 0 ? "no" : "unknown",
      sentence: `No eigenvalue of H⁺M clearly pushes away, ${leftmost}, but g⁺ is not zero yet. ${happened}`,
    };
  }
  const rate = stableRate(sam, tolerances) ?? Infinity;
  if (learningRate >= rate) {
    return {
      answer: "no",
      sentence: `At the learning rate ${short(learningRate)} SAM overshoots: it would be drawn in below ${short(rate)} only, since no eigenvalue of H⁺M clearly pushes away (${leftmost}). ${happened}`,
    };
  }
  if (left > 0) {
    return {
      answer: "unknown",
      sentence: `The spectrum of H⁺M says yes, ${leftmost}, yet runs left. ${happened}`,
    };
  }
  const others = dense
    ? "every eigenvalue of H⁺M off its kernel has"
    : "no eigenvalue of H⁺M was found without";
  return {
    answer: "yes",
    sentence: `SAM is drawn in: ${others} positive real part (${leftmost}), for learning rates below ${short(rate)}. ${happened}`,
  };
}

/** min 2 Re λ/|λ|² over eigenvalues off the kernel with positive real part. */
export function stableRate(
  sam: SamCurvature | undefined,
  tolerances: CertificateTolerances,
): number | undefined {
  const rates = offKernel(sam?.eigenvalues ?? [], tolerances)
    .filter(({ re }) => re > 0)
    .map(({ re, im }) => (2 * re) / (re * re + im * im));
  return rates.length > 0 ? Math.min(...rates) : undefined;
}

export function offKernel(
  eigenvalues: readonly ComplexEigenvalue[],
  { curvature }: CertificateTolerances,
): readonly ComplexEigenvalue[] {
  const size = ({ re, im }: ComplexEigenvalue) => Math.hypot(re, im);
  const limit = curvature * Math.max(0, ...eigenvalues.map(size));
  return eigenvalues.filter((eigenvalue) => size(eigenvalue) > limit);
}

type Kind = "minimizer" | "saddle" | "maximizer";

/** The kind of critical point that a Hessian with these ends makes; `undefined` if undecided. */
function kindOf(
  { min, max, residual, converged }: Ends,
  { curvature }: CertificateTolerances,
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
  if (!converged) return `The spectrum of ${name} has not converged: residual ${short(residual)}.`;
  const size = Math.max(Math.abs(min), Math.abs(max));
  return size === 0
    ? `${name} is zero: curvature does not decide.`
    : `The residual ${short(residual)} is too large to tell ${name}'s ends from zero (at most ${short(curvature * size)}).`;
}

const describe = (name: string, { min, max }: Ends) =>
  `the spectrum of ${name} runs from ${short(min)} to ${short(max)}`;

/** Three digits are enough for a sentence. */
export const short = (value: number): string => Number(value.toPrecision(3)).toString();
