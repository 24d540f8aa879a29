/** Logs of comma-separated values, such as those of Lightning's CSVLogger, W&B exports, spreadsheets. */
import { csvParseRows } from "d3-dsv";
import { toRow, type LogFormat } from "./rows.ts";
import { splitLines } from "../../platform/split-lines.ts";

/** A reader of lines of values under the names in the first line. Empty fields are left aside. */
export function csvLines(): LogFormat {
  const split = splitLines();
  let names: readonly string[] | undefined;
  return {
    read: (bytes, ended) =>
      split(bytes, ended).flatMap(({ text }) => {
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
      }),
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
