/** Run folders: a run on disk, what it is, how it went, where it stands, how it ended. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../engine/errors.ts";
import { openAppend } from "../platform/node/append.ts";
import { makeFolder, readBytes, readText, writeBytes } from "../platform/node/files.ts";
import { nodeFolder } from "../platform/node/folder.ts";
import { takeLock, type Lock } from "../platform/node/lock.ts";
import type { Model } from "../problems/problem.ts";
import type { TrainingState } from "../sam/training/state.ts";
import { decodeCheckpoint, encodeCheckpoint, encodeModel } from "../run/checkpoint.ts";
import type { MetricRow } from "../run/history.ts";
import type { Checkpoint } from "../run/checkpoint.ts";
import { saveTimes } from "../run/save-times.ts";
import type { Outcome } from "../run/run.ts";
import type { RunChunk } from "../run/training.ts";
import { parseHistory } from "../study/cell.ts";
import { formatChecked } from "../run/checked.ts";
import {
  readRun,
  runFiles as files,
  runFormat as format,
  type RunConfig,
  type StoredRun,
} from "../read/run.ts";
import { writeChecked } from "./checked-file.ts";

/** A run folder being written to. */
export interface RunFolder {
  readonly path: string;
  /** Keep rows. */
  append(rows: readonly MetricRow[]): Promise<void>;
  /** Keep the rows of a chunk; from time to time also where the run stands. */
  take(chunk: RunChunk): Promise<void>;
  /** Keep a model as the best so far. */
  keepBest(model: Model): Promise<void>;
  /** Keep where the run stands. */
  save(checkpoint: Checkpoint): Promise<void>;
  /** Keep how the run ended. */
  finish(outcome: Outcome & { status: "finished" }): Promise<void>;
  close(): Promise<void>;
}

/**
 * Begin a run in a new or empty folder.
 *
 * @param saveEvery see {@link openRunFolder}.
 * @throws {InputError} when the folder holds something.
 */
export async function createRunFolder(
  path: string,
  config: RunConfig,
  saveEvery: number,
): Promise<RunFolder> {
  const made = await makeFolder(path);
  const content = await nodeFolder(path).list();
  if (content.includes(files.config)) {
    throw new InputError(
      `invalid out: ${path} already holds a run (choose another folder, or continue it with --resume ${path})`,
    );
  }
  if (content.length > 0) {
    throw new InputError(`invalid out: ${path} is not empty (choose a new or empty folder)`);
  }
  try {
    await writeChecked(join(path, files.config), { format, ...config });
    return await locked(path, (lock) => openRunFolder(path, lock, 0, saveEvery));
  } catch (error) {
    // Leave the disk as it was.
    const ours = [join(path, files.config), join(path, files.metrics)];
    const all = made === undefined ? ours : [made];
    await Promise.allSettled(all.map((file) => rm(file, { recursive: true, force: true })));
    throw error;
  }
}

/** Read a run folder: {@link readRun}. */
export const readRunFolder = (path: string): Promise<StoredRun> => readRun(nodeFolder(path));

/** An unfinished run, ready to go on. */
export interface ContinuedRun {
  readonly folder: RunFolder;
  /** Rows up to there. */
  readonly rows: readonly MetricRow[];
  /** For `Runner.run`; absent when the run had not been saved yet and begins anew. */
  readonly from?: (start: TrainingState) => Checkpoint;
}

/** Open an unfinished run where it was last saved; rows written after that are dropped. */
export async function continueRunFolder(path: string, saveEvery: number): Promise<ContinuedRun> {
  return locked(path, async (lock) => {
    if (!(await nodeFolder(path).list()).includes(files.checkpoint)) {
      return { folder: await openRunFolder(path, lock, 0, saveEvery), rows: [] };
    }
    const file = join(path, files.checkpoint);
    const { metricsLength, restore } = decodeCheckpoint(await readBytes(file), file);
    const folder = await openRunFolder(path, lock, metricsLength, saveEvery);
    try {
      return { folder, rows: await readWholeRows(join(path, files.metrics)), from: restore };
    } catch (error) {
      await folder.close();
      throw error;
    }
  });
}

/** Take the lock of a folder for something that keeps it, unless making that fails. */
async function locked<T>(path: string, open: (lock: Lock) => Promise<T>): Promise<T> {
  const lock = await takeLock(path);
  try {
    return await open(lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * @param lock released with the folder.
 * @param metricsLength bytes of rows to keep.
 * @param saveEvery most seconds between checkpoints, see {@link saveTimes}: what a crash may cost.
 */
async function openRunFolder(
  path: string,
  lock: Lock,
  metricsLength: number,
  saveEvery: number,
): Promise<RunFolder> {
  const at = (name: keyof typeof files) => join(path, files[name]);
  const metrics = await openAppend(at("metrics"), metricsLength);
  const times = saveTimes(1000 * saveEvery);
  const save = async (checkpoint: Checkpoint) => {
    const began = performance.now();
    // The checkpoint may only speak of rows that are on the disk.
    await metrics.sync();
    await writeBytes(at("checkpoint"), encodeCheckpoint(checkpoint, metrics.length));
    times.saved(performance.now() - began);
  };
  const append = async (rows: readonly MetricRow[]) => {
    if (rows.length > 0) await metrics.append(rows.map(formatRow).join(""));
  };
  return {
    path,
    append,
    save,
    keepBest: (model) => writeBytes(at("best"), encodeModel(model)),
    async take({ rows, checkpoint }) {
      await append(rows);
      if (times.due()) await save(checkpoint);
    },
    async finish({ result, last, model }) {
      await append([last]);
      await metrics.sync();
      await writeBytes(at("final"), encodeModel(model));
      await writeChecked(at("result"), result);
      await rm(at("checkpoint"), { force: true });
    },
    async close() {
      await metrics.close();
      await lock.release();
    },
  };
}

/** Rows that a checkpoint speaks of: it is only written after whole ones. */
async function readWholeRows(path: string): Promise<MetricRow[]> {
  const text = await readText(path);
  if (text === "" || text.endsWith("\n")) return parseHistory(text, path);
  throw new InputError(
    `invalid file ${path}: its last line is cut off where the run was saved (it was damaged or changed)`,
  );
}

/** One line; numbers that are not finite become `null`. */
const formatRow = (row: MetricRow) => `${formatChecked(row)}\n`;
