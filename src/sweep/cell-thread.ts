/** The worker thread of sweeps: runs one cell at a time, on one core, with its own programs. */
import type { Certificate } from "../diagnostics/certificate/certificate.ts";
import type { EngineChoice } from "../engine/index.ts";
import type { Machine } from "../platform/machine.ts";
import type { Model } from "../problems/problem.ts";
import { serve, type Protocol, type TaskContext } from "../platform/node/workers.ts";
import { finishedRow, formatHistory, type Row } from "../study/cell.ts";
import { certifyEnd } from "../run/certify-end.ts";
import { decodeCheckpoint, encodeCheckpoint, encodeModel } from "../run/checkpoint.ts";
import { nodeSources } from "../run/node-sources.ts";
import { createRunner, type Runner } from "../run/run.ts";
import { saveTimes } from "../run/save-times.ts";
import type { RunSpec } from "../run/spec.ts";
import type { Cell } from "../study/study.ts";

export interface ThreadSetup {
  readonly engine: EngineChoice;
  readonly machine: Machine;
}

export interface RunTask {
  readonly kind: "run";
  readonly cell: Cell;
  /** Keep a row of the history of every so many steps. */
  readonly recordEvery: number;
  /** Certify the end point. */
  readonly certify: boolean;
  /** Hand over the final model. */
  readonly keep: boolean;
  /** Where an interrupted run of the cell stood. */
  readonly from?: Uint8Array | undefined;
}

/** Measure how long a step takes. */
export interface TimeTask {
  readonly kind: "time";
  readonly spec: RunSpec;
}

export interface CellEvent {
  /** Steps taken. */
  readonly step: number;
  /** Lines to append to the cell's history. */
  readonly history: string;
  /** Given now and then: where the run stands, these lines included. */
  readonly checkpoint?: Uint8Array;
}

export type CellResult =
  | {
      readonly kind: "finished";
      readonly row: Row;
      /** The last line of the history. */
      readonly history: string;
      /** The model as safetensors, where it is kept. */
      readonly parameters?: Uint8Array;
    }
  | { readonly kind: "stopped"; readonly checkpoint: Uint8Array }
  | { readonly kind: "timed"; readonly secondsPerStep: number };

export interface CellProtocol extends Protocol {
  readonly setup: ThreadSetup;
  readonly task: RunTask | TimeTask;
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
  return (task, context) =>
    task.kind === "run" ? run(runner, certifyCell, task, context) : time(runner, task.spec);
});

type Certify = (spec: RunSpec, model: Model) => Promise<Certificate | null>;

async function run(
  runner: Runner,
  certify: Certify,
  { cell, recordEvery, keep, certify: certified, from }: RunTask,
  { emit, signal }: TaskContext<CellProtocol>,
): Promise<CellResult> {
  const began = performance.now();
  const stored = from && decodeCheckpoint(from, `checkpoint of cell ${cell.id}`);
  let length = stored?.metricsLength ?? 0;
  const saves = saveTimes(saveInterval);
  const outcome = await runner.run(cell.spec, {
    recordEvery,
    signal,
    from: stored?.restore,
    onChunk({ rows, checkpoint }) {
      const history = formatHistory(rows);
      length += Buffer.byteLength(history);
      const { step } = checkpoint.state;
      if (!saves.due()) {
        emit({ step, history });
        return;
      }
      const encoding = performance.now();
      emit({ step, history, checkpoint: encodeCheckpoint(checkpoint, length) });
      saves.saved(performance.now() - encoding);
    },
  });
  if (outcome.status === "interrupted") {
    return { kind: "stopped", checkpoint: encodeCheckpoint(outcome.checkpoint, length) };
  }
  const { model } = outcome;
  const certificate = certified ? await certify(cell.spec, model) : null;
  const times = {
    finished: new Date().toISOString(),
    wallSeconds: (performance.now() - began) / 1000,
  };
  const row = finishedRow(cell, outcome.result, times, certificate);
  return {
    kind: "finished",
    row,
    history: formatHistory([outcome.last]),
    ...(keep && { parameters: encodeModel(model) }),
  };
}

/** Take steps until they have lasted long enough; the first chunk warms up and does not count. */
async function time(runner: Runner, spec: RunSpec): Promise<CellResult> {
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
  return { kind: "timed", secondsPerStep };
}
