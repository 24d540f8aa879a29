/** Downloads: a file from the first mirror that delivers it intact, resuming what was cut off. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import { basename } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { MachineError } from "../../engine/errors.ts";
import { fileError, replaceFile } from "./files.ts";

export interface DownloadOptions {
  /** What messages call it, such as `data mnist`. */
  readonly what: string;
  /** What people can do when no mirror delivers. */
  readonly remedy: string;
  /** Where the unpacked file goes. Its folder must exist. */
  readonly path: string;
  /** Addresses of the file, gzipped or not, in the order in which to try them. */
  readonly mirrors: readonly string[];
  /** SHA-256 of the unpacked file, in lower-case hexadecimal. */
  readonly sha256: string;
  /** Keep a gzipped file as it is; `sha256` is then that of what arrives. Default false. */
  readonly packed?: boolean | undefined;
  /** Told after every piece: bytes received so far, and in all, where the mirror says so. */
  readonly onProgress?: (received: number, total: number | undefined) => void;
  /** Stops the download; what has arrived is kept for the next time. */
  readonly signal?: AbortSignal | undefined;
  /** Give up on a mirror that sends nothing for so long, in milliseconds; default 30,000. */
  readonly patience?: number;
}

/** Why one mirror did not deliver. */
class MirrorFailure extends Error {
  /** `unreachable`: no answer; `refused`: a clear no; `broken`: it may work the next time. */
  readonly kind: "unreachable" | "refused" | "broken";
  constructor(kind: MirrorFailure["kind"], reason: string) {
    super(reason);
    this.kind = kind;
  }
}

/**
 * Download, unpack, verify, then move into place: `path` never holds anything but the right
 * content. What arrived before an interruption waits in `path.part`, whichever mirror sent it.
 *
 * @throws {MachineError} when no mirror delivers, with the reason of each, or the disk is full.
 * @throws what `signal` was aborted with.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { what, remedy, path, mirrors, signal } = options;
  const part = `${path}.part`;
  const failures = new Map<string, MirrorFailure>();
  let candidates = mirrors;
  // Twice, because a connection that broke once may hold the next time, or elsewhere.
  for (let round = 0; round < 2; round++) {
    for (const url of candidates) {
      try {
        await fetchInto(part, url, options);
        await unpack(part, options);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof MirrorFailure)) throw error;
        failures.set(url, error);
      }
    }
    candidates = mirrors.filter((url) => failures.get(url)?.kind === "broken");
  }
  const offline = [...failures.values()].every(({ kind }) => kind === "unreachable");
  const outcome = offline ? "no mirror could be reached" : `no mirror delivered ${basename(path)}`;
  const reasons = [...failures].map(([url, { message }]) => `${new URL(url).host}: ${message}`);
  throw new MachineError(`missing ${what}: ${outcome} (${reasons.join("; ")}); ${remedy}`);
}

/** Bring `part` to its full length with what it lacks. */
async function fetchInto(part: string, url: string, options: DownloadOptions): Promise<void> {
  const { signal, patience = 30_000 } = options;
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(), patience);
  const stop = AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]);
  const reason = (error: unknown) =>
    stalled.signal.aborted ? `silent for ${patience / 1000} s` : describe(error);
  try {
    const have = await stat(part).then(
      ({ size }) => size,
      () => 0,
    );
    // Ranges count the bytes of the file only when nothing compresses it on the way.
    const headers = { "accept-encoding": "identity", ...(have > 0 && { range: `bytes=${have}-` }) };
    const response = await fetch(url, { headers, signal: stop }).catch((error: unknown) => {
      throw new MirrorFailure("unreachable", reason(error));
    });
    const { status, body } = response;
    const resumed =
      status === 206 &&
      response.headers.get("content-range")?.startsWith(`bytes ${have}-`) === true;
    if (body === null || (status !== 200 && !resumed)) {
      await body?.cancel();
      // Nothing is left to fetch. Whether it is the right file, unpacking will show.
      if (status === 416 && have > 0) return;
      throw new MirrorFailure(status >= 500 ? "broken" : "refused", `HTTP status ${status}`);
    }
    let received = resumed ? have : 0;
    const length = response.headers.get("content-length");
    const total = length === null ? undefined : received + Number(length);
    const arriving = async function* () {
      try {
        for await (const piece of body) {
          timer.refresh();
          received += piece.length;
          yield piece;
          options.onProgress?.(received, total);
        }
      } catch (error) {
        throw new MirrorFailure("broken", `cut off after ${received} bytes, ${reason(error)}`);
      }
    };
    await save(arriving(), part, resumed ? "a" : "w");
  } finally {
    clearTimeout(timer);
  }
}

async function save(pieces: AsyncIterable<Uint8Array>, path: string, flags: "a" | "w") {
  try {
    const file = await open(path, flags);
    try {
      for await (const piece of pieces) await file.writeFile(piece);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

/** Turn a complete `part` into the file, or throw it away when it is not the right one. */
async function unpack(
  part: string,
  { path, sha256, packed = false }: DownloadOptions,
): Promise<void> {
  const hash = createHash("sha256");
  try {
    await replaceFile(path, async (temporary) => {
      await pipeline(
        createReadStream(part),
        !packed && (await isGzip(part)) ? createGunzip() : new PassThrough(),
        async function* (pieces: AsyncIterable<Buffer>) {
          for await (const piece of pieces) {
            hash.update(piece);
            yield piece;
          }
        },
        createWriteStream(temporary, { flags: "wx", flush: true }),
      ).catch((error: unknown) => {
        throw isZlibError(error)
          ? new MirrorFailure("broken", `not a complete gzip file, ${describe(error)}`)
          : error;
      });
      const actual = hash.digest("hex");
      if (actual !== sha256) {
        throw new MirrorFailure(
          "broken",
          `SHA-256 ${actual} (expected ${sha256}), so what arrived was deleted`,
        );
      }
    });
  } catch (error) {
    if (error instanceof MirrorFailure) await rm(part, { force: true });
    throw error;
  }
  await rm(part, { force: true });
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE() === 0x1f8b;
  } finally {
    await file.close();
  }
}

const isZlibError = (error: unknown): boolean =>
  error instanceof Error && "code" in error && String(error.code).startsWith("Z_");

/** `fetch` hides the reason in the cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return "code" in cause ? String(cause.code) : cause.message;
}
