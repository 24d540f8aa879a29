/** `lucid sweep`: all cells of a study, stopped and started as often as you like. */
import { dirname } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { InputError, MachineError, unknownName } from "../../engine/errors.ts";
import { makeFolder, pathIn, writeText } from "../../platform/node/files.ts";
import { describeMachine } from "../../platform/node/machine.ts";
import { memoryLimit } from "../../platform/node/limits.ts";
import { catchInterrupt } from "../../platform/node/interrupt.ts";
import { startProgress, type Progress } from "../../platform/node/progress.ts";
import { checkMemory } from "../../run/memory.ts";
import { readStudyDatabase } from "../../store/database.ts";
import { createPace, predictSeconds } from "../../study/pace.ts";
import { studyStatus } from "../../study/status.ts";
import type { StudyConfig } from "../../read/study.ts";
import type { OpenStudy, StoredStudy } from "../../store/store.ts";
import { openStudyFolder, readStudyFolder } from "../../store/study-folder.ts";
import { readStudyFile } from "../../store/study-file.ts";
import { describeCoordinates, expandStudy, type Cell, type Study } from "../../study/study.ts";
import { openSweeper, type Sweeper, type SweepEvent } from "../../sweep/sweep.ts";
import type { StepTimes } from "../../study/pace.ts";
import { duration, short, whole } from "../../report/words.ts";
import { addResults, showStatus } from "./results.ts";
import {
  chooseEngine,
  chooseWorkers,
  engineOption,
  option,
  storeOption,
  workersOption,
} from "../shared/arguments.ts";
import { connectQueue, storeUrl } from "../shared/stored.ts";
import { studyHtml } from "../shared/study-html.ts";
import { Interrupted, printJson, type Terminal } from "../shared/terminal.ts";
import { commandLine } from "../shared/command-line.ts";

interface SweepFlags {
  readonly out?: string;
  readonly store?: string;
  readonly heartbeat?: string;
  readonly preset?: string;
  readonly workers?: string;
  readonly engine?: string;
  readonly ensemble?: string;
  readonly dryRun?: boolean;
  readonly html?: string;
  readonly json?: boolean;
}

export function addSweep(program: Command, terminal: Terminal): void {
  const sweep = program
    .command("sweep")
    .description("Run all cells of a study; stopped at any moment, it goes on where it was.")
    .argument("[file]", "a study: JSON, or a TypeScript module with a default export")
    .addOption(option("--preset <name>", "version of the study, where it has several"))
    .addOption(option("--out <folder>", "where its rows are kept (default: sweeps/NAME)"))
    .addOption(storeOption())
    .addOption(
      option(
        "--heartbeat <seconds>",
        "a worker silent for so long has lost its cell (default: 30)",
      ),
    )
    .addOption(workersOption())
    .addOption(engineOption())
    .addOption(
      option(
        "--ensemble <when>",
        "whether small runs that differ in seed and knobs take their steps in one program: auto or off (default: auto)",
      ),
    )
    .option("--dry-run", "say what would run and how long it would take")
    .addOption(option("--html <file>", "once done, keep the study as a page, as lucid report does"))
    .option("--json", "print one JSON document instead of a table")
    .action((file, flags) => {
      if (file === undefined) {
        throw new InputError("missing file (give a study, such as studies/figure-5.ts)");
      }
      return run(file, flags, terminal);
    });
  addResults(sweep, terminal);
}

async function run(file: string, flags: SweepFlags, terminal: Terminal): Promise<void> {
  const config = {
    study: await readStudyFile(file, flags.preset),
    engine: chooseEngine(flags.engine),
  };
  const workers = chooseWorkers(flags.workers);
  const ensembles = chooseEnsemble(flags.ensemble);
  const cells = await expandStudy(config.study);
  if (flags.html !== undefined) await makeFolder(dirname(flags.html));
  const atOnce = Math.min(workers, cells.length);
  for (const { spec } of cells) checkMemory(spec, memoryLimit(), atOnce);
  const progress = startProgress({ stream: terminal.err });
  const interrupt = catchInterrupt(() => progress.note("stopping …"));
  const { signal } = interrupt;
  const machine = await describeMachine();
  const sweeper = openSweeper({ workers, engine: config.engine, machine });
  try {
    if (flags.dryRun) {
      const estimate = await sweeper.estimate(cells, signal, ensembles);
      if (signal.aborted) throw new Interrupted("");
      if (flags.json) printJson(terminal, planJson(config.study, cells, estimate, workers));
      else terminal.out(`${describePlan(config.study, cells, cells, estimate, workers)}\n`);
      return;
    }
    const destination = await chooseDestination(flags, config, cells, { machine, signal });
    try {
      const { study } = config;
      const { open } = destination;
      await sweepAll({ study, cells, open, sweeper, ensembles, progress, signal });
      await destination.open.close();
      const stored = await destination.read();
      const finished = await studyStatus(cells, stored.rows());
      if (signal.aborted && finished.done < finished.cells) {
        throw new Interrupted(
          `stopped with ${finished.done} of ${finished.cells} cells done; the same command goes on from here`,
        );
      }
      showStatus(finished, flags.json === true, terminal);
      if (flags.html !== undefined) {
        progress.update(() => "drawing …");
        await writeText(flags.html, await studyHtml(stored));
      }
      const { failed = 0 } = finished.statuses;
      if (failed > 0) {
        throw new MachineError(
          `invalid cells: ${failed} of ${finished.cells} failed (see why above; ${commandLine("sweep", "rerun", destination.name, "--failed")}, then sweep again)`,
        );
      }
    } finally {
      await destination.close();
    }
  } finally {
    progress.done();
    interrupt.dispose();
    await sweeper.close();
  }
}

