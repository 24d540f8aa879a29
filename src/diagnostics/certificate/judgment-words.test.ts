/** Judgments word for word, and at numbers that meet a threshold exactly. */
import { describe, expect, test } from "vitest";
import type { ComplexEigenvalue } from "../algebra/arnoldi.ts";
import { relativeGradient, type Ends, type Motions } from "../point/curvature.ts";
import {
  defaultCertificateTolerances as defaults,
  type CertificateTolerances,
  type NearbyRun,
} from "./certificate.ts";
import {
  isProvedAttracting,
  judge,
  judgeAttraction,
  judgeMotion,
  kindOf,
  offKernel,
  stepsOfSlowest,
  type AttractionFacts,
  type Facts,
} from "./judgment.ts";
import type { RunAverages } from "./nearby-runs.ts";

const ends = (min: number, max: number, residual = 0, converged = true): Ends => ({
  min,
  max,
  residual,
  converged,
});
const estimate = (value: number, residual = 0) => ({ value, residual, converged: true });

/** ‖g‖ = 4, ρ = 2, ‖H‖ = 8, so that g is a quarter of ρ‖H‖; g⁺ = 0. All numbers are exact in binary. */
interface Point {
  readonly g?: number;
  readonly v?: number;
  readonly shiftedGrad?: number;
  readonly hessian?: Ends;
  readonly shiftedHessian?: Ends;
  /** Default: one that is there. */
  readonly zero?: Facts["zero"] | "not looked for";
  readonly isSam?: boolean;
  readonly weightDecay?: number;
  readonly rho?: number;
  readonly sam?: Facts["curvature"]["sam"];
}
const facts = ({
  g = 4,
  v = 0,
  shiftedGrad = v,
  hessian = ends(-1, 8),
  shiftedHessian = ends(1, 5),
  zero = { exact: true, roundingLevel: 1e-12, moved: 0 },
  isSam = true,
  weightDecay = 0,
  rho = 2,
  ...rest
}: Point): Facts => ({
  point: {
    x: Float64Array.of(3, 4),
    descentNorm: g,
    directionNorm: v,
    ratio: v / g,
    isSam,
    sam: {
      rho,
      loss: 3,
      shiftedLoss: 1,
      gradNorm: g,
      shiftedGradNorm: shiftedGrad,
      gradRatio: shiftedGrad / g,
    },
  },
  curvature: {
    hessian,
    shiftedHessian,
    sam: "sam" in rest ? rest.sam : { minSymmetric: estimate(1), minSingular: estimate(1) },
  },
  zero: zero === "not looked for" ? undefined : zero,
  weightDecay,
});
const near = { exact: false, roundingLevel: 1e-12, moved: 0.1 };

