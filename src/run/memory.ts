/** Memory of a run, estimated before any of it is taken. */
import { rounded } from "../engine/digits.ts";
import { z } from "zod";
import { InputError, show } from "../engine/errors.ts";
import type { RunSpec } from "./spec.ts";

/** What the size of a dense network follows from; other problems are not estimated. */
const dense = z.object({
  hidden: z.array(z.number()),
  n: z.number(),
  pool: z.number().default(1),
  data: z.string(),
  dtype: z.enum(["float32", "float64"]),
});

/** Numbers per image; where it is not known, more than any here has. */
const pixelsOf: { readonly [data: string]: number } = { digits: 14 ** 2, mnist: 28 ** 2 };
const mostPixels = 3 * 32 ** 2;

/** Classes of all data sets, and more images than any has: what is too much they say themselves. */
const classes = 10;
const mostImages = 1_000_000;

/**
 * Copies of the parameters while a step runs: before and after, gradients, state, checkpoints, and
 * what the compiler folds. Measured on wide networks, where a run took 23 of them in all.
 */
const parameterCopies = 20;

/** Copies of the samples: as pixels, as a split, as the feed of the engine. */
const sampleCopies = 3;

/** What a step keeps per sample and unit: values before and after the activation, both passes. */
const activationCopies = 4;

/** Bytes that a run takes besides the program itself, right within a factor of about two. */
export function estimateMemory(spec: RunSpec): number {
  const { data: size } = dense.safeParse(spec);
  if (size === undefined) return 0;
  const element = size.dtype === "float32" ? 4 : 8;
  const pixels = pixelsOf[size.data] ?? mostPixels;
  const inputs = pixels / size.pool ** 2;
  const images = Math.min(size.n, mostImages);
  const widths = [inputs, ...size.hidden, classes];
  const parameters = widths
    .slice(1)
    .reduce((sum, width, i) => sum + width * ((widths[i] ?? 0) + 1), 0);
  const units = size.hidden.reduce((sum, width) => sum + width, classes);
  // Whatever the batch, evidence at the end of a run is taken on all samples.
  const samples = images * (inputs * sampleCopies + units * activationCopies);
  return element * (parameters * parameterCopies + samples) + images * pixels;
}

/**
 * Refuse a run that this machine has no memory for, instead of bringing it to a halt.
 *
 * @param limit bytes of memory that there are.
 * @param at once so many such runs take place at once; default 1.
 * @throws {InputError} with both sizes.
 */
export function checkMemory(spec: RunSpec, limit: number, atOnce = 1): void {
  const needed = estimateMemory(spec) * atOnce;
  if (needed <= limit) return;
  const who = atOnce === 1 ? "it needs" : `${atOnce} workers need`;
  const sizes = `${who} about ${gibibytes(needed)} of memory where this machine has ${gibibytes(limit)}`;
  const remedy = atOnce === 1 ? "give fewer" : "give fewer, or fewer workers";
  throw new InputError(
    `invalid run: hidden ${show(spec["hidden"])} on ${show(spec["n"])} images: ${sizes} (${remedy})`,
  );
}

const gibibytes = (bytes: number) => `${rounded(bytes / 2 ** 30, 2)} GiB`;
