/** Normal numbers: their distribution, and that one key makes one sequence. */
import { init, numpy as np } from "@jax-js/jax";
import { beforeAll, expect, test } from "vitest";
import { methodKeys, normals } from "./random.ts";

beforeAll(() => init("cpu"));

const draw = (t: number, size: number): number[] =>
  normals(np.array([7, t], { dtype: np.uint32 }), size).js() as number[];

const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;

const size = 1 << 15;

test("moments and tails are those of the normal distribution to five standard errors", () => {
  const numbers = draw(0, size);
  // E x^p and the variance of x^p.
  const moments = [
    [1, 0, 1],
    [2, 1, 2],
    [3, 0, 15],
    [4, 3, 96],
  ] as const;
  for (const [power, expected, variance] of moments) {
    const found = mean(numbers.map((x) => x ** power));
    expect(Math.abs(found - expected), `power ${power}`).toBeLessThan(
      5 * Math.sqrt(variance / size),
    );
  }
  // P(|x| > 2) = 0.0455.
  const outside = mean(numbers.map((x) => Number(Math.abs(x) > 2)));
  expect(Math.abs(outside - 0.0455)).toBeLessThan(5 * Math.sqrt(0.0455 / size));
});

test("the two numbers of a block, and those of two keys, are uncorrelated", () => {
  const [numbers, others] = [draw(0, size), draw(1, size)];
  const half = size / 2;
  const limit = 5 / Math.sqrt(half);
  const within = mean(numbers.slice(0, half).map((x, i) => x * (numbers[half + i] ?? NaN)));
  const squares = mean(
    numbers.slice(0, half).map((x, i) => (x * x - 1) * ((numbers[half + i] ?? NaN) ** 2 - 1)),
  );
  expect(Math.abs(within)).toBeLessThan(limit);
  expect(Math.abs(squares)).toBeLessThan(2 * limit);
  expect(Math.abs(mean(numbers.map((x, i) => x * (others[i] ?? NaN))))).toBeLessThan(limit);
});

test("an odd number of them leaves one out", () => {
  expect(draw(2, 7)).toEqual(draw(2, 8).slice(0, 7));
});

test("a method has as many keys of a step as it asks for, each with numbers of its own", () => {
  const time = { step: np.array(0), key: np.array([7, 3], { dtype: np.uint32 }) };
  const keys = (count: number) =>
    methodKeys({ ...time, key: time.key.ref }, count).map((key) => String(key.js()));
  expect(keys(1)).toHaveLength(1);
  expect(keys(1)).not.toContain("7,3");
  expect(new Set([...keys(1), ...keys(3)]).size).toBe(4);
  expect(keys(3)).toEqual(keys(3));
});

test("without a key of the step a method must say that it is random", () => {
  expect(() => methodKeys({ step: np.array(0) }, 1)).toThrow(
    "missing key: the method must be marked as random",
  );
});
