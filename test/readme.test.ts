import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { methods } from "../src/sam/registry.ts";
import { olderNode } from "./older-node.ts";

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");

test("README shows the example that CI runs", () => {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(read("README.md")) ?? [];
  expect(code).toBe(read("examples/00-readme.ts"));
});

test("README counts the methods that there are", () => {
  const [, count] = /\*\*Methods\*\* +\| (\d+),/.exec(read("README.md")) ?? [];
  expect(Number(count)).toBe(methods.length);
});

test("in a clone npx runs the command without a warning, also on an older Node", async () => {
  const cache = mkdtempSync(join(tmpdir(), "lucid-npx-"));
  try {
    const { stdout, stderr } = await promisify(execFile)(
      "npx",
      ["--offline", "--cache", cache, "lucid", "--version"],
      {
        cwd: new URL("..", import.meta.url),
        env: {
          ...process.env,
          PATH: [dirname(olderNode ?? process.execPath), process.env["PATH"]].join(delimiter),
        },
        // npx is a script on Windows.
        shell: process.platform === "win32",
      },
    );
    const { version } = JSON.parse(read("package.json")) as { version: string };
    expect([stdout, stderr]).toEqual([`${version}\n`, ""]);
  } finally {
    rmSync(cache, { recursive: true });
  }
});
