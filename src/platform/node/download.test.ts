import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MachineError } from "../../engine/errors.ts";
import { download, type DownloadOptions } from "./download.ts";

const content = Buffer.from(
  Array.from({ length: 300_000 }, (_, i) => (i * i * 31 + (i >> 7)) % 256),
);
const packed = gzipSync(content);
const sha256 = createHash("sha256").update(content).digest("hex");

type Answer = (request: IncomingMessage, response: ServerResponse, from: number) => void;

/** Serves ranges, as the real mirrors do. */
const whole =
  (bytes: Uint8Array): Answer =>
  (_, response, from) => {
    const rest = bytes.subarray(from);
    if (rest.length === 0) response.writeHead(416).end();
    else writeHead(response, bytes, from).end(rest);
  };

/**
 * Announces everything, sends `count` bytes, and hangs up when they have been read: what is on
 * the way when a connection breaks may be lost.
 */
const cutAfter =
  (bytes: Uint8Array, count: number): Answer =>
  (_, response, from) => {
    writeHead(response, bytes, from).write(bytes.subarray(from, from + count));
    hangUps.set(from + count, () => response.destroy());
  };

function writeHead(response: ServerResponse, { length }: Uint8Array, from: number): ServerResponse {
  return response.writeHead(from === 0 ? 200 : 206, {
    "content-length": length - from,
    ...(from > 0 && { "content-range": `bytes ${from}-${length - 1}/${length}` }),
  });
}

/** Sends a part and then nothing more. */
const silentAfter =
  (bytes: Uint8Array, count: number): Answer =>
  (_, response) => {
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, count));
  };

const status =
  (code: number): Answer =>
  (_, response) =>
    response.writeHead(code).end("<html>no such file, or a page about it</html>");

let folder = "";
let servers: Server[] = [];
/** What the mirrors were asked for: their name, and the range. */
let asked: string[] = [];
/** What to do when the client has so many bytes. */
let hangUps = new Map<number, () => void>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-download-"));
  [servers, asked, hangUps] = [[], [], new Map()];
});
afterEach(async () => {
  for (const server of servers) server.closeAllConnections();
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  await rm(folder, { recursive: true });
});

