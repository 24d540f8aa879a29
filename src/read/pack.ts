/** Packed studies, read: a study in one file, gzip of JSON, a line per cell. */
import { InputError } from "../engine/errors.ts";
import { splitLines } from "../platform/split-lines.ts";
import { asCell, asRow, parseHistory, type Row } from "../study/cell.ts";
import type { Cell } from "../study/study.ts";
import { parseDescription, type StoredStudy } from "./study.ts";

/** How the names of packed studies end. */
export const packEnding = ".jsonl.gz";

/** Whether a path is that of a packed study. */
export const isPack = (path: string): boolean => path.endsWith(packEnding);

/**
 * A line after the first, which describes the study. The cell is absent where the study no longer
 * has that of the row. Numbers of a history that are not finite are `null`.
 */
export interface PackLine extends Partial<Cell> {
  readonly row: Row | null;
  readonly history: readonly unknown[];
}

/**
 * Read a packed study. It stays in memory.
 *
 * @param path what messages call it.
 * @throws {InputError} when it is not one, or one of a newer version.
 */
export async function readPack(bytes: Uint8Array<ArrayBuffer>, path: string): Promise<StoredStudy> {
  const [first, ...lines] = await unpack(bytes, path);
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
  };
}

/**
 * The lines of a gzip file, which carries a checksum.
 *
 * @throws {InputError} when it is none, or a single bit of it has changed.
 */
async function unpack(bytes: Uint8Array<ArrayBuffer>, path: string): Promise<string[]> {
  const lines: string[] = [];
  // Piece by piece: the whole may be longer than the longest string.
  const split = splitLines();
  try {
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    for (const reader = unpacked.getReader(); ;) {
      const { done, value = new Uint8Array() } = await reader.read();
      for (const { text } of split(value, done)) lines.push(text);
      if (done) return lines;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`invalid file ${path}: cannot unpack it, ${reason} (it has been changed)`);
  }
}

function parseLine(line: string, path: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new InputError(`invalid file ${path}: line ${number} is not JSON (it has been changed)`);
  }
}
