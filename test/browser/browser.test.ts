/** The main entry point in a real browser: a plain Vite build of a page, opened in Chromium. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, relative } from "node:path";
import { promisify } from "node:util";
import { build, defaultClientConditions } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StoredRun } from "../../src/read/run.ts";
import { readRunFolder } from "../../src/store/run-folder.ts";
import { lucid } from "../lucid.ts";

const run = promisify(execFile);

/** Chromium as distributions call it. */
async function findChromium(): Promise<string | undefined> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    const found = await run(name, ["--version"]).catch(() => undefined);
    if (found !== undefined) return name;
  }
  return undefined;
}

const chromium = await findChromium();
if (chromium === undefined) console.warn("skipped: no Chromium here (apt-get install chromium)");

/** Files of a folder over HTTP, without the headers that isolate a page. */
async function serve(folder: string): Promise<Server> {
  const types: { readonly [extension: string]: string } = {
    ".html": "text/html",
    ".js": "text/javascript",
  };
  const server = createServer((request, response) => {
    const path = request.url === "/" ? "/index.html" : (request.url ?? "");
    readFile(join(folder, path)).then(
      (bytes) => {
        response.setHeader("content-type", types[extname(path)] ?? "application/octet-stream");
        response.end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}

/** What the page says. */
interface Said {
  readonly error?: string;
  readonly engine: string;
  readonly device: string;
  readonly notes: string[];
  readonly losses: number[];
  readonly halved: number[];
  readonly refused: unknown;
  readonly isolated: boolean;
  readonly stored: readonly {
    readonly kind: string;
    readonly path: string;
    readonly content?: unknown;
    readonly rows?: readonly string[];
    readonly refused?: string;
  }[];
}

/** What a page shall read: a run, a packed study, and the same studies damaged. */
async function store(at: string): Promise<void> {
  await mkdir(at);
  const run = ["train", "--problem", "cosine", "--rho", "1", "--steps", "20"];
  expect((await lucid(...run, "--out", join(at, "run"))).code).toBe(0);
  const study = { name: "s", fixed: { problem: "cosine" }, axes: { rho: [1, 2] }, steps: 10 };
  await writeFile(join(at, "s.json"), JSON.stringify({ ...study, seeds: 1 }));
  const sweep = ["sweep", join(at, "s.json"), "--workers", "1", "--out", join(at, "study")];
  expect((await lucid(...sweep)).code).toBe(0);
  const pack = join(at, "s.jsonl.gz");
  expect((await lucid("sweep", "pack", join(at, "study"), "--to", pack)).code).toBe(0);
  const bytes = await readFile(pack);
  await writeFile(join(at, "cut.jsonl.gz"), bytes.subarray(0, -5));
  bytes[60] = (bytes[60] ?? 0) ^ 1;
  await writeFile(join(at, "flipped.jsonl.gz"), bytes);
  const names = await readdir(at, { recursive: true, withFileTypes: true });
  const paths = names.flatMap((entry) =>
    entry.isFile() ? [relative(at, join(entry.parentPath, entry.name))] : [],
  );
  await writeFile(join(at, "list.json"), JSON.stringify(paths));
  stored = await readRunFolder(join(at, "run"));
}

let stored: StoredRun;
let folder = "";
let server: Server | undefined;
let said: Said;

beforeAll(async () => {
  if (chromium === undefined) return;
  folder = await mkdtemp(join(tmpdir(), "lucid-browser-"));
  const outDir = join(folder, "page");
  await build({
    root: join(import.meta.dirname, "page"),
    configFile: false,
    logLevel: "error",
    // The sources instead of dist, as in all tests.
    resolve: { conditions: ["source", ...defaultClientConditions] },
    build: { outDir, target: "esnext" },
  });
  await store(join(outDir, "stored"));
  server = await serve(outDir);
  const { port } = server.address() as AddressInfo;
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const { stdout } = await run(
    chromium,
    [
      ...flags,
      `--user-data-dir=${join(folder, "profile")}`,
      // Virtual time stands still while the page works, so this is a limit, not a wait.
      "--virtual-time-budget=120000",
      "--dump-dom",
      `http://127.0.0.1:${port}/`,
    ],
    { timeout: 170_000, maxBuffer: 1 << 24 },
  );
  const json = /<body>(.*?)<\/body>/s.exec(stdout)?.[1] ?? "";
  said = JSON.parse(json.replaceAll("&gt;", ">").replaceAll("&lt;", "<").replaceAll("&amp;", "&"));
});

afterAll(async () => {
  server?.close();
  if (folder !== "") await rm(folder, { recursive: true, force: true });
});

const inBrowser = test.skipIf(chromium === undefined);

inBrowser("a network trains, on the jax engine, with one line that says why", () => {
  expect(said.error).toBeUndefined();
  expect(said.engine).toBe("jax");
  expect(said.notes).toEqual([
    expect.stringMatching(/^missing native engine: .*; running on the jax engine$/),
  ]);
  expect(said.losses).toHaveLength(30);
  const [first = NaN, last = NaN] = [said.losses[0], said.losses.at(-1)];
  // Ten classes: ln 10 before training.
  expect(first).toBeGreaterThan(1.5);
  expect(last).toBeLessThan(0.8 * first);
});

inBrowser("float64 steps run", () => {
  expect(said.halved).toEqual([0.125, -0.375]);
});

inBrowser("no headers that isolate the page are needed", () => {
  expect(said.isolated).toBe(false);
});

inBrowser("asked for by name, the native engine says what is missing and what to do", () => {
  expect(said.refused).toMatch(/^MachineError: missing native engine: .*\(.*use --engine jax\)$/);
});

inBrowser("nothing of the native run time is in the page", async () => {
  const files = await readdir(join(folder, "page", "assets"));
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((file) => /\.(wasm|node)$/.test(file))).toEqual([]);
});

inBrowser("runs and studies are read as the command line reads them, and refused as there", () => {
  const { stored: found } = said;
  expect(found.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
    "study cut.jsonl.gz",
    "study flipped.jsonl.gz",
    "run run",
    "unknown s.json",
    "study s.jsonl.gz",
    "study study",
  ]);
  const of = (name: string) => found.find(({ path }) => path === name);
  expect(of("run")?.content).toEqual(JSON.parse(JSON.stringify(stored)));
  expect(of("s.jsonl.gz")?.rows).toHaveLength(2);
  expect(of("study")?.rows?.toSorted()).toEqual(of("s.jsonl.gz")?.rows?.toSorted());
  for (const name of ["cut.jsonl.gz", "flipped.jsonl.gz"]) {
    expect(of(name)?.refused).toMatch(new RegExp(`^InputError: invalid file ${name}: `));
  }
});
