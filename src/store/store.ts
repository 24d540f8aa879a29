/** Stores of studies: the same questions to a folder and to a database. */
import { InputError } from "../engine/errors.ts";
import { packageVersion } from "../platform/node/machine.ts";
import type { Row } from "../study/cell.ts";
import { studyFormat, type StoredStudy as Reading, type StudyConfig } from "../read/study.ts";
import type { CellSource } from "../study/claims.ts";

/** What a stored study says of itself, as JSON. */
export const describeStudy = ({ study, engine }: StudyConfig, cells: number) => ({
  format: studyFormat,
  version: packageVersion,
  engine,
  cells,
  study,
});

/** A study as it was stored, which rows can be taken out of. */
export interface StoredStudy extends Reading {
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
