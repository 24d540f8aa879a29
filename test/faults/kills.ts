/**
 * Kills: trainings and sweeps, in folders and in PostgreSQL, are killed again and again, and what is
 * left is compared with undisturbed ones.
 *
 *     npm run kills -- --count 1000 --seed 0
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Pool } from "pg";
import { randomStream } from "../../src/engine/random.ts";
import { noPostgres, startServer } from "../study/postgres.ts";
import { contentOf, rowsOf, run, start, type Comparable } from "./cli.ts";

/** How a process is ended: at once, politely, as by Ctrl-C, as by somebody who cannot wait. */
const ways = ["SIGKILL", "SIGTERM", "SIGINT", "SIGINT twice"] as const;
type Way = (typeof ways)[number];

/** What is killed, and where it keeps its results. */
export const victims = ["training", "sweep", "database"] as const;
export type Victim = (typeof victims)[number];

export interface KillReport {
  readonly kills: number;
  readonly ways: { readonly [W in Way]: number };
  /** Trainings and sweeps that were carried to their end and compared. */
  readonly finished: number;
  /** Rows of cells that were compared, and those missing, doubled or different. */
  readonly rows: number;
  readonly lost: number;
  readonly twice: number;
  /** Bytes of results and histories that were compared; rows and files that differ. */
  readonly bytes: number;
  readonly differing: number;
  /** Cells that a database gave up after four workers had been killed over them in a row; they ran again. */
  readonly givenUp: number;
}

export interface KillOptions {
  readonly victim: Victim;
  readonly kills: number;
  /** Cells per sweep; even. */
  readonly cells: number;
  readonly seed?: number;
  readonly onKill?: (kill: number) => void;
}

/** What is left after a training or a sweep. */
interface Left {
  readonly rows: readonly Comparable[];
  /** Results and histories by name. */
  readonly files: ReadonlyMap<string, string>;
}

/** Something that is killed until it is done, and then compared. */
interface Target {
  /** Arguments of the next process, given how many there were. */
  readonly next: (round: number, life: number) => Promise<string[]>;
  readonly results: (round: number) => Promise<Left>;
  /** Make the next process run again what was given up; how many cells. */
  readonly revive?: (round: number) => Promise<number>;
}

/** Start a process, end it after a random time, start it again, until there were `kills` of them. */
export async function killAgain({
  victim,
  kills,
  cells,
  seed = 0,
  onKill = () => {},
}: KillOptions): Promise<KillReport> {
  const random = randomStream(seed, "kills", victim);
  const folder = mkdtempSync(join(tmpdir(), "lucid-kills-"));
  const closing = [() => rmSync(folder, { recursive: true, force: true })] as (() => unknown)[];
  const count = { kills: 0, finished: 0, rows: 0, lost: 0, twice: 0, bytes: 0, differing: 0 };
  const byWay = { SIGKILL: 0, SIGTERM: 0, SIGINT: 0, "SIGINT twice": 0 };
  let givenUp = 0;
  try {
    const target = await prepare(victim, folder, cells, (close) => closing.unshift(close));
    const began = performance.now();
    await run(await target.next(-1, 0));
    const calmTime = performance.now() - began;
    const expected = await target.results(-1);
    if (expected.files.size === 0) throw new Error("nothing to compare");
    for (let round = 0; count.kills < kills; round++) {
      for (let life = 0; ; life++) {
        const running = start(await target.next(round, life));
        const way = ways[random.integer(ways.length)] as Way;
        // Any moment: early ones leave half-made folders, late ones half-written results.
        const wait = random.uniform(
          0,
          Math.max(1500, calmTime * (random.uniform() < 0.3 ? 1 : 0.4)),
        );
        await Promise.race([sleep(wait), running.ended]);
        running.child.kill(way === "SIGINT twice" ? "SIGINT" : way);
        if (way === "SIGINT twice") {
          await Promise.race([sleep(random.uniform(0, 300)), running.ended]);
          running.child.kill("SIGINT");
        }
        const { code, stderr } = await running.ended;
        if (code === 0) break;
        if (!["SIGKILL", "SIGTERM", "SIGINT", 130, 143].includes(code)) {
          throw new Error(`after ${way} of ${victim} it ended with ${code}: ${stderr}`);
        }
        byWay[way]++;
        onKill(++count.kills);
        if (count.kills === kills) {
          await run(await target.next(round, life + 1));
          break;
        }
      }
      const revived = (await target.revive?.(round)) ?? 0;
      givenUp += revived;
      if (revived > 0) await run(await target.next(round, 1));
      const { rows, files } = await target.results(round);
      count.finished++;
      const byCell = new Map(rows.map((row) => [row.cell, contentOf(row)]));
      count.twice += rows.length - byCell.size;
      for (const row of expected.rows) {
        const found = byCell.get(row.cell);
        count.rows++;
        if (found === undefined) count.lost++;
        else if (found !== contentOf(row)) count.differing++;
      }
      for (const [name, content] of expected.files) {
        count.bytes += content.length;
        if (files.get(name) !== content) count.differing++;
      }
    }
    return { ...count, ways: byWay, givenUp };
  } finally {
    for (const close of closing) await close();
  }
}

