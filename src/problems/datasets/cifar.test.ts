import { expect, test } from "vitest";
import { InputError } from "../../engine/errors.ts";
import { cifar10Files, readCifar10, readCifar100 } from "./cifar.ts";

/** A record: its labels, then 3072 bytes that tell plane and place. */
const record = (...labels: number[]) => [
  ...labels,
  ...Array.from({ length: 3072 }, (_, i) => (i + 5 * (labels[0] ?? 0)) % 251),
];

test("reads CIFAR-100 by its fine or its coarse labels, pixels plane by plane", () => {
  const files = {
    "train.bin": Uint8Array.from([...record(3, 71), ...record(19, 0)]),
    "test.bin": Uint8Array.from(record(1, 99)),
  };
  const fine = readCifar100(files);
  expect([fine.classes, [...fine.train.labels], [...fine.test.labels]]).toEqual([
    100,
    [71, 0],
    [99],
  ]);
  const { count, channels, height, width, pixels } = fine.train;
  expect([count, channels, height, width, pixels.length]).toEqual([2, 3, 32, 32, 2 * 3072]);
  expect([...pixels.subarray(3072, 3076)]).toEqual([95, 96, 97, 98]);
  const coarse = readCifar100(files, "coarse");
  expect([coarse.classes, [...coarse.train.labels], [...coarse.test.labels]]).toEqual([
    20,
    [3, 19],
    [1],
  ]);
  expect(coarse.train.pixels).toEqual(fine.train.pixels);
});

test("reads CIFAR-10 in the order of its batches", () => {
  const names = Object.keys(cifar10Files) as (keyof typeof cifar10Files)[];
  const files = Object.fromEntries(
    names.map((name, i) => [name, Uint8Array.from(record(i))]),
  ) as Record<keyof typeof cifar10Files, Uint8Array>;
  const { train, test: held, classes } = readCifar10(files);
  expect([classes, [...train.labels], [...held.labels]]).toEqual([10, [0, 1, 2, 3, 4], [5]]);
  expect(train.pixels[3072]).toBe(5);
});

const refused: [string, number[], RegExp][] = [
  ["cut off", record(1, 2).slice(1), /^invalid data file train\.bin: 3073 bytes/],
  ["empty", [], /^invalid data file train\.bin: 0 bytes/],
  ["no label", record(1, 100), /^invalid data file train\.bin: label 100 \(expected 0 to 99\)/],
];

test.each(refused)("refuses a file that is %s", (_, bytes, message) => {
  const read = () =>
    readCifar100({
      "train.bin": Uint8Array.from(bytes),
      "test.bin": Uint8Array.from(record(1, 2)),
    });
  expect(read).toThrow(InputError);
  expect(read).toThrow(message);
});
