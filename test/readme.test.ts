import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { methods } from "../src/sam/registry.ts";

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");

test("README shows the example that CI runs", () => {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(read("README.md")) ?? [];
  expect(code).toBe(read("examples/00-readme.ts"));
});

test("README counts the methods that there are", () => {
  const [, count] = /\*\*Methods\*\* +\| (\d+),/.exec(read("README.md")) ?? [];
  expect(Number(count)).toBe(methods.length);
});
