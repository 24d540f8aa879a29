/** Data sets from the user's folder, the cache or the network, checked before use. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { InputError } from "../../engine/errors.ts";
import type { ImageDataset } from "../../problems/datasets/images.ts";
import { mnistFiles, readMnist, type MnistFile } from "../../problems/datasets/mnist.ts";
import { cacheFolder } from "./cache.ts";
import { download } from "./download.ts";
import { makeFolder, readBytes } from "./files.ts";

export interface LoadOptions {
  /** Told while a file is being downloaded: bytes so far, and in all, where that is known. */
  readonly onProgress?: (file: string, received: number, total: number | undefined) => void;
  /** Stops a download; the next call continues it. */
  readonly signal?: AbortSignal;
  /** `LUCID_DATA` and `LUCID_CACHE` are read from here; default `process.env`. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Addresses of the folders that hold the files, tried in order. */
  readonly mirrors?: readonly string[];
}

const mnistMirrors = [
  "https://ossci-datasets.s3.amazonaws.com/mnist/",
  "https://storage.googleapis.com/cvdf-datasets/mnist/",
  "https://yann.lecun.com/exdb/mnist/",
];

const unpack = promisify(gunzip);

/** More than any data file here unpacks to, in bytes. */
const largestFile = 2 ** 30;

/**
 * MNIST. Its files, gzipped or not, are looked for in `$LUCID_DATA/mnist`, in `$LUCID_DATA` and in
 * the cache, then downloaded into the cache (11 MB).
 *
 * @throws {InputError} when `LUCID_DATA` is no folder, or naming the file that is corrupt.
 * @throws {MachineError} when no mirror delivers.
 */
export async function loadMnist({
  onProgress,
  signal,
  environment = process.env,
  mirrors = mnistMirrors,
}: LoadOptions = {}): Promise<ImageDataset> {
  const cache = join(cacheFolder(environment), "mnist");
  const folders = [...(await dataFolders("mnist", environment)), cache];
  const load = async (name: MnistFile): Promise<Uint8Array> => {
    const found = await find(name, folders);
    if (found !== undefined) return readVerified(found, mnistFiles[name]);
    await makeFolder(cache);
    const path = join(cache, name);
    await download({
      what: "data mnist",
      remedy: "put the files into a folder and set LUCID_DATA=DIR, or use --data digits",
      path,
      mirrors: mirrors.map((mirror) => `${mirror}${name}.gz`),
      sha256: mnistFiles[name],
      onProgress: (received, total) => onProgress?.(name, received, total),
      ...(signal && { signal }),
    });
    return readBytes(path);
  };
  // One after the other: four downloads at once would not be faster, only harder to follow.
  const files = {} as Record<MnistFile, Uint8Array>;
  for (const name of Object.keys(mnistFiles) as MnistFile[]) files[name] = await load(name);
  return readMnist(files);
}

/** The folder with the files of MNIST on this machine, unverified; `undefined` when one is missing. */
export async function locateMnist(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const folders = [
    ...(await dataFolders("mnist", environment)),
    join(cacheFolder(environment), "mnist"),
  ];
  const found = await Promise.all(Object.keys(mnistFiles).map((name) => find(name, folders)));
  return found.every((path) => path !== undefined) ? dirname(found[0] ?? "") : undefined;
}

/** The folders of the user in which the files of a data set may lie. */
async function dataFolders(dataset: string, environment: NodeJS.ProcessEnv): Promise<string[]> {
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
