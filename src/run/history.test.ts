import { describe, expect, it } from "vitest";
import { tensor } from "../engine/tensor.ts";
import type { Records } from "../sam/training/records.ts";
import { defaultStride, finalOf, rowAt, strideFor, thin } from "./history.ts";

function records(first: number, count: number): Records {
  const column = (offset: number) =>
    Float64Array.from({ length: count }, (_, i) => first + i + offset);
  return {
    first,
    count,
    loss: column(0),
    shiftedLoss: column(0.1),
    gradNorm: column(0.2),
    shiftedGradNorm: column(0.3),
    cosine: column(0.4),
    directionNorm: Float64Array.of(),
    evaluations: column(0),
    skipped: column(0),
    details: {},
  };
}

describe("thin", () => {
  it("keeps the same steps however the run is cut into chunks", () => {
    const whole = thin(records(0, 100), 8);
    expect(whole.map(({ step }) => step)).toEqual(Array.from({ length: 13 }, (_, i) => 8 * i));
    const cut = [thin(records(0, 8), 8), thin(records(8, 1), 8), thin(records(9, 91), 8)].flat();
    expect(cut).toEqual(whole);
  });

  it("may keep nothing of a short chunk", () => {
    expect(thin(records(9, 7), 8)).toEqual([]);
  });
});

describe("rowAt", () => {
  it("joins coordinates kept in two tensors", () => {
    const two = { x1: tensor([1, 2], [2, 1], "float64"), x2: tensor([3, 4], [2, 1], "float64") };
    const one = { x: tensor([1, 3, 2, 4], [2, 2], "float64") };
    const row = rowAt({ ...records(5, 2), point: two, ascentPoint: one }, 1);
    expect(row).toEqual({
      step: 6,
      loss: 6,
      shiftedLoss: 6.1,
      gradNorm: 6.2,
      shiftedGradNorm: 6.3,
      cosine: 6.4,
      point: [2, 4],
      ascentPoint: [2, 4],
    });
  });
});

describe("a row", () => {
  it("has what its method adds, and no entry where there is nothing", () => {
    const details = { age: Float64Array.of(8, 9), gap: Float64Array.of(1, 2) };
    expect(rowAt({ ...records(0, 2), details }, 1).details).toEqual({ age: 9, gap: 2 });
    expect(Object.keys(rowAt(records(0, 2), 1))).toEqual([
      "step",
      "loss",
      "shiftedLoss",
      "gradNorm",
      "shiftedGradNorm",
      "cosine",
    ]);
  });
});

describe("what a run ended with", () => {
  const row = { ...rowAt(records(7, 1), 0), loss: 3, shiftedLoss: 5, gradNorm: 4 };

  it("compares the two losses and the two gradients", () => {
    expect(finalOf({ ...row, shiftedGradNorm: 1, cosine: 0.5, point: [1, 2] }, 0.75, 0.5)).toEqual({
      step: 7,
      loss: 3,
      shiftedLoss: 5,
      gradNorm: 4,
      shiftedGradNorm: 1,
      gradRatio: 0.25,
      lossGap: 2,
      cosine: 0.5,
      trainAccuracy: 0.75,
      testAccuracy: 0.5,
      point: [1, 2],
    });
  });

  it.each([NaN, Infinity, -Infinity])("has null for what is %d", (value) => {
    const all = { loss: value, shiftedLoss: value, gradNorm: value, shiftedGradNorm: value };
    const final = finalOf({ ...row, ...all, cosine: value }, null, null);
    expect({ ...final, step: 0 }).toEqual({
      step: 0,
      loss: null,
      shiftedLoss: null,
      gradNorm: null,
      shiftedGradNorm: null,
      gradRatio: null,
      lossGap: null,
      cosine: null,
      trainAccuracy: null,
      testAccuracy: null,
      point: null,
    });
  });

  it("has no ratio of gradients where there is none", () => {
    const gone = { ...row, gradNorm: 0, shiftedGradNorm: 0 };
    expect(finalOf(gone, null, null).gradRatio).toBeNull();
  });
});

describe("strideFor", () => {
  it("is 1 where all rows fit", () => {
    expect([1, 255, 256, 257, 512, 513].map((steps) => strideFor(steps, 256))).toEqual([
      1, 1, 1, 2, 2, 4,
    ]);
  });
});

describe("defaultStride", () => {
  it("is the smallest power of two that makes at most 1000 rows", () => {
    const strides = [1, 1000, 1001, 2000, 5000, 20_000, 100_000].map(defaultStride);
    expect(strides).toEqual([1, 1, 2, 2, 8, 32, 128]);
  });
});