describe("of a point", () => {
  test.each<[string, Point, string, string]>([
    [
      "a minimizer",
      { g: 0, hessian: ends(1, 8) },
      "minimizer",
      "‖g‖ = 0, 0 of ρ‖H‖ (zero is at most 0.000001); the spectrum of H runs from 1 to 8.",
    ],
    [
      "a flat one",
      { g: 0, hessian: ends(0, 8) },
      "minimizer",
      "‖g‖ = 0, 0 of ρ‖H‖ (zero is at most 0.000001); the spectrum of H runs from 0 to 8. In some direction it is flat, where higher orders decide.",
    ],
    [
      "a flat maximizer",
      { g: 0, hessian: ends(-8, 0) },
      "maximizer",
      "‖g‖ = 0, 0 of ρ‖H‖ (zero is at most 0.000001); the spectrum of H runs from -8 to 0.",
    ],
    [
      "a spectrum that has not converged",
      { g: 0, hessian: ends(1, 8, 0.5, false) },
      "inconclusive",
      "‖g‖ = 0, 0 of ρ‖H‖ (zero is at most 0.000001); the spectrum of H runs from 1 to 8. The spectrum of H has not converged: residual 0.5.",
    ],
    [
      "ends that are too rough",
      { g: 0, weightDecay: 1, hessian: ends(-0.5, 7, 2) },
      "inconclusive",
      "‖g + λx‖ = 0, 0 of ρ‖H‖ (zero is at most 0.000001); the spectrum of H + λI runs from 0.5 to 8. The residual 2 is too large to tell H + λI's ends from zero (at most 0.000008).",
    ],
    [
      "moving",
      { v: 2 },
      "inconclusive",
      "Neither gradient vanishes: ‖g‖ = 4, 0.25 of ρ‖H‖ (zero is at most 0.000001) and ‖g⁺‖ = 2, GradRatio = ‖g⁺‖/‖g‖ = 0.5 (nearly zero is at most 0.05).",
    ],
    [
      "moving by another method",
      { v: 2, isSam: false },
      "inconclusive",
      "Neither gradient vanishes: ‖g‖ = 4, 0.25 of ρ‖H‖ (zero is at most 0.000001) and ‖v‖ = 2, ‖v‖/‖g‖ = 0.5 (nearly zero is at most 0.05).",
    ],
    [
      "moving with decay",
      { v: 2, weightDecay: 0.5 },
      "inconclusive",
      "Neither gradient vanishes: ‖g + λx‖ = 4, 0.25 of ρ‖H‖ (zero is at most 0.000001) and ‖v‖ = 2, ‖v‖/‖g + λx‖ = 0.5 (nearly zero is at most 0.05).",
    ],
    [
      "near",
      { v: 0.125, zero: near },
      "near-hallucinated",
      "‖g‖ = 4, 0.25 of ρ‖H‖; GradRatio = ‖g⁺‖/‖g‖ = 0.0313, 125000000000 times rounding; no zero of g⁺ was found within 0.01 ρ. f(x) = 3 and f(x⁺) = 1, so x⁺ lies lower.",
    ],
    [
      "near, where nobody looked, without ascent",
      { v: 0.125, isSam: false, rho: 0, zero: "not looked for" },
      "near-hallucinated",
      "‖g‖ = 4, 0.1 of ‖x‖‖H‖; ‖v‖/‖g‖ = 0.0313; no zero of v was found within 0.01 ‖x‖. f(x) = 3.",
    ],
    [
      "rest of another kind",
      { shiftedGrad: 1, isSam: false },
      "hallucinated-rest",
      "‖g‖ = 4, 0.25 of ρ‖H‖; v vanishes: ‖v‖ = 0, rounding is 1e-12, though ‖g⁺‖ = 1. f(x) = 3 and f(x⁺) = 1, so x⁺ lies lower.",
    ],
    [
      "a hallucinated saddle",
      { shiftedHessian: ends(-1, 5) },
      "hallucinated-saddle",
      "‖g‖ = 4, 0.25 of ρ‖H‖; g⁺ vanishes: ‖g⁺‖ = 0, rounding is 1e-12; the spectrum of H⁺ runs from -1 to 5. f(x) = 3 and f(x⁺) = 1, so x⁺ lies lower.",
    ],
    [
      "H⁺ that has not converged",
      { shiftedHessian: ends(1, 5, 0.5, false) },
      "inconclusive",
      "‖g‖ = 4, 0.25 of ρ‖H‖; g⁺ vanishes: ‖g⁺‖ = 0, rounding is 1e-12; the spectrum of H⁺ runs from 1 to 5. The spectrum of H⁺ has not converged: residual 0.5.",
    ],
    [
      "M unknown",
      { sam: undefined },
      "inconclusive",
      "‖g‖ = 4, 0.25 of ρ‖H‖; g⁺ vanishes: ‖g⁺‖ = 0, rounding is 1e-12; the spectrum of H⁺ runs from 1 to 5, but M is singular: its smallest singular value is NaN (singular is at most 1e-8).",
    ],
    [
      "M not a number",
      { sam: { minSymmetric: estimate(1), minSingular: estimate(NaN) } },
      "inconclusive",
      "‖g‖ = 4, 0.25 of ρ‖H‖; g⁺ vanishes: ‖g⁺‖ = 0, rounding is 1e-12; the spectrum of H⁺ runs from 1 to 5, but M is singular: its smallest singular value is NaN (singular is at most 1e-8).",
    ],
    [
      "between",
      { g: 16e-5 },
      "inconclusive",
      "‖g‖ = 0.00016, 0.00001 of ρ‖H‖ lies between zero (at most 0.000001) and clearly not zero (at least 0.0001).",
    ],
  ])("%s", (_, change, name, because) => {
    const found = judge(facts(change), defaults);
    expect([found.name, found.because]).toEqual([name, because]);
  });

  test.each<[string, Partial<CertificateTolerances>, Point, string]>([
    ["a gradient at zero", { zeroGradient: 0.25 }, {}, "saddle"],
    ["a gradient at clear", { clearGradient: 0.25 }, {}, "hallucinated-minimizer"],
    ["a small ratio", { smallRatio: 0.5 }, { v: 2, zero: near }, "near-hallucinated"],
    [
      "a zero ratio",
      { zeroRatio: 0.5 },
      { shiftedGrad: 2, isSam: false },
      "hallucinated-minimizer",
    ],
    ["M at singular", { singular: 1 }, {}, "inconclusive"],
    ["flat", { curvature: 0.125 }, { g: 0, hessian: ends(1, 8) }, "minimizer"],
  ])("at the threshold: %s", (_, change, point, name) => {
    const found = judge(facts(point), { ...defaults, ...change });
    expect(found.name).toBe(name);
    expect(found.because.includes("it is flat")).toBe("curvature" in change);
  });
});

