/** From the description of a run to what is trained and how. */
import { InputError } from "../engine/errors.ts";
import { leavesOf } from "../engine/tensor.ts";
import { imageSplits, type ImageDataset } from "../problems/datasets/images.ts";
import { mlp } from "../problems/networks/mlp.ts";
import { planes, quadratic } from "../problems/planes/index.ts";
import type { Problem } from "../problems/problem.ts";
import type { Method, Outer } from "../sam/contract/method.ts";
import type { Schedule } from "../settings/schedules.ts";
import { adamW, clipped, sgd } from "../sam/parts/outer.ts";
import { createMethod } from "../sam/registry.ts";
import { gradientDescent } from "../sam/methods/sam.ts";
import { cosine, stepwise } from "../settings/schedules.ts";
import { switching } from "../sam/methods/switching.ts";
import {
  canonicalJson,
  hexadecimal,
  isNetwork,
  type DataName,
  type NetworkSpec,
  type PlaneSpec,
  type RunSpec,
} from "./spec.ts";

/** Brings a data set: from a generator, files, the network. Needs at least `n` training images. */
export type DatasetLoader = (
  name: DataName,
  options: { readonly n: number; readonly signal?: AbortSignal },
) => Promise<ImageDataset>;

/** The problem of a run. Methods, seeds and learning rates of one problem may share it. */
export async function buildProblem(
  spec: RunSpec,
  loadDataset: DatasetLoader,
  signal?: AbortSignal,
): Promise<Problem> {
  const problem = isNetwork(spec)
    ? await buildNetwork(spec, loadDataset, signal)
    : buildPlane(spec);
  const { size } = problem.train;
  if (spec.batch !== "full" && spec.batch > size) {
    throw new InputError(`invalid batch: ${spec.batch} of ${size} samples (give at most ${size})`);
  }
  return problem;
}

async function buildNetwork(
  spec: NetworkSpec,
  loadDataset: DatasetLoader,
  signal?: AbortSignal,
): Promise<Problem> {
  const { data, n, pool, normalization, dtype, hidden, activation } = spec;
  const dataset = await loadDataset(data, { n, ...(signal && { signal }) });
  const splits = imageSplits(dataset, { train: n, pool, normalization, dtype });
  return mlp({ ...splits, hidden, activation, dtype, classes: dataset.classes });
}

function buildPlane(spec: PlaneSpec): Problem {
  const { problem, start, dtype, separate } = spec;
  return separate
    ? quadratic({ start, dtype, separate })
    : planes[problem].create({ start, dtype });
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
  const learningRate = schedules[spec.schedule];
  const outer =
    spec.optimizer === "adamw"
      ? adamW({ learningRate, weightDecay })
      : sgd({ learningRate, weightDecay, momentum: spec.momentum, nesterov: spec.nesterov });
  return clip === undefined ? outer : clipped({ maxNorm: clip, outer });
}

/** Runs with equal keys can use one compiled program: they differ in knobs and in the seed only. */
export function programKey(spec: RunSpec): string {
  const knobs = ["rho", "lr", "seed", "schedule", "steps", "switch"];
  const compiled = Object.entries(spec).filter(([field]) => !knobs.includes(field));
  return canonicalJson([...compiled, ["switches", spec.switch !== undefined]]);
}

/** SHA-256 of all samples as the problem sees them, in hexadecimal. */
export async function hashData({ train, test }: Problem): Promise<string> {
  const leaves = [train, ...(test ? [test] : [])].flatMap(({ batch }) => leavesOf(batch));
  const hashes = await Promise.all(
    leaves.map(async ({ data }) => hexadecimal(await crypto.subtle.digest("SHA-256", data))),
  );
  const all = new TextEncoder().encode(hashes.join());
  return hexadecimal(await crypto.subtle.digest("SHA-256", all));
}
