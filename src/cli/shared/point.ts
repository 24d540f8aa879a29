/** Points on the command line: which problem, which ρ, which model. */
import { join } from "node:path";
import { unflatten } from "../../diagnostics/point/derivatives.ts";
import { matchModel } from "../../problems/import/match-model.ts";
import { InputError } from "../../engine/errors.ts";
import { readNpz } from "../../engine/npz.ts";
import { readSafetensors } from "../../engine/safetensors.ts";
import { readBytes } from "../../platform/node/files.ts";
import type { Progress } from "../../platform/node/progress.ts";
import type { Model, Problem } from "../../problems/problem.ts";
import { buildProblem } from "../../run/build.ts";
import { memoryLimit } from "../../platform/node/limits.ts";
import { nodeSources } from "../../run/node-sources.ts";
import { readRunFolder } from "../../store/run-folder.ts";
import { checkMemory } from "../../run/memory.ts";
import { parseSpec, type RunSpec } from "../../run/spec.ts";
import { lossOf } from "./flags.ts";
import { downloadLine, drawingLine } from "./report.ts";

/** Flags that say what the loss is, and at which ρ. */
export interface LossFlags {
  readonly rho?: unknown;
  readonly lr?: unknown;
}

/** A loss in float64, and SAM's settings on it. */
export interface Target {
  readonly problem: Problem;
  readonly rho: number;
  readonly learningRate: number;
}

/** The loss that flags describe. */
export async function targetOf(flags: LossFlags, progress: Progress): Promise<Target> {
  const { rho, lr } = flags;
  if (rho === undefined) throw new InputError("missing --rho (give SAM's radius, such as 4)");
  return build(parseSpec({ ...lossOf(flags), rho, lr, dtype: "float64" }), progress);
}

/** The loss and the final model of a finished run. */
export async function targetOfRun(
  folder: string,
  { rho, lr }: { readonly rho?: unknown; readonly lr?: unknown },
  progress: Progress,
): Promise<Target & { readonly model: Model }> {
  const { config, result } = await readRunFolder(folder);
  if (result === undefined) {
    throw new InputError(
      `invalid run ${folder}: it is not finished (lucid train --resume ${folder} finishes it)`,
    );
  }
  const ofRun = config.spec.rho;
  if (rho === undefined && ofRun === undefined) {
    throw new InputError(`missing --rho: the run in ${folder} has none of its own`);
  }
  const { settings: _, ...spec } = config.spec;
  const target = await build(
    parseSpec({
      ...spec,
      method: "sam",
      dtype: "float64",
      rho: rho ?? ofRun,
      lr,
    }),
    progress,
  );
  return { ...target, model: await readModel(target.problem, join(folder, "final.safetensors")) };
}

async function build(spec: RunSpec, progress: Progress): Promise<Target> {
  const loader = nodeSources({
    onProgress: (file, received, total) =>
      progress.update(() => downloadLine(file, received, total)),
    onDrawn: (images, of) => progress.update(() => drawingLine(images, of)),
  });
  checkMemory(spec, memoryLimit());
  const problem = await buildProblem(spec, loader);
  return { problem, rho: Number(spec.rho), learningRate: spec.lr };
}

/** A model from a safetensors or npz file, or the coordinates of a point of a plane. */
export async function readModel(problem: Problem, given: string): Promise<Model> {
  const coordinates = given.split(",").map(Number);
  if (problem.plane && coordinates.length === 2 && coordinates.every(Number.isFinite)) {
    const params = unflatten(problem.init(0), Float64Array.from(coordinates));
    return { params, statistics: {} };
  }
  const bytes = await readBytes(given);
  // A ZIP archive begins with PK, whatever its name.
  const archive = bytes[0] === 0x50 && bytes[1] === 0x4b;
  const tensors = archive ? readNpz(bytes, { name: given }) : readSafetensors(bytes, given).tensors;
  return matchModel(problem, tensors, given);
}
