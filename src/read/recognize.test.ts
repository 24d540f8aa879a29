/** The door for files in memory: what a page reads is what the command line reads. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lucid } from "../../test/lucid.ts";
import { filesInMemory, type Files } from "../platform/files.ts";
import { nodeSources } from "../run/node-sources.ts";
import { formatChecked } from "../run/checked.ts";
import { parseRows } from "../study/cell.ts";
import { tensorBoardEvent, tensorBoardHeader } from "../run/tensorboard.ts";
import { growingLog } from "../run/logs/log-format.ts";
import { readRunFolder } from "../store/run-folder.ts";
import { readStudyFolder } from "../store/study-folder.ts";
import { recognize, type Found } from "./recognize.ts";
import { growingRows, type StoredStudy } from "./study.ts";

let root = "";
const at = (...names: string[]) => join(root, ...names);
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "lucid-read-"));
  const run = ["train", "--problem", "cosine", "--rho", "1", "--steps", "30"];
  expect((await lucid(...run, "--out", at("runs", "ä b#1"))).code).toBe(0);
  const study = { name: "s", fixed: { problem: "cosine" }, axes: { rho: [1, 2] }, steps: 20 };
  writeFileSync(at("study.json"), JSON.stringify({ ...study, seeds: 1, keep: true }));
  const sweep = ["sweep", at("study.json"), "--workers", "1", "--out", at("sweep")];
  expect((await lucid(...sweep)).code).toBe(0);
  expect((await lucid("sweep", "pack", at("sweep"), "--to", at("s.jsonl.gz"))).code).toBe(0);
  cpSync(join(import.meta.dirname, "../../test/import/fixtures/mlp"), at("network"), {
    recursive: true,
  });
  const point = ["--problem", "cosine", "--rho", "4", "--point", "2,0", "--steps", "20"];
  writeFileSync(at("c.json"), (await lucid("certify", ...point, "--json")).out);
  const { code } = await lucid(
    "landscape",
    at("runs", "ä b#1"),
    ..."--line --points 3 --out".split(" "),
    at("valley"),
  );
  expect(code).toBe(0);
  mkdirSync(at("torch"));
  writeFileSync(at("torch", "log.csv"), "step,loss\n0,1\n5,0.5\n");
  cpSync(at("runs", "ä b#1", "final.safetensors"), at("torch", "point.safetensors"));
  writeFileSync(at("torch", "package.json"), "{}");
  writeFileSync(at("torch", "rows.jsonl"), "");
});
afterAll(() => rmSync(root, { recursive: true }));

/** All files below the root, as a page holds them. */
const held = (): { path: string; bytes: Uint8Array<ArrayBuffer> }[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => ({
      path: relative(root, join(parentPath, name)).replaceAll(sep, "/"),
      bytes: new Uint8Array(readFileSync(join(parentPath, name))),
    }));

/** Files that note what is read of them. */
function watched(files: Files): Files & { readonly seen: string[] } {
  const seen: string[] = [];
  const read = (path: string) => {
    seen.push(path);
    return files.read(path);
  };
  return { paths: files.paths, seen, read };
}

function only<Kind extends Found["kind"]>(found: readonly Found[], kind: Kind, path: string) {
  const one = found.find((thing) => thing.path === path);
  if (one?.kind !== kind) throw new Error(`${path} is taken for ${one?.kind}`);
  return one as Extract<Found, { kind: Kind }>;
}

async function contentOf(stored: StoredStudy) {
  const { study, engine, cells } = stored;
  const all = [];
  for await (const row of stored.rows()) {
    all.push({ row, history: await stored.history(row.cell) });
  }
  return { study, engine, cells, all };
}

test("says of every file what it is, and reads none for it but what may be a certificate", async () => {
  const files = watched(filesInMemory(held()));
  const found = await recognize(files);
  expect(found.map(({ kind, path }) => `${path}: ${kind}`)).toEqual([
    "c.json: certificate",
    "network: problem",
    "network/expected.safetensors: point",
    "runs/ä b#1: run",
    "s.jsonl.gz: study",
    "study.json: unknown",
    "sweep: study",
    "torch/log.csv: log",
    "torch/package.json: unknown",
    "torch/point.safetensors: point",
    "torch/rows.jsonl: unknown",
    "valley/landscape.html: unknown",
    "valley/landscape.jsonl: landscape",
    "valley/landscape.png: unknown",
    "valley/landscape.svg: unknown",
  ]);
  expect(files.seen).toEqual(["c.json", "torch/package.json"]);
  const claimed = found.flatMap(({ files }) => files);
  expect(new Set(claimed).size).toBe(claimed.length);
  const reasons = found.flatMap((thing) => (thing.kind === "unknown" ? [thing.reason] : []));
  for (const reason of reasons) expect(reason).toMatch(/^(unknown|invalid) file [^\n]+$/);
});

