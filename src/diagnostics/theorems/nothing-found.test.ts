import { expect, test, vi } from "vitest";
import { checkTheorems } from "./index.ts";
import { least, extremumPairs, planeOf, worst } from "./shared.ts";

// Searches that find nothing.
vi.mock("../search/plane-search.ts", () => ({ searchPlane: async () => [] }));
vi.mock("../search/sphere.ts", () => ({ searchSphere: async () => ({ hallucinated: [] }) }));
vi.mock("../search/continuation.ts", () => ({
  traceHallucinated: async () => ({ points: [], dimensions: [] }),
  continueInRho: async () => ({ points: [], folds: [], interval: [NaN, NaN] }),
}));
vi.mock(import("../search/construction.ts"), async (original) => ({
  ...(await original()),
  sweepEpsilon: () => ({ constructions: [], interval: [2, 3], atMaximizer: 1 }),
}));

test.each([
  ["Theorem 2.1", 7],
  ["Theorem 2.2", 2],
  ["Theorem 3.1", 1],
  ["Inertia", 7],
  ["Sphere, from", 7],
  ["Sphere, to", 4],
  ["Continuation", 1],
  ["Exact gradient", 7],
])("%s does not hold of points that nobody found", async (only, count) => {
  const rows = await checkTheorems({ only });
  expect(rows.map(({ passed }) => passed)).toEqual(Array.from({ length: count }, () => false));
});

test("a plane without a pair of extrema is refused", () => {
  expect(extremumPairs(planeOf("ring"))).toHaveLength(2);
  expect(() => extremumPairs(planeOf("cosine"))).toThrow("a plane without");
});

test("the extremes of no numbers pass no comparison, those of some do", () => {
  expect([worst([]), least([])]).toEqual([NaN, NaN]);
  expect([worst([1, 3, 2]), least([1, 3, 2])]).toEqual([3, 1]);
  expect([worst([1, NaN]), least([1, NaN])]).toEqual([NaN, NaN]);
});
