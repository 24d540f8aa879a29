/** MNIST (LeCun, Cortes and Burges 1998): 70,000 handwritten digits of 28 × 28 pixels. */
import { z } from "zod";
import { InputError } from "../../engine/errors.ts";
import { datasetEntry } from "./entry.ts";
import { readIdx } from "./idx.ts";
import type { ImageDataset, LabeledImages } from "./images.ts";

/** SHA-256 of the official files, unpacked. */
export const mnistFiles = {
  "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
} as const;

/** Name of a file of MNIST. */
export type MnistFile = keyof typeof mnistFiles;

/**
 * MNIST from the bytes of its four unpacked files, in the official order.
 *
 * @throws {InputError} naming the file that is not what it should be.
 */
export function readMnist(files: Readonly<Record<MnistFile, Uint8Array>>): ImageDataset {
  return {
    name: "mnist",
    classes: 10,
    train: readImages(files, "train"),
    test: readImages(files, "t10k"),
    mean: 0.1307,
    deviation: 0.3081,
  };
}

/** MNIST as it is found, downloaded and read. */
export const mnistEntry = datasetEntry({
  name: "mnist",
  title: "MNIST, 70,000 handwritten digits of 28 × 28 pixels (LeCun, Cortes and Burges 1998).",
  kind: "images",
  options: z.object({}),
  pixels: () => 28 ** 2,
  files: mnistFiles,
  mirrors: [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://yann.lecun.com/exdb/mnist/",
  ],
  megabytes: 11,
  read: readMnist,
});

function readImages(
  files: Readonly<Record<MnistFile, Uint8Array>>,
  part: "train" | "t10k",
): LabeledImages {
  const imagesName = `${part}-images-idx3-ubyte` as const;
  const labelsName = `${part}-labels-idx1-ubyte` as const;
  const images = readIdx(files[imagesName], 3, imagesName);
  const labels = readIdx(files[labelsName], 1, labelsName);
  const [count = 0, height = 0, width = 0] = images.shape;
  if (labels.shape[0] !== count) {
    throw new InputError(
      `invalid data file ${labelsName}: ${labels.shape[0]} labels for ${count} images; delete it and download again`,
    );
  }
  const stray = labels.data.find((label) => label > 9);
  if (stray !== undefined) {
    throw new InputError(
      `invalid data file ${labelsName}: label ${stray} (expected 0 to 9); delete it and download again`,
    );
  }
  return { pixels: images.data, labels: labels.data, count, height, width };
}
