/** The demo: its ten cells, and all it says and draws of four short runs in float64. */
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { demo, demoStudy } from "../../src/cli/commands/demo.ts";
import type { Row } from "../../src/study/cell.ts";
import { expandStudy, parseStudy } from "../../src/study/study.ts";
import { pinned, rounded, sha256, withoutTiny } from "./pinned.ts";

const study = parseStudy({
  name: "small",
  fixed: { data: "digits", n: 20, hidden: [4], lr: 0.05, dtype: "float64" },
  axes: { switch: [null, 0.1], rho: [1, 8] },
  seeds: [0],
  steps: 60,
  record: 10,
});

let out = "";
let printed = "";

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), "lucid-pins-"));
  await demo(
    study,
    { out, workers: "1" },
    { out: (text) => (printed += text), err: { write: () => {} } },
  );
});
afterAll(() => rm(out, { recursive: true }));

const written = (name: string) => readFile(join(out, name), "utf8");

/** A row without what belongs to the machine or the moment. */
function withoutMachine(line: string): object {
  const row = JSON.parse(line) as Row;
  const { engine, threads, dtype, dataHash } = row.provenance;
  return { ...row, provenance: { engine, threads, dtype, dataHash } };
}

const parts: { readonly [part: string]: () => unknown } = {
  "cells of lucid demo": async () =>
    (await expandStudy(demoStudy)).map(({ id, at }) => ({ id, at })),
  table: () => printed.replace(/file:\S+/, "file"),
  rows: async () => (await written("rows.jsonl")).trimEnd().split("\n").map(withoutMachine),
  "report without pictures": async () =>
    withoutTiny(await written("report.html"))
      .replaceAll(/<svg .*?<\/svg>/gs, "<svg>")
      .replace(/<style>.*?<\/style>/s, "<style>")
      .replace(/<p class="small">.*?<\/p>/s, '<p class="small">')
      .split("\n"),
  "ridge.svg": async () => sha256(await written("ridge.svg")),
  "loss.svg": async () => sha256(await written("loss.svg")),
  "grad-ratio.svg": async () => sha256(await written("grad-ratio.svg")),
  "final-loss.svg": async () => sha256(await written("final-loss.svg")),
};

pinned<string>(
  "demo",
  (part) => parts[part]?.(),
  () => rounded.float64,
);

test("the picture of the README is the demo's", async () => {
  const stored = readFileSync(new URL("../../docs/images/ridge.svg", import.meta.url), "utf8");
  expect((await written("ridge.svg")) === stored).toBe(true);
});
