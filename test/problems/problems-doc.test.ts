import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { problemsDocument } from "../../scripts/problems-doc.ts";

test("docs/problems.md says what the registries say (else: node scripts/problems-doc.ts)", async () => {
  const file = readFileSync(new URL("../../docs/problems.md", import.meta.url), "utf8");
  expect(file).toBe(await problemsDocument());
});