test.each<[Ends, number, string | undefined]>([
  [ends(-1, 8), 0.125, "minimizer"],
  [ends(-8, 1), 0.125, "maximizer"],
  [ends(0, 8, 1), 0.125, "minimizer"],
  [ends(-8, 0, 1), 0.125, "maximizer"],
  [ends(0.5, 8, 2), 0.125, undefined],
  [ends(2, 8, 2.125), 1 / 64, "minimizer"],
  [ends(-8, -2, 2.125), 1 / 64, "maximizer"],
  [ends(-8, -2, 2.25), 1 / 64, undefined],
  [ends(-1, 8, 0, false), 0.0625, "saddle"],
  [ends(-1, 8, 0, false), 0.125, undefined],
  [ends(-8, 1, 0, false), 0.125, undefined],
  [ends(0, 0, 0, false), 0.125, undefined],
])("ends %j with zero at %d of the largest make a %s", (given, curvature, kind) => {
  expect(kindOf(given, { curvature })).toBe(kind);
});

test("the size of a gradient is that of the most curved direction, up or down, here or there", () => {
  for (const [hessian, shiftedHessian] of [
    [ends(-8, 1), ends(0, 1)],
    [ends(0, 1), ends(-1, 8)],
  ] as const) {
    expect(relativeGradient(4, 2, { hessian, shiftedHessian })).toBe(0.25);
  }
});

