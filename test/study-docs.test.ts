/** Documentation from stored rows: every table of numbers on these pages is what the rows say. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { pages, readPage, withoutTables, withTables } from "../scripts/study-docs.ts";
import { studentMean, studentQuantile } from "../studies/intervals.ts";
import { readHallucinatedMinimizer } from "../studies/tables/hallucinated-minimizer.ts";

describe.each(Object.entries(pages))("%s", (page, tables) => {
  const document = readPage(page);

  test("has the tables of the rows", { timeout: 60_000 }, async () => {
    const made = await tables();
    expect(Object.keys(made).length).toBeGreaterThan(0);
    for (const [name, table] of Object.entries(made)) {
      expect(table, name).not.toMatch(/NaN|undefined|Infinity/);
    }
    expect(await withTables(document, made)).toBe(document);
  });

  test("has no table beside those", () => {
    expect(withoutTables(document)).not.toMatch(/^\|/m);
  });
});

test("a table that the rows do not give, or that a page does not show, is an error", async () => {
  const marks = "<!-- table: one -->\n<!-- table ends -->";
  expect(() => withTables(marks, {})).toThrow("unknown table one");
  expect(() => withTables("", { two: "" })).toThrow("missing marks for the tables two");
});

test("Student's quantiles are those of the tables", () => {
  const known: readonly (readonly [number, number])[] = [
    [1, 12.7062],
    [2, 4.30265],
    [3, 3.18245],
    [4, 2.77645],
    [9, 2.26216],
    [14, 2.14479],
    [30, 2.04227],
  ];
  for (const [freedom, quantile] of known) {
    expect(studentQuantile(freedom)).toBeCloseTo(quantile, 4);
  }
  // Mean 3, standard deviation √2.5, five values: 3 ± 2.77645 √(2.5/5).
  const { mean, low, high, n } = studentMean([1, 2, 3, 4, 5]);
  expect([mean, n]).toEqual([3, 5]);
  expect(low).toBeCloseTo(3 - 1.96324, 4);
  expect(high).toBeCloseTo(3 + 1.96324, 4);
});

test("the hallucinated minimizer has the digits of an oracle that computes in 50", () => {
  const oracle = JSON.parse(
    readFileSync(new URL("oracle/hallucinated-minimizer.json", import.meta.url), "utf8"),
  ) as { [name: string]: string | string[] };
  const { point, certificate: c, shiftedHessian } = readHallucinatedMinimizer();
  const found = {
    point,
    loss: c.loss,
    shiftedLoss: c.shiftedLoss,
    gradNorm: c.gradNorm,
    shiftedHessian,
    samJacobian: c.details.spectrum.map(({ re }) => re),
    minSymmetric: c.perturbationJacobian.minSymmetric,
    maxStableLearningRate: c.maxStableLearningRate,
  };
  for (const [name, value] of Object.entries(found)) {
    const known = [oracle[name]].flat().map(Number);
    const values = [value].flat().map(Number);
    expect(values, name).toHaveLength(known.length);
    for (const [i, digits] of known.entries()) {
      expect(Math.abs((values[i] ?? NaN) / digits - 1), name).toBeLessThan(1e-11);
    }
  }
});
