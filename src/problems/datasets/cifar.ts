/** CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 60,000 photographs of 32 × 32 pixels in color. */
import { z } from "zod";
import { InputError } from "../../engine/errors.ts";
import { choice } from "../../settings/fields.ts";
import { datasetEntry } from "./entry.ts";
import type { ImageDataset, LabeledImages } from "./images.ts";

const [channels, height, width] = [3, 32, 32];
const pixels = channels * height * width;
const mirrors = ["https://www.cs.toronto.edu/~kriz/"];

/** SHA-256 of the official files of CIFAR-10, unpacked. */
export const cifar10Files = {
  "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
  "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
  "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
  "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
  "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
  "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
} as const;

/** SHA-256 of the official files of CIFAR-100, unpacked. */
export const cifar100Files = {
  "train.bin": "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
  "test.bin": "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
} as const;

/** Means and deviations of pixel/255 by channel, over the 50,000 training images. */
const cifar10Constants = {
  mean: [0.4914, 0.4822, 0.4465],
  deviation: [0.247, 0.2435, 0.2616],
} as const;
const cifar100Constants = {
  mean: [0.5071, 0.4865, 0.4409],
  deviation: [0.2673, 0.2564, 0.2762],
} as const;

/** Which of its two labels an image of CIFAR-100 is known by. */
export type CifarLabels = "fine" | "coarse";

/**
 * CIFAR-10 from the bytes of its six unpacked files, in their order.
 *
 * @throws {InputError} naming the file that is not what it should be.
 */
export function readCifar10(
  files: Readonly<Record<keyof typeof cifar10Files, Uint8Array>>,
): ImageDataset {
  const [test, ...train] = Object.entries(files).sort(([a]) => (a === "test_batch.bin" ? -1 : 1));
  return {
    name: "cifar10",
    classes: 10,
    train: readImages(train, { labels: 1, label: 0, classes: 10 }),
    test: readImages(test ? [test] : [], { labels: 1, label: 0, classes: 10 }),
    ...cifar10Constants,
  };
}

/**
 * CIFAR-100 from the bytes of its two unpacked files, in their order.
 *
 * @param labels `fine`: 100 classes (default); `coarse`: 20.
 * @throws {InputError} naming the file that is not what it should be.
 */
export function readCifar100(
  files: Readonly<Record<keyof typeof cifar100Files, Uint8Array>>,
  labels: CifarLabels = "fine",
): ImageDataset {
  const classes = labels === "fine" ? 100 : 20;
  const layout = { labels: 2, label: labels === "fine" ? 1 : 0, classes };
  const read = (file: keyof typeof cifar100Files) => readImages([[file, files[file]]], layout);
  return {
    name: "cifar100",
    classes,
    train: read("train.bin"),
    test: read("test.bin"),
    ...cifar100Constants,
  };
}

/** CIFAR-10 as it is found, downloaded and read. */
export const cifar10Entry = datasetEntry({
  name: "cifar10",
  title: "CIFAR-10, 60,000 color photographs of 32 × 32 pixels in 10 classes (Krizhevsky 2009).",
  kind: "images",
  options: z.object({}),
  pixels: () => pixels,
  bytes: true,
  files: cifar10Files,
  archive: {
    name: "cifar-10-binary.tar.gz",
    sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    folder: "cifar-10-batches-bin",
  },
  mirrors,
  megabytes: 170,
  read: readCifar10,
});

/** CIFAR-100 as it is found, downloaded and read. */
export const cifar100Entry = datasetEntry({
  name: "cifar100",
  title: "CIFAR-100, 60,000 color photographs of 32 × 32 pixels in 100 classes (Krizhevsky 2009).",
  kind: "images",
  options: z.object({
    labels: choice(["fine", "coarse"], "fine", "which labels: 100 fine classes or 20 coarse ones"),
  }),
  pixels: () => pixels,
  bytes: true,
  classes: ({ labels }) => (labels === "coarse" ? 20 : 100),
  files: cifar100Files,
  records: {
    bytes: 2 + pixels,
    contents: {
      "train.bin": "11a8c0941d0e37831bc7e85560ab5802a1d6a571e18cee74aca962870143967a",
      "test.bin": "426b9a31732b354e1c8efa1d0b13e0d3984b9babeab86c0ceec6b524a6a4bad6",
    },
  },
  archive: {
    name: "cifar-100-binary.tar.gz",
    sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    folder: "cifar-100-binary",
  },
  mirrors,
  megabytes: 169,
  read: (files, { options: { labels } }) => readCifar100(files, labels),
});

/** What a record is: its labels, one byte each, then three planes of pixels, red, green and blue. */
interface RecordLayout {
  /** Number of label bytes. */
  readonly labels: number;
  /** Which of them counts. */
  readonly label: number;
  readonly classes: number;
}

function readImages(
  files: readonly (readonly [name: string, bytes: Uint8Array])[],
  { labels: labelBytes, label, classes }: RecordLayout,
): LabeledImages {
  const record = labelBytes + pixels;
  for (const [name, { length }] of files) {
    if (length > 0 && length % record === 0) continue;
    throw new InputError(
      `invalid data file ${name}: ${length} bytes (expected records of ${record}); delete it and download again`,
    );
  }
  const count = files.reduce((sum, [, { length }]) => sum + length / record, 0);
  const all = new Uint8Array(count * pixels);
  const labels = new Uint8Array(count);
  let image = 0;
  for (const [name, bytes] of files) {
    for (let start = 0; start < bytes.length; start += record, image++) {
      const own = bytes[start + label] as number;
      if (own >= classes) {
        throw new InputError(
          `invalid data file ${name}: label ${own} (expected 0 to ${classes - 1}); delete it and download again`,
        );
      }
      labels[image] = own;
      all.set(bytes.subarray(start + labelBytes, start + record), image * pixels);
    }
  }
  return { pixels: all, labels, count, channels, height, width };
}
