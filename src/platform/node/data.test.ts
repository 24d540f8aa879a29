import { createReadStream, existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { InputError, MachineError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { imageSplits } from "../../problems/datasets/images.ts";
import { cifar100Entry } from "../../problems/datasets/cifar.ts";
import { mnistEntry, mnistFiles } from "../../problems/datasets/mnist.ts";
import { cacheFolder } from "./cache.ts";
import { flag } from "../../settings/fields.ts";
import { datasetEntry } from "../../problems/datasets/entry.ts";
import { loadDataset, locateDataset, type LoadOptions } from "./data.ts";

const loadMnist = (options: LoadOptions) =>
  loadDataset(mnistEntry, { n: 500, options: {} }, options);

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-data-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A machine without MNIST and without network. */
const bare = () => ({
  environment: { LUCID_DATA: folder, LUCID_CACHE: join(folder, "cache") },
  mirrors: ["http://127.0.0.1:1/mnist/"],
});

async function failure(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(Error);
  return error as Error;
}

test("the cache folder is LUCID_CACHE, or the system's", () => {
  expect(cacheFolder({ LUCID_CACHE: "/some/where" })).toBe("/some/where");
  expect(cacheFolder({})).toMatch(/lucid-sam/);
});

test("offline and without files, says what to do", async () => {
  const error = await failure(loadMnist(bare()));
  expect(error).toBeInstanceOf(MachineError);
  expect(error.message).toMatch(
    /^missing data mnist: no mirror could be reached \(127\.0\.0\.1:1: .+\); put the files into a folder and set LUCID_DATA=DIR, or use --data digits$/,
  );
});

test("a LUCID_DATA that is no folder is not passed over", async () => {
  const environment = { ...bare().environment, LUCID_DATA: join(folder, "typo") };
  const error = await failure(loadMnist({ ...bare(), environment }));
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).toBe(
    `missing folder ${folder}/typo: LUCID_DATA names it, but it is not there`,
  );
});

test.each([
  ["train-images-idx3-ubyte", "its content has SHA-256 e3b0c44"],
  ["train-images-idx3-ubyte.gz", "not a complete gzip file ("],
  ["mnist/train-images-idx3-ubyte", "its content has SHA-256 e3b0c44"],
  ["cache/mnist/train-images-idx3-ubyte", "its content has SHA-256 e3b0c44"],
])("names the corrupt file %s", async (name, reason) => {
  const path = join(folder, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, "");
  const error = await failure(loadMnist(bare()));
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).toContain(`invalid data file ${path}: ${reason}`);
  expect(error.message).toMatch(/; delete it and download again$/);
});

