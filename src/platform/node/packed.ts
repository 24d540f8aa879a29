/** Packed lines: text compressed by gzip, which carries a checksum. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { writeBytes } from "./files.ts";

/** Write lines as one gzip file, all of it or nothing; a line break is added to each. */
export async function writePacked(path: string, lines: AsyncIterable<string>): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const line of lines) pieces.push(Buffer.from(`${line}\n`));
  await writeBytes(path, await promisify(gzip)(Buffer.concat(pieces), { level: 9 }));
}
