/** The command line as people run it: processes that are stopped, killed, cut off, out of space. */
import {
  execFile,
  spawn,
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
} from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const bin = resolve(import.meta.dirname, "../bin/lucid.js");
const run = promisify(execFile);
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-process-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Long enough to be stopped on the way, and chaotic: one bit lost would change all that follows. */
const spec = ["--problem", "himmelblau", "--rho", "1", "--lr", "0.02", "--steps", "10000"];
const long = ["train", ...spec, "--record-every", "20", "--save-every", "0", "--json"];

interface Document {
  readonly final: unknown;
  readonly verdict: unknown;
  readonly warning: unknown;
  readonly trace: readonly unknown[];
  readonly evaluations: number;
  readonly out: string;
}

/** What must not depend on interruptions. */
const essence = ({ final, verdict, warning, trace, evaluations }: Document) => ({
  final,
  verdict,
  warning,
  trace,
  evaluations,
});

async function lucid(...args: string[]): Promise<Document> {
  const { stdout } = await run(process.execPath, [bin, ...args], { cwd: folder, maxBuffer: 1e8 });
  return JSON.parse(stdout) as Document;
}

let whole: Document;
beforeAll(async () => {
  whole = await lucid(...long);
});

/** Start a long run and come back once `ready` holds and some steps are taken. */
async function begin(
  args: string[],
  ready: () => Promise<boolean>,
): Promise<ChildProcessWithoutNullStreams> {
  const child = spawn(process.execPath, [bin, ...args], { cwd: folder });
  while (child.exitCode === null && !(await ready())) await setTimeout(5);
  expect(child.exitCode).toBe(null);
  return child;
}

const ended = (child: ChildProcess) =>
  new Promise<number | null>((resolve) => child.on("exit", resolve));

const holds = (path: string, lines: number) => async () =>
  existsSync(path) && (await readFile(path, "utf8")).split("\n").length > lines;

it("continues bit for bit after kill -9", async () => {
  const out = join(folder, "killed");
  const child = await begin([...long, "--out", out], holds(join(out, "metrics.jsonl"), 5));
  child.kill("SIGKILL");
  await ended(child);
  expect(existsSync(join(out, "result.json"))).toBe(false);
  expect(existsSync(join(out, "checkpoint.safetensors"))).toBe(true);
  const resumed = await lucid("train", "--resume", out, "--json");
  expect(essence(resumed)).toEqual(essence(whole));
  expect(resumed.trace).toHaveLength(501);
});

it("asks what plain descent would do, says it in the warning, and leaves the run as it was", async () => {
  const out = join(folder, "probed");
  const stalls = ["--problem", "cosine", "--start", "2,0.5", "--rho", "4", "--steps", "200"];
  const train = ["train", ...stalls, "--lr", "0.1", "--json"];
  const [plain, probed] = await Promise.all([
    lucid(...train),
    lucid(...train, "--probe-descent", "20", "--out", out),
  ]);
  expect(probed.final).toEqual(plain.final);
  expect(probed.trace).toEqual(plain.trace);
  expect(plain.warning).not.toHaveProperty("sentence", expect.stringContaining("in a copy"));
  expect(probed.warning).toMatchObject({
    sentence: expect.stringMatching(/descent steps in a copy lowered the loss by \d+ %/),
  });
  // A run that is resumed keeps asking.
  const config = JSON.parse(await readFile(join(out, "config.json"), "utf8")) as unknown;
  expect(config).toMatchObject({ probeDescent: 20 });
});

describe("Ctrl-C", () => {
  it("saves, says how to go on, and goes on bit for bit", async () => {
    const out = join(folder, "stopped");
    const child = await begin([...long, "--out", out], holds(join(out, "metrics.jsonl"), 5));
    const outputs = Promise.all([text(child.stdout), text(child.stderr)]);
    child.kill("SIGINT");
    expect(await ended(child)).toBe(130);
    const [stdout, stderr] = await outputs;
    expect(stdout).toBe("");
    expect(stderr).toContain(`of 10000; continue with: npx lucid train --resume ${out}\n`);
    expect(essence(await lucid("train", "--resume", out, "--json"))).toEqual(essence(whole));
  });

  it("makes a folder for a run that had none, and says so before", async () => {
    const child = spawn(process.execPath, [bin, ...long], { cwd: folder });
    const outputs = Promise.all([text(child.stdout), text(child.stderr)]);
    // Steps are being taken once the warning is out.
    await new Promise((resolve) => child.stderr.once("data", resolve));
    child.kill("SIGINT");
    expect(await ended(child)).toBe(130);
    const [stdout, stderr] = await outputs;
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^saving into (lucid-run-[0-9a-f]{16}) … [^]*--resume \1\n$/m);
    const [, out = ""] = /lucid train --resume (lucid-run-[0-9a-f]{16})\n/.exec(stderr) ?? [];
    expect(await readdir(join(folder, out))).toContain("checkpoint.safetensors");
    expect(essence(await lucid("train", "--resume", out, "--json"))).toEqual(essence(whole));
  });
});

it.each(["SIGINT", "SIGTERM"] as const)("%s ends a start that keeps the thread", async (signal) => {
  // Half a minute of drawing images, in which no handler could run.
  const child = spawn(process.execPath, [bin, "train", "--n", "300000"], { cwd: folder });
  await setTimeout(5000);
  const killed = performance.now();
  child.kill(signal);
  const [, by] = (await once(child, "close")) as [number | null, string | null];
  expect(by).toBe(signal);
  expect(performance.now() - killed).toBeLessThan(2000);
});

it("survives a disk that is full: exit 1, whole lines only, and the run can go on", async () => {
  const out = join(folder, "full");
  // A limit on the size of files, in blocks of 1024 bytes, stands for the end of the disk.
  const command = `trap '' XFSZ; ulimit -f 64; exec "$@"`;
  const args = ["-c", command, "bash", process.execPath, bin, ...long, "--out", out];
  const failed = await run("bash", args).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 1, stdout: "" });
  const { stderr } = failed as { stderr: string };
  expect(stderr).toMatch(/\ninvalid file .*metrics.jsonl: cannot write it, .*\n$/);
  expect(stderr).toContain(`lucid train --resume ${out}\n`);
  expect((await readFile(join(out, "metrics.jsonl"), "utf8")).endsWith("}\n")).toBe(true);
  expect(essence(await lucid("train", "--resume", out, "--json"))).toEqual(essence(whole));
});

it("is quiet when the reader of its output has seen enough", async () => {
  const command = `"$0" "$1" methods --json | true; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await run("bash", ["-c", command, process.execPath, bin]);
  expect({ stdout, stderr }).toEqual({ stdout: "0\n", stderr: "" });
});
