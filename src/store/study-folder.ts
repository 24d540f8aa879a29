/** Study folders: a study on disk, append-only, readable by people, one writer at a time. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../engine/errors.ts";
import { openAppend, type AppendFile } from "../platform/node/append.ts";
import { makeFolder, pathIn, readBytes, writeBytes, writeText } from "../platform/node/files.ts";
import { nodeFolder } from "../platform/node/folder.ts";
import { completeLength } from "../platform/node/lines.ts";
import { takeLock } from "../platform/node/lock.ts";
import { isPack } from "../read/pack.ts";
import {
  readDescription,
  readRows,
  readStudy,
  studyFiles as files,
  type StudyConfig,
} from "../read/study.ts";
import { programKey } from "../run/build.ts";
import { ensembleKey } from "../run/ensembles.ts";
import { formatHistory, type Row } from "../study/cell.ts";
import { decodeCheckpoint } from "../run/checkpoint.ts";
import { formatChecked } from "../run/checked.ts";
import { writeChecked } from "./checked-file.ts";
import { checkSame, describeStudy, type OpenStudy, type StoredStudy } from "./store.ts";
import { packed, readStudyPack } from "./study-pack.ts";
import type { Cell } from "../study/study.ts";
import type { CellSource, ClaimedCell } from "../study/claims.ts";

/**
 * Open the folder of a study for writing, making it if it does not exist. A line that a crash has
 * torn is cut off. The study may have changed since: cells that it still has keep their rows.
 *
 * @param path a folder; or a packed study, which is there for those who find that nothing is left.
 * @throws {InputError} when the folder holds something else, another process writes to it, it
 *   comes from a newer version, or a packed study lacks rows.
 */
