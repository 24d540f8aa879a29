/** Rows as tables: one flat row each, for spreadsheets, pandas, DuckDB. */
import { printable } from "../engine/errors.ts";

/** A table's cell. */
export type ColumnValue = string | number | boolean | null;

export interface Column {
  readonly name: string;
  readonly values: readonly ColumnValue[];
}

/**
 * Columns named by paths, parts joined by underscores: `final_loss`, `spec_rho`, `at_seed`.
 * Lists become JSON; what a row does not have is `null`.
 */
export function toColumns(rows: readonly object[]): Column[] {
  const columns = new Map<string, ColumnValue[]>();
  rows.forEach((row, index) => {
    for (const [name, value] of flatten(row)) {
      let values = columns.get(name);
      if (values === undefined) columns.set(name, (values = []));
      while (values.length < index) values.push(null);
      values[index] = value;
    }
  });
  return [...columns]
    .filter(([, values]) => values.some((value) => value !== null))
    .map(([name, values]) => ({
      name,
      values: Array.from(rows, (_, index) => values[index] ?? null),
    }));
}

function flatten(value: object, prefix = ""): [string, ColumnValue][] {
  return Object.entries(value).flatMap(
    ([key, field]: [string, unknown]): [string, ColumnValue][] => {
      const name = `${prefix}${key.replaceAll(/[^A-Za-z0-9]/g, "_")}`;
      if (field === null || field === undefined) return [[name, null]];
      if (Array.isArray(field)) return [[name, JSON.stringify(field)]];
      if (typeof field === "object") return flatten(field, `${name}_`);
      return [[name, field as ColumnValue]];
    },
  );
}

/**
 * Comma-separated values as in RFC 4180, `null` as nothing. Text that a spreadsheet would run as a
 * formula gets an apostrophe in front, as spreadsheets themselves mark text; control characters but
 * tabs and ends of lines are spelled out, since tables are read in terminals too.
 */
export function toCsv(columns: readonly Column[]): string {
  const lines = [columns.map(({ name }) => quote(name)).join(",")];
  const [first] = columns;
  first?.values.forEach((_, index) => {
    lines.push(columns.map(({ values }) => quote(values[index] ?? null)).join(","));
  });
  return lines.map((line) => `${line}\r\n`).join("");
}

const quote = (value: ColumnValue): string => {
  const plain = value === null ? "" : String(value);
  const harmless = plain.split(/([\t\r\n])/).map((part, i) => (i % 2 ? part : printable(part)));
  const text = `${typeof value === "string" && isFormula(value) ? "'" : ""}${harmless.join("")}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const isFormula = (text: string): boolean =>
  /^[=+\-@\t\r]/.test(text) && !Number.isFinite(Number(text));

/** Parquet: numbers as DOUBLE, truth values as BOOLEAN, everything else as text. */
export async function toParquet(columns: readonly Column[]): Promise<Uint8Array<ArrayBuffer>> {
  // Loaded when a table is written: half a hundred modules that no other command needs.
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const columnData = columns.map(({ name, values }) => {
    const present = values.filter((value) => value !== null);
    const all = (type: string) => present.every((value) => typeof value === type);
    if (all("number")) return { name, data: [...values], type: "DOUBLE" as const };
    if (all("boolean")) return { name, data: [...values], type: "BOOLEAN" as const };
    const data = values.map((value) => (value === null ? null : String(value)));
    return { name, data, type: "STRING" as const };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
