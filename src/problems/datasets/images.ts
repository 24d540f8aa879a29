/** Images with labels, gray or in color, and the way from their bytes to the samples of a problem. */
import { InputError } from "../../engine/errors.ts";
import { wrap } from "../../engine/tensor.ts";
import { choice, number, shownAs } from "../../settings/fields.ts";
import type { FloatType, Split } from "../problem.ts";

/** Images as they are stored: one byte per pixel and channel; in gray ones 0 is paper, 255 is ink. */
export interface LabeledImages {
  /** Row-major [count, channels, height, width]. */
  readonly pixels: Uint8Array;
  /** Class of every image, [count]. */
  readonly labels: Uint8Array;
  readonly count: number;
  /** Default 1: gray. */
  readonly channels?: number | undefined;
  readonly height: number;
  readonly width: number;
}

/** Images to learn from and images to be judged on. */
export interface ImageDataset {
  readonly name: string;
  readonly classes: number;
  readonly train: LabeledImages;
  readonly test: LabeledImages;
  /**
   * Mean of pixel/255 over the training images: a constant of the data set, see `standard`. One
   * number, or one for every channel.
   */
  readonly mean: number | readonly number[];
  /** Standard deviation of pixel/255 over the training images, in the form of `mean`. */
  readonly deviation: number | readonly number[];
}

/** Samples of a classification problem. */
export interface ImageSamples {
  /** Batches `{ x: float[n, channels, height, width], y: int32[n] }`. */
  readonly train: Split;
  readonly test: Split;
  /** Labels are 0 … classes − 1. */
  readonly classes: number;
}

/** Fields of a run that learns images: how many and what becomes of their pixels. */
export const imageFields = {
  n: number(500, "learn from the first so many training images", { min: 1, integer: true }),
  pool: shownAs(
    "side",
    number(1, "replace squares of so many pixels a side by their means", {
      min: 1,
      integer: true,
    }),
  ),
  normalization: shownAs(
    "kind",
    choice(["standard", "none"], "standard", "shift and scale the pixels, or not"),
  ),
};

/**
 * `standard` makes (p − mean)/deviation of p = pixel/255, with the data set's constants whatever
 * images are chosen; `none` leaves p.
 */
export type Normalization = "standard" | "none";

/** What becomes of images on their way to samples. */
export interface ImageOptions {
  /** Take the first so many training images; default all. */
  readonly train?: number;
  /** Take the first so many test images; default all. */
  readonly test?: number;
  /** Replace every square of pool × pool pixels by its mean; default 1. */
  readonly pool?: number;
  /** Default `standard`. Happens after pooling. */
  readonly normalization?: Normalization;
  /** Computed in float64 and rounded once; default `float32`. */
  readonly dtype?: FloatType;
}

/**
 * The samples of a data set as batches `{ x: float[n, channels, height, width], y: int32[n] }`, in
 * the order in which the data set has them.
 *
 * @throws {InputError} when there are not so many images or `pool` does not divide their sides.
 */
export function imageSplits(
  dataset: ImageDataset,
  {
    train = dataset.train.count,
    test = dataset.test.count,
    pool = 1,
    normalization = "standard",
    dtype = "float32",
  }: ImageOptions = {},
): ImageSamples {
  const { name, mean, deviation, classes } = dataset;
  const [shift, scale] = normalization === "standard" ? [mean, deviation] : [0, 1];
  const split = (images: LabeledImages, count: number, kind: string): Split => {
    checkCount(count, images.count, `${kind} images of ${name}`);
    checkPool(pool, images);
    const { channels = 1 } = images;
    const [height, width] = [images.height / pool, images.width / pool];
    const values = meanPool(images, count * channels, pool);
    for (let i = 0; i < values.length; i++) {
      const channel = Math.floor(i / (height * width)) % channels;
      values[i] = ((values[i] as number) - of(shift, channel)) / of(scale, channel);
    }
    const x = dtype === "float32" ? Float32Array.from(values) : values;
    const y = Int32Array.from(images.labels.subarray(0, count));
    return {
      size: count,
      batch: {
        x: wrap(x, [count, channels, height, width], dtype),
        y: wrap(y, [count], "int32"),
      },
    };
  };
  return {
    train: split(dataset.train, train, "training"),
    test: split(dataset.test, test, "test"),
    classes,
  };
}

/** The constant of a channel. */
const of = (constants: number | readonly number[], channel: number): number =>
  typeof constants === "number" ? constants : (constants[channel] as number);

function checkCount(count: number, available: number, what: string): void {
  if (!Number.isInteger(count) || count < 1 || count > available) {
    throw new InputError(`invalid number of ${what}: ${count} (give 1 to ${available})`);
  }
}

function checkPool(pool: number, { height, width }: LabeledImages): void {
  if (!Number.isInteger(pool) || pool < 1 || height % pool !== 0 || width % pool !== 0) {
    const fits = Array.from({ length: Math.min(height, width) }, (_, i) => i + 1)
      .filter((k) => height % k === 0 && width % k === 0)
      .join(", ");
    throw new InputError(
      `invalid pool: ${pool} does not divide images of ${height} × ${width} pixels (give ${fits})`,
    );
  }
}

/** Means of pixel/255 over pool × pool squares of `count` planes: [count, height/pool, width/pool]. */
function meanPool(
  { pixels, height, width }: LabeledImages,
  count: number,
  pool: number,
): Float64Array<ArrayBuffer> {
  const columns = width / pool;
  const rows = height / pool;
  const means = new Float64Array(count * rows * columns);
  // Sums of bytes are exact, so each mean is rounded only once.
  for (let line = 0; line < count * height; line++) {
    const first = Math.floor(line / pool) * columns;
    for (let column = 0; column < width; column++) {
      const at = first + Math.floor(column / pool);
      means[at] = (means[at] as number) + (pixels[line * width + column] as number);
    }
  }
  return means.map((sum) => sum / (255 * pool * pool));
}
