/** Points on the command line: which problem, which ρ, which model. */
import { join } from "node:path";
import { unflatten } from "../../diagnostics/point/derivatives.ts";
import { matchModel } from "../../problems/import/match-model.ts";
import { InputError, show } from "../../engine/errors.ts";
import { readBytes } from "../../platform/node/files.ts";
import type { Tensor, Tree } from "../../engine/tensor.ts";
import type { Progress } from "../../platform/node/progress.ts";
import type { Model, Problem } from "../../problems/problem.ts";
import { findProblem } from "../../problems/registry.ts";
import { findMethod } from "../../sam/registry.ts";
import { buildMethod, buildProblem } from "../../run/build.ts";
import type { Method } from "../../sam/contract/method.ts";
import { memoryLimit } from "../../platform/node/limits.ts";
import { nodeSources } from "../../run/node-sources.ts";
import { readTensors } from "../../read/tensors.ts";
import { lastRho } from "../../run/radius.ts";
import { checkMemory } from "../../run/memory.ts";
import { parseSpec, type RunSpec } from "../../run/spec.ts";
import { kebab, lossOf } from "./flags.ts";
import { downloadLine, drawingLine } from "./report.ts";
import { readFinishedRun } from "./finished-run.ts";

/** Flags that say what the loss is, at which ρ, and how the point was made. */
export interface LossFlags {
  readonly rho?: unknown;
  readonly lr?: unknown;
  readonly method?: unknown;
  readonly set?: { readonly [key: string]: string };
  readonly weightDecay?: unknown;
  readonly momentum?: unknown;
  readonly nesterov?: unknown;
}

/** Flags that say how a point was made, as fields of a spec. */
const makingOf = ({ method, set, weightDecay, momentum, nesterov }: LossFlags) =>
  Object.fromEntries(
    Object.entries({ method, settings: set, weightDecay, momentum, nesterov }).filter(
      ([, value]) => value !== undefined,
    ),
  );

/** A loss in float64, and the method that moves on it. */
export interface Target {
  readonly problem: Problem;
  readonly rho: number;
  readonly learningRate: number;
  readonly method: Method;
  /** Architecture and data in words. */
  readonly description: string | undefined;
}

/** The loss that flags describe, in float64 unless another dtype is asked for. */
export async function targetOf(
  flags: LossFlags,
  progress: Progress,
  dtype: unknown = "float64",
): Promise<Target> {
  const { rho, lr, method } = flags;
  if (rho === undefined && method === undefined) {
    throw new InputError("missing --rho (give SAM's radius, such as 4)");
  }
  const spec = parseSpec({ ...lossOf(flags), rho, lr, ...makingOf(flags), dtype });
  return build(spec, progress);
}

/** The loss, the method and the final model of a finished run, in float64 unless told otherwise. */
export async function targetOfRun(
  folder: string,
  flags: LossFlags,
  progress: Progress,
  dtype: unknown = "float64",
): Promise<Target & { readonly model: Model; readonly start: Tree<Tensor> }> {
  const { rho, lr } = flags;
  const { config } = await readFinishedRun(folder);
  const target = await build(
    parseSpec({
      ...(flags.method === undefined ? config.spec : madeBy(show(flags.method), config.spec)),
      ...makingOf(flags),
      dtype,
      ...(rho !== undefined && { rho }),
      ...(lr !== undefined && { lr }),
    }),
    progress,
  );
  const start = target.problem.init(config.spec.seed);
  return {
    ...target,
    start,
    model: await readModel(target.problem, join(folder, "final.safetensors")),
  };
}

/** The loss and the model that a command's argument and flags mean: the end of a run, or `--point`. */
export async function lossAndModel(
  run: string | undefined,
  flags: LossFlags & { readonly point?: string },
  progress: Progress,
  dtype: unknown = "float64",
): Promise<Target & { readonly model: Model; readonly start?: Tree<Tensor> }> {
  const { point } = flags;
  if (run !== undefined) {
    const [other] = Object.keys({ ...lossOf(flags), ...(point !== undefined && { point }) });
    if (other !== undefined) {
      throw new InputError(
        `invalid --${kebab(other)}: the run says what was trained (leave it out)`,
      );
    }
    return targetOfRun(run, flags, progress, dtype);
  }
  if (point === undefined) {
    throw new InputError(
      "missing point (give the folder of a run, or --point FILE and the problem it is a point of)",
    );
  }
  const target = await targetOf(flags, progress, dtype);
  return { ...target, model: await readModel(target.problem, point, progress) };
}

/** A run as if another method had made it: with plain gradient steps, at the same ρ if it has one. */
function madeBy(method: string, spec: RunSpec): object {
  const own = ["method", "settings", "switch", "optimizer", "momentum", "nesterov", "weightDecay"];
  if (!Object.hasOwn(findMethod(method).options.shape, "rho")) own.push("rho");
  return Object.fromEntries(Object.entries(spec).filter(([field]) => !own.includes(field)));
}

/** Fields that make another loss of the same network and data, in words, and what stands for none. */
const shaping = [
  ["pool", "pooled by", 1],
  ["labelNoise", "label noise", 0],
  ["labelSmoothing", "label smoothing", 0],
  ["penalty", "penalty in the loss", 0],
] as const;

async function build(spec: RunSpec, progress: Progress): Promise<Target> {
  const loader = nodeSources({
    onProgress: (file, received, total) =>
      progress.update(() => downloadLine(file, received, total)),
    onDrawn: (images, of) => progress.update(() => drawingLine(images, of)),
  });
  checkMemory(spec, memoryLimit());
  const problem = await buildProblem(spec, loader);
  const entry = findProblem(spec.problem);
  const about = [
    entry.describe(entry.options.parse(spec)),
    ...(spec.data === undefined ? [] : [`data ${spec.data}`]),
    ...shaping.flatMap(([field, words, nothing]) => {
      const value: unknown = Reflect.get(spec, field);
      return typeof value === "number" && value !== nothing ? [`${words} ${value}`] : [];
    }),
  ];
  return {
    problem,
    rho: lastRho(spec.rho, spec.steps),
    learningRate: spec.lr,
    method: buildMethod(spec),
    // Of a plane its name says it all, and where its runs begin does not matter.
    description: entry.kind === "plane" ? undefined : about.join(", "),
  };
}

/** A model from a safetensors or npz file, or the coordinates of a point of a plane. */
export async function readModel(
  problem: Problem,
  given: string,
  progress?: Progress,
): Promise<Model> {
  const coordinates = given.split(",").map(Number);
  if (problem.plane && coordinates.length === 2 && coordinates.every(Number.isFinite)) {
    const params = unflatten(problem.init(0), Float64Array.from(coordinates));
    return { params, statistics: {} };
  }
  const tensors = readTensors(await readBytes(given), given);
  return matchModel(problem, tensors, given, (pairs) => {
    const read = pairs.map(({ ours, theirs }) => `${theirs} as ${ours}`);
    progress?.note(`read ${read.join(", ")}`);
  });
}
