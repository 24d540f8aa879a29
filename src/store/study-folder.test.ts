import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lucid } from "../../test/lucid.ts";
import type { Machine } from "../platform/machine.ts";
import { scalarTensor } from "../engine/tensor.ts";
import { programKey } from "../run/build.ts";
import { encodeCheckpoint, type Checkpoint } from "../run/checkpoint.ts";
import { failedRow, formatHistory, type Row } from "../study/cell.ts";
import { studyStatus } from "../study/status.ts";
import { openStudyFolder, readStudyFolder } from "./study-folder.ts";
import { expandStudy, parseStudy, type Cell } from "../study/study.ts";
import type { ClaimedCell } from "../study/claims.ts";

const machine: Machine = { version: "0", commit: null, dirty: null, runtime: "", platform: "" };
const provenance = { ...machine, finished: "2026-01-01T00:00:00.000Z", wallSeconds: 1 };
const study = parseStudy({
  name: "small",
  fixed: { problem: "cosine" },
  axes: { rho: [1, 2] },
  seeds: 2,
});
const config = { study, engine: "auto" } as const;
let cells: Cell[] = [];
let root = "";
let folder = "";
beforeEach(async () => {
  cells = await expandStudy(study);
  root = await mkdtemp(join(tmpdir(), "lucid-study-"));
  folder = join(root, "study");
});
afterEach(() => rm(root, { recursive: true }));

const open = (now = cells) => openStudyFolder(folder, config, now);
const finish = (claimed: ClaimedCell) =>
  claimed.finish(failedRow(claimed.cell, "why not", provenance));
const rowsOf = async (): Promise<Row[]> => {
  const rows: Row[] = [];
  for await (const row of (await readStudyFolder(folder)).rows()) rows.push(row);
  return rows;
};
const take = async ({ source }: Awaited<ReturnType<typeof open>>): Promise<ClaimedCell> => {
  const claimed = await source.take(undefined);
  if (claimed === undefined) throw new Error("nothing to take");
  return claimed;
};

test("every cell is handed out once, and never again when it has a row", async () => {
  const first = await open();
  const [done, left] = [await take(first), await take(first)];
  await finish(done);
  await left.release();
  await first.close();
  const second = await open();
  expect([...second.finished]).toEqual([done.cell.id]);
  const rest: string[] = [];
  for (let cell = await second.source.take(undefined); cell;) {
    rest.push(cell.cell.id);
    await finish(cell);
    cell = await second.source.take(undefined);
  }
  await second.close();
  expect([...rest, done.cell.id].toSorted()).toEqual(cells.map(({ id }) => id).toSorted());
  expect((await rowsOf()).map(({ cell }) => cell)).toEqual([done.cell.id, ...rest]);
});

test("cells of one program are handed out together, those of the commonest first", async () => {
  const mixed = await expandStudy(
    parseStudy({
      name: "mixed",
      fixed: { problem: "cosine" },
      axes: { method: ["gd", "sam"] },
      seeds: 3,
    }),
  );
  // One of descent, three of SAM, in the order they were written.
  const few = mixed.filter(({ at }) => at["method"] === "sam" || at["seed"] === 1);
  const first = await open(few);
  const taken: unknown[] = [];
  let program: string | undefined;
  for (;;) {
    const claimed = await first.source.take(program);
    if (claimed === undefined) break;
    const { cell } = claimed;
    program = programKey(cell.spec);
    taken.push([cell.at["method"], cell.at["seed"]]);
    await claimed.release();
  }
  expect(taken).toEqual([
    ["sam", 0],
    ["sam", 1],
    ["sam", 2],
    ["gd", 1],
  ]);
  expect(await first.source.take(undefined)).toBeUndefined();
  await first.close();
  // Whoever has another program goes on with that.
  const again = await open(few);
  const gd = few.find(({ at }) => at["method"] === "gd") as Cell;
  const claimed = await again.source.take(programKey(gd.spec));
  expect(claimed?.cell.id).toBe(gd.id);
  await claimed?.release();
  await again.close();
});

