import { expect, test } from "vitest";
import { checkTheorems } from "./index.ts";

const rows = await checkTheorems();

type Bounds = { readonly [number: string]: readonly [from: number, to: number] };

const [error, some, positive] = [
  [0, 1e-9],
  [1, Infinity],
  [1e-3, Infinity],
] as const;

/** On which functions a statement is checked, and where the numbers that decide must lie. */
const expected: { readonly [statement: string]: { readonly on: string; readonly bounds: Bounds } } =
  {
    "Proposition A.1": {
      on: "quadratic, random convex functions",
      bounds: { points: [500, 1000], leastGradRatio: [1 - 1e-12, 2], zerosReached: [0, 0] },
    },
    "Theorem 2.1": {
      on: "bump, ridge, ridge, himmelblau, himmelblau, himmelblau, himmelblau",
      bounds: {
        largestError: [0, 1e-10],
        rhoFrom: [2, 5],
        rhoTo: [3, 6],
        leastCurvatureOfSurrogate: [-1e-9, 1],
      },
    },
    "Theorem 2.2": {
      on: "ring",
      bounds: { largestError: [0, 1e-10], rhoFrom: [3, 4], rhoTo: [15, 16] },
    },
    "Corollary A.6": {
      on: "ring",
      bounds: { largestError: [0, 1e-10], rhoFrom: [1, 2], rhoTo: [3, 4] },
    },
    "Theorem 3.1": {
      on: "ridge",
      bounds: {
        points: [100, 1000],
        largestDistanceToMinimizers: error,
        leastSingularValueOfM: [0.5, 1],
        kernelDimension: [1, 1],
      },
    },
    "Theorem 3.2": {
      on: "ridge",
      bounds: { leastEigenvalueOfSymM: [0.5, 1], largestDistanceAtEnd: error },
    },
    "Corollary B.3": {
      on: "cosine, wide-narrow",
      bounds: {
        leastCurvature: positive,
        leastEigenvalueOfSymM: positive,
        largestDistanceAtEnd: error,
      },
    },
    Inertia: {
      on: "cosine, wide-narrow, bump, saddle, himmelblau, ring, ridge",
      bounds: { points: some, agree: some, largestRelativeError: [0, 1e-4] },
    },
    Dynamics: {
      on: "cosine, wide-narrow, himmelblau",
      bounds: {
        largestStableLearningRate: [0.01, 0.4],
        relativeErrorOfRate: [0, 0.05],
        distanceAt98Percent: error,
      },
    },
    "Drawn to a saddle": {
      on: "himmelblau",
      bounds: {
        gradNorm: positive,
        leastEigenvalueOfShiftedHessian: [-20, -1],
        leastRealPartOfSamJacobian: positive,
        distanceAtEnd: error,
      },
    },
    "Sphere, from x⁺ = c": {
      on: "cosine, wide-narrow, bump, saddle, himmelblau, ring, ridge",
      bounds: {
        points: some,
        outward: [0, 0],
        largestDistanceToSphere: error,
        largestAngle: error,
        largestErrorOfM: error,
      },
    },
    "Sphere, to x⁺ = c": {
      on: "cosine, wide-narrow, himmelblau, ring",
      bounds: { points: some, largestError: error, leastTangentialM: positive },
    },
    "Constructed points repel": {
      on: "bump",
      bounds: {
        // Measured once by other means.
        rho: [2.3664, 2.3666],
        surrogateMin: [2.18, 2.19],
        surrogateMax: [76.1, 76.3],
        samJacobianMin: [-12.3, -12.2],
        samJacobianMax: [2.18, 2.19],
        distanceToMaximizerAtEnd: [0, 0.01],
      },
    },
    Continuation: {
      on: "himmelblau",
      bounds: {
        points: [100, 1000],
        folds: [1, 1],
        largestDistanceToBruteForce: error,
        singularValueOfMAtFolds: [0, 1e-6],
        relativeErrorOfLaw: [0, 1e-3],
      },
    },
    "Root finding": {
      on: "cosine, wide-narrow, ridge",
      bounds: { gradRatioAfter: error, products: [2, 99], moved: [1e-6, 0.1] },
    },
    "Exact gradient": {
      on: "cosine, wide-narrow, bump, saddle, himmelblau, ring, ridge",
      bounds: { points: some, largest: [0, 1e-5] },
    },
    "Output bias": {
      on: "cross-entropy, output bias, cross-entropy, no output bias, squared error, output bias, squared error, no output bias",
      bounds: { points: [60, 60], leastCurvatureOfWeights: [-1e-12, 0.01] },
    },
  };

test("every statement of the theory is there", () => {
  const statements = new Set(rows.map(({ statement }) => statement));
  expect([...statements].toSorted()).toEqual(Object.keys(expected).toSorted());
});

test.each(Object.entries(expected))("%s, by its numbers", (statement, { on, bounds }) => {
  const found = rows.filter((row) => row.statement === statement);
  expect(found.map(({ plane }) => plane).join(", ")).toBe(on);
  for (const { passed, plane, numbers } of found) {
    expect(passed, plane).toBe(true);
    for (const [name, [from, to]] of Object.entries(bounds)) {
      expect(numbers[name], `${plane}: ${name}`).toBeGreaterThanOrEqual(from);
      expect(numbers[name], `${plane}: ${name}`).toBeLessThanOrEqual(to);
    }
  }
});

test("the curvature of f(x⁺) has the signs of that of f at every point looked at", () => {
  const inertia = rows.filter(({ statement }) => statement === "Inertia");
  expect(inertia).toHaveLength(7);
  for (const { numbers } of inertia) expect(numbers["agree"]).toBe(numbers["points"]);
});

test("an output bias leaves no maximizers: its curvature is that of the formula, and never 0", () => {
  const biased = rows.filter(
    ({ statement, plane }) => statement === "Output bias" && plane.endsWith(", output bias"),
  );
  expect(biased.map(({ numbers }) => numbers)).toEqual([
    expect.objectContaining({ leastCurvature: expect.any(Number) as number }),
    expect.objectContaining({ leastCurvature: expect.closeTo(2, 12) as number }),
  ]);
  for (const { numbers } of biased) {
    expect(numbers["leastCurvature"]).toBeGreaterThan(1e-6);
    expect(numbers["largestErrorOfFormula"]).toBeLessThan(1e-12);
  }
});

test("only: keeps the statements that contain a text", async () => {
  const some = await checkTheorems({ only: "A.1" });
  expect(some.map(({ statement }) => statement)).toEqual(["Proposition A.1", "Proposition A.1"]);
});
