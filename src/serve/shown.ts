/** Folders that the lab shows: which of their files it may read, and how these grow. */
import { randomBytes } from "node:crypto";
import { constants, lstatSync, type Stats } from "node:fs";
import { lstat, open, readdir, readFile, realpath, stat, type FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { InputError } from "../engine/errors.ts";
import { fileError } from "../platform/node/files.ts";
import { parseCertificate } from "../read/certificate.ts";
import { sortOut } from "../read/sort-out.ts";

/** A file that belongs to something the lab shows. */
export interface ShownFile {
  /** The name of its folder, then its path in it, with `/` between names. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** When it was last written, in milliseconds since 1970. */
  readonly modified: number;
}

/** All files that the lab shows at one moment. */
export interface Listing {
  /** Names of the folders. */
  readonly folders: readonly string[];
  /** Whether folders hold more than is looked at: then some files are missing here. */
  readonly truncated: boolean;
  readonly files: readonly ShownFile[];
  /** The last change that is in this list; {@link Shown.follow} goes on from there. */
  readonly event: string;
}

/**
 * A change. `grown`: the bytes from `from` to `to` are new; from 0 on where the file is new, or another
 * one. `gone`: the file is not there any more. `anew`: too much happened, so list again.
 */
export type Change =
  | { readonly kind: "grown"; readonly path: string; readonly from: number; readonly to: number }
  | { readonly kind: "gone"; readonly path: string }
  | { readonly kind: "anew" };

/** A change and the name by which {@link Shown.follow} finds it again. */
export type NamedChange = Change & { readonly id: string };

/** What the lab shows of some folders. */
export interface Shown {
  /** What is there now. */
  list(): Promise<Listing>;
  /**
   * Open a file for reading.
   *
   * @returns `undefined` for whatever is not on the list. The caller closes it.
   */
  open(path: string): Promise<FileHandle | undefined>;
  /**
   * Be told of changes while they happen.
   *
   * @param since the last change that is known; without, from now on.
   * @returns ends it.
   */
  follow(since: string | undefined, onChange: (change: NamedChange) => void): () => void;
  /** Stop looking. */
  close(): void;
}

export interface ShownOptions {
  /** Milliseconds between looks while somebody follows; default 1000. */
  readonly interval?: number | undefined;
  /** Most files and folders that are looked at; default 200,000. */
  readonly most?: number | undefined;
}

/** Levels of folders that are looked into. */
const deepest = 12;
/** Changes kept for those who come back. */
const keptChanges = 4096;
/** More changes than this at once are `anew`. */
const mostAtOnce = 512;
/** Milliseconds after which a file that nobody wrote to is looked at less often, */
const coldAfter = 600_000;
/** at every so many looks. */
const coldTurns = 30;
/** Milliseconds for which a folder may be written to without a new time of its own. */
const coarsest = 3000;
/** Bytes of the longest JSON that may be a certificate. */
const longestCertificate = 1 << 25;

interface Root {
  readonly name: string;
  /** Without symbolic links. */
  readonly path: string;
}

interface Content {
  readonly modified: number;
  readonly read: number;
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

interface Known {
  readonly at: string;
  readonly size: number;
  readonly modified: number;
  readonly inode: number;
}

/**
 * Show folders. Symbolic links in them are not followed, and names that begin with a dot and
 * node_modules are left aside.
 *
 * @throws {InputError} when one of them is none.
 */
export async function showFolders(
  folders: readonly string[],
  { interval = 1000, most = 200_000 }: ShownOptions = {},
): Promise<Shown> {
  const roots = await rootsOf(folders);
  const session = randomBytes(4).toString("hex");
  let contents = new Map<string, Content>();
  let claimed = new Map<string, string>();
  let files = new Map<string, Known>();
  let truncated = false;
  let turn = 0;
  let last = 0;
  let kept: NamedChange[] = [];
  const followers = new Set<(change: NamedChange) => void>();
  const certificates = new Map<string, boolean>();

  const tell = (changes: readonly Change[]) => {
    const all: readonly Change[] = changes.length > mostAtOnce ? [{ kind: "anew" }] : changes;
    for (const change of all) {
      const named = { ...change, id: `${session}-${++last}` };
      kept.push(named);
      for (const follower of followers) follower(named);
    }
    kept = kept.slice(-keptChanges);
  };

  /** All files below the roots; whether names have come or gone since the last time. */
  const walk = async () => {
    const next = new Map<string, Content>();
    let count = 0;
    let changed = false;
    truncated = false;
    const visit = async (path: string, depth: number): Promise<void> => {
      const before = contents.get(path);
      const content = await contentOf(path, before);
      changed ||= content !== before;
      if (content === undefined) return;
      count += content.files.length + content.folders.length;
      if (count > most || depth > deepest) {
        truncated = true;
        return;
      }
      next.set(path, content);
      for (const name of content.folders) await visit(join(path, name), depth + 1);
    };
    for (const { path } of roots) await visit(path, 0);
    changed ||= next.size !== contents.size;
    contents = next;
    return changed;
  };

  /** Which of the files belong to something. */
  const claim = async () => {
    const paths = new Map<string, string>();
    for (const { name, path: root } of roots) {
      const gather = (folder: string, shown: string) => {
        const content = contents.get(folder);
        for (const file of content?.files ?? []) paths.set(`${shown}/${file}`, join(folder, file));
        for (const inner of content?.folders ?? [])
          gather(join(folder, inner), `${shown}/${inner}`);
      };
      gather(root, name);
    }
    const next = new Map<string, string>();
    for (const { kind, files: own } of sortOut(paths.keys()).things) {
      for (const path of own) {
        const at = paths.get(path);
        if (at === undefined) continue;
        if (kind === "certificate" && !(await isCertificate(at, certificates))) continue;
        next.set(path, at);
      }
    }
    claimed = next;
  };

  const look = async (all: boolean) => {
    if (await walk()) await claim();
    turn++;
    const next = new Map<string, Known>();
    const changes: Change[] = [];
    const now = Date.now();
    let place = 0;
    const visit = (path: string, at: string) => {
      const before = files.get(path);
      const isCold = before !== undefined && now - before.modified > coldAfter;
      if (isCold && !all && place++ % coldTurns !== turn % coldTurns) {
        next.set(path, before);
        return;
      }
      const found = statsOf(at);
      if (!found?.isFile()) return;
      const { size, mtimeMs: modified, ino: inode } = found;
      next.set(path, { at, size, modified, inode });
      const from = before === undefined ? 0 : newFrom(path, before, { size, modified, inode });
      if (from !== undefined) changes.push({ kind: "grown", path, from, to: size });
    };
    let count = 0;
    for (const [path, at] of claimed) {
      visit(path, at);
      // Requests come in between.
      if (++count % 512 === 0) await nextTurn();
    }
    for (const path of files.keys()) if (!next.has(path)) changes.push({ kind: "gone", path });
    files = next;
    tell(changes);
  };

  let queue: Promise<void> = Promise.resolve();
  /** One look after the other. */
  const lookNow = (all: boolean): Promise<void> => {
    queue = queue.catch(() => undefined).then(() => look(all));
    return queue;
  };

  let following: AbortController | undefined;
  const keepLooking = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      // A folder that cannot be read now may be readable the next time.
      await lookNow(false).catch(() => undefined);
      await sleep(interval, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };

  await lookNow(true);
  // What was there from the beginning is no news.
  kept = [];

  return {
    async list() {
      await lookNow(true);
      return {
        folders: roots.map(({ name }) => name),
        truncated,
        files: Array.from(files, ([path, { size, modified }]) => ({ path, size, modified })),
        event: `${session}-${last}`,
      };
    },
    async open(path) {
      const at = files.get(path)?.at;
      if (at === undefined) return undefined;
      try {
        // A link may have come in the way since the last look.
        if ((await realpath(at)) !== at) return undefined;
        // Windows has neither of the two; what is undefined counts as 0.
        const file = await open(
          at,
          constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
        );
        if ((await file.stat()).isFile()) return file;
        await file.close();
        return undefined;
      } catch {
        return undefined;
      }
    },
    follow(since, onChange) {
      const [of, number] = since?.split("-") ?? [];
      const first = Number(kept[0]?.id.split("-")[1] ?? last + 1);
      if (since !== undefined) {
        const missed = of !== session || !(Number(number) >= first - 1 && Number(number) <= last);
        if (missed) onChange({ kind: "anew", id: `${session}-${last}` });
        else for (const change of kept.slice(Number(number) - first + 1)) onChange(change);
      }
      followers.add(onChange);
      if (following === undefined) {
        following = new AbortController();
        void keepLooking(following.signal);
      }
      return () => {
        followers.delete(onChange);
        if (followers.size > 0) return;
        following?.abort();
        following = undefined;
      };
    },
    close() {
      following?.abort();
      followers.clear();
    },
  };
}

/** Folders by names of their own: the last part of their path, with a number where that is taken. */
async function rootsOf(folders: readonly string[]): Promise<Root[]> {
  const roots: Root[] = [];
  for (const folder of folders) {
    const path = await realpath(folder).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") {
        throw new InputError(`missing folder ${folder}: it does not exist`);
      }
      throw fileError(error, "read", folder);
    });
    if (!(await stat(path)).isDirectory()) {
      throw new InputError(
        `invalid folder ${folder}: it is a file (give the folder that it lies in)`,
      );
    }
    await readdir(path).catch((error: unknown) => {
      throw fileError(error, "read", folder);
    });
    if (roots.some((root) => root.path === path)) continue;
    const base = basename(path) || "root";
    let name = base;
    for (let i = 2; roots.some((root) => root.name === name); i++) name = `${base}-${i}`;
    roots.push({ name, path });
  }
  return roots;
}

