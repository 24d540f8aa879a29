import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("README shows the example that CI runs", () => {
  const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
  const [, code] = /```ts\n([\s\S]*?)```/.exec(read("README.md")) ?? [];
  expect(code).toBe(read("examples/00-readme.ts"));
});
