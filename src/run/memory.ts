/** Memory of a run, estimated before any of it is taken. */
import { rounded } from "../engine/digits.ts";
import { z } from "zod";
import { InputError, show } from "../engine/errors.ts";
import { findDataset } from "../problems/datasets/registry.ts";
import { findProblem } from "../problems/registry.ts";
import { passLimit } from "../sam/training/pass-memory.ts";
import type { RunSpec } from "./spec.ts";

/** How many images, and by how much they are made smaller. */
const imageSize = z.object({ n: z.number(), pool: z.number() }).partial();

/** More images than any data set has: what is too much they say themselves. */
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
  const problem = findProblem(spec.problem);
  if (problem.memory === undefined) return 0;
  const isLearned = problem.data !== "none" && problem.data !== "file";
  const dataset = isLearned ? findDataset(spec.data ?? "") : undefined;
  const { n = 0, pool = 1 } = imageSize.parse(problem.data === "images" ? spec : {});
  const pixels = dataset?.pixels(spec) ?? 0;
  const images = {
    count: dataset?.count?.(spec) ?? Math.min(n, mostImages),
    inputs: pixels / pool ** 2,
    classes: dataset?.classes?.(spec) ?? 10,
  };
  const { parameters, units, samples = images } = problem.memory(spec, images);
  const element = spec.dtype === "float32" ? 4 : 8;
  // Whatever the batch, evidence at the end of a run is taken on all samples: by SAM and descent in
  // blocks, where they are many.
  const activations = units * activationCopies * element;
  const inBlocks = spec.batch !== "full" && ["sam", "gd"].includes(spec.method);
  const pass = inBlocks
    ? Math.max(Number(spec.batch) * activations, Math.min(samples.count * activations, passLimit))
    : samples.count * activations;
  const stored = dataset?.bytes && pool === 1 ? 1 : element;
  const kept = samples.count * samples.inputs * sampleCopies * stored;
  return element * parameters * parameterCopies + kept + pass + images.count * pixels;
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
  const problem = findProblem(spec.problem);
  const on = problem.data === "images" ? ` on ${show(spec["n"])} images` : "";
  throw new InputError(`invalid run: ${problem.describe(spec)}${on}: ${sizes} (${remedy})`);
}

const gibibytes = (bytes: number) => `${rounded(bytes / 2 ** 30, 2)} GiB`;
