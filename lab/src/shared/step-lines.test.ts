/** Lines of charts: what goes to and fro stays visible, gaps stay gaps, and entries are found by step. */
import { expect, test } from "vitest";
import { entryAt, extremesOf, pathOf, type Line } from "./step-lines.ts";

const line = (values: readonly number[], steps?: readonly number[]): Line => ({
  words: "",
  color: "",
  values,
  steps,
});
const same = (value: number) => value;

test("a line goes through its values at their steps, and is broken where one has no place", () => {
  expect(pathOf(line([1, 2.04, NaN, 4]), same, same, 100)).toBe("M0 1L1 2M3 4");
  expect(pathOf(line([1, 2], [10, 30]), same, same, 100)).toBe("M10 1L30 2");
  expect(pathOf(line([]), same, same, 100)).toBe("");
});

test("extremes are those of finite values above a bound, if there are any", () => {
  const values = [NaN, 3, 0, Infinity, -2, 7, -Infinity];
  expect(extremesOf(line(values), -Infinity)).toEqual([-2, 7]);
  expect(extremesOf(line(values), 0)).toEqual([3, 7]);
  expect(extremesOf(line([0, NaN]), 0)).toEqual([]);
});

test("of many steps on one pixel the least and the largest are drawn", () => {
  const values = Array.from({ length: 1000 }, (_, i) => (i === 501 ? 9 : i === 502 ? -9 : 0));
  const path = pathOf(line(values), same, same, 10);
  expect(path).toContain("L500 -9L500 9");
  expect(path.match(/[ML]/g)).toHaveLength(11);
});

test.each([
  { steps: undefined, step: 2, entry: 2 },
  { steps: undefined, step: 3, entry: -1 },
  { steps: [5, 10, 20], step: 4, entry: -1 },
  { steps: [5, 10, 20], step: 19, entry: 1 },
  { steps: [5, 10, 20], step: 20, entry: 2 },
  { steps: [5, 10, 20], step: 21, entry: -1 },
])("of steps $steps the entry at step $step is $entry", ({ steps, step, entry }) => {
  expect(entryAt(line([1, 2, 3], steps), step)).toBe(entry);
});
