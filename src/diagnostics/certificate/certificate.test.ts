import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { verdicts } from "../verdict.ts";
import { certificateSchema, defaultCertificateTolerances } from "./certificate.ts";
import { leftAbove, outcomeOf, returnedBelow } from "./nearby-runs.ts";

test("certificates that were stored by earlier versions are read", () => {
  const file = new URL("../../../test/pins/old-certificates.jsonl.gz", import.meta.url);
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  expect(lines).toHaveLength(10);
  for (const line of lines) {
    const { certificate } = JSON.parse(line) as { certificate: object };
    expect(certificateSchema.parse(certificate)).toEqual(certificate);
  }
});

test.each([
  [1, 0.5, "returned"],
  [1, 0.51, "stayed"],
  [1, 1, "stayed"],
  [1, 1.99, "stayed"],
  [1, 2, "left"],
  [1, NaN, "left"],
  [1, Infinity, "left"],
  // Once called returned: it had moved away.
  [0.004, 0.00414, "stayed"],
])("a copy that starts at the distance %d and ends at %d has %s", (initial, final, outcome) => {
  expect(outcomeOf(initial, final)).toBe(outcome);
  expect([returnedBelow, leftAbove]).toEqual([0.5, 2]);
});

/** A certificate that says all that one can say; `null` is allowed where {@link nullable} says. */
const full = {
  verdict: { name: "hallucinated-minimizer", sentence: "So." },
  attracting: { answer: "yes", sentence: "Because." },
  loss: 1,
  shiftedLoss: 2,
  gradNorm: 3,
  shiftedGradNorm: 4,
  gradRatio: 5,
  hessian: { min: 1, max: 2, residual: 3 },
  shiftedHessian: { min: 1, max: 2, residual: 3 },
  samJacobian: { minReal: 1, maxReal: 2, residual: 3 },
  perturbationJacobian: { minSymmetric: 1, minSingular: 2 },
  maxStableLearningRate: 6,
  mode: "train",
  tolerances: { zeroGradient: 1e-6 },
  dtype: "float64",
  engine: "native",
  seconds: 7,
  products: 8,
  details: {
    rho: 1,
    dimension: 2,
    distance: 3,
    gradients: 4,
    dense: true,
    converged: {
      hessian: true,
      shiftedHessian: true,
      samJacobian: true,
      symmetricPart: true,
      singularValue: true,
    },
    perturbationResiduals: { minSymmetric: 1, minSingular: 2 },
    spectrum: [{ re: 1, im: 2, maxStableLearningRate: 3, condition: 4, error: 5 }],
    kernels: { shiftedHessian: 1, perturbation: 2, samJacobian: 3, surrogateHessian: 4 },
    learningRate: 5,
    runs: [
      {
        start: "random 1",
        outcome: "returned",
        steps: 1,
        initialDistance: 2,
        finalDistance: 3,
        initialShiftedGradNorm: 4,
        finalShiftedGradNorm: 5,
      },
    ],
    stepsAskedFor: 6,
  },
  subject: {
    problem: "cosine",
    description: "a line",
    parameters: 1,
    samples: 2,
    loss: 3,
    score: { train: 1, test: 0.5 },
    rho: 4,
    relativeRho: 5,
    relativeRhoAtStart: 6,
    method: { name: "sam", momentum: 0, nesterov: false, weightDecay: 0 },
  },
  direction: { norm: 1, descentNorm: 2, ratio: 3, samLike: true },
  zero: {
    exact: true,
    moved: 1,
    residual: 2,
    roundingLevel: 3,
    kantorovich: { beta: 1, eta: 2, lipschitz: 3, h: 4, radius: 5 },
  },
  drift: { steps: 1, learningRate: 2, moved: 3, lossBefore: 4, lossAfter: 5 },
  smoothness: {
    kind: "piecewise smooth",
    units: 1,
    atKink: 2,
    withinReach: 3,
    reach: 4,
    copies: 5,
  },
  memory: { block: 1, blockBytes: 2, vectors: 3, vectorBytes: 4 },
  subset: { samples: 1, of: 2, subsets: 3, numbers: { loss: { mean: 1, deviation: 2 } } },
};

