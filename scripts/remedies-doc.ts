/**
 * The generator of the tables of docs/remedies.md from the rows of studies/remedies.ts.
 *
 *     node scripts/remedies-doc.ts [STUDY]    # default: the rows in this repository
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { format } from "prettier";
import { verdictName, type Row } from "../src/study/cell.ts";
import { readStudyFolder } from "../src/store/study-folder.ts";
import study from "../studies/remedies.ts";

const root = resolve(import.meta.dirname, "..");
const path = join(root, "docs/remedies.md");
const committed = join(root, "studies/results/remedies.jsonl.gz");
const marks = ["<!-- tables: begin -->", "<!-- tables: end -->"] as const;

/** The document with its tables written anew from `rows`; the text around them stays. */
export function withTables(document: string, rows: readonly Row[]): Promise<string> {
  const [before, after] = [document.split(marks[0])[0], document.split(marks[1])[1]];
  if (before === undefined || after === undefined) {
    throw new Error(`invalid docs/remedies.md: it has lost its marks ${marks.join(" … ")}`);
  }
  const tables = study.axes.rho.map((rho) => table(rho, rows)).join("\n\n");
  const text = `${before}${marks[0]}\n\n${tables}\n\n${marks[1]}${after}`;
  return format(text, { parser: "markdown", printWidth: 100 });
}

function table(rho: number, rows: readonly Row[]): string {
  const lines = Object.keys(study.axes.remedy).map((remedy) => {
    const found = rows.filter(({ at }) => at["rho"] === rho && at["remedy"] === remedy);
    const numbers = (of: (row: Row) => number | null | undefined) =>
      found.map(of).filter((value): value is number => typeof value === "number");
    const cells = [
      remedy,
      spread(
        numbers(({ final }) => final?.loss),
        (loss) => (loss < 1 ? loss.toPrecision(2) : loss.toFixed(2)),
      ),
      spread(
        numbers(({ final }) => final?.testAccuracy),
        (share) => (100 * share).toFixed(1),
      ),
      spread(
        numbers(({ evaluations }) => evaluations),
        (count) => `${(count / 1000).toFixed(1)}k`,
      ),
      verdictsOf(found),
      String(found.length),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    `### ρ = ${rho}`,
    "",
    "| remedy | final train loss | test accuracy, % | gradient evaluations | verdicts | seeds |",
    "| --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

/** Median, and in brackets the extremes. */
function spread(values: readonly number[], show: (value: number) => string): string {
  if (values.length === 0) return "";
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)] as number;
  const [low, high] = [show(sorted[0] as number), show(sorted.at(-1) as number)];
  return low === high ? low : `${show(middle)} (${low}–${high})`;
}

function verdictsOf(rows: readonly Row[]): string {
  const verdicts = Map.groupBy(rows, (row) => verdictName(row) ?? "failed");
  return [...verdicts]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([name, { length }]) => (verdicts.size === 1 ? name : `${length} ${name}`))
    .join(", ");
}

/** The rows of a swept study. */
export async function rowsIn(folder = committed): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of (await readStudyFolder(folder)).rows()) rows.push(row);
  return rows;
}

if (process.argv[1] === import.meta.filename) {
  const rows = await rowsIn(process.argv[2]);
  writeFileSync(path, await withTables(readFileSync(path, "utf8"), rows));
}
