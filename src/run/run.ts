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
import type { Seat } from "../sam/training/ensemble.ts";
import type { Alone } from "../sam/training/members.ts";
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
  /** Time spent in steps, in seconds; interruptions do not count. In an ensemble, in those of all members. */
  readonly seconds: number;
  /** Runs that took their steps side by side, this one among them; absent of a run alone. */
  readonly ensemble?: number | undefined;
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

/** One of several runs that are to be taken together. */
export interface RunBeside {
  readonly spec: RunSpec;
  readonly options?: RunOptions | undefined;
}

/** Runs specs one after the other, or side by side, compiling each kind of step once. */
export interface Runner {
  run(spec: RunSpec, options?: RunOptions): Promise<Outcome>;
  /**
   * Run specs of one {@link ensembleKey}, all from the same step on, side by side in one program;
   * where that cannot be or gains nothing, one after the other. The results are the same.
   */
  runTogether(runs: readonly RunBeside[]): readonly Promise<Outcome>[];
  /** What so many runs of this spec's kind would gain side by side, or why they had better be taken alone. */
  planEnsemble(spec: RunSpec, members: number): Promise<{ readonly gain: number } | Alone>;
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
  const context = { machine, threads: engine.threads ?? 1 };
  return {
    dispose: () => cache.dispose(),
    async run(spec, options = {}) {
      return runOne(await cache.prepare(spec, options.signal), spec, options, context);
    },
    runTogether(runs) {
      const open = async () => {
        const { spec, options } = runs[0] as RunBeside;
        const prepared = await cache.prepare(spec, options?.signal);
        const ensemble = runs.length > 1 ? await prepared.ensemble(runs.length) : undefined;
        const seats = ensemble && "seats" in ensemble ? ensemble.seats(runs.length) : undefined;
        return { prepared, seats };
      };
      const opened = open();
      let last: Promise<unknown> = opened;
      /** One after the other: a worker has one core, and programs one run at a time. */
      const inTurn: InTurn = (work) => {
        const result = last.then(work);
        last = result.catch(() => undefined);
        return result;
      };
      return runs.map(async ({ spec, options = {} }, i) => {
        const { prepared, seats } = await opened;
        const seat = seats?.[i];
        if (!seat) return inTurn(() => runOne(prepared, spec, options, context));
        const company = { seat, inTurn, members: runs.length };
        return runOne(prepared, spec, options, context, company).finally(() => seat.leave());
      });
    },
    async planEnsemble(spec, members) {
      return (await cache.prepare(spec)).training.planEnsemble(members);
    },
  };
}

/** Waits for its turn, and works. */
type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** How a run is taken beside others. */
interface Company {
  readonly seat: Seat;
  readonly members: number;
  readonly inTurn: InTurn;
}

interface RunContext {
  readonly machine: Machine;
  readonly threads: number;
}

async function runOne(
  prepared: Prepared,
  spec: RunSpec,
  options: RunOptions,
  { machine, threads }: RunContext,
  company?: Company,
): Promise<Outcome> {
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
    seat: company?.seat,
    onChunk,
    onScores,
  });
  const { checkpoint, model, verdict, warning } = run;
  if (checkpoint.state.step < steps) return { status: "interrupted", checkpoint };

  const finish = async (): Promise<Outcome> => {
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
        threads,
        dtype: spec.dtype,
        dataHash,
        seconds: checkpoint.seconds,
        ...(company && { ensemble: company.members }),
      },
    };
    return { status: "finished", result, last, model, checkpoint };
  };
  company?.seat.leave();
  return company ? company.inTurn(finish) : finish();
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
