/** Files that grow line by line and can be cut back to any earlier length. */
import { open } from "node:fs/promises";
import { InputError } from "../../engine/errors.ts";
import { fileError } from "./files.ts";

/** A file to append to. */
export interface AppendFile {
  /** Bytes in it. */
  readonly length: number;
  /** Add text at the end, all of it or, when that fails, none. */
  append(text: string): Promise<void>;
  /** Wait until everything is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Open a file for appending, making it if it does not exist.
 *
 * @param length cut the file back to so many bytes; default: keep all.
 * @throws {InputError} when the file is shorter than that.
 */
export async function openAppend(path: string, length?: number): Promise<AppendFile> {
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw fileError(error, "write", path);
    }
  };
  // `a+` makes the file where it is missing; its writes always go to the end.
  const file = await guarded(() => open(path, "a+"));
  let end = (await guarded(() => file.stat())).size;
  if (length !== undefined) {
    if (end < length) {
      await file.close();
      throw new InputError(
        `invalid file ${path}: ${end} bytes where ${length} were written (it has been changed)`,
      );
    }
    await guarded(() => file.truncate(length));
    end = length;
  }
  return {
    get length() {
      return end;
    },
    append: (text) =>
      guarded(async () => {
        try {
          await file.appendFile(text);
        } catch (error) {
          await file.truncate(end).catch(() => undefined);
          throw error;
        }
        end += Buffer.byteLength(text);
      }),
    sync: () => guarded(() => file.datasync()),
    close: () => guarded(() => file.close()),
  };
}
