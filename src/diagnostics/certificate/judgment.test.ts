import { expect, test } from "vitest";
import { defaultCertificateTolerances, type NearbyRun } from "./certificate.ts";
import { judgeAttraction } from "./judgment.ts";

const exact = { value: 0, residual: 0, converged: true };
const returned: NearbyRun = {
  start: "random 1",
  outcome: "returned",
  steps: 1000,
  initialDistance: 1e-3,
  finalDistance: 1e-6,
  initialShiftedGradNorm: 1,
  finalShiftedGradNorm: 1e-3,
};

/** What is said of a hallucinated minimizer whose H⁺M has these ends. */
const judged = (minReal: number, maxReal: number, residual: number, learningRate: number) =>
  judgeAttraction(
    "hallucinated-minimizer",
    { gradRatio: 1e-9 },
    {
      dense: false,
      sam: {
        eigenvalues: [
          { re: minReal, im: 0, residual },
          { re: maxReal, im: 0, residual },
        ],
        minReal,
        maxReal,
        residual,
        converged: true,
        leftmostVector: new Float64Array([1, 0]),
        minSymmetric: exact,
        minSingular: exact,
      },
    },
    [returned],
    learningRate,
    defaultCertificateTolerances,
  );

test("an eigenvalue that is zero within its error does not push away, and is said to be zero", () => {
  const { answer, sentence } = judged(-0.01, 1000, 0.1, 1e-3);
  expect(answer).toBe("yes");
  expect(sentence).toContain("the leftmost eigenvalue of H⁺M is -0.01, which is zero within 0.3");
});

test("an eigenvalue that is negative beyond its error pushes away", () => {
  const { answer, sentence } = judged(-0.01, 1000, 1e-4, 1e-3);
  expect(answer).toBe("no");
  expect(sentence).toMatch(
    /^SAM is pushed away, though slowly: the leftmost eigenvalue of H⁺M is -0\.01, so /,
  );
});

test("too long steps are named before what only they decide", () => {
  const { answer, sentence } = judged(0.5, 1000, 1e-9, 1e-2);
  expect(answer).toBe("no");
  expect(sentence).toMatch(/^At the learning rate 0\.01 SAM overshoots: .* below 0\.002 only/);
});
