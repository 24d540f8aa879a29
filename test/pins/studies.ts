/** The studies that are stored in this repository, and how they are found. */
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const results = fileURLToPath(new URL("../../studies/results", import.meta.url));

/**
 * Make a copy of a stored study under `into`.
 *
 * @returns its file, as `lucid sweep` and all that reads studies take it.
 */
export async function copyStudy(name: string, into: string): Promise<string> {
  const file = `${name}.jsonl.gz`;
  await cp(join(results, file), join(into, file));
  return join(into, file);
}

const unpack = async (file: string) =>
  gunzipSync(await readFile(join(results, file)))
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);

/** Read a stored document, what other scripts of `studies` have written, by the file it was once in. */
export async function readDocument(name: string): Promise<unknown> {
  const [, rho, seed] = /^certificates\/rho-(\d)-seed-(\d)\.json$/.exec(name) ?? [];
  if (rho === undefined) return (await unpack(`${name}.gz`))[0];
  const rows = (await unpack("certificates.jsonl.gz")) as { rho: number; seed: number }[];
  return rows.find((row) => row.rho === Number(rho) && row.seed === Number(seed));
}
