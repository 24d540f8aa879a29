/** Builders of runs: from a spec to its problem, its method and the key of its program. */
import { z } from "zod";
import { InputError } from "../engine/errors.ts";
import { leavesOf } from "../engine/tensor.ts";
import type { Sources } from "../problems/sources.ts";
import { imageFields, imageSplits } from "../problems/datasets/images.ts";
import type { ProblemEntry, SamplesOf } from "../problems/entry.ts";
import { findDataset } from "../problems/datasets/registry.ts";
import type { Problem } from "../problems/problem.ts";
import { findProblem } from "../problems/registry.ts";
import type { Method, Outer } from "../sam/contract/method.ts";
import type { Schedule } from "../settings/schedules.ts";
import { adamW, clipped, sgd } from "../sam/parts/outer.ts";
import { createMethod } from "../sam/registry.ts";
import { gradientDescent } from "../sam/methods/sam.ts";
import { cosine, stepwise } from "../settings/schedules.ts";
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
  const samples = await samplesOf(entry, spec, sources, signal);
  const problem = entry.create({ ...entry.options.parse(spec), dtype: spec.dtype }, samples);
  const { size } = problem.train;
  if (spec.batch !== "full" && spec.batch > size) {
    throw new InputError(`invalid batch: ${spec.batch} of ${size} samples (give at most ${size})`);
  }
  return problem;
}

/** What a problem is made of besides its options, by the kind of data. */
async function samplesOf(
  { name, data: kind }: ProblemEntry,
  spec: RunSpec,
  sources: Sources,
  signal?: AbortSignal,
): Promise<SamplesOf[keyof SamplesOf]> {
  if (kind === "none") return undefined;
  if (kind === "file") return sources.problem(name, spec.data, spec.dtype);
  const data = String(spec.data);
  const options = findDataset(data).options.parse(spec);
  if (kind !== "images") {
    return sources.dataset(data, { kind, n: Infinity, options, signal });
  }
  const { n, pool, normalization } = images.parse(spec);
  const dataset = await sources.dataset(data, { n, options, signal });
  return imageSplits(dataset, { train: n, pool, normalization, dtype: spec.dtype });
}

const images = z.object(imageFields);

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
  const learningRate = schedules[spec.schedule];
  const outer =
    spec.optimizer === "adamw"
      ? adamW({ learningRate, weightDecay })
      : sgd({ learningRate, weightDecay, momentum: spec.momentum, nesterov: spec.nesterov });
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
