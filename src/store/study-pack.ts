/** Packed studies: a study in one file, to keep beside code or to send. */
import { InputError } from "../engine/errors.ts";
import { readBytes } from "../platform/node/files.ts";
import { writePacked } from "../platform/node/packed.ts";
import { isPack, packEnding, readPack, type PackLine } from "../read/pack.ts";
import type { Row } from "../study/cell.ts";
import { describeStudy, type StoredStudy } from "./store.ts";

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
 * Read a packed study.
 *
 * @throws {InputError} when it is not one, or one of a newer version.
 */
export async function readStudyPack(path: string): Promise<StoredStudy> {
  return {
    ...(await readPack(await readBytes(path), path)),
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
