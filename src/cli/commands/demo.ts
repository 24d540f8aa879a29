/** `lucid demo`: ten small runs, a table of verdicts, and a report to read in a browser. */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "@commander-js/extra-typings";
import type { EngineChoice } from "../../engine/index.ts";
import { MachineError } from "../../engine/errors.ts";
import { methodWords } from "../../figures/runs.ts";
import { radiusWords } from "../../run/radius.ts";
import type { Machine } from "../../platform/machine.ts";
import { makeFolder, writeBytes, writeText } from "../../platform/node/files.ts";
import { describeMachine } from "../../platform/node/machine.ts";
import { catchInterrupt } from "../../platform/node/interrupt.ts";
import { startProgress, type Progress } from "../../platform/node/progress.ts";
import { parseRows, type Row } from "../../study/cell.ts";
import type { MetricRow } from "../../run/history.ts";
import { defineStudy, expandStudy, parseStudy, type Cell, type Study } from "../../study/study.ts";
import type { CellSource } from "../../study/claims.ts";
import { openSweeper, type SweepEvent } from "../../sweep/sweep.ts";
import type { DemoRun, FinishedRow } from "./demo-report.ts";
import { duration, short, whole } from "../../report/words.ts";
import {
  chooseEngine,
  chooseWorkers,
  engineOption,
  option,
  workersOption,
} from "../shared/arguments.ts";
import { table } from "../shared/table.ts";
import { Interrupted, printJson, type Terminal } from "../shared/terminal.ts";

/** SAM and the switch over a range of ρ, small enough for a minute or two. */
export const demoStudy = parseStudy(
  defineStudy({
    name: "demo",
    fixed: { problem: "mlp", data: "digits", n: 300, hidden: [64], method: "sam", lr: 0.01 },
    axes: { switch: [null, 0.1], rho: [0.5, 1, 2, 4, 8] },
    seeds: [0],
    steps: 10_000,
    record: 16,
  }),
);

interface DemoFlags {
  readonly out?: string;
  readonly workers?: string;
  readonly engine?: string;
  readonly json?: boolean;
}

export function addDemo(program: Command, terminal: Terminal): void {
  program
    .command("demo")
    .description("Show in about a minute how SAM stalls where nothing is solved, and what helps.")
    .addOption(option("--out <folder>", "where the report and figures go (default: lucid-demo)"))
    .addOption(workersOption())
    .addOption(engineOption())
    .option("--json", "print one JSON document instead of a table")
    .action((flags: DemoFlags) => demo(demoStudy, flags, terminal));
}

/** Run a study of the demo's kind, and write its report. */
export async function demo(study: Study, flags: DemoFlags, terminal: Terminal): Promise<void> {
  const out = flags.out ?? "lucid-demo";
  const engine = chooseEngine(flags.engine);
  const workers = chooseWorkers(flags.workers);
  await makeFolder(out);
  const machine = await describeMachine();
  const progress = startProgress({ stream: terminal.err });
  const interrupt = catchInterrupt(() => progress.note("stopping …"));
  try {
    const { signal } = interrupt;
    const runs = await runStudy(study, { workers, engine, machine, signal, progress });
    progress.note("drawing …");
    // Loaded on demand, as is all that draws.
    const { finalLossFigure, gradRatioFigure, lossFigure } = await import("../../figures/index.ts");
    const { renderPng, renderSvg } = await import("../../figures/render.ts");
    const { planeStory } = await import("./demo-plane.ts");
    const { demoReport, runCells, runColumns, tally } = await import("./demo-report.ts");
    const story = await planeStory(machine, engine);
    const figures = {
      ridge: story.figure,
      loss: lossFigure(runs),
      "grad-ratio": gradRatioFigure(runs),
      "final-loss": finalLossFigure(runs),
    };
    for (const [name, figure] of Object.entries(figures)) {
      await writeText(join(out, `${name}.svg`), renderSvg(figure));
      await writeBytes(join(out, `${name}.png`), renderPng(figure));
    }
    const rows = runs.map(({ result }) => result);
    await writeText(
      join(out, "rows.jsonl"),
      rows.map((row) => `${JSON.stringify(row)}\n`).join(""),
    );
    const report = join(out, "report.html");
    await writeText(report, demoReport(runs, figures, story.certificates));
    progress.done();
    if (flags.json) {
      printJson(terminal, { rows, out });
      return;
    }
    terminal.out(table([runColumns, ...runs.map(runCells)]));
    terminal.out(
      `\n${tally(runs)}\nWhy, and with pictures: ${pathToFileURL(resolve(report)).href}\n`,
    );
  } finally {
    progress.done();
    interrupt.dispose();
  }
}

