import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseStudy } from "../../study/study.ts";
import { demo } from "./demo.ts";
import { runCells, tally, type DemoRun, type FinishedRow } from "./demo-report.ts";

/** The demo's study in small: four runs of 60 steps. */
const study = parseStudy({
  name: "small",
  fixed: { data: "digits", n: 20, hidden: [4], lr: 0.05 },
  axes: { switch: [null, 0.1], rho: [1, 8] },
  seeds: [0],
  steps: 60,
  record: 10,
});

let folder: string;
let out: string;
let report: string;
let rows: FinishedRow[];

async function runDemo(json: boolean) {
  let [stdout, stderr] = ["", ""];
  await demo(
    study,
    { out, workers: "1", json },
    { out: (text) => (stdout += text), err: { write: (text) => (stderr += text) } },
  );
  return { stdout, stderr };
}
let seen: Awaited<ReturnType<typeof runDemo>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-demo-"));
  out = join(folder, "new", "demo");
  seen = await runDemo(false);
  report = await readFile(join(out, "report.html"), "utf8");
  const lines = (await readFile(join(out, "rows.jsonl"), "utf8")).trimEnd().split("\n");
  rows = lines.map((line) => JSON.parse(line) as FinishedRow);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test("leaves a report, figures in two formats, and the rows", async () => {
  expect((await readdir(out)).sort()).toEqual([
    "final-loss.png",
    "final-loss.svg",
    "grad-ratio.png",
    "grad-ratio.svg",
    "loss.png",
    "loss.svg",
    "report.html",
    "ridge.png",
    "ridge.svg",
    "rows.jsonl",
  ]);
  expect(rows.map(({ spec }) => [spec.switch, spec.rho])).toEqual([
    [undefined, 1],
    [undefined, 8],
    [0.1, 1],
    [0.1, 8],
  ]);
});

test("the table on stdout says what the rows say", () => {
  const lines = seen.stdout.split("\n");
  expect(rows).toHaveLength(4);
  rows.forEach(({ spec, final, relativeRho, verdict }, i) => {
    const cells = (lines[i + 1] as string).split(/ {2,}/);
    expect(cells.slice(1, 4)).toEqual([
      String(spec.rho),
      String(Number(relativeRho?.toPrecision(2))),
      verdict.name,
    ]);
    expect(Number(cells[4])).toBe(Number(final.loss?.toPrecision(4)));
    expect(Number(cells[5])).toBe(Number(final.gradRatio?.toPrecision(4)));
    expect(cells[7]).toBe(`${(100 * (final.testAccuracy ?? NaN)).toFixed(1)} %`);
  });
  expect(seen.stdout).toContain("report.html");
  expect(seen.stderr).toContain("SAM from the start, ρ = 8");
});

test("the report says it too, of every run", () => {
  const table = report.slice(report.indexOf("<tbody>"), report.indexOf("</tbody>"));
  const found = [...table.matchAll(/<tr>(.*?)<\/tr>/g)].map(([, line]) =>
    [...(line as string).matchAll(/<td>(.*?)<\/td>/g)].map(([, cell]) =>
      (cell as string).replace(/<[^>]*>/g, ""),
    ),
  );
  expect(found).toHaveLength(4);
  expect(found).toEqual(rows.map((result) => [...runCells({ result, rows: [] }), result.cell]));
  for (const { verdict } of rows) {
    expect(report).toContain(verdict.sentence.replaceAll('"', "&#34;").replaceAll("<", "&#60;"));
  }
});

test("the report needs nothing but itself", () => {
  expect(report).not.toMatch(/\b(src|href)\s*=|url\(|@import|<script [^>]*src|<link|<img/);
  const addresses = [...report.matchAll(/https?:\/\/[^"\s<]*/g)].map(([address]) => address);
  expect(new Set(addresses)).toEqual(new Set(["http://www.w3.org/2000/svg"]));
  expect(report.match(/<svg /g)).toHaveLength(4);
  // Equal ids in one page would make one picture use the parts of another.
  const ids = [...report.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("the plane's run ends at a certified hallucinated minimizer", () => {
  expect(report).toContain("SAM sees a minimizer that is not there");
});

test("--json prints the rows as one document", async () => {
  const { stdout } = await runDemo(true);
  const document = JSON.parse(stdout) as { rows: FinishedRow[]; out: string };
  expect(document.out).toBe(out);
  expect(document.rows.map(({ cell, final }) => [cell, final])).toEqual(
    rows.map(({ cell, final }) => [cell, final]),
  );
});

test("the tally counts what learned and names what did not", () => {
  const as = (accuracy: number): DemoRun[] =>
    rows.map((result) => ({
      result: { ...result, final: { ...result.final, trainAccuracy: accuracy } },
      rows: [],
    }));
  expect(tally(as(1))).toBe(
    "SAM from the start: 2 of 2 runs learned their images.\nDescent for 10 %, then SAM: 2 of 2 runs learned their images.",
  );
  expect(tally(as(0.9))).toMatch(/^SAM from the start: 0 of 2 .* at ρ = 1 .*, at ρ = 8 /);
});
