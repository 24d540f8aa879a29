/** Installation of the package as users do it: packed, in an empty project, from an npm registry. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  access,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { olderNode } from "./older-node.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");

/** What npm is told here about other packages stays out; this Node comes first. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(npm_|LUCID_|ONNX|ORT_|NODE_(OPTIONS|PATH|ENV)$)/i.test(name),
  ),
);
environment["PATH"] = [dirname(process.execPath), process.env["PATH"]].join(delimiter);

/** Run npm or one of its packages. */
async function npm(folder: string, ...[command, ...args]: [string, ...string[]]): Promise<string> {
  const { stdout } = await run(command, args, {
    cwd: folder,
    env: environment,
    maxBuffer: 1e8,
    // npm is a script on Windows.
    shell: process.platform === "win32",
  });
  return stdout.trim();
}

const registry = await npm(root, "npm", "config", "get", "registry");
const reached = await fetch(registry, { signal: AbortSignal.timeout(20_000) }).then(
  () => true,
  () => false,
);
if (!reached) console.warn(`skipped: installing the package (${registry} is not reached)`);

/** A copy of this package to be packed. */
const clone = await mkdtemp(join(tmpdir(), "lucid-pack-"));
/** A new project that uses it. */
const project = await mkdtemp(join(tmpdir(), "lucid-project-"));
afterAll(async () => {
  for (const folder of [clone, project]) await rm(folder, { recursive: true });
});

/** Copy what packing needs, linking the dependencies and leaving out the binaries of others. */
async function copyPackage(): Promise<void> {
  const { files } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    files: string[];
  };
  const names = ["src", "scripts", "licenses", "package.json", "README.md", "LICENSE"];
  names.push(
    "python",
    "tsdown.config.ts",
    "tsconfig.json",
    ...files.filter((name) => name === "bin"),
  );
  for (const name of names) await cp(join(root, name), join(clone, name), { recursive: true });
  // Its pages are built here, as everywhere.
  await cp(join(root, "lab"), join(clone, "lab"), {
    recursive: true,
    filter: (path) => !["node_modules", "dist"].includes(basename(path)),
  });

  const modules = join(root, "node_modules");
  await mkdir(join(clone, "node_modules"));
  for (const name of await readdir(modules)) {
    const [from, to] = [join(modules, name), join(clone, "node_modules", name)];
    if (name !== "onnxruntime-node") await symlink(from, to);
    else {
      await cp(from, to, {
        recursive: true,
        filter: (path) => {
          const [, platform, arch] = /napi-v\d+.(\w+)(?:.(\w+))?/.exec(path) ?? [];
          return (
            (platform ?? process.platform) === process.platform &&
            (arch ?? process.arch) === process.arch
          );
        },
      });
    }
  }
}

const lucid = (...args: string[]) => npm(project, "npx", "--no", "lucid", ...args);

describe.skipIf(!reached)("the package, installed from its tarball", () => {
  beforeAll(async () => {
    await copyPackage();
    await npm(clone, "npm", "pack", "--loglevel=error");
    const tarball = (await readdir(clone)).find((name) => name.endsWith(".tgz"));
    // Packages that were fetched before need not be fetched again; nothing else of the user counts.
    const cache = await npm(root, "npm", "config", "get", "cache");
    Object.assign(environment, {
      HOME: join(project, "home"),
      USERPROFILE: join(project, "home"),
      npm_config_cache: cache,
      npm_config_registry: registry,
    });
    for (const name of Object.keys(environment)) {
      if (/^XDG_|^LOCALAPPDATA$/.test(name)) delete environment[name];
    }
    await npm(project, "npm", "init", "-y");
    await npm(project, "npm", "install", "--prefer-offline", join(clone, tarball ?? "no tarball"));
  });

  test("runs no script of any package, and leaves the user's node alone", async () => {
    const lock = await readFile(join(project, "package-lock.json"), "utf8");
    expect(lock).toContain('"node_modules/lucid-sam"');
    expect(lock).not.toContain("hasInstallScript");
    await expect(access(join(project, "node_modules/.bin/lucid"))).resolves.toBeUndefined();
    await expect(access(join(project, "node_modules/.bin/node"))).rejects.toThrow("ENOENT");
  });

  test("trains on the native engine", async () => {
    const flags = ["--problem", "cosine", "--rho", "4", "--steps", "100"];
    expect(JSON.parse(await lucid("train", ...flags, "--json"))).toMatchObject({
      provenance: { engine: "native" },
    });
  });

  test.skipIf(olderNode === undefined)(
    "fetches the Node that it needs where the host's is older, once",
    async () => {
      const bin = join(project, "node_modules/lucid-sam/bin/lucid.js");
      for (const says of [/^lucid: Node 24 or newer is needed [^\n]*\n$/, /^$/]) {
        const { stdout, stderr } = await run(olderNode ?? "", [bin, "methods", "sam", "--json"], {
          cwd: project,
          env: environment,
        });
        expect(stderr).toMatch(says);
        expect(JSON.parse(stdout)).toMatchObject({ name: "sam" });
      }
    },
  );

  test("serves the lab that it carries", async () => {
    const bin = join(project, "node_modules/lucid-sam/bin/lucid.js");
    const child = spawn(process.execPath, [bin, "lab"], { cwd: project, env: environment });
    const [address] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
    const entered = await fetch(address.trim(), { redirect: "manual" });
    const [cookie = ""] = entered.headers.getSetCookie();
    const get = (path: string) =>
      fetch(new URL(path, address), { headers: { cookie: cookie.split(";", 1)[0] ?? "" } });
    const page = await (await get("/")).text();
    const [, script = "no script"] = /src="([^"]+\.js)"/.exec(page) ?? [];
    expect((await get(script)).headers.get("content-type")).toMatch(/^text\/javascript/);
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("copies the Python package that it carries", async () => {
    await lucid("python", "--write", "python");
    expect(await readdir(join(project, "python/lucid_sam"))).toContain("probe.py");
  });

  test("runs the example of the README, whose types pass", async () => {
    const [, code = ""] =
      /```ts\n([\s\S]*?)```/.exec(await readFile(join(root, "README.md"), "utf8")) ?? [];
    await writeFile(join(project, "train.mjs"), code);
    expect(await npm(project, process.execPath, "train.mjs")).toContain(
      "SAM has stalled at a hallucinated point",
    );

    await writeFile(join(project, "train.mts"), code);
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    for (const [module, resolution] of [
      ["nodenext", "nodenext"],
      ["preserve", "bundler"],
    ] as const) {
      const options = ["--module", module, "--moduleResolution", resolution];
      const rest = ["--strict", "--noEmit", "--skipLibCheck", "--target", "es2024", "--types", ""];
      await npm(project, process.execPath, tsc, ...options, ...rest, "train.mts");
    }
  });

  test("sweeps a study in TypeScript, over threads, in a project that npm made CommonJS", async () => {
    await writeFile(
      join(project, "study.ts"),
      `import type { StudyFile } from "lucid-sam/study";
       export default {
         name: "tiny", fixed: { problem: "cosine" }, axes: { rho: [1, 4] }, seeds: 2, steps: 100,
       } satisfies StudyFile;`,
    );
    await lucid("sweep", "study.ts", "--workers", "2", "--out", "tiny");
    const rows = (await readFile(join(project, "tiny/rows.jsonl"), "utf8")).trim().split("\n");
    expect(rows).toHaveLength(4);
    for (const row of rows) expect(row).toContain('"engine":"native"');
  });
});
