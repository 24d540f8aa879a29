/** Runs of programs: what is refused, how they are cut into chunks, and what becomes of records. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ProgramRun, StepDefinition } from "./program.ts";
import { checkRun, runInChunks } from "./run.ts";
import { scalarTensor, tensor, type Tensor, type Tree } from "./tensor.ts";

const definition: StepDefinition = {
  step: () => ({ carry: {}, record: {} }),
  carry: { x: { dtype: "float64", shape: [2] } },
  inputs: {},
  knobs: { rate: { dtype: "float32", shape: [] }, mix: { dtype: "float32", shape: [2] } },
};
const good: ProgramRun = {
  carry: { x: tensor([1, 2], [2], "float64") },
  inputs: {},
  knobs: { rate: scalarTensor(1, "float32"), mix: tensor([1, 2], [2], "float32") },
  steps: 3,
};

test("knobs may be held or given step by step", () => {
  checkRun(definition, good);
  checkRun(definition, { ...good, steps: 0 });
  const rate = tensor([1, 2, 3], [3], "float32");
  const mix = tensor([1, 2, 3, 4, 5, 6], [3, 2], "float32");
  checkRun(definition, { ...good, knobs: { rate, mix } });
});

test.each<[string, Partial<ProgramRun>]>([
  ["invalid steps: -1 (give a whole number, 0 or more)", { steps: -1 }],
  ["invalid steps: 0.5 (give a whole number, 0 or more)", { steps: 0.5 }],
  ["missing carry/x: the program needs this tensor", { carry: {} }],
  [
    "invalid carry/x: float32[2] where the program was compiled for float64[2]",
    { carry: { x: tensor([1, 2], [2], "float32") } },
  ],
  [
    "invalid carry/x: float64[2, 1] where the program was compiled for float64[2]",
    { carry: { x: tensor([1, 2], [2, 1], "float64") } },
  ],
  // One step's worth of carry is not given step by step.
  [
    "invalid carry/x: float64[3, 2] where the program was compiled for float64[2]",
    { carry: { x: tensor([1, 2, 3, 4, 5, 6], [3, 2], "float64") } },
  ],
  [
    "invalid carry/x: float64[2] where the program was compiled for float64[2]",
    { carry: { x: { dtype: "float64", shape: [2], data: Float64Array.of(1) } } },
  ],
  [
    "invalid knobs/rate: float32[2] where the program was compiled for float32[]",
    { knobs: { ...(good.knobs as object), rate: tensor([1, 2], [2], "float32") } },
  ],
  ["unknown inputs/z: the program has no such tensor", { inputs: { z: scalarTensor(1, "bool") } }],
])("%s", (message, change) => {
  expect(() => checkRun(definition, { ...good, ...change })).toThrow(message);
});

let now = 0;
beforeEach(() => {
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const records: Tree<Tensor> = {
  step: scalarTensor(0, "float64"),
  pair: tensor([0, 0], [2], "int32"),
};

/** Steps that take so many milliseconds each and record their number, as rows or stacked. */
const counting =
  (asked: number[][], milliseconds: number, isStacked = false) =>
  async (first: number, count: number) => {
    asked.push([first, count]);
    now += milliseconds * count;
    const steps = Array.from({ length: count }, (_, i) => first + i);
    const carry = { last: scalarTensor(first + count, "float64") };
    if (isStacked) {
      // In the order of paths: pair, step.
      const pair = tensor(
        steps.flatMap((s) => [s, -s]),
        [count, 2],
        "int32",
      );
      return { carry, stacked: [pair, tensor(steps, [count], "float64")] };
    }
    return {
      carry,
      rows: steps.map((s) => [tensor([s, -s], [2], "int32"), scalarTensor(s, "float64")]),
    };
  };

test.each([false, true])(
  "all records of all chunks, stacked by the engine: %s",
  async (isStacked) => {
    const asked: number[][] = [];
    const options = { ...good, steps: 5, chunk: 2 };
    const result = await runInChunks(records, options, counting(asked, 1, isStacked));
    expect(asked).toEqual([
      [0, 2],
      [2, 2],
      [4, 1],
    ]);
    expect(result.steps).toBe(5);
    expect(result.carry).toEqual({ last: scalarTensor(5, "float64") });
    expect(result.records).toEqual({
      step: tensor([0, 1, 2, 3, 4], [5], "float64"),
      pair: tensor([0, 0, 1, -1, 2, -2, 3, -3, 4, -4], [5, 2], "int32"),
    });
  },
);

test("records that a callback has had are not kept", async () => {
  const seen: unknown[] = [];
  const options: ProgramRun = {
    ...good,
    steps: 3,
    chunk: 2,
    async onChunk({ step, carry, records: found }) {
      await Promise.resolve();
      seen.push([step, carry, (found as { step: Tensor }).step.data]);
    },
  };
  const result = await runInChunks(records, options, counting([], 1));
  expect(seen).toEqual([
    [2, { last: scalarTensor(2, "float64") }, Float64Array.of(0, 1)],
    [3, { last: scalarTensor(3, "float64") }, Float64Array.of(2)],
  ]);
  expect((result.records as { step: Tensor }).step.shape).toEqual([0]);
});

test("chunks grow fourfold until they take a fifth of a second", async () => {
  const asked: number[][] = [];
  const size = { steps: 1 };
  await runInChunks(records, { ...good, steps: 500 }, counting(asked, 2), size);
  const counts = asked.map(([, count]) => count);
  expect(counts).toEqual([1, 4, 16, 64, 100, 100, 100, 100, 15]);
  // The next run begins where this one ended.
  expect(size.steps).toBe(60);
  const slow: number[][] = [];
  await runInChunks(records, { ...good, steps: 70 }, counting(slow, 1000), size);
  expect(slow.map(([, count]) => count)).toEqual([60, ...Array<number>(10).fill(1)]);
  // No time at all: as many as allowed.
  const fast: number[][] = [];
  await runInChunks(records, { ...good, steps: 21 }, counting(fast, 0));
  expect(fast.map(([, count]) => count)).toEqual([1, 4, 16]);
});

test("an aborted run stops between chunks, with what it has", async () => {
  const stop = new AbortController();
  const options = { ...good, steps: 9, chunk: 3, signal: stop.signal };
  const steps = counting([], 1);
  const result = await runInChunks(records, options, async (first, count) => {
    if (first === 3) stop.abort();
    return steps(first, count);
  });
  expect(result.steps).toBe(6);
  expect((result.records as { step: Tensor }).step.shape).toEqual([6]);
  const none = await runInChunks(records, options, steps);
  expect([none.steps, none.carry]).toEqual([0, good.carry]);
});