test("what a crash left half written is cleared away, and nothing else", async () => {
  await (await open()).close();
  const files = ["rows.jsonl.1.tmp", ".tmp.txt", join("running", "a.tmp"), join("running", "a")];
  for (const name of files) await writeFile(join(folder, name), "x");
  await (await open()).close();
  expect(await readdir(folder)).toContain(".tmp.txt");
  expect(await readdir(folder)).not.toContain("rows.jsonl.1.tmp");
  expect(await readdir(join(folder, "running"))).toEqual(["a"]);
});

test("nothing is written to a cell that was given back", async () => {
  const opened = await open();
  const claimed = await take(opened);
  await claimed.append("a\n");
  await claimed.release();
  await expect(claimed.append("b\n")).rejects.toThrow();
  await opened.close();
});

test.each(["null", "[]", "5", "{}"])("a description that is %s is none", async (text) => {
  await (await open()).close();
  await writeFile(join(folder, "study.json"), text);
  await expect(readStudyFolder(folder)).rejects.toThrow(
    `invalid file ${join(folder, "study.json")}: `,
  );
});

test("a list of cells that was cut is refused", async () => {
  await (await open()).close();
  const path = join(folder, "cells.jsonl");
  const lines = (await readFile(path, "utf8")).split("\n");
  await writeFile(path, lines.slice(1).join("\n"));
  await expect(readStudyFolder(folder)).rejects.toThrow(
    `invalid file ${path}: 3 cells where 4 were written (it has been changed; sweep the study again to have it rewritten)`,
  );
  await (await open()).close();
  expect((await readStudyFolder(folder)).cells).toHaveLength(4);
});

test("a rerun begins its cells anew, wherever they stood", async () => {
  const first = await open();
  const claimed = await take(first);
  await finish(claimed);
  await first.close();
  const running = join(folder, "running", `${claimed.cell.id}.safetensors`);
  const other = join(folder, "running", `${cells.at(-1)?.id}.safetensors`);
  for (const path of [running, other]) await writeFile(path, "stands somewhere");
  await (await readStudyFolder(folder)).drop(() => true);
  expect(await readdir(join(folder, "running"))).toEqual([`${cells.at(-1)?.id}.safetensors`]);
});

test("a torn row is cut off, and its cell runs again", async () => {
  const first = await open();
  await finish(await take(first));
  await first.close();
  const rows = join(folder, "rows.jsonl");
  const whole = await readFile(rows, "utf8");
  await appendFile(rows, whole.slice(0, 100));
  // Readers ignore it meanwhile.
  expect(await rowsOf()).toHaveLength(1);
  await (await open()).close();
  expect(await readFile(rows, "utf8")).toBe(whole);
});

test("a history goes on where the checkpoint was made, or from the start without one", async () => {
  const checkpoint = await readFile(new URL("./study-folder.test.ts", import.meta.url));
  const first = await open();
  const claimed = await take(first);
  await claimed.append("{}\n");
  await claimed.save(checkpoint);
  await claimed.release();
  await first.close();
  // What is stored there is no checkpoint, so it does not count.
  const second = await open();
  const again = await take(second);
  expect(again.cell.id).toBe(claimed.cell.id);
  expect(again.from).toBeUndefined();
  expect(await (await readStudyFolder(folder)).history(again.cell.id)).toEqual([]);
  await again.release();
  await second.close();
});

/** The line of a history, and a checkpoint that speaks of so many of its bytes. */
const lineAt = (step: number) => {
  const numbers = { loss: 1, shiftedLoss: 2, gradNorm: 3, shiftedGradNorm: 4, cosine: 1 };
  return formatHistory([{ step, ...numbers }]);
};
const checkpointOf = (metricsLength: number) => {
  const carry = {
    params: { x: scalarTensor(1, "float64") },
    memory: {},
    outer: {},
    statistics: {},
  };
  const checkpoint = { state: { step: 5, carry }, screen: {}, evaluations: 10, seconds: 0.5 };
  return encodeCheckpoint(checkpoint as unknown as Checkpoint, metricsLength);
};