/** Run all cells on worker threads, keeping rows and histories in memory. */
async function runStudy(
  study: Study,
  {
    workers,
    engine,
    machine,
    signal,
    progress,
  }: {
    workers: number;
    engine: EngineChoice;
    machine: Machine;
    signal: AbortSignal;
    progress: Progress;
  },
): Promise<DemoRun[]> {
  const cells = await expandStudy(study);
  const waiting = [...cells];
  const histories = new Map(cells.map(({ id }): [string, MetricRow[]] => [id, []]));
  const rows = new Map<string, Row>();
  const source: CellSource = {
    async take() {
      const cell = waiting.shift();
      return (
        cell && {
          cell,
          async append(history) {
            histories.get(cell.id)?.push(...parseRows(history));
          },
          async finish(row) {
            rows.set(cell.id, row);
            return true;
          },
          // A demo that is stopped starts anew.
          async save() {},
          async release() {},
        }
      );
    },
  };
  const sweeper = openSweeper({ workers: Math.min(workers, cells.length), engine, machine });
  try {
    const watch = createWatch(cells, progress);
    await sweeper.run({ source, recordEvery: study.record, keep: false, signal, onEvent: watch });
  } finally {
    await sweeper.close();
  }
  if (signal.aborted) throw new Interrupted("stopped; no report was written");
  return cells.map(({ id }) => ({
    result: finished(rows.get(id) as Row),
    rows: histories.get(id) as MetricRow[],
  }));
}

/** Tells how far all runs together are, and how each one ended. */
function createWatch(cells: readonly Cell[], progress: Progress): (event: SweepEvent) => void {
  const total = cells.reduce((sum, { spec }) => sum + spec.steps, 0);
  const reached = new Map<string, number>();
  let ended = 0;
  /** The first report: threads start and compile before it. */
  let first: { readonly done: number; readonly at: number } | undefined;
  return (event) => {
    const { cell } = event;
    if (event.kind === "step") {
      reached.set(cell.id, event.step);
    } else if (event.kind === "row") {
      reached.set(cell.id, cell.spec.steps);
      ended++;
      const { final, relativeRho, verdict, error } = event.row;
      const end = verdict && final ? `${verdict.name}, loss ${short(final.loss)}` : error;
      progress.note(
        `${methodWords(cell.spec)}, ${radiusWords(cell.spec.rho, [relativeRho])}: ${end}`,
      );
    }
    const done = [...reached.values()].reduce((sum, step) => sum + step, 0);
    first ??= { done, at: performance.now() };
    const { done: before, at } = first;
    if (done === before) return;
    progress.update(() => {
      const perSecond = (1000 * (done - before)) / (performance.now() - at);
      return [
        `${ended} of ${cells.length} runs`,
        `step ${whole(done)}/${whole(total)}`,
        `${whole(perSecond)} steps/s`,
        `${duration((total - done) / perSecond)} left`,
      ].join("  ");
    });
  };
}

/** @throws {MachineError} when the run failed. */
function finished(row: Row): FinishedRow {
  const { final, verdict, error } = row;
  if (final === null || verdict === null) throw new MachineError(error ?? "a run failed");
  return { ...row, final, verdict };
}