function chooseEnsemble(when = "auto"): boolean {
  if (when === "auto" || when === "off") return when === "auto";
  throw unknownName("ensemble", when, ["auto", "off"]);
}

/** Where the rows of a sweep go. */
interface Destination {
  /** As `lucid sweep rerun` takes it. */
  readonly name: string;
  readonly open: OpenStudy;
  read(): Promise<StoredStudy>;
  close(): Promise<void>;
}

/** `--store`, else `--out`, else DATABASE_URL, else a folder named after the study. */
async function chooseDestination(
  { store, out, heartbeat }: SweepFlags,
  config: StudyConfig,
  cells: readonly Cell[],
  context: Parameters<Awaited<ReturnType<typeof connectQueue>>["open"]>[1],
): Promise<Destination> {
  const { name } = config.study;
  const url = out === undefined ? storeUrl(store) : store;
  if (url === undefined) {
    const folder = out ?? pathIn("sweeps", name);
    const open = await openStudyFolder(folder, config, cells);
    return { name: folder, open, read: () => readStudyFolder(folder), close: () => open.close() };
  }
  const queue = await connectQueue(url, heartbeat);
  try {
    await queue.submit(config, cells);
    const open = await queue.open(name, context);
    const read = () => readStudyDatabase(queue.db, name, async () => {});
    return { name, open, read, close: () => queue.close() };
  } catch (error) {
    await queue.close();
    throw error;
  }
}

interface SweepTask {
  readonly study: Study;
  readonly cells: readonly Cell[];
  readonly open: OpenStudy;
  readonly sweeper: Sweeper;
  readonly ensembles: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Milliseconds between looks at what other processes have finished. */
const refreshInterval = 2000;

/** Milliseconds of timing: on a machine that dies every few seconds the cells must have a turn. */
const timingLimit = 500;

/** Run what is not finished yet, saying how long it will take and how far it is. */
async function sweepAll({
  study,
  cells,
  open,
  sweeper,
  ensembles,
  progress,
  signal,
}: SweepTask): Promise<void> {
  const pending = cells.filter(({ id }) => !open.finished.has(id));
  if (pending.length === 0) return;
  const { workers } = sweeper;
  const enough = AbortSignal.any([signal, AbortSignal.timeout(timingLimit)]);
  const isBeside = ensembles && open.source.beside !== undefined;
  const estimate = await sweeper.estimate(pending, enough, isBeside);
  if (signal.aborted) return;
  progress.note(describePlan(study, cells, pending, estimate, workers));
  const pace = createPace(pending, estimate, workers);
  const finished = new Set(open.finished);
  const running = new Set<string>();
  let failed = 0;
  let members = 1;
  const finish = (cell: Cell) => {
    running.delete(cell.id);
    if (finished.has(cell.id)) return;
    finished.add(cell.id);
    pace.finish(cell);
  };
  const update = () =>
    progress.update(() =>
      [
        `cells ${whole(finished.size)}/${whole(cells.length)}`,
        `${running.size} running${members > 1 ? `, ${members} side by side` : ""}`,
        ...(failed > 0 ? [`${failed} failed`] : []),
        `${duration(pace.secondsLeft())} left`,
      ].join("  "),
    );
  const onEvent = (event: SweepEvent) => {
    const { cell } = event;
    if (event.kind === "step") {
      running.add(cell.id);
      ({ members } = event);
      pace.reach(cell, event.step);
    } else if (event.kind === "row") {
      const { status, error, at } = event.row;
      if (status === "failed") {
        failed++;
        progress.note(`failed ${describeCoordinates(at)}: ${error}`);
      }
      finish(cell);
    } else running.delete(cell.id);
    update();
  };
  const { refresh } = open;
  const refreshFinished = async () => {
    await refresh?.();
    for (const cell of pending) if (open.finished.has(cell.id)) finish(cell);
    update();
  };
  // What others have done is for the eye only: the next look may work again.
  const timer =
    refresh && setInterval(() => void refreshFinished().catch(() => {}), refreshInterval);
  try {
    await sweeper.run({
      source: open.source,
      recordEvery: study.record,
      keep: study.keep,
      certify: study.certify,
      ensembles,
      signal,
      onEvent,
    });
  } finally {
    clearInterval(timer);
  }
}

/** `figure-5-quick: 192 cells, 155 left, on 2 workers: about 37:00 (0.71 ms per step)` */
function describePlan(
  { name }: Study,
  cells: readonly Cell[],
  pending: readonly Cell[],
  estimate: StepTimes,
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

const planJson = (study: Study, cells: readonly Cell[], estimate: StepTimes, workers: number) => ({
  study,
  cells: cells.length,
  workers,
  programs: estimate.programs,
  seconds: predictSeconds(cells, estimate) / Math.min(workers, cells.length),
});
