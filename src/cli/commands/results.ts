/** `lucid sweep status`, `export`, `rerun`, `pack`, `unpack`: the results of a study. */
import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command, OptionValues } from "@commander-js/extra-typings";
import { InputError, printable, unknownName } from "../../engine/errors.ts";
import { writeBytes, writeText } from "../../platform/node/files.ts";
import type { Row } from "../../study/cell.ts";
import { studyStatus, type StudyStatus } from "../../study/status.ts";
import type { StoredStudy } from "../../store/store.ts";
import { readStudyFolder, writeStudyFolder } from "../../store/study-folder.ts";
import { isPack, packEnding } from "../../read/pack.ts";
import { packStudy } from "../../store/study-pack.ts";
import { describeCoordinates } from "../../study/study.ts";
import { toColumns, toCsv, toParquet } from "../../study/table.ts";
import { relativeWords } from "../../run/radius.ts";
import { short, whole } from "../../report/words.ts";
import { option, storeOption } from "../shared/arguments.ts";
import { openStored } from "../shared/stored.ts";
import { table } from "../shared/table.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

export function addResults(
  sweep: Command<[string | undefined], OptionValues>,
  terminal: Terminal,
): void {
  const study = "the folder or file of a study, or its name in the database";
  // Commander lets options of `sweep` stand behind its subcommands, where nothing would read them.
  sweep.hook("preAction", (_, command) => {
    const own = new Set(command.options.map(({ long }) => long));
    const stray = sweep.options.find(
      (option) =>
        !own.has(option.long) && sweep.getOptionValueSource(option.attributeName()) === "cli",
    );
    if (!stray) return;
    throw new InputError(`unknown option "${stray.long}" of sweep ${command.name()} (see --help)`);
  });
  sweep
    .command("status")
    .description("Where a study stands.")
    .argument("<study>", study)
    .addOption(storeOption())
    .option("--watch", "show it again every two seconds until it is done")
    .option("--json", "print one JSON document instead of a table")
    .action((name, _, command) => status(name, command.optsWithGlobals(), terminal));
  sweep
    .command("export")
    .description("Rows as a table for pandas, DuckDB, spreadsheets.")
    .argument("<study>", study)
    .addOption(storeOption())
    .addOption(option("--format <name>", "csv, parquet or json (default: as --to ends, or csv)"))
    .addOption(option("--to <file>", "where to (default: stdout)"))
    .option("--history", "the histories of all cells instead: one line per row kept")
    .action((name, _, command) => exportRows(name, command.optsWithGlobals(), terminal));
  sweep
    .command("rerun")
    .description("Take rows out of the way, so that the next sweep runs their cells again.")
    .argument("<study>", study)
    .argument("[cells...]", "cells by id, as in the column `cell`")
    .addOption(storeOption())
    .option("--failed", "all cells that failed")
    .action((name, cells, _, command) => rerun(name, cells, command.optsWithGlobals(), terminal));
  sweep
    .command("pack")
    .description("Write all of a study but final parameters as one file, to keep or to send.")
    .argument("<study>", study)
    .addOption(storeOption())
    .addOption(option("--to <file>", `ends in ${packEnding} (default: NAME${packEnding})`))
    .action((name, _, command) => pack(name, command.optsWithGlobals(), terminal));
  sweep
    .command("unpack")
    .description("Make a packed study a folder again, so that a sweep can add to it.")
    .argument("<file>", "a file that lucid sweep pack wrote")
    .addOption(option("--to <folder>", `a new one (default: FILE without ${packEnding})`))
    .action((file, { to }) => unpack(file, to, terminal));
}

async function status(
  name: string,
  { store, watch, json }: { store?: string; watch?: true; json?: true },
  terminal: Terminal,
): Promise<void> {
  await withStored(name, store, async (stored) => {
    for (;;) {
      const now = await studyStatus(stored.cells, stored.rows());
      if (watch && terminal.err.isTTY) terminal.out("\u001B[H\u001B[2J");
      showStatus(now, json === true, terminal);
      if (!watch || now.done === now.cells) return;
      await sleep(2000);
    }
  });
}

async function withStored<T>(
  name: string,
  store: string | undefined,
  work: (stored: StoredStudy) => Promise<T>,
): Promise<T> {
  const stored = await openStored(name, store);
  try {
    return await work(stored);
  } finally {
    await stored.close();
  }
}

export function showStatus(status: StudyStatus, json: boolean, terminal: Terminal): void {
  if (json) printJson(terminal, status);
  else terminal.out(describeStatus(status));
}

/** Groups shown in a table; beyond that it says how many more there are. */
const mostGroups = 60;

