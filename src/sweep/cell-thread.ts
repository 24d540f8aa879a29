/** The worker thread of sweeps: runs one cell at a time, or several side by side, on one core, with its own programs. */
import type { Certificate } from "../diagnostics/certificate/certificate.ts";
import { MachineError, reasonOf } from "../engine/errors.ts";
import type { EngineChoice } from "../engine/index.ts";
import type { Machine } from "../platform/machine.ts";
import type { Model } from "../problems/problem.ts";
import { serve, type Protocol, type TaskContext } from "../platform/node/workers.ts";
import { finishedRow, formatHistory, type Row } from "../study/cell.ts";
import { certifyEnd } from "../run/certify-end.ts";
import { decodeCheckpoint, encodeCheckpoint, encodeModel } from "../run/checkpoint.ts";
import { nodeSources } from "../run/node-sources.ts";
import { createRunner, type Outcome, type RunBeside, type Runner } from "../run/run.ts";
import { saveTimes, type SaveTimes } from "../run/save-times.ts";
import type { RunSpec } from "../run/spec.ts";
import type { Cell } from "../study/study.ts";

export interface ThreadSetup {
  readonly engine: EngineChoice;
  readonly machine: Machine;
}

export interface RunTask {
  readonly kind: "run";
  /** Of one `ensembleKey`, where they are several: their runs are taken side by side. */
  readonly cells: readonly CellToRun[];
  /** Keep a row of the history of every so many steps. */
  readonly recordEvery: number;
  /** Certify the end points. */
  readonly certify: boolean;
  /** Hand over the final models. */
  readonly keep: boolean;
}

export interface CellToRun {
  readonly cell: Cell;
  /** Where an interrupted run of the cell stood. */
  readonly from?: Uint8Array | undefined;
}

/** Measure how long a step takes, and say what so many runs would gain side by side. */
export interface TimeTask {
  readonly kind: "time";
  readonly spec: RunSpec;
  readonly members: number;
}

/** Say whether so many runs gain from being taken side by side. */
export interface PlanTask {
  readonly kind: "plan";
  readonly spec: RunSpec;
  readonly members: number;
}

/** What is told of the cell with this index among those of the task. */
export type CellEvent = { readonly index: number } & (
  | {
      readonly kind: "step";
      /** Steps taken. */
      readonly step: number;
      /** Lines to append to the cell's history. */
      readonly history: string;
      /** Given now and then: where the run stands, these lines included. */
      readonly checkpoint?: Uint8Array;
    }
  | { readonly kind: "end"; readonly end: CellEnd }
);

export type CellEnd =
  | {
      readonly kind: "finished";
      readonly row: Row;
      /** The last line of the history. */
      readonly history: string;
      /** The model as safetensors, where it is kept. */
      readonly parameters?: Uint8Array;
    }
  | { readonly kind: "stopped"; readonly checkpoint: Uint8Array }
  | { readonly kind: "failed"; readonly reason: string };

export type CellResult =
  | { readonly kind: "ended" }
  | { readonly kind: "timed"; readonly secondsPerStep: number }
  /** The gain is 1 for runs that are to be taken alone. */
  | { readonly kind: "planned"; readonly gain: number };

export interface CellProtocol extends Protocol {
  readonly setup: ThreadSetup;
  readonly task: RunTask | TimeTask | PlanTask;
  readonly event: CellEvent;
  readonly result: CellResult;
}

/** Most milliseconds between checkpoints: what a crash may cost. */
const saveInterval = 30_000;

/** Seconds of steps that are timed for an estimate. */
const timedSeconds = 0.5;

serve<CellProtocol>(({ engine, machine }) => {
  const options = { engine, threads: 1 };
  const sources = nodeSources();
  const runner = createRunner({ machine, sources, ...options });
  const certifyCell: Certify = (spec, model) => certifyEnd(spec, model, sources, options);
  return async (task, context) => {
    if (task.kind === "run") return run(runner, certifyCell, task, context);
    const gain = task.members > 1 ? await gainOf(runner, task.spec, task.members) : 1;
    if (task.kind === "plan") return { kind: "planned", gain };
    return { kind: "timed", secondsPerStep: (await time(runner, task.spec)) / gain };
  };
});

