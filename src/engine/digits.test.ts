/** Digits for people: how many are shown, and which floats were meant as shorter numbers. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isRounded, rounded, shortest } from "./digits.ts";

test.each([
  [0.12345, 2, 0.12],
  [123456, 3, 123000],
  [-0.0009999, 1, -0.001],
  [0, 3, 0],
  [Infinity, 3, Infinity],
])("%d with %d digits is %d", (value, digits, wanted) => {
  expect(rounded(value, digits)).toBe(wanted);
});

test.each([0.1, 1e-5, 0.3, 3, -2.5, 123.456, 16777217, 0, 1.1754944e-38])(
  "the shortest decimal of %d as float32",
  (value) => {
    expect(shortest(Math.fround(value))).toBe(Math.abs(value) === 16777217 ? 16777216 : value);
  },
);

test("the shortest decimal rounds to the same float32, and no shorter one does", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const short = shortest(value);
      expect(Math.fround(short)).toBe(value + 0);
      const digits = short.toExponential().replace(/e.*|\D/g, "").length;
      if (digits === 1) return;
      expect(Math.fround(Number(value.toPrecision(digits - 1)))).not.toBe(value);
    }),
    { seed: 2, numRuns: 300 },
  );
});

// 12 bits from the first to the last: 0.10000000149 has 24, 2047/4096 has 11.
test.each([
  [Math.fround(0.1), true],
  [0.1, false],
  [3, false],
  [0.375, false],
  [-Math.fround(0.3), true],
  [2047 / 4096, false],
  [4095 / 8192, false],
  [4097 / 8192, true],
  [8191 / 16384, true],
  [2047.5, false],
  [2048.5, true],
  [4095.5, true],
  [-2048.5, true],
  [2 ** -30, false],
  [0, false],
  [Infinity, false],
  [NaN, false],
])("%d looks rounded to float32: %s", (value, wanted) => {
  expect(isRounded(value)).toBe(wanted);
});
