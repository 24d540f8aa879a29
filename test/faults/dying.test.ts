/** A machine that dies every few seconds: what it was asked for gets done all the same. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run, start } from "./cli.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lucid-dying-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const loss = { data: "digits", n: 40, pool: 7, hidden: [4] };
const flags = ["--data", "digits", "--n", "40", "--pool", "7", "--hidden", "4"];

/** Names in a folder that begin so; none when there is no folder. */
const names = (path: string, begin: string): string[] =>
  existsSync(path) ? readdirSync(path).filter((name) => name.startsWith(begin)) : [];

/** Let it live for so long from its first sign of life, a lock of its own, again and again. */
async function surviving(life: number, next: () => string[], out: string): Promise<number> {
  for (let deaths = 0; deaths < 60; deaths++) {
    const before = names(out, "lock-");
    const running = start(next());
    const state = { over: false };
    void running.ended.then(() => (state.over = true));
    const lives = () => names(out, "lock-").some((name) => !before.includes(name));
    while (!state.over && !lives()) await sleep(10);
    await Promise.race([sleep(life), running.ended]);
    running.child.kill("SIGKILL");
    const { code, stderr } = await running.ended;
    if (code === 0) return deaths;
    expect(code, stderr).toBe("SIGKILL");
  }
  throw new Error("60 lives were not enough");
}

test("a training", async () => {
  const [calm, out] = [join(folder, "calm"), join(folder, "run")];
  const train = ["train", ...flags, "--steps", "30000", "--json"];
  await run([...train, "--out", calm]);
  const next = () =>
    names(out, "config.json").length > 0
      ? ["train", "--resume", out, "--json"]
      : [...train, "--out", out];
  expect(await surviving(2000, next, out)).toBeGreaterThan(0);
  const [expected, found] = [calm, out].map((path) =>
    readFileSync(join(path, "final.safetensors")),
  );
  expect(found).toEqual(expected);
}, 600_000);

test("the only cell of a sweep", async () => {
  const study = join(folder, "study.json");
  writeFileSync(study, JSON.stringify({ name: "dying", fixed: loss, steps: 60_000 }));
  const out = join(folder, "sweep");
  // Of them, threads take a while to start.
  const deaths = await surviving(4000, () => ["sweep", study, "--out", out], out);
  expect(deaths).toBeGreaterThan(0);
  expect(readFileSync(join(out, "rows.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(1);
}, 600_000);
