import { expect, test } from "vitest";
import { isExactlyHallucinated, isHallucinated, verdicts, type VerdictName } from "./verdict.ts";

test("verdicts at which only the method sees a solution, and those of an exact rest point", () => {
  const names = Object.keys(verdicts) as VerdictName[];
  const exact = ["minimizer", "saddle", "maximizer", "rest"].map((kind) => `hallucinated-${kind}`);
  expect(names.filter(isExactlyHallucinated)).toEqual(exact);
  expect(names.filter(isHallucinated)).toEqual([
    ...exact,
    "near-hallucinated",
    "hallucinated-point",
  ]);
});

test("every verdict has a meaning of its own, in one sentence", () => {
  const meanings = Object.values(verdicts);
  for (const meaning of meanings) expect(meaning).toMatch(/^[A-Z][^\n]+\.$/);
  expect(new Set(meanings).size).toBe(meanings.length);
});
