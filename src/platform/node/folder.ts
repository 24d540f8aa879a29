/** Folders of a disk, to read from. */
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../engine/errors.ts";
import type { Folder } from "../files.ts";
import { fileError } from "./files.ts";

const isMissing = (error: unknown) =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

/** A folder of a disk. */
export function nodeFolder(path: string): Folder {
  const nameOf = (file: string) => join(path, file);
  return {
    name: path,
    nameOf,
    list: () =>
      readdir(path).catch((error: unknown) => {
        if (isMissing(error)) throw new InputError(`missing folder ${path}: it does not exist`);
        throw fileError(error, "read", path);
      }),
    async read(file) {
      try {
        return new Uint8Array(await readFile(nameOf(file)));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw fileError(error, "read", nameOf(file));
      }
    },
    async *pieces(file) {
      const stream = createReadStream(nameOf(file));
      try {
        yield* stream as AsyncIterable<Uint8Array>;
      } catch (error) {
        if (!isMissing(error)) throw fileError(error, "read", nameOf(file));
      } finally {
        stream.destroy();
      }
    },
  };
}
