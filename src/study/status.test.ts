/** The status of a study: what is counted, under which group, and what is left out. */
import { expect, test } from "vitest";
import type { Machine } from "../platform/machine.ts";
import { failedRow, type Row } from "./cell.ts";
import { studyStatus } from "./status.ts";
import { expandStudy, parseStudy, type Cell } from "./study.ts";

const machine: Machine = { version: "0", commit: null, dirty: null, runtime: "", platform: "" };
const provenance = { ...machine, finished: "2026-01-01T00:00:00.000Z", wallSeconds: 1 };
// In this order: rho 1, seed 0; rho 2, seed 0; then seeds 1 and 2.
const cells = await expandStudy(
  parseStudy({ name: "s", fixed: { problem: "cosine" }, axes: { rho: [1, 2] }, seeds: 3 }),
);
const [a, b, c, d, e, f] = cells as [Cell, Cell, Cell, Cell, Cell, Cell];

const row = (cell: Cell, change: object): Row => ({
  ...failedRow(cell, "why not", provenance),
  status: "ok",
  error: null,
  ...change,
});
const ended = (cell: Cell, verdict: string, loss: number | null, relativeRho?: number | null) =>
  row(cell, { verdict: { name: verdict }, final: { loss }, relativeRho });

test("a study without rows has its cells in groups that differ in the seed only", async () => {
  const nothing = { cells: 3, done: 0, verdicts: {}, losses: [], relativeRhos: [] };
  expect(await studyStatus(cells, [])).toEqual({
    cells: 6,
    done: 0,
    statuses: {},
    groups: [
      { at: { rho: 1 }, ...nothing },
      { at: { rho: 2 }, ...nothing },
    ],
    failures: [],
    foreign: 0,
  });
});

test("rows count where their cells lie, losses and radii in increasing order", async () => {
  const failed = failedRow(d, "no memory", provenance);
  const rows = [
    ended(e, "minimizer", 10, 0.5),
    ended(a, "hallucinated-minimizer", 9, 0.25),
    ended(c, "minimizer", 1.5),
    failed,
    row(b, { status: "diverged", verdict: { name: "diverged" }, final: { loss: null } }),
    row(f, {
      status: "inconclusive",
      verdict: { name: "inconclusive" },
      certificate: { verdict: { name: "saddle" } },
      final: { loss: 2 },
      relativeRho: null,
    }),
  ];
  expect(await studyStatus(cells, rows)).toEqual({
    cells: 6,
    done: 6,
    statuses: { ok: 3, failed: 1, diverged: 1, inconclusive: 1 },
    groups: [
      {
        at: { rho: 1 },
        cells: 3,
        done: 3,
        verdicts: { minimizer: 2, "hallucinated-minimizer": 1 },
        losses: [1.5, 9, 10],
        relativeRhos: [0.25, 0.5],
      },
      {
        at: { rho: 2 },
        cells: 3,
        done: 3,
        verdicts: { failed: 1, diverged: 1, saddle: 1 },
        losses: [2],
        relativeRhos: [],
      },
    ],
    failures: [{ cell: d.id, at: { rho: 2, seed: 1 }, error: "no memory" }],
    foreign: 0,
  });
});

test("rows of cells that are gone and second rows of a cell are counted apart", async () => {
  const rows = [
    ended(a, "minimizer", 1),
    ended(b, "minimizer", 1),
    failedRow(a, "later", provenance),
    failedRow(b, "later", provenance),
    ended(a, "saddle", 2),
  ];
  expect(await studyStatus([a, c], rows)).toEqual({
    cells: 2,
    done: 1,
    statuses: { ok: 1 },
    groups: [
      {
        at: { rho: 1 },
        cells: 2,
        done: 1,
        verdicts: { minimizer: 1 },
        losses: [1],
        relativeRhos: [],
      },
    ],
    failures: [],
    foreign: 2,
    repeated: 2,
  });
});
