/** Folders to read from, wherever they lie: on a disk, dropped on a page, behind a server. */
import { excerpt, InputError } from "../engine/errors.ts";
import { splitLines } from "./split-lines.ts";

/** A folder to read from. Paths lie below it and have `/` between their names. */
export interface Folder {
  /** How messages call it. */
  readonly name: string;
  /** How messages call a file in it. */
  nameOf(path: string): string;
  /**
   * Names of the files and folders in it.
   *
   * @throws {InputError} when there is no such folder.
   */
  list(): Promise<readonly string[]>;
  /** A file, whole; `undefined` where there is none. */
  read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** A file piece by piece, for what may be long; nothing where there is none. */
  pieces(path: string): AsyncIterable<Uint8Array>;
}

/** Files by path, with `/` between names: those dropped on a page, or listed by a server. */
export interface Files {
  readonly paths: readonly string[];
  /** A file, whole. Asked only for one of `paths`. */
  read(path: string): Promise<Uint8Array<ArrayBuffer>>;
}

/** Files that are in memory. Of two with the same path the last counts. */
export function filesInMemory(
  files: Iterable<{ readonly path: string; readonly bytes: Uint8Array<ArrayBuffer> }>,
): Files {
  const contents = new Map(Array.from(files, ({ path, bytes }) => [path, bytes]));
  return {
    paths: [...contents.keys()],
    async read(path) {
      const bytes = contents.get(path);
      if (bytes === undefined) throw missingFile(path);
      return bytes;
    },
  };
}

/** The folder that those of `files` make whose paths begin with `path`; with `""`, that of all. */
export function folderOf(files: Files, path: string): Folder {
  const start = path === "" ? "" : `${path}/`;
  const inside = new Set(files.paths.filter((file) => file.startsWith(start)));
  const read = async (file: string) =>
    inside.has(start + file) ? files.read(start + file) : undefined;
  return {
    name: path === "" ? "the files" : path,
    nameOf: (file) => start + file,
    async list() {
      return [
        ...new Set(Array.from(inside, (file) => file.slice(start.length).split("/", 1)[0] ?? "")),
      ];
    },
    read,
    async *pieces(file) {
      const bytes = await read(file);
      if (bytes !== undefined) yield bytes;
    },
  };
}

/**
 * Read a file of a folder.
 *
 * @throws {InputError} when there is none.
 */
export async function readFrom(folder: Folder, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await folder.read(path);
  if (bytes === undefined) throw missingFile(folder.nameOf(path));
  return bytes;
}

/** What is said of a file that is not there. */
const missingFile = (path: string) => new InputError(`missing file ${path}: it does not exist`);

/** The complete lines of a file, one by one; none when there is no file. A crash may have cut the last. */
export async function* linesOf(folder: Folder, path: string): AsyncGenerator<string> {
  const split = splitLines();
  for await (const piece of folder.pieces(path)) {
    for (const { text } of split(piece, false)) yield text;
  }
}

/**
 * What a JSON file says. The caller validates it.
 *
 * @param path what messages call the file.
 * @throws {InputError} when it is none.
 */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`invalid file ${path}: not JSON (${(error as Error).message})`);
  }
}

/**
 * Refuse a name that a file or a person gave where it would lead out of a folder.
 *
 * @throws {InputError} when it has anything but letters, digits, dots, dashes and underscores, or
 *   begins with a dot.
 */
export function checkFileName(name: string): void {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name)) return;
  throw new InputError(
    `invalid name ${excerpt(JSON.stringify(name))}: it would be a path (give letters, digits, dots and dashes)`,
  );
}
