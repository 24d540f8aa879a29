/** Studies of recipes: swept into a folder, from which a second call goes on, and read as figures need it. */
import { MachineError } from "../engine/errors.ts";
import type { FigureRun } from "../figures/runs.ts";
import { describeMachine } from "../platform/node/machine.ts";
import { openStudyFolder, readStudyFolder } from "../store/study-folder.ts";
import type { StoredStudy } from "../store/store.ts";
import type { Row } from "../study/cell.ts";
import { expandStudy, parseStudy, type StudyFile } from "../study/study.ts";
import { openSweeper } from "../sweep/sweep.ts";
import type { Making } from "./recipe.ts";

/** All runs of a study that did not fail, in the order of its cells. */
export async function figureRuns(stored: StoredStudy): Promise<FigureRun[]> {
  const rows = new Map<string, Row>();
  for await (const row of stored.rows()) rows.set(row.cell, row);
  const runs: FigureRun[] = [];
  for (const { id } of stored.cells) {
    const row = rows.get(id);
    if (!row?.final || !row.verdict) continue;
    const { spec, final, verdict, certificate, relativeRho } = row;
    runs.push({
      result: { spec, final, relativeRho, verdict: { ...verdict, ...certificate?.verdict } },
      rows: await stored.history(id),
    });
  }
  return runs;
}

/**
 * Sweep a study into the recipe's folder, going on where it was left, and read its runs.
 *
 * @throws {MachineError} when a cell failed, with its reason.
 */
export async function sweepRuns(
  file: StudyFile,
  { preset, folder, engine, workers, signal, onProgress }: Making,
): Promise<FigureRun[]> {
  const study = parseStudy(file, preset);
  const cells = await expandStudy(study);
  const open = await openStudyFolder(folder, { study, engine }, cells);
  const sweeper = openSweeper({
    workers: Math.min(workers, cells.length),
    engine,
    machine: await describeMachine(),
  });
  try {
    let finished = cells.filter(({ id }) => open.finished.has(id)).length;
    const steps = new Map<string, number>();
    const total = cells.reduce((sum, { spec }) => sum + spec.steps, 0);
    const say = () => {
      const running = [...steps.values()].reduce((sum, step) => sum + step, 0);
      const done = finished * (total / cells.length) + running;
      onProgress(
        `${study.name}: ${finished} of ${cells.length} runs, ${Math.round((100 * done) / total)} %`,
      );
    };
    say();
    await sweeper.run({
      source: open.source,
      recordEvery: study.record,
      keep: study.keep,
      certify: study.certify,
      signal,
      onEvent(event) {
        if (event.kind === "step") steps.set(event.cell.id, event.step);
        else {
          steps.delete(event.cell.id);
          if (event.kind === "row") finished++;
        }
        say();
      },
    });
    signal.throwIfAborted();
  } finally {
    await sweeper.close();
    await open.close();
  }
  const stored = await readStudyFolder(folder);
  for await (const { status, error } of stored.rows()) {
    if (status === "failed") throw new MachineError(`invalid run of ${study.name}: ${error}`);
  }
  return figureRuns(stored);
}
