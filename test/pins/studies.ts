/** The studies that are stored in this repository, and how they are found. */
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const results = fileURLToPath(new URL("../../studies/results", import.meta.url));

/**
 * Make a copy of a stored study under `into`.
 *
 * @returns its folder, as `lucid sweep` and all that reads studies take it.
 */
export async function copyStudy(name: string, into: string): Promise<string> {
  const copy = join(into, name);
  await cp(join(results, name), copy, { recursive: true });
  return copy;
}

/** Read a stored document: what other scripts of `studies` have written. */
export const readDocument = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(join(results, name), "utf8"));