describe("of a run", () => {
  const still = { name: "inconclusive", because: "Neither.", moving: true } as const;
  const averages: RunAverages = {
    gradNorm: 2,
    shiftedGradNorm: 6,
    firstLoss: 4,
    lastLoss: 4,
    endLoss: 4,
    cosine: 0.25,
    moved: 1,
    finite: true,
  };
  test.each<[string, Partial<RunAverages>, Ends, string, string]>([
    [
      "chatter at exactly three times the gradient",
      {},
      ends(-1, 8),
      "trapped-at-saddle",
      "Neither. ASAM from here: ‖g‖ averages 2, ‖g⁺‖ 6, cos(g, g⁺) 0.25; the loss went from 4 to 4. The spectrum of H runs from -1 to 8. That saddles attract SAM: Kim et al., arXiv 2301.06308.",
    ],
    [
      "a large ratio where H is positive",
      {},
      ends(1, 8),
      "oscillating",
      "Neither. ASAM from here: ‖g‖ averages 2, ‖g⁺‖ 6, cos(g, g⁺) 0.25; the loss went from 4 to 4.",
    ],
    [
      "H negative in all directions",
      {},
      ends(-8, -1),
      "trapped-at-saddle",
      "Neither. ASAM from here: ‖g‖ averages 2, ‖g⁺‖ 6, cos(g, g⁺) 0.25; the loss went from 4 to 4. The spectrum of H runs from -8 to -1. That saddles attract SAM: Kim et al., arXiv 2301.06308.",
    ],
    [
      "a stall",
      { shiftedGradNorm: 0.1 },
      ends(-1, 8),
      "inconclusive",
      "Neither. ASAM from here: ‖g‖ averages 2, ‖g⁺‖ 0.1, cos(g, g⁺) 0.25; the loss went from 4 to 4. It stalls where g⁺ vanishes: certify its end.",
    ],
    [
      "numbers that are not finite",
      { finite: false },
      ends(-1, 8),
      "diverged",
      "Neither. ASAM from here is not finite.",
    ],
    [
      "a fall of a negative loss",
      { firstLoss: -4, lastLoss: -5, shiftedGradNorm: 2 },
      ends(-1, 8),
      "descending",
      "Neither. ASAM from here: ‖g‖ averages 2, ‖g⁺‖ 2, cos(g, g⁺) 0.25; the loss went from -4 to -5.",
    ],
  ])("%s", (_, change, hessian, name, because) => {
    const found = judgeMotion(still, { ...averages, ...change }, { hessian }, defaults, "ASAM");
    expect([found.name, found.because]).toEqual([name, because]);
  });

  test.each<[string, Partial<CertificateTolerances>, Partial<RunAverages>, string]>([
    ["clearly indefinite", { clearCurvature: 0.125 }, {}, "trapped-at-saddle"],
    ["a stall", { smallRatio: 0.5 }, { shiftedGradNorm: 1 }, "inconclusive"],
    // 1 % is not a fall, more is.
    ["no fall", {}, { firstLoss: 100, lastLoss: 99, shiftedGradNorm: 2 }, "oscillating"],
    ["a fall", {}, { firstLoss: 100, lastLoss: 98.99, shiftedGradNorm: 2 }, "descending"],
  ])("at the threshold: %s", (_, change, run, name) => {
    const tolerances = { ...defaults, ...change };
    const facts = { hessian: ends(-1, 8) };
    expect(judgeMotion(still, { ...averages, ...run }, facts, tolerances).name).toBe(name);
  });
});

