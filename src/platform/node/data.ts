/** Data sets from the user's folder, the cache or the network, checked before use. */
import { createHash } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { z } from "zod";
import { InputError } from "../../engine/errors.ts";
import {
  isDrawn,
  type DatasetEntry,
  type DatasetRequest,
  type DatasetsOf,
} from "../../problems/datasets/entry.ts";
import { cacheFolder } from "./cache.ts";
import { download } from "./download.ts";
import { makeFolder, readBytes, writeBytes } from "./files.ts";
import { readTar } from "./tar.ts";

export interface LoadOptions {
  /** Told while a file is being downloaded: bytes so far, and in all, where that is known. */
  readonly onProgress?: (file: string, received: number, total: number | undefined) => void;
  /** Told while images are drawn: how many there are, and will be. */
  readonly onDrawn?: DatasetRequest["onDrawn"];
  /** Stops a download; the next call continues it. */
  readonly signal?: AbortSignal | undefined;
  /** `LUCID_DATA` and `LUCID_CACHE` are read from here; default `process.env`. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Addresses of the folders that hold the files, tried in order; default: the data set's own. */
  readonly mirrors?: readonly string[];
}

const unpack = promisify(gunzip);

/** More than any data file here unpacks to, in bytes. */
const largestFile = 2 ** 30;

/**
 * A data set. Its files, gzipped or not, are looked for in `$LUCID_DATA/NAME`, in `$LUCID_DATA`, in
 * the folder that their archive makes there and in the cache, then downloaded into the cache.
 *
 * @throws {InputError} when `LUCID_DATA` is no folder, or naming the file that is corrupt.
 * @throws {MachineError} when no mirror delivers.
 */
export async function loadDataset<Kind extends keyof DatasetsOf>(
  entry: DatasetEntry<z.ZodObject, string, Kind>,
  request: DatasetRequest,
  {
    onProgress,
    onDrawn,
    signal,
    environment = process.env,
    mirrors = entry.mirrors,
  }: LoadOptions = {},
): Promise<DatasetsOf[Kind]> {
  const { name, files, archive } = entry;
  const cache = cachedFiles(name, environment);
  const folders = isDrawn(entry) ? [] : await foldersOf(entry, environment);
  const fetchFile = async (file: string, sha256: string, packed: boolean): Promise<string> => {
    await makeFolder(cache);
    const path = join(cache, file);
    await download({
      what: `data ${name}`,
      remedy: "put the files into a folder and set LUCID_DATA=DIR, or use --data digits",
      path,
      mirrors: mirrors.map((mirror) => `${mirror}${file}${packed ? "" : ".gz"}`),
      sha256,
      packed,
      onProgress: (received, total) => onProgress?.(file, received, total),
      signal,
    });
    return path;
  };
  const load = async (file: string, sha256: string): Promise<Uint8Array> => {
    let found = await find(entry, file, folders);
    if (found === undefined && archive) {
      await unpackArchive(entry, await fetchFile(archive.name, archive.sha256, true), cache);
      found = [join(cache, file)];
    }
    if (found !== undefined) return readVerified(entry, file, found);
    return readBytes(await fetchFile(file, sha256, false));
  };
  // One after the other: downloads at once would not be faster, only harder to follow.
  const bytes: { [file: string]: Uint8Array } = {};
  for (const [file, sha256] of Object.entries(files)) bytes[file] = await load(file, sha256);
  const own: { [file: string]: Uint8Array } = {};
  for (const [file, path] of Object.entries(entry.paths?.(request.options) ?? {})) {
    own[file] = await readBytes(path);
  }
  return entry.read(bytes, { ...request, own, onDrawn });
}

/** The files of an archive as files of a folder, each verified; the archive, no longer needed, goes. */
async function unpackArchive({ files }: DatasetEntry, path: string, folder: string): Promise<void> {
  const content = readTar(await unpackBytes(await readBytes(path), path), path);
  for (const [file, sha256] of Object.entries(files)) {
    const bytes = content.get(file);
    if (bytes === undefined || digest(bytes) !== sha256) {
      throw refusal(path, `its ${file} is missing or another one`);
    }
    await writeBytes(join(folder, file), bytes);
  }
  await rm(path);
}

