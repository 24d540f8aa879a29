/** Scales: what can be drawn has a place, ticks are few and round, and nothing loops for ever. */
import { expect, test } from "vitest";
import { extentOf, linear, logarithmic } from "./scale.ts";

test.each([
  { values: [1, 2, 3], ticks: [1, 1.5, 2, 2.5, 3] },
  { values: [-1, 1], ticks: [-1, -0.5, 0, 0.5, 1] },
  // The same but for rounding: steps between would be too small to count by.
  { values: [2, 2 + 4e-16], ticks: [1.9, 1.95, 2, 2.05, 2.1] },
  { values: [0, 0], ticks: [-1, -0.5, 0, 0.5, 1] },
  { values: [NaN, Infinity], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] },
])("ticks of $values are $ticks", ({ values, ticks }) => {
  const extent = extentOf(values, false);
  expect(linear(extent, [0, 100], 5).ticks).toEqual(ticks);
});

test.each([
  { values: [1e-300, 1], most: 8 },
  { values: [1, 1.0000000001], most: 8 },
  { values: [0.5, 20], most: 8 },
  { values: [0, -1], most: 8 },
])(
  "ticks of a logarithmic scale over $values are positive, in order and few",
  ({ values, most }) => {
    const scale = logarithmic(extentOf(values, true), [0, 100]);
    expect(scale.ticks.length).toBeGreaterThan(1);
    expect(scale.ticks.length).toBeLessThanOrEqual(most);
    expect(scale.ticks.every((tick, i) => tick > (scale.ticks[i - 1] ?? 0))).toBe(true);
    expect(scale.at(0)).toBeNaN();
    expect(scale.invert(scale.at(scale.ticks[0] ?? 0))).toBeCloseTo(scale.ticks[0] ?? NaN, 9);
  },
);
