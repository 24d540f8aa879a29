import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lucid } from "../../test/lucid.ts";
import type { Machine } from "../platform/machine.ts";
import { failedRow, formatHistory, type Row } from "../study/cell.ts";
import { expandStudy, parseStudy, type Cell } from "../study/study.ts";
import type { StoredStudy } from "./store.ts";
import { openStudyFolder, readStudyFolder } from "./study-folder.ts";

const machine: Machine = { version: "0", commit: null, dirty: null, runtime: "", platform: "" };
const provenance = { ...machine, finished: "2026-01-01T00:00:00.000Z", wallSeconds: 0.1 + 0.2 };
const small = {
  name: "small",
  fixed: { problem: "cosine" },
  axes: { rho: [1, 2] },
  seeds: 2,
};
const study = parseStudy(small);
const config = { study, engine: "auto" } as const;
const metrics = { shiftedLoss: 5e-324, gradNorm: Infinity, shiftedGradNorm: -1e308, cosine: NaN };
const history = [
  { step: 0, loss: 0.1234567, ...metrics, point: [1, NaN] as const, details: { lr: 1e-9 } },
  { step: 2, loss: 1 / 3, ...metrics },
];
let cells: Cell[] = [];
let root = "";
let folder = "";
let file = "";
beforeEach(async () => {
  cells = await expandStudy(study);
  root = await mkdtemp(join(tmpdir(), "lucid-pack-"));
  folder = join(root, "study");
  file = join(root, "study.jsonl.gz");
});
afterEach(() => rm(root, { recursive: true }));

/** Let the first `count` cells of a study end in its folder. */
async function sweep(count: number, now = cells) {
  const open = await openStudyFolder(folder, config, now);
  for (let i = 0; i < count; i++) {
    const claimed = await open.source.take(undefined);
    if (claimed === undefined) throw new Error("nothing to take");
    await claimed.append(formatHistory(history));
    await claimed.finish(failedRow(claimed.cell, 'why "not"?\n', provenance));
  }
  await open.close();
}

/** All that readers of a study can ask it for. */
async function contentOf(stored: StoredStudy) {
  const rows: Row[] = [];
  for await (const row of stored.rows()) rows.push(row);
  rows.sort((a, b) => (a.cell < b.cell ? -1 : 1));
  const ids = [...stored.cells.map(({ id }) => id), ...rows.map(({ cell }) => cell)];
  const histories = await Promise.all(ids.map((id) => stored.history(id)));
  const { study, engine, cells } = stored;
  return { study, engine, cells, rows, histories };
}

const pack = () => lucid("sweep", "pack", folder, "--to", file);

test("a packed study is what the folder was: cells with and without rows, rows without cells", async () => {
  await sweep(2, cells.slice(0, 3));
  await sweep(0, cells.slice(1));
  expect((await pack()).err).toBe(`${file}: 3 cells\n`);
  const before = await contentOf(await readStudyFolder(folder));
  expect(before.rows).toHaveLength(2);
  expect(before.histories.filter(({ length }) => length === 2)).toHaveLength(3);
  expect(await contentOf(await readStudyFolder(file))).toEqual(before);
  // And unpacked it is the same folder again, byte for byte.
  const again = join(root, "again");
  expect((await lucid("sweep", "unpack", file, "--to", again)).code).toBe(0);
  const names = ["study.json", "cells.jsonl", "rows.jsonl"];
  const metrics = (await readdir(join(folder, "metrics"))).map((name) => join("metrics", name));
  expect(metrics).toHaveLength(2);
  const sorted = async (path: string) => (await readFile(path, "utf8")).split("\n").toSorted();
  for (const name of [...names, ...metrics]) {
    expect(await sorted(join(again, name)), name).toEqual(await sorted(join(folder, name)));
  }
});

