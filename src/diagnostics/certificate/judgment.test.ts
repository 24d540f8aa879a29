import { describe, expect, test } from "vitest";
import type { ComplexEigenvalue } from "../algebra/arnoldi.ts";
import { relativeGradient, type Ends, type Motions } from "../point/curvature.ts";
import { defaultCertificateTolerances as tolerances, type NearbyRun } from "./certificate.ts";
import {
  describeDrift,
  isProvedAttracting,
  judge,
  judgeAttraction,
  judgeMotion,
  kindOf,
  offKernel,
  stableRate,
  stepsOfSlowest,
  type AttractionFacts,
  type Facts,
} from "./judgment.ts";
import type { RunAverages } from "./nearby-runs.ts";
import type { Ball } from "./stability.ts";

/** No momentum. */
const noBall: Ball = { momentum: 0, nesterov: false };

const ends = (min: number, max: number, residual = 0, converged = true): Ends => ({
  min,
  max,
  residual,
  converged,
});
const exact = { value: 1, residual: 0, converged: true };

/** A zero of g⁺ at which g is 0.1 ρ‖H‖, ρ = 2, ‖H‖ = 10; changed as a case has it. */
interface Change {
  readonly g?: number;
  readonly v?: number;
  readonly shiftedGrad?: number;
  readonly hessian?: Ends;
  readonly shiftedHessian?: Ends;
  readonly minSingular?: number;
  readonly zero?: Facts["zero"];
  readonly isSam?: boolean;
  readonly weightDecay?: number;
  readonly rho?: number;
  readonly losses?: readonly [number, number];
}
const facts = ({
  g = 2,
  v = 0,
  shiftedGrad = v,
  hessian = ends(-1, 10),
  shiftedHessian = ends(1, 5),
  minSingular = 1,
  zero = { exact: true, roundingLevel: 1e-12, moved: 0 },
  isSam = true,
  weightDecay = 0,
  rho = 2,
  losses = [3, 1],
}: Change): Facts => ({
  point: {
    x: Float64Array.of(3, 4),
    descentNorm: g,
    directionNorm: v,
    ratio: v / g,
    isSam,
    sam: {
      rho,
      loss: losses[0],
      shiftedLoss: losses[1],
      gradNorm: g,
      shiftedGradNorm: shiftedGrad,
      gradRatio: shiftedGrad / g,
    },
  },
  curvature: {
    hessian,
    shiftedHessian,
    sam: { minSymmetric: exact, minSingular: { ...exact, value: minSingular } },
  },
  zero,
  weightDecay,
});
const judged = (change: Change) => judge(facts(change), tolerances);
const near = { exact: false, roundingLevel: 1e-12, moved: 0.1 };

