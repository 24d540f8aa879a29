/** Stored studies: all their rows can be read, and sweeping them again has nothing to do. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Row } from "../../src/study/cell.ts";
import { canonicalJson, parseSpec, specHash } from "../../src/run/spec.ts";
import type { StoredStudy } from "../../src/store/store.ts";
import { readStudyFile } from "../../src/store/study-file.ts";
import { openStudyFolder, readStudyFolder } from "../../src/store/study-folder.ts";
import { expandStudy } from "../../src/study/study.ts";
import { lucid } from "../lucid.ts";
import { pinned, sha256 } from "./pinned.ts";
import { copyStudy, readDocument } from "./studies.ts";

/** Every stored study, and what it was swept from. */
const sources: { readonly [name: string]: readonly [file: string, preset?: string] } = {
  "figure-5-quick": ["studies/figure-5.ts", "quick"],
  remedies: ["studies/remedies.ts"],
  "plain-descent": ["studies/plain-descent.ts"],
  "beside-remedies": ["studies/beside-remedies.ts"],
};

let root = "";
const copies = new Map<string, string>();
const copyOf = (name: string) => copies.get(name) as string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lucid-pins-"));
  for (const name of Object.keys(sources)) copies.set(name, await copyStudy(name, root));
});
afterAll(() => rm(root, { recursive: true }));

const byId = <T>(all: readonly (readonly [id: string, value: T])[]) =>
  all.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);

async function rowsOf(stored: StoredStudy): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of stored.rows()) rows.push(row);
  return rows;
}

pinned<string>("studies", async (name) => {
  const stored = await readStudyFolder(copyOf(name));
  const { cells } = stored;
  const rows = await rowsOf(stored);
  const histories = await Promise.all(cells.map(async ({ id }) => [id, await stored.history(id)]));
  const named = histories as [string, object[]][];
  return {
    cells: cells.length,
    cellsHash: sha256(canonicalJson(byId(cells.map((cell) => [cell.id, cell])))),
    rows: rows.length,
    rowsHash: sha256(canonicalJson(byId(rows.map((row) => [row.cell, row])))),
    historyRows: named.reduce((sum, [, history]) => sum + history.length, 0),
    historiesHash: sha256(canonicalJson(byId(named.map((entry) => [entry[0], entry])))),
  };
});

pinned<string>("documents", async (name) => sha256(canonicalJson(await readDocument(name))));

test.each(Object.keys(sources))("ids in %s are those of their specs", async (name) => {
  const stored = await readStudyFolder(copyOf(name));
  const specs = [
    ...stored.cells.map(({ id, spec }) => ({ id, spec })),
    ...(await rowsOf(stored)).map(({ cell, spec }) => ({ id: cell, spec })),
  ];
  expect(specs.length).toBeGreaterThan(20);
  for (const { id, spec } of specs) {
    const parsed = parseSpec(spec);
    expect(canonicalJson(parsed)).toBe(canonicalJson(spec));
    expect(await specHash(parsed)).toBe(id);
  }
});

test.each(Object.entries(sources))("%s still has the cells of its file", async (name, source) => {
  const cells = await expandStudy(await readStudyFile(...source));
  const stored = await readStudyFolder(copyOf(name));
  expect(canonicalJson(cells)).toBe(canonicalJson(stored.cells));
});

test.each(Object.entries(sources))("sweeping %s again does nothing", async (name, source) => {
  const folder = copyOf(name);
  const before = await rowsOf(await readStudyFolder(folder));
  const study = await readStudyFile(...source);
  const cells = await expandStudy(study);
  const open = await openStudyFolder(folder, { study, engine: "auto" }, cells);
  const next = await open.source.take(undefined);
  await open.close();
  expect(next).toBeUndefined();
  expect(open.finished.size).toBe(cells.length);
  const [file, preset] = source;
  const flags = [...(preset === undefined ? [] : ["--preset", preset]), "--out", folder];
  const { code, out } = await lucid("sweep", file, ...flags, "--workers", "1", "--json");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ cells: cells.length, done: cells.length, foreign: 0 });
  expect(await rowsOf(await readStudyFolder(folder))).toEqual(before);
});
