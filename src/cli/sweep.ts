/** `lucid sweep`: all cells of a study, as often stopped and started as you like. */
import { availableParallelism } from "node:os";
import { extname, join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { InputError, MachineError, unknownName } from "../engine/errors.ts";
import type { EngineChoice } from "../engine/index.ts";
import { writeBytes, writeText } from "../platform/node/files.ts";
import { describeHost } from "../platform/node/host.ts";
import { catchInterrupt } from "../platform/node/interrupt.ts";
import { startProgress, type Progress } from "../platform/node/progress.ts";
import type { Row } from "../study/cell.ts";
import { createPace, predictSeconds } from "../study/pace.ts";
import { studyStatus, type StudyStatus } from "../study/status.ts";
import {
  dropRows,
  openStudyFolder,
  readHistory,
  readRows,
  readStudyFolder,
} from "../study/study-folder.ts";
import { readStudyFile } from "../study/study-file.ts";
import { describeCoordinates, expandStudy, type Cell, type Study } from "../study/study.ts";
import { openSweeper, type Estimate } from "../study/sweep.ts";
import { toColumns, toCsv, toParquet } from "../study/table.ts";
import { option } from "./flags.ts";
import { duration, short, whole } from "./report.ts";
import { table } from "./table.ts";
import { Interrupted, printJson, type Terminal } from "./terminal.ts";

const engines = ["auto", "native", "jax"] as const;

interface SweepFlags {
  readonly out?: string;
  readonly preset?: string;
  readonly workers?: string;
  readonly engine?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function addSweep(program: Command, terminal: Terminal): void {
  const sweep = program
    .command("sweep")
    .description("Run all cells of a study; stopped at any moment, it goes on where it was.")
    .argument("[file]", "a study: JSON, or a TypeScript module with a default export")
    .addOption(option("--preset <name>", "version of the study, where it has several"))
    .addOption(option("--out <folder>", "where its rows are kept (default: sweeps/NAME)"))
    .addOption(
      option("--workers <count>", "cells run at once, a thread each (default: one per core)"),
    )
    .addOption(option("--engine <name>", "auto, native or jax (default: auto)"))
    .option("--dry-run", "say what would run and how long it would take")
    .option("--json", "print one JSON document instead of a table")
    .action((file, flags) => {
      if (file === undefined)
        throw new InputError("missing file (give a study, such as studies/figure-5.ts)");
      return run(file, flags, terminal);
    });
  sweep
    .command("status")
    .description("Where a study stands.")
    .argument("<folder>", "the folder of a study")
    .option("--watch", "show it again every two seconds until it is done")
    .option("--json", "print one JSON document instead of a table")
    .action((folder, flags, command) =>
      status(folder, { ...command.optsWithGlobals(), ...flags }, terminal),
    );
  sweep
    .command("export")
    .description("Rows as a table for pandas, DuckDB, spreadsheets.")
    .argument("<folder>", "the folder of a study")
    .addOption(option("--format <name>", "csv, parquet or json (default: as --to ends, or csv)"))
    .addOption(option("--to <file>", "where to (default: stdout)"))
    .option("--history", "the histories of all cells instead: one line per row kept")
    .action((folder, flags) => exportRows(folder, flags, terminal));
  sweep
    .command("rerun")
    .description("Take rows out of the way, so that the next sweep runs their cells again.")
    .argument("<folder>", "the folder of a study")
    .argument("[cells...]", "cells by id, as in the column `cell`")
    .option("--failed", "all cells that failed")
    .action((folder, cells, { failed }) => rerun(folder, cells, failed === true, terminal));
}

async function run(file: string, flags: SweepFlags, terminal: Terminal): Promise<void> {
  const engine = chooseEngine(flags.engine);
  const workers = wholeNumber("workers", flags.workers) ?? availableParallelism();
  const study = await readStudyFile(file, flags.preset);
  const cells = await expandStudy(study);
  const out = flags.out ?? join("sweeps", study.name);
  const progress = startProgress({ stream: terminal.err });
  const interrupt = catchInterrupt(() => progress.note("stopping …"));
  const sweeper = openSweeper({ workers, engine, host: await describeHost() });
  try {
    const { signal } = interrupt;
    if (flags.dryRun) {
      const estimate = await sweeper.estimate(cells, signal);
      if (signal.aborted) throw new Interrupted("");
      const plan = describePlan(study, cells, cells, estimate, workers);
      if (flags.json) printJson(terminal, planJson(study, cells, estimate, workers));
      else terminal.out(`${plan}\n`);
      return;
    }
    const folder = await openStudyFolder(out, { study, engine }, cells);
    try {
      const pending = cells.filter(({ id }) => !folder.finished.has(id));
      if (pending.length > 0) {
        const estimate = await sweeper.estimate(pending, signal);
        progress.note(describePlan(study, cells, pending, estimate, workers));
        await follow({ cells, pending, estimate, workers, progress }, (onRow, onStep) =>
          sweeper.run({
            source: folder.source,
            record: study.record,
            keep: study.keep,
            signal,
            onEvent(event) {
              if (event.kind === "step") onStep(event.cell, event.step);
              if (event.kind === "row") onRow(event.cell, event.row);
            },
          }),
        );
      }
    } finally {
      await folder.close();
    }
    progress.done();
    const finished = await studyStatus(cells, readRows(out));
    if (signal.aborted && finished.done < finished.cells) {
      throw new Interrupted(
        `stopped with ${finished.done} of ${finished.cells} cells done; the same command goes on from here`,
      );
    }
    show(finished, flags.json === true, terminal);
    const failed = finished.statuses.failed ?? 0;
    if (failed > 0) {
      throw new MachineError(
        `invalid cells: ${failed} of ${finished.cells} failed (see why above; lucid sweep rerun ${out} --failed, then sweep again)`,
      );
    }
  } finally {
    interrupt.dispose();
    await sweeper.close();
  }
}

interface Followed {
  readonly cells: readonly Cell[];
  readonly pending: readonly Cell[];
  readonly estimate: Estimate;
  readonly workers: number;
  readonly progress: Progress;
}

/** Show how far the sweep is: `cells 37/192  2 failed  31:02 left`. */
async function follow(
  { cells, pending, estimate, workers, progress }: Followed,
  sweep: (
    onRow: (cell: Cell, row: Row) => void,
    onStep: (cell: Cell, step: number) => void,
  ) => Promise<void>,
): Promise<void> {
  const pace = createPace(pending, estimate, workers);
  const running = new Set<string>();
  let done = cells.length - pending.length;
  let failed = 0;
  const update = () =>
    progress.update(() =>
      [
        `cells ${whole(done)}/${whole(cells.length)}`,
        `${running.size} running`,
        ...(failed > 0 ? [`${failed} failed`] : []),
        `${duration(pace.secondsLeft())} left`,
      ].join("  "),
    );
  await sweep(
    (cell, { status, error, at }) => {
      running.delete(cell.id);
      pace.finish(cell);
      done++;
      if (status === "failed") {
        failed++;
        progress.note(`failed ${describeCoordinates(at)}: ${error}`);
      }
      update();
    },
    (cell, step) => {
      running.add(cell.id);
      pace.reach(cell, step);
      update();
    },
  );
}

/** `figure-5-quick: 192 cells, 155 left, on 2 workers: about 37:00 (0.71 ms per step)` */
function describePlan(
  { name }: Study,
  cells: readonly Cell[],
  pending: readonly Cell[],
  estimate: Estimate,
  workers: number,
): string {
  const seconds = predictSeconds(pending, estimate) / Math.min(workers, pending.length);
  const times = [...estimate.secondsPerStep.values()].map((step) => short(1000 * step));
  const shown = times.length > 3 ? `${times.slice(0, 3).join(", ")}, …` : times.join(", ");
  return [
    `${name}: ${whole(cells.length)} cells`,
    ...(pending.length < cells.length ? [`${whole(pending.length)} left`] : []),
    `on ${workers} ${workers === 1 ? "worker" : "workers"}: about ${duration(seconds)}`,
    `(${shown} ms per step, ${times.length} of ${estimate.programs} programs timed)`,
  ]
    .join(", ")
    .replace(", (", " (");
}

const planJson = (study: Study, cells: readonly Cell[], estimate: Estimate, workers: number) => ({
  study,
  cells: cells.length,
  workers,
  programs: estimate.programs,
  seconds: predictSeconds(cells, estimate) / Math.min(workers, cells.length),
});

async function status(
  folder: string,
  { watch, json }: { watch?: true; json?: true },
  terminal: Terminal,
): Promise<void> {
  const { cells } = await readStudyFolder(folder);
  for (;;) {
    const now = await studyStatus(cells, readRows(folder));
    if (watch && terminal.err.isTTY) terminal.out("\u001B[H\u001B[2J");
    show(now, json === true, terminal);
    if (!watch || now.done === now.cells) return;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

function show(status: StudyStatus, json: boolean, terminal: Terminal): void {
  if (json) printJson(terminal, status);
  else terminal.out(describeStatus(status));
}

/** Groups shown in a table; beyond that it says how many more there are. */
const mostGroups = 60;

function describeStatus({ cells, done, statuses, groups, failures, foreign }: StudyStatus): string {
  const axes = Object.keys(groups[0]?.at ?? {});
  const median = (losses: readonly number[]) => losses[Math.floor(losses.length / 2)];
  const lines = groups.slice(0, mostGroups).map(({ at, cells, done, losses, verdicts }) => [
    ...axes.map((axis) => text(at[axis])),
    `${done}/${cells}`,
    losses.length === 0 ? "–" : short(median(losses) ?? NaN),
    losses.length === 0 ? "–" : `${short(losses[0] ?? NaN)} to ${short(losses.at(-1) ?? NaN)}`,
    Object.entries(verdicts)
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${count} ${name}`)
      .join(", "),
  ]);
  const counts = Object.entries(statuses).map(([name, count]) => `${whole(count)} ${name}`);
  return [
    `${whole(done)} of ${whole(cells)} cells done${counts.length > 0 ? `: ${counts.join(", ")}` : ""}\n\n`,
    table([[...axes, "done", "median loss", "range", "verdicts"], ...lines]),
    ...(groups.length > mostGroups ? [`and ${groups.length - mostGroups} more\n`] : []),
    ...failures.map(
      ({ cell, at, error }) => `failed ${cell} ${describeCoordinates(at)}: ${error}\n`,
    ),
    ...(foreign > 0 ? [`${whole(foreign)} rows of cells that the study no longer has\n`] : []),
  ].join("");
}

const text = (value: unknown) =>
  value === null ? "–" : typeof value === "string" ? value : JSON.stringify(value);

interface ExportFlags {
  readonly format?: string;
  readonly to?: string;
  readonly history?: true;
}

const formats = ["csv", "parquet", "json"] as const;

async function exportRows(
  folder: string,
  { format, to, history }: ExportFlags,
  terminal: Terminal,
): Promise<void> {
  const ending = to === undefined ? "csv" : extname(to).slice(1);
  const wanted = format ?? ending;
  const chosen = formats.find((name) => name === wanted);
  if (chosen === undefined) throw unknownName("format", wanted, formats);
  if (chosen === "parquet" && to === undefined) {
    throw new InputError("missing to (parquet needs a file, such as --to rows.parquet)");
  }
  const { cells } = await readStudyFolder(folder);
  const rows = history ? await histories(folder, cells) : await rowsOf(folder, cells);
  if (chosen === "parquet" && to !== undefined) {
    await writeBytes(to, toParquet(toColumns(rows)));
    return;
  }
  const document = chosen === "json" ? `${JSON.stringify(rows)}\n` : toCsv(toColumns(rows));
  if (to === undefined) terminal.out(document);
  else await writeText(to, document);
}

/** Rows in the order of the cells, whichever order they were finished in. */
async function rowsOf(folder: string, cells: readonly Cell[]): Promise<Row[]> {
  const found = new Map<string, Row>();
  for await (const row of readRows(folder)) found.set(row.cell, row);
  return cells.flatMap(({ id }) => found.get(id) ?? []);
}

async function histories(folder: string, cells: readonly Cell[]): Promise<object[]> {
  const all: object[] = [];
  for (const { id, at } of cells) {
    for (const row of await readHistory(folder, id)) all.push({ cell: id, at, ...row });
  }
  return all;
}

async function rerun(
  folder: string,
  cells: readonly string[],
  failed: boolean,
  terminal: Terminal,
): Promise<void> {
  if (cells.length === 0 && !failed) {
    throw new InputError("missing cells (give their ids, or --failed)");
  }
  const wanted = new Set(cells);
  const dropped = await dropRows(
    folder,
    ({ cell, status }) => wanted.has(cell) || (failed && status === "failed"),
  );
  const found = new Set(dropped.map(({ cell }) => cell));
  const missing = cells.find((cell) => !found.has(cell));
  if (missing !== undefined) {
    throw new InputError(`unknown cell "${missing}" (lucid sweep export ${folder} lists all)`);
  }
  terminal.err.write(
    `${dropped.length} ${dropped.length === 1 ? "cell" : "cells"} will run again with the next lucid sweep\n`,
  );
}

function chooseEngine(name = "auto"): EngineChoice {
  const chosen = engines.find((engine) => engine === name);
  if (chosen === undefined) throw unknownName("engine", name, engines);
  return chosen;
}

/** A whole number of 1 or more, as text. */
function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InputError(`invalid ${flag}: ${text} (give a whole number, 1 or more)`);
}
