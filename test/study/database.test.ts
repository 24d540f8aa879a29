import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PgBoss } from "pg-boss";
import type { Machine } from "../../src/platform/machine.ts";
import { persist } from "../../src/platform/node/outage.ts";
import { connectPostgres, type Postgres } from "../../src/platform/node/postgres.ts";
import { failedRow, type Row } from "../../src/study/cell.ts";
import { readStudyDatabase } from "../../src/store/database.ts";
import { openQueue, type Queue } from "../../src/store/queue.ts";
import { expandStudy, parseStudy, type Cell } from "../../src/study/study.ts";
import type { ClaimedCell } from "../../src/study/claims.ts";
import { lucid } from "../lucid.ts";
import { noPostgres, startServer, type Server } from "./postgres.ts";

if (noPostgres) console.warn(noPostgres);

const machine: Machine = { version: "0", commit: null, dirty: null, runtime: "", platform: "" };
const provenance = { ...machine, finished: "2026-01-01T00:00:00.000Z", wallSeconds: 1 };

describe.skipIf(noPostgres)("a study in PostgreSQL", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer();
  }, 120_000);
  afterAll(() => server.stop());

  let number = 0;
  let cells: Cell[];
  let queues: Queue[] = [];
  let config: Parameters<Queue["submit"]>[0];
  const connect = async (through = (db: Postgres) => db) => {
    const queue = await openQueue(through(await connectPostgres(server.url)));
    queues.push(queue);
    return queue;
  };
  beforeEach(async () => {
    const study = parseStudy({ name: `study-${number++}`, axes: { rho: [1, 2] }, seeds: 2 });
    config = { study, engine: "auto" };
    cells = await expandStudy(study);
    return async () => {
      for (const queue of queues) await queue.close();
      queues = [];
    };
  });

  const open = async (queue: Queue, signal = new AbortController().signal) => {
    const { source } = await queue.open(config.study.name, { machine, signal });
    return async () => source.take(undefined);
  };
  const take = async (queue: Queue): Promise<ClaimedCell> => {
    const claimed = await (await open(queue))();
    if (claimed === undefined) throw new Error("nothing to take");
    return claimed;
  };
  const rowOf = ({ cell }: ClaimedCell, error = "done") => failedRow(cell, error, provenance);
  const rows = async (queue: Queue): Promise<Row[]> => {
    const stored = await readStudyDatabase(queue.db, config.study.name, async () => {});
    const found: Row[] = [];
    for await (const row of stored.rows()) found.push(row);
    return found;
  };

  test("two places that submit and take at once share the cells", async () => {
    const [a, b] = [await connect(), await connect()];
    await Promise.all([a.submit(config, cells), b.submit(config, cells)]);
    const [takeA, takeB] = [await open(a), await open(b)];
    const work = async (next: () => Promise<ClaimedCell | undefined>) => {
      const taken: string[] = [];
      for (;;) {
        const claimed = await next();
        if (claimed === undefined) return taken;
        taken.push(claimed.cell.id);
        expect(await claimed.finish(rowOf(claimed))).toBe(true);
      }
    };
    const taken = (await Promise.all([work(takeA), work(takeB)])).flat();
    expect(taken.toSorted()).toEqual(cells.map(({ id }) => id).toSorted());
    expect((await rows(a)).map(({ cell }) => cell).toSorted()).toEqual(taken.toSorted());
  });

  test("who fell silent loses the cell, and comes back to no effect", async () => {
    const [a, b] = [await connect(), await connect()];
    cells = cells.slice(0, 1);
    await a.submit(config, cells);
    const slow = await take(a);
    await slow.append("{}\n");
    await slow.save(Uint8Array.of(1, 2));
    await fallSilent();
    const quick = await take(b);
    // Where the first one stood is where the second one goes on.
    expect(quick.from).toEqual(Uint8Array.of(1, 2));
    expect(await slow.finish(rowOf(slow, "late"))).toBe(false);
    expect(await rows(a)).toEqual([]);
    expect(await quick.finish(rowOf(quick, "in time"))).toBe(true);
    expect((await rows(a)).map(({ error }) => error)).toEqual(["in time"]);
    expect(await (await open(a))()).toBeUndefined();
  });

  test("a commit whose answer was lost may be repeated", async () => {
    const queue = await connect();
    await queue.submit(config, cells.slice(0, 1));
    const claimed = await take(queue);
    expect(await claimed.finish(rowOf(claimed))).toBe(true);
    expect(await claimed.finish(rowOf(claimed))).toBe(true);
    expect(await rows(queue)).toHaveLength(1);
  });

  test("a cell that was given back is taken again, as often as needed", async () => {
    const queue = await connect();
    await queue.submit(config, cells.slice(0, 1));
    for (let i = 0; i < 6; i++) await (await take(queue)).release();
    const claimed = await take(queue);
    expect(await claimed.finish(rowOf(claimed))).toBe(true);
  });

  test("who finds nothing to take waits for what may be given back, until all is done", async () => {
    const [one, two] = [await connect(), await connect()];
    await one.submit(config, cells);
    const held: ClaimedCell[] = [];
    for (const _ of cells) held.push(await take(one));
    const [back, ...rest] = held;
    const waiting = (await open(two))();
    await sleep(1000);
    await back?.release();
    const again = await waiting;
    expect(again?.cell.id).toBe(back?.cell.id);
    for (const claimed of [...rest, again as ClaimedCell]) await claimed.finish(rowOf(claimed));
    expect(await (await open(two))()).toBeUndefined();
    expect(await rows(two)).toHaveLength(cells.length);
  });

  test("a cell that gets on outlives any number of workers", async () => {
    const queue = await connect();
    cells = cells.slice(0, 1);
    await queue.submit(config, cells);
    for (let attempt = 1; attempt <= 7; attempt++) {
      const claimed = await take(queue);
      expect(claimed.from).toEqual(attempt === 1 ? undefined : Uint8Array.of(attempt - 1));
      await claimed.save(Uint8Array.of(attempt));
      await fallSilent();
    }
    const last = await take(queue);
    expect(await last.finish(rowOf(last))).toBe(true);
    expect((await rows(queue)).map(({ error }) => error)).toEqual(["done"]);
  });

  test("who lost a cell does not save over the one who has it", async () => {
    const queue = await connect();
    await queue.submit(config, cells.slice(0, 1));
    const slow = await take(queue);
    await fallSilent();
    const quick = await take(queue);
    await quick.save(Uint8Array.of(2));
    await slow.save(Uint8Array.of(1));
    await fallSilent();
    expect((await take(queue)).from).toEqual(Uint8Array.of(2));
  });

  test("a cell over which every worker falls silent ends as a failed row", async () => {
    const queue = await connect();
    cells = cells.slice(0, 1);
    await queue.submit(config, cells);
    for (let attempt = 0; attempt < 4; attempt++) {
      const claimed = await take(queue);
      await fallSilent();
      // Its process is gone: nobody stops the heart beating otherwise.
      await claimed.release();
    }
    expect(await (await open(queue))()).toBeUndefined();
    const [row] = await rows(queue);
    expect(row).toMatchObject({ status: "failed", cell: cells[0]?.id });
    expect(row?.error).toMatch(/^dead letter: 4 workers/);
  });

  test("a rerun takes the row away and queues its cell", async () => {
    const queue = await connect();
    const { name } = config.study;
    await queue.submit(config, cells.slice(0, 1));
    const first = await take(queue);
    await first.finish(rowOf(first));
    const stored = await readStudyDatabase(queue.db, name, (sql, ids) =>
      queue.requeue(sql, name, ids),
    );
    expect(await stored.drop(() => true)).toHaveLength(1);
    expect(await rows(queue)).toEqual([]);
    const again = await take(queue);
    expect(again.cell.id).toBe(first.cell.id);
    await again.finish(rowOf(again));
    expect(await rows(queue)).toHaveLength(1);
  });

  test.each([
    ["came to nothing", false],
    ["were committed, unknown to who made them", true],
  ])("what is stored and dropped is so once, where transactions %s", async (_, isCommitted) => {
    let failures = 0;
    const queue = await connect((db) => ({
      ...db,
      async transaction(work) {
        if (failures === 0) return db.transaction(work);
        failures--;
        if (isCommitted) await db.transaction(work);
        throw Object.assign(new Error("deadlock detected"), { code: "40P01" });
      },
    }));
    const { name } = config.study;
    const jobs = async () => {
      const sql =
        "SELECT data->>'cell' AS cell FROM lucid_queue.job WHERE name = $1 AND state = 'created'";
      const found = await queue.db.query<{ cell: string }>(sql, [`lucid.${name}`]);
      return found.map(({ cell }) => cell).toSorted();
    };
    const all = cells.map(({ id }) => id).toSorted();
    failures = 2;
    await queue.submit(config, cells);
    expect({ failures, jobs: await jobs() }).toEqual({ failures: 0, jobs: all });
    const [first, second] = [await take(queue), await take(queue)];
    for (const claimed of [first, second]) await claimed.finish(rowOf(claimed));
    const stored = await readStudyDatabase(queue.db, name, (sql, ids) =>
      queue.requeue(sql, name, ids),
    );
    failures = 2;
    const dropped = await stored.drop(({ cell }) => cell === first.cell.id);
    expect(dropped).toEqual([rowOf(first)]);
    expect((await rows(queue)).map(({ cell }) => cell)).toEqual([second.cell.id]);
    expect({ failures, jobs: await jobs() }).toEqual({
      failures: 0,
      jobs: all.filter((id) => id !== second.cell.id),
    });
    const kept = "SELECT cell FROM lucid.replaced WHERE study = $1";
    expect(await queue.db.query(kept, [name])).toEqual([{ cell: first.cell.id }]);
  });

  test("other settings are refused; tables of a newer version too", async () => {
    const queue = await connect();
    await queue.submit(config, cells);
    const other = { ...config, engine: "jax" as const };
    await expect(queue.submit(other, cells)).rejects.toThrow(
      /^invalid engine: jax, but the rows in study-\d+ in postgres:\S+ were made with auto/,
    );
    await queue.db.query("UPDATE lucid.format SET format = 99, version = '9.9.9'");
    await expect(connect()).rejects.toThrow(
      /^invalid store postgres:\S+: written by lucid-sam 9\.9\.9, which is newer \(update lucid-sam\)$/,
    );
    await queue.db.query("UPDATE lucid.format SET format = 1");
  });

  test.each([
    ["lucid:secret@127.0.0.1:1/x", "lucid:***@127.0.0.1:1/x"],
    ["lucid@127.0.0.1:1/x?password=secret", "lucid@127.0.0.1:1/x"],
    [
      "lucid@127.0.0.1:1/x?user=me&PASSWORD=secret&sslpassword=secret",
      "lucid@127.0.0.1:1/x?user=me",
    ],
    ["lucid@127.0.0.1:1/x?options=-c%20a=secret&pass%77ord=secret#secret", "lucid@127.0.0.1:1/x"],
  ])("a server that refuses gives one line, without the password: %s", async (url, shown) => {
    const failure: unknown = await connectPostgres(`postgres://${url}`).catch((error) => error);
    const { message, stack } = failure as Error;
    expect(message).toContain(`invalid store postgres://${shown}: `);
    expect(message.split("\n")).toHaveLength(1);
    expect(`${message}${stack}`).not.toContain("secret");
  });

  test("a role that only reads can see how a study stands, and is told what it may not do", async () => {
    const queue = await connect();
    const { name } = config.study;
    await queue.submit(config, cells);
    const done = await take(queue);
    await done.finish(rowOf(done));
    for (const role of ["reader", "stranger"]) {
      await queue.db.query(`DROP OWNED BY ${role}`).catch(() => undefined);
      await queue.db.query(`DROP ROLE IF EXISTS ${role}`);
      await queue.db.query(`CREATE ROLE ${role} LOGIN`);
    }
    await queue.db.query("GRANT USAGE ON SCHEMA lucid TO reader");
    await queue.db.query("GRANT SELECT ON ALL TABLES IN SCHEMA lucid TO reader");
    const as = (role: string, ...command: string[]) =>
      lucid("sweep", ...command, "--store", server.url.replace("lucid@", `${role}@`));
    const status = await as("reader", "status", name, "--json");
    expect(status).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(status.out)).toMatchObject({ cells: 4, done: 1 });
    expect(await as("reader", "export", name)).toMatchObject({ code: 0, err: "" });
    for (const refused of [
      await as("reader", "rerun", name, "--failed"),
      await as("stranger", "status", name),
    ]) {
      expect(refused).toMatchObject({ code: 2, out: "" });
      expect(refused.err).toMatch(
        /^invalid store postgres:\S+: permission denied for \S+ \S+ \(this role may not do that: have it granted, or use another\)\n$/,
      );
    }
    expect((await rows(queue)).map(({ cell }) => cell)).toEqual([done.cell.id]);
    expect((await as("lucid", "rerun", name, "--failed")).code).toBe(0);
    expect(await rows(queue)).toEqual([]);
  });

  test("a database without studies has none, and reading it makes no tables", async () => {
    const queue = await connect();
    await queue.db.query("DROP DATABASE IF EXISTS empty");
    await queue.db.query("CREATE DATABASE empty");
    const url = server.url.replace(/postgres$/, "empty");
    const { code, err } = await lucid("sweep", "status", "x", "--store", url);
    expect({ code, err }).toEqual({ code: 2, err: `unknown study "x" in ${url} (it has none)\n` });
    const db = await connectPostgres(url);
    const schemas = await db.query("SELECT FROM pg_namespace WHERE nspname LIKE 'lucid%'");
    await db.close();
    expect(schemas).toEqual([]);
  });

  test("a row that was changed is refused, not believed", async () => {
    const queue = await connect();
    const { name } = config.study;
    await queue.submit(config, cells);
    const done = await take(queue);
    await done.finish(rowOf(done));
    await queue.db.query('UPDATE lucid.rows SET "row" = \'{"cell": "../x"}\' WHERE study = $1', [
      name,
    ]);
    await expect(rows(queue)).rejects.toThrow(
      /^invalid row \d+ of study study-\d+ in lucid\.rows \(it has been changed; delete it\)$/,
    );
  });

  /** As if the heartbeats of all active jobs had stopped long ago. */
  async function fallSilent(): Promise<void> {
    const boss = new PgBoss({
      connectionString: server.url,
      schema: "lucid_queue",
      supervise: false,
      schedule: false,
    });
    await boss.start();
    const db = boss.getDb();
    const active = "SELECT FROM lucid_queue.job WHERE state = 'active'";
    // Another supervisor may be at it in this moment: then this one does nothing. And the heart that
    // this is to stop may beat once more meanwhile.
    while ((await db.executeSql(active)).rows.length > 0) {
      // Two supervisors that lock the same rows in another order are told of a deadlock.
      await persist("the test's server", async () => {
        await db.executeSql(
          "UPDATE lucid_queue.job SET heartbeat_on = now() - interval '1 day' WHERE state = 'active'",
        );
        await db.executeSql("UPDATE lucid_queue.queue SET monitor_on = NULL");
        await boss.supervise(`lucid.${config.study.name}`);
      });
    }
    await boss.stop({ graceful: false });
  }
});
