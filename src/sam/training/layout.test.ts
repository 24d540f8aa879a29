/** What a program is given for the steps of a run: batches, knobs, blocks; and what it hands back. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tensor } from "../../engine/tensor.ts";
import { quadratic } from "../../problems/planes/index.ts";
import { sam } from "../methods/sam.ts";
import { sgd } from "../parts/outer.ts";
import { batchIndices, samplesPerStep } from "./batches.ts";
import { inBlocks, prepareEvaluation } from "./evaluation.ts";
import { knobTypes, layOutKnobs } from "./knobs.ts";
import { toRecords } from "./records.ts";
import { stepsPerSegment } from "./training.ts";

describe("batches", () => {
  test("of an epoch are parts of one order of all samples, however steps are cut", () => {
    const sizes = fc
      .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
      .map(([a, b]) => [Math.max(a, b), Math.min(a, b)] as const);
    fc.assert(
      fc.property(fc.nat(), sizes, fc.nat({ max: 30 }), (seed, [size, batch], cut) => {
        const perEpoch = Math.floor(size / batch);
        const steps = 3 * perEpoch;
        const all = batchIndices(seed, size, batch, 0, steps);
        expect(all).toHaveLength(steps * batch);
        for (let epoch = 0; epoch < 3; epoch++) {
          const seen = all.slice(epoch * perEpoch * batch, (epoch + 1) * perEpoch * batch);
          expect(new Set(seen).size).toBe(perEpoch * batch);
          expect(Math.min(...seen)).toBeGreaterThanOrEqual(0);
          expect(Math.max(...seen)).toBeLessThan(size);
        }
        const first = Math.min(cut, steps);
        const parts = [
          ...batchIndices(seed, size, batch, 0, first),
          ...batchIndices(seed, size, batch, first, steps - first),
        ];
        expect(parts).toEqual([...all]);
      }),
      { seed: 9, numRuns: 60 },
    );
  });

  test("come in another order in every epoch and for every seed", () => {
    const orders = [0, 1].flatMap((seed) =>
      [0, 1].map((epoch) => batchIndices(seed, 20, 20, epoch, 1).join(" ")),
    );
    expect(new Set(orders).size).toBe(4);
  });

  test.each([1, 2, 3, "full"] as const)("may have %s of 3 samples", (batch) => {
    const problem = { ...quadratic(), train: { ...quadratic().train, size: 3 } };
    expect(samplesPerStep(problem, batch)).toBe(batch === "full" ? 3 : batch);
  });

  test.each([0, -1, 4, 1.5, NaN, Infinity])("cannot have %d of 3 samples", (batch) => {
    const problem = { ...quadratic(), train: { ...quadratic().train, size: 3 } };
    expect(() => samplesPerStep(problem, batch)).toThrow(
      `invalid batch: ${batch} (give "full" or a whole number from 1 to 3)`,
    );
  });
});

test("segments hold 8192 steps, fewer of large batches, one at least", () => {
  expect([1, 512, 513, 1 << 12, 1 << 21, (1 << 21) + 1, 1 << 30].map(stepsPerSegment)).toEqual([
    8192, 8192, 8176, 1024, 2, 1, 1,
  ]);
});

describe("knobs", () => {
  const method = sam({
    rho: (t, steps) => t / steps,
    outer: sgd({ learningRate: 0.1, momentum: 0.5 }),
  });

  test("are one number where they are constant, and one per step where they are not", () => {
    expect(layOutKnobs(method, "float32", 2, 3, 8)).toEqual({
      method: { rho: tensor([0.25, 0.375, 0.5], [3], "float32") },
      outer: { learningRate: tensor([0.1], [], "float32") },
    });
    const scalar = { dtype: "float64", shape: [] };
    expect(knobTypes(method, "float64")).toEqual({
      method: { rho: scalar },
      outer: { learningRate: scalar },
    });
  });

  test.each([
    [NaN, "NaN"],
    ["1", "1"],
    [undefined, "undefined"],
  ])("that give %s are refused with their step", (value, shown) => {
    const wrong = sam({ rho: (t) => (t === 4 ? (value as number) : 1) });
    expect(layOutKnobs(wrong, "float32", 0, 4, 8).method).toHaveProperty("rho");
    expect(() => layOutKnobs(wrong, "float32", 2, 4, 8)).toThrow(
      `invalid rho: ${shown} at step 4 (its schedule must give numbers)`,
    );
  });
});

test("blocks of samples are views of them", () => {
  const samples = tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [5, 2], "float64");
  const blocks = inBlocks(samples, 1, 2, 2);
  expect(blocks).toMatchObject({ shape: [2, 2, 2], dtype: "float64" });
  expect([...blocks.data]).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  expect(blocks.data.buffer).toBe(samples.data.buffer);
  expect([...inBlocks(samples, 4, 1, 1).data]).toEqual([8, 9]);
});

test.each([0, -1, 1.5, NaN, Infinity, "2", null])(
  "evaluations in blocks of %j are refused",
  (size) => {
    expect(() => prepareEvaluation(quadratic(), { blockSize: size as number })).toThrow(
      `invalid block size: ${String(size)} (give "full" or a whole number, 1 or more)`,
    );
    for (const blockSize of [1, "full", undefined] as const) {
      expect(prepareEvaluation(quadratic(), { blockSize })).toHaveProperty("evaluate");
    }
  },
);

test("records are columns by name, that end where the steps did", () => {
  const names = [
    "loss",
    "shiftedLoss",
    "gradNorm",
    "shiftedGradNorm",
    "cosine",
    "directionNorm",
    "evaluations",
    "skipped",
  ];
  const column = (value: number) => tensor([value, value + 0.5], [2], "float64");
  const columns = Object.fromEntries(names.map((name, i) => [name, column(i)]));
  const point = tensor([1, 2, 3, 4], [2, 2], "float64");
  const details = { age: column(20), inner: { gap: column(30) } };
  const { details: found, ...records } = toRecords({ ...columns, details, point }, 7);
  expect(records).toEqual({
    first: 5,
    count: 2,
    ...Object.fromEntries(names.map((name, i) => [name, column(i).data])),
    point,
    ascentPoint: undefined,
  });
  expect(found).toEqual({ age: column(20).data, "inner/gap": column(30).data });
});
