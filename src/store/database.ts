/** Studies in PostgreSQL: what is run, rows, histories. The queue of cells is in `queue.ts`. */
import { InputError } from "../engine/errors.ts";
import { packageVersion } from "../platform/node/machine.ts";
import { persist } from "../platform/node/outage.ts";
import type { Postgres, Sql } from "../platform/node/postgres.ts";
import { asCell, asRow, parseHistory, type Row } from "../study/cell.ts";
import type { StudyConfig } from "../read/study.ts";
import { checkSame, type StoredStudy } from "./store.ts";
import type { Cell, Coordinates } from "../study/study.ts";
import type { RunSpec } from "../run/spec.ts";

/** Version of the tables. */
const format = 1;

/** Rows fetched at once: bounds memory. */
const pageSize = 500;

const tables = `
  CREATE SCHEMA IF NOT EXISTS lucid;
  CREATE TABLE IF NOT EXISTS lucid.format (format int NOT NULL, version text NOT NULL);
  CREATE TABLE IF NOT EXISTS lucid.studies (study text PRIMARY KEY, config json NOT NULL);
  CREATE TABLE IF NOT EXISTS lucid.cells (
    study text REFERENCES lucid.studies,
    cell text,
    place int NOT NULL,
    at json NOT NULL,
    spec json NOT NULL,
    PRIMARY KEY (study, cell)
  );
  -- The key is what makes a second row of a cell impossible. Not jsonb: it would not keep numbers as written.
  CREATE TABLE IF NOT EXISTS lucid.rows (
    study text,
    cell text,
    number bigint GENERATED ALWAYS AS IDENTITY,
    "row" json NOT NULL,
    history text NOT NULL,
    parameters bytea,
    PRIMARY KEY (study, cell)
  );
  -- Where unfinished runs stand, for whoever continues them.
  CREATE TABLE IF NOT EXISTS lucid.running (
    study text,
    cell text,
    checkpoint bytea NOT NULL,
    history text NOT NULL,
    PRIMARY KEY (study, cell)
  );
  CREATE TABLE IF NOT EXISTS lucid.replaced (
    study text, cell text, "row" json NOT NULL, replaced timestamptz NOT NULL DEFAULT now()
  );
`;

/** Any number, the same for everybody: whoever holds this advisory lock may create tables. */
const tablesLock = 7_325_101;

/**
 * Create the tables that are missing.
 *
 * @throws {InputError} when they are of a newer version.
 */
export async function prepareTables(db: Postgres): Promise<void> {
  await db.transaction(async (sql) => {
    await sql.query("SELECT pg_advisory_xact_lock($1)", [tablesLock]);
    await sql.query(tables);
    const [found] = await sql.query<{ format: number; version: string }>(
      "SELECT format, version FROM lucid.format",
    );
    if (found === undefined) {
      await sql.query("INSERT INTO lucid.format VALUES ($1, $2)", [format, packageVersion]);
    } else refuseNewer(db, found);
  });
}

function refuseNewer(db: Postgres, found: { format: number; version: string }): void {
  if (found.format <= format) return;
  throw new InputError(
    `invalid store ${db.name}: written by lucid-sam ${found.version}, which is newer (update lucid-sam)`,
  );
}

/** @throws {InputError} when there are no tables, or tables of a newer version. */
async function checkFormat(db: Postgres, study: string): Promise<void> {
  const [there] = await db.query<{ there: boolean }>(
    "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'lucid' AND tablename = 'format') AS there",
  );
  if (there?.there !== true) {
    throw new InputError(`unknown study "${study}" in ${db.name} (it has none)`);
  }
  const [found] = await db.query<{ format: number; version: string }>(
    "SELECT format, version FROM lucid.format",
  );
  if (found) refuseNewer(db, found);
}

/**
 * Store a study and its cells, or what has been added to them.
 *
 * @throws {InputError} when the study was stored with other settings.
 */
export async function storeStudy(
  sql: Sql,
  name: string,
  config: StudyConfig,
  cells: readonly Cell[],
): Promise<void> {
  const study = config.study.name;
  await sql.query("INSERT INTO lucid.studies VALUES ($1, $2) ON CONFLICT DO NOTHING", [
    study,
    JSON.stringify(config),
  ]);
  const [stored] = await sql.query<{ config: StudyConfig }>(
    "SELECT config FROM lucid.studies WHERE study = $1 FOR UPDATE",
    [study],
  );
  if (stored) checkSame(name, stored.config, config);
  await sql.query("UPDATE lucid.studies SET config = $2 WHERE study = $1", [
    study,
    JSON.stringify(config),
  ]);
  const ids = cells.map(({ id }) => id);
  await sql.query("DELETE FROM lucid.cells WHERE study = $1 AND NOT cell = ANY($2)", [study, ids]);
  await sql.query(
    `INSERT INTO lucid.cells (study, cell, place, at, spec)
     SELECT $1, c.cell, c.place, c.at, c.spec
     FROM json_to_recordset($2::json) AS c (cell text, place int, at json, spec json)
     ON CONFLICT (study, cell) DO UPDATE SET place = excluded.place, at = excluded.at`,
    [
      study,
      JSON.stringify(cells.map(({ id, at, spec }, place) => ({ cell: id, place, at, spec }))),
    ],
  );
}

