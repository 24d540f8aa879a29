/** Files, with writes that happen completely or not at all and errors that people can read. */
import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { InputError, MachineError } from "../../engine/errors.ts";
import { checkFileName, parseJson } from "../files.ts";

/** Read a file. */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw fileError(error, "read", path);
  }
}

/** Read a UTF-8 file. */
export async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path));
}

/** Read a JSON file. The caller validates what is in it. */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readText(path), path);
}

/**
 * The path in `folder` of what has a name that a file or a person gave: it cannot lie elsewhere.
 *
 * @param extension added to the name, dot included.
 * @throws {InputError} when the name has anything but letters, digits, dots, dashes and
 *   underscores, or begins with a dot.
 */
export function pathIn(folder: string, name: string, extension = ""): string {
  checkFileName(name);
  return join(folder, `${name}${extension}`);
}

/**
 * Make a folder and those above it; an existing one is fine.
 *
 * @returns the topmost folder that was made, `undefined` when all were there.
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  try {
    return await makeFolders(resolve(path));
  } catch (error) {
    throw fileError(error, "make", path);
  }
}

/**
 * Node's own recursive `mkdir` (24.21) never returns below /proc, and calls a read-only file
 * system a missing folder.
 */
async function makeFolders(path: string): Promise<string | undefined> {
  try {
    await mkdir(path);
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return undefined;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    const made = await makeFolders(dirname(path));
    // The folder above was there all along: it refuses this one.
    if (made === undefined) throw error;
    await mkdir(path);
    return made;
  }
}

/**
 * Write a file so that at every moment, even through a crash, `path` holds either all of its old
 * content or all of its new content. The folder must exist.
 */
export async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  await replaceFile(path, async (temporary) => {
    // `wx`: never write into what somebody else put there.
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      // Without this, a power cut after the rename could leave an empty file of the right name.
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/** {@link writeBytes} for text, as UTF-8. */
export async function writeText(path: string, text: string): Promise<void> {
  await writeBytes(path, new TextEncoder().encode(text));
}

/** {@link writeText} of a value as indented JSON. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeText(path, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Let `write` fill a temporary file beside `path`, then rename it to `path`. When `write` fails,
 * the temporary file goes and `path` stays as it was.
 */
export async function replaceFile(
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  // In the same folder, because a rename across file systems is not atomic.
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await write(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(error, "write", path);
  }
}

/** What the chosen path is to blame for, and the remedy. */
const pathFaults: Readonly<Record<string, string>> = {
  EACCES: "permission denied; change its permissions or choose another path",
  EEXIST: "a file of that name is in the way; move it or choose another path",
  EISDIR: "it is a folder; give the path of a file",
  ELOOP: "its symbolic links form a circle",
  ENAMETOOLONG: "the name is too long; choose a shorter one",
  ENOTDIR: "a folder on its path is a file; choose another path",
  ENOTEMPTY: "it is a folder; give the path of a file",
  EPERM: "not permitted; choose another path",
  EROFS: "the file system is read-only; choose another path",
};

/** What the machine is to blame for, and the remedy. */
const machineFaults: Readonly<Record<string, string>> = {
  EDQUOT: "the disk quota is used up; free some space",
  EIO: "the disk reports an error",
  EMFILE: "too many files are open; raise the limit (ulimit -n)",
  ENFILE: "too many files are open on this machine",
  ENOSPC: "the disk is full; free some space",
};

/**
 * The readable form of what a file operation threw: {@link InputError} where another path would
 * help, {@link MachineError} where it would not. Anything that no operating system reported comes
 * back as it is.
 */
export function fileError(error: unknown, verb: "read" | "write" | "make", path: string): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") {
    return error;
  }
  const { code } = error;
  const what = verb === "make" ? "folder" : "file";
  const cause = { cause: error };
  if (code === "ENOENT" && verb !== "make") {
    return verb === "read"
      ? new InputError(`missing file ${path}: it does not exist`, cause)
      : new InputError(`missing folder ${dirname(path)}: make it or choose another path`, cause);
  }
  const fault = pathFaults[code];
  if (fault !== undefined) {
    return new InputError(`invalid ${what} ${path}: cannot ${verb} it, ${fault}`, cause);
  }
  const reason = machineFaults[code] ?? error.message;
  return new MachineError(`invalid ${what} ${path}: cannot ${verb} it, ${reason}`, cause);
}
