#!/usr/bin/env node
// The command line runs on the Node that the `node` package pins: float64 needs Node ≥ 24.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, "dist", "cli", "main.js");
const source = join(root, "src", "cli", "main.ts");
const entry = existsSync(source) ? source : built;

if (Number(process.versions.node.split(".")[0]) >= 24) {
  watchParent();
  const { main } = await import(pathToFileURL(entry).href);
  process.exitCode = await main(process.argv);
} else {
  const node = pinnedNode();
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

/** The binary of the npm package `node`. */
function pinnedNode() {
  let manifest;
  try {
    manifest = createRequire(import.meta.url).resolve("node/package.json");
  } catch {
    console.error(
      `missing Node 24 or newer: this is ${process.version} and the npm package "node" is not installed (run npm ci)`,
    );
    process.exit(2);
  }
  return join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
}
