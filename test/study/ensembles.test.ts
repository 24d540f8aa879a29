/** Sweeps whose runs are taken side by side: what is kept is what runs alone would have left. */
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeMachine } from "../../src/platform/node/machine.ts";
import { openStudyFolder, readStudyFolder } from "../../src/store/study-folder.ts";
import type { Row } from "../../src/study/cell.ts";
import { expandStudy, parseStudy, type Study } from "../../src/study/study.ts";
import { openSweeper, type SweepEvent } from "../../src/sweep/sweep.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lucid-ensembles-"));
});
const sweeper = openSweeper({ workers: 1, engine: "native", machine: await describeMachine() });
afterAll(async () => {
  await sweeper.close();
  await rm(root, { recursive: true });
});

/** Sweep a study in a folder until its end, or until `enough` says so. */
async function sweep(
  folder: string,
  study: Study,
  ensembles: boolean,
  enough: (event: SweepEvent) => boolean = () => false,
): Promise<SweepEvent[]> {
  const stop = new AbortController();
  const events: SweepEvent[] = [];
  const open = await openStudyFolder(folder, { study, engine: "native" }, await expandStudy(study));
  await sweeper.run({
    source: open.source,
    recordEvery: null,
    keep: study.keep,
    ensembles,
    signal: stop.signal,
    onEvent(event) {
      events.push(event);
      if (enough(event)) stop.abort();
    },
  });
  await open.close();
  return events;
}

/** Rows by cell. */
async function rowsOf(folder: string): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  let count = 0;
  for await (const row of (await readStudyFolder(folder)).rows()) {
    rows.set(row.cell, row);
    count++;
  }
  expect(count).toBe(rows.size);
  return rows;
}

/** Everything that a folder keeps but where it comes from. */
async function kept(folder: string): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const [cell, { provenance: _, ...row }] of await rowsOf(folder)) {
    all.set(`row ${cell}`, JSON.stringify(row));
  }
  for (const part of ["metrics", "points", "running"]) {
    for (const name of await readdir(join(folder, part))) {
      all.set(`${part}/${name}`, (await readFile(join(folder, part, name))).toString("latin1"));
    }
  }
  return all;
}

const study = parseStudy({
  name: "together",
  fixed: { problem: "regression" },
  axes: { rho: [0, 2, 1000], lr: [0.01, 1e9] },
  seeds: 2,
  steps: 1500,
  keep: true,
});

test("rows, histories and end points are the same side by side, stopped or not, as alone", async () => {
  const [alone, together, stopped] = ["alone", "together", "stopped"].map((name) =>
    join(root, name),
  ) as [string, string, string];
  await sweep(alone, study, false);
  const events = await sweep(together, study, true);
  const cells = (await expandStudy(study)).length;
  expect(new Set(events.map((event) => event.kind === "step" && event.members))).toContain(cells);
  const expected = await kept(alone);
  expect(expected.size).toBe(3 * cells);
  expect(await kept(together)).toEqual(expected);
  const ensembles = async (folder: string) =>
    new Set(Array.from((await rowsOf(folder)).values(), ({ provenance }) => provenance.ensemble));
  expect(await ensembles(alone)).toEqual(new Set([undefined]));
  expect(await ensembles(together)).toEqual(new Set([cells]));
  const verdicts = Array.from((await rowsOf(alone)).values(), ({ verdict }) => verdict?.name);
  expect(verdicts).toContain("diverged");
  expect(new Set(verdicts).size).toBeGreaterThan(2);

  // Stopped with one cell on its way alone, then where every cell is saved; gone on with together
  // with those that stand where it stands, and alone.
  await sweep(stopped, study, false, ({ kind }) => kind === "step");
  expect(await readdir(join(stopped, "running"))).toHaveLength(1);
  const begun = await sweep(stopped, study, true, ({ kind }) => kind === "step");
  expect(begun.filter(({ kind }) => kind === "released")).toHaveLength(cells);
  expect(await readdir(join(stopped, "running"))).toHaveLength(cells);
  const rows = await sweep(stopped, study, true, ({ kind }) => kind === "row");
  expect(rows.filter(({ kind }) => kind === "row").length).toBeGreaterThan(0);
  await sweep(stopped, study, false);
  expect(await kept(stopped)).toEqual(expected);
});

test("a run that ends its thread costs the others nothing", async () => {
  const file = join(root, "deadly.mjs");
  await writeFile(
    file,
    `import { regression } from "lucid-sam/problems";
const problem = regression();
export default { ...problem, name: "deadly", init(seed) {
  if (seed === 3) process.exit(1);
  return problem.init(seed);
} };`,
  );
  const deadly = parseStudy({
    name: "deadly",
    fixed: { problem: file, dtype: "float64" },
    axes: {},
    seeds: 6,
    steps: 50,
  });
  const folder = join(root, "deadly");
  await sweep(folder, deadly, true);
  const rows = [...(await rowsOf(folder)).values()];
  const bySeed = new Map(rows.map(({ at, status, error }) => [at["seed"], [status, error]]));
  expect(bySeed.get(3)).toEqual(["failed", "the worker thread ended: exit code 1"]);
  expect(bySeed.size).toBe(6);
  expect(rows.filter(({ status }) => status === "ok")).toHaveLength(5);
});
