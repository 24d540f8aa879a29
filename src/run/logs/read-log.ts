/** Logs on disk: which files a path means, what form they have, and how they grow. */
import { open, readdir, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { InputError } from "../../engine/errors.ts";
import { fileError } from "../../platform/node/files.ts";
import { fewestBytes, formatOf } from "./log-format.ts";
import type { LogEntry, LogFormat } from "./rows.ts";

export interface ReadLogOptions {
  /** Told what was read; awaited. */
  readonly onEntries: (entries: LogEntry[]) => void | Promise<void>;
  /** Told that everything that is there was read. */
  readonly onIdle?: (() => void | Promise<void>) | undefined;
  /** Ends following. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds between looks at a growing log. */
const interval = 250;

/**
 * Read a log to its end: a file of JSON lines, comma-separated values or TensorBoard events, or a
 * folder with such files, as a run's own.
 *
 * @throws {InputError} when there is none, or it cannot be read.
 */
export async function readLog(path: string, { onEntries }: ReadLogOptions): Promise<void> {
  const files = await filesOf(path);
  if (files.length === 0) {
    throw new InputError(
      `missing log in ${path}: it has no metrics.jsonl, *.jsonl, metrics.csv or *.tfevents.* (give the file)`,
    );
  }
  for (const file of files) {
    const reader = growing(file);
    try {
      await reader.read(onEntries, true);
    } finally {
      await reader.close();
    }
  }
}

/**
 * Read a log and what is added to it, until `signal`: it may not be there yet, be cut off, be
 * replaced by another file of its name, and be written anew.
 */
export async function followLog(
  path: string,
  { onEntries, onIdle, signal }: ReadLogOptions,
): Promise<void> {
  const readers = new Map<string, Growing>();
  try {
    while (!signal?.aborted) {
      for (const file of await filesOf(path, true)) {
        const reader = readers.get(file) ?? growing(file);
        readers.set(file, reader);
        await reader.read(onEntries, false);
      }
      await onIdle?.();
      await sleep(interval, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    for (const reader of readers.values()) await reader.close();
  }
}

/** Files of a log in the order in which they were begun. */
async function filesOf(path: string, mayBeMissing = false): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = (await readdir(path)).toSorted();
    const [one] = ["metrics.jsonl", "lucid.jsonl", "metrics.csv"].filter((name) =>
      names.includes(name),
    );
    if (one !== undefined) return [join(path, one)];
    const events = names.filter((name) => name.includes("tfevents"));
    const found = events.length > 0 ? events : names.filter((name) => name.endsWith(".jsonl"));
    return found.map((name) => join(path, name));
  } catch (error) {
    if (mayBeMissing && (error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError(error, "read", path);
  }
}

interface Growing {
  /** Read all that is there and was not read before. */
  read(take: ReadLogOptions["onEntries"], ended: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Bytes read at once. */
const pieceSize = 1 << 20;
/** Bytes before the place reached by which a file is known again. */
const markSize = 64;

/** A file that is read from where the last look ended. */
function growing(path: string): Growing {
  let file: FileHandle | undefined;
  let format: LogFormat | undefined;
  let place = 0;
  let mark: Uint8Array = new Uint8Array();
  const anew = () => {
    [format, place, mark] = [undefined, 0, new Uint8Array()];
  };
  const close = async () => {
    await file?.close();
    file = undefined;
    anew();
  };
  /** Whether what was read is still there: it may have been cut off, and written anew. */
  const isSame = async (held: FileHandle, size: number): Promise<boolean> => {
    if (size < place) return false;
    const there = new Uint8Array(mark.length);
    await held.read(there, 0, there.length, place - there.length);
    return Buffer.compare(there, mark) === 0;
  };
  const readRest = async (held: FileHandle, take: ReadLogOptions["onEntries"], ended: boolean) => {
    if (!(await isSame(held, (await held.stat()).size))) anew();
    for (;;) {
      const bytes = new Uint8Array(pieceSize);
      const { bytesRead } = await held.read(bytes, 0, pieceSize, place);
      const piece = bytes.subarray(0, bytesRead);
      // Too few to tell what they are.
      if (format === undefined && bytesRead < fewestBytes && !ended) return;
      if (bytesRead > 0) format ??= formatOf(piece, path);
      place += bytesRead;
      mark = new Uint8Array([...mark, ...piece.subarray(-markSize)]).slice(-markSize);
      const isLast = bytesRead < pieceSize;
      await take(format?.read(piece, ended && isLast) ?? []);
      if (isLast) return;
    }
  };
  return {
    close,
    async read(take, ended) {
      try {
        if (file !== undefined) await readRest(file, take, ended);
        const there = await stat(path);
        const held = await file?.stat();
        if (held?.ino === there.ino && held.dev === there.dev) return;
        // Another file has its name: the old one was moved away.
        await close();
        file = await open(path);
        await readRest(file, take, ended);
      } catch (error) {
        // Between two files of its name there may be none.
        if (!ended && (error as NodeJS.ErrnoException).code === "ENOENT") return;
        throw fileError(error, "read", path);
      }
    },
  };
}
