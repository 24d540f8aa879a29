import * as fc from "fast-check";
import { expect, test } from "vitest";
import { InputError } from "../../engine/errors.ts";
import { readIdx } from "./idx.ts";
import { readMnist } from "./mnist.ts";

/** An IDX file by hand: two zero bytes, type 8, rank, big-endian sides, data. */
function idx(shape: readonly number[], data: readonly number[]): Uint8Array {
  const sides = shape.flatMap((side) => [
    side >>> 24,
    (side >>> 16) & 255,
    (side >>> 8) & 255,
    side & 255,
  ]);
  return Uint8Array.from([0, 0, 8, shape.length, ...sides, ...data]);
}

const files = {
  "train-images-idx3-ubyte": idx([3, 1, 2], [0, 50, 100, 150, 200, 250]),
  "train-labels-idx1-ubyte": idx([3], [5, 0, 9]),
  "t10k-images-idx3-ubyte": idx([1, 1, 2], [7, 8]),
  "t10k-labels-idx1-ubyte": idx([1], [4]),
};

test("reads images and labels of both parts", () => {
  const { train, test } = readMnist(files);
  expect([train.count, train.height, train.width]).toEqual([3, 1, 2]);
  expect([...train.pixels]).toEqual([0, 50, 100, 150, 200, 250]);
  expect([...train.labels]).toEqual([5, 0, 9]);
  expect([...test.pixels, ...test.labels]).toEqual([7, 8, 4]);
});

test("reads a file that lies inside a larger buffer", () => {
  const within = Uint8Array.from([9, 9, 9, ...files["train-labels-idx1-ubyte"], 9]);
  expect([...readIdx(within.subarray(3, -1), 1, "labels").data]).toEqual([5, 0, 9]);
});

test.each([
  [
    "train-images-idx3-ubyte",
    idx([6], [1, 2, 3, 4, 5, 6]),
    "14 bytes are too few for a header of 16",
  ],
  [
    "train-images-idx3-ubyte",
    idx([1, 2, 1, 1], [1, 2]),
    "magic 0x00000804 (expected 0x00000803); delete it and download again",
  ],
  [
    "t10k-labels-idx1-ubyte",
    Uint8Array.of(31, 139, 8, 0, 0, 0, 0, 0),
    "magic 0x1f8b0800 (expected 0x00000801)",
  ],
  ["t10k-images-idx3-ubyte", idx([1, 1, 2], [7]), "1 bytes of data (expected 1 × 1 × 2)"],
  ["t10k-images-idx3-ubyte", idx([1, 1, 2], [7, 8, 9]), "3 bytes of data (expected 1 × 1 × 2)"],
  ["train-labels-idx1-ubyte", idx([2], [1, 2]), "2 labels for 3 images"],
  ["train-labels-idx1-ubyte", idx([3], [1, 10, 2]), "label 10 (expected 0 to 9)"],
])("names %s and what is wrong with it", (name, bytes, reason) => {
  const broken = { ...files, [name]: bytes };
  expect(() => readMnist(broken)).toThrow(InputError);
  expect(() => readMnist(broken)).toThrow(`invalid data file ${name}: ${reason}`);
});

test("any corruption is refused cleanly or gives arrays of the stated size", () => {
  const valid = idx(
    [2, 3, 4],
    Array.from({ length: 24 }, (_, i) => i),
  );
  const changes = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 });
  let [read, refused] = [0, 0];
  fc.assert(
    fc.property(changes, fc.nat(valid.length), (changes, length) => {
      const bytes = valid.slice(0, length);
      for (const [at, value] of changes) if (at < length) bytes[at] = value;
      try {
        const { shape, data } = readIdx(bytes, 3, "file");
        expect(shape.reduce((a, b) => a * b, 1)).toBe(data.length);
        read++;
      } catch (error) {
        refused++;
        expect(error).toBeInstanceOf(InputError);
      }
    }),
    { seed: 1, numRuns: 1000 },
  );
  expect(read).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(10);
});
