import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { lucid } from "../../test/lucid.ts";
import { ridge } from "../problems/planes/index.ts";
import { basinClasses } from "../figures/basins.ts";
import { survival } from "../figures/survival.ts";
import type { FigureRun } from "../figures/runs.ts";
import { recipes } from "./registry.ts";
import { endOf } from "./ridge.ts";

const out = mkdtempSync(join(tmpdir(), "lucid-reproduce-"));
afterAll(() => rmSync(out, { recursive: true }));

test("every figure of the paper has exactly one recipe, and each says its cost", async () => {
  const { out: text, code } = await lucid("reproduce", "--list");
  expect(code).toBe(0);
  const numbers = recipes.flatMap(({ figures }) => figures).sort((a, b) => a - b);
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const recipe of recipes) expect(text).toContain(recipe.title);
  for (const { seconds } of recipes) {
    expect(seconds.quick).toBeLessThanOrEqual(seconds.standard);
    expect(seconds.standard).toBeLessThanOrEqual(seconds.paper);
  }
});

test("one figure: picture, numbers and spec of each part, and a page that says what is whose", async () => {
  const { code, out: printed } = await lucid("reproduce", "--figure", "2", "--out", out, "--json");
  expect(code).toBe(0);
  const { figures } = JSON.parse(printed) as { figures: { made: { name: string }[] }[] };
  const names = figures.flatMap(({ made }) => made.map(({ name }) => name));
  expect(names.length).toBeGreaterThan(0);
  const folder = join(out, "quick");
  for (const name of names) {
    for (const ending of ["svg", "png", "csv", "json"]) {
      expect(readdirSync(folder)).toContain(`${name}.${ending}`);
    }
  }
  const page = readFileSync(join(folder, "figure-2.html"), "utf8");
  expect(page).toContain("What to look at.");
  expect(page).toContain("In the paper: figures 2 and 3.");
  const rows = readFileSync(join(folder, "figure-2.csv"), "utf8").trimEnd().split("\n").slice(1);
  // Ascent points meet their minimizers.
  expect(rows).toHaveLength(2);
  for (const row of rows) expect(Number(row.split(",").at(-1))).toBeLessThan(1e-9);
});

test.each([
  ["12", /unknown figure 12 \(the paper's are 1, 2, 3, 4/],
  ["one", /unknown figure one/],
])("refuses figure %s", async (number, message) => {
  const { code, err } = await lucid("reproduce", "--figure", number, "--out", out);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});

test("an unknown preset is named", async () => {
  const { code, err } = await lucid("reproduce", "--preset", "fast");
  expect(code).toBe(2);
  expect(err).toMatch(/unknown preset "fast"/);
});

const { plane } = ridge();
const nameOf = (index: number) => basinClasses[index]?.name;

test.each([
  // Known answers of docs/ridge.md.
  ["descent from a slope", [-0.3, 0.6], 0, 5000, "minimizer"],
  ["SAM between 1 and 2", [-0.3, 0.6], 1.6, 5000, "hallucinated"],
  ["SAM at the distance of the valleys", [-0.3, 0.6], 2, 5000, "minimizer"],
  ["too few steps", [-0.3, 0.6], 1.6, 3, "unsettled"],
  ["the maximizer itself", [0, 0], 1.6, 10, "critical"],
] as const)("%s ends as it should", (_, start, rho, steps, expected) => {
  expect(nameOf(endOf(plane, start, rho, 0.02, steps))).toBe(expected);
});

test("survival falls where a run's loss first falls below the threshold, and never rises", () => {
  const run = (rho: number, losses: readonly number[]) =>
    ({
      result: { spec: { method: "sam", rho, seed: 0 }, final: { step: 10 * losses.length } },
      rows: losses.map((loss, i) => ({ step: 10 * i, loss })),
    }) as unknown as FigureRun;
  const curves = survival(
    [run(1, [2, 0.5, 2]), run(1, [2, 2, 0.9]), run(1, [2, 2, 2]), run(4, [2, 2, 2])],
    1,
  );
  const at = (rho: number) =>
    curves.filter((point) => point.rho === rho).map(({ step, standing }) => [step, standing]);
  expect(at(1)).toEqual([
    [0, 1],
    [10, 2 / 3],
    [20, 1 / 3],
    [30, 1 / 3],
  ]);
  expect(at(4)).toEqual([
    [0, 1],
    [30, 1],
  ]);
});
