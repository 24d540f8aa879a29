/** Cells of tables: numbers, spreads, proportions and differences as the pages print them. */
import { fileURLToPath } from "node:url";
import type { MetricRow } from "lucid-sam/run";
import { readStudyFolder } from "lucid-sam/store";
import type { Row } from "lucid-sam/study";
import { clopperPearson, studentMean } from "../intervals.ts";

/** A file of stored rows. */
export const results = (name: string): string =>
  fileURLToPath(new URL(`../results/${name}`, import.meta.url));

/** A run of a stored study. */
export interface StoredRun {
  readonly row: Row;
  readonly history: readonly MetricRow[];
}

/** All runs of a packed study. */
export async function runsOf(study: string): Promise<StoredRun[]> {
  const stored = await readStudyFolder(results(`${study}.jsonl.gz`));
  const runs: StoredRun[] = [];
  for await (const row of stored.rows()) {
    runs.push({ row, history: await stored.history(row.cell) });
  }
  return runs;
}

/** A table in Markdown. */
export function markdown(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** So many significant digits, without zeros at their end. */
export const digits = (value: number | null | undefined, count = 2): string =>
  value === null || value === undefined || Number.isNaN(value)
    ? "–"
    : String(Number(value.toPrecision(count)));

/** The lower of the two in the middle, so that it is a value that occurred. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

/** Median, and in brackets the extremes. */
export function spread(values: readonly number[], show: (value: number) => string): string {
  if (values.length === 0) return "–";
  const [low, high] = [show(Math.min(...values)), show(Math.max(...values))];
  return low === high ? low : `${show(median(values))} (${low}–${high})`;
}

/** A count, and what it says about the proportion behind it   (Clopper & Pearson 1934). */
export function share(k: number, n: number): string {
  if (n === 0) return "–";
  const [low, high] = clopperPearson(k, n).map((bound) => Math.round(100 * bound));
  return `${k} of ${n} (${low}–${high} %)`;
}

/** The mean of differences with its interval, with signs. */
export function difference(values: readonly number[], show: (value: number) => string): string {
  if (values.length === 0) return "–";
  const { mean, low, high, n } = studentMean(values);
  const signed = (value: number) => {
    const size = show(Math.abs(value));
    return Number(size) === 0 ? size : `${value < 0 ? "−" : "+"}${size}`;
  };
  return n < 2 ? signed(mean) : `${signed(mean)} (${signed(low)} to ${signed(high)})`;
}

/** Final loss. */
export const lossOf = ({ row }: StoredRun): number => row.final?.loss ?? NaN;
/** Test accuracy, in percent. */
export const accuracyOf = ({ row }: StoredRun): number => 100 * (row.final?.testAccuracy ?? NaN);
/** Seed of a run. */
export const seedOf = ({ row }: StoredRun): number => Number(row.at["seed"]);

/** Differences of a quantity to other runs that start alike, where there are such. */
export function paired(
  runs: readonly StoredRun[],
  others: readonly StoredRun[],
  quantity: (run: StoredRun) => number,
): number[] {
  return runs.flatMap((run) => {
    const twin = others.find((other) => seedOf(other) === seedOf(run));
    return twin && twin.row.cell !== run.row.cell ? [quantity(run) - quantity(twin)] : [];
  });
}

/** A loss as it is printed. */
export const showLoss = (loss: number): string =>
  loss < 1 ? loss.toPrecision(2) : loss.toFixed(2);
/** Percent, to a tenth. */
export const showPercent = (value: number): string => value.toFixed(1);
/** Percentage points, to a hundredth. */
export const showPoints = (value: number): string => value.toFixed(2);
