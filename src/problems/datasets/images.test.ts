import { expect, test } from "vitest";
import { InputError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { prepareEvaluation } from "../../sam/training/evaluation.ts";
import { mlp } from "../networks/mlp.ts";
import {
  imageSplits,
  pixelUnits,
  withPixels,
  type ImageDataset,
  type LabeledImages,
} from "./images.ts";

function images(count: number, height: number, width: number, first: number): LabeledImages {
  const pixels = Uint8Array.from(
    { length: count * height * width },
    (_, i) => (first + 37 * i) % 256,
  );
  const labels = Uint8Array.from({ length: count }, (_, i) => (i * 7) % 10);
  return { pixels, labels, count, height, width };
}

const dataset: ImageDataset = {
  name: "stripes",
  classes: 10,
  train: images(5, 4, 6, 11),
  test: images(3, 4, 6, 200),
  mean: 0.4,
  deviation: 0.25,
};

const leaves = (batch: unknown) => batch as { x: Tensor; y: Tensor };

test("takes all images, standardized, in float32, by default", () => {
  const { train, test } = imageSplits(dataset);
  expect([train.size, test.size]).toEqual([5, 3]);
  const { x, y } = leaves(test.batch);
  expect([x.shape, x.dtype, y.shape, y.dtype]).toEqual([[3, 1, 4, 6], "float32", [3], "int32"]);
  expect([...y.data]).toEqual([0, 7, 4]);
  const expected = Array.from(dataset.test.pixels, (b) => Math.fround((b / 255 - 0.4) / 0.25));
  expect([...x.data]).toEqual(expected);
});

test("takes the first images in file order", () => {
  const all = leaves(imageSplits(dataset).train.batch);
  const { train, test } = imageSplits(dataset, { train: 2, test: 1 });
  expect([train.size, test.size]).toEqual([2, 1]);
  expect(leaves(train.batch).x.data).toEqual(all.x.data.slice(0, 48));
  expect(leaves(train.batch).y.data).toEqual(all.y.data.slice(0, 2));
});

test("pools squares to their mean, row by row", () => {
  const options = { pool: 2, normalization: "none", dtype: "float64" } as const;
  const { x } = leaves(imageSplits(dataset, options).train.batch);
  expect([x.shape, x.dtype]).toEqual([[5, 1, 2, 3], "float64"]);
  const byte = (image: number, row: number, column: number) =>
    (11 + 37 * (image * 24 + row * 6 + column)) % 256;
  for (let image = 0; image < 5; image++) {
    for (let row = 0; row < 2; row++) {
      for (let column = 0; column < 3; column++) {
        const [r, c] = [2 * row, 2 * column];
        const mean =
          (byte(image, r, c) / 255 +
            byte(image, r, c + 1) / 255 +
            byte(image, r + 1, c) / 255 +
            byte(image, r + 1, c + 1) / 255) /
          4;
        expect(x.data[image * 6 + row * 3 + column]).toBeCloseTo(mean, 14);
      }
    }
  }
});

test("keeps the channels of color images, each with its own constants", () => {
  // Two images of three channels of 1 × 2 pixels.
  const pixels = Uint8Array.from([0, 51, 102, 153, 204, 255, 255, 204, 153, 102, 51, 0]);
  const color = { pixels, labels: Uint8Array.of(1, 0), count: 2, channels: 3, height: 1, width: 2 };
  const constants = { mean: [0, 0.2, 0.4], deviation: [1, 0.5, 0.1] };
  const splits = imageSplits(
    { name: "color", classes: 2, train: color, test: color, ...constants },
    { dtype: "float64" },
  );
  const { x } = leaves(splits.train.batch);
  expect(x.shape).toEqual([2, 3, 1, 2]);
  const expected = [0, 0.2, 0.4, 0.8, 4, 6, 1, 0.8, 0.8, 0.4, -2, -4];
  expect([...x.data]).toEqual(expected.map((value) => expect.closeTo(value, 12)));
});

test.each([
  [{ train: 0 }, "invalid number of training images of stripes: 0 (give 1 to 5)"],
  [{ train: 6 }, "invalid number of training images of stripes: 6 (give 1 to 5)"],
  [{ test: 1.5 }, "invalid number of test images of stripes: 1.5 (give 1 to 3)"],
  [{ pool: 3 }, "invalid pool: 3 does not divide images of 4 × 6 pixels (give 1, 2)"],
  [{ pool: 4 }, "invalid pool: 4 does"],
  [{ pool: 0 }, "invalid pool: 0 does"],
  [{ pool: NaN }, "invalid pool: NaN does"],
])("refuses %j", (options, message) => {
  expect(() => imageSplits(dataset, options)).toThrow(InputError);
  expect(() => imageSplits(dataset, options)).toThrow(message);
});

test.each([0, 0.3, 1])(
  "label noise of %d gives that fraction another label, by seed",
  (fraction) => {
    const many = { ...dataset, train: images(1000, 1, 1, 0), test: images(100, 1, 1, 0) };
    const labelsOf = (options: object) => {
      const splits = imageSplits(many, options);
      return [splits.train, splits.test].map(({ batch }) => [...leaves(batch).y.data]);
    };
    const [clean = [], cleanTest] = labelsOf({});
    const [noisy = [], noisyTest] = labelsOf({ labelNoise: fraction });
    const changes = noisy.map((label, i) => (label - (clean[i] ?? NaN) + 10) % 10);
    expect(changes.filter((change) => change !== 0)).toHaveLength(1000 * fraction);
    expect(noisyTest).toEqual(cleanTest);
    expect(labelsOf({ labelNoise: fraction, noiseSeed: 0 })[0]).toEqual(noisy);
    if (fraction === 0) return;
    expect(labelsOf({ labelNoise: fraction, noiseSeed: 1 })[0]).not.toEqual(noisy);
    // Uniform among the nine others: each about a ninth of the changed.
    for (let change = 1; change < 10; change++) {
      const share = changes.filter((seen) => seen === change).length / (1000 * fraction);
      expect(Math.abs(share - 1 / 9)).toBeLessThan(0.06);
    }
  },
);

test("color images stay bytes, and a pass is given their normalized pixels", async () => {
  const [channels, count] = [3, 4];
  const gray = images(count * channels, 4, 6, 9);
  const color: LabeledImages = { ...gray, labels: gray.labels.subarray(0, count), count, channels };
  const constants = { mean: [0.4, 0.5, 0.6], deviation: [0.25, 0.2, 0.3] };
  const colors: ImageDataset = { ...dataset, ...constants, train: color, test: color };
  const options = { bytes: true, dtype: "float64" } as const;
  const stored = imageSplits(colors, options);
  const { x } = leaves(stored.train.batch);
  expect([x.dtype, x.shape, x.data]).toEqual(["uint8", [4, 3, 4, 6], color.pixels]);
  const units = pixelUnits(colors, options);
  expect(units.black).toEqual([0, 0, 0]);
  expect(units.mean).toEqual([102, 127.5, 153]);

  const problem = (samples: typeof stored) =>
    mlp({ ...samples, hidden: [3], classes: 10, dtype: "float64" });
  const floats = problem(imageSplits(colors, { dtype: "float64" }));
  const model = { params: floats.init(2), statistics: {} };
  const losses = [];
  for (const of of [floats, withPixels(problem(stored), units)]) {
    const evaluation = prepareEvaluation(of);
    losses.push((await evaluation.evaluate(model, of.train)).loss);
    await evaluation.dispose();
  }
  expect(losses[1]).toBeCloseTo(losses[0] ?? NaN, 13);
  // Pooled ones are a quarter as many, as floats.
  const pooled = imageSplits(colors, { ...options, pool: 2 });
  expect(leaves(pooled.train.batch).x.dtype).toBe("float64");
  expect(pixelUnits(colors, { ...options, pool: 2 }).black[1]).toBe(-2.5);
});
