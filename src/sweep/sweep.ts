/** Sweeps: cells from somewhere, run on worker threads, their rows handed back. */
// Here, because the threads cannot do it for themselves.
// oxlint-disable-next-line import/no-unassigned-import
import "../engine/native/telemetry.ts";
import type { EngineChoice } from "../engine/index.ts";
import { MachineError, reasonOf } from "../engine/errors.ts";
import type { Machine } from "../platform/machine.ts";
import { openThread, siblingModule, type Thread } from "../platform/node/workers.ts";
import { programKey } from "../run/build.ts";
import { failedRow, historyStride, type Row } from "../study/cell.ts";
import type { CellProtocol } from "./cell-thread.ts";
import type { RunSpec } from "../run/spec.ts";
import type { CellSource, ClaimedCell } from "../study/claims.ts";
import type { StepTimes } from "../study/pace.ts";
import type { Cell } from "../study/study.ts";

export type SweepEvent =
  | { readonly kind: "step"; readonly cell: Cell; readonly step: number }
  | { readonly kind: "row"; readonly cell: Cell; readonly row: Row }
  | { readonly kind: "released"; readonly cell: Cell };

/** Which cells to run, and how. */
export interface SweepOptions {
  readonly source: CellSource;
  /**
   * Keep a row of a history of every so many steps; `null`: the smallest power of two that keeps
   * at most 256.
   */
  readonly recordEvery: number | null;
  /** Keep final parameters. */
  readonly keep: boolean;
  /** Certify end points; default false. */
  readonly certify?: boolean;
  /** Stops all cells where they stand and gives them back. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: SweepEvent) => void;
}

/** A set of worker threads that run cells. */
export interface Sweeper {
  readonly workers: number;
  /** Time a few steps per distinct program, until the signal; programs left out count as average. */
  estimate(cells: readonly Cell[], signal: AbortSignal): Promise<StepTimes>;
  /** Run cells until the source has none left, or the signal. */
  run(options: SweepOptions): Promise<void>;
  close(): Promise<void>;
}

/** Programs timed before a sweep: more would take longer than they tell. */
const mostTimed = 16;

/** Start `workers` threads. */
export function openSweeper({
  workers,
  engine,
  machine,
}: {
  workers: number;
  engine: EngineChoice;
  machine: Machine;
}): Sweeper {
  const open = () =>
    openThread<CellProtocol>(siblingModule(import.meta.url, "cell-thread"), { engine, machine });
  const threads = Array.from({ length: workers }, open);
  /** Serve with every thread until `work` has nothing left for it. */
  const onAll = async (work: (slot: number) => Promise<void>) => {
    // All must have ended before anything that they write to is closed.
    const ends = await Promise.allSettled(threads.map((_, slot) => work(slot)));
    const failure = ends.find((end) => end.status === "rejected");
    if (failure) throw failure.reason;
  };

  return {
    workers,
    async estimate(cells, signal) {
      const examples = new Map<string, RunSpec>();
      for (const { spec } of cells) {
        const key = programKey(spec);
        if (!examples.has(key)) examples.set(key, spec);
      }
      const queue = [...examples].slice(0, mostTimed);
      const secondsPerStep = new Map<string, number>();
      await onAll(async (slot) => {
        while (!signal.aborted) {
          const next = queue.shift();
          if (next === undefined) return;
          const [key, spec] = next;
          const result = await (threads[slot] as Thread<CellProtocol>).run({ kind: "time", spec });
          if (result.kind === "timed") secondsPerStep.set(key, result.secondsPerStep);
        }
      });
      return { secondsPerStep, programs: examples.size };
    },
    async run({ source, recordEvery, keep, certify = false, signal, onEvent }) {
      // A fault of the machine stops everything: it would only fail every cell in turn.
      const fault = new AbortController();
      const stop = AbortSignal.any([signal, fault.signal]);
      await onAll(async (slot) => {
        let program: string | undefined;
        while (!stop.aborted) {
          const claimed = await source.take(program);
          if (claimed === undefined) return;
          program = programKey(claimed.cell.spec);
          try {
            await runCell(threads[slot] as Thread<CellProtocol>, claimed, {
              recordEvery,
              keep,
              certify,
              stop,
              machine,
              onEvent,
            });
          } catch (error) {
            fault.abort();
            throw error;
          }
          if ((threads[slot] as Thread<CellProtocol>).ended) threads[slot] = open();
        }
      });
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

interface CellOptions {
  readonly recordEvery: number | null;
  readonly keep: boolean;
  readonly certify: boolean;
  readonly stop: AbortSignal;
  readonly machine: Machine;
  readonly onEvent: ((event: SweepEvent) => void) | undefined;
}

/** Run one cell to its row; give it back when stopped. */
async function runCell(
  thread: Thread<CellProtocol>,
  claimed: ClaimedCell,
  { recordEvery, keep, certify, stop, machine, onEvent }: CellOptions,
): Promise<void> {
  const { cell, from, lost } = claimed;
  const began = performance.now();
  const signal = lost ? AbortSignal.any([stop, lost]) : stop;
  // Writes happen in order; the first failure stops the run and is thrown at its end.
  let writes = Promise.resolve();
  const write = (work: () => Promise<void>) => {
    writes = writes.then(work);
    writes.catch(() => thread.stop());
  };
  const onStop = () => thread.stop();
  signal.addEventListener("abort", onStop);
  const finish = async (row: Row, parameters?: Uint8Array) => {
    const kept = await claimed.finish(row, parameters);
    onEvent?.(kept ? { kind: "row", cell, row } : { kind: "released", cell });
  };
  try {
    if (signal.aborted) {
      await claimed.release();
      return;
    }
    const result = await thread
      .run(
        {
          kind: "run",
          cell,
          recordEvery: recordEvery ?? historyStride(cell.spec.steps),
          keep,
          certify,
          from,
        },
        ({ step, history, checkpoint }) => {
          onEvent?.({ kind: "step", cell, step });
          if (history !== "") write(() => claimed.append(history));
          if (checkpoint) write(() => claimed.save(checkpoint));
        },
      )
      .catch((error: unknown) => {
        if (error instanceof MachineError) throw error;
        return { kind: "failed", reason: reasonOf(error) } as const;
      });
    await writes;
    if (result.kind === "stopped") {
      if (!lost?.aborted) await claimed.save(result.checkpoint);
      await claimed.release();
      onEvent?.({ kind: "released", cell });
    } else if (result.kind === "finished") {
      await claimed.append(result.history);
      await finish(result.row, result.parameters);
    } else if (result.kind === "failed") {
      const wallSeconds = (performance.now() - began) / 1000;
      const finished = new Date().toISOString();
      await finish(failedRow(cell, result.reason, { ...machine, finished, wallSeconds }));
    }
  } finally {
    signal.removeEventListener("abort", onStop);
  }
}
