/** Pages of the lab: where they lie built, and their build in a clone. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { InputError } from "../engine/errors.ts";
import { packageRoot } from "../platform/node/machine.ts";

const run = promisify(execFile);

/**
 * Folder of the built pages. The package brings them; a clone builds them when there are none or when
 * its sources are newer.
 *
 * @param onBuild told before a build, which takes seconds.
 * @throws {InputError} when they cannot be built.
 */
export async function builtPages(onBuild: () => void, root = packageRoot): Promise<string> {
  const lab = join(root, "lab");
  // The package has no sources of them.
  if (!existsSync(join(lab, "src"))) return join(root, "dist", "lab");
  const pages = join(lab, "dist");
  const built = await stat(join(pages, "index.html")).catch(() => undefined);
  if (built !== undefined && (await lastChange(root)) <= built.mtimeMs) return pages;
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  if (!existsSync(vite)) {
    throw new InputError("missing vite, which builds the pages of the lab (npm ci)");
  }
  onBuild();
  await run(process.execPath, [vite, "build", "--logLevel", "error"], { cwd: lab });
  return pages;
}

/** What pages are made of: the lab, the library that it bundles, and how they are built. */
const sources = ["src", "package.json", "lab/src", "lab/index.html", "lab/vite.config.ts"];

/** When a source was written last, in milliseconds. */
const lastChange = async (root: string): Promise<number> =>
  Math.max(...(await Promise.all(sources.map((path) => writtenLast(join(root, path))))));

async function writtenLast(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true }).catch(() => []);
  const stats = await Promise.all(
    [path, ...entries.map((entry) => join(path, entry))].map((file) =>
      stat(file).catch(() => undefined),
    ),
  );
  return Math.max(...stats.map((found) => found?.mtimeMs ?? 0));
}