describe("the verdict, at both sides of every threshold", () => {
  test.each<[string, Change, string, RegExp]>([
    ["a zero, H⁺ positive", {}, "hallucinated-minimizer", /‖g‖ = 2, 0\.1 of ρ‖H‖; g⁺ vanishes/],
    ["H⁺ indefinite", { shiftedHessian: ends(-1, 5) }, "hallucinated-saddle", /from -1 to 5/],
    ["H⁺ negative", { shiftedHessian: ends(-5, -1) }, "hallucinated-maximizer", /from -5 to -1/],
    ["H⁺ zero", { shiftedHessian: ends(0, 0) }, "inconclusive", /H⁺ is zero: the loss is flat/],
    ["M regular", { minSingular: 1.01e-8 }, "hallucinated-minimizer", /vanishes/],
    ["M singular", { minSingular: 1e-8 }, "inconclusive", /M is singular: .* is 1e-8/],
    [
      "a saddle's M does not matter",
      { minSingular: 0, shiftedHessian: ends(-1, 5) },
      "hallucinated-saddle",
      /./,
    ],
    [
      "another method's M does not matter",
      { minSingular: 0, isSam: false },
      "hallucinated-minimizer",
      /: v vanishes|; v vanishes/,
    ],
    [
      "g at zero",
      { g: 1.9e-5, v: 1 },
      "saddle",
      /9\.5e-7 of ρ‖H‖ \(zero is at most 0\.000001\); the spectrum of H runs from -1 to 10/,
    ],
    ["g above zero", { g: 2.1e-5 }, "inconclusive", /lies between zero/],
    ["g below clear", { g: 1.99e-3 }, "inconclusive", /clearly not zero \(at least 0\.0001\)/],
    ["g clear", { g: 2.01e-3 }, "hallucinated-minimizer", /./],
    ["H positive", { g: 0, hessian: ends(1, 10) }, "minimizer", /./],
    [
      "H flat somewhere",
      { g: 0, hessian: ends(0.9e-5, 10) },
      "minimizer",
      /is flat, where higher orders decide/,
    ],
    ["H hardly flat", { g: 0, hessian: ends(1.1e-5, 10) }, "minimizer", /from 0\.000011 to 10\.$/],
    ["H negative", { g: 0, hessian: ends(-10, -1) }, "maximizer", /./],
    [
      "H zero",
      { g: 0, hessian: ends(0, 0), shiftedHessian: ends(0, 0) },
      "inconclusive",
      /H is zero: the loss is flat here/,
    ],
    ["decay lifts H", { g: 0, weightDecay: 1.1 }, "minimizer", /H \+ λI runs from 0\.1 to 11\.1/],
    ["decay too small to", { g: 0, weightDecay: 0.9 }, "saddle", /H \+ λI runs from -0\.1/],
    [
      "v small",
      { v: 0.1, zero: near },
      "near-hallucinated",
      /‖g⁺‖\/‖g‖ = 0\.05, 1e\+?11|100000000000 times rounding/,
    ],
    [
      "v not small",
      { v: 0.101, zero: near },
      "inconclusive",
      /^Neither gradient vanishes: .*‖g⁺‖ = 0\.101/,
    ],
    [
      "no zero found",
      { zero: near },
      "near-hallucinated",
      /no zero of g⁺ was found within 0\.01 ρ/,
    ],
    ["g⁺ zero beside v", { shiftedGrad: 2e-6, isSam: false }, "hallucinated-minimizer", /./],
    [
      "g⁺ not zero where v is",
      { shiftedGrad: 2.1e-6, isSam: false },
      "hallucinated-rest",
      /v vanishes: ‖v‖ = 0, .* though ‖g⁺‖ = 0\.0000021/,
    ],
    [
      "with decay v is what rests",
      { shiftedGrad: 1, weightDecay: 0.1 },
      "hallucinated-rest",
      /‖g \+ λx‖ = 2/,
    ],
    [
      "without ascent ‖x‖ is the length",
      { rho: 0, g: 6e-4, shiftedGrad: 6e-4, zero: near },
      "inconclusive",
      /0\.000012 of ‖x‖‖H‖ lies between/,
    ],
  ])("%s", (_, change, name, sentence) => {
    const { name: found, because } = judged(change);
    expect([found, because]).toEqual([name, expect.stringMatching(sentence)]);
  });

  test("a point near which nobody looked for a zero is near", () => {
    const { point, curvature } = facts({});
    const { name } = judge({ point, curvature, zero: undefined, weightDecay: 0 }, tolerances);
    expect(name).toBe("near-hallucinated");
  });

  test.each<[number, number, string]>([
    [3, 1, "f(x) = 3 and f(x⁺) = 1, so x⁺ lies lower."],
    [1, 3, "f(x) = 1 and f(x⁺) = 3, so x lies lower."],
    [2, 2, "f(x) = 2 and f(x⁺) = 2, the same."],
  ])("f(x) = %d, f(x⁺) = %d: which is lower is part of the sentence", (x, xPlus, sentence) => {
    expect(judged({ losses: [x, xPlus] }).because).toContain(sentence);
    expect(judged({ losses: [x, xPlus], zero: near }).because).toContain(sentence);
  });

  test("only what moves is to be run", () => {
    expect(judged({ v: 1 }).moving).toBe(true);
    for (const change of [{}, { zero: near }, { g: 2.1e-5 }]) {
      expect(judged(change).moving).toBeUndefined();
    }
  });
});

test("the size of a gradient is measured by the larger Hessian, and has no unit", () => {
  const of = (g: number, hessian: Ends, shiftedHessian: Ends) =>
    relativeGradient(g, 2, { hessian, shiftedHessian });
  expect(of(1, ends(-1, 2), ends(-5, 1))).toBe(0.1);
  expect(of(1, ends(-1, 5), ends(0, 1))).toBe(0.1);
  expect(of(100, ends(-100, 500), ends(0, 100))).toBe(0.1);
  expect(of(0, ends(0, 0), ends(0, 0))).toBe(0);
  expect(of(1e-9, ends(0, 0), ends(0, 0))).toBe(Infinity);
});

