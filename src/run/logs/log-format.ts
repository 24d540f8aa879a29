/** Forms of logs: JSON lines, comma-separated values, TensorBoard events. */
import { InputError } from "../../engine/errors.ts";
import { csvLines } from "./csv.ts";
import { eventFile, isEventFile } from "./event-file.ts";
import { jsonLines } from "./json-lines.ts";
import type { LogEntry, LogFormat } from "./rows.ts";

/** Bytes that tell the form of a log. */
export const fewestBytes = 12;

/**
 * The form of a log by how it begins.
 *
 * @param path what messages call it.
 * @throws {InputError} when it is none.
 */
export function formatOf(bytes: Uint8Array, path: string): LogFormat {
  if (isEventFile(bytes)) return eventFile(path);
  const [first] = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart();
  if (first === "{") return jsonLines(path);
  if (bytes.subarray(0, 1024).includes(0)) {
    throw new InputError(
      `invalid log ${path}: neither text nor TensorBoard events (give JSON lines, CSV or *.tfevents.*)`,
    );
  }
  return csvLines(path);
}

/**
 * Read a whole log.
 *
 * @param path what messages call it.
 * @throws {InputError} when it is none, or damaged.
 */
export const parseLog = (bytes: Uint8Array, path: string): LogEntry[] =>
  growingLog(path)(bytes, true);

/**
 * A reader of a log that grows, or of a long one piece by piece: takes the next bytes, and whether
 * they are the last (default: no), returns the entries that end in them.
 *
 * @param path what messages call it.
 * @throws {InputError} from the reader, when the log is none, or damaged.
 */
export function growingLog(path: string): (bytes: Uint8Array, ended?: boolean) => LogEntry[] {
  let format: LogFormat | undefined;
  let waiting: Uint8Array = new Uint8Array();
  return (bytes, ended = false) => {
    if (format !== undefined) return format.read(bytes, ended);
    const all = new Uint8Array(waiting.length + bytes.length);
    all.set(waiting);
    all.set(bytes, waiting.length);
    waiting = all;
    if (all.length < (ended ? 1 : fewestBytes)) return [];
    format = formatOf(all, path);
    return format.read(all, ended);
  };
}
