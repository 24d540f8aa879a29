/** This machine, and this copy of the package: what provenance says of them. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Machine } from "../machine.ts";

/** Folder of this package: it holds package.json, whether sources or built files run. */
export const packageRoot = ((): string => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
})();

/** Version of this package. */
export const packageVersion = (
  JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string }
).version;

const run = promisify(execFile);

/** Find out where results made here come from. */
export async function describeMachine(): Promise<Machine> {
  const git = async (...args: string[]) =>
    (await run("git", ["-C", packageRoot, ...args])).stdout.trim();
  const machine = {
    version: packageVersion,
    runtime: `node ${process.version}`,
    platform: `${process.platform} ${process.arch}`,
  };
  // An installed package may lie inside somebody else's repository.
  if (!existsSync(join(packageRoot, ".git"))) return { ...machine, commit: null, dirty: null };
  try {
    const [commit, changes] = await Promise.all([
      git("rev-parse", "HEAD"),
      git("status", "--porcelain", "--untracked-files=no"),
    ]);
    return { ...machine, commit, dirty: changes !== "" };
  } catch {
    return { ...machine, commit: null, dirty: null };
  }
}
