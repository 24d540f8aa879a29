/** Run folders: a run on disk, what it is, how it went, where it stands, how it ended. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { engineNames, type EngineName } from "../engine/engines.ts";
import { InputError } from "../engine/errors.ts";
import { openAppend } from "../platform/node/append.ts";
import { fileError, makeFolder, readBytes, readText, writeBytes } from "../platform/node/files.ts";
import { takeLock, type Lock } from "../platform/node/lock.ts";
import type { Model } from "../problems/problem.ts";
import type { TrainingState } from "../sam/training/state.ts";
import { decodeCheckpoint, encodeCheckpoint, encodeModel } from "../run/checkpoint.ts";
import type { MetricRow } from "../run/history.ts";
import type { Checkpoint } from "../run/checkpoint.ts";
import { saveTimes } from "../run/save-times.ts";
import type { Outcome, RunResult } from "../run/run.ts";
import type { RunChunk } from "../run/training.ts";
import { parseHistory } from "../study/cell.ts";
import { parseSpec, type RunSpec } from "../run/spec.ts";
import { formatChecked } from "../run/checked.ts";
import { readChecked, writeChecked } from "./checked-file.ts";

/** Version of the layout of run folders. */
const format = 1;

const files = {
  /** What the run is. Written first: a folder with it is a run. */
  config: "config.json",
  /** One row per line; the last is what the run ended with. */
  metrics: "metrics.jsonl",
  /** Where the run stands, while it is not finished. */
  checkpoint: "checkpoint.safetensors",
  /** The final model: parameters, and running statistics where there are some. */
  final: "final.safetensors",
  /** The model that has scored best so far, where the run evaluates. */
  best: "best.safetensors",
  /** How the run ended. Written last: a folder with it is finished. */
  result: "result.json",
} as const;

const configSchema = z.object({
  format: z.int(),
  version: z.string(),
  engine: z.enum(engineNames),
  threads: z.int(),
  recordEvery: z.int(),
  probeDescent: z.int().optional(),
  evaluateEvery: z.int().optional(),
  probeEvery: z.int().optional(),
  dataHash: z.string().optional(),
  spec: z.unknown(),
});

/** All that decides the bits of a run and its rows. */
export interface RunConfig {
  readonly spec: RunSpec;
  readonly engine: EngineName;
  readonly threads: number;
  readonly recordEvery: number;
  /** Steps from one counterfactual to the next; absent where none is asked. */
  readonly probeDescent?: number | undefined;
  /** Steps between evaluations, and between full-batch probes; absent: none. */
  readonly evaluateEvery?: number | undefined;
  readonly probeEvery?: number | undefined;
  /** SHA-256 of all samples, label noise included; older versions did not keep it. */
  readonly dataHash?: string | undefined;
  /** Version of the package that began the run. */
  readonly version: string;
}

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
  const content = await list(path);
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

/** A run folder as it was left. */
export interface StoredRun {
  readonly config: RunConfig;
  /** Rows written so far; a finished run's last row is what it ended with. */
  readonly rows: readonly MetricRow[];
  /** Given when the run is finished. */
  readonly result?: RunResult;
}

/**
 * Read a run folder.
 *
 * @throws {InputError} when it is not one, or one of a newer version.
 */
export async function readRunFolder(path: string): Promise<StoredRun> {
  const content = await list(path);
  if (!content.includes(files.config)) {
    throw new InputError(
      `missing run in ${path}: it has no ${files.config} (give a folder made by --out)`,
    );
  }
  const config = await readConfig(join(path, files.config));
  const result = content.includes(files.result)
    ? await readResult(join(path, files.result))
    : undefined;
  const rows = content.includes(files.metrics) ? await readRows(join(path, files.metrics)) : [];
  return { config, rows, ...(result && { result }) };
}

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
    if (!(await list(path)).includes(files.checkpoint)) {
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

/** Names of what is in a folder. */
async function list(path: string): Promise<string[]> {
  return readdir(path).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new InputError(`missing folder ${path}: it does not exist`);
    }
    throw fileError(error, "read", path);
  });
}

async function readConfig(path: string): Promise<RunConfig> {
  const parsed = configSchema.safeParse(await readChecked(path));
  if (!parsed.success) {
    throw new InputError(`invalid file ${path}: not the configuration of a run`);
  }
  const { format: found, spec, ...rest } = parsed.data;
  if (found > format) {
    throw new InputError(
      `invalid file ${path}: written by lucid-sam ${rest.version}, which is newer (update lucid-sam)`,
    );
  }
  try {
    return { ...rest, spec: parseSpec(spec) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`invalid file ${path}: ${error.message}`, { cause: error });
  }
}

/** What every reader of a result relies on. */
const resultSchema = z.looseObject({
  spec: z.looseObject({}),
  hash: z.string(),
  final: z.looseObject({ step: z.int(), loss: z.number().nullable() }),
  verdict: z.looseObject({
    name: z.string(),
    sentence: z.string(),
    numbers: z.record(z.string(), z.number().nullable()),
  }),
  warning: z.looseObject({ step: z.int(), sentence: z.string() }).nullable(),
  evaluations: z.number(),
  provenance: z.looseObject({ engine: z.string(), device: z.string(), seconds: z.number() }),
});

async function readResult(path: string): Promise<RunResult> {
  const found = await readChecked(path);
  if (resultSchema.safeParse(found).success) return found as RunResult;
  throw new InputError(`invalid file ${path}: not the result of a run (it was changed)`);
}

const readRows = async (path: string): Promise<MetricRow[]> =>
  parseHistory(await readText(path), path);

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
