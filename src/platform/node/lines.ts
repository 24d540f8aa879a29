/** Files of lines, looked at without holding them whole. */
import { open } from "node:fs/promises";
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