/** What older certificates do not have, and what not every problem or point has. */
const optional = [
  ["mode", "subject", "direction", "zero", "drift", "smoothness", "memory", "subset"],
  ["details.stepsAskedFor", "details.spectrum.0.condition", "details.spectrum.0.error"],
  ["subject.description", "subject.score", "subject.score.test", "subject.relativeRhoAtStart"],
].flat();

/** What is not defined everywhere. */
const nullable = [
  ["gradRatio", "maxStableLearningRate", "zero", "drift", "direction.ratio"],
  ["samJacobian.minReal", "samJacobian.maxReal", "samJacobian.residual"],
  ["perturbationJacobian.minSymmetric", "perturbationJacobian.minSingular"],
  ["details.perturbationResiduals.minSymmetric", "details.perturbationResiduals.minSingular"],
  ["details.spectrum.0.maxStableLearningRate", "details.kernels", "details.learningRate"],
  ["finalDistance", "initialShiftedGradNorm", "finalShiftedGradNorm"].map(
    (name) => `details.runs.0.${name}`,
  ),
  ["subject.relativeRho", "zero.kantorovich", "zero.kantorovich.radius"],
].flat();

/** Entries of records, which may have any names, and of lists. */
const free = [
  "tolerances.zeroGradient",
  "subset.numbers.loss",
  "details.spectrum.0",
  "details.runs.0",
];

type Node = Record<string, unknown>;

/** Every entry of a tree, by its path. */
const paths = (node: unknown, path = ""): string[] =>
  typeof node !== "object" || node === null
    ? []
    : Object.entries(node).flatMap(([key, child]) => {
        const here = path === "" ? key : `${path}.${key}`;
        return [here, ...paths(child, here)];
      });

/** The whole certificate with one entry changed, or without it. */
function changed(path: string, change: (parent: Node, key: string) => void): unknown {
  const copy = structuredClone(full) as Node;
  const keys = path.split(".");
  const key = keys.pop() ?? "";
  change(
    keys.reduce((node, each) => node[each] as Node, copy),
    key,
  );
  return copy;
}

test("a certificate that says all is read back, entry by entry", () => {
  expect(certificateSchema.parse(full)).toEqual(full);
  const every = paths(full);
  expect(every.length).toBeGreaterThan(100);
  expect(every).toEqual(expect.arrayContaining([...optional, ...nullable, ...free]));
  const accepts = (value: unknown) => certificateSchema.safeParse(value).success;
  /** Paths at which a change is accepted. */
  const accepted = (change: (parent: Node, key: string) => void) =>
    every.filter((path) => accepts(changed(path, change))).toSorted();
  const without = accepted((parent, key) => {
    if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else delete parent[key];
  });
  expect(without).toEqual([...optional, ...free].toSorted());
  expect(accepted((parent, key) => (parent[key] = null))).toEqual(nullable.toSorted());
  // Words stand where words are free, and nowhere else.
  expect(accepted((parent, key) => (parent[key] = "other"))).toEqual(
    [
      ["verdict.sentence", "attracting.sentence", "engine", "details.runs.0.start"],
      ["subject.problem", "subject.description", "subject.method.name"],
    ]
      .flat()
      .toSorted(),
  );
});

test.each<[path: string, values: readonly string[]]>([
  ["attracting.answer", ["yes", "no", "unknown"]],
  ["details.runs.0.outcome", ["returned", "stayed", "left"]],
  ["mode", ["evaluate", "train"]],
  ["verdict.name", Object.keys(verdicts)],
])("%s is one of %j", (path, values) => {
  for (const value of values) {
    const given = changed(path, (parent, key) => (parent[key] = value));
    expect(certificateSchema.parse(given)).toEqual(given);
  }
});

test("thresholds are ratios below one, and what is clear lies above what is zero", () => {
  const all = Object.entries(defaultCertificateTolerances);
  expect(all).toHaveLength(10);
  for (const [name, value] of all) expect(value > 0 && value < 1, name).toBe(true);
  const { zeroGradient, clearGradient, curvature, clearCurvature } = defaultCertificateTolerances;
  expect(zeroGradient).toBeLessThan(clearGradient);
  expect(curvature).toBeLessThan(clearCurvature);
});
