#!/usr/bin/env node
// The command line runs on Node ≥ 24, which float64 needs: on the host's, or else on the one that
// package.json pins.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const windows = process.platform === "win32";
const executable = windows ? "node.exe" : "node";
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, "dist", "cli", "main.js");
const source = join(root, "src", "cli", "main.ts");
const entry = existsSync(source) ? source : built;

if (Number(process.versions.node.split(".")[0]) >= 24) {
  watchParent();
  const { main } = await import(pathToFileURL(entry).href);
  process.exitCode = await main(process.argv);
} else {
  const node = await pinnedNode();
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    // The channel carries nothing: it breaks when this process is gone, however it went.
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  // Ctrl-C reaches the child through the terminal; here it only must not end the parent first.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + constants.signals[signal];
  });
}

/** Stop, as on SIGTERM, when the process that people see is gone: nobody could stop this one then. */
function watchParent() {
  if (process.channel === undefined) return;
  process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel.unref();
}

/** The pinned Node: a clone has it as the npm package `node`; elsewhere npm fetches it once. */
async function pinnedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve("node/package.json");
    return join(dirname(manifest), "bin", executable);
  } catch {
    if (entry === source) {
      console.error(`missing Node 24 or newer: this is ${process.version} (run npm ci)`);
      process.exit(2);
    }
    return fetchedNode();
  }
}

/** The pinned Node in the cache folder, from the npm registry where it is not there yet. */
async function fetchedNode() {
  const { default: envPaths } = await import("env-paths");
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { platform, arch } = process;
  // The package `node` is but a script, which npm may block, that installs one of these.
  const prefix = platform === "darwin" && arch === "arm64" ? "node-bin" : "node";
  const name = `${prefix}-${windows ? "win" : platform}-${arch}`;
  const cache = process.env.LUCID_CACHE || envPaths("lucid-sam", { suffix: "" }).cache;
  const folder = join(cache, `node-${devDependencies.node}`);
  const node = join(folder, "node_modules", name, "bin", executable);
  if (existsSync(node)) return node;

  console.error(
    `lucid: Node 24 or newer is needed and this is ${process.version}: npm fetches ${devDependencies.node} into ${cache} (once) …`,
  );
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(`${folder}-`);
  try {
    execFileSync(
      "npm",
      ["install", `${name}@${devDependencies.node}`, "--prefix", windows ? `"${fresh}"` : fresh]
        // `npx` and npm scripts pass on what they were told about other packages.
        .concat([
          "--global=false",
          "--ignore-scripts",
          "--no-audit",
          "--no-fund",
          "--loglevel=error",
        ]),
      // npm is a script on Windows. The standard output belongs to the command.
      { stdio: ["ignore", "ignore", "inherit"], shell: windows },
    );
    // Moved whole, so that nobody meets half of it.
    renameSync(fresh, folder);
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(node)) {
      console.error(
        `missing Node 24 or newer: this is ${process.version}, and ${name} could not be fetched: ${error.message.split("\n")[0]} (install Node 24)`,
      );
      process.exitCode = 1;
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  if (process.exitCode !== undefined) process.exit();
  return node;
}
