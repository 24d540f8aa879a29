/** Rows of a log: numbers by name, whoever wrote them, and what a first line says of a run. */

/** Numbers that were logged together. */
export interface LogRow {
  /** Their step; undefined where the log does not count. */
  readonly step: number | undefined;
  readonly values: { readonly [name: string]: number };
}

/** What the header of one of our own recorders says. Other keys are kept. */
export interface LogHeader {
  /** Version of the form. */
  readonly lucid: number;
  readonly evidence?: unknown;
  readonly rho?: unknown;
  readonly dtype?: unknown;
  readonly optimizer?: unknown;
  readonly every?: unknown;
  readonly torch?: unknown;
  readonly [name: string]: unknown;
}

/** One thing that a log says. */
export type LogEntry = { readonly header: LogHeader } | { readonly row: LogRow };

/** Reads one kind of log piece by piece, as it grows. */
export interface LogFormat {
  /**
   * Entries in further bytes. What is cut off at their end waits for more.
   *
   * @param ended whether nothing follows: a last line without a line break counts if it can be read.
   */
  read(bytes: Uint8Array, ended: boolean): LogEntry[];
}

/** What others call the number of a step. */
const stepNames = ["step", "_step", "global_step", "trainer/global_step", "Step", "iteration"];

/** A row of what was logged under names; what is no number is left aside. */
export function toRow(entries: Iterable<readonly [name: string, value: unknown]>): LogRow {
  const values: { [name: string]: number } = {};
  for (const [name, value] of entries) {
    if (typeof value === "number") values[name] = value;
    else if (value === null) values[name] = NaN;
  }
  const step = stepNames.map((name) => values[name]).find((value) => value !== undefined);
  return { step: Number.isFinite(step) ? step : undefined, values };
}
