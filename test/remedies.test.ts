import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { rowsIn, withTables } from "../scripts/remedies-doc.ts";

test("the tables of docs/remedies.md are those of the rows beside the study", async () => {
  const document = readFileSync(new URL("../docs/remedies.md", import.meta.url), "utf8");
  expect(await withTables(document, await rowsIn())).toBe(document);
});
