/** Logs of JSON lines: those of our runs and recorders, and any other with one object per line. */
import { InputError } from "../../engine/errors.ts";
import { withoutCheck } from "../checked.ts";
import { toRow, type LogEntry, type LogFormat, type LogHeader } from "./rows.ts";
import { splitLines } from "../../platform/split-lines.ts";

/**
 * A reader of JSON lines. NaN and Infinity, which Python writes though JSON has none, are read.
 *
 * @param name what errors call the log.
 */
export function jsonLines(name: string): LogFormat {
  const split = splitLines();
  return {
    read: (bytes, ended) =>
      split(bytes, ended).flatMap(({ text, line, cut }) => {
        if (text.trim() === "") return [];
        const entry = parseLine(text);
        if (entry !== undefined) return [entry];
        // The line may have been cut off by a crash.
        if (cut) return [];
        throw new InputError(
          `invalid log ${name}: line ${line} is no JSON object, or was damaged (give one object per line)`,
        );
      }),
  };
}

function parseLine(text: string): LogEntry | undefined {
  const plain = /"check"/.test(text) ? withoutCheck(text) : text;
  const value = plain === undefined ? undefined : parseNumbers(plain);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  if ("lucid" in value && typeof value.lucid === "number") return { header: value as LogHeader };
  const { details, ...own } = value as { details?: unknown };
  const nested = typeof details === "object" && details !== null ? Object.entries(details) : [];
  return { row: toRow([...nested, ...Object.entries(own)]) };
}

/** JSON with NaN and Infinity among its numbers. */
function parseNumbers(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const strict = text.replace(/"(?:[^"\\]|\\.)*"|\bNaN\b|\bInfinity\b/g, (token) =>
      token === "NaN" ? "null" : token === "Infinity" ? "1e999" : token,
    );
    try {
      return JSON.parse(strict);
    } catch {
      return undefined;
    }
  }
}
