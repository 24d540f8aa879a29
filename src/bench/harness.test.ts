import { expect, test } from "vitest";
import { groups, runBench } from "./harness.ts";

test("times our engines and says which peers are missing", async () => {
  const said: string[] = [];
  const rows = [];
  for await (const row of runBench({
    groups: ["2 × 2 × 4"],
    blocks: 1,
    python: "/nowhere/python",
    onProgress: (line) => said.push(line),
  })) {
    rows.push(row);
  }
  expect(rows.map(({ contender }) => contender)).toEqual(["native", "jax"]);
  for (const { median, least, largest, peakBytes, compileMilliseconds } of rows) {
    expect(median).toBeGreaterThan(0);
    expect([least, largest]).toEqual([median, median]);
    expect(peakBytes).toBeGreaterThan(2 ** 20);
    expect(compileMilliseconds).toBeGreaterThan(0);
  }
  expect(said).toContainEqual(expect.stringMatching(/missing PyTorch eager: .*ENOENT/));
});

test("groups have different names", () => {
  expect(new Set(groups.map(({ name }) => name)).size).toBe(groups.length);
});
