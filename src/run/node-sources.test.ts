import { expect, test } from "vitest";
import { nodeSources } from "./node-sources.ts";

test("the last data set is kept as long as the same is asked for", async () => {
  const { dataset: load } = nodeSources();
  const first = await load("digits", { n: 30, options: {} });
  expect(first.train).toMatchObject({ count: 30, width: 14 });
  expect(await load("digits", { n: 30, options: {} })).toBe(first);
  const larger = await load("digits", { n: 40, options: {} });
  expect(larger.train.count).toBe(40);
  expect((await load("digits", { n: 40, options: { size: 8 } })).train.width).toBe(8);
});

test("a data set that could not be made is asked for again", async () => {
  const { dataset: load } = nodeSources();
  await expect(load("digits", { n: 0, options: {} })).rejects.toThrow(/^invalid number/);
  await expect(load("digits", { n: 0, options: {} })).rejects.toThrow(/^invalid number/);
  expect((await load("digits", { n: 5, options: {} })).train.count).toBe(5);
});
