/** Builders of runs: from a spec to its problem, its method and the key of its program. */
import { z } from "zod";
import { InputError } from "../engine/errors.ts";
import { leavesOf } from "../engine/tensor.ts";
import type { Sources } from "../problems/sources.ts";
import { withAugmentation } from "../problems/datasets/augment.ts";
import {
  imageFields,
  imageSplits,
  pixelUnits,
  recipeFields,
  withPixels,
  type ImageSamples,
} from "../problems/datasets/images.ts";
import { withLabelSmoothing, withPenalty } from "../problems/networks/regularized.ts";
import type { ProblemEntry, SamplesOf } from "../problems/entry.ts";
import { findDataset } from "../problems/datasets/registry.ts";
import type { Problem } from "../problems/problem.ts";
import { findProblem } from "../problems/registry.ts";
import type { Method, Outer } from "../sam/contract/method.ts";
import type { Schedule } from "../settings/schedules.ts";
import { adamW, clipped, sgd } from "../sam/parts/outer.ts";
import { createMethod } from "../sam/registry.ts";
import { gradientDescent } from "../sam/methods/sam.ts";
import { cosine, stepwise, warmup } from "../settings/schedules.ts";
import { switching } from "../sam/methods/switching.ts";
import { isKnob } from "./fields.ts";
import { canonicalJson, hexadecimal, type RunSpec } from "./spec.ts";

/** The problem of a run. Methods, seeds and learning rates of one problem may share it. */
export async function buildProblem(
  spec: RunSpec,
  sources: Sources,
  signal?: AbortSignal,
): Promise<Problem> {
  const entry = findProblem(spec.problem);
  const options = { ...entry.options.parse(spec), dtype: spec.dtype };
  const problem =
    entry.data === "images"
      ? await imageProblem((samples) => entry.create(options, samples), spec, sources, signal)
      : entry.create(options, await samplesOf(entry, spec, sources, signal));
  const { size } = problem.train;
  if (spec.batch !== "full" && spec.batch > size) {
    throw new InputError(`invalid batch: ${spec.batch} of ${size} samples (give at most ${size})`);
  }
  return problem;
}

/** A problem over images as the run trains it: what becomes of pixels, labels and the loss. */
async function imageProblem(
  create: (samples: ImageSamples) => Problem,
  spec: RunSpec,
  sources: Sources,
  signal?: AbortSignal,
): Promise<Problem> {
  const data = String(spec.data);
  const { n, ...chosen } = images.parse(spec);
  const { options, bytes } = findDataset(data);
  const dataset = await sources.dataset(data, { n, options: options.parse(spec), signal });
  const how = { ...chosen, bytes, dtype: spec.dtype };
  const units = pixelUnits(dataset, how);
  const {
    crop = 0,
    flip = false,
    cutout = 0,
    labelSmoothing = 0,
    penalty = 0,
  } = recipe.parse(spec);
  const created = create(imageSplits(dataset, { train: n, ...how }));
  const loss = withPenalty(withLabelSmoothing(created, labelSmoothing), penalty);
  return withAugmentation(withPixels(loss, units), { crop, flip, cutout, ...units });
}

const images = z.object(imageFields);
const recipe = z.object(recipeFields);

/** What a problem over other data than images is made of besides its options, by the kind of data. */
async function samplesOf(
  { name, data: kind }: ProblemEntry,
  spec: RunSpec,
  sources: Sources,
  signal?: AbortSignal,
): Promise<SamplesOf[Exclude<keyof SamplesOf, "images">]> {
  if (kind === "none" || kind === "images") return undefined;
  if (kind === "file") return sources.problem(name, spec.data, spec.dtype);
  const data = String(spec.data);
  const options = findDataset(data).options.parse(spec);
  return sources.dataset(data, { kind, n: Infinity, options, signal });
}

/** The method of a run: its settings are knobs, so methods of one {@link programKey} share programs. */
export function buildMethod(spec: RunSpec): Method {
  const { method, rho, settings, switch: at } = spec;
  const outer = buildOuter(spec);
  const to = createMethod(method, { ...settings, ...(rho !== undefined && { rho }) }, outer);
  return at === undefined ? to : switching({ from: gradientDescent({ outer }), to, at });
}

function buildOuter(spec: RunSpec): Outer {
  const { lr: initial, clip, weightDecay } = spec;
  const schedules: { readonly [Name in RunSpec["schedule"]]: Schedule } = {
    constant: initial,
    cosine: cosine({ initial }),
    step: stepwise({ initial }),
  };
  const after = schedules[spec.schedule];
  const { warmup: share } = spec;
  const learningRate = share === undefined ? after : warmup({ share, after });
  const outer =
    spec.optimizer === "adamw"
      ? adamW({ learningRate, weightDecay })
      : sgd({
          learningRate,
          weightDecay,
          momentum: spec.momentum,
          nesterov: spec.nesterov,
          decoupled: spec.decoupled,
        });
  return clip === undefined ? outer : clipped({ maxNorm: clip, outer });
}

/** Runs with equal keys can use one compiled program: they differ in knobs and in the seed only. */
export function programKey(spec: RunSpec): string {
  const compiled = Object.entries(spec).filter(([field]) => !isKnob(field));
  return canonicalJson([...compiled, ["switches", spec.switch !== undefined]]);
}

/** SHA-256 of all samples as the problem sees them, in hexadecimal. */
export async function hashData({ train, test, constants }: Problem): Promise<string> {
  const splits = [train, ...(test ? [test] : [])].flatMap(({ batch }) => leavesOf(batch));
  const leaves = [...splits, ...(constants ? leavesOf(constants) : [])];
  const hashes = await Promise.all(
    leaves.map(async ({ data }) => hexadecimal(await crypto.subtle.digest("SHA-256", data))),
  );
  const all = new TextEncoder().encode(hashes.join());
  return hexadecimal(await crypto.subtle.digest("SHA-256", all));
}
