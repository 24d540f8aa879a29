/** Rows and cells as they are read: what is one, and what is not. */
import { expect, test } from "vitest";
import type { Machine } from "../platform/machine.ts";
import {
  asCell,
  asRow,
  failedRow,
  formatHistory,
  historyStride,
  parseHistory,
  parseRows,
  verdictName,
  type Row,
} from "./cell.ts";
import { expandStudy, parseStudy } from "./study.ts";

const machine: Machine = { version: "0", commit: null, dirty: null, runtime: "", platform: "" };
const provenance = { ...machine, finished: "2026-01-01T00:00:00.000Z", wallSeconds: 1 };
const [cell] = await expandStudy(
  parseStudy({ name: "s", fixed: { problem: "cosine" }, axes: { rho: [1] } }),
);
if (cell === undefined) throw new Error("no cell");
const failed = failedRow(cell, "why not", provenance);
const ok = {
  ...failed,
  status: "ok",
  error: null,
  final: { loss: 1 },
  verdict: { name: "minimizer" },
  certificate: { verdict: { name: "maximizer" } },
};

test.each<[string, object]>([
  ["that failed", failed],
  ["that ended", ok],
  ["that diverged", { ...ok, status: "diverged", final: { loss: null } }],
  ["without a verdict", { ...ok, status: "inconclusive" }],
  ["of an older version, without certificate", { ...ok, certificate: undefined }],
  ["of a newer version", { ...ok, more: 1, final: { loss: 1, more: 2 } }],
])("a row %s is one, as it is", (_, row) => {
  expect(asRow(row)).toBe(row);
});

test.each<[string, unknown]>([
  ["nothing", null],
  ["a list", [ok]],
  ["no cell", { ...ok, cell: undefined }],
  ["a cell outside", { ...ok, cell: "../../x" }],
  ["another status", { ...ok, status: "fine" }],
  ["no coordinates", { ...ok, at: undefined }],
  ["a spec in words", { ...ok, spec: "cosine" }],
  ["no final", { ...ok, final: undefined }],
  ["a final without a loss", { ...ok, final: {} }],
  ["a loss in words", { ...ok, final: { loss: "1" } }],
  ["no verdict", { ...ok, verdict: undefined }],
  ["a verdict without a name", { ...ok, verdict: {} }],
  ["a verdict that is a number", { ...ok, verdict: { name: 1 } }],
  ["a certificate without a verdict", { ...ok, certificate: {} }],
  ["a certificate without a name", { ...ok, certificate: { verdict: {} } }],
  ["no error", { ...ok, error: undefined }],
  ["an error that is a number", { ...ok, error: 1 }],
  ["no provenance", { ...ok, provenance: null }],
])("%s is no row", (_, value) => {
  expect(asRow(value)).toBeUndefined();
});

test("a cell has an id, coordinates and a spec", () => {
  expect(asCell(cell)).toBe(cell);
  for (const change of [{ id: "../x" }, { id: 1 }, { at: null }, { spec: undefined }]) {
    expect(asCell({ ...cell, ...change })).toBeUndefined();
  }
  expect(asCell(null)).toBeUndefined();
});

test("a certificate's verdict comes before the screen's", () => {
  expect(verdictName(ok as unknown as Row)).toBe("maximizer");
  expect(verdictName({ ...ok, certificate: null } as unknown as Row)).toBe("minimizer");
  expect(verdictName(failed)).toBeUndefined();
});

test("histories of studies have at most 256 rows, of every 2ⁿth step", () => {
  expect([1, 256, 257, 1000, 5000].map(historyStride)).toEqual([1, 1, 2, 4, 32]);
});

const rowAt = (step: number) => ({
  step,
  loss: 1 / 3,
  shiftedLoss: NaN,
  gradNorm: 2,
  shiftedGradNorm: 1e-9,
  cosine: -1,
});
const lines = (...steps: number[]) => formatHistory(steps.map((step) => rowAt(step)));

test("histories keep seven digits, and what is not finite as no number", () => {
  const point: [number, number] = [1 / 7, Infinity];
  const row = { ...rowAt(0), point, details: { age: 1234567.89 } };
  expect(parseHistory(formatHistory([row]))).toEqual([
    {
      ...row,
      loss: 0.3333333,
      point: [0.1428571, NaN],
      details: { age: 1234568 },
    },
  ]);
  expect(formatHistory([])).toBe("");
  expect(parseHistory("")).toEqual([]);
});

test.each([[[0]], [[0, 4]], [[0, 4, 8]], [[0, 4, 8, 9]], [[0, 1, 2, 3]], [[0, 8, 16, 24]]])(
  "steps %j are a history",
  (steps) => {
    expect(parseHistory(lines(...steps)).map(({ step }) => step)).toEqual(steps);
    // A crash may have cut the last line.
    expect(parseHistory(`${lines(...steps)}{"step":`)).toHaveLength(steps.length);
  },
);

test.each<[number[], number]>([
  [[4, 8], 1],
  [[0, 4, 12, 16], 3],
  [[0, 4, 4, 8], 3],
  [[0, 4, 13], 3],
  [[0, 4, 4], 3],
  [[0, 4, 3], 3],
  [[0, 8, 4, 12], 3],
])("steps %j are none", (steps, line) => {
  expect(() => parseHistory(lines(...steps), "f")).toThrow(
    `invalid file f: step ${steps[line - 1]} in line ${line} (lines are missing or in another order)`,
  );
});

test.each<[string, (line: string) => string]>([
  ["no JSON", () => "{"],
  ["no object", () => "5"],
  ["damaged", (line) => line.replace('"gradNorm":2', '"gradNorm":3')],
  ["without a step", () => JSON.stringify({ ...rowAt(4), step: undefined })],
  ["half a step on", () => JSON.stringify({ ...rowAt(4), step: 0.5 })],
  ["without a loss", () => JSON.stringify({ ...rowAt(4), loss: undefined })],
  ["with a cosine in words", () => JSON.stringify({ ...rowAt(4), cosine: "1" })],
  ["with a point on a line", () => JSON.stringify({ ...rowAt(4), point: [1] })],
  ["with details in words", () => JSON.stringify({ ...rowAt(4), details: { age: "old" } })],
])("a line that is %s is refused", (_, change) => {
  const [first = "", second = ""] = lines(0, 4).split("\n");
  expect(() => parseRows(`${first}\n${change(second)}\n`, "f")).toThrow(
    "invalid file f: line 2 is not a row of a history (it was damaged or changed)",
  );
  // Older versions wrote no checksums.
  const { check: _check, ...old } = JSON.parse(second) as { check: string };
  expect(parseRows(`${first}\n\n${JSON.stringify(old)}\n`)).toHaveLength(2);
});