test("a run, a study and a packed study are what the command line reads", async () => {
  const found = await recognize(filesInMemory(held()));
  const run = await only(found, "run", "runs/ä b#1").read();
  expect(run).toEqual(await readRunFolder(at("runs", "ä b#1")));
  expect(run.rows.length).toBeGreaterThan(10);
  const expected = await contentOf(await readStudyFolder(at("sweep")));
  expect(expected.all).toHaveLength(2);
  expect(await contentOf(await only(found, "study", "sweep").read())).toEqual(expected);
  const packed = await contentOf(await only(found, "study", "s.jsonl.gz").read());
  expect(packed.all.map(({ row }) => row.cell).sort()).toEqual(
    expected.all.map(({ row }) => row.cell).sort(),
  );
});

test("logs, points, problems, certificates and landscapes are read", async () => {
  const found = await recognize(filesInMemory(held()));
  const log = await only(found, "log", "torch/log.csv").read();
  expect(log).toEqual([
    { row: { step: 0, values: { step: 0, loss: 1 } } },
    { row: { step: 5, values: { step: 5, loss: 0.5 } } },
  ]);
  const point = await only(found, "point", "torch/point.safetensors").read();
  expect(Object.values(point).flatMap(({ data }) => [...data])).toHaveLength(2);
  const problem = await only(found, "problem", "network").read("float64");
  const node = await nodeSources().problem(at("network"), undefined, "float64");
  expect(problem.init(0)).toEqual(node.init(0));
  const certificate = await only(found, "certificate", "c.json").read();
  expect(certificate).toEqual(JSON.parse(readFileSync(at("c.json"), "utf8")));
  const { identity, places } = await only(found, "landscape", "valley/landscape.jsonl").read();
  expect(identity).toMatchObject({ rho: 1, dtype: "float64" });
  expect(places.map(({ place }) => place.length)).toEqual([1, 1, 1]);
});

test("a file on its own or in the top folder is found as well", async () => {
  const strip = (folder: string) =>
    held().flatMap(({ path, bytes }) =>
      path.startsWith(`${folder}/`) ? [{ path: path.slice(folder.length + 1), bytes }] : [],
    );
  for (const [folder, kind] of [
    ["sweep", "study"],
    ["runs/ä b#1", "run"],
    ["network", "problem"],
  ] as const) {
    const found = await recognize(filesInMemory(strip(folder)));
    expect(found.map(({ kind, path }) => [kind, path])).toContainEqual([kind, ""]);
  }
  const [one] = await recognize(
    filesInMemory(strip("runs/ä b#1").filter(({ path }) => path === "metrics.jsonl")),
  );
  expect(one).toMatchObject({ kind: "log", path: "metrics.jsonl" });
});

test("refuses what is damaged in the words of the command line, with the path on the page", async () => {
  const flip = (path: string) =>
    recognize(
      filesInMemory(
        held().map((file) =>
          file.path === path
            ? { path, bytes: file.bytes.with(40, (file.bytes[40] ?? 0) ^ 1) }
            : file,
        ),
      ),
    );
  const run = only(await flip("runs/ä b#1/config.json"), "run", "runs/ä b#1");
  await expect(run.read()).rejects.toThrow(
    "invalid file runs/ä b#1/config.json: its content does not have its checksum (it was damaged or changed)",
  );
  const study = await only(await flip("sweep/rows.jsonl"), "study", "sweep").read();
  await expect(contentOf(study)).rejects.toThrow(
    "invalid file sweep/rows.jsonl: line 1 is not what was written",
  );
});

test("rows and logs that grow are read in pieces of any size, none twice and none half", async () => {
  const bytes = new Uint8Array(readFileSync(at("sweep", "rows.jsonl")));
  const log = new Uint8Array(readFileSync(at("runs", "ä b#1", "metrics.jsonl")));
  const { all } = await contentOf(await readStudyFolder(at("sweep")));
  const steps = parseRows(new TextDecoder().decode(log)).map(({ step }) => step);
  for (const size of [1, 7, 1000, bytes.length]) {
    const rows = growingRows("rows.jsonl");
    const entries = growingLog("metrics.jsonl");
    const pieces = (whole: Uint8Array) =>
      Array.from({ length: Math.ceil(whole.length / size) }, (_, i) =>
        whole.subarray(i * size, (i + 1) * size),
      );
    expect(pieces(bytes).flatMap(rows)).toEqual(all.map(({ row }) => row));
    const found = pieces(log).flatMap((bytes) => entries(bytes));
    expect(found.map((entry) => ("row" in entry ? entry.row.step : undefined))).toEqual(steps);
  }
  // The form of a log is not told by its first bytes alone.
  const row = { step: 3, loss: 0.5, shiftedLoss: 1, gradNorm: 2, shiftedGradNorm: 3, cosine: 0 };
  const events = Buffer.concat([tensorBoardHeader(0), tensorBoardEvent(row, 1)]);
  const entries = growingLog("events.out.tfevents.0");
  const found = Array.from(events, (_, i) => entries(events.subarray(i, i + 1))).flat();
  expect(found).toMatchObject([{ row: { step: 3, values: { loss: 0.5 } } }]);
  const begun = growingRows("rows.jsonl");
  expect(begun(bytes.subarray(0, -1))).toHaveLength(1);
  expect(() => growingRows("x")(new TextEncoder().encode(`${formatChecked({ a: 1 })}\n`))).toThrow(
    "invalid file x: line 1 is not the row of a cell",
  );
});
