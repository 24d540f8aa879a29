/** Selections: words pick the cells that they name, and no others. */
import { expect, test } from "vitest";
import type { CellRow } from "./reader/protocol.ts";
import { ordered, selection, term, toggled, type Entry } from "./selection.ts";

const row = (over: Partial<CellRow>): CellRow => ({
  cell: "",
  status: "ok",
  verdict: null,
  warned: null,
  step: 10,
  loss: null,
  shiftedLoss: null,
  gradNorm: null,
  gradRatio: null,
  cosine: null,
  train: null,
  test: null,
  relativeRho: null,
  seconds: null,
  error: null,
  ...over,
});
const entries: readonly Entry[] = [
  {
    id: "a0",
    at: { rho: 1, remedy: "switch at 1 %" },
    row: row({ verdict: "minimizer", loss: 0.01 }),
  },
  {
    id: "b1",
    at: { rho: 10, remedy: "none|SAM" },
    row: row({ verdict: "hallucinated-point", loss: 2 }),
  },
  { id: "c2", at: { rho: 2, remedy: "none" }, row: row({ status: "failed" }) },
  { id: "d3", at: { rho: 2, remedy: "none" }, row: undefined },
];
const ids = (some: readonly Entry[]) => some.map(({ id }) => id).join(" ");

test.each([
  ["", ""],
  [" | ", ""],
  ["rho=1", "a0"],
  ["rho=2", "c2 d3"],
  ["hallucinated", "b1"],
  ["rho=2 failed", "c2"],
  ["verdict=not%20yet", "d3"],
  ["loss<1", "a0"],
  ["loss>=2 rho>5", "b1"],
  ["rho=1 | cell=d3", "a0 d3"],
  [term("remedy", "switch at 1 %"), "a0"],
  [term("remedy", "none|SAM"), "b1"],
  ["100%", ""],
] as const)("%j selects %j", (text, expected) => {
  expect(ids(entries.filter(selection(text)))).toBe(expected);
});

test("an alternative is added, and taken out by adding it again", () => {
  const one = toggled("", "rho=1");
  const two = toggled(one, "rho=2 remedy=none");
  expect(two).toBe("rho=1 | rho=2 remedy=none");
  expect(toggled(two, "rho=1")).toBe("rho=2 remedy=none");
});

test("numbers sort by size, and what is missing comes last either way", () => {
  expect(ids(ordered(entries, "rho", false))).toBe("a0 c2 d3 b1");
  expect(ids(ordered(entries.toReversed(), "loss", false))).toBe("a0 b1 d3 c2");
  expect(ids(ordered(entries.toReversed(), "loss", true))).toBe("b1 a0 d3 c2");
});
