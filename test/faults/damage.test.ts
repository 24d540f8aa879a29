/** Damaged files: every command that reads one refuses it in one line with its name, or is not misled. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomStream } from "../../src/engine/random.ts";
import { nodeSources } from "../../src/run/node-sources.ts";
import { createRunner } from "../../src/run/run.ts";
import { parseSpec } from "../../src/run/spec.ts";
import { createRunFolder } from "../../src/store/run-folder.ts";
import { describeMachine } from "../../src/platform/node/machine.ts";
import { lucid } from "../lucid.ts";

let folder = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lucid-damage-"));
  const fixed = ["--problem", "cosine", "--rho", "1", "--steps", "60"];
  await lucid("train", ...fixed, "--out", join(folder, "finished"));
  await stopHalfway(join(folder, "stopped"));
  const study = join(folder, "study.json");
  const axes = { rho: [0.5, 1] };
  const content = { name: "s", fixed: { problem: "cosine" }, axes, steps: 20, keep: true };
  writeFileSync(study, JSON.stringify(content));
  await lucid("sweep", study, "--workers", "1", "--out", join(folder, "sweep"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function stopHalfway(path: string): Promise<void> {
  const spec = parseSpec({ problem: "himmelblau", rho: 1, steps: 60 });
  const machine = await describeMachine();
  const config = { spec, engine: "native", threads: 1, recordEvery: 1, version: "0" } as const;
  const run = await createRunFolder(path, config, 0);
  const runner = createRunner({ machine, sources: nodeSources(), engine: "native" });
  const enough = new AbortController();
  const outcome = await runner.run(spec, {
    recordEvery: 1,
    signal: enough.signal,
    async onChunk(chunk) {
      await run.append(chunk.rows);
      enough.abort();
    },
  });
  await run.save(outcome.checkpoint);
  await run.close();
  await runner.dispose();
}

const random = randomStream(0, "damage");
const flip = (bytes: Uint8Array) => {
  const bit = random.integer(8 * bytes.length);
  return bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
};
const text = (content: string) => () => new TextEncoder().encode(content);
const damages: { readonly [name: string]: (bytes: Uint8Array) => Uint8Array } = {
  "a bit flipped": flip,
  "another bit flipped": flip,
  "two bits flipped": (bytes) => flip(flip(bytes)),
  "cut off": (bytes) => bytes.slice(0, random.integer(bytes.length)),
  empty: text(""),
  "not text": () => Uint8Array.of(0, 255, 254, 10),
  "not JSON": text("{]\n"),
  null: text("null\n"),
  "an empty object": text("{}\n"),
  "an empty list": text("[]\n"),
  "fields of other types": text(
    '{"id":1,"cell":{},"step":"x","spec":[],"study":3,"format":"1","verdict":null,"at":null}\n',
  ),
};

const readers: readonly (readonly [what: string, file: string, ...args: string[]])[] = [
  ...["config.json", "result.json", "metrics.jsonl"].map(
    (file) => ["finished", file, "train", "--json", "--resume"] as const,
  ),
  ["finished", "final.safetensors", "certify", "--json"],
  ["stopped", "checkpoint.safetensors", "train", "--json", "--resume"],
  ["stopped", "metrics.jsonl", "train", "--json", "--resume"],
  ...["study.json", "cells.jsonl", "rows.jsonl"].map(
    (file) => ["sweep", file, "sweep", "status", "--json"] as const,
  ),
  ["sweep", "metrics", "sweep", "export", "--format", "json", "--history"],
];

test.each(readers)("%s/%s as read by lucid %s", async (what, file, ...args) => {
  const at = join(folder, "damaged");
  const read = async () => lucid(...args, at);
  cpSync(join(folder, what), at, { recursive: true });
  const path =
    file === "metrics" ? join(at, file, readdirSync(join(at, file))[0] ?? "") : join(at, file);
  const content = new Uint8Array(readFileSync(path));
  expect(await read()).toMatchObject({ code: 0, err: "" });
  let refused = 0;
  for (const [name, damage] of Object.entries(damages)) {
    for (let round = 0; round < 8; round++) {
      rmSync(at, { recursive: true });
      cpSync(join(folder, what), at, { recursive: true });
      writeFileSync(path, damage(content));
      const { code, err } = await read();
      const shown = `${name}, round ${round}: ${err}`;
      expect([0, 2], shown).toContain(code);
      if (code === 0) continue;
      refused++;
      expect(err, shown).toContain(basename(path));
      expect(err.trimEnd().split("\n"), shown).toHaveLength(1);
    }
  }
  expect(refused).toBeGreaterThan(20);
  rmSync(at, { recursive: true });
});
