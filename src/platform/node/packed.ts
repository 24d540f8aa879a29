/** Packed lines: text compressed by gzip, which carries a checksum. */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { InputError } from "../../engine/errors.ts";
import { readBytes, writeBytes } from "./files.ts";

/** Write lines as one gzip file, all of it or nothing; a line break is added to each. */
export async function writePacked(path: string, lines: AsyncIterable<string>): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const line of lines) pieces.push(Buffer.from(`${line}\n`));
  await writeBytes(path, await promisify(gzip)(Buffer.concat(pieces), { level: 9 }));
}

/**
 * Read the lines of a gzip file.
 *
 * @throws {InputError} when it is not one, or a single bit of it has changed.
 */
export async function readPacked(path: string): Promise<string[]> {
  const bytes = await readBytes(path);
  const text = await promisify(gunzip)(bytes).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`invalid file ${path}: cannot unpack it, ${reason} (it has been changed)`);
  });
  const lines: string[] = [];
  // Line by line: the whole may be longer than the longest string.
  for (let start = 0, end = 0; start < text.length; start = end + 1) {
    end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    lines.push(text.toString("utf8", start, end));
  }
  return lines;
}
