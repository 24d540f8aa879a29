import { expect, test } from "vitest";
import { main } from "../main.ts";
import { fitted, table, wrapText } from "./table.ts";

test("columns are aligned, and nothing in them steers the terminal", () => {
  expect(
    table([
      ["a", "b"],
      ["\u001B[2J", "x"],
    ]),
  ).toBe("a          b\n\\u001b[2J  x\n");
});

test("what is too wide becomes paragraphs", () => {
  const rows = [["sam", "sharpness-aware", "x - y"]];
  expect(fitted(rows)).toBe(table(rows));
  expect(fitted(rows, 27)).toBe(table(rows));
  expect(fitted(rows, 12)).toBe("sam\n  sharpness-\n  aware\n  x - y\n");
  expect(wrapText("one two three", 7)).toEqual(["one two", "three"]);
});

test.each([60, 100])("the list of methods, and each of them, fits %i columns", async (columns) => {
  for (const args of [["methods"], ["methods", "sam"], ["methods", "asam"]]) {
    const written: string[] = [];
    const terminal = { out: (text: string) => written.push(text), err: { write() {} }, columns };
    expect(await main(["node", "lucid", ...args], terminal)).toBe(0);
    const lines = written.join("").split("\n");
    expect(lines.length).toBeGreaterThan(5);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
  }
});