test("a cell goes on where it was saved: lines that came after are dropped", async () => {
  const lines = [0, 4, 8].map(lineAt) as [string, string, string];
  const first = await open();
  const claimed = await take(first);
  expect(claimed.from).toBeUndefined();
  await claimed.append(lines[0]);
  const checkpoint = checkpointOf(lines[0].length);
  await claimed.save(checkpoint);
  await claimed.append(lines[1]);
  await claimed.release();
  await first.close();
  const running = join(folder, "running", `${claimed.cell.id}.safetensors`);
  expect(await readFile(running)).toEqual(Buffer.from(checkpoint));
  const second = await open();
  const again = await take(second);
  expect(again.cell.id).toBe(claimed.cell.id);
  expect(again.from).toEqual(checkpoint);
  await again.append(lines[2]);
  expect(await again.finish(failedRow(again.cell, "why not", provenance))).toBe(true);
  expect([...second.finished]).toEqual([again.cell.id]);
  await second.close();
  const history = join(folder, "metrics", `${again.cell.id}.jsonl`);
  expect(await readFile(history, "utf8")).toBe(lines[0] + lines[2]);
  // Nothing stands anywhere any more.
  expect(await readdir(join(folder, "running"))).toEqual([]);
});

test("a checkpoint that speaks of more lines than there are does not count", async () => {
  const first = await open();
  const claimed = await take(first);
  await claimed.append(lineAt(0));
  await claimed.save(checkpointOf(1000));
  await claimed.release();
  await first.close();
  const second = await open();
  const again = await take(second);
  expect(again.from).toBeUndefined();
  await again.release();
  await second.close();
  expect(await readFile(join(folder, "metrics", `${again.cell.id}.jsonl`), "utf8")).toBe("");
});

test.each([
  ["kept where the study keeps them", true],
  ["nowhere else", false],
])("final parameters are %s", async (_, keep) => {
  const opened = await openStudyFolder(folder, { ...config, study: { ...study, keep } }, cells);
  const claimed = await take(opened);
  const parameters = keep ? Uint8Array.of(1, 2, 3) : undefined;
  await claimed.finish(failedRow(claimed.cell, "why not", provenance), parameters);
  await opened.close();
  const names = await readdir(folder);
  expect(names.includes("points")).toBe(keep);
  if (!keep) return;
  expect(await readFile(join(folder, "points", `${claimed.cell.id}.safetensors`))).toEqual(
    Buffer.of(1, 2, 3),
  );
});

