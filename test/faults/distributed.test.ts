import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectPostgres } from "../../src/platform/node/postgres.ts";
import { openQueue } from "../../src/store/queue.ts";
import { readStudyFile } from "../../src/store/study-file.ts";
import { expandStudy } from "../../src/study/study.ts";
import { noPostgres, startServer, type Server } from "../study/postgres.ts";
import { byCell, rowsByCell, run, start, type Comparable, type Running } from "./cli.ts";

const network = { namespace: "lucid-test", here: "lucid-here", there: "lucid-there" };
const address = { here: "10.213.7.1", there: "10.213.7.2" };

const ip = (...args: string[]) => execFileSync("ip", args, { stdio: "ignore" });

/** A second machine, as far as the network is concerned; `undefined` without the rights to make one. */
function openNetwork(): { cut(): void; heal(): void; close(): void } | undefined {
  const { namespace, here, there } = network;
  const close = () => {
    for (const args of [
      ["netns", "del", namespace],
      ["link", "del", here],
    ]) {
      try {
        ip(...args);
      } catch {
        // It was not there.
      }
    }
  };
  close();
  try {
    ip("netns", "add", namespace);
    ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace);
    ip("addr", "add", `${address.here}/24`, "dev", here);
    ip("link", "set", here, "up");
    ip("-n", namespace, "addr", "add", `${address.there}/24`, "dev", there);
    ip("-n", namespace, "link", "set", there, "up");
  } catch {
    close();
    return undefined;
  }
  return {
    close,
    cut: () => ip("link", "set", here, "down"),
    heal: () => ip("link", "set", here, "up"),
  };
}

if (noPostgres) console.warn(noPostgres);

describe.skipIf(noPostgres)("a sweep over several machines", () => {
  let server: Server;
  let folder: string;
  let pool: Pool;
  const running: Running[] = [];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lucid-distributed-"));
    server = await startServer();
    pool = new Pool({ connectionString: server.url });
    pool.on("error", () => {});
  }, 120_000);
  afterAll(async () => {
    for (const { child } of running) child.kill("SIGKILL");
    await pool.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A study, in the database with a short heartbeat, and its rows as a folder has them. */
  const prepare = async (name: string, seeds: number) => {
    const file = join(folder, `${name}.json`);
    const fixed = { data: "digits", n: 60, pool: 7, hidden: [8] };
    writeFileSync(
      file,
      JSON.stringify({ name, fixed, axes: { rho: [0.5, 2] }, seeds, steps: 4000 }),
    );
    const study = await readStudyFile(file);
    const queue = await openQueue(await connectPostgres(server.url), 10);
    await queue.submit({ study, engine: "auto" }, await expandStudy(study));
    await queue.close();
    const out = join(folder, name);
    await run(["sweep", file, "--out", out]);
    return rowsByCell(out);
  };

  const worker = (study: string, host = "127.0.0.1", before: readonly string[] = []) => {
    const url = `postgres://lucid@${host}:${server.port}/postgres`;
    const started = start(
      ["worker", "--store", url, "--study", study, "--workers", "1", "--once"],
      before,
    );
    running.push(started);
    return started;
  };
  const count = async (sql: string) =>
    Number((await pool.query<{ count: string }>(sql)).rows[0]?.count);
  /** Until so many cells are being worked on, or should be. */
  const untilActive = async (wanted: number) => {
    const sql = "SELECT count(*) FROM lucid_queue.job WHERE state = 'active'";
    while ((await count(sql)) < wanted) await sleep(50);
    // Somewhere in the middle of the cell.
    await sleep(100);
  };
  const rowsOf = async (study: string) => {
    const sql = `SELECT "row" FROM lucid.rows WHERE study = $1`;
    const { rows } = await pool.query<{ row: Comparable }>(sql, [study]);
    return byCell(rows.map(({ row }) => row));
  };

  test("killed, frozen, cut off, server restarted: nothing lost, nothing twice", async ({
    annotate,
  }) => {
    const expected = await prepare("faults", 10);
    const net = openNetwork();
    if (net === undefined) await annotate("no rights to make a network: nobody is cut off");
    try {
      let silent = 0;
      const killed = worker("faults");
      await untilActive(++silent);
      killed.child.kill("SIGKILL");
      const frozen = worker("faults");
      await untilActive(++silent);
      frozen.child.kill("SIGSTOP");
      const behind = ["ip", "netns", "exec", network.namespace];
      const cut = net && worker("faults", address.here, behind);
      if (net) {
        await untilActive(++silent);
        net.cut();
      }
      const steady = worker("faults");
      await untilActive(++silent);
      await server.restart(2000);
      expect(await steady.ended).toMatchObject({ code: 0 });
      expect(await rowsOf("faults")).toEqual(expected);
      // They wake up to a finished study, and must not add to it.
      frozen.child.kill("SIGCONT");
      net?.heal();
      expect(await frozen.ended).toMatchObject({ code: 0 });
      if (cut) expect(await cut.ended).toMatchObject({ code: 0 });
      expect(await rowsOf("faults")).toEqual(expected);
    } finally {
      net?.close();
    }
  }, 600_000);

  test("three workers, and two that race for the last cell, make the rows of a folder", async () => {
    const expected = await prepare("race", 2);
    const workers = [
      worker("race"),
      worker("race"),
      worker("race"),
      worker("race"),
      worker("race"),
    ];
    for (const { ended } of workers) expect(await ended).toMatchObject({ code: 0 });
    expect(await rowsOf("race")).toEqual(expected);
  }, 600_000);
});
