/** The cache of programs: what runs can share, compiled programs, data, and the hash of the data. */
import type { EngineOptions } from "../engine/index.ts";
import type { Sources } from "../problems/sources.ts";
import type { Problem } from "../problems/problem.ts";
import type { OpenEnsemble } from "../sam/training/ensemble.ts";
import { buildMethod, buildProblem, hashData, programKey } from "./build.ts";
import type { Alone } from "../sam/training/members.ts";
import type { RunSpec } from "./spec.ts";
import { prepareTraining, type Training } from "./training.ts";

/** Everything compiled for runs of one {@link programKey}. */
export interface Prepared {
  readonly problem: Problem;
  readonly training: Training;
  /** The same method on all samples at once, as they are: without augmentation. In full-batch runs of problems that have none `training` itself. */
  fullBatch(): Promise<Training>;
  /** SHA-256 of the samples. */
  dataHash(): Promise<string>;
  /** See `Training.ensemble`; the last one is kept. */
  ensemble(members: number): Promise<OpenEnsemble | Alone>;
  dispose(): Promise<void>;
}

/** Programs by key. Made on first use; the least recently used goes first. */
export interface ProgramCache {
  prepare(spec: RunSpec, signal?: AbortSignal): Promise<Prepared>;
  dispose(): Promise<void>;
}

/**
 * @param keep number of keys whose programs are kept.
 */
export function createProgramCache(
  sources: Sources,
  engine: EngineOptions,
  keep: number,
): ProgramCache {
  const kept = new Map<string, Prepared>();
  return {
    async prepare(spec, signal) {
      const key = programKey(spec);
      const found = kept.get(key) ?? (await prepare(spec, sources, engine, signal));
      kept.delete(key);
      kept.set(key, found);
      for (const [oldest, prepared] of kept) {
        if (kept.size <= keep) break;
        kept.delete(oldest);
        await prepared.dispose();
      }
      return found;
    },
    async dispose() {
      for (const prepared of kept.values()) await prepared.dispose();
      kept.clear();
    },
  };
}

async function prepare(
  spec: RunSpec,
  sources: Sources,
  engine: EngineOptions,
  signal?: AbortSignal,
): Promise<Prepared> {
  const problem = await buildProblem(spec, sources, signal);
  const prepareBatch = (of: Problem, batchSize: number | "full") =>
    prepareTraining({
      problem: of,
      method: buildMethod(spec),
      batchSize,
      recordPoints: problem.plane !== undefined,
      ...engine,
    });
  const training = await prepareBatch(problem, spec.batch);
  const plain: Problem = { ...problem };
  delete plain.prepare;
  const isPlainFull = spec.batch === "full" && !("prepare" in problem);
  let full: Promise<Training> | undefined;
  let hash: Promise<string> | undefined;
  let ensemble: { readonly members: number; readonly opened: OpenEnsemble | Alone } | undefined;
  const disposeEnsemble = async () => {
    if (ensemble && "seats" in ensemble.opened) await ensemble.opened.dispose();
    ensemble = undefined;
  };
  return {
    problem,
    training,
    fullBatch: () =>
      (full ??= isPlainFull ? Promise.resolve(training) : prepareBatch(plain, "full")),
    dataHash: () => (hash ??= hashData(problem)),
    async ensemble(members) {
      if (ensemble?.members !== members) {
        await disposeEnsemble();
        ensemble = { members, opened: await training.ensemble(members) };
      }
      return ensemble.opened;
    },
    async dispose() {
      await disposeEnsemble();
      await training.dispose();
      await (await full)?.dispose();
    },
  };
}
