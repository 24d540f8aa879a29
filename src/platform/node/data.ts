/** Data sets from the user's folder, the cache or the network, checked before use. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
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
import { makeFolder, readBytes } from "./files.ts";

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
 * A data set. Its files, gzipped or not, are looked for in `$LUCID_DATA/NAME`, in `$LUCID_DATA` and
 * in the cache, then downloaded into the cache.
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
  const { name, files } = entry;
  const cache = cachedFiles(name, environment);
  const folders = isDrawn(entry) ? [] : await foldersOf(name, environment);
  const load = async (file: string, sha256: string): Promise<Uint8Array> => {
    const found = await find(file, folders);
    if (found !== undefined) return readVerified(found, sha256);
    await makeFolder(cache);
    const path = join(cache, file);
    await download({
      what: `data ${name}`,
      remedy: "put the files into a folder and set LUCID_DATA=DIR, or use --data digits",
      path,
      mirrors: mirrors.map((mirror) => `${mirror}${file}.gz`),
      sha256,
      onProgress: (received, total) => onProgress?.(file, received, total),
      signal,
    });
    return readBytes(path);
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

/** The folder with the files of a data set on this machine, unverified; `undefined` when one is missing. */
export async function locateDataset(
  { name, files }: DatasetEntry,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const folders = await foldersOf(name, environment);
  const found = await Promise.all(Object.keys(files).map((file) => find(file, folders)));
  return found.every((path) => path !== undefined) ? dirname(found[0] ?? "") : undefined;
}

const cachedFiles = (dataset: string, environment: NodeJS.ProcessEnv) =>
  join(cacheFolder(environment), dataset);

/** The folders in which the files of a data set may lie, in the order in which they are searched. */
const foldersOf = async (dataset: string, environment: NodeJS.ProcessEnv) => [
  ...(await userFolders(dataset, environment)),
  cachedFiles(dataset, environment),
];

/** The folders of the user in which the files of a data set may lie. */
async function userFolders(dataset: string, environment: NodeJS.ProcessEnv): Promise<string[]> {
  const folder = environment["LUCID_DATA"];
  if (!folder) return [];
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

/** The first path at which a file lies, unpacked or gzipped. */
async function find(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const path of folders.flatMap((folder) => [
    join(folder, name),
    join(folder, `${name}.gz`),
  ])) {
    const exists = await stat(path).then(
      (entry) => entry.isFile(),
      () => false,
    );
    if (exists) return path;
  }
  return undefined;
}

/** The unpacked content of a file, if it is what it should be. */
async function readVerified(path: string, sha256: string): Promise<Uint8Array> {
  const refuse = (reason: string) =>
    new InputError(`invalid data file ${path}: ${reason}; delete it and download again`);
  let bytes = await readBytes(path);
  if (path.endsWith(".gz")) {
    bytes = await unpack(bytes, { maxOutputLength: largestFile }).catch((error: Error) => {
      throw refuse(`not a complete gzip file (${error.message})`);
    });
  }
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (actual !== sha256) throw refuse(`its content has SHA-256 ${actual} (expected ${sha256})`);
  return bytes;
}
