/**
 * The data set `digits`: images that look like handwritten digits, drawn from a seed. No file, no
 * network, and hard enough that a linear model does clearly worse than a small network.
 */
import { z } from "zod";
import { InputError } from "../../engine/errors.ts";
import { randomStream, type RandomStream } from "../../engine/random.ts";
import { number, shownAs, unlessDefault } from "../../settings/fields.ts";
import { datasetEntry, type DatasetRequest } from "./entry.ts";
import { glyphs, type Segment, type Position } from "./glyphs.ts";
import type { ImageDataset, LabeledImages } from "./images.ts";

/** What `digits` can be made with. */
export interface DigitsOptions {
  /** Number of training images; default 2000. */
  readonly train?: number | undefined;
  /** Number of test images, drawn from a stream of their own; default 1000. */
  readonly test?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Side of the square images in pixels, 8 to 64; default 14. */
  readonly size?: number | undefined;
  /** Told after every thousand training images. */
  readonly onDrawn?: DatasetRequest["onDrawn"];
}

/**
 * Draw a data set of digits. Equal options give equal bytes on every machine; the first n images
 * do not depend on how many follow; every ten images, counted from the first, show all ten
 * digits. About 0.1 ms per image of 14 × 14 pixels.
 *
 * @throws {InputError} when a number is out of range.
 */
export function digits({
  train = 2000,
  test = 1000,
  seed = 0,
  size = 14,
  onDrawn,
}: DigitsOptions = {}): ImageDataset {
  checkWhole("number of training images", train, 1, 1_000_000);
  checkWhole("number of test images", test, 1, 1_000_000);
  checkWhole("seed", seed, 0, Number.MAX_SAFE_INTEGER);
  checkWhole("image size", size, 8, 64);
  return {
    name: "digits",
    classes: 10,
    train: draw(train, size, randomStream(seed, "digits", "train"), onDrawn),
    test: draw(test, size, randomStream(seed, "digits", "test")),
    // Of 100,000 images of the default size. Other sizes move them little: by 0.004 and 0.04.
    mean: 0.201,
    deviation: 0.3012,
  };
}

/** `digits` as a run asks for it: as many training images as it uses, 1000 test images, seed 0. */
export const digitsEntry = datasetEntry({
  name: "digits",
  title: "Drawn digits that look handwritten, as many as wanted: no file, no network.",
  kind: "images",
  options: z.object({
    size: unlessDefault(
      shownAs(
        "side",
        number(14, "side of the drawn images in pixels; default 14", {
          min: 8,
          max: 64,
          integer: true,
        }),
      ),
    ),
  }),
  pixels: ({ size = 14 }) => size ** 2,
  files: {},
  mirrors: [],
  read: (_, { n, options: { size }, onDrawn }) => digits({ train: n, size, onDrawn }),
});

function checkWhole(what: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new InputError(`invalid ${what}: ${value} (give a whole number, ${low} to ${high})`);
  }
}

/**
 * How far writers differ, tuned so that the claim in the header holds and people can still read
 * the digits. One number is the largest deviation to either side.
 */
const spread = {
  /** Half height of the glyph, in half images. */
  height: [0.65, 0.85],
  /** Width over height. */
  aspect: [0.75, 1.1],
  slant: 0.3,
  /** Tangent of half the angle: up to 18 degrees. */
  turn: 0.16,
  /** In half images. */
  shift: 0.175,
  /** Coefficients of the quadratic bend, in the frame of the glyph. */
  bend: 0.15,
  /** In images. */
  penRadius: [0.045, 0.1],
  /** Half width of the soft edge of a stroke, in pixels. */
  blur: [0.4, 0.9],
  darkness: [0.7, 1],
  /** In units of full ink. */
  noise: 0.06,
} as const;

function draw(
  count: number,
  size: number,
  random: RandomStream,
  onDrawn?: DigitsOptions["onDrawn"],
): LabeledImages {
  const pixels = new Uint8Array(count * size * size);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    if (i % 10 === 0) labels.set(random.permutation(10).subarray(0, count - i), i);
    const variants = glyphs[labels[i] as number] as (typeof glyphs)[number];
    const glyph = variants[random.integer(variants.length)] as readonly Segment[];
    const place = randomPlacement(size, random);
    const strokes = glyph.map(({ from, to }) => ({ from: place(from), to: place(to) }));
    paint(strokes, size, random, pixels.subarray(i * size * size, (i + 1) * size * size));
    if ((i + 1) % 1000 === 0) onDrawn?.(i + 1, count);
  }
  return { pixels, labels, count, height: size, width: size };
}

/** One writer's way from the frame of the glyph to pixels: a gentle bend, then an affine map. */
function randomPlacement(size: number, random: RandomStream): (point: Position) => Position {
  const within = (limit: number) => random.uniform(-limit, limit);
  const height = random.uniform(...spread.height);
  const width = height * random.uniform(...spread.aspect);
  const slant = within(spread.slant);
  // Rational, because sines and cosines differ in the last bit between machines.
  const t = within(spread.turn);
  const cosine = (1 - t * t) / (1 + t * t);
  const sine = (2 * t) / (1 + t * t);
  const [right, down] = [within(spread.shift), within(spread.shift)];
  const [bow, fan, tilt] = [within(spread.bend), within(spread.bend), within(spread.bend)];
  return ([x, y]) => {
    const u = width * (x + bow * y * y + fan * x * y - slant * y);
    const v = height * (y + tilt * x);
    return [
      (size / 2) * (1 + cosine * u - sine * v + right),
      (size / 2) * (1 + sine * u + cosine * v + down),
    ];
  };
}

/** Paint strokes with a round, blurred pen on noisy paper. */
function paint(
  strokes: readonly Segment[],
  size: number,
  random: RandomStream,
  pixels: Uint8Array,
): void {
  const radius = size * random.uniform(...spread.penRadius);
  const blur = random.uniform(...spread.blur);
  const darkness = random.uniform(...spread.darkness);
  for (let i = 0; i < pixels.length; i++) {
    const center = [(i % size) + 0.5, Math.floor(i / size) + 0.5] as const;
    let nearest = Infinity;
    for (const piece of strokes) nearest = Math.min(nearest, squaredDistance(center, piece));
    const cover = clamp((radius + blur - Math.sqrt(nearest)) / (2 * blur));
    // A sum of uniforms, because a normal number takes a logarithm and a cosine.
    const grain = random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2;
    pixels[i] = Math.round(255 * clamp(darkness * cover + spread.noise * grain));
  }
}

const clamp = (value: number) => Math.min(1, Math.max(0, value));

/** Squared distance from a point to a straight piece. */
function squaredDistance([x, y]: Position, { from, to }: Segment): number {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const [px, py] = [x - from[0], y - from[1]];
  const along = clamp((px * dx + py * dy) / (dx * dx + dy * dy));
  const [ex, ey] = [px - along * dx, py - along * dy];
  return ex * ex + ey * ey;
}
