import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { PgBoss } from "pg-boss";
import type { Machine } from "../../src/platform/machine.ts";
import { persist } from "../../src/platform/node/outage.ts";
import { connectPostgres, type Postgres } from "../../src/platform/node/postgres.ts";
import { failedRow, formatHistory, type Row } from "../../src/study/cell.ts";
import { readStudyDatabase, unfinishedStudies } from "../../src/store/database.ts";
import { openQueue, type Queue } from "../../src/store/queue.ts";
import { expandStudy, parseStudy, type Cell } from "../../src/study/study.ts";
import type { ClaimedCell } from "../../src/study/claims.ts";
import { lucid } from "../lucid.ts";
import { noPostgres, startDatabase, type Database } from "./postgres.ts";

if (noPostgres) console.warn(noPostgres);

const machine: Machine = { version: "0", commit: null, dirty: null, runtime: "", platform: "" };
const provenance = { ...machine, finished: "2026-01-01T00:00:00.000Z", wallSeconds: 1 };

describe.skipIf(noPostgres)("a study in PostgreSQL", () => {
  let server: Database;
  beforeAll(async () => {
    server = await startDatabase();
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
    const reading = readStudyDatabase(queue.db, config.study.name, async () => {});
    await expect(reading).rejects.toThrow(/written by lucid-sam 9\.9\.9, which is newer/);
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
    // Roles are those of the whole server, which others may be testing with.
    const [reader, stranger] = ["reader", "stranger"].map(
      (role) => `${role}_${process.pid}_${number}`,
    );
    for (const role of [reader, stranger]) await queue.db.query(`CREATE ROLE ${role} LOGIN`);
    await queue.db.query(`GRANT USAGE ON SCHEMA lucid TO ${reader}`);
    await queue.db.query(`GRANT SELECT ON ALL TABLES IN SCHEMA lucid TO ${reader}`);
    const as = (role = "", ...command: string[]) =>
      lucid("sweep", ...command, "--store", server.url.replace("lucid@", `${role}@`));
    const status = await as(reader, "status", name, "--json");
    expect(status).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(status.out)).toMatchObject({ cells: 4, done: 1 });
    expect(await as(reader, "export", name)).toMatchObject({ code: 0, err: "" });
    for (const refused of [
      await as(reader, "rerun", name, "--failed"),
      await as(stranger, "status", name),
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
    const empty = `empty_${process.pid}_${number}`;
    await queue.db.query(`CREATE DATABASE ${empty}`);
    const url = new URL(empty, server.url).href;
    const { code, err } = await lucid("sweep", "status", "x", "--store", url);
    expect({ code, err }).toEqual({ code: 2, err: `unknown study "x" in ${url} (it has none)\n` });
    const db = await connectPostgres(url);
    const schemas = await db.query("SELECT FROM pg_namespace WHERE nspname LIKE 'lucid%'");
    await db.close();
    await queue.db.query(`DROP DATABASE ${empty}`);
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

  const lineAt = (step: number) =>
    formatHistory([{ step, loss: 1, shiftedLoss: 2, gradNorm: 3, shiftedGradNorm: 4, cosine: 1 }]);
  const stored = (queue: Queue) => readStudyDatabase(queue.db, config.study.name, async () => {});
  const stepsOf = async (queue: Queue, { cell }: ClaimedCell) =>
    (await (await stored(queue)).history(cell.id)).map(({ step }) => step);

  test("lines count from where a cell was saved, and can be read before it is done", async () => {
    const queue = await connect();
    await queue.submit(config, cells.slice(0, 1));
    const first = await take(queue);
    expect(first.from).toBeUndefined();
    await first.append(lineAt(0));
    expect(await stepsOf(queue, first)).toEqual([]);
    await first.save(Uint8Array.of(7));
    await first.append(lineAt(2));
    expect(await stepsOf(queue, first)).toEqual([0]);
    await first.release();
    const second = await take(queue);
    expect(second.from).toEqual(Uint8Array.of(7));
    for (const step of [2, 4]) await second.append(lineAt(step));
    await second.save(Uint8Array.of(8));
    expect(await stepsOf(queue, second)).toEqual([0, 2, 4]);
    await second.append(lineAt(6));
    expect(await second.finish(rowOf(second), Uint8Array.of(1, 2))).toBe(true);
    expect(await stepsOf(queue, second)).toEqual([0, 2, 4, 6]);
    const { name } = config.study;
    expect(
      await queue.db.query("SELECT parameters FROM lucid.rows WHERE study = $1", [name]),
    ).toEqual([{ parameters: Buffer.of(1, 2) }]);
    // It stands nowhere any more.
    expect(await queue.db.query("SELECT FROM lucid.running WHERE study = $1", [name])).toEqual([]);
  });

  test("the heart of a held cell beats three times before it would count as lost, until it is settled", async () => {
    const [queue, other] = [await connect(), await connect()];
    await queue.submit(config, cells.slice(0, 2));
    const next = await open(queue);
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const before = vi.getTimerCount();
      const [held, given] = [await next(), await next()] as [ClaimedCell, ClaimedCell];
      expect(vi.getTimerCount()).toBe(before + 2);
      await given.release();
      expect(vi.getTimerCount()).toBe(before + 1);
      const active = `name = 'lucid.${config.study.name}' AND state = 'active'`;
      await queue.db.query(
        `UPDATE lucid_queue.job SET heartbeat_on = now() - interval '25 s' WHERE ${active}`,
      );
      const sinceBeat = async () => {
        const [found] = await queue.db.query<{ seconds: string }>(
          `SELECT extract(epoch FROM now() - heartbeat_on) AS seconds FROM lucid_queue.job WHERE ${active}`,
        );
        return Number(found?.seconds);
      };
      await vi.advanceTimersByTimeAsync(9_900);
      await sleep(100);
      expect(await sinceBeat()).toBeGreaterThan(20);
      await vi.advanceTimersByTimeAsync(200);
      await vi.waitUntil(async () => (await sinceBeat()) < 20, { timeout: 20_000 });
      expect(held.lost?.aborted).toBe(false);
      await fallSilent();
      const again = await take(other);
      expect(held.lost?.aborted).toBe(false);
      await vi.advanceTimersByTimeAsync(10_000);
      await vi.waitUntil(() => held.lost?.aborted, { timeout: 20_000 });
      expect(again.lost?.aborted).toBe(false);
      for (const claimed of [held, again]) await claimed.finish(rowOf(claimed));
      expect(vi.getTimerCount()).toBe(before);
    } finally {
      vi.useRealTimers();
    }
  });

  test("cells leave in the order of the study, those of one program together", async () => {
    const study = parseStudy({
      name: config.study.name,
      axes: { method: ["gd", "sam"] },
      seeds: 3,
    });
    const queue = await connect();
    await queue.submit({ study, engine: "auto" }, await expandStudy(study));
    const next = await open(queue);
    const order: unknown[] = [];
    for (let i = 0; i < 6; i++) {
      const claimed = await next();
      order.push([claimed?.cell.at["method"], claimed?.cell.at["seed"]].join(" "));
    }
    expect(order).toEqual(["gd 0", "gd 1", "gd 2", "sam 0", "sam 1", "sam 2"]);
  });

  test("who is stopped takes nothing more, whether there is something or not", async () => {
    const queue = await connect();
    await queue.submit(config, cells.slice(0, 1));
    expect(await (await open(queue, AbortSignal.abort()))()).toBeUndefined();
    const claimed = await take(queue);
    const controller = new AbortController();
    const waiting = (await open(queue, controller.signal))();
    await sleep(200);
    controller.abort();
    expect(await waiting).toBeUndefined();
    await claimed.finish(rowOf(claimed));
  });

  test("an open study knows what has a row, and looks again when asked", async () => {
    const [here, there] = [await connect(), await connect()];
    await here.submit(config, cells);
    const first = await take(here);
    await first.finish(rowOf(first));
    const signal = new AbortController().signal;
    const opened = await here.open(config.study.name, { machine, signal });
    expect(opened.name).toBe(`${config.study.name} in ${here.db.name}`);
    const second = await take(there);
    await second.finish(rowOf(second));
    expect([...opened.finished]).toEqual([first.cell.id]);
    await opened.refresh?.();
    expect([...opened.finished]).toEqual([first.cell.id, second.cell.id]);
    // The queue outlives it.
    await opened.close();
    expect(await rows(here)).toHaveLength(2);
  });

  test("a cell that the study no longer has is neither taken nor failed", async () => {
    const queue = await connect();
    await queue.submit(config, cells.slice(0, 1));
    for (let attempt = 0; attempt < 4; attempt++) {
      await take(queue);
      await fallSilent();
    }
    // Every worker fell silent over the first, and nobody has buried it; the second waits.
    await queue.submit(config, cells.slice(1, 2));
    await queue.submit(config, cells.slice(2));
    const next = await open(queue);
    const taken: (string | undefined)[] = [];
    for (let claimed = await next(); claimed; claimed = await next()) {
      taken.push(claimed.cell.id);
      await claimed.finish(rowOf(claimed));
    }
    expect(taken).toEqual(cells.slice(2).map(({ id }) => id));
    expect((await rows(queue)).map(({ cell }) => cell)).toEqual(taken);
    const left =
      "SELECT FROM lucid_queue.job WHERE name LIKE $1 AND state IN ('created', 'retry', 'active')";
    expect(await queue.db.query(left, [`lucid.${config.study.name}%`])).toEqual([]);
  });

  test("cells are read in the order of the study, however it has grown", async () => {
    const queue = await connect();
    for (const now of [cells.slice(2), cells.slice(1), cells]) await queue.submit(config, now);
    expect((await stored(queue)).cells).toEqual(cells);
    const renamed = cells.map((cell, i) => ({ ...cell, at: { place: i } })).toReversed();
    await queue.submit(config, renamed);
    const described = { ...config, study: { ...config.study, description: "why?" } };
    await queue.submit(described, renamed);
    expect(await stored(queue)).toMatchObject({ ...described, cells: renamed });
  });

  test("rows are read in the order they came in, however many there are", async () => {
    const queue = await connect();
    await queue.submit(config, cells.slice(0, 1));
    const row = JSON.stringify(failedRow(cells[0] as Cell, "", provenance));
    const insert = `INSERT INTO lucid.rows (study, cell, "row", history)
      SELECT $1, n, json_build_object('n', n)::jsonb || $2::jsonb, ''
      FROM generate_series(1, $3) AS n`;
    for (const [count, made] of [
      [499, 499],
      [1, 500],
      [501, 1001],
    ] as const) {
      const from = insert.replace("(1,", `(${made - count + 1},`);
      await queue.db.query(from, [config.study.name, row, made]);
      const found = (await rows(queue)) as unknown as { n: number }[];
      expect(found.map(({ n }) => n)).toEqual(Array.from({ length: made }, (_, i) => i + 1));
    }
  });

  test("studies with unfinished cells are listed by name, and unknown ones are told the known", async () => {
    const queue = await connect();
    const named = (name: string) => ({ ...config, study: { ...config.study, name } });
    const names = ["b", "a", "c"].map((letter) => `${letter}-${number}`) as [
      string,
      string,
      string,
    ];
    for (const name of names) await queue.submit(named(name), cells.slice(0, 1));
    const ours = async () =>
      (await unfinishedStudies(queue.db)).filter((name) => name.endsWith(`-${number}`));
    // `study-…` of this test was never stored.
    expect(await ours()).toEqual([names[1], names[0], names[2]]);
    config = named(names[0]);
    const claimed = await take(queue);
    await claimed.finish(rowOf(claimed));
    expect(await ours()).toEqual([names[1], names[2]]);
    const known = await queue.db.query<{ study: string }>(
      "SELECT study FROM lucid.studies ORDER BY study",
    );
    const list = known.map(({ study }) => study).join(", ");
    await expect(readStudyDatabase(queue.db, "x", async () => {})).rejects.toThrow(
      `unknown study "x" in ${queue.db.name} (choose from ${list})`,
    );
  });

  test("a cell may take 23 hours, waits for a year, and is given away four times", async () => {
    const queue = await openQueue(await connectPostgres(server.url), 12);
    queues.push(queue);
    await queue.submit(config, cells);
    const { name } = config.study;
    const found = await queue.db.query(
      `SELECT name, expire_seconds, retention_seconds, deletion_seconds, heartbeat_seconds,
       retry_limit, dead_letter FROM lucid_queue.queue WHERE name LIKE $1 ORDER BY name`,
      [`lucid.${name}%`],
    );
    const both = { expire_seconds: 82_800, retention_seconds: 31_536_000, deletion_seconds: 0 };
    const dead = `lucid.${name}.dead`;
    expect(found).toMatchObject([
      { ...both, name: `lucid.${name}`, heartbeat_seconds: 12, retry_limit: 3, dead_letter: dead },
      { ...both, name: dead, heartbeat_seconds: null, dead_letter: null },
    ]);
  });

  test("a cell that was changed is refused, not believed", async () => {
    const queue = await connect();
    await queue.submit(config, cells);
    await queue.db.query("UPDATE lucid.cells SET at = '5' WHERE study = $1 AND place = 2", [
      config.study.name,
    ]);
    await expect(stored(queue)).rejects.toThrow(
      /^invalid cell of study study-\d+ in lucid\.cells \(it has been changed; delete it\)$/,
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
        await db.executeSql(
          "UPDATE lucid_queue.queue SET monitor_on = NULL, monitor_claim_on = NULL",
        );
        await boss.supervise(`lucid.${config.study.name}`);
      });
    }
    await boss.stop({ graceful: false });
  }
});
