/** Logs of comma-separated values, such as those of Lightning's CSVLogger, W&B exports, spreadsheets. */
import { csvParseRows } from "d3-dsv";
import { InputError } from "../../engine/errors.ts";
import { toRow, type LogFormat } from "./rows.ts";
import { splitLines } from "../../platform/split-lines.ts";

/**
 * A reader of lines of values under the names in the first line. Empty fields are left aside.
 *
 * @param path what messages call it.
 * @throws {InputError} from the reader, at the end of a text without a single row: it is none.
 */
export function csvLines(path: string): LogFormat {
  const split = splitLines();
  let names: readonly string[] | undefined;
  let [lines, rows] = [0, 0];
  return {
    read(bytes, ended) {
      const found = split(bytes, ended);
      const entries = found.flatMap(({ text }) => {
        const fields = csvParseRows(text.replace(/^\uFEFF/, "").trimEnd())[0];
        if (fields === undefined) return [];
        // Some loggers write their names again when they begin anew, or know of more.
        if (names === undefined || fields.every((field) => Number.isNaN(numberOf(field) ?? NaN))) {
          if (names === undefined || fields.includes("step")) names = fields.map((f) => f.trim());
          return [];
        }
        const known = names;
        return [
          { row: toRow(fields.map((field, i) => [known[i] ?? "", numberOf(field)] as const)) },
        ];
      });
      lines += found.length;
      rows += entries.length;
      // Names alone are a log of a training that has not begun.
      if (ended && rows === 0 && lines > 1) {
        throw new InputError(
          `invalid log ${path}: no line of it has a number (give JSON lines, CSV or *.tfevents.*)`,
        );
      }
      return entries;
    },
  };
}

/** A field as a number: `inf` and `nan` are Python's, whatever else is no number is undefined. */
function numberOf(field: string): number | undefined {
  const text = field.trim().toLowerCase();
  if (text === "") return undefined;
  if (text === "nan") return NaN;
  const infinite = /^([+-]?)inf(?:inity)?$/.exec(text);
  if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
}
