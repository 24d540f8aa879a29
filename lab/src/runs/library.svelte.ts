/** The library: what the reader has found and read, as the components of the page follow it. */
import { createContext } from "svelte";
import type { MetricRow } from "lucid-sam/run";
import type { Row } from "lucid-sam/study";
import type { StoredPoint } from "../engine/protocol.ts";
import { announcer } from "../shared/announcer.svelte.ts";
import { lineOf } from "../shared/line.ts";
import { startReader, type Reader } from "./reader/client.ts";
import type { CellRow, Content, GivenFile, Item, News, Screening } from "./reader/protocol.ts";
import { counted } from "./words.ts";

/** Whether this page may come from `lucid lab`, which serves it at the root of this machine. */
const mayBeServed = () =>
  location.pathname === "/" && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(location.hostname);

/** Whether a file is the item at a path, or lies in it. */
const isIn = (item: string, file: string) =>
  item === "" || file === item || file.startsWith(`${item}/`);

export class Library {
  items = $state.raw<readonly Item[]>([]);
  /** Folders of the server; absent where there is none. */
  folders = $state.raw<readonly string[]>();
  truncated = $state(false);
  /** Whether the server is heard. */
  connected = $state(false);
  /** Whether files are being looked at. */
  busy = $state(false);

  /** What is open, or wanted. */
  path = $state<string>();
  content = $state.raw<Content>();
  /** Why it is not, or not all of it. */
  trouble = $state("");
  /** Rows of the open study. */
  rows = $state.raw<ReadonlyMap<string, CellRow>>(new Map());
  allRead = $state(false);
  histories = $state.raw<ReadonlyMap<string, readonly MetricRow[]>>(new Map());

  #reader: Reader | undefined;
  #screening: Screening = {};
  /** Counts openings: what an earlier one brings is not shown. */
  #turn = 0;
  /** Histories that were asked for. */
  #wanted = new Set<string>();
  #queue: Promise<void> = Promise.resolve();

  get #asked(): Reader {
    this.#reader ??= startReader((news) => this.#hear(news));
    return this.#reader;
  }

  /** Follow the server that this page comes from, if it comes from one. */
  async connect(): Promise<void> {
    if (!mayBeServed()) return;
    this.busy = true;
    try {
      this.connected = await this.#asked.follow(new URL("/", location.href).href);
    } catch (error) {
      this.trouble = lineOf(error);
    }
    this.busy = false;
  }

  async take(files: readonly GivenFile[]): Promise<void> {
    if (files.length === 0) return;
    this.busy = true;
    try {
      await this.#asked.take(files);
      const { path } = this;
      // The same again may be another version of it.
      if (path !== undefined && files.some((file) => isIn(path, file.path))) {
        await this.open(path, this.#screening);
      }
      const known = this.items.filter(({ kind }) => kind !== "unknown");
      announcer.say(`${counted(files.length, "file")} read: ${counted(known.length, "item")}.`);
    } finally {
      this.busy = false;
    }
  }

  async forget(): Promise<void> {
    await this.#asked.forget();
  }

  async open(path: string, screening: Screening): Promise<void> {
    if (this.path !== path) this.content = undefined;
    const mine = ++this.#turn;
    this.#screening = screening;
    this.path = path;
    this.trouble = "";
    this.rows = new Map();
    this.allRead = false;
    this.histories = new Map();
    this.#wanted = new Set();
    try {
      const content = await this.#asked.open(path, screening);
      if (mine === this.#turn) this.content = content;
    } catch (error) {
      if (mine !== this.#turn) return;
      this.content = undefined;
      this.trouble = lineOf(error);
      announcer.say(this.trouble);
    }
  }

  shut(): void {
    this.#turn++;
    this.path = undefined;
    this.content = undefined;
    this.trouble = "";
  }

  /** Have histories of cells read; they appear one after the other. */
  want(cells: readonly string[]): void {
    for (const cell of cells) {
      if (this.#wanted.has(cell)) continue;
      this.#wanted.add(cell);
      this.#load(cell);
    }
  }

  #load(cell: string): void {
    const { path } = this;
    this.#queue = this.#queue.then(async () => {
      if (this.path !== path || !this.#wanted.has(cell)) return;
      try {
        const rows = await this.#asked.history(cell);
        if (this.path === path) this.histories = new Map([...this.histories, [cell, rows]]);
      } catch (error) {
        if (this.path === path) this.trouble = lineOf(error);
      }
    });
  }

  row(cell: string): Promise<Row | undefined> {
    return this.#asked.row(cell);
  }

  material(path: string): Promise<StoredPoint> {
    return this.#asked.material(path);
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  #hear(news: News): void {
    if ("path" in news && news.path !== this.path) return;
    switch (news.kind) {
      case "items":
        this.items = news.items;
        this.folders = news.folders;
        this.truncated = news.truncated;
        break;
      case "rows":
        this.rows = new Map([
          ...(news.anew ? [] : this.rows),
          ...news.rows.map((row) => [row.cell, row] as const),
        ]);
        break;
      case "read":
        this.allRead = true;
        break;
      case "histories":
        for (const cell of news.cells) if (this.#wanted.has(cell)) this.#load(cell);
        break;
      case "content":
        this.content = news.content;
        break;
      case "trouble":
        this.trouble = news.line;
        break;
      case "connection":
        this.connected = news.open;
        break;
      default:
        news satisfies never;
    }
  }
}

const [libraryOf, setLibrary] = createContext<Library>();
export { libraryOf, setLibrary };