test("a study folder says what it is, for people and programs", async () => {
  await (await open()).close();
  expect(JSON.parse(await readFile(join(folder, "study.json"), "utf8"))).toEqual({
    format: 1,
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    engine: "auto",
    cells: 4,
    study,
    check: expect.stringMatching(/^[0-9a-f]{8}$/),
  });
  const lines = (await readFile(join(folder, "cells.jsonl"), "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual(
    cells.map((cell) => ({ ...cell, check: expect.any(String) })),
  );
  const stored = await readStudyFolder(folder);
  expect(stored).toMatchObject({ name: folder, study, engine: "auto", cells });
});

test("a folder with nothing but hidden files and locks of the dead is as good as empty", async () => {
  await mkdir(folder);
  for (const name of [".hidden", "lock-1"]) await writeFile(join(folder, name), "{}");
  await (await open()).close();
  expect(await readdir(folder)).toContain("study.json");
  await rm(folder, { recursive: true });
  await mkdir(folder);
  for (const name of ["notes", "unlock-1", "a.hidden"]) {
    await writeFile(join(folder, name), "");
    await expect(open()).rejects.toThrow(
      `invalid out: ${folder} is not empty and no study (choose another folder)`,
    );
    await rm(join(folder, name));
  }
});

describe("cells that may run side by side", () => {
  // 3 of SAM at 10 steps, 3 at 20, 3 of descent at 10 and 3 at 20: two programs, four kinds.
  const mixed = {
    name: "mixed",
    fixed: { problem: "cosine" },
    axes: { method: ["gd", "sam"], steps: [10, 20] },
    seeds: 3,
  };
  const at = ({ cell }: ClaimedCell) =>
    [cell.at["method"], cell.at["steps"], cell.at["seed"]].join(" ");

  const openMixed = async () => {
    const opened = await open(await expandStudy(parseStudy(mixed)));
    const { beside } = opened.source;
    if (beside === undefined) throw new Error("one by one");
    return { opened, beside };
  };

  test("are those of one program that end together, as many as are left", async () => {
    const { opened, beside } = await openMixed();
    const one = await take(opened);
    expect(at(one)).toBe("gd 10 0");
    expect(beside.count(one.cell)).toBe(2);
    for (const most of [0, -1]) expect(await beside.take(one.cell, most)).toEqual([]);
    expect(beside.count(one.cell)).toBe(2);
    const some = await beside.take(one.cell, 1);
    expect(some.map(at)).toEqual(["gd 10 1"]);
    expect(beside.count(one.cell)).toBe(1);
    const rest = await beside.take(one.cell, 5);
    expect(rest.map(at)).toEqual(["gd 10 2"]);
    expect([beside.count(one.cell), await beside.take(one.cell, 5)]).toEqual([0, []]);
    // The others are where they were.
    const key = programKey(one.cell.spec);
    const next = await opened.source.take(key);
    expect(next && at(next)).toBe("gd 20 0");
    for (const claimed of [one, ...some, ...rest, next]) await claimed?.release();
    await opened.close();
  });

  test("may be claimed again when they were put back, also the last ones of a program", async () => {
    const { opened, beside } = await openMixed();
    const taken: ClaimedCell[] = [];
    for (let i = 0; i < 6; i++) {
      const claimed = await opened.source.take(taken[0] && programKey(taken[0].cell.spec));
      if (claimed) taken.push(claimed);
    }
    const [first, second] = taken as [ClaimedCell, ClaimedCell];
    expect(new Set(taken.map(({ cell }) => cell.at["method"])).size).toBe(1);
    expect(beside.count(first.cell)).toBe(0);
    for (const claimed of taken) await claimed.release();
    beside.putBack(first.cell);
    beside.putBack(second.cell);
    expect(beside.count(first.cell)).toBe(
      at(first).slice(0, -1) === at(second).slice(0, -1) ? 2 : 1,
    );
    const again = [
      await opened.source.take(programKey(first.cell.spec)),
      await opened.source.take(programKey(first.cell.spec)),
    ];
    expect(again.map((claimed) => claimed && at(claimed))).toEqual([at(first), at(second)]);
    for (const claimed of again) await claimed?.release();
    await opened.close();
  });

  test("a program of which the last cells went side by side is gone", async () => {
    const few = (
      await expandStudy(parseStudy({ ...mixed, axes: { method: ["gd", "sam"] } }))
    ).slice(0, 5);
    const opened = await open(few.filter(({ at }) => at["method"] === "gd" || at["seed"] === 0));
    const one = await take(opened);
    const rest = (await opened.source.beside?.take(one.cell, 9)) ?? [];
    expect([one, ...rest].map(({ cell }) => cell.at["method"])).toEqual(["gd", "gd", "gd"]);
    const left = await opened.source.take(programKey(one.cell.spec));
    expect(left?.cell.at["method"]).toBe("sam");
    for (const claimed of [one, ...rest, left]) await claimed?.release();
    expect(await opened.source.take(undefined)).toBeUndefined();
    await opened.close();
  });
});

test("a rerun of nothing writes nothing, and each lets go of the folder", async () => {
  const first = await open();
  await finish(await take(first));
  await first.close();
  const before = await readdir(folder);
  expect(await (await readStudyFolder(folder)).drop(() => false)).toEqual([]);
  expect(await readdir(folder)).toEqual(before);
  await (await readStudyFolder(folder)).drop(() => true);
  expect((await readdir(folder)).filter((name) => name.startsWith("lock-"))).toEqual([]);
  expect(await rowsOf()).toEqual([]);
});

test.each([
  ["record", 8, "8", "default"],
  ["keep", true, "true", "false"],
  ["certify", true, "true", "false"],
] as const)("rows made with another %s do not mix", async (entry, value, now, before) => {
  await (await open()).close();
  const other = { study: { ...study, [entry]: value }, engine: "auto" } as const;
  await expect(openStudyFolder(folder, other, cells)).rejects.toThrow(
    `invalid ${entry}: ${now}, but the rows in ${folder} were made with ${before} (keep it, or give the study another name or --out)`,
  );
  // What does not change a row may change.
  const words = { study: { ...study, description: "why?", seeds: 3 }, engine: "auto" } as const;
  await (await openStudyFolder(folder, words, cells)).close();
  expect((await readStudyFolder(folder)).study.description).toBe("why?");
});

test("a study may grow: rows stay, those of cells that went do not count", async () => {
  const first = await open(cells.slice(0, 2));
  await finish(await take(first));
  await finish(await take(first));
  await first.close();
  const second = await open(cells.slice(1));
  expect([...second.finished]).toEqual([cells[1]?.id]);
  await second.close();
  const stored = await readStudyFolder(folder);
  expect(await studyStatus(stored.cells, stored.rows())).toMatchObject({
    cells: 3,
    done: 1,
    foreign: 1,
    statuses: { failed: 1 },
  });
});

test("a rerun takes rows out of the way, and keeps them elsewhere", async () => {
  const first = await open();
  await finish(await take(first));
  await finish(await take(first));
  await first.close();
  const before = await rowsOf();
  const dropped = await (await readStudyFolder(folder)).drop(({ cell }) => cell === cells[0]?.id);
  expect(dropped).toEqual(before.slice(0, 1));
  expect(await rowsOf()).toEqual(before.slice(1));
  const replaced = await readFile(join(folder, "replaced.jsonl"), "utf8");
  expect(JSON.parse(replaced)).toEqual({ ...before[0], check: expect.any(String) });
  const second = await open();
  expect((await take(second)).cell.id).toBe(cells[0]?.id);
  await second.close();
});

test("rerun --failed takes failed cells and those that are named, and no other", async () => {
  const first = await open();
  const ran: Row[] = [];
  for (const status of ["ok", "failed", "diverged", "inconclusive"] as const) {
    const claimed = await take(first);
    const row = { ...failedRow(claimed.cell, "why not", provenance), status };
    await claimed.finish(row);
    ran.push(row);
  }
  await first.close();
  const [ok, , diverged, inconclusive] = ran;
  const rerun = async (...args: string[]) => (await lucid("sweep", "rerun", folder, ...args)).err;
  expect(await rerun("--failed")).toMatch(/^1 cell to run again/);
  expect(await rowsOf()).toEqual([ok, diverged, inconclusive]);
  expect(await rerun("--failed")).toMatch(/^0 cells to run again/);
  expect(await rerun(diverged?.cell ?? "")).toMatch(/^1 cell to run again/);
  expect(await rowsOf()).toEqual([ok, inconclusive]);
  expect(await rerun()).toMatch(/^missing cells/);
  expect(await rerun("0123456789abcdef")).toMatch(/^unknown cell/);
  expect(await rowsOf()).toEqual([ok, inconclusive]);
});

test("refuses, in one line, what would mix rows or lose them", async () => {
  const first = await open();
  await expect(open()).rejects.toThrow(/^invalid folder .+: process \d+ has been writing to it/);
  await first.close();
  await expect(openStudyFolder(folder, { study, engine: "jax" }, cells)).rejects.toThrow(
    `invalid engine: jax, but the rows in ${folder} were made with auto`,
  );
  await expect(
    openStudyFolder(folder, { study: { ...study, name: "other" }, engine: "auto" }, cells),
  ).rejects.toThrow(`invalid study: other, but the rows in ${folder} were made with small`);
  const file = join(folder, "study.json");
  const text = await readFile(file, "utf8");
  const newer = text.replace('"format": 1', '"format": 2').replace(/,\s*"check": "[0-9a-f]+"/, "");
  await writeFile(file, newer);
  await expect(open()).rejects.toThrow(/^invalid file .+: written by lucid-sam .+, which is newer/);
  await writeFile(file, "{}");
  await expect(readStudyFolder(folder)).rejects.toThrow("not the description of a study");
  await expect(readStudyFolder(root)).rejects.toThrow(`missing study in ${root}`);
  // A file that is there and damaged is not missing.
  await writeFile(join(folder, "study.json"), '{"name":');
  await expect(readStudyFolder(folder)).rejects.toThrow(
    `invalid file ${join(folder, "study.json")}`,
  );
  await expect(openStudyFolder(root, config, cells)).rejects.toThrow(
    `invalid out: ${root} is not empty and no study`,
  );
  await writeFile(join(folder, "rows.jsonl"), "x\n");
  await writeFile(file, text);
  await expect(rowsOf()).rejects.toThrow(/^invalid file .+rows\.jsonl: line 1 is not JSON/);
  expect((await readdir(folder)).filter((name) => name.startsWith("lock-"))).toEqual([]);
});

test("a cell with two rows is one cell done, and the other row is counted", async () => {
  const first = await open();
  await finish(await take(first));
  await first.close();
  const file = join(folder, "rows.jsonl");
  await appendFile(file, await readFile(file));
  const stored = await readStudyFolder(folder);
  expect(await studyStatus(stored.cells, stored.rows())).toMatchObject({
    cells: 4,
    done: 1,
    statuses: { failed: 1 },
    repeated: 1,
  });
  expect((await lucid("sweep", "status", folder)).out).toContain(
    "1 more row of cells that have one already; the first counts\n",
  );
});

test("a row whose numbers were changed is refused; one without a checksum is not", async () => {
  const first = await open();
  await finish(await take(first));
  await first.close();
  const file = join(folder, "rows.jsonl");
  const text = await readFile(file, "utf8");
  const before = await rowsOf();
  await writeFile(file, text.replace('"wallSeconds":1', '"wallSeconds":2'));
  await expect(rowsOf()).rejects.toThrow(
    /^invalid file .+rows\.jsonl: line 1 is not what was written/,
  );
  await writeFile(file, text.replace(/,"check":"[0-9a-f]{8}"/, ""));
  expect(await rowsOf()).toEqual(before);
});

describe("what a file calls a cell cannot be a path to another file:", () => {
  const damage = async (file: string, from: RegExp, to: string) => {
    const path = join(folder, file);
    await writeFile(path, (await readFile(path, "utf8")).replace(from, to));
  };
  let victims: string[] = [];
  beforeEach(async () => {
    const first = await open();
    await finish(await take(first));
    await first.close();
    victims = ["victim.safetensors", "victim.jsonl"].map((name) => join(root, name));
    for (const victim of victims) await writeFile(victim, '{"step":0}\n');
  });
  afterEach(async () => {
    for (const victim of victims) expect(await readFile(victim, "utf8")).toBe('{"step":0}\n');
  });

  test("a rerun deletes nothing outside the folder", async () => {
    await damage("rows.jsonl", /,"check":"[0-9a-f]+"/, "");
    await damage("rows.jsonl", /"cell":"[0-9a-f]+"/, '"cell":"../../victim"');
    const stored = await readStudyFolder(folder);
    await expect(stored.drop(() => true)).rejects.toThrow(
      /^invalid file .+rows\.jsonl: line 1 is not the row of a cell \(it has been changed/,
    );
  });

  test("a history is not read from outside the folder", async () => {
    const stored = await readStudyFolder(folder);
    await expect(stored.history("../../victim")).rejects.toThrow(
      'invalid name "../../victim": it would be a path',
    );
    await damage("cells.jsonl", /,"check":"[0-9a-f]+"/, "");
    await damage("cells.jsonl", /"id":"[0-9a-f]+"/, '"id":"../../victim"');
    await expect(readStudyFolder(folder)).rejects.toThrow(
      /^invalid file .+cells\.jsonl: line 1 is not a cell \(it has been changed/,
    );
  });
});
