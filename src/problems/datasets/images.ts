/** Images with labels, gray or in color, and the way from their bytes to the samples of a problem. */
import { InputError } from "../../engine/errors.ts";
import { np } from "../../engine/jax-js.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { randomStream } from "../../engine/random.ts";
import { sizeOf, wrap, type Tensor } from "../../engine/tensor.ts";
import { choice, flag, number, shownAs, unlessDefault } from "../../settings/fields.ts";
import type { FloatType, Problem, Split } from "../problem.ts";

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

/** What pixels of a batch mean, by channel. */
export interface PixelUnits {
  /** A black pixel. */
  readonly black: readonly number[];
  /** The mean pixel of the data set. */
  readonly mean: readonly number[];
  /** Where `x` holds bytes b: a pass is given b·factor + offset, see {@link withPixels}. */
  readonly bytes?: { readonly factor: readonly number[]; readonly offset: readonly number[] };
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
  labelNoise: shownAs(
    "fraction",
    unlessDefault(
      number(
        0,
        "give this fraction of the training images another label, uniform among the others",
        {
          min: 0,
          max: 1,
        },
      ),
    ),
  ),
  noiseSeed: unlessDefault(
    number(0, "seed of the label noise", { min: 0, max: 2 ** 32 - 1, integer: true }),
  ),
};

/** Fields of a run that learns images: what becomes of them, and of the loss, while it trains. */
export const recipeFields = {
  crop: shownAs(
    "pixels",
    unlessDefault(
      number(0, "pad training images by so many pixels and crop them at random", {
        min: 0,
        integer: true,
      }),
    ),
  ),
  flip: unlessDefault(flag(false, "mirror training images, each with probability ½")),
  cutout: shownAs(
    "side",
    unlessDefault(
      number(0, "fill a random square of this side in every training image with the mean", {
        min: 0,
        integer: true,
      }),
    ),
  ),
  labelSmoothing: shownAs(
    "fraction",
    unlessDefault(number(0, "α of the label smoothing, a part of the loss", { min: 0, below: 1 })),
  ),
  penalty: unlessDefault(number(0, "λ of the penalty λ‖θ‖²/2, a part of the loss", { min: 0 })),
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
  /**
   * Keep images that are not pooled as bytes, a quarter of the memory or less. The problem then
   * goes through {@link withPixels}. Default false.
   */
  readonly bytes?: boolean | undefined;
  /** Fraction of the training labels that become others, uniform among those; default 0. */
  readonly labelNoise?: number | undefined;
  /** Seed of the noise; default 0. */
  readonly noiseSeed?: number | undefined;
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
    bytes = false,
    labelNoise = 0,
    noiseSeed = 0,
  }: ImageOptions = {},
): ImageSamples {
  const { name, mean, deviation, classes } = dataset;
  const [shift, scale] = normalization === "standard" ? [mean, deviation] : [0, 1];
  const isStored = bytes && pool === 1;
  const pixelsOf = ({ pixels, channels = 1, ...images }: LabeledImages, count: number): Tensor => {
    const [height, width] = [images.height / pool, images.width / pool];
    const shape = [count, channels, height, width];
    if (isStored) {
      return wrap(
        new Uint8Array(pixels.subarray(0, count * sizeOf(shape.slice(1)))),
        shape,
        "uint8",
      );
    }
    const values = meanPool({ ...images, pixels }, count * channels, pool);
    for (let i = 0; i < values.length; i++) {
      const channel = Math.floor(i / (height * width)) % channels;
      values[i] = ((values[i] as number) - of(shift, channel)) / of(scale, channel);
    }
    return wrap(dtype === "float32" ? Float32Array.from(values) : values, shape, dtype);
  };
  const split = (images: LabeledImages, count: number, kind: string, noise: number): Split => {
    checkCount(count, images.count, `${kind} images of ${name}`);
    checkPool(pool, images);
    const labels = Int32Array.from(images.labels.subarray(0, count));
    addNoise(labels, classes, noise, noiseSeed);
    return {
      size: count,
      batch: { x: pixelsOf(images, count), y: wrap(labels, [count], "int32") },
    };
  };
  return {
    train: split(dataset.train, train, "training", labelNoise),
    test: split(dataset.test, test, "test", 0),
    classes,
  };
}

/** What pixels mean in the samples that {@link imageSplits} makes with the same options. */
export function pixelUnits(
  { train, mean, deviation }: ImageDataset,
  { pool = 1, normalization = "standard", bytes = false }: ImageOptions = {},
): PixelUnits {
  const [shift, scale] = normalization === "standard" ? [mean, deviation] : [0, 1];
  const isStored = bytes && pool === 1;
  const byChannel = (value: (channel: number) => number) =>
    Array.from({ length: train.channels ?? 1 }, (_, channel) => value(channel));
  /** A pixel p = byte/255 as the samples have it. */
  const pixel = (p: number, channel: number) =>
    isStored ? 255 * p : (p - of(shift, channel)) / of(scale, channel);
  return {
    black: byChannel((channel) => pixel(0, channel)),
    mean: byChannel((channel) => pixel(of(mean, channel), channel)),
    ...(isStored && {
      bytes: {
        factor: byChannel((channel) => 1 / (255 * of(scale, channel))),
        offset: byChannel((channel) => -of(shift, channel) / of(scale, channel)),
      },
    }),
  };
}

/**
 * A problem over images that are kept as bytes: every pass is given what they stand for, normalized
 * pixels of the problem's dtype.
 */
export function withPixels(problem: Problem, { bytes }: PixelUnits): Problem {
  if (bytes === undefined) return problem;
  return {
    ...problem,
    forward(params, batch, context) {
      const { x, ...others } = batch as { x: np.Array } & { [name: string]: ArrayTree };
      const constant = (values: readonly number[]) =>
        np.array([...values], { dtype: x.dtype }).reshape([1, values.length, 1, 1]);
      const pixels = np.add(np.multiply(x, constant(bytes.factor)), constant(bytes.offset));
      return problem.forward(params, { ...others, x: pixels }, context);
    },
  };
}

/**
 * Symmetric label noise, in place: so many labels, to the nearest whole number, become others, each
 * uniform among them. Which ones depends on the seed and on how many there are.
 */
function addNoise(labels: Int32Array, classes: number, fraction: number, seed: number): void {
  const count = Math.round(fraction * labels.length);
  if (count === 0) return;
  if (classes < 2) throw new InputError("invalid label noise: there is one class (leave it out)");
  const stream = randomStream(seed, "label noise");
  for (const i of stream.permutation(labels.length).subarray(0, count)) {
    labels[i] = ((labels[i] as number) + 1 + stream.integer(classes - 1)) % classes;
  }
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
