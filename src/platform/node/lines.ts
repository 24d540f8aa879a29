/** Files of lines, read without holding them whole. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileError } from "./files.ts";

/** Bytes looked at in one piece. */
const blockSize = 1 << 16;

/** The length of the file up to its last line break: a crash may have torn the line after it. */
export async function completeLength(path: string): Promise<number> {
  try {
    const file = await open(path);
    try {
      const block = Buffer.alloc(blockSize);
      for (let end = (await file.stat()).size; end > 0; end -= blockSize) {
        const start = Math.max(0, end - blockSize);
        const { bytesRead } = await file.read(block, 0, end - start, start);
        const at = block.subarray(0, bytesRead).lastIndexOf("\n");
        if (at >= 0) return start + at + 1;
      }
      return 0;
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw fileError(error, "read", path);
  }
}

/** The complete lines of a file, one by one; none when there is no file. */
export async function* readLines(path: string): AsyncGenerator<string> {
  const length = await completeLength(path);
  if (length === 0) return;
  const stream = createReadStream(path, { encoding: "utf8", end: length - 1 });
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity });
  } catch (error) {
    throw fileError(error, "read", path);
  } finally {
    stream.destroy();
  }
}