export async function openStudyFolder(
  path: string,
  { study, engine }: StudyConfig,
  cells: readonly Cell[],
): Promise<OpenStudy> {
  if (isPack(path)) return openPack(path, { study, engine }, cells);
  await makeFolder(path);
  const content = await nodeFolder(path).list();
  if (!content.includes(files.study) && content.some((name) => !/^\.|^lock-/.test(name))) {
    throw new InputError(`invalid out: ${path} is not empty and no study (choose another folder)`);
  }
  const lock = await takeLock(path);
  try {
    if (content.includes(files.study)) {
      checkSame(path, await readDescription(nodeFolder(path)), { study, engine });
    }
    await writeChecked(join(path, files.study), describeStudy({ study, engine }, cells.length));
    await writeLines(join(path, files.cells), cells);
    for (const name of [files.metrics, files.running, ...(study.keep ? [files.points] : [])]) {
      await mkdir(join(path, name), { recursive: true });
    }
    for (const folder of [path, join(path, files.running)]) await clearTemporary(folder);
    const rowsPath = join(path, files.rows);
    const length = await completeLength(rowsPath);
    const finished = await finishedCells(readRows(nodeFolder(path)), cells);
    const rows = await openAppend(rowsPath, length);
    const source = pendingCells(
      path,
      rows,
      finished,
      cells.filter(({ id }) => !finished.has(id)),
    );
    return {
      name: path,
      finished,
      source,
      async close() {
        await rows.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openPack(
  path: string,
  config: StudyConfig,
  cells: readonly Cell[],
): Promise<OpenStudy> {
  const stored = await readStudyPack(path);
  checkSame(path, stored, config);
  const finished = await finishedCells(stored.rows(), cells);
  if (finished.size < cells.length) throw packed(path);
  return { name: path, finished, source: { take: async () => undefined }, close: async () => {} };
}

/** Cells that have a row; rows of cells that the study no longer has do not count. */
async function finishedCells(
  rows: AsyncIterable<Row>,
  cells: readonly Cell[],
): Promise<Set<string>> {
  const known = new Set(cells.map(({ id }) => id));
  const finished = new Set<string>();
  for await (const { cell } of rows) if (known.has(cell)) finished.add(cell);
  return finished;
}

/** Hands out cells, those of one program together, as many workers at once as like. */
function pendingCells(
  path: string,
  rows: AppendFile,
  finished: Set<string>,
  cells: readonly Cell[],
): CellSource {
  const groups = Map.groupBy(cells, ({ spec }) => programKey(spec));
  const next = (program: string | undefined): Cell | undefined => {
    const key = program !== undefined && groups.has(program) ? program : largest(groups);
    const group = key === undefined ? undefined : groups.get(key);
    const cell = group?.shift();
    if (key !== undefined && group?.length === 0) groups.delete(key);
    return cell;
  };
  const claimed = (cell: Cell) => claim(path, rows, finished, cell);
  const like = (cell: Cell) => {
    const key = ensembleKey(cell.spec);
    const group = groups.get(programKey(cell.spec)) ?? [];
    return group.filter(({ spec }) => ensembleKey(spec) === key);
  };
  return {
    async take(program) {
      const cell = next(program);
      return cell && claimed(cell);
    },
    beside: {
      count: (cell) => like(cell).length,
      async take(cell, most) {
        const taken = new Set(like(cell).slice(0, Math.max(0, most)));
        const key = programKey(cell.spec);
        const left = (groups.get(key) ?? []).filter((other) => !taken.has(other));
        if (left.length === 0) groups.delete(key);
        else groups.set(key, left);
        return Promise.all([...taken].map(claimed));
      },
      putBack(cell) {
        const key = programKey(cell.spec);
        groups.set(key, [...(groups.get(key) ?? []), cell]);
      },
    },
  };
}

function largest(groups: ReadonlyMap<string, readonly Cell[]>): string | undefined {
  let best: string | undefined;
  for (const [key, { length }] of groups) {
    if (length > (groups.get(best ?? "")?.length ?? 0)) best = key;
  }
  return best;
}

async function claim(
  path: string,
  rows: AppendFile,
  finished: Set<string>,
  cell: Cell,
): Promise<ClaimedCell> {
  const checkpointPath = pathIn(join(path, files.running), cell.id, ".safetensors");
  const { metrics, from } = await continueCell(path, checkpointPath, cell);
  return {
    cell,
    from,
    append: (history) => metrics.append(history),
    async save(checkpoint) {
      // The checkpoint may only speak of lines that are on the disk.
      await metrics.sync();
      await writeBytes(checkpointPath, checkpoint);
    },
    async finish(row, parameters) {
      if (parameters) {
        await writeBytes(pathIn(join(path, files.points), cell.id, ".safetensors"), parameters);
      }
      await metrics.sync();
      await metrics.close();
      await rows.append(formatRow(row));
      await rows.sync();
      finished.add(cell.id);
      await rm(checkpointPath, { force: true });
      return true;
    },
    release: () => metrics.close(),
  };
}

/** The cell's history, cut back to where its run stands, and that place; both from the start if need be. */
async function continueCell(path: string, checkpointPath: string, { id }: Cell) {
  const metricsPath = pathIn(join(path, files.metrics), id, ".jsonl");
  try {
    const from = await readBytes(checkpointPath);
    const { metricsLength } = decodeCheckpoint(from, checkpointPath);
    return { from, metrics: await openAppend(metricsPath, metricsLength) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { metrics: await openAppend(metricsPath, 0) };
  }
}

/**
 * Read a study folder, or a packed study.
 *
 * @throws {InputError} when it is neither, or of a newer version.
 */
export async function readStudyFolder(path: string): Promise<StoredStudy> {
  if (isPack(path)) return readStudyPack(path);
  return {
    ...(await readStudy(nodeFolder(path))),
    drop: (unwanted) => dropRows(path, unwanted),
    close: async () => {},
  };
}

/**
 * Write a stored study as a new folder, where it can be added to.
 *
 * @throws {InputError} when the folder is there already.
 */
export async function writeStudyFolder(path: string, stored: StoredStudy): Promise<void> {
  if ((await makeFolder(path)) === undefined) {
    throw new InputError(`invalid to: ${path} exists (choose another folder)`);
  }
  const rows: Row[] = [];
  for await (const row of stored.rows()) rows.push(row);
  await mkdir(join(path, files.metrics));
  for (const id of new Set([
    ...stored.cells.map(({ id }) => id),
    ...rows.map(({ cell }) => cell),
  ])) {
    const history = formatHistory(await stored.history(id));
    if (history !== "") await writeText(pathIn(join(path, files.metrics), id, ".jsonl"), history);
  }
  await writeText(join(path, files.rows), rows.map(formatRow).join(""));
  await writeLines(join(path, files.cells), stored.cells);
  // Last: what a crash leaves is no study, and nobody adds to it.
  await writeChecked(join(path, files.study), describeStudy(stored, stored.cells.length));
}

/** The unwanted rows go to `replaced.jsonl`. */
async function dropRows(path: string, unwanted: (row: Row) => boolean): Promise<Row[]> {
  const lock = await takeLock(path);
  try {
    const kept: string[] = [];
    const dropped: Row[] = [];
    for await (const row of readRows(nodeFolder(path))) {
      if (unwanted(row)) dropped.push(row);
      else kept.push(formatRow(row));
    }
    if (dropped.length === 0) return [];
    const replaced = await openAppend(join(path, files.replaced));
    await replaced.append(dropped.map(formatRow).join(""));
    await replaced.close();
    for (const { cell } of dropped) {
      await rm(pathIn(join(path, files.running), cell, ".safetensors"), { force: true });
    }
    await writeText(join(path, files.rows), kept.join(""));
    return dropped;
  } finally {
    await lock.release();
  }
}

const writeLines = (path: string, values: readonly object[]): Promise<void> =>
  writeText(path, values.map((value) => `${formatChecked(value)}\n`).join(""));

const formatRow = (row: Row) => `${formatChecked(row)}\n`;

/** Clear away files that a crash left half written. */
async function clearTemporary(path: string): Promise<void> {
  for (const name of await nodeFolder(path).list()) {
    if (name.endsWith(".tmp")) await rm(join(path, name), { force: true });
  }
}
