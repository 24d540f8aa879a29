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
import { ensembleKey, mostMembers } from "../run/ensembles.ts";
import type { CellEnd, CellProtocol } from "./cell-thread.ts";
import type { RunSpec } from "../run/spec.ts";
import type { CellSource, ClaimedCell } from "../study/claims.ts";
import type { StepTimes } from "../study/pace.ts";
import type { Cell } from "../study/study.ts";

export type SweepEvent =
  | {
      readonly kind: "step";
      readonly cell: Cell;
      readonly step: number;
      /** Runs that take their steps side by side, this one among them. */
      readonly members: number;
    }
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
  /** Run cells side by side in one program where that gains much; default true. */
  readonly ensembles?: boolean;
  /** Stops all cells where they stand and gives them back. */
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: SweepEvent) => void) | undefined;
}

/** A set of worker threads that run cells. */
export interface Sweeper {
  readonly workers: number;
  /**
   * Time a few steps per distinct program, until the signal; programs left out count as average.
   *
   * @param ensembles whether cells are run side by side.
   */
  estimate(cells: readonly Cell[], signal: AbortSignal, ensembles: boolean): Promise<StepTimes>;
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
    async estimate(cells, signal, ensembles) {
      const examples = new Map<string, RunSpec>();
      const alike = Map.groupBy(cells, ({ spec }) => ensembleKey(spec));
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
          const members = ensembles
            ? shareOf(alike.get(ensembleKey(spec))?.length ?? 1, workers)
            : 1;
          const task = { kind: "time", spec, members } as const;
          const result = await (threads[slot] as Thread<CellProtocol>).run(task);
          if (result.kind === "timed") secondsPerStep.set(key, result.secondsPerStep);
        }
      });
      return { secondsPerStep, programs: examples.size };
    },
    async run({ source, recordEvery, keep, certify = false, ensembles = true, signal, onEvent }) {
      // A fault of the machine stops everything: it would only fail every cell in turn.
      const fault = new AbortController();
      const stop = AbortSignal.any([signal, fault.signal]);
      /** Members of the ensembles of each kind of run; 1: they are taken alone. */
      const sizes = new Map<string, Promise<number>>();
      /** The claimed cell, and those that are to be run beside it. */
      const withCompany = async (thread: Thread<CellProtocol>, claimed: ClaimedCell) => {
        const { cell } = claimed;
        const others = source.beside?.count(cell) ?? 0;
        if (!ensembles || source.beside === undefined || others === 0) return [claimed];
        const key = ensembleKey(cell.spec);
        const known =
          sizes.get(key) ?? plannedSize(thread, cell.spec, shareOf(others + 1, workers));
        sizes.set(key, known);
        return [claimed, ...(await source.beside.take(cell, (await known) - 1))];
      };
      await onAll(async (slot) => {
        let program: string | undefined;
        while (!stop.aborted) {
          const claimed = await source.take(program);
          if (claimed === undefined) return;
          program = programKey(claimed.cell.spec);
          try {
            const thread = threads[slot] as Thread<CellProtocol>;
            const cells = await withCompany(thread, claimed);
            const options = { recordEvery, keep, certify, stop, machine, onEvent };
            const left = await runCells(thread, cells, options);
            // One of several runs may have been too much for the thread: they go on one by one.
            if (left.length > 0) sizes.set(ensembleKey(claimed.cell.spec), Promise.resolve(1));
            for (const cell of left) source.beside?.putBack(cell);
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

/** How many of so many runs of one kind a worker takes side by side. */
const shareOf = (runs: number, workers: number): number =>
  Math.min(mostMembers, Math.ceil(runs / workers));

/** `members`, or 1 where runs of this kind are better taken alone. */
async function plannedSize(
  thread: Thread<CellProtocol>,
  spec: RunSpec,
  members: number,
): Promise<number> {
  if (members === 1) return 1;
  // What is wrong with the spec is told where it is run.
  const plan = await thread.run({ kind: "plan", spec, members }).catch((error: unknown) => {
    if (error instanceof MachineError) throw error;
  });
  return plan?.kind === "planned" && plan.gain > 1 ? members : 1;
}

interface CellOptions {
  readonly recordEvery: number | null;
  readonly keep: boolean;
  readonly certify: boolean;
  readonly stop: AbortSignal;
  readonly machine: Machine;
  readonly onEvent: ((event: SweepEvent) => void) | undefined;
}

/**
 * Run cells of one kind side by side, or one alone, to their rows; give them back when stopped.
 *
 * @returns cells that were released because the thread was lost with several.
 */
async function runCells(
  thread: Thread<CellProtocol>,
  claimed: readonly ClaimedCell[],
  { recordEvery, keep, certify, stop, machine, onEvent }: CellOptions,
): Promise<Cell[]> {
  const began = performance.now();
  const members = claimed.length;
  const [{ cell: first }] = claimed as readonly [ClaimedCell];
  const unfinished = new Set(claimed);
  const signal = AbortSignal.any([stop, ...claimed.flatMap(({ lost }) => lost ?? [])]);
  // Writes happen in order; the first failure stops the runs and is thrown at their end.
  let writes = Promise.resolve();
  const write = (work: () => Promise<void>) => {
    writes = writes.then(work);
    writes.catch(() => thread.stop());
  };
  const onStop = () => thread.stop();
  signal.addEventListener("abort", onStop);
  const release = async (each: ClaimedCell) => {
    unfinished.delete(each);
    await each.release();
    onEvent?.({ kind: "released", cell: each.cell });
  };
  const finish = async (each: ClaimedCell, row: Row, parameters?: Uint8Array) => {
    unfinished.delete(each);
    const { cell } = each;
    const kept = await each.finish(row, parameters);
    onEvent?.(kept ? { kind: "row", cell, row } : { kind: "released", cell });
  };
  const fail = (each: ClaimedCell, reason: string) => {
    const wallSeconds = (performance.now() - began) / 1000;
    const finished = new Date().toISOString();
    return finish(each, failedRow(each.cell, reason, { ...machine, finished, wallSeconds }));
  };
  const conclude = async (each: ClaimedCell, end: CellEnd) => {
    if (end.kind === "stopped") {
      if (!each.lost?.aborted) await each.save(end.checkpoint);
      await release(each);
    } else if (end.kind === "finished") {
      await each.append(end.history);
      await finish(each, end.row, end.parameters);
    } else await fail(each, end.reason);
  };
  try {
    if (signal.aborted) {
      for (const each of claimed) await each.release();
      return [];
    }
    let lost: string | undefined;
    await thread
      .run(
        {
          kind: "run",
          cells: claimed.map(({ cell, from }) => ({ cell, from })),
          recordEvery: recordEvery ?? historyStride(first.spec.steps),
          keep,
          certify,
        },
        (event) => {
          const each = claimed[event.index] as ClaimedCell;
          if (event.kind === "end") {
            write(() => conclude(each, event.end));
            return;
          }
          const { step, history, checkpoint } = event;
          onEvent?.({ kind: "step", cell: each.cell, step, members });
          if (history !== "") write(() => each.append(history));
          if (checkpoint) write(() => each.save(checkpoint));
        },
      )
      .catch((error: unknown) => {
        if (error instanceof MachineError) throw error;
        lost = reasonOf(error);
      });
    await writes;
    const left = [...unfinished];
    if (lost !== undefined && members === 1) await fail(left[0] as ClaimedCell, lost);
    if (lost === undefined || members === 1) return [];
    for (const each of left) await release(each);
    return left.map(({ cell }) => cell);
  } finally {
    signal.removeEventListener("abort", onStop);
  }
}
