/** Packed studies: a study in one file, to keep beside code or to send. Gzip of JSON, a line per cell. */
import { InputError } from "../engine/errors.ts";
import { readPacked, writePacked } from "../platform/node/packed.ts";
import { asCell, asRow, parseHistory, type Row } from "../study/cell.ts";
import type { Cell } from "../study/study.ts";
import { describeStudy, parseDescription, type StoredStudy } from "./store.ts";

/** How the names of packed studies end. */
export const packEnding = ".jsonl.gz";

/** Whether a path is that of a packed study. */
export const isPack = (path: string): boolean => path.endsWith(packEnding);

/**
 * A line after the first, which describes the study. The cell is absent where the study no longer
 * has that of the row. Numbers of a history that are not finite are `null`.
 */
interface PackLine extends Partial<Cell> {
  readonly row: Row | null;
  readonly history: readonly unknown[];
}

/**
 * Write a study as one file: what was asked, all cells, rows and histories. Final parameters do not
 * go into it.
 *
 * @param path ends in `.jsonl.gz`.
 */
export async function packStudy(path: string, stored: StoredStudy): Promise<void> {
  if (!isPack(path)) {
    throw new InputError(`invalid to: ${path} (give a file that ends in ${packEnding})`);
  }
  await writePacked(path, linesOf(stored));
}

async function* linesOf(stored: StoredStudy): AsyncGenerator<string> {
  const rows = new Map<string, Row>();
  for await (const row of stored.rows()) rows.set(row.cell, row);
  yield JSON.stringify(describeStudy(stored, stored.cells.length));
  for (const cell of stored.cells) {
    const { id } = cell;
    const line: PackLine = {
      ...cell,
      row: rows.get(id) ?? null,
      history: await stored.history(id),
    };
    yield JSON.stringify(line);
    rows.delete(id);
  }
  for (const [id, row] of rows) {
    const line: PackLine = { row, history: await stored.history(id) };
    yield JSON.stringify(line);
  }
}

/**
 * Read a packed study. It stays in memory.
 *
 * @throws {InputError} when it is not one, or one of a newer version.
 */
export async function readStudyPack(path: string): Promise<StoredStudy> {
  const [first, ...lines] = await readPacked(path);
  const config = parseDescription(parseLine(first ?? "", path, 1), path);
  const cells: Cell[] = [];
  const rows: Row[] = [];
  const histories = new Map<string, PackLine["history"]>();
  for (const [i, line] of lines.entries()) {
    const found = parseLine(line, path, i + 2) as Partial<PackLine> | null;
    const [cell, row] = [asCell(found), asRow(found?.row)];
    const id = cell?.id ?? row?.cell;
    const isWhole = (row || found?.row === null) && (!cell || !row || cell.id === row.cell);
    if (id === undefined || !isWhole || !Array.isArray(found?.history)) {
      throw new InputError(`invalid file ${path}: line ${i + 2} is no cell (it has been changed)`);
    }
    if (cell) cells.push({ id, at: cell.at, spec: cell.spec });
    if (row) rows.push(row);
    histories.set(id, found.history);
  }
  if (cells.length !== config.cells) {
    throw new InputError(
      `invalid file ${path}: ${cells.length} cells where ${config.cells} were written (it has been changed)`,
    );
  }
  return {
    ...config,
    name: path,
    cells,
    async *rows() {
      yield* rows;
    },
    async history(cell) {
      const lines = (histories.get(cell) ?? []).map((row) => `${JSON.stringify(row)}\n`);
      return parseHistory(lines.join(""));
    },
    async drop() {
      throw packed(path);
    },
    close: async () => {},
  };
}

/** What is said to those who want to change a packed study. */
export const packed = (path: string): InputError =>
  new InputError(
    `invalid study ${path}: a packed study cannot be changed (lucid sweep unpack ${path}, then use its folder)`,
  );

function parseLine(line: string, path: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new InputError(`invalid file ${path}: line ${number} is not JSON (it has been changed)`);
  }
}