/** Names of all studies that have unfinished cells. */
export async function unfinishedStudies(sql: Sql): Promise<string[]> {
  const found = await sql.query<{ study: string }>(
    `SELECT DISTINCT study FROM lucid.cells c
     WHERE NOT EXISTS (SELECT FROM lucid.rows r WHERE r.study = c.study AND r.cell = c.cell)
     ORDER BY study`,
  );
  return found.map(({ study }) => study);
}

/** How a study is to be run. */
export async function readConfig(db: Postgres, study: string): Promise<StudyConfig> {
  const [found] = await db.query<{ config: StudyConfig }>(
    "SELECT config FROM lucid.studies WHERE study = $1",
    [study],
  );
  if (found === undefined) {
    const known = await db.query<{ study: string }>("SELECT study FROM lucid.studies ORDER BY 1");
    const names = known.map(({ study }) => study).join(", ");
    throw new InputError(
      `unknown study "${study}" in ${db.name} (${names === "" ? "it has none" : `choose from ${names}`})`,
    );
  }
  return found.config;
}

/** One cell by its id. */
export async function readCell(sql: Sql, study: string, cell: string): Promise<Cell | undefined> {
  const [found] = await sql.query<{ at: Coordinates; spec: RunSpec }>(
    "SELECT at, spec FROM lucid.cells WHERE study = $1 AND cell = $2",
    [study, cell],
  );
  return found && { id: cell, ...found };
}

/** Cells of the study that have a row. */
export async function readFinished(sql: Sql, study: string): Promise<string[]> {
  const found = await sql.query<{ cell: string }>(
    "SELECT cell FROM lucid.rows JOIN lucid.cells USING (study, cell) WHERE study = $1",
    [study],
  );
  return found.map(({ cell }) => cell);
}

/**
 * Read a study; nothing is written, so that a role that only reads will do. `drop` is told the
 * cells whose rows go, inside its transaction.
 *
 * @throws {InputError} when there is no such study, or its tables are of a newer version.
 */
export async function readStudyDatabase(
  db: Postgres,
  study: string,
  onDrop: (sql: Sql, cells: readonly string[]) => Promise<void>,
): Promise<StoredStudy> {
  await checkFormat(db, study);
  const config = await readConfig(db, study);
  const cells = await db.query<Cell>(
    "SELECT cell AS id, at, spec FROM lucid.cells WHERE study = $1 ORDER BY place",
    [study],
  );
  return {
    ...config,
    name: `${study} in ${db.name}`,
    cells: cells.map((cell) => checked(asCell(cell), `cell of study ${study} in lucid.cells`)),
    rows: () => readRows(db, study),
    async history(cell) {
      const [found] = await db.query<{ history: string }>(
        `SELECT history FROM lucid.rows WHERE study = $1 AND cell = $2
         UNION ALL SELECT history FROM lucid.running WHERE study = $1 AND cell = $2`,
        [study, cell],
      );
      return parseHistory(found?.history ?? "");
    },
    async drop(unwanted) {
      // Of all attempts: rows are gone already where only the answer to a commit was lost.
      const dropped = new Map<string, Row>();
      const dropOnce = async (sql: Sql) => {
        const ids: string[] = [];
        for await (const row of readRows(sql, study)) {
          if (!unwanted(row)) continue;
          dropped.set(row.cell, row);
          ids.push(row.cell);
        }
        const which = "study = $1 AND cell = ANY($2)";
        await sql.query(
          `WITH gone AS (DELETE FROM lucid.rows WHERE ${which} RETURNING study, cell, "row")
           INSERT INTO lucid.replaced SELECT * FROM gone`,
          [study, ids],
        );
        await sql.query(`DELETE FROM lucid.running WHERE ${which}`, [study, ids]);
        await onDrop(sql, ids);
      };
      await persist(db.name, () => db.transaction(dropOnce));
      return [...dropped.values()];
    },
    close: () => db.close(),
  };
}

/** @throws {InputError} when a row or a cell was changed into something else. */
function checked<T>(entry: T | undefined, what: string): T {
  if (entry !== undefined) return entry;
  throw new InputError(`invalid ${what} (it has been changed; delete it)`);
}

async function* readRows(sql: Sql, study: string): AsyncGenerator<Row> {
  let after = "0";
  for (;;) {
    const page = await sql.query<{ number: string; row: Row }>(
      `SELECT number, "row" FROM lucid.rows WHERE study = $1 AND number > $2
       ORDER BY number LIMIT ${pageSize}`,
      [study, after],
    );
    for (const { number, row } of page) {
      yield checked(asRow(row), `row ${number} of study ${study} in lucid.rows`);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.number;
  }
}
