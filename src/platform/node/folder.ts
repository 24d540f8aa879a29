/** Folders of a disk, to read from. */
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../engine/errors.ts";
import type { Folder } from "../files.ts";
import { fileError } from "./files.ts";

const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error ? error.code : undefined;
const isMissing = (error: unknown) => codeOf(error) === "ENOENT";

/** A folder of a disk. */
export function nodeFolder(path: string): Folder {
  const nameOf = (file: string) => join(path, file);
  const readError = (error: unknown, file = path) =>
    codeOf(error) === "ENOTDIR"
      ? new InputError(`invalid folder ${path}: it is a file (give the path of a folder)`)
      : fileError(error, "read", file);
  return {
    name: path,
    nameOf,
    list: () =>
      readdir(path).catch((error: unknown) => {
        if (isMissing(error)) throw new InputError(`missing folder ${path}: it does not exist`);
        throw readError(error);
      }),
    async read(file) {
      try {
        return new Uint8Array(await readFile(nameOf(file)));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw readError(error, nameOf(file));
      }
    },
    async *pieces(file) {
      const stream = createReadStream(nameOf(file));
      try {
        yield* stream as AsyncIterable<Uint8Array>;
      } catch (error) {
        if (!isMissing(error)) throw readError(error, nameOf(file));
      } finally {
        stream.destroy();
      }
    },
  };
}
