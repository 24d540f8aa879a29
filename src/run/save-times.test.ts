import { expect, test } from "vitest";
import { saveTimes } from "./save-times.ts";

/** Milliseconds at which a run of chunks of 100 ms is saved, if saving takes `took`. */
function savedAt(longest: number, took: number, end: number): number[] {
  let clock = 0;
  const times = saveTimes(longest, () => clock);
  const saves: number[] = [];
  while (clock < end) {
    clock += 100;
    if (!times.due()) continue;
    saves.push(clock);
    clock += took;
    times.saved(took);
  }
  return saves;
}

test.each([
  {
    longest: 30_000,
    took: 0,
    end: 100_000,
    saves: [300, 900, 2100, 4500, 9300, 18_900, 38_100, 68_100, 98_100],
  },
  { longest: 1000, took: 0, end: 4000, saves: [300, 900, 1900, 2900, 3900] },
  { longest: 100, took: 0, end: 300, saves: [100, 200, 300] },
  { longest: 0, took: 500, end: 1200, saves: [100, 700] },
  // 100 ms of saving is 5 % of two seconds.
  { longest: 30_000, took: 100, end: 9000, saves: [300, 2400, 6500] },
])(
  "with $longest ms at most and $took ms per save: after $saves",
  ({ longest, took, end, saves }) => {
    expect(savedAt(longest, took, end)).toEqual(saves);
  },
);

test("whenever a run dies, at least a third of what it did is kept", () => {
  const saves = savedAt(30_000, 0, 60_000);
  for (let death = 1000; death < 60_000; death += 100) {
    const kept = saves.findLast((time) => time <= death) ?? 0;
    expect(kept).toBeGreaterThan(Math.min(death / 3, death - 31_000));
  }
});