/** Start a mirror that gives these answers in turn, the last one for ever. */
async function mirror(name: string, ...answers: Answer[]): Promise<string> {
  let next = 0;
  const server = createServer((request, response) => {
    const { range = "" } = request.headers;
    asked.push(`${name} ${range}`.trim());
    const answer = answers[Math.min(next++, answers.length - 1)] ?? status(500);
    answer(request, response, Number(/bytes=(\d+)-/.exec(range)?.[1] ?? 0));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file.gz`;
}

const path = () => join(folder, "file");
const start = (mirrors: string[], options: Partial<DownloadOptions> = {}) =>
  download({
    what: "data test",
    remedy: "try later",
    path: path(),
    mirrors,
    sha256,
    onProgress: (received) => hangUps.get(received)?.(),
    ...options,
  });
const failure = async (promise: Promise<void>): Promise<MachineError> => {
  const error: unknown = await promise.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(MachineError);
  return error as MachineError;
};

test("downloads, unpacks and tells its progress", async () => {
  const progress: [number, number | undefined][] = [];
  await start([await mirror("a", whole(packed))], {
    onProgress: (received, total) => progress.push([received, total]),
  });
  expect(content.equals(await readFile(path()))).toBe(true);
  expect(await readdir(folder)).toEqual(["file"]);
  expect(progress.at(-1)).toEqual([packed.length, packed.length]);
  expect(progress.map(([received]) => received)).toEqual(
    progress.map(([received]) => received).toSorted((a, b) => a - b),
  );
});

test("takes a file that comes unpacked", async () => {
  await start([await mirror("a", whole(content))]);
  expect(content.equals(await readFile(path()))).toBe(true);
});

test("goes on to the next mirror when one has no such file or is not there", async () => {
  const gone = "http://127.0.0.1:1/file.gz";
  await start([gone, await mirror("a", status(404)), await mirror("b", whole(packed))]);
  expect(content.equals(await readFile(path()))).toBe(true);
  expect(asked).toEqual(["a", "b"]);
});

test("resumes on the next mirror what was cut off", async () => {
  await start([await mirror("a", cutAfter(packed, 50_000)), await mirror("b", whole(packed))]);
  expect(content.equals(await readFile(path()))).toBe(true);
  expect(asked).toEqual(["a", "b bytes=50000-"]);
});

test("resumes on the same mirror, the only one", async () => {
  await start([await mirror("a", cutAfter(packed, 50_000), whole(packed))]);
  expect(content.equals(await readFile(path()))).toBe(true);
  expect(asked).toEqual(["a", "a bytes=50000-"]);
});

test("starts over where a mirror ignores ranges", async () => {
  const deaf: Answer = (request, response) => whole(packed)(request, response, 0);
  await start([await mirror("a", cutAfter(packed, 50_000)), await mirror("b", deaf)]);
  expect(content.equals(await readFile(path()))).toBe(true);
});

test("keeps what arrived for the next call, and uses a part that was complete", async () => {
  const error = await failure(start([await mirror("a", cutAfter(packed, 50_000))]));
  expect(error.message).toMatch(
    /^missing data test: no mirror delivered file \(127\.0\.0\.1:\d+: cut off after 100000 bytes, .*\); try later$/,
  );
  expect((await readFile(`${path()}.part`)).equals(packed.subarray(0, 100_000))).toBe(true);
  await writeFile(`${path()}.part`, packed);
  await start([await mirror("b", whole(packed))]);
  expect(content.equals(await readFile(path()))).toBe(true);
  expect(asked.at(-1)).toBe(`b bytes=${packed.length}-`);
  expect(await readdir(folder)).toEqual(["file"]);
});

test("throws away what has the wrong hash, says so, and leaves no file", async () => {
  const other = gzipSync(Buffer.from("something else"));
  const error = await failure(start([await mirror("a", whole(other))]));
  expect(error.message).toContain(`(expected ${sha256}), so what arrived was deleted`);
  expect(await readdir(folder)).toEqual([]);
  expect(asked).toEqual(["a", "a"]);
});

test("a wrong part of an earlier day costs one more download, not a wrong file", async () => {
  await writeFile(`${path()}.part`, "rubbish of another kind");
  await start([await mirror("a", whole(packed))]);
  expect(content.equals(await readFile(path()))).toBe(true);
  expect(asked).toEqual(["a bytes=23-", "a"]);
});

test("a damaged gzip file is thrown away", async () => {
  const damaged = Uint8Array.from(packed);
  damaged.fill(0, 1000, 1100);
  const error = await failure(start([await mirror("a", whole(damaged))]));
  expect(error.message).toContain("not a complete gzip file");
  expect(await readdir(folder)).toEqual([]);
});

test("offline, says that nothing could be reached and what to do", async () => {
  const error = await failure(start(["http://127.0.0.1:1/x", "http://localhost:1/x"]));
  expect(error.message).toMatch(
    /^missing data test: no mirror could be reached \(127\.0\.0\.1:1: .+; localhost:1: .+\); try later$/,
  );
  expect(await readdir(folder)).toEqual([]);
});

test("gives up on a mirror that falls silent", async () => {
  const mirrors = [
    await mirror("a", silentAfter(packed, 50_000)),
    await mirror("b", whole(packed)),
  ];
  await start(mirrors, { patience: 500 });
  expect(content.equals(await readFile(path()))).toBe(true);
  expect(asked).toEqual(["a", "b bytes=50000-"]);
});

test("stops when asked to, keeps what arrived, and continues later", async () => {
  const stop = new AbortController();
  const reason = new Error("interrupted");
  const mirrors = [await mirror("a", silentAfter(packed, 50_000), whole(packed))];
  const stopped = start(mirrors, {
    signal: stop.signal,
    patience: 2 ** 30,
    onProgress: (received) => {
      if (received === 50_000) stop.abort(reason);
    },
  });
  await expect(stopped).rejects.toBe(reason);
  expect(asked).toEqual(["a"]);
  await start(mirrors);
  expect(asked).toEqual(["a", "a bytes=50000-"]);
  expect(content.equals(await readFile(path()))).toBe(true);
});

test("a folder that cannot be written to is no fault of a mirror", async () => {
  await writeFile(join(folder, "x"), "");
  const options = { path: join(folder, "x", "file") };
  await expect(start([await mirror("a", whole(packed))], options)).rejects.toThrow("invalid file");
  expect(asked).toEqual(["a"]);
});
