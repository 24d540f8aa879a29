import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { linesOf } from "../files.ts";
import { nodeFolder } from "./folder.ts";
import { completeLength } from "./lines.ts";
import { takeLock } from "./lock.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

const leave = (holder: object) =>
  writeFile(
    join(folder, "lock-1.json"),
    JSON.stringify({ since: "2026-01-01T00:00:00.000Z", process: null, ...holder }),
  );

test("a lock is held by one at a time and leaves nothing behind", async () => {
  const lock = await takeLock(folder);
  await expect(takeLock(folder)).rejects.toThrow(
    new RegExp(
      `^invalid folder ${folder}: process ${process.pid} has been writing to it since \\S+ \\(wait for it or stop it\\)$`,
    ),
  );
  await lock.release();
  await (await takeLock(folder)).release();
  expect(await readdir(folder)).toEqual([]);
});

test("of several that try at once at most one gets it", async () => {
  const tries = await Promise.allSettled([takeLock(folder), takeLock(folder), takeLock(folder)]);
  expect(tries.filter(({ status }) => status === "fulfilled").length).toBeLessThanOrEqual(1);
});

test("the lock of a dead process is cleared away", async () => {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await new Promise((resolve) => child.on("exit", resolve));
  await leave({ pid: child.pid, host: hostname() });
  const lock = await takeLock(folder);
  expect(await readdir(folder)).toHaveLength(1);
  await lock.release();
});

test.runIf(process.platform === "linux")(
  "a process that has the pid of a dead one does not hold its lock",
  async () => {
    await leave({ pid: process.pid, host: hostname(), process: "another boot 1" });
    await (await takeLock(folder)).release();
    expect(await readdir(folder)).toEqual([]);
  },
);

test("a lock from another machine stands, and the message says what to do", async () => {
  await leave({ pid: 1, host: "elsewhere" });
  await expect(takeLock(folder)).rejects.toThrow(
    `process 1 on elsewhere has been writing to it since 2026-01-01T00:00:00.000Z (wait for it; if that machine is gone, delete ${folder}/lock-1.json)`,
  );
});

test.runIf(process.platform === "linux")(
  "a process that has ended holds nothing, though its parent has not asked about it",
  async () => {
    // The shell becomes a program that never asks what became of its child.
    const parent = spawn("sh", ["-c", "sleep 0.3 & echo $!; exec sleep 60"]);
    onTestFinished(() => void parent.kill("SIGKILL"));
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    const state = async () => / ([A-Z]) /.exec(await readFile(`/proc/${pid}/stat`, "utf8"))?.[1];
    while ((await state()) !== "Z") await sleep(10);
    await leave({ pid, host: hostname() });
    await (await takeLock(folder)).release();
    expect(await readdir(folder)).toEqual([]);
  },
);

test.each([
  "",
  "{",
  "null",
  "{}",
  '{"pid":"1","host":"x","since":"","process":null}',
  '{"pid":-1}',
])("a lock file that is none is named, not believed: %j", async (text) => {
  await writeFile(join(folder, "lock-1.json"), text);
  await expect(takeLock(folder)).rejects.toThrow(
    `invalid file ${folder}/lock-1.json: not the lock of a process (delete it if nothing writes to the folder)`,
  );
  expect(await readdir(folder)).toEqual(["lock-1.json"]);
});

test("a lock that cannot be released does not hide why it was to be", async () => {
  const lock = await takeLock(folder);
  const [name = ""] = await readdir(folder);
  // Nothing removes a folder that is not empty.
  await rm(join(folder, name));
  await mkdir(join(folder, name, "in the way"), { recursive: true });
  await expect(lock.release()).resolves.toBeUndefined();
});

test("a torn last line is not read, however long the line before it", async () => {
  const path = join(folder, "rows.jsonl");
  const long = "x".repeat(200_000);
  for (const [text, complete] of [
    ["", ""],
    ["torn", ""],
    ["a\nb\n", "a\nb\n"],
    [`a\n${long}\ntorn`, `a\n${long}\n`],
    [`a\n${long}`, "a\n"],
  ] as const) {
    await writeFile(path, text);
    expect(await completeLength(path)).toBe(complete.length);
    const lines: string[] = [];
    for await (const line of linesOf(nodeFolder(folder), "rows.jsonl")) lines.push(line);
    expect(lines).toEqual(complete.split("\n").slice(0, -1));
  }
  expect(await completeLength(join(folder, "none"))).toBe(0);
});