describe("a data set of one's own", () => {
  const contents = { pixels: Uint8Array.of(1, 2, 3, 4), labels: Uint8Array.of(1, 0) };
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const own = datasetEntry({
    name: "own",
    title: "Two images of two pixels.",
    kind: "images",
    options: z.object({ turned: flag(false, "upside down") }),
    pixels: () => 2,
    files: { pixels: sha256(contents.pixels), labels: sha256(contents.labels) },
    mirrors: [],
    read({ pixels, labels }, { n, options: { turned } }) {
      const rows = turned ? pixels.toReversed() : pixels;
      const images = { pixels: rows, labels, count: n, height: 1, width: 2 };
      return { name: "own", classes: 2, train: images, test: images, mean: 0, deviation: 1 };
    },
  });
  const request = { n: 2, options: { turned: true } };

  test("is found, packed or not, and read with the options of the run", async () => {
    await mkdir(join(folder, "own"));
    await writeFile(join(folder, "own", "pixels.gz"), gzipSync(contents.pixels));
    await writeFile(join(folder, "labels"), contents.labels);
    const { train } = await loadDataset(own, request, bare());
    expect(train).toMatchObject({ pixels: Uint8Array.of(4, 3, 2, 1), count: 2 });
    expect(await locateDataset(own, bare().environment)).toBe(join(folder, "own"));
  });

  test("is downloaded from its mirrors into a folder of its name", async () => {
    const served: string[] = [];
    const server = createServer((incoming, response) => {
      const file = basename(incoming.url ?? "", ".gz") as keyof typeof contents;
      served.push(incoming.url ?? "");
      response.end(gzipSync(contents[file]));
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const mirrors = [`http://127.0.0.1:${(server.address() as AddressInfo).port}/own/`];
    const environment = { LUCID_CACHE: folder };
    expect(await locateDataset(own, environment)).toBeUndefined();
    const entry = { ...own, mirrors };
    const { test } = await loadDataset(entry, request, { environment });
    expect(test.labels).toEqual(contents.labels);
    expect(served).toEqual(["/own/pixels.gz", "/own/labels.gz"]);
    expect((await readdir(join(folder, "own"))).sort()).toEqual(["labels", "pixels"]);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  test("that is corrupt is refused", async () => {
    await writeFile(join(folder, "pixels"), Uint8Array.of(1, 2, 3, 5));
    await expect(loadDataset(own, request, bare())).rejects.toThrow(
      /^invalid data file .*pixels: its content has SHA-256 /,
    );
  });
});

/** A tar archive of files in a folder, as `tar` writes it. */
function tar(files: { readonly [name: string]: Uint8Array }): Buffer {
  const blocks = Object.entries(files).flatMap(([name, bytes]) => {
    const header = Buffer.alloc(512);
    header.write(name);
    header.write(`${bytes.length.toString(8).padStart(11, "0")} `, 124);
    header.write(name.endsWith("/") ? "5" : "0", 156);
    const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
    return [header, bytes, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

describe("a data set in records, which comes in an archive", () => {
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const train = Uint8Array.of(0, 10, 1, 11, 2, 12, 3, 13);
  const held = Uint8Array.of(4, 14);
  const sorted = (records: readonly (readonly number[])[]) =>
    sha256(
      Buffer.from(
        records
          .map((bytes) => sha256(Uint8Array.from(bytes)))
          .sort()
          .join(""),
      ),
    );
  const archive = gzipSync(
    tar({
      "pairs/": new Uint8Array(),
      "pairs/readme": held,
      "pairs/train.bin": train,
      "pairs/test.bin": held,
    }),
  );
  const pairs = datasetEntry({
    name: "pairs",
    title: "Labels and pixels.",
    kind: "images",
    options: z.object({}),
    pixels: () => 1,
    files: { "train.bin": sha256(train), "test.bin": sha256(held) },
    records: {
      bytes: 2,
      contents: {
        "train.bin": sorted([
          [3, 13],
          [0, 10],
          [1, 11],
          [2, 12],
        ]),
      },
    },
    archive: { name: "pairs.tar.gz", sha256: sha256(archive), folder: "pairs-unpacked" },
    mirrors: [],
    read(files) {
      const images = (bytes: Uint8Array) => ({
        pixels: bytes,
        labels: bytes,
        count: bytes.length,
        height: 1,
        width: 1,
      });
      const [first, second] = [images(files["train.bin"]), images(files["test.bin"])];
      return { name: "pairs", classes: 9, train: first, test: second, mean: 0, deviation: 1 };
    },
  });
  const load = (options: LoadOptions) => loadDataset(pairs, { n: 1, options: {} }, options);

  test("is downloaded as one archive, of which only the files are kept", async () => {
    let served: Uint8Array = archive;
    const server = createServer((_, response) => void response.end(served));
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const mirrors = [`http://127.0.0.1:${(server.address() as AddressInfo).port}/`];
    const environment = { LUCID_CACHE: folder };
    expect((await load({ environment, mirrors })).train.pixels).toEqual(train);
    expect((await readdir(join(folder, "pairs"))).sort()).toEqual(["test.bin", "train.bin"]);
    await rm(join(folder, "pairs"), { recursive: true });
    served = gzipSync(tar({ "train.bin": held, "test.bin": held }));
    const error = await failure(load({ environment, mirrors }));
    expect(error.message).toContain("SHA-256");
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  test("is found in parts and in another order, where its records are the right ones", async () => {
    const place = join(folder, "pairs-unpacked");
    await mkdir(place);
    await writeFile(join(place, "train_1.bin"), Uint8Array.of(2, 12, 0, 10));
    await writeFile(join(place, "train_2.bin.gz"), gzipSync(Uint8Array.of(3, 13, 1, 11)));
    await writeFile(join(place, "test.bin"), held);
    const { train: found } = await load(bare());
    expect([...found.pixels]).toEqual([2, 12, 0, 10, 3, 13, 1, 11]);
    expect(await locateDataset(pairs, bare().environment)).toBe(place);
    await writeFile(join(place, "train_1.bin"), Uint8Array.of(2, 12, 0, 11));
    expect((await failure(load(bare()))).message).toMatch(
      /^invalid data file .*train_1\.bin, .*train_2\.bin\.gz: its content has SHA-256 /,
    );
    // Whose order is not known to be free has to be as it was.
    await writeFile(join(place, "train_1.bin"), Uint8Array.of(2, 12, 0, 10));
    await writeFile(join(place, "test.bin"), Uint8Array.of(14, 4));
    expect((await failure(load(bare()))).message).toMatch(/test\.bin: its content has SHA-256 /);
  });
});

const data = process.env["LUCID_DATA"];
const official = data === undefined ? "" : join(data, "mnist");

if (data === undefined) {
  console.warn("skipped: the tests on real MNIST, because LUCID_DATA is not set");
}

describe.skipIf(data === undefined)("real MNIST (needs LUCID_DATA)", () => {
  test("has the known counts, first labels and mean, and is prepared as documented", async () => {
    const mnist = await loadMnist({ ...bare(), environment: { LUCID_DATA: data } });
    const { train, test } = mnist;
    expect([train.count, train.height, train.width, test.count]).toEqual([60_000, 28, 28, 10_000]);
    const histogram = Array.from({ length: 10 }, () => 0);
    for (const label of train.labels.subarray(0, 500)) {
      histogram[label] = (histogram[label] ?? 0) + 1;
    }
    // Counted with NumPy from the official file.
    expect(histogram).toEqual([50, 66, 52, 50, 52, 39, 45, 52, 39, 55]);
    expect([...train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect([...test.labels.subarray(0, 5)]).toEqual([7, 2, 1, 0, 4]);
    let sum = 0;
    for (const byte of train.pixels) sum += byte;
    expect(sum / 255 / train.pixels.length).toBeCloseTo(0.1307, 4);

    const options = { train: 500, test: 100, pool: 2, dtype: "float64" } as const;
    const { x, y } = imageSplits(mnist, options).train.batch as { x: Tensor; y: Tensor };
    expect([x.shape, y.shape]).toEqual([[500, 1, 14, 14], [500]]);
    // The first image once more, from the raw file.
    const raw = gunzipSync(await readFile(join(official, "train-images-idx3-ubyte.gz")));
    const pixel = (row: number, column: number) => (raw[16 + 28 * row + column] ?? NaN) / 255;
    for (let row = 0; row < 14; row++) {
      for (let column = 0; column < 14; column++) {
        const [r, c] = [2 * row, 2 * column];
        const mean = (pixel(r, c) + pixel(r, c + 1) + pixel(r + 1, c) + pixel(r + 1, c + 1)) / 4;
        expect(x.data[14 * row + column]).toBeCloseTo((mean - 0.1307) / 0.3081, 13);
      }
    }
  });

  test("is found unpacked, packed, in the folder itself, in mnist/ and in the cache", async () => {
    await mkdir(join(folder, "mnist"));
    await mkdir(join(folder, "cache", "mnist"), { recursive: true });
    const packed = (name: string) => join(official, `${name}-ubyte.gz`);
    await copyFile(packed("train-images-idx3"), join(folder, "mnist/train-images-idx3-ubyte.gz"));
    await copyFile(packed("t10k-images-idx3"), join(folder, "t10k-images-idx3-ubyte.gz"));
    await copyFile(
      packed("t10k-labels-idx1"),
      join(folder, "cache/mnist/t10k-labels-idx1-ubyte.gz"),
    );
    const labels = gunzipSync(await readFile(packed("train-labels-idx1")));
    await writeFile(join(folder, "train-labels-idx1-ubyte"), labels);
    expect((await loadMnist(bare())).test.count).toBe(10_000);
    expect(await readdir(join(folder, "cache", "mnist"))).toHaveLength(1);
  });

  test("is downloaded once, file by file, into the cache", async () => {
    const server = createServer((request, response) => {
      createReadStream(join(official, basename(request.url ?? ""))).pipe(response);
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const mirrors = [`http://127.0.0.1:${(server.address() as AddressInfo).port}/mnist/`];
    const environment = { LUCID_CACHE: folder };
    const files = new Set<string>();
    const onProgress = (file: string) => void files.add(file);
    expect((await loadMnist({ environment, mirrors, onProgress })).train.count).toBe(60_000);
    expect([...files]).toEqual(Object.keys(mnistFiles));
    expect((await readdir(join(folder, "mnist"))).sort()).toEqual(Object.keys(mnistFiles).sort());
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    expect((await loadMnist({ environment, mirrors })).train.count).toBe(60_000);
  });
});

const hasCifar = data !== undefined && existsSync(join(data, "cifar-100-binary"));
if (!hasCifar) console.warn("skipped: the test on real CIFAR-100, which LUCID_DATA does not have");

test.skipIf(!hasCifar)(
  "real CIFAR-100 has balanced classes and the constants it is given",
  async () => {
    const { train, test, mean, deviation } = await loadDataset(
      cifar100Entry,
      { n: 500, options: { labels: "fine" } },
      { ...bare(), environment: { LUCID_DATA: data } },
    );
    for (const [images, each] of [
      [train, 500],
      [test, 100],
    ] as const) {
      const counts = Array.from({ length: 100 }, () => 0);
      for (const label of images.labels) counts[label] = (counts[label] ?? 0) + 1;
      expect(counts).toEqual(Array.from({ length: 100 }, () => each));
    }
    for (const channel of [0, 1, 2]) {
      const bytes = new Float64Array(256);
      for (let image = 0; image < train.count; image++) {
        const first = (3 * image + channel) * 1024;
        for (let i = first; i < first + 1024; i++) {
          const byte = train.pixels[i] ?? NaN;
          bytes[byte] = (bytes[byte] ?? NaN) + 1;
        }
      }
      const over = (of: (p: number) => number) =>
        bytes.reduce((sum, count, byte) => sum + count * of(byte / 255), 0) / train.count / 1024;
      const average = over((p) => p);
      const spread = Math.sqrt(over((p) => p * p) - average ** 2);
      expect(average).toBeCloseTo((mean as number[])[channel] ?? NaN, 3);
      expect(spread).toBeCloseTo((deviation as number[])[channel] ?? NaN, 3);
    }
  },
);
