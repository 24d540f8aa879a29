import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { InputError } from "../../engine/errors.ts";
import { randomStream } from "../../engine/random.ts";
import { digits } from "./digits.ts";
import type { LabeledImages } from "./images.ts";

test("equal options give equal bytes, on every machine", () => {
  const { train, test } = digits();
  const hash = createHash("sha256");
  for (const images of [train, test]) hash.update(images.pixels).update(images.labels);
  expect(hash.digest("hex")).toBe(
    "51ccac48dc6e6c65b3a2fb20745e24adfad689e82b210409759400b47f13020b",
  );
});

test("any two sets of another seed, or of training and test, share no image", () => {
  const sets = [digits({ train: 200, test: 200 }), digits({ train: 200, test: 200, seed: 1 })];
  const images = sets.flatMap(({ train, test }) =>
    [train, test].flatMap(({ pixels }) =>
      Array.from({ length: 200 }, (_, i) => String(pixels.subarray(i * 196, (i + 1) * 196))),
    ),
  );
  expect(new Set(images).size).toBe(800);
});

test("the first images do not depend on how many follow", () => {
  const { train: few } = digits({ train: 17, test: 1, size: 20 });
  const { train: many } = digits({ train: 40, test: 1, size: 20 });
  expect(few.pixels).toEqual(many.pixels.slice(0, 17 * 400));
  expect(few.labels).toEqual(many.labels.slice(0, 17));
});

