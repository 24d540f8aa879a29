/** Run folders: what is kept of a run, when, and what is refused. No run is needed for it. */
import { appendFile, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { scalarTensor } from "../engine/tensor.ts";
import { readSafetensors } from "../engine/safetensors.ts";
import { formatChecked } from "../run/checked.ts";
import { decodeCheckpoint, type Checkpoint } from "../run/checkpoint.ts";
import type { MetricRow } from "../run/history.ts";
import type { Outcome } from "../run/run.ts";
import { parseSpec } from "../run/spec.ts";
import type { RunChunk } from "../run/training.ts";
import type { TrainingState } from "../sam/training/state.ts";
import type { RunConfig } from "../read/run.ts";
import { continueRunFolder, createRunFolder, readRunFolder } from "./run-folder.ts";

const spec = parseSpec({ problem: "cosine", steps: 100 });
const config: RunConfig = { spec, engine: "native", threads: 1, recordEvery: 10, version: "0.1.0" };

const stateAt = (step: number): TrainingState => ({
  step,
  carry: {
    params: { x: scalarTensor(step / 3, "float64") },
    memory: {},
    outer: {},
    statistics: {},
  },
});
const rowAt = (step: number): MetricRow => ({
  step,
  loss: 1 / (step + 1),
  shiftedLoss: 2,
  gradNorm: 3,
  shiftedGradNorm: 0.1,
  cosine: -0.5,
});
const checkpointAt = (step: number) =>
  ({ state: stateAt(step), screen: {}, evaluations: 2 * step, seconds: 0.5 }) as Checkpoint;
const chunkTo = (step: number, rows: readonly MetricRow[] = [rowAt(step)]): RunChunk => ({
  checkpoint: checkpointAt(step),
  rows,
  latest: rowAt(step),
});
const result = {
  spec,
  hash: "h",
  final: { step: 100, loss: 0.5 },
  verdict: { name: "minimizer", sentence: "So.", numbers: { a: 1 } },
  warning: null,
  evaluations: 200,
  provenance: { engine: "native", device: "cpu", seconds: 1 },
};
const ending = {
  status: "finished",
  result,
  last: rowAt(30),
  model: { params: { x: scalarTensor(7, "float64") }, statistics: {} },
  checkpoint: checkpointAt(100),
} as unknown as Outcome & { status: "finished" };

let root = "";
let path = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lucid-folder-"));
  path = join(root, "run");
});
afterEach(() => rm(root, { recursive: true }));
const at = (name: string) => join(path, name);
const linesOf = async () => (await readFile(at("metrics.jsonl"), "utf8")).split("\n").length - 1;

test("what is begun, taken, saved and finished is read back", async () => {
  const folder = await createRunFolder(path, config, Infinity);
  expect(folder.path).toBe(path);
  expect(await readRunFolder(path)).toEqual({ config, rows: [] });
  await folder.take(chunkTo(10, [rowAt(0), rowAt(10)]));
  await folder.take(chunkTo(15, []));
  await folder.append([rowAt(20)]);
  const rows = [rowAt(0), rowAt(10), rowAt(20)];
  expect(await readRunFolder(path)).toEqual({ config, rows });
  await folder.save(checkpointAt(25));
  expect(await readdir(path)).toContain("checkpoint.safetensors");
  await folder.finish(ending);
  await folder.close();
  expect(await readRunFolder(path)).toEqual({ config, rows: [...rows, rowAt(30)], result });
  expect((await readdir(path)).sort()).toEqual([
    "config.json",
    "final.safetensors",
    "metrics.jsonl",
    "result.json",
  ]);
  const { tensors } = readSafetensors(await readFile(at("final.safetensors")), "final");
  expect(tensors["x"]?.data).toEqual(Float64Array.of(7));
});

test.each([
  ["after every chunk", 0, true],
  ["not before its time", 1000, false],
])("where a run stands is kept %s", async (_, saveEvery, kept) => {
  const folder = await createRunFolder(path, config, saveEvery);
  for (const step of [10, 20]) {
    await folder.take(chunkTo(step));
    const names = await readdir(path);
    expect(names.includes("checkpoint.safetensors")).toBe(kept);
    if (!kept) continue;
    const { restore, metricsLength } = decodeCheckpoint(
      await readFile(at("checkpoint.safetensors")),
      "checkpoint",
    );
    expect(restore(stateAt(0))).toEqual(checkpointAt(step));
    expect(metricsLength).toBe((await readFile(at("metrics.jsonl"))).length);
  }
  await folder.close();
});

