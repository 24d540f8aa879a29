/** Files that were dropped or chosen, or lie behind the server of `lucid lab FOLDER`. */
import { InputError } from "lucid-sam/engine";
import type { Files } from "lucid-sam/read";
import type { GivenFile } from "./protocol.ts";

/** What the server says of its folders. */
export interface Listing {
  readonly folders: readonly string[];
  readonly truncated: boolean;
  readonly files: readonly { readonly path: string; readonly size: number }[];
  readonly event: string;
}

/** A change that the server tells. */
export type Change =
  | { readonly kind: "grown"; readonly path: string; readonly from: number; readonly to: number }
  | { readonly kind: "gone"; readonly path: string }
  | { readonly kind: "anew" };

/** Bytes of a piece of a file. */
const pieceSize = 1 << 22;

async function bytesOf(file: Blob, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await file.arrayBuffer().catch((error: unknown) => {
    throw new InputError(`invalid file ${path}: it cannot be read (${String(error)})`);
  });
  return new Uint8Array(bytes);
}

/** All files that the page knows, those of the server and those dropped; the latter count more. */
export class Shelf {
  readonly dropped = new Map<string, Blob>();
  /** Bytes by path. */
  readonly served = new Map<string, number>();
  #base: string | undefined;
  /** What may be certificates is looked at with every new file: bytes by path. */
  readonly #small = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

  get paths(): string[] {
    return [...new Set([...this.served.keys(), ...this.dropped.keys()])];
  }

  has(path: string): boolean {
    return this.dropped.has(path) || this.served.has(path);
  }

  /** As the package's readers take them. */
  get files(): Files {
    return { paths: this.paths, read: (path) => this.read(path) };
  }

  take(files: readonly GivenFile[]): void {
    for (const { path, file } of files) {
      this.dropped.set(path, file);
      this.#small.delete(path);
    }
  }

  forget(): void {
    for (const path of this.dropped.keys()) this.#small.delete(path);
    this.dropped.clear();
  }

  read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    if (!path.endsWith(".json")) return this.#read(path);
    const known = this.#small.get(path) ?? this.#read(path);
    this.#small.set(path, known);
    return known;
  }

  async #read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const file = this.dropped.get(path);
    return file ? bytesOf(file, path) : this.piece(path);
  }

  /** A file in pieces, and whether each is the last: one that was dropped may be longer than memory. */
  async *pieces(path: string): AsyncGenerator<readonly [bytes: Uint8Array, isLast: boolean]> {
    const file = this.dropped.get(path);
    if (file === undefined) {
      yield [await this.read(path), true];
      return;
    }
    for (let at = 0; at === 0 || at < file.size; at += pieceSize) {
      const end = Math.min(file.size, at + pieceSize);
      yield [await bytesOf(file.slice(at, end), path), end === file.size];
    }
  }

  /** Bytes of a file of the server. */
  async piece(path: string, from?: number, to?: number): Promise<Uint8Array<ArrayBuffer>> {
    const name = path.split("/").map(encodeURIComponent).join("/");
    const range = from === undefined ? "" : `?from=${from}&to=${to}`;
    const answer = await fetch(new URL(`files/${name}${range}`, this.#base)).catch(() => undefined);
    if (answer?.ok) return new Uint8Array(await answer.arrayBuffer());
    const reason =
      answer === undefined ? "the server is not there" : `the server answered ${answer.status}`;
    throw new InputError(`missing file ${path}: ${reason} (is lucid lab still running?)`);
  }

  /** What the server has; `undefined` where no server of ours answers. */
  async list(base: string): Promise<Listing | undefined> {
    const answer = await fetch(new URL("files/list", base)).catch(() => undefined);
    const isJson = answer?.headers.get("content-type")?.includes("json") ?? false;
    if (!answer?.ok || !isJson) return undefined;
    const listing = (await answer.json()) as Listing;
    this.#base = base;
    this.served.clear();
    this.#small.clear();
    for (const { path, size } of listing.files) this.served.set(path, size);
    return listing;
  }

  /** Hear of changes from an event on. The browser comes back by itself after a break. */
  follow(base: string, event: string, tell: (change: Change) => void): EventSource {
    const source = new EventSource(new URL(`events?since=${encodeURIComponent(event)}`, base));
    const on = (kind: Change["kind"]) =>
      source.addEventListener(kind, ({ data }: MessageEvent<string>) => {
        const change = { ...(JSON.parse(data) as object), kind } as Change;
        if (change.kind === "grown") this.served.set(change.path, change.to);
        if (change.kind === "gone") this.served.delete(change.path);
        if (change.kind !== "anew") this.#small.delete(change.path);
        tell(change);
      });
    on("grown");
    on("gone");
    on("anew");
    return source;
  }
}
