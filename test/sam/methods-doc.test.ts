import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { methodsDocument } from "../../scripts/methods-doc.ts";

test("docs/methods.md says what the registry says (else: node scripts/methods-doc.ts)", async () => {
  const file = readFileSync(new URL("../../docs/methods.md", import.meta.url), "utf8");
  expect(file).toBe(await methodsDocument());
});
