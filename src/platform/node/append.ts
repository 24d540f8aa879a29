/** Files that grow line by line and can be cut back to any earlier length. */
import { open, stat, type FileHandle } from "node:fs/promises";
import { InputError, MachineError } from "../../engine/errors.ts";
import { fileError, writeBytes } from "./files.ts";

/** A file to append to. */
export interface AppendFile {
  /** Bytes in it. */
  readonly length: number;
  /**
   * Add text at the end, all of it or, when that fails, none.
   *
   * @throws {MachineError} when the file has been deleted or another one put in its place. What
   *   was written is then in the file again, or in one beside it.
   */
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
  let lost = false;
  /** Text that goes to a file without a name would be gone with this process. */
  const checkPlace = async () => {
    if (lost || (await isAt(file, path))) return;
    lost = true;
    const replaced = await stat(path).then(
      () => true,
      () => false,
    );
    const rescue = replaced ? `${path}.${process.pid}.rescued` : path;
    await writeBytes(rescue, await contentOf(file, end));
    throw new MachineError(
      replaced
        ? `invalid file ${path}: another file was put in its place (what was written is in ${rescue})`
        : `invalid file ${path}: it was deleted while it was being written (all of it is there again; the same command goes on)`,
    );
  };
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
        await checkPlace();
      }),
    sync: () => guarded(() => file.datasync()),
    close: () =>
      guarded(async () => {
        try {
          if (file.fd >= 0) await checkPlace();
        } finally {
          await file.close();
        }
      }),
  };
}

/** Whether `path` still leads to the open file. */
async function isAt(file: FileHandle, path: string): Promise<boolean> {
  const [ours, there] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
}

async function contentOf(file: FileHandle, length: number): Promise<Uint8Array> {
  const content = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(content, at, length - at, at);
    if (bytesRead === 0) throw new Error(`invalid state: ${at} of ${length} bytes are left`);
    at += bytesRead;
  }
  return content;
}
