/**
 * Kills: a sweep is killed again and again, and what is left compared with an undisturbed one.
 *
 *     node test/faults/kills.ts --kills 100 --cells 60
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { randomStream } from "../../src/engine/random.ts";
import { rowsByCell, run, start, type Running } from "./cli.ts";

export interface KillReport {
  readonly kills: number;
  /** Sweeps that were begun anew because the one before was finished. */
  readonly sweeps: number;
  /** Kills after which the last line of the rows was torn. */
  readonly torn: number;
}

/**
 * Start a sweep of `cells` cells, kill it with SIGKILL after a random time, start it again, until
 * there have been `kills` of them.
 *
 * @throws when a cell has two rows or none, or a row or history differs from an undisturbed sweep's.
 */
export async function killSweeps({
  kills,
  cells,
  seed = 0,
  onKill = () => {},
}: {
  kills: number;
  cells: number;
  seed?: number;
  onKill?: (kill: number, rows: number) => void;
}): Promise<KillReport> {
  const random = randomStream(seed, "kills");
  const folder = mkdtempSync(join(tmpdir(), "lucid-kills-"));
  try {
    const study = join(folder, "study.json");
    const fixed = { data: "digits", n: 40, pool: 7, hidden: [4] };
    writeFileSync(
      study,
      JSON.stringify({
        name: "kills",
        fixed,
        axes: { rho: [0.5, 2] },
        seeds: cells / 2,
        steps: 500,
      }),
    );
    const calm = join(folder, "calm");
    const began = performance.now();
    await run(["sweep", study, "--out", calm]);
    const calmTime = performance.now() - began;
    const expected = rowsByCell(calm);
    if (expected.size !== cells) throw new Error(`${expected.size} rows of ${cells} cells`);

    let done = 0;
    let sweeps = 0;
    let torn = 0;
    while (done < kills) {
      const out = join(folder, `sweep-${sweeps++}`);
      for (;;) {
        const { size: before } = look(out);
        const running = start(["sweep", study, "--out", out]);
        // Any moment, from the first on; or some time after a row, in the thick of it.
        const anywhere = random.uniform() < 0.5;
        if (!anywhere) await until(() => look(out).size > before, running);
        await sleep(random.uniform(0, anywhere ? calmTime / 2 : 500));
        running.child.kill("SIGKILL");
        const { code, stderr } = await running.ended;
        if (code === 0) break;
        if (code !== "SIGKILL") throw new Error(`the sweep ended with ${code}: ${stderr}`);
        done++;
        const { size, isTorn } = look(out);
        torn += isTorn ? 1 : 0;
        onKill(done, size);
        if (done === kills) break;
      }
      await run(["sweep", study, "--out", out]);
      compare(rowsByCell(out), expected);
      compareHistories(out, calm);
    }
    return { kills: done, sweeps, torn };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Wait for something to happen, but not longer than the process runs. */
async function until(happened: () => boolean, { ended }: Running): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  while (!over && !happened()) await sleep(5);
}

/** Every complete line is a row, no cell has two. */
function look(folder: string): { size: number; isTorn: boolean } {
  try {
    const text = readFileSync(join(folder, "rows.jsonl"), "utf8");
    return { size: rowsByCell(folder).size, isTorn: text !== "" && !text.endsWith("\n") };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { size: 0, isTorn: false };
    throw error;
  }
}

export function compare(found: Map<string, string>, expected: Map<string, string>): void {
  for (const [cell, row] of expected) {
    if (found.get(cell) !== row) {
      throw new Error(`cell ${cell}:\n${found.get(cell)}\ninstead of\n${row}`);
    }
  }
  if (found.size !== expected.size) throw new Error(`${found.size} rows of ${expected.size} cells`);
}

function compareHistories(folder: string, calm: string): void {
  const names = readdirSync(join(calm, "metrics"));
  if (names.length === 0) throw new Error("no histories to compare");
  for (const name of names) {
    const [found, expected] = [folder, calm].map((root) =>
      readFileSync(join(root, "metrics", name), "utf8"),
    );
    if (found !== expected) throw new Error(`the history ${name} differs`);
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "100" },
      cells: { type: "string", default: "60" },
    },
  });
  const report = await killSweeps({
    kills: Number(values.kills),
    cells: Number(values.cells),
    onKill: (kill, rows) => process.stderr.write(`kill ${kill}: ${rows} rows\n`),
  });
  console.log(JSON.stringify(report));
}
