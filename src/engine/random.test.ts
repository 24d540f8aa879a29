/** Random streams: the same for the same names, unrelated for others, and distributed as they say. */
import { expect, test } from "vitest";
import { randomStream } from "./random.ts";

const many = 20_000;
const list = (draw: () => number, n = many) => Array.from({ length: n }, draw);
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const variance = (values: readonly number[]) => mean(values.map((v) => v * v)) - mean(values) ** 2;

// Seeds stand for the same numbers in every version: stored studies go on.
test("what a seed and its names stand for", () => {
  const stream = randomStream(0, "batches", 3);
  expect([stream.uniform(), stream.normal(), stream.integer(1000)]).toEqual([
    0.042858206299503876, 0.62733617730803, 740,
  ]);
  expect([...stream.permutation(7)]).toEqual([5, 1, 4, 2, 0, 6, 3]);
  expect(randomStream(12345).uniform(-1, 1)).toBe(0.33401516357100514);
});

test("streams of other seeds or names are others", () => {
  const names = [[0], [1], [0, "a"], [0, "b"], [0, "a", 1], [0, "a1"], [0, "1"], [0, 1]] as const;
  const first = names.map(([seed, ...rest]) => randomStream(seed, ...rest).uniform());
  expect(new Set(first).size).toBe(names.length);
  expect(randomStream(0, "a").uniform()).toBe(first[2]);
  // Near names end far apart.
  const near = Array.from({ length: 2000 }, (_, i) => randomStream(0, i).uniform());
  expect(Math.abs(mean(near) - 0.5)).toBeLessThan(0.03);
  expect(Math.abs(variance(near) - 1 / 12)).toBeLessThan(0.01);
});

test("uniform numbers fill their interval", () => {
  const stream = randomStream(1, "uniform");
  for (const [low, high] of [
    [0, 1],
    [-3, 5],
  ] as const) {
    const values = list(() => stream.uniform(low, high));
    const width = high - low;
    expect(Math.min(...values)).toBeGreaterThanOrEqual(low);
    expect(Math.max(...values)).toBeLessThan(high);
    expect(Math.abs(mean(values) - (low + high) / 2)).toBeLessThan(0.01 * width);
    expect(Math.abs(variance(values) - width ** 2 / 12)).toBeLessThan(0.003 * width ** 2);
  }
});

test("normal numbers have the moments of the normal distribution", () => {
  const stream = randomStream(2, "normal");
  const values = list(() => stream.normal());
  const moment = (k: number) => mean(values.map((v) => v ** k));
  expect(Math.abs(moment(1))).toBeLessThan(0.03);
  expect(Math.abs(moment(2) - 1)).toBeLessThan(0.04);
  expect(Math.abs(moment(3))).toBeLessThan(0.1);
  expect(Math.abs(moment(4) - 3)).toBeLessThan(0.25);
  expect(values.every(Number.isFinite)).toBe(true);
});

test("integers are equally likely, and n is none of them", () => {
  const stream = randomStream(3, "integers");
  const counts = new Map<number, number>();
  for (const value of list(() => stream.integer(5)))
    counts.set(value, (counts.get(value) ?? 0) + 1);
  expect(new Set(counts.keys())).toEqual(new Set([0, 1, 2, 3, 4]));
  for (const count of counts.values()) expect(Math.abs(count - many / 5)).toBeLessThan(250);
  expect(stream.integer(1)).toBe(0);
});

test("all orders are equally likely", () => {
  const stream = randomStream(4, "orders");
  const counts = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = stream.permutation(3).join();
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual(["0,1,2", "0,2,1", "1,0,2", "1,2,0", "2,0,1", "2,1,0"]);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  expect([...stream.permutation(100)].sort((a, b) => a - b)).toEqual(
    Array.from({ length: 100 }, (_, i) => i),
  );
  expect([...stream.permutation(0)]).toEqual([]);
});