describe("of attraction", () => {
  const copy = (outcome: NearbyRun["outcome"]): NearbyRun => ({
    start: "random 1",
    outcome,
    steps: 1000,
    initialDistance: 1e-3,
    finalDistance: 1e-4,
    initialShiftedGradNorm: 1,
    finalShiftedGradNorm: 1e-3,
  });
  interface Case extends Partial<AttractionFacts> {
    readonly values?: readonly Partial<ComplexEigenvalue>[];
    readonly error?: number | undefined;
    readonly condition?: number | "unknown";
    readonly residual?: number;
    readonly converged?: boolean;
    readonly whole?: boolean;
    readonly maxReal?: number;
  }
  const judged = ({
    values = [{ re: 1 }, { re: 64 }],
    error,
    condition = 2,
    residual = 0,
    converged = true,
    whole = true,
    maxReal,
    ...rest
  }: Case) => {
    const eigenvalues = values.map((value) => ({ re: 0, im: 0, residual, error, ...value }));
    const motions: Motions = {
      eigenvalues,
      minReal: Math.min(...eigenvalues.map(({ re }) => re)),
      maxReal: maxReal ?? Math.max(...eigenvalues.map(({ re }) => re)),
      residual,
      converged,
      whole,
      leftmostVector: Float64Array.of(1, 0),
      leftmost: {
        condition: error === undefined || condition === "unknown" ? undefined : condition,
        error,
      },
      offKernel: (v) => v,
    };
    return judgeAttraction(
      {
        name: "hallucinated-minimizer",
        motions,
        runs: [copy("returned")],
        learningRate: 0.0078125,
        ball: { momentum: 0, nesterov: false },
        stepsAskedFor: 0,
        method: "SAM",
        matrix: "H⁺M",
        ...rest,
      },
      defaults,
    );
  };
  const happened =
    " Of 1 runs from displaced copies 1 came back to at most half of their distance, 0 left to twice of it, 0 neither (1000 steps, learning rate 0.00781).";

  test.each<[string, Case, string, string]>([
    [
      "drawn in",
      { error: 1e-9 },
      "yes",
      `SAM is drawn in: every eigenvalue of H⁺M off its kernel has positive real part (the leftmost eigenvalue of H⁺M is 1 ± 1e-9, condition 2), for learning rates below 0.0313.${happened}`,
    ],
    [
      "drawn in, nothing run",
      { runs: [] },
      "yes",
      "SAM is drawn in: every eigenvalue of H⁺M off its kernel has positive real part (the leftmost eigenvalue of H⁺M is 1), for learning rates below 0.0313.",
    ],
    [
      "a zero leftmost eigenvalue is what it is",
      { values: [{ re: 0 }, { re: 64 }], error: 1e-9, runs: [] },
      "yes",
      "SAM is drawn in: every eigenvalue of H⁺M off its kernel has positive real part (the leftmost eigenvalue of H⁺M is 0 ± 1e-9, condition 2), for learning rates below 0.0313.",
    ],
    [
      "an error bar without its condition is not shown",
      { error: 1e-9, condition: "unknown", runs: [] },
      "yes",
      "SAM is drawn in: every eigenvalue of H⁺M off its kernel has positive real part (the leftmost eigenvalue of H⁺M is 1), for learning rates below 0.0313.",
    ],
    [
      "pushed away in exactly as many steps as were made",
      {
        values: [{ re: -0.125 }, { re: 64 }],
        error: 0.0625,
        runs: [{ ...copy("left"), steps: 1024 }],
      },
      "no",
      "SAM is pushed away: the leftmost eigenvalue of H⁺M is -0.125 ± 0.0625, condition 2, so a displacement grows e-fold in about 1020 steps. Of 1 runs from displaced copies 0 came back to at most half of their distance, 1 left to twice of it, 0 neither (1024 steps, learning rate 0.00781).",
    ],
    [
      "zero within its error",
      { values: [{ re: -0.25 }, { re: 64 }], error: 0.25, runs: [] },
      "yes",
      "SAM is drawn in: every eigenvalue of H⁺M off its kernel has positive real part (the leftmost eigenvalue of H⁺M is -0.25, which is zero within 0.25), for learning rates below 0.0313.",
    ],
    [
      "pushed away",
      { values: [{ re: -0.25 }, { re: 64 }], error: 0.125 },
      "no",
      `SAM is pushed away: the leftmost eigenvalue of H⁺M is -0.25 ± 0.125, condition 2, so a displacement grows e-fold in about 512 steps.${happened}`,
    ],
    [
      "pushed away, slowly, several copies",
      {
        values: [{ re: -0.0625 }, { re: 64 }],
        error: 0.03125,
        runs: [copy("left"), copy("stayed"), copy("stayed"), copy("returned")],
        stepsAskedFor: 2048,
      },
      "no",
      "SAM is pushed away, though slowly: the leftmost eigenvalue of H⁺M is -0.0625 ± 0.0313, condition 2, so a displacement grows e-fold in about 2050 steps. Of 4 runs from displaced copies 1 came back to at most half of their distance, 1 left to twice of it, 2 neither (1000 steps of the 2048 that the slowest rate asks for, learning rate 0.00781).",
    ],
    [
      "not converged",
      { converged: false, residual: 0.125, runs: [] },
      "unknown",
      "The spectrum of H⁺M does not decide: the leftmost eigenvalue of H⁺M is 1 with residual 0.125.",
    ],
    [
      "overshooting, at exactly the largest rate",
      { learningRate: 0.03125, runs: [] },
      "no",
      "At the learning rate 0.0313 SAM overshoots: it would be drawn in below 0.0313 only, since no eigenvalue of H⁺M clearly pushes away (the leftmost eigenvalue of H⁺M is 1).",
    ],
    [
      "overshooting, ends only",
      { learningRate: 0.0625, whole: false, runs: [] },
      "no",
      "At the learning rate 0.0625 SAM overshoots: it would be drawn in below 0.0313, an upper bound only, since no eigenvalue of H⁺M clearly pushes away (the leftmost eigenvalue of H⁺M is 1).",
    ],
    [
      "runs that left",
      { runs: [copy("left")] },
      "unknown",
      "The spectrum of H⁺M says yes, the leftmost eigenvalue of H⁺M is 1, yet runs left. Of 1 runs from displaced copies 0 came back to at most half of their distance, 1 left to twice of it, 0 neither (1000 steps, learning rate 0.00781).",
    ],
    [
      "ends only",
      { whole: false },
      "yes",
      `No eigenvalue of H⁺M was found without positive real part (the leftmost eigenvalue of H⁺M is 1), for learning rates below 0.0313, an upper bound; a missed one is not excluded.${happened}`,
    ],
    [
      "no eigenvalue off the kernel",
      { values: [{ re: 0 }], runs: [] },
      "yes",
      "SAM is drawn in: every eigenvalue of H⁺M off its kernel has positive real part (the leftmost eigenvalue of H⁺M is 0), for learning rates below Infinity.",
    ],
    [
      "no derivative",
      { motions: undefined },
      "unknown",
      "The derivative of SAM's direction is not finite.",
    ],
    [
      "near",
      { name: "near-hallucinated" },
      "unknown",
      "Nothing rests here, so there is no stability to speak of.",
    ],
    [
      "a saddle of the loss",
      { name: "saddle" },
      "unknown",
      "The question is asked of hallucinated points only.",
    ],
  ])("%s", (_, change, answer, sentence) => {
    const found = judged(change);
    expect([found.answer, found.sentence]).toEqual([answer, sentence]);
  });

  test.each<[string, Case, string]>([
    // Without an error bar 3 residuals: 3 · 0.0625 = 0.1875.
    ["beyond 3 residuals", { values: [{ re: -0.25 }, { re: 64 }], residual: 0.0625 }, "no"],
    ["at 3 residuals", { values: [{ re: -0.1875 }, { re: 64 }], residual: 0.0625 }, "yes"],
    [
      "with a bar residuals do not count",
      { values: [{ re: -0.25 }, { re: 64 }], residual: 0.25, error: 0.125 },
      "no",
    ],
    // An eigenvalue of which only the real part was found counts as large as that.
    [
      "the largest is the largest found",
      { values: [{ re: -0.5e-4 }, { re: 1 }], maxReal: 64 },
      "yes",
    ],
    [
      "the largest may be a pair",
      { values: [{ re: -0.5e-4 }, { re: 1, im: 64 }], learningRate: 1e-6 },
      "yes",
    ],
  ])("%s", (_, change, answer) => {
    expect(judged(change).answer).toBe(answer);
  });
});