test("a run goes on where it was saved, and what came after is dropped", async () => {
  const begun = await createRunFolder(path, config, Infinity);
  await begun.append([rowAt(0), rowAt(10)]);
  await begun.save(checkpointAt(12));
  await begun.append([rowAt(20)]);
  await begun.close();
  await appendFile(at("metrics.jsonl"), '{"step":30,');
  const { folder, rows, from } = await continueRunFolder(path, Infinity);
  expect(rows).toEqual([rowAt(0), rowAt(10)]);
  expect(from?.(stateAt(0))).toEqual(checkpointAt(12));
  await folder.append([rowAt(20)]);
  await folder.save(checkpointAt(22));
  await folder.close();
  const again = await continueRunFolder(path, Infinity);
  expect(again.rows).toEqual([rowAt(0), rowAt(10), rowAt(20)]);
  await expect(continueRunFolder(path, 1)).rejects.toThrow(/^invalid folder .* writing/);
  await again.folder.close();
});

test("a run that was never saved begins anew", async () => {
  const begun = await createRunFolder(path, config, Infinity);
  await begun.append([rowAt(0), rowAt(10)]);
  await begun.close();
  const { folder, rows, from } = await continueRunFolder(path, Infinity);
  expect([rows, from, await linesOf()]).toEqual([[], undefined, 0]);
  await folder.close();
});

describe("refuses, in one line,", () => {
  const begin = async () => (await createRunFolder(path, config, Infinity)).close();

  test("a folder with a run, or with anything else, which stays as it was", async () => {
    await begin();
    const before = await readdir(path);
    await expect(createRunFolder(path, config, 1)).rejects.toThrow(
      `invalid out: ${path} already holds a run (choose another folder, or continue it with --resume ${path})`,
    );
    expect(await readdir(path)).toEqual(before);
    await writeFile(join(root, "other"), "");
    await expect(createRunFolder(root, config, 1)).rejects.toThrow(
      `invalid out: ${root} is not empty (choose a new or empty folder)`,
    );
    expect((await readdir(root)).sort()).toEqual(["other", "run"]);
  });

  test("what is no folder, or no run", async () => {
    await expect(readRunFolder(path)).rejects.toThrow(`missing folder ${path}: it does not exist`);
    await expect(readRunFolder(root)).rejects.toThrow(
      `missing run in ${root}: it has no config.json (give a folder made by --out)`,
    );
    await writeFile(path, "");
    await expect(readRunFolder(path)).rejects.toThrow(`invalid folder ${path}: `);
  });

  test.each<[string, object, string]>([
    ["another object", { a: 1 }, "not the configuration of a run"],
    [
      "a newer form",
      { format: 2, ...config, version: "9.0.0" },
      "written by lucid-sam 9.0.0, which is newer (update lucid-sam)",
    ],
    ["a wrong spec", { format: 1, ...config, spec: { rho: "x" } }, "invalid "],
  ])("a configuration that is %s", async (_, value, words) => {
    await begin();
    await writeFile(at("config.json"), formatChecked(value, 2));
    await expect(readRunFolder(path)).rejects.toThrow(
      `invalid file ${at("config.json")}: ${words}`,
    );
  });

  test.each<[string, object]>([
    ["no verdict", { verdict: null }],
    ["no number of steps", { final: { loss: 1 } }],
    ["a loss in words", { final: { step: 1, loss: "low" } }],
    ["a verdict of words", { verdict: { name: "x", sentence: "y", numbers: { a: "b" } } }],
    ["a warning without a step", { warning: { sentence: "x" } }],
    ["no evaluations", { evaluations: null }],
    ["no seconds", { provenance: { engine: "native", device: "cpu" } }],
  ])("a result with %s", async (_, change) => {
    await begin();
    await writeFile(at("result.json"), formatChecked({ ...result, ...change }, 2));
    await expect(readRunFolder(path)).rejects.toThrow(
      `invalid file ${at("result.json")}: not the result of a run (it was changed)`,
    );
  });

  test("rows that end before or within what the checkpoint speaks of, and lets go of the folder", async () => {
    const begun = await createRunFolder(path, config, Infinity);
    await begun.append([rowAt(0), rowAt(10)]);
    await begun.save(checkpointAt(12));
    await begun.close();
    const whole = await readFile(at("metrics.jsonl"), "utf8");
    await writeFile(at("metrics.jsonl"), `${whole.slice(0, -1)} `);
    await expect(continueRunFolder(path, 1)).rejects.toThrow(
      `invalid file ${at("metrics.jsonl")}: its last line is cut off where the run was saved (it was damaged or changed)`,
    );
    await writeFile(at("metrics.jsonl"), whole.slice(0, -2));
    await expect(continueRunFolder(path, 1)).rejects.toThrow(/bytes where \d+ were written/);
    expect((await readdir(path)).filter((name) => name.startsWith("lock-"))).toEqual([]);
  });
});
