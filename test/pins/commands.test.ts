/** What `lucid` prints with --json: documents that programs of other people read. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import type { RunResult } from "../../src/run/run.ts";
import { lucid } from "../lucid.ts";
import { pinned, rounded, withoutTiny } from "./pinned.ts";

let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lucid-pins-"));
});
afterAll(() => rm(root, { recursive: true }));

/** What the last of the commands prints; `RUN` is a folder of their own. */
async function print(commands: string): Promise<string> {
  const folder = await mkdtemp(join(root, "run-"));
  const lines = commands.split("; ").map((line) => line.replace("RUN", join(folder, "run")));
  let printed = "";
  for (const line of lines) {
    const { code, out, err } = await lucid(...line.split(" "), "--json");
    expect(code, err).toBe(0);
    printed = out;
  }
  return printed;
}

const likeness = (commands: string) => rounded[/float32/.test(commands) ? "float32" : "float64"];

/** Entries of documents that belong to a machine or a moment. */
const machine = ["version", "runtime", "platform", "commit", "dirty", "device", "seconds"];

const hide = (key: string, value: unknown) => (machine.includes(key) ? "hidden" : value);

const train = async (commands: string) => JSON.parse(await print(commands), hide) as RunResult;

pinned<string>("train", train, likeness);

// Six steps of every method on mini-batches, but for sam-on, which needs norm layers.
pinned<string>(
  "methods-trained",
  async (commands) => {
    const { hash, final, evaluations } = await train(commands);
    return { hash, final, evaluations };
  },
  likeness,
);

const isEigenvalue = (value: unknown): value is { readonly re: number; readonly im: number } =>
  typeof value === "object" && value !== null && "re" in value && "im" in value;

/** Hide also what only rounding decides. */
function hideNoise(key: string, value: unknown): unknown {
  if (typeof value === "string") return withoutTiny(value);
  // An eigenvalue that is 0 but for rounding allows any learning rate, and its vectors are chance.
  if (isEigenvalue(value) && Math.hypot(value.re, value.im) < 1e-12) {
    return { ...value, maxStableLearningRate: "hidden", condition: "hidden", error: "hidden" };
  }
  return hide(key, value);
}

pinned<string>(
  "certify",
  async (commands) => JSON.parse(await print(commands), hideNoise) as unknown,
  likeness,
);

/** What is listed may become more, entry by entry and in every entry. */
const listed = (command: string) =>
  pinned<string>(
    command,
    async (name) => {
      const entries = JSON.parse(await print(command)) as { readonly name: string }[];
      return entries.find((entry) => entry.name === name) ?? "missing";
    },
    () => ({ more: true }),
  );
listed("methods");
listed("problems");
