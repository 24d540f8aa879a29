/**
 * Throughput of sweeps, start to end: `lucid sweep` with two workers and with one, and a plain
 * PyTorch script over the same cells in two processes, in turns.
 *
 *     node src/bench/sweep.ts --python python3 --rounds 3
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../platform/node/machine.ts";
import type { Row } from "../study/cell.ts";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    rounds: { type: "string", default: "3" },
    cells: { type: "string", default: "40" },
    steps: { type: "string", default: "1000" },
  },
});
const seeds = Number(values.cells) / 2;
const folder = mkdtempSync(join(tmpdir(), "lucid-bench-"));
const study = join(folder, "study.json");
writeFileSync(
  study,
  JSON.stringify({
    name: "bench",
    fixed: { data: "digits", n: 500, hidden: [64], pool: 1 },
    axes: { rho: [1, 2] },
    seeds,
    steps: Number(values.steps),
  }),
);
const lucid = join(packageRoot, "bin/lucid.js");
let sweeps = 0;

/** Seconds of a sweep, and the mean overhead of its cells in milliseconds. */
function sweep(workers: number): { seconds: number; overhead: number } {
  const out = join(folder, `${sweeps++}`);
  const began = performance.now();
  const options = ["--workers", String(workers), "--out", out, "--engine", "native"];
  execFileSync(process.execPath, [lucid, "sweep", study, ...options], { stdio: "ignore" });
  const seconds = (performance.now() - began) / 1000;
  const rows = readFileSync(join(out, "rows.jsonl"), "utf8").trimEnd().split("\n");
  // The first cell of a worker compiles.
  const overheads = rows.slice(workers).map((line) => {
    const { provenance } = JSON.parse(line) as Row;
    return 1000 * (provenance.wallSeconds - (provenance.seconds ?? 0));
  });
  return { seconds, overhead: overheads.toSorted((a, b) => a - b)[overheads.length >> 1] ?? NaN };
}

function torch(): number {
  const script = join(import.meta.dirname, "peers/torch_sweep.py");
  const options = ["--seeds", String(seeds), "--steps", values.steps, "--inputs", "196"];
  const output = execFileSync(values.python, [script, ...options], { encoding: "utf8" });
  return (JSON.parse(output) as { seconds: number }).seconds;
}

try {
  for (let round = 0; round < Number(values.rounds); round++) {
    const two = sweep(2);
    const peer = torch();
    const one = sweep(1);
    console.log(
      JSON.stringify({
        lucidTwoWorkers: two.seconds,
        lucidOneWorker: one.seconds,
        torchTwoProcesses: peer,
        twoToOne: two.seconds / one.seconds,
        speedup: peer / two.seconds,
        overheadMilliseconds: two.overhead,
      }),
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
