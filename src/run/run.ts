/** One run, from its spec to its result. No files here: callbacks carry out what a run reports. */
import type { Warning } from "../diagnostics/screen/screen.ts";
import type { Verdict } from "../diagnostics/verdict.ts";
import type { EngineOptions } from "../engine/index.ts";
import type { EngineName } from "../engine/engines.ts";
import type { Machine } from "../platform/machine.ts";
import type { Sources } from "../problems/sources.ts";
import type { FloatType, Model, Split } from "../problems/problem.ts";
import { modelOf, type TrainingState } from "../sam/training/state.ts";
import { buildMethod } from "./build.ts";
import { relativeRho } from "./radius.ts";
import { createProgramCache } from "./programs.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { finalOf, rowAt, type Final, type MetricRow } from "./history.ts";
import { specHash, type RunSpec } from "./spec.ts";
import { blockOf } from "../sam/training/pass-memory.ts";
import { samRadius } from "../sam/training/full-pass.ts";
import type { Method } from "../sam/contract/method.ts";
import type { Prepared } from "./programs.ts";
import type { Scores } from "./scores.ts";
import type { RunChunk, RunTrainingOptions, ScoredModel } from "./training.ts";

/** Where a result comes from: enough to make it again. */
export interface Provenance extends Machine {
  readonly engine: EngineName;
  /** Device in words: `cpu, 1 thread`. */
  readonly device: string;
  readonly threads: number;
  readonly dtype: FloatType;
  /** SHA-256 of all samples as the problem sees them. */
  readonly dataHash: string;
  /** Time spent in steps, in seconds; interruptions do not count. */
  readonly seconds: number;
}

/** What a finished run is remembered by. */
export interface RunResult {
  readonly spec: RunSpec;
  /** Identity of the spec, see `specHash`. */
  readonly hash: string;
  readonly final: Final;
  /** ρ/‖x₀‖; `null` without a radius, absent from results of earlier versions. */
  readonly relativeRho?: number | null | undefined;
  readonly verdict: Verdict;
  /** The first warning the run gave, if any. */
  readonly warning: Warning | null;
  /** Gradient evaluations spent in all steps together. */
  readonly evaluations: number;
  /** How good the model was after so many steps, where it was asked for. */
  readonly scores?: readonly Scores[] | undefined;
  /** The best of them; a run folder keeps its model. */
  readonly best?: Scores | undefined;
  readonly provenance: Provenance;
}

export interface RunOptions {
  /** Where to continue, given the state before the first step; default: there. */
  readonly from?: ((start: TrainingState) => Checkpoint) | undefined;
  /** Keep a row of every so many steps; default `defaultStride(steps)`. */
  readonly recordEvery?: number | undefined;
  /** See `RunTrainingOptions`; default: never. */
  readonly counterfactual?: RunTrainingOptions["counterfactual"];
  /** Score the model after every so many steps and at the end; default never. */
  readonly evaluateEvery?: number | undefined;
  /** Let full-batch probes after every so many steps feed the screen; default never. */
  readonly probeEvery?: number | undefined;
  /** Stop between chunks. */
  readonly signal?: AbortSignal | undefined;
  /** Told once the program is ready, before the first step. */
  readonly onStart?: ((start: RunStart) => void | Promise<void>) | undefined;
  /** Awaited after every chunk. */
  readonly onChunk?: ((chunk: RunChunk) => void | Promise<void>) | undefined;
  /** Awaited after every evaluation. */
  readonly onScores?: ((scores: Scores, scored: ScoredModel) => void | Promise<void>) | undefined;
}

export interface RunStart {
  readonly spec: RunSpec;
  readonly engine: EngineName;
  readonly device: string;
  /** Steps taken before: more than 0 when a run continues. */
  readonly step: number;
  /** SHA-256 of all samples as the problem sees them, label noise included. */
  readonly dataHash: string;
}

/** How a run ended. */
export type Outcome =
  | {
      readonly status: "finished";
      readonly result: RunResult;
      /** What the run ended with, as the last row of its history. */
      readonly last: MetricRow;
      /** What the run has trained. */
      readonly model: Model;
      readonly checkpoint: Checkpoint;
    }
  | { readonly status: "interrupted"; readonly checkpoint: Checkpoint };

/** What a runner runs on. */
export interface RunnerOptions extends EngineOptions {
  readonly sources: Sources;
  readonly machine: Machine;
  /** Compiled programs to keep for later runs that differ in knobs and seed only; default 4. */
  readonly programs?: number | undefined;
}

/** Runs specs one after the other, compiling each kind of step once. */
export interface Runner {
  run(spec: RunSpec, options?: RunOptions): Promise<Outcome>;
  dispose(): Promise<void>;
}

/**
 * A runner of specs.
 *
 * @example
 * const runner = createRunner({ sources, machine });
 * const outcome = await runner.run(parseSpec({ problem: "cosine", rho: 4 }));
 */
export function createRunner({ sources, machine, programs = 4, ...engine }: RunnerOptions): Runner {
  const cache = createProgramCache(sources, engine, programs);
  return {
    dispose: () => cache.dispose(),
    async run(spec, options = {}) {
      const prepared = await cache.prepare(spec, options.signal);
      const { training, problem } = prepared;
      const { engine: engineName, device } = training.program;
      const method = buildMethod(spec);
      const begin = training.start(spec.seed);
      const from = options.from?.(begin);
      const dataHash = await prepared.dataHash();
      const step = from?.state.step ?? 0;
      await options.onStart?.({ spec, engine: engineName, device, step, dataHash });
      const { steps, seed } = spec;
      const { recordEvery, evaluateEvery, probeEvery, counterfactual, signal } = options;
      const { onChunk, onScores } = options;
      const run = await training.run({
        steps,
        seed,
        method,
        from: from ?? begin,
        recordEvery,
        counterfactual,
        evaluateEvery,
        probeEvery,
        signal,
        onChunk,
        onScores,
      });
      const { checkpoint, model, verdict, warning } = run;
      if (checkpoint.state.step < steps) return { status: "interrupted", checkpoint };

      const last = await lastRow(prepared, checkpoint.state, spec, method);
      const scoreOn = async (split: Split | undefined) =>
        problem.score && split ? ((await training.evaluate(model, split)).score ?? null) : null;
      const result: RunResult = {
        spec,
        hash: await specHash(spec),
        final: finalOf(last, await scoreOn(problem.train), await scoreOn(problem.test)),
        relativeRho: relativeRho(spec.rho, steps, modelOf(begin).params),
        verdict,
        warning: warning ?? null,
        evaluations: checkpoint.evaluations,
        ...(run.scores.length > 0 && { scores: run.scores, best: run.best }),
        provenance: {
          ...machine,
          engine: engineName,
          device,
          threads: engine.threads ?? 1,
          dtype: spec.dtype,
          dataHash,
          seconds: checkpoint.seconds,
        },
      };
      return { status: "finished", result, last, model, checkpoint };
    },
  };
}

/**
 * What a run ended with, on all training samples: what its method sees; where one pass over them would
 * take too much memory, what SAM or plain descent sees block by block.
 */
async function lastRow(
  prepared: Prepared,
  state: TrainingState,
  { steps, seed, batch }: RunSpec,
  method: Method,
): Promise<MetricRow> {
  const { problem, training } = prepared;
  const inBlocks =
    batch !== "full" &&
    samRadius(method, steps - 1, steps) !== undefined &&
    (await blockOf(problem)) !== undefined;
  if (inBlocks) return training.probe(state, { steps, method });
  return rowAt(await (await prepared.fullBatch()).evidence(state, { steps, seed, method }), 0);
}
