/** Studies, read from their folders: what was asked, which cells there are, what became of them. */
import { z } from "zod";
import { engineChoices, type EngineChoice } from "../engine/engines.ts";
import { InputError } from "../engine/errors.ts";
import { checkFileName, linesOf, type Folder } from "../platform/files.ts";
import { splitLines } from "../platform/split-lines.ts";
import { fromJson, withoutCheck } from "../run/checked.ts";
import type { MetricRow } from "../run/history.ts";
import { asCell, asRow, parseHistory, type Row } from "../study/cell.ts";
import type { Cell, Study } from "../study/study.ts";
import { readChecked } from "./checked-file.ts";

/** Version of the layout of stored studies, in folders and in files. */
export const studyFormat = 1;

/** Files and folders of a study folder. */
export const studyFiles = {
  /** The study, its engine, the layout's version. Written first: a folder with it is a study. */
  study: "study.json",
  /** One line per cell: where it lies on the axes, and its spec. */
  cells: "cells.jsonl",
  /** One line per finished cell. Only ever appended to, but for `rerun`. */
  rows: "rows.jsonl",
  /** Rows that `rerun` took out of the way. */
  replaced: "replaced.jsonl",
  /** One file per cell: its thinned history, while it runs and after. */
  metrics: "metrics",
  /** One file per cell: its final parameters, where the study keeps them. */
  points: "points",
  /** One file per unfinished cell: where its run stands. */
  running: "running",
} as const;

/** All that decides the rows of a study. */
export interface StudyConfig {
  readonly study: Study;
  readonly engine: EngineChoice;
}

/** A study as it was stored; a sweep may be adding to it meanwhile. */
export interface StoredStudy extends StudyConfig {
  /** How messages call it. */
  readonly name: string;
  readonly cells: readonly Cell[];
  /** All rows, one by one, in no particular order. */
  rows(): AsyncIterable<Row>;
  /** The thinned history of a cell so far; empty before it began. */
  history(cell: string): Promise<MetricRow[]>;
}

const descriptionSchema = z.object({
  engine: z.enum(engineChoices),
  cells: z.int(),
  study: z.custom<Study>((value) => typeof value === "object" && value !== null),
});

/**
 * Read what a stored study says of itself.
 *
 * @param path what messages call the file.
 * @throws {InputError} when it is something else, or of a newer version.
 */
export function parseDescription(
  found: unknown,
  path: string,
): StudyConfig & { readonly cells: number } {
  const version = (found as { version?: unknown } | null)?.version;
  const written = (found as { format?: unknown } | null)?.format;
  if (typeof written === "number" && written > studyFormat) {
    throw new InputError(
      `invalid file ${path}: written by lucid-sam ${String(version)}, which is newer (update lucid-sam)`,
    );
  }
  const parsed = descriptionSchema.safeParse(found);
  if (!parsed.success) throw new InputError(`invalid file ${path}: not the description of a study`);
  return parsed.data;
}

/** {@link parseDescription} of the study in a folder. */
export async function readDescription(
  folder: Folder,
): Promise<StudyConfig & { readonly cells: number }> {
  const found = await readChecked(folder, studyFiles.study).catch(async (error: unknown) => {
    if (!(error instanceof InputError) || !error.message.startsWith("missing")) throw error;
    // Of a folder that is not there, that is what is to be said.
    await folder.list();
    throw new InputError(
      `missing study in ${folder.name}: it has no ${studyFiles.study} (give a folder made by lucid sweep)`,
    );
  });
  return parseDescription(found, folder.nameOf(studyFiles.study));
}

/**
 * Read a study from its folder.
 *
 * @throws {InputError} when it holds none, or one of a newer version.
 */
export async function readStudy(folder: Folder): Promise<StoredStudy> {
  const config = await readDescription(folder);
  const cells: Cell[] = [];
  const path = folder.nameOf(studyFiles.cells);
  const parse = entryParser(path, cellEntry);
  for await (const line of linesOf(folder, studyFiles.cells)) cells.push(parse(line));
  if (cells.length !== config.cells) {
    throw new InputError(
      `invalid file ${path}: ${cells.length} cells where ${config.cells} were written (it has been changed; ${cellEntry.remedy})`,
    );
  }
  return {
    ...config,
    name: folder.name,
    cells,
    rows: () => readRows(folder),
    async history(cell) {
      checkFileName(cell);
      const file = `${studyFiles.metrics}/${cell}.jsonl`;
      const bytes = await folder.read(file);
      return bytes ? parseHistory(new TextDecoder().decode(bytes), folder.nameOf(file)) : [];
    },
  };
}

/** The rows of a study folder, one by one; of a row that is being written, nothing. */
export async function* readRows(folder: Folder): AsyncGenerator<Row> {
  const parse = entryParser(folder.nameOf(studyFiles.rows), rowEntry);
  for await (const line of linesOf(folder, studyFiles.rows)) yield parse(line);
}

/**
 * A reader of the rows of a study that are there and of those that are added, piece by piece, as
 * the file `rows.jsonl` grows. Of a row that is not complete, nothing until it is.
 *
 * @param path what messages call the file.
 * @returns takes the next bytes, returns the rows that end in them.
 */
export function growingRows(path: string): (bytes: Uint8Array) => Row[] {
  const split = splitLines();
  const parse = entryParser(path, rowEntry);
  return (bytes) => split(bytes, false).map(({ text }) => parse(text));
}

/** What the lines of a file are, and what to do about one that is something else. */
interface Entry<T> {
  readonly as: (value: unknown) => T | undefined;
  readonly what: string;
  readonly remedy: string;
}

const cellEntry: Entry<Cell> = {
  as: asCell,
  what: "a cell",
  remedy: "sweep the study again to have it rewritten",
};

const rowEntry: Entry<Row> = {
  as: asRow,
  what: "the row of a cell",
  remedy: "delete the line and its cell runs again",
};

/** Reads line after line of a file. */
function entryParser<T>(path: string, { as, what, remedy }: Entry<T>): (line: string) => T {
  let number = 0;
  return (line) => {
    number++;
    const text = withoutCheck(line);
    const value = text === undefined ? undefined : fromJson(text);
    const entry = as(value);
    if (entry !== undefined) return entry;
    const fault = text === undefined ? "what was written" : value === undefined ? "JSON" : what;
    throw new InputError(
      `invalid file ${path}: line ${number} is not ${fault} (it has been changed; ${remedy})`,
    );
  };
}
