/** Packed studies, read: a study in one file, gzip of JSON, a line per cell. */
import { InputError } from "../engine/errors.ts";
import { fromJson } from "../run/checked.ts";
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
 * Read a packed study. It stays in memory, histories as text: most of a file is histories, and few
 * of them are asked for.
 *
 * @param path what messages call it.
 * @throws {InputError} when it is not one, or one of a newer version; `history` when that is none.
 */
export async function readPack(bytes: Uint8Array<ArrayBuffer>, path: string): Promise<StoredStudy> {
  let number = 0;
  let config: ReturnType<typeof parseDescription> | undefined;
  const cells: Cell[] = [];
  const rows: Row[] = [];
  const histories = new Map<string, string>();
  for await (const line of unpack(bytes, path)) {
    number++;
    if (config === undefined) {
      config = parseDescription(parseLine(line, path, number), path);
      continue;
    }
    const { cell, row, history } = partsOf(line) ?? wholeOf(line, path, number);
    if (cell) cells.push({ id: cell.id, at: cell.at, spec: cell.spec });
    if (row) rows.push(row);
    histories.set((cell?.id ?? row?.cell) as string, history);
  }
  config ??= parseDescription(parseLine(new Uint8Array(), path, 1), path);
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
      const stored = histories.get(cell);
      if (stored === undefined) return [];
      const found = historyIn(stored);
      if (found === undefined) {
        throw new InputError(
          `invalid file ${path}: the history of ${cell} is none (it has been changed)`,
        );
      }
      return parseHistory(found.map((row) => `${JSON.stringify(row)}\n`).join(""));
    },
  };
}

/** The parts of a line: the cell, its row, and its history as text, `"history":[…]}`. */
interface LineParts {
  readonly cell: Cell | undefined;
  readonly row: Row | undefined;
  readonly history: string;
}

const decoder = new TextDecoder();
/** How the history begins, which is last in a line that {@link PackLine} was written to. */
const historyStart = new TextEncoder().encode(',"history":[');

/** The parts of a line as it was written, without reading the history; `undefined` of any other. */
function partsOf(line: Uint8Array): LineParts | undefined {
  // Nothing else in a line is a list: one that ends so ends with the history.
  const [bracket, brace] = line.subarray(-2);
  const at = bracket === 0x5d && brace === 0x7d ? lastOf(line, historyStart) : -1;
  if (at < 0) return undefined;
  const found = fromJson(`${decoder.decode(line.subarray(0, at))}}`);
  return withHistory(found, decoder.decode(line.subarray(at + 1)));
}

/** The parts of a line in whatever order. */
function wholeOf(line: Uint8Array, path: string, number: number): LineParts {
  const found = parseLine(line, path, number) as Partial<PackLine> | null;
  const history = Array.isArray(found?.history) ? found.history : undefined;
  const parts = history && withHistory(found, `"history":${JSON.stringify(history)}}`);
  if (parts) return parts;
  throw new InputError(`invalid file ${path}: line ${number} is no cell (it has been changed)`);
}

/** Cell and row of a line that has one of them, with its history; `undefined` where it has neither. */
function withHistory(found: unknown, history: string): LineParts | undefined {
  const line = found as Partial<PackLine> | null | undefined;
  const [cell, row] = [asCell(line), asRow(line?.row)];
  if (cell === undefined && row === undefined) return undefined;
  const isWhole = (row || line?.row === null) && (!cell || !row || cell.id === row.cell);
  return isWhole ? { cell, row, history } : undefined;
}

/** The history in the text of {@link LineParts}; `undefined` where it is none. */
function historyIn(text: string): readonly unknown[] | undefined {
  const found = fromJson(`{${text}`) as Partial<PackLine> | undefined;
  return Array.isArray(found?.history) ? found.history : undefined;
}

/** Where some bytes stand last in others; −1 where they do not. */
function lastOf(bytes: Uint8Array, wanted: Uint8Array): number {
  // By hand: `lastIndexOf` of bytes takes ten times as long.
  for (let at = bytes.length - wanted.length; at >= 0; at--) {
    let same = 0;
    while (same < wanted.length && bytes[at + same] === wanted[same]) same++;
    if (same === wanted.length) return at;
  }
  return -1;
}

/**
 * The lines of a gzip file, which carries a checksum.
 *
 * @throws {InputError} when it is none, or a single bit of it has changed.
 */
async function* unpack(bytes: Uint8Array<ArrayBuffer>, path: string): AsyncGenerator<Uint8Array> {
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  // Piece by piece: the whole may be longer than the longest string.
  const reader = unpacked.getReader();
  let rest: Uint8Array[] = [];
  for (;;) {
    const { done, value = new Uint8Array() } = await reader.read().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new InputError(
        `invalid file ${path}: cannot unpack it, ${reason} (it has been changed)`,
      );
    });
    let from = 0;
    for (let end = value.indexOf(lineBreak); end >= 0; end = value.indexOf(lineBreak, from)) {
      yield joined([...rest, value.subarray(from, end)]);
      rest = [];
      from = end + 1;
    }
    if (from < value.length) rest.push(value.subarray(from));
    if (!done) continue;
    if (rest.length > 0) yield joined(rest);
    return;
  }
}

const lineBreak = 10;

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first = new Uint8Array(), ...others] = pieces;
  if (others.length === 0) return first;
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function parseLine(line: Uint8Array, path: string, number: number): unknown {
  try {
    return JSON.parse(decoder.decode(line));
  } catch {
    throw new InputError(`invalid file ${path}: line ${number} is not JSON (it has been changed)`);
  }
}
