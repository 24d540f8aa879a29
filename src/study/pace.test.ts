import { expect, test } from "vitest";
import { programKey } from "../run/build.ts";
import { createPace, predictSeconds } from "./pace.ts";
import { expandStudy, parseStudy } from "./study.ts";

const cells = await expandStudy(
  parseStudy({
    name: "pace",
    fixed: { problem: "cosine" },
    axes: { method: ["sam", "asam"] },
    steps: 100,
  }),
);
const [sam, asam] = cells.map(({ spec }) => programKey(spec)) as [string, string];
const first = cells[0] as (typeof cells)[number];

test("steps cost what was timed; programs that were not timed cost the mean", () => {
  const timed = new Map([
    [sam, 1],
    [asam, 3],
  ]);
  expect(predictSeconds(cells, { secondsPerStep: timed, programs: 2 })).toBe(400);
  timed.delete(asam);
  expect(predictSeconds(cells, { secondsPerStep: timed, programs: 2 })).toBe(200);
});

test("the time left follows what was done, not what was hoped", () => {
  // Clocks do not start with the work.
  let now = 7;
  const estimate = { secondsPerStep: new Map([[sam, 1]]), programs: 1 };
  const pace = createPace(cells, estimate, 2, () => now);
  expect(pace.secondsLeft()).toBe(100);
  pace.reach(first, 0);
  now += 200;
  pace.reach(first, 50);
  // 50 predicted seconds took 200; 150 are left.
  expect(pace.secondsLeft()).toBe(600);
  pace.finish(first);
  expect(pace.secondsLeft()).toBe(200);
});

test("what a run had before it was interrupted does not count as speed", () => {
  let now = 0;
  const estimate = { secondsPerStep: new Map([[sam, 1]]), programs: 1 };
  const pace = createPace([first], estimate, 1, () => now);
  pace.reach(first, 90);
  expect(pace.secondsLeft()).toBe(10);
  now = 10;
  pace.reach(first, 95);
  expect(pace.secondsLeft()).toBe(10);
});