test("every ten images show all ten digits, in changing order", () => {
  const { labels } = digits({ train: 100, test: 1 }).train;
  const tens = Array.from({ length: 10 }, (_, i) => labels.slice(10 * i, 10 * i + 10));
  for (const ten of tens)
    expect(ten.toSorted()).toEqual(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  expect(new Set(tens.map(String)).size).toBe(10);
});

test("mean and deviation are those of the training images", () => {
  const { train, mean, deviation } = digits();
  const p = Array.from(train.pixels, (byte) => byte / 255);
  const average = p.reduce((sum, v) => sum + v, 0) / p.length;
  const variance = p.reduce((sum, v) => sum + (v - average) ** 2, 0) / p.length;
  expect(Math.abs(average - Number(mean))).toBeLessThan(0.005);
  expect(Math.abs(Math.sqrt(variance) - Number(deviation))).toBeLessThan(0.005);
});

test("digits fit into their images: the border is nearly paper", () => {
  const { pixels } = digits({ train: 500, test: 1 }).train;
  const border = pixels.filter((_, i) => {
    const [row, column] = [Math.floor(i / 14) % 14, i % 14];
    return row === 0 || row === 13 || column === 0 || column === 13;
  });
  expect(border.filter((byte) => byte > 127).length / border.length).toBeLessThan(0.06);
});

test.each([
  [{ train: 0 }, "invalid number of training images: 0 (give a whole number, 1 to 1000000)"],
  [{ test: 1.5 }, "invalid number of test images: 1.5"],
  [{ seed: -1 }, "invalid seed: -1"],
  [{ size: 7 }, "invalid image size: 7 (give a whole number, 8 to 64)"],
  [{ size: NaN }, "invalid image size: NaN"],
])("refuses %j", (options, message) => {
  expect(() => digits(options)).toThrow(InputError);
  expect(() => digits(options)).toThrow(message);
});

test("a linear model does clearly worse than a network", () => {
  const { train, test } = digits({ train: 2000, test: 1000 });
  const linear = testAccuracy(train, test, 0);
  const network = testAccuracy(train, test, 32);
  expect(linear).toBeLessThan(0.9);
  expect(network).toBeGreaterThan(0.93);
});

/**
 * Test accuracy of softmax regression (`hidden` = 0) or of a tanh network, after 30 epochs of SGD
 * with momentum, weight decay and a rate that falls to 0. Plain loops, for this test alone.
 */
function testAccuracy(train: LabeledImages, test: LabeledImages, hidden: number): number {
  const random = randomStream(7, "test accuracy");
  const sides = hidden === 0 ? [196, 10] : [196, hidden, 10];
  const layers = sides.slice(1).map((outputs, l) => {
    const inputs = sides[l] as number;
    // The last column is the bias.
    const size = outputs * (inputs + 1);
    const weights = Float64Array.from({ length: size }, () => random.normal() / Math.sqrt(inputs));
    return {
      inputs,
      outputs,
      weights,
      gradient: new Float64Array(size),
      speed: new Float64Array(size),
    };
  });
  const read = ({ pixels }: LabeledImages, i: number) =>
    Float64Array.from(pixels.subarray(i * 196, (i + 1) * 196), (b) => (b / 255 - 0.2) / 0.3);
  /** Activations of every layer, the input first; the last are logits. */
  const forward = (x: Float64Array) => {
    const values = [x];
    layers.forEach(({ inputs, outputs, weights }, l) => {
      const below = values[l] as Float64Array;
      const above = new Float64Array(outputs);
      for (let o = 0; o < outputs; o++) {
        let sum = weights[o * (inputs + 1) + inputs] as number;
        for (let i = 0; i < inputs; i++) {
          sum += (weights[o * (inputs + 1) + i] as number) * (below[i] as number);
        }
        above[o] = l < layers.length - 1 ? Math.tanh(sum) : sum;
      }
      values.push(above);
    });
    return values;
  };
  const learn = (x: Float64Array, label: number) => {
    const values = forward(x);
    const logits = values[layers.length] as Float64Array;
    const top = Math.max(...logits);
    const exponentials = logits.map((z) => Math.exp(z - top));
    const total = exponentials.reduce((sum, e) => sum + e, 0);
    let delta = exponentials.map((e, k) => e / total - (k === label ? 1 : 0));
    for (let l = layers.length - 1; l >= 0; l--) {
      const { inputs, outputs, weights, gradient } = layers[l] as (typeof layers)[number];
      const below = values[l] as Float64Array;
      const next = new Float64Array(inputs);
      for (let o = 0; o < outputs; o++) {
        const d = delta[o] as number;
        const row = o * (inputs + 1);
        for (let i = 0; i < inputs; i++) {
          gradient[row + i] = (gradient[row + i] as number) + d * (below[i] as number);
          next[i] = (next[i] as number) + d * (weights[row + i] as number);
        }
        gradient[row + inputs] = (gradient[row + inputs] as number) + d;
      }
      delta = next.map((d, i) => d * (1 - (below[i] as number) ** 2));
    }
  };
  const [epochs, batch] = [30, 40];
  const inputs = Array.from({ length: train.count }, (_, i) => read(train, i));
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = 0.05 * (1 - epoch / epochs);
    random.permutation(train.count).forEach((i, place) => {
      learn(inputs[i] as Float64Array, train.labels[i] as number);
      if (place % batch < batch - 1) return;
      for (const { weights, gradient, speed } of layers) {
        for (let k = 0; k < weights.length; k++) {
          const w = weights[k] as number;
          const step = (gradient[k] as number) / batch + 1e-3 * w;
          speed[k] = 0.9 * (speed[k] as number) + step;
          weights[k] = w - rate * (speed[k] as number);
        }
        gradient.fill(0);
      }
    });
  }
  let right = 0;
  for (let i = 0; i < test.count; i++) {
    const logits = forward(read(test, i))[layers.length] as Float64Array;
    if (logits.indexOf(Math.max(...logits)) === test.labels[i]) right++;
  }
  return right / test.count;
}

test("drawing says how far it is", () => {
  const told: [number, number][] = [];
  digits({ train: 2500, test: 1, size: 8, onDrawn: (...progress) => told.push(progress) });
  expect(told).toEqual([
    [1000, 2500],
    [2000, 2500],
  ]);
});