/** What is in a folder: as before, where its time says that no name came or went. */
async function contentOf(path: string, before: Content | undefined): Promise<Content | undefined> {
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isDirectory()) return undefined;
  const { mtimeMs: modified } = found;
  if (before?.modified === modified && before.read - modified > coarsest) return before;
  const read = Date.now();
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const shown = entries.filter(({ name }) => !name.startsWith(".") && name !== "node_modules");
  const names = (isWanted: (entry: (typeof entries)[number]) => boolean) =>
    shown.filter(isWanted).map(({ name }) => name);
  return {
    modified,
    read,
    // Of links neither is true.
    files: names((entry) => entry.isFile()).sort(),
    folders: names((entry) => entry.isDirectory()).sort(),
  };
}

/** What the file system says of a file. Waiting for each of thousands would take ten times as long. */
function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Whether a JSON file is a certificate; any other is nobody's business. */
async function isCertificate(path: string, known: Map<string, boolean>): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || found.size > longestCertificate) return false;
  const key = `${path}\0${found.mtimeMs}\0${found.size}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  let is = true;
  try {
    parseCertificate(await readFile(path, "utf8"), path);
  } catch {
    is = false;
  }
  known.set(key, is);
  return is;
}

/** The first byte that is new; `undefined` when none is. */
function newFrom(
  path: string,
  before: Omit<Known, "at">,
  now: Omit<Known, "at">,
): number | undefined {
  if (before.inode === now.inode && before.size === now.size && before.modified === now.modified) {
    return undefined;
  }
  // Lines and records are added at the end; anything else is written anew.
  const isAdded = path.endsWith(".jsonl") || path.includes("tfevents");
  return isAdded && before.inode === now.inode && now.size > before.size ? before.size : 0;
}
