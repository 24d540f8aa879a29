/** Stores of studies: the same questions to a folder and to a database. */
import { z } from "zod";
import { InputError } from "../engine/errors.ts";
import { engineChoices, type EngineChoice } from "../engine/engines.ts";
import { packageVersion } from "../platform/node/machine.ts";
import type { Row } from "../study/cell.ts";
import type { MetricRow } from "../run/history.ts";
import type { Cell, Study } from "../study/study.ts";
import type { CellSource } from "../study/claims.ts";

/** All that decides the rows of a study. */
export interface StudyConfig {
  readonly study: Study;
  readonly engine: EngineChoice;
}

/** Version of the layout of stored studies, in folders and in files. */
const format = 1;

const descriptionSchema = z.object({
  engine: z.enum(engineChoices),
  cells: z.int(),
  study: z.custom<Study>((value) => typeof value === "object" && value !== null),
});

/** What a stored study says of itself, as JSON. */
export const describeStudy = ({ study, engine }: StudyConfig, cells: number) => ({
  format,
  version: packageVersion,
  engine,
  cells,
  study,
});

/**
 * Read {@link describeStudy}.
 *
 * @throws {InputError} when it is something else, or of a newer version.
 */
export function parseDescription(
  found: unknown,
  path: string,
): StudyConfig & { readonly cells: number } {
  const version = (found as { version?: unknown } | null)?.version;
  const written = (found as { format?: unknown } | null)?.format;
  if (typeof written === "number" && written > format) {
    throw new InputError(
      `invalid file ${path}: written by lucid-sam ${String(version)}, which is newer (update lucid-sam)`,
    );
  }
  const parsed = descriptionSchema.safeParse(found);
  if (!parsed.success) throw new InputError(`invalid file ${path}: not the description of a study`);
  return parsed.data;
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
  /**
   * Take rows out of the way, so that the next sweep runs their cells again.
   *
   * @returns the rows that went.
   */
  drop(unwanted: (row: Row) => boolean): Promise<Row[]>;
  close(): Promise<void>;
}

/** A study that this process adds to. */
export interface OpenStudy {
  /** How messages call it. */
  readonly name: string;
  /** Cells that have a row. */
  readonly finished: ReadonlySet<string>;
  /** The unfinished cells. */
  readonly source: CellSource;
  /** Look for rows that other processes have added; absent where there are none. */
  readonly refresh?: () => Promise<void>;
  close(): Promise<void>;
}

/**
 * Rows made under other settings must not mix.
 *
 * @throws {InputError} when the settings differ.
 */
export function checkSame(name: string, before: StudyConfig, now: StudyConfig): void {
  const aspects = [
    ["study", before.study.name, now.study.name],
    ["engine", before.engine, now.engine],
    ["record", before.study.record, now.study.record],
    ["keep", before.study.keep, now.study.keep],
    ["certify", before.study.certify, now.study.certify],
  ] as const;
  for (const [what, old, wanted] of aspects) {
    if (old === wanted) continue;
    throw new InputError(
      `invalid ${what}: ${wanted ?? "default"}, but the rows in ${name} were made with ${old ?? "default"} (keep it, or give the study another name or --out)`,
    );
  }
}