async function prepare(
  victim: Victim,
  folder: string,
  cells: number,
  onEnd: (close: () => unknown) => void,
): Promise<Target> {
  const at = (round: number) => join(folder, `${victim}-${round}`);
  if (victim === "training") {
    const flags = ["--n", "40", "--pool", "7", "--hidden", "4", "--steps", String(1000 * cells)];
    return {
      next: async (round) =>
        exists(join(at(round), "config.json"))
          ? ["train", "--resume", at(round), "--json"]
          : ["train", ...flags, "--out", at(round), "--json"],
      results: async (round) => ({ rows: [], files: filesOf(at(round)) }),
    };
  }
  const fixed = { data: "digits", n: 40, pool: 7, hidden: [4] };
  const content = { fixed, axes: { rho: [0.5, 2] }, seeds: cells / 2, steps: 500 };
  const studyFile = (round: number) => {
    const name = `kills-${round + 1}`;
    const path = join(folder, `${name}.json`);
    writeFileSync(path, JSON.stringify({ name, ...content }));
    return { name, path };
  };
  if (victim === "sweep") {
    return {
      // Killed are cells side by side in one program; left alone is one after the other.
      next: async (round) => {
        const when = round < 0 ? "off" : "auto";
        return ["sweep", studyFile(round).path, "--out", at(round), "--ensemble", when];
      },
      results: async (round) => ({
        rows: rowsOf(at(round)),
        files: filesOf(join(at(round), "metrics")),
      }),
    };
  }
  const server = await startServer();
  onEnd(() => server.stop());
  const pool = new Pool({ connectionString: server.url });
  onEnd(() => pool.end());
  return {
    async next(round, life) {
      const { name, path } = studyFile(round);
      const sweep = ["sweep", path, "--store", server.url, "--heartbeat", "10"];
      if (life % 3 < 2) return sweep;
      // Once the study is there, workers do as well.
      const { rows } = await pool
        .query("SELECT FROM lucid.studies WHERE study = $1", [name])
        .catch(() => ({ rows: [] }));
      const worker = ["worker", "--store", server.url, "--study", name, "--once"];
      return rows.length > 0 ? worker : sweep;
    },
    async results(round) {
      const { name } = studyFile(round);
      const found = await pool.query<{ cell: string; row: Comparable; history: string }>(
        `SELECT cell, "row", history FROM lucid.rows WHERE study = $1`,
        [name],
      );
      return {
        rows: found.rows.map(({ row }) => row),
        files: new Map(found.rows.map(({ cell, history }) => [cell, history])),
      };
    },
    async revive(round) {
      const { name } = studyFile(round);
      const { rows } = await pool.query(
        `SELECT FROM lucid.rows WHERE study = $1 AND "row"->>'error' LIKE 'dead letter%'`,
        [name],
      );
      if (rows.length > 0) {
        await run(["sweep", "rerun", name, "--failed", "--store", server.url]);
      }
      return rows.length;
    },
  };
}

const exists = (path: string): boolean => {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
};

/** Files of a folder as text, one character per byte; of a result, all but where it comes from. */
function filesOf(folder: string): Left["files"] {
  return new Map(
    readdirSync(folder)
      .filter((name) => !name.startsWith("lock-") && name !== "config.json")
      .map((name) => {
        const text = readFileSync(join(folder, name), "latin1");
        if (name !== "result.json") return [name, text];
        const { provenance: _, check: _check, ...result } = JSON.parse(text) as Comparable;
        return [name, JSON.stringify(result)];
      }),
  );
}

/** Sums of numbers under equal names. */
function sum(reports: readonly KillReport[]): KillReport {
  const add = (a: object, b: object): object =>
    Object.fromEntries(
      Object.entries(a).map(([key, value]: [string, unknown]) => {
        const other = (b as { readonly [key: string]: unknown })[key];
        return [
          key,
          typeof value === "number" ? value + Number(other) : add(value as object, other as object),
        ];
      }),
    );
  return reports.reduce((a, b) => add(a, b) as KillReport);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "1000" },
      cells: { type: "string", default: "40" },
      seed: { type: "string", default: "0" },
      only: { type: "string", default: "" },
    },
  });
  if (noPostgres) console.warn(noPostgres);
  const chosen = victims
    .filter((victim) => victim !== "database" || !noPostgres)
    .filter((victim) => victim.includes(values.only));
  const total = Number(values.count);
  let done = 0;
  const reports = await Promise.all(
    chosen.map((victim, i) =>
      killAgain({
        victim,
        kills:
          Math.floor((total * (i + 1)) / chosen.length) - Math.floor((total * i) / chosen.length),
        cells: Number(values.cells),
        seed: Number(values.seed),
        onKill: () => process.stderr.write(`kill ${++done} of ${total}: ${victim}\n`),
      }).then((report) => {
        console.log(JSON.stringify({ victim, ...report }));
        return report;
      }),
    ),
  );
  const report = sum(reports);
  console.log(JSON.stringify(report));
  if (report.lost + report.twice + report.differing > 0) process.exitCode = 1;
}