test.each<[Ends, string | undefined]>([
  [ends(-1.1e-6, 1), "saddle"],
  [ends(-0.9e-6, 1), "minimizer"],
  [ends(-1, 0.9e-6), "maximizer"],
  [ends(-1, 1.1e-6), "saddle"],
  [ends(0, 1, 0.9e-6), "minimizer"],
  [ends(0, 1, 1.1e-6), undefined],
  [ends(-1, 0, 0.9e-6), "maximizer"],
  [ends(-1, 0, 1.1e-6), undefined],
  [ends(0, 1, 0, false), undefined],
  [ends(-1, 1, 1, false), "saddle"],
  [ends(0, 0), undefined],
])("ends %j make a %s", (given, kind) => {
  expect(kindOf(given, { curvature: 1e-6 })).toBe(kind);
});

describe("what a run from the point says", () => {
  const still = { name: "inconclusive", because: "Neither.", moving: true } as const;
  const run: RunAverages = {
    gradNorm: 1,
    shiftedGradNorm: 3,
    firstLoss: 1,
    lastLoss: 1,
    endLoss: 1,
    cosine: 0,
    moved: 1,
    finite: true,
  };
  test.each<[string, Partial<RunAverages>, number, string, RegExp]>([
    ["chatter", {}, -1, "trapped-at-saddle", /Kim et al\., arXiv 2301\.06308/],
    ["chatter by a little", { shiftedGradNorm: 2.9 }, -1, "oscillating", /./],
    ["with gradients alike", { cosine: 0.5 }, -1, "inconclusive", /./],
    ["with gradients almost alike", { cosine: 0.49 }, -1, "trapped-at-saddle", /./],
    ["clearly indefinite", {}, -0.01, "trapped-at-saddle", /./],
    ["hardly indefinite", {}, -0.0099, "oscillating", /./],
    ["stall", { shiftedGradNorm: 0.05 }, -1, "inconclusive", /certify its end/],
    [
      "almost a stall",
      { shiftedGradNorm: 0.051, cosine: 0.6 },
      -1,
      "inconclusive",
      /went from 1 to 1\.$/,
    ],
    ["fall", { lastLoss: 0.98, shiftedGradNorm: 1 }, -1, "descending", /from 1 to 0\.98/],
    ["hardly a fall", { lastLoss: 0.991, shiftedGradNorm: 1 }, -1, "oscillating", /./],
    ["rise", { lastLoss: 1.5, shiftedGradNorm: 1 }, -1, "oscillating", /./],
    ["gradients hardly alike", { cosine: 0.49, shiftedGradNorm: 1 }, -1, "oscillating", /./],
    ["gradients alike enough", { cosine: 0.5, shiftedGradNorm: 1 }, -1, "inconclusive", /./],
    ["NaN", { finite: false }, -1, "diverged", /SAM from here is not finite/],
  ])("%s", (_, change, min, name, sentence) => {
    const found = judgeMotion(still, { ...run, ...change }, { hessian: ends(min, 10) }, tolerances);
    expect([found.name, found.because]).toEqual([name, expect.stringMatching(sentence)]);
  });

  test("drift is told with its direction", () => {
    const seen = (firstLoss: number, endLoss: number) =>
      describeDrift({ moved: 0.25, firstLoss, endLoss }, 100, 0.01);
    expect(seen(2, 1)).toBe(
      "In 100 steps at the learning rate 0.01 it drifted by 0.25, and the loss fell from 2 to 1.",
    );
    expect(seen(1, 2)).toContain("the loss rose from 1 to 2");
    expect(seen(1, 1 - 1e-8)).toContain("the loss stayed at 1.");
    expect(seen(1, 1)).toContain("the loss stayed at 1.");
  });
});

