/** The queue of cells in PostgreSQL, handed out to any number of machines; every cell gets exactly one row. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { PgBoss, type Db, type JobWithMetadata } from "pg-boss";
import type { Machine } from "../platform/machine.ts";
import { persist } from "../platform/node/outage.ts";
import type { Postgres, Sql } from "../platform/node/postgres.ts";
import { programKey } from "../run/build.ts";
import { failedRow, type Row } from "../study/cell.ts";
import { prepareTables, readCell, readFinished, storeStudy } from "./database.ts";
import type { StudyConfig } from "../read/study.ts";
import type { OpenStudy } from "./store.ts";
import type { Cell } from "../study/study.ts";
import type { CellSource, ClaimedCell } from "../study/claims.ts";

/** What a job carries. */
interface CellJob {
  readonly cell: string;
}

type Job = JobWithMetadata<CellJob>;

/** Which attempt at a job a worker holds: what it settles counts only while this is the latest. */
type Attempt = Pick<Job, "id" | "retryCount">;

/** How often a cell is given to another worker after one fell silent over it without getting on. */
const retryLimit = 3;

/** Milliseconds between looks at an empty queue. */
const idle = 500;

/** The queue of one database. */
export interface Queue {
  readonly db: Postgres;
  /** Store a study, and queue its cells that have no row; safe to do from many places at once. */
  submit(config: StudyConfig, cells: readonly Cell[]): Promise<void>;
  /** A study's cells, as long as it has unfinished ones. */
  open(study: string, options: QueueOptions): Promise<OpenStudy>;
  /** Queue cells again, whatever has become of their jobs. */
  requeue(sql: Sql, study: string, cells: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export interface QueueOptions {
  readonly machine: Machine;
  readonly signal: AbortSignal;
}

/**
 * Connect to the queue of a database, creating what is missing.
 *
 * @param heartbeatSeconds a worker silent for so long has lost its cell; default 30, at least 10.
 */
export async function openQueue(db: Postgres, heartbeatSeconds = 30): Promise<Queue> {
  await prepareTables(db);
  const boss = new PgBoss({
    db: bossDb(db),
    schema: "lucid_queue",
    schedule: false,
    superviseIntervalSeconds: 5,
    monitorIntervalSeconds: 5,
  });
  // It tries again by itself; what matters to a cell is seen by the cell's own calls.
  boss.on("error", () => {});
  await boss.start();
  const queueOf = (study: string) => `lucid.${study}`;
  const deadOf = (study: string) => `lucid.${study}.dead`;

  const createQueues = async (study: string) => {
    const options = {
      expireInSeconds: 23 * 3600,
      retentionSeconds: 365 * 86_400,
      deleteAfterSeconds: 0,
    };
    await boss.createQueue(deadOf(study), options);
    await boss.createQueue(queueOf(study), {
      ...options,
      heartbeatSeconds,
      retryLimit,
      deadLetter: deadOf(study),
    });
  };

  return {
    db,
    async submit(config, cells) {
      const { name } = config.study;
      const store = async (sql: Sql) => {
        await storeStudy(sql, `${name} in ${db.name}`, config, cells);
        const finished = new Set(await readFinished(sql, name));
        // Jobs leave in the order they came in: cells of one program together.
        const pending = cells.filter(({ id }) => !finished.has(id));
        const groups = Map.groupBy(pending, ({ spec }) => programKey(spec));
        const jobs = [...groups.values()].flat().map(({ id }) => ({
          id: jobId(name, id),
          data: { cell: id },
        }));
        // A job that is there already stays as it is.
        if (jobs.length > 0) await boss.insert(queueOf(name), jobs, { db: bossDb(sql) });
      };
      await persist(db.name, async () => {
        await createQueues(name);
        await db.transaction(store);
      });
    },
    async open(study, { machine, signal }) {
      const finished = new Set(await persist(db.name, () => readFinished(db, study)));
      const refresh = async () => {
        for (const cell of await readFinished(db, study)) finished.add(cell);
      };
      const claim = (job: Job, cell: Cell) =>
        claimCell({ db, boss, queue: queueOf(study), study, heartbeatSeconds }, job, cell);
      const source: CellSource = {
        async take() {
          while (!signal.aborted) {
            const claimed = await persist(db.name, async () => {
              await buryDead(study, machine);
              const [job] = await boss.fetch<CellJob>(queueOf(study), { includeMetadata: true });
              if (job === undefined) return undefined;
              const cell = await readCell(db, study, job.data.cell);
              if (cell) return claim(job, cell);
              // The study no longer has it.
              await boss.deleteJob(queueOf(study), job.id);
              return undefined;
            });
            if (claimed) return claimed;
            if (await persist(db.name, () => isDone(study))) return undefined;
            await sleep(idle, undefined, { signal }).catch(() => undefined);
          }
          return undefined;
        },
      };
      return { name: `${study} in ${db.name}`, finished, source, refresh, close: async () => {} };
    },
    async requeue(sql, study, cells) {
      if (cells.length === 0) return;
      const jobs = cells.map((cell) => ({ id: jobId(study, cell), data: { cell } }));
      const inside = { db: bossDb(sql) };
      await boss.deleteJob(
        queueOf(study),
        jobs.map(({ id }) => id),
        inside,
      );
      await boss.insert(queueOf(study), jobs, inside);
    },
    async close() {
      await boss.stop({ graceful: false });
      await db.close();
    },
  };

  async function isDone(study: string): Promise<boolean> {
    const [count] = await db.query<{ left: string }>(
      `SELECT count(*) AS left FROM lucid.cells c WHERE study = $1
       AND NOT EXISTS (SELECT FROM lucid.rows r WHERE r.study = c.study AND r.cell = c.cell)`,
      [study],
    );
    return count?.left === "0";
  }

  /** Cells that every worker was lost over are failures, and say so in a row. */
  async function buryDead(study: string, machine: Machine): Promise<void> {
    const [job] = await boss.fetch<CellJob>(deadOf(study), { includeMetadata: true });
    if (job === undefined) return;
    const cell = await readCell(db, study, job.data.cell);
    await db.transaction(async (sql) => {
      if (cell) {
        const error = `dead letter: ${retryLimit + 1} workers in a row fell silent over it`;
        const finished = new Date().toISOString();
        const row = failedRow(cell, error, { ...machine, finished, wallSeconds: 0 });
        await insertRow(sql, study, row, "");
      }
      await boss.complete(deadOf(study), job.id, null, { db: bossDb(sql) });
    });
  }
}

interface Claims {
  readonly db: Postgres;
  readonly boss: PgBoss;
  readonly queue: string;
  readonly study: string;
  readonly heartbeatSeconds: number;
}

/** Hold a cell: keep its heart beating until it is settled. */
async function claimCell(
  { db, boss, queue, study, heartbeatSeconds }: Claims,
  { id, retryCount, data }: Job,
  cell: Cell,
): Promise<ClaimedCell> {
  const attempt: Attempt = { id, retryCount };
  const [stored] = await db.query<{ checkpoint: Buffer; history: string }>(
    "SELECT checkpoint, history FROM lucid.running WHERE study = $1 AND cell = $2",
    [study, cell.id],
  );
  let history = stored?.history ?? "";
  const lost = new AbortController();
  // On the main thread: steps compute in another, so that no step is too long for a heartbeat.
  const heart = setInterval(
    () => {
      boss.touch(queue, attempt).then(
        (answer) => {
          if (affected(answer) === 0) lost.abort();
        },
        // A heartbeat that could not be sent says nothing about the claim.
        () => {},
      );
    },
    (1000 * heartbeatSeconds) / 3,
  );
  const save = (checkpoint: Uint8Array) =>
    persist(db.name, async () => {
      // Only while the cell is ours. A cell that gets on is not what its workers die of: it may
      // outlive as many more, which pg-boss (12.35) cannot be told of an active job.
      await db.query(
        `WITH ours AS (
           UPDATE lucid_queue.job SET retry_limit = retry_count + $5
           WHERE name = $6 AND id = $7 AND retry_count = $8 AND state = 'active' RETURNING id
         )
         INSERT INTO lucid.running SELECT $1, $2, $3, $4 FROM ours
         ON CONFLICT (study, cell) DO UPDATE
         SET checkpoint = excluded.checkpoint, history = excluded.history`,
        [study, cell.id, Buffer.from(checkpoint), history, retryLimit, queue, id, retryCount],
      );
    });
  return {
    cell,
    lost: lost.signal,
    from: stored && new Uint8Array(stored.checkpoint),
    async append(lines) {
      history += lines;
    },
    save,
    async finish(row, parameters) {
      clearInterval(heart);
      return persist(db.name, () =>
        db.transaction(async (sql) => {
          const settled = await boss.complete(queue, attempt, null, { db: bossDb(sql) });
          if (affected(settled) === 0) {
            // Not ours any more; or ours, and committed before the answer was lost.
            return (await readFinished(sql, study)).includes(cell.id);
          }
          await insertRow(sql, study, row, history, parameters);
          await sql.query("DELETE FROM lucid.running WHERE study = $1 AND cell = $2", [
            study,
            cell.id,
          ]);
          return true;
        }),
      );
    },
    async release() {
      clearInterval(heart);
      // A new job in place of this attempt: being stopped must not use up the cell's retries.
      await persist(db.name, () =>
        db.transaction(async (sql) => {
          const gone = await boss.deleteJob(queue, attempt, { db: bossDb(sql) });
          if (affected(gone) > 0) await boss.insert(queue, [{ id, data }], { db: bossDb(sql) });
        }),
      );
    },
  };
}

/** Of two rows of a cell the first one stays. */
async function insertRow(
  sql: Sql,
  study: string,
  row: Row,
  history: string,
  parameters?: Uint8Array,
): Promise<void> {
  await sql.query(
    `INSERT INTO lucid.rows (study, cell, "row", history, parameters) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING`,
    [study, row.cell, JSON.stringify(row), history, parameters ? Buffer.from(parameters) : null],
  );
}

/** How many jobs a command touched. pg-boss says so, its types (12.35) do not. */
const affected = (answer: object): number => (answer as { readonly affected: number }).affected;

/** Statements of pg-boss on our pool, or inside our transaction. */
const bossDb = (sql: Sql): Db => ({
  executeSql: async (text, values) => ({ rows: await sql.query(text, values) }),
});

/** The same for everybody: a cell is queued once, from however many places. A UUID of version 8. */
function jobId(study: string, cell: string): string {
  const hex = createHash("sha256").update(`${study} ${cell}`).digest("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}