function describeStatus({
  cells,
  done,
  statuses,
  groups,
  failures,
  foreign,
  repeated = 0,
}: StudyStatus): string {
  const axes = Object.keys(groups[0]?.at ?? {});
  const median = (losses: readonly number[]) => losses[Math.floor(losses.length / 2)];
  const withRadius = groups.some(({ relativeRhos }) => relativeRhos.length > 0);
  const lines = groups
    .slice(0, mostGroups)
    .map(({ at, cells, done, losses, relativeRhos, verdicts }) => [
      ...axes.map((axis) => text(at[axis])),
      ...(withRadius ? [relativeWords(relativeRhos) || "–"] : []),
      `${done}/${cells}`,
      losses.length === 0 ? "–" : short(median(losses) ?? NaN),
      losses.length === 0 ? "–" : `${short(losses[0] ?? NaN)} to ${short(losses.at(-1) ?? NaN)}`,
      Object.entries(verdicts)
        .sort(([, a], [, b]) => b - a)
        .map(([name, count]) => `${count} ${name}`)
        .join(", "),
    ]);
  const counts = Object.entries(statuses).map(([name, count]) => `${whole(count)} ${name}`);
  return [
    `${whole(done)} of ${whole(cells)} cells done${counts.length > 0 ? `: ${counts.join(", ")}` : ""}\n\n`,
    table([
      [...axes, ...(withRadius ? ["radius"] : []), "done", "median loss", "range", "verdicts"],
      ...lines,
    ]),
    ...(groups.length > mostGroups ? [`and ${groups.length - mostGroups} more\n`] : []),
    ...failures.map(
      ({ cell, at, error }) =>
        `${printable(`failed ${cell} ${describeCoordinates(at)}: ${error}`)}\n`,
    ),
    ...(repeated > 0
      ? [
          `${whole(repeated)} more ${repeated === 1 ? "row" : "rows"} of cells that have one already; the first counts\n`,
        ]
      : []),
    ...(foreign > 0 ? [`${whole(foreign)} rows of cells that the study no longer has\n`] : []),
  ].join("");
}

const text = (value: unknown) =>
  value === null ? "–" : typeof value === "string" ? value : JSON.stringify(value);

interface ExportFlags {
  readonly store?: string;
  readonly format?: string;
  readonly to?: string;
  readonly history?: true;
}

const formats = ["csv", "parquet", "json"] as const;

async function exportRows(
  name: string,
  { store, format, to, history }: ExportFlags,
  terminal: Terminal,
): Promise<void> {
  const wanted = format ?? (to === undefined ? "csv" : extname(to).slice(1));
  const chosen = formats.find((known) => known === wanted);
  if (chosen === undefined) throw unknownName("format", wanted, formats);
  if (chosen === "parquet" && to === undefined) {
    throw new InputError("missing to (parquet needs a file, such as --to rows.parquet)");
  }
  const rows = await withStored(name, store, history ? historiesOf : rowsOf);
  if (chosen === "parquet" && to !== undefined) {
    await writeBytes(to, await toParquet(toColumns(rows)));
    return;
  }
  const document = chosen === "json" ? `${JSON.stringify(rows)}\n` : toCsv(toColumns(rows));
  if (to === undefined) terminal.out(document);
  else await writeText(to, document);
}

/** Rows in the order of the cells, whichever order they were finished in. */
async function rowsOf(stored: StoredStudy): Promise<Row[]> {
  const found = new Map<string, Row>();
  for await (const row of stored.rows()) if (!found.has(row.cell)) found.set(row.cell, row);
  return stored.cells.flatMap(({ id }) => found.get(id) ?? []);
}

async function historiesOf(stored: StoredStudy): Promise<object[]> {
  const all: object[] = [];
  for (const { id, at } of stored.cells) {
    for (const row of await stored.history(id)) all.push({ cell: id, at, ...row });
  }
  return all;
}

async function rerun(
  name: string,
  cells: readonly string[],
  { store, failed }: { store?: string; failed?: true },
  terminal: Terminal,
): Promise<void> {
  if (cells.length === 0 && !failed) {
    throw new InputError("missing cells (give their ids, or --failed)");
  }
  await withStored(name, store, async (stored) => {
    const known = new Set<string>();
    for await (const { cell } of stored.rows()) known.add(cell);
    const missing = cells.find((cell) => !known.has(cell));
    if (missing !== undefined) {
      throw new InputError(`unknown cell "${missing}" (lucid sweep export ${name} lists them)`);
    }
    const wanted = new Set(cells);
    const { length } = await stored.drop(
      ({ cell, status }) => wanted.has(cell) || (failed === true && status === "failed"),
    );
    terminal.err.write(
      `${length} ${length === 1 ? "cell" : "cells"} to run again: lucid sweep, or a lucid worker, will\n`,
    );
  });
}

async function pack(
  name: string,
  { store, to }: { store?: string; to?: string },
  terminal: Terminal,
): Promise<void> {
  await withStored(name, store, async (stored) => {
    const file = to ?? `${stored.study.name}${packEnding}`;
    await packStudy(file, stored);
    terminal.err.write(`${file}: ${whole(stored.cells.length)} cells\n`);
  });
}

async function unpack(
  file: string,
  to = file.slice(0, -packEnding.length),
  terminal: Terminal,
): Promise<void> {
  if (!isPack(file)) {
    throw new InputError(`invalid file ${file}: not packed (give one that ends in ${packEnding})`);
  }
  const stored = await readStudyFolder(file);
  await writeStudyFolder(to, stored);
  terminal.err.write(`${to}: ${whole(stored.cells.length)} cells\n`);
}
