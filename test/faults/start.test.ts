/** How the command line starts: from any folder, on any Node, and never without its parent. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { olderNode } from "../older-node.ts";

const root = join(import.meta.dirname, "../..");
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lucid-start-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("it runs from a folder whose path would mean something else in an address", async () => {
  const copy = join(folder, "a #1?b%20c%");
  mkdirSync(copy);
  for (const part of ["bin", "src", "package.json"]) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const study = join(copy, "study.ts");
  const bin = join(copy, "bin/lucid.js");
  cpSync(join(root, "studies/examples/rho.json"), join(copy, "study.json"));
  writeFileSync(study, `export { default } from "./study.json" with { type: "json" };`);
  const args = ["sweep", study, "--dry-run", "--json", "--workers", "1"];
  const { stdout } = await promisify(execFile)(process.execPath, [bin, ...args], { cwd: copy });
  expect(JSON.parse(stdout)).toMatchObject({ workers: 1 });
});

test.skipIf(olderNode === undefined)(
  "the process that works ends with the one that is killed",
  async () => {
    const out = join(folder, "run");
    const args = ["train", "--problem", "himmelblau", "--lr", "0.001", "--steps", "100000000"];
    const parent = spawn(olderNode ?? "", [join(root, "bin/lucid.js"), ...args, "--out", out], {
      stdio: "ignore",
    });
    const locks = () =>
      existsSync(out) ? readdirSync(out).filter((name) => name.startsWith("lock-")) : [];
    while (locks().length === 0) await sleep(50);
    await sleep(500);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    for (let tries = 0; tries < 100 && locks().length > 0; tries++) await sleep(100);
    expect(locks()).toEqual([]);
    expect(readdirSync(out)).toContain("checkpoint.safetensors");
  },
);

test.skipIf(olderNode === undefined)(
  "under an older Node it ends by itself, with its exit code",
  async () => {
    const bin = join(root, "bin/lucid.js");
    const { stdout } = await promisify(execFile)(olderNode ?? "", [
      bin,
      "methods",
      "sam",
      "--json",
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ name: "sam" });
    const failed = promisify(execFile)(olderNode ?? "", [bin, "methods", "samm"]);
    await expect(failed).rejects.toMatchObject({ code: 2 });
  },
);

test.runIf(existsSync("/dev/full"))(
  "output that cannot be written is one line and exit code 1",
  async () => {
    const bin = join(root, "bin/lucid.js");
    const failed = promisify(execFile)("sh", [
      "-c",
      'exec "$0" "$@" > /dev/full',
      process.execPath,
      bin,
      "methods",
    ]);
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: "invalid file standard output: cannot write it, the disk is full; free some space\n",
    });
    const silent = promisify(execFile)("sh", [
      "-c",
      'exec "$0" "$@" 2> /dev/full',
      process.execPath,
      bin,
      "x",
    ]);
    await expect(silent).rejects.toMatchObject({ code: expect.any(Number), stdout: "" });
  },
);