test("an eigenvalue at the edge of the kernel belongs to it", () => {
  const value = (re: number, error?: number) => ({ re, im: 0, residual: 0, error });
  const tolerances = { ...defaults, curvature: 0.125 };
  expect(offKernel([value(1), value(8)], tolerances)).toEqual([value(8)]);
  expect(offKernel([value(1, 1), value(8)], tolerances)).toEqual([value(8)]);
  expect(offKernel([{ ...value(0.75), im: -1 }, value(8)], tolerances)).toHaveLength(2);
});

test("a mode that neither grows nor shrinks asks for no steps", () => {
  const steps = (...eigenvalues: number[]) =>
    stepsOfSlowest(
      { eigenvalues: eigenvalues.map((re) => ({ re, im: 0, residual: 0, error: undefined })) },
      defaults,
      1,
      { momentum: 0, nesterov: false },
    );
  // |1 − 2| = 1; and |1 − 1.5|^1.44 = 1/e.
  expect(steps(2)).toBe(0);
  expect(steps(2, 1.5)).toBe(2);
});

// Residuals widen what is known: what holds only for the number itself is not proved.
test.each<[string, number, number, Ends, boolean]>([
  ["both clear of their residuals", 0.5, 0.25, ends(2, 8, 0.5), true],
  ["sym(M) within its residual", 0.5, 0.5, ends(2, 8, 0.5), false],
  ["sym(M) within twice its residual", 0.5, 0.75, ends(2, 8, 0.5), false],
  ["H⁺ at its residual", 0.5, 0.25, ends(2, 8, 1), false],
  ["H⁺ within its residual", 0.5, 0.25, ends(2, 8, 2), false],
  ["H⁺ within three times its residual", 0.5, 0.25, ends(2, 8, 1.5), false],
])("Theorem 3.2 with residuals: %s", (_, value, residual, shiftedHessian, proved) => {
  expect(
    isProvedAttracting(
      "hallucinated-minimizer",
      { shiftedHessian, minSymmetric: estimate(value, residual) },
      { curvature: 0.125 },
    ),
  ).toBe(proved);
});
