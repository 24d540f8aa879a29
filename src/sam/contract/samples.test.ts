/** Samples: taken by index, and bytes as numbers of the problem's dtype. */
import { init, numpy as np } from "@jax-js/jax";
import { beforeAll, expect, test } from "vitest";
import { typesOf, tensor } from "../../engine/tensor.ts";
import { castBytes, takeSamples } from "./samples.ts";

beforeAll(() => init("cpu"));

const host = {
  pixels: tensor([0, 7, 255, 128], [2, 2], "uint8"),
  labels: tensor([3, 1], [2], "int32"),
  weights: tensor([0.5, 2], [2], "float32"),
};

/** The same samples on the device, where bytes are whole numbers of 32 bits. */
const device = () => ({
  pixels: np.array(
    [
      [0, 7],
      [255, 128],
    ],
    { dtype: np.int32 },
  ),
  labels: np.array([3, 1], { dtype: np.int32 }),
  weights: np.array([0.5, 2], { dtype: np.float32 }),
});

test.each(["float32", "float64"] as const)("bytes become %s, and nothing else changes", (dtype) => {
  const given = device();
  const seen = castBytes(given, typesOf(host), dtype) as typeof given;
  expect(seen.pixels.dtype).toBe(dtype);
  expect(seen.pixels.js()).toEqual([
    [0, 7],
    [255, 128],
  ]);
  expect([seen.labels.dtype, seen.weights.dtype]).toEqual(["int32", "float32"]);
  expect(seen.labels.js()).toEqual([3, 1]);
});

test("samples without bytes are left as they are", () => {
  const { labels, weights } = device();
  const types = typesOf({ labels: host.labels, weights: host.weights });
  const given = { labels, weights };
  expect(castBytes(given, types, "float64")).toBe(given);
});

test("samples are taken by index from every leaf, twice where an index comes twice", () => {
  const taken = takeSamples(device(), np.array([1, 1, 0], { dtype: np.int32 }));
  const { pixels, labels } = taken as ReturnType<typeof device>;
  expect(pixels.js()).toEqual([
    [255, 128],
    [255, 128],
    [0, 7],
  ]);
  expect(labels.js()).toEqual([1, 1, 3]);
});