type Certify = (spec: RunSpec, model: Model) => Promise<Certificate | null>;

async function gainOf(runner: Runner, spec: RunSpec, members: number): Promise<number> {
  const plan = await runner.planEnsemble(spec, members);
  return "gain" in plan ? plan.gain : 1;
}

/** Run cells to their ends, those that stand at one step side by side. */
async function run(
  runner: Runner,
  certify: Certify,
  { cells, recordEvery, keep, certify: certified }: RunTask,
  { emit, signal }: TaskContext<CellProtocol>,
): Promise<CellResult> {
  const began = performance.now();
  const standing = cells.map(({ cell, from }, index) => {
    const stored = from && decodeCheckpoint(from, `checkpoint of cell ${cell.id}`);
    return { cell, index, stored, length: stored?.metricsLength ?? 0 };
  });
  type Standing = (typeof standing)[number];
  const begin = (member: Standing, saves: SaveTimes): RunBeside => ({
    spec: member.cell.spec,
    options: {
      recordEvery,
      signal,
      from: member.stored?.restore,
      onChunk({ rows, checkpoint }) {
        const { index } = member;
        const history = formatHistory(rows);
        member.length += Buffer.byteLength(history);
        const { step } = checkpoint.state;
        if (!saves.due()) {
          emit({ kind: "step", index, step, history });
          return;
        }
        const encoding = performance.now();
        const bytes = encodeCheckpoint(checkpoint, member.length);
        emit({ kind: "step", index, step, history, checkpoint: bytes });
        saves.saved(performance.now() - encoding);
      },
    },
  });
  const finish = async ({ cell, length }: Standing, outcome: Outcome): Promise<CellEnd> => {
    if (outcome.status === "interrupted") {
      return { kind: "stopped", checkpoint: encodeCheckpoint(outcome.checkpoint, length) };
    }
    const { model } = outcome;
    const certificate = certified ? await certify(cell.spec, model) : null;
    const times = {
      finished: new Date().toISOString(),
      wallSeconds: (performance.now() - began) / 1000,
    };
    return {
      kind: "finished",
      row: finishedRow(cell, outcome.result, times, certificate),
      history: formatHistory([outcome.last]),
      ...(keep && { parameters: encodeModel(model) }),
    };
  };
  for (const members of Map.groupBy(standing, ({ stored }) => stored?.step ?? 0).values()) {
    // Every member has times of its own, so that its checkpoints are as frequent as those of a run alone.
    const runs = members.map((member) => begin(member, saveTimes(saveInterval)));
    const outcomes = runner.runTogether(runs);
    // A run may fail before it is its turn to be asked.
    for (const outcome of outcomes) outcome.catch(() => {});
    for (const [i, member] of members.entries()) {
      const end = await (outcomes[i] as Promise<Outcome>)
        .then((outcome) => finish(member, outcome))
        .catch(failure);
      emit({ kind: "end", index: member.index, end });
    }
  }
  return { kind: "ended" };
}

/** A fault of the machine is not the cell's. */
function failure(error: unknown): CellEnd {
  if (error instanceof MachineError) throw error;
  return { kind: "failed", reason: reasonOf(error) };
}

/**
 * Seconds per step. Steps are taken until they have lasted long enough; the first chunk warms up and
 * does not count.
 */
async function time(runner: Runner, spec: RunSpec): Promise<number> {
  const enough = new AbortController();
  let first: { readonly step: number; readonly seconds: number } | undefined;
  let secondsPerStep = 0;
  await runner.run(spec, {
    signal: enough.signal,
    onChunk({ checkpoint: { state, seconds } }) {
      const { step } = state;
      secondsPerStep =
        first === undefined ? seconds / step : (seconds - first.seconds) / (step - first.step);
      first ??= { step, seconds };
      if (seconds - first.seconds > timedSeconds) enough.abort();
    },
  });
  return secondsPerStep;
}
