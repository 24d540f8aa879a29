/** Tables: columns of a CSV file, and the way from them to samples. */
import { csvParseRows } from "d3-dsv";
import { InputError } from "../engine/errors.ts";
import { randomStream } from "../engine/random.ts";
import { tensor, type Tensor } from "../engine/tensor.ts";

/** Rows of text under named columns. */
export interface Table {
  readonly columns: readonly string[];
  /** Number of rows. */
  readonly size: number;
  /**
   * Columns as numbers, [size, columns], in the order named; default: all that hold only numbers.
   *
   * @throws {InputError} naming column and row of what is no finite number.
   */
  numbers(...columns: string[]): Tensor;
  /** The different texts of a column, in alphabetical order; numbers in increasing order. */
  classes(column: string): readonly string[];
  /**
   * A column as labels: int32 [size], each the place of its text among `classes(column)` of the table
   * that was read, so that parts of one table agree.
   */
  labels(column: string): Tensor;
  /**
   * Divide at random: a part with this fraction of the rows (rounded, at least 1), and the rest.
   *
   * @param options `seed`: default 0; equal seeds give equal parts.
   */
  split(fraction: number, options?: { readonly seed?: number }): readonly [Table, Table];
}

/**
 * Read comma-separated values (RFC 4180) whose first line names the columns. Empty lines are
 * passed over.
 *
 * @param name what errors call the file; default `table`.
 * @throws {InputError} when a row has another number of fields than there are columns.
 * @example
 * const table = parseCsv(await readFile("iris.csv", "utf8"), "iris.csv");
 * const samples = { x: table.numbers("length", "width"), y: table.labels("species") };
 */
export function parseCsv(text: string, name = "table"): Table {
  // Spreadsheets begin their files with a byte order mark.
  const lines = csvParseRows(text.replace(/^\uFEFF/, ""))
    .map((fields, line) => ({ fields: fields.map((field) => field.trim()), line: line + 1 }))
    .filter(({ fields }) => fields.some((field) => field !== ""));
  const [head, ...rows] = lines;
  if (head === undefined || rows.length === 0) {
    throw new InputError(`invalid table ${name}: no rows (give names of columns, then rows)`);
  }
  const columns = head.fields;
  const twice = columns.find((column, i) => columns.indexOf(column) !== i);
  if (twice !== undefined) {
    throw new InputError(`invalid table ${name}: two columns "${twice}" (name each once)`);
  }
  for (const { fields, line } of rows) {
    if (fields.length === columns.length) continue;
    throw new InputError(
      `invalid table ${name}: ${fields.length} fields in line ${line} (give ${columns.length}, one per column)`,
    );
  }
  const whole = { name, columns, rows };
  return tableOf(whole, whole.rows);
}

interface Whole {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

interface Row {
  readonly fields: readonly string[];
  readonly line: number;
}

function tableOf(whole: Whole, rows: readonly Row[]): Table {
  const { name, columns } = whole;
  const placeOf = (column: string): number => {
    const place = columns.indexOf(column);
    if (place >= 0) return place;
    throw new InputError(
      `unknown column "${column}" of ${name} (choose from ${columns.join(", ")})`,
    );
  };
  const classes = (column: string): readonly string[] => {
    const place = placeOf(column);
    const texts = [...new Set(whole.rows.map(({ fields }) => fields[place] as string))];
    const numeric = texts.every(isNumber);
    return texts.sort((a, b) => (numeric ? Number(a) - Number(b) : a < b ? -1 : 1));
  };
  return {
    columns,
    size: rows.length,
    numbers(...wanted) {
      const chosen =
        wanted.length > 0
          ? wanted
          : columns.filter((_, i) => whole.rows.every(({ fields }) => isNumber(fields[i] ?? "")));
      const places = chosen.map(placeOf);
      const values = rows.flatMap(({ fields, line }) =>
        places.map((place, i) => {
          const text = fields[place] as string;
          if (isNumber(text)) return Number(text);
          throw new InputError(
            `invalid ${chosen[i]} in line ${line} of ${name}: ${text === "" ? "nothing" : text.slice(0, 40)} (give a finite number)`,
          );
        }),
      );
      return tensor(values, [rows.length, places.length], "float64");
    },
    classes,
    labels(column) {
      const place = placeOf(column);
      const order = new Map(classes(column).map((text, i) => [text, i]));
      const values = rows.map(({ fields }) => order.get(fields[place] as string) as number);
      return tensor(values, [rows.length], "int32");
    },
    split(fraction, { seed = 0 } = {}) {
      if (!(fraction > 0 && fraction < 1) || rows.length < 2) {
        throw new InputError(
          `invalid fraction: ${fraction} of ${rows.length} rows (give one between 0 and 1, and two rows or more)`,
        );
      }
      const count = Math.min(rows.length - 1, Math.max(1, Math.round(fraction * rows.length)));
      const order = randomStream(seed, "split").permutation(rows.length);
      const part = (from: number, to?: number) =>
        tableOf(
          whole,
          Array.from(order.subarray(from, to), (i) => rows[i] as Row),
        );
      return [part(0, count), part(count)];
    },
  };
}

const isNumber = (text: string): boolean => text !== "" && Number.isFinite(Number(text));

/**
 * Columns shifted and scaled to mean 0 and standard deviation 1 over `like`, so that test samples go the
 * way training samples went: (x − mean)/deviation. A column without deviation is shifted only.
 *
 * @param x Float, shape [samples, columns].
 * @param like default `x`.
 */
export function standardized(x: Tensor, like: Tensor = x): Tensor {
  const columns = x.shape[1] ?? 1;
  const scales = Array.from({ length: columns }, (_, column) => {
    const values = Array.from(like.data).filter((_, i) => i % columns === column);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return { mean, deviation: Math.sqrt(variance) || 1 };
  });
  const values = Array.from(x.data, (value, i) => {
    const { mean, deviation } = scales[i % columns] as (typeof scales)[number];
    return (value - mean) / deviation;
  });
  return tensor(values, x.shape, x.dtype);
}
