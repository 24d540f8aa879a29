/** Stored things for tests of the runs view, made by the command line as its users make them. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gunzipSync, gzipSync } from "node:zlib";

const root = resolve(import.meta.dirname, "../..");
const lucidBin = join(root, "bin/lucid.js");
const run = promisify(execFile);

/** A command of the command line; what it printed. */
export async function lucid(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [lucidBin, ...args], { maxBuffer: 1 << 26 });
  return stdout;
}

/** A sweep that goes on by itself. */
export const startSweep = (study: string, out: string): ChildProcess =>
  spawn(process.execPath, [lucidBin, "sweep", study, "--workers", "1", "--out", out], {
    stdio: "ignore",
  });

/** Serve folders with the built site, as `lucid lab` does; its address. */
export async function serve(
  site: string,
  ...folders: string[]
): Promise<{ address: string; end(): Promise<void> }> {
  const child = spawn(
    process.execPath,
    ["--conditions=source", join(root, "test/serve/lab-process.ts"), site, "{}", ...folders],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const address = await new Promise<string>((done, fail) => {
    let text = "";
    child.stdout.on("data", (piece: Buffer) => {
      text += piece.toString();
      const found = /http\S+/.exec(text);
      if (found) done(found[0]);
    });
    child.on("exit", () => fail(new Error("the server ended before it served")));
  });
  return {
    address,
    end: () =>
      new Promise((done) => {
        child.on("exit", () => done());
        child.kill("SIGINT");
      }),
  };
}

export const study = {
  name: "small",
  description: "Does it stay?",
  fixed: { problem: "cosine" },
  axes: { rho: [1, 4], method: ["usam", "sam"] },
  seeds: 2,
  steps: 60,
};

/** Rows of a log that PyTorch users have: no SAM columns. */
const foreign = ["step,train/loss,lr", "0,2.5,0.1", "10,2.1,0.1", "20,1.9,0.1", ""].join("\n");

/** One of everything below a folder, and a study whose second row was damaged. */
export async function makeStored(folder: string): Promise<void> {
  const at = (...names: string[]) => join(folder, ...names);
  await mkdir(at("torch"), { recursive: true });
  await writeFile(at("study.json"), JSON.stringify(study));
  const train = lucid(
    ..."train --problem cosine --rho 4 --start 2,0 --steps 4000 --out".split(" "),
    at("runs", "ä b#1"),
  );
  const sweep = lucid("sweep", at("study.json"), "--workers", "1", "--out", at("good"));
  await Promise.all([train, sweep]);
  const landscape = lucid(
    "landscape",
    at("runs", "ä b#1"),
    ..."--directions eigen --points 7 --out".split(" "),
    at("valley"),
  );
  const certificate = lucid("certify", at("runs", "ä b#1"), "--json");
  await lucid("sweep", "pack", at("good"), "--to", at("packed.jsonl.gz"));
  await Promise.all([
    landscape,
    certificate.then((text) => writeFile(at("certificate.json"), text)),
  ]);
  await cp(at("good"), at("bad"), { recursive: true });
  const rows = await readFile(at("bad", "rows.jsonl"), "utf8");
  const [first = "", second = "", ...rest] = rows.split("\n");
  await writeFile(
    at("bad", "rows.jsonl"),
    [first, second.replace('"cell"', '"cold"'), ...rest].join("\n"),
  );
  await writeFile(at("torch", "metrics.csv"), foreign);
  await writeFile(at("torch", "broken.safetensors"), "no tensors");
  await writeFile(at("notes.txt"), "nothing known");
  await cp(join(root, "test/import/fixtures/mlp"), at("network"), { recursive: true });
}

/** A packed study of many cells, each row that of a cell that ran. */
export async function makeLong(from: string, to: string, count: number): Promise<void> {
  const [head = "", line = ""] = gunzipSync(await readFile(from))
    .toString()
    .split("\n");
  const description = { ...(JSON.parse(head) as object), cells: count };
  const cell = JSON.parse(line) as { spec: object; row: object };
  const lines = Array.from({ length: count }, (_, i) => {
    const id = i.toString(16).padStart(16, "0");
    const training = `SAM after plain descent over a tenth of the run, number ${i % 13}`;
    const at = { rho: i % 10, method: i % 2 === 0 ? "sam" : "usam", training, seed: i };
    return JSON.stringify({ ...cell, id, at, row: { ...cell.row, cell: id, at } });
  });
  await writeFile(to, gzipSync([JSON.stringify(description), ...lines, ""].join("\n")));
}