test("sweeping a complete packed study does nothing; an incomplete one is unpacked first", async () => {
  await sweep(4);
  await pack();
  const before = await readFile(file);
  const spec = join(root, "small.json");
  await writeFile(spec, JSON.stringify(small));
  const done = await lucid("sweep", spec, "--out", file, "--workers", "1", "--json");
  expect(JSON.parse(done.out)).toMatchObject({ cells: 4, done: 4, statuses: { failed: 4 } });
  expect((await readFile(file)).equals(before)).toBe(true);
  expect((await readdir(root)).toSorted()).toEqual(["small.json", "study", "study.jsonl.gz"]);

  const words = `invalid study ${file}: a packed study cannot be changed (lucid sweep unpack ${file}, then use its folder)`;
  const grown = await expandStudy({ ...study, seeds: 3 });
  await expect(openStudyFolder(file, config, grown)).rejects.toThrow(words);
  expect((await lucid("sweep", "rerun", file, "--failed")).err).toContain(words);
  // The folder is in the way.
  expect((await lucid("sweep", "unpack", file)).err).toContain(`invalid to: ${folder} exists`);
  await rm(folder, { recursive: true });
  expect((await lucid("sweep", "unpack", file)).code).toBe(0);
  const open = await openStudyFolder(folder, config, grown);
  expect(open.finished.size).toBe(4);
  const left = await open.source.take(undefined);
  expect(grown.map(({ id }) => id)).toContain(left?.cell.id);
  await left?.release();
  await open.close();
});

test("refuses, in one line, a file that is no packed study or not all of one", async () => {
  await sweep(1);
  await pack();
  const bytes = await readFile(file);
  const damaged = async (bytes: Uint8Array) => {
    await writeFile(file, bytes);
    return expect(readStudyFolder(file)).rejects;
  };
  const packed = (lines: readonly string[]) => gzipSync(lines.join("\n"));
  await (await damaged(bytes.subarray(0, -9))).toThrow(/^invalid file .+: cannot unpack it, /);
  for (const at of [0, 400, bytes.length - 1]) {
    const flipped = Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 4 : byte));
    await (await damaged(flipped)).toThrow(/^invalid file .+: cannot unpack it, /);
  }
  const lines = gunzipSync(bytes).toString().trimEnd().split("\n");
  expect(lines).toHaveLength(5);
  const [first = "", second = "", ...rest] = lines;
  await (await damaged(packed([]))).toThrow(/line 1 is not JSON/);
  await (await damaged(packed(["{}"]))).toThrow("not the description of a study");
  await (await damaged(packed([first, second]))).toThrow("1 cells where 4 were written");
  await (await damaged(packed([first, "null"]))).toThrow("line 2 is no cell");
  const line = JSON.parse(second) as { row: object; history: unknown };
  expect(line).toMatchObject({ row: { status: "failed" }, history: [{ step: 0 }, { step: 2 }] });
  for (const change of [
    { id: "../../victim", row: null },
    { id: "0123456789abcdef" },
    { row: {} },
    { row: undefined },
    { history: undefined },
  ]) {
    const changed = packed([first, JSON.stringify({ ...line, ...change }), ...rest]);
    await (await damaged(changed)).toThrow("line 2 is no cell");
  }
  // Histories are read when they are asked for.
  await writeFile(file, packed([first, second.replace('"history":[', '"history":[{'), ...rest]));
  const { id } = JSON.parse(second) as Cell;
  await expect((await readStudyFolder(file)).history(id)).rejects.toThrow(
    `invalid file ${file}: the history of ${id} is none (it has been changed)`,
  );
  // What has the same in another order is the same.
  const { id: _, ...others } = line as unknown as Cell & { readonly history: object };
  await writeFile(file, packed([first, JSON.stringify({ ...others, id }), ...rest]));
  expect(await (await readStudyFolder(file)).history(id)).toHaveLength(2);

  const newer = first.replace('"format":1', '"format":2');
  await (await damaged(packed([newer, second, ...rest]))).toThrow(/which is newer/);
  expect((await lucid("sweep", "pack", folder, "--to", `${folder}.gz`)).err).toContain(
    `invalid to: ${folder}.gz (give a file that ends in .jsonl.gz)`,
  );
  expect((await lucid("sweep", "unpack", folder)).err).toContain(
    `invalid file ${folder}: not packed`,
  );
});