/** The folder with the files of a data set on this machine, unverified; `undefined` when one is missing. */
export async function locateDataset(
  entry: DatasetEntry,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const folders = await foldersOf(entry, environment);
  const found = await Promise.all(
    Object.keys(entry.files).map((file) => find(entry, file, folders)),
  );
  return found.every((paths) => paths !== undefined) ? dirname(found[0]?.[0] ?? "") : undefined;
}

const cachedFiles = (dataset: string, environment: NodeJS.ProcessEnv) =>
  join(cacheFolder(environment), dataset);

/** The folders in which the files of a data set may lie, in the order in which they are searched. */
const foldersOf = async ({ name, archive }: DatasetEntry, environment: NodeJS.ProcessEnv) => [
  ...(await userFolders(name, environment)),
  ...(await userFolders(archive?.folder, environment)),
  cachedFiles(name, environment),
];

/** The folders of the user in which the files of a data set may lie. */
async function userFolders(
  dataset: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<string[]> {
  const folder = environment["LUCID_DATA"];
  if (!folder || dataset === undefined) return [];
  // A misspelled folder must not silently become a download.
  const isFolder = await stat(folder).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    throw new InputError(`missing folder ${folder}: LUCID_DATA names it, but it is not there`);
  }
  return [join(folder, dataset), folder];
}

/** Where a file lies, unpacked or gzipped, in one piece or, where it consists of records, in parts. */
async function find(
  { records }: DatasetEntry,
  name: string,
  folders: readonly string[],
): Promise<string[] | undefined> {
  for (const folder of folders) {
    const whole = await findIn(folder, name);
    if (whole !== undefined) return [whole];
    if (records?.contents[name] === undefined) continue;
    const parts: string[] = [];
    for (let part = 1; ; part++) {
      const path = await findIn(folder, name.replace(/(\.[^.]*)?$/, `_${part}$1`));
      if (path === undefined) break;
      parts.push(path);
    }
    if (parts.length > 0) return parts;
  }
  return undefined;
}

/** The path of a file in a folder, unpacked or gzipped. */
async function findIn(folder: string, name: string): Promise<string | undefined> {
  for (const path of [join(folder, name), join(folder, `${name}.gz`)]) {
    const exists = await stat(path).then(
      (entry) => entry.isFile(),
      () => false,
    );
    if (exists) return path;
  }
  return undefined;
}

/** The unpacked content of a file, from its parts, if it is what it should be. */
async function readVerified(
  { files, records }: DatasetEntry,
  file: string,
  paths: readonly string[],
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const path of paths) {
    const bytes = await readBytes(path);
    parts.push(path.endsWith(".gz") ? await unpackBytes(bytes, path) : bytes);
  }
  const [first] = parts;
  const bytes = parts.length === 1 && first ? first : Buffer.concat(parts);
  const actual = digest(bytes);
  const contents = records?.contents[file];
  const isRight =
    actual === files[file] ||
    // The right records, in an order of their own.
    (records !== undefined &&
      contents !== undefined &&
      contentsOf(bytes, records.bytes) === contents);
  if (isRight) return bytes;
  throw refusal(paths.join(", "), `its content has SHA-256 ${actual} (expected ${files[file]})`);
}

/** SHA-256 of the sorted SHA-256s of all records. */
function contentsOf(bytes: Uint8Array, record: number): string {
  const digests = Array.from({ length: Math.ceil(bytes.length / record) }, (_, i) =>
    digest(bytes.subarray(i * record, (i + 1) * record)),
  );
  return digest(new TextEncoder().encode(digests.sort().join("")));
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const unpackBytes = (bytes: Uint8Array, path: string): Promise<Uint8Array> =>
  unpack(bytes, { maxOutputLength: largestFile }).catch((error: Error) => {
    throw refusal(path, `not a complete gzip file (${error.message})`);
  });

const refusal = (path: string, reason: string) =>
  new InputError(`invalid data file ${path}: ${reason}; delete it and download again`);