describe("attraction", () => {
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
    readonly residual?: number;
    readonly converged?: boolean;
    readonly whole?: boolean;
  }
  const answer = ({
    values = [{ re: 1 }, { re: 100 }],
    error,
    residual = 0,
    converged = true,
    whole = true,
    ...rest
  }: Case) => {
    const eigenvalues = values.map((value) => ({ re: 0, im: 0, residual, error, ...value }));
    const motions: Motions = {
      eigenvalues,
      minReal: Math.min(...eigenvalues.map(({ re }) => re)),
      maxReal: Math.max(...eigenvalues.map(({ re }) => re)),
      residual,
      converged,
      whole,
      leftmostVector: Float64Array.of(1, 0),
      leftmost: { condition: error === undefined ? undefined : 2, error },
      offKernel: (v) => v,
    };
    return judgeAttraction(
      {
        name: "hallucinated-minimizer",
        motions,
        runs: [copy("returned")],
        learningRate: 1e-3,
        ball: noBall,
        stepsAskedFor: 0,
        method: "SAM",
        matrix: "H⁺M",
        ...rest,
      },
      tolerances,
    );
  };
  const slow = { values: [{ re: -0.01 }, { re: 100 }] };
  test.each<[string, Case, string, RegExp]>([
    [
      "all positive",
      { error: 1e-9 },
      "yes",
      /^SAM is drawn in: every eigenvalue of H⁺M off its kernel has positive real part \(the leftmost eigenvalue of H⁺M is 1 ± 1e-9, condition 2\), for learning rates below 0\.02\. Of 1 runs from displaced copies 1 came back/,
    ],
    [
      "negative beyond its error",
      { ...slow, error: 0.009 },
      "no",
      /^SAM is pushed away, though slowly: .* e-fold in about 100000 steps/,
    ],
    ["quickly", { values: [{ re: -2 }, { re: 100 }], error: 0.1 }, "no", /^SAM is pushed away: /],
    [
      "negative within its error",
      { ...slow, error: 0.011 },
      "yes",
      /is -0\.01, which is zero within 0\.011/,
    ],
    ["within 3 residuals, no error bar", { ...slow, residual: 0.004 }, "yes", /zero within 0\.012/],
    ["beyond 3 residuals, no error bar", { ...slow, residual: 0.003 }, "no", /pushed away/],
    [
      "a fraction of the largest, no error bar",
      { values: [{ re: -0.9e-4 }, { re: 100 }] },
      "yes",
      /zero within 0\.0001/,
    ],
    ["beyond that fraction", { values: [{ re: -1.1e-4 }, { re: 100 }] }, "no", /pushed away/],
    [
      "with error bars the fraction does not count",
      { values: [{ re: -0.9e-4 }, { re: 100 }], error: 1e-9 },
      "no",
      /pushed away/,
    ],
    [
      "rounding of the largest counts",
      { values: [{ re: -0.9e-8 }, { re: 100 }], error: 1e-12 },
      "yes",
      /zero within 1e-8/,
    ],
    [
      "too long steps",
      { learningRate: 0.02, error: 1e-9 },
      "no",
      /^At the learning rate 0\.02 SAM overshoots: it would be drawn in below 0\.02 only/,
    ],
    ["almost too long", { learningRate: 0.0199, error: 1e-9 }, "yes", /./],
    [
      "a pair inside the spectrum decides",
      { values: [{ re: 1 }, { re: 2, im: 90 }, { re: 100 }], error: 1e-9 },
      "no",
      /drawn in below 0\.000494 only/,
    ],
    ["runs that left", { runs: [copy("left")], error: 1e-9 }, "unknown", /yet runs left/],
    [
      "runs that stayed",
      { runs: [copy("stayed")], error: 1e-9 },
      "yes",
      /0 came back .* 1 neither \(1000 steps, /,
    ],
    [
      "a cap",
      { runs: [copy("stayed")], stepsAskedFor: 1001, error: 1e-9 },
      "yes",
      /\(1000 steps of the 1001 that the slowest rate asks for, /,
    ],
    ["not converged", { converged: false }, "unknown", /does not decide/],
    [
      "not converged, and left",
      { converged: false, runs: [copy("left")] },
      "no",
      /does not decide/,
    ],
    [
      "ends only, copies returned",
      { whole: false },
      "yes",
      /below 0\.02, an upper bound; a missed one is not excluded/,
    ],
    ["ends only, copies stayed", { whole: false, runs: [copy("stayed")] }, "unknown", /./],
    ["ends only, no copies", { whole: false, runs: [] }, "unknown", /./],
    ["near", { name: "near-hallucinated" }, "unknown", /^Nothing rests here/],
    ["a minimizer", { name: "minimizer" }, "unknown", /asked of hallucinated points only/],
    ["the screen's word", { name: "hallucinated-point" }, "unknown", /asked of/],
    [
      "no derivative",
      { motions: undefined },
      "unknown",
      /derivative of SAM's direction is not finite/,
    ],
    [
      "a heavy ball takes longer steps",
      { learningRate: 0.035, ball: { momentum: 0.9, nesterov: false }, error: 1e-9 },
      "yes",
      /below 0\.038\./,
    ],
    [
      "ends only, one copy stayed",
      { whole: false, runs: [copy("returned"), copy("stayed")] },
      "unknown",
      /1 came back/,
    ],
    [
      "just enough steps",
      { stepsAskedFor: 1000, error: 1e-9 },
      "yes",
      /\(1000 steps, learning rate 0\.001\)/,
    ],
  ])("%s", (_, change, expected, sentence) => {
    const found = answer(change);
    expect([found.answer, found.sentence]).toEqual([expected, expect.stringMatching(sentence)]);
  });
});

describe("rates", () => {
  const value = (re: number, im = 0, error?: number) => ({ re, im, residual: 0, error });

  test("the kernel is what lies within its error bar, or a fraction of the largest without one", () => {
    const values = [value(0.9e-4), value(1.1e-4), value(0.9e-4, 0, 1e-5), value(0.9e-4, 0, 1e-4)];
    expect(offKernel([...values, value(100)], tolerances)).toEqual([
      values[1],
      values[2],
      value(100),
    ]);
  });

  test("the largest stable rate is searched over all eigenvalues off the kernel", () => {
    const rate = (...values: ComplexEigenvalue[]) =>
      stableRate({ eigenvalues: values }, tolerances, noBall);
    expect(rate(value(1), value(4))).toBe(0.5);
    expect(rate(value(1), value(1, 3), value(4))).toBeCloseTo(0.2, 12);
    expect(rate(value(1e-9), value(4))).toBe(0.5);
    expect(rate(value(-1), value(-4))).toBeUndefined();
    expect(stableRate(undefined, tolerances, noBall)).toBeUndefined();
  });

  test("the slowest mode says how many steps runs take", () => {
    const steps = (rate: number, ...values: ComplexEigenvalue[]) =>
      stepsOfSlowest({ eigenvalues: values }, tolerances, rate, noBall);
    // One e-fold of 1 − 0.01·0.1, rounded up.
    expect(steps(0.01, value(0.1), value(10))).toBe(Math.ceil(-1 / Math.log(0.999)));
    expect(steps(0.01, value(-0.1), value(10))).toBe(Math.ceil(1 / Math.log(1.001)));
    expect(steps(0.01, value(0), value(10))).toBe(Math.ceil(-1 / Math.log(0.9)));
    expect(stepsOfSlowest(undefined, tolerances, 0.01, noBall)).toBe(0);
  });
});

test.each<[string, Parameters<typeof isProvedAttracting>[0], Ends, number, boolean, boolean]>([
  ["sym(M) ≻ 0, H⁺ ≻ 0", "hallucinated-minimizer", ends(1, 5), 0.1, true, true],
  ["sym(M) ≻ 0, H⁺ singular", "hallucinated-minimizer", ends(4.9e-6, 5), 0.1, true, false],
  ["sym(M) ≻ 0, H⁺ barely regular", "hallucinated-minimizer", ends(5.1e-6, 5), 0.1, true, true],
  ["sym(M) singular", "hallucinated-minimizer", ends(1, 5), 0, true, false],
  ["sym(M) ≻ 0 at a saddle", "hallucinated-saddle", ends(-1, 5), 0.1, true, false],
  ["sym(M) ≻ 0 where nothing rests", "descending", ends(1, 5), 0.1, true, false],
  ["sym(M) not converged", "hallucinated-minimizer", ends(1, 5), 0.1, false, false],
  ["H⁺ not converged", "hallucinated-minimizer", ends(1, 5, 0, false), 0.1, true, false],
])("Theorem 3.2: %s", (_, name, shiftedHessian, value, converged, proved) => {
  const minSymmetric = { value, residual: 0, converged };
  expect(isProvedAttracting(name, { shiftedHessian, minSymmetric }, tolerances)).toBe(proved);
});
