/** The reader of the runs view, in a worker: what files are, what is in them, and how they grow. */
import { InputError } from "lucid-sam/engine";
import {
  createLogScreen,
  growingLog,
  growingRows,
  parseHistory,
  readTensors,
  recognize,
  type Found,
  type LogEntry,
  type StoredStudy,
} from "lucid-sam/read";
import type { Row } from "lucid-sam/study";
import type { StoredPoint } from "../../engine/protocol.ts";
import { lineOf } from "../../shared/line.ts";
import { Shelf, type Change } from "./files.ts";
import { cellRow, problemNote, tensorNotes, thinner } from "./notes.ts";
import type {
  Content,
  GivenFile,
  Item,
  News,
  Requests,
  ScreenedLog,
  Screening,
} from "./protocol.ts";
import { answerRequests, type Request } from "../../shared/requests.ts";

const shelf = new Shelf();
let found: readonly Found[] = [];
let server: { readonly base: string; folders: readonly string[]; truncated: boolean } | undefined;
let events: EventSource | undefined;

/** What is open, and what to do when its files change. */
interface Open {
  readonly path: string;
  readonly found: Found;
  readonly content: Content;
  /** Told of what was added to one of its files, or that it is another file now. */
  readonly follow?: ((change: Grown) => Promise<void>) | undefined;
  readonly study?: OpenStudy | undefined;
}

type Grown = Extract<Change, { kind: "grown" }>;

interface OpenStudy {
  readonly stored: StoredStudy;
  readonly rows: Map<string, Row>;
}

let open: Open | undefined;
/** Counts openings: what belongs to an earlier one is told to nobody. */
let turn = 0;

const news = (what: News) => postMessage({ news: what });

/** Rows told at once. */
const together = 1000;
/** Milliseconds for which changes are gathered. */
const patience = 300;

/** Work that is done soon after it is asked for, once however often it was, one after the other. */
function soon(work: () => Promise<void>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let before = Promise.resolve();
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      before = before.then(work).catch((error: unknown) => {
        if (open) news({ kind: "trouble", path: open.path, line: lineOf(error) });
      });
    }, patience);
  };
}

/** Say anew what all files are. */
async function sort(): Promise<void> {
  found = await recognize(shelf.files);
  const items = found.map((thing): Item => {
    const { path, kind, files } = thing;
    return {
      path,
      kind,
      origin: files.some((file) => shelf.dropped.has(file)) ? "dropped" : "folder",
      files: files.length,
      reason: thing.kind === "unknown" ? thing.reason : undefined,
    };
  });
  news({
    kind: "items",
    items,
    folders: server?.folders,
    truncated: server?.truncated ?? false,
  });
}

const sortSoon = soon(sort);

async function take(files: readonly GivenFile[]): Promise<void> {
  shelf.take(files);
  await sort();
}

async function forget(): Promise<void> {
  shelf.forget();
  await sort();
}

async function follow(base: string): Promise<boolean> {
  const listing = await shelf.list(base);
  if (listing === undefined) return false;
  server = { base, folders: listing.folders, truncated: listing.truncated };
  events?.close();
  events = shelf.follow(base, listing.event, changed);
  events.addEventListener("open", () => news({ kind: "connection", open: true }));
  events.addEventListener("error", () => news({ kind: "connection", open: false }));
  await sort();
  return true;
}

/** Studies may have thousands of files: what is added in one is no news of what there is. */
const isInStudy = (path: string) =>
  found.some(
    (thing) => thing.kind === "study" && path.startsWith(thing.path === "" ? "" : `${thing.path}/`),
  );

const relist = soon(async () => {
  if (server) await follow(server.base);
  if (open) await reopen();
});

function changed(change: Change): void {
  if (change.kind === "anew") {
    relist();
    return;
  }
  const isNew = !found.some(({ files }) => files.includes(change.path));
  if (change.kind === "gone" || (isNew && !isInStudy(change.path))) sortSoon();
  if (change.kind === "grown" && open?.follow && isOf(open.found, change.path)) {
    const { path } = open;
    open
      .follow(change)
      .catch((error: unknown) => news({ kind: "trouble", path, line: lineOf(error) }));
  }
}

/** Whether a file belongs to what is open, or will once it is looked at. */
const isOf = ({ path, files }: Found, file: string) =>
  files.includes(file) || path === "" || file.startsWith(`${path}/`);

/** Read what is open once more, whole. */
const reopenSoon = soon(reopen);

async function reopen(): Promise<void> {
  if (open === undefined) return;
  const { path } = open;
  await sort();
  const content = await openItem(path, screening);
  if (open?.path === path) news({ kind: "content", path, content });
}

let screening: Screening = {};

async function openItem(path: string, wanted: Screening): Promise<Content> {
  screening = wanted;
  const mine = ++turn;
  const thing = found.find((one) => one.path === path);
  if (thing === undefined) {
    throw new InputError(`missing ${path}: it is not among the files (drop it again)`);
  }
  if (thing.kind === "unknown") throw new InputError(thing.reason);
  const next = await read(thing, mine);
  if (mine === turn) open = next;
  return next.content;
}

async function read(thing: Found, mine: number): Promise<Open> {
  const { path } = thing;
  const base = { path, found: thing };
  const again = async () => reopenSoon();
  switch (thing.kind) {
    case "run": {
      const run = await thing.read();
      const hasFinal = thing.files.some((file) => file.endsWith("final.safetensors"));
      return { ...base, content: { kind: "run", run, hasFinal }, follow: again };
    }
    case "study":
      return openStudy(thing, await thing.read(), mine);
    case "log":
      return openLog(thing, mine);
    case "point":
      return {
        ...base,
        content: { kind: "point", tensors: tensorNotes(await thing.read()) },
        follow: again,
      };
    case "problem":
      return {
        ...base,
        content: { kind: "problem", problem: problemNote(await thing.read("float64")) },
      };
    case "certificate":
      return {
        ...base,
        content: { kind: "certificate", certificate: await thing.read() },
        follow: again,
      };
    case "landscape":
      return {
        ...base,
        content: { kind: "landscape", landscape: await thing.read() },
        follow: again,
      };
    default:
      throw new InputError(`unknown file ${path}`);
  }
}

/** The path of a file in the folder of a thing. */
const inside = ({ path }: Found, name: string) => (path === "" ? name : `${path}/${name}`);

function openStudy(thing: Found, stored: StoredStudy, mine: number): Open {
  const { path } = thing;
  const rows = new Map<string, Row>();
  const say = (some: readonly Row[], anew: boolean) => {
    for (const row of some) rows.set(row.cell, row);
    if (mine === turn) news({ kind: "rows", path, rows: some.map(cellRow), anew });
  };
  const file = inside(thing, "rows.jsonl");
  let grow = growingRows(file);
  let position = 0;
  /** All complete rows from the beginning on. */
  const readAll = async (isPack: boolean) => {
    rows.clear();
    let some: Row[] = [];
    let isFirst = true;
    const flush = () => {
      say(some, isFirst);
      isFirst = false;
      some = [];
    };
    try {
      if (isPack) {
        for await (const row of stored.rows()) {
          some.push(row);
          if (some.length === together) flush();
        }
      } else if (shelf.has(file)) {
        const bytes = await shelf.read(file);
        grow = growingRows(file);
        position = bytes.length;
        // Piece by piece, so that what stands before a damaged line is shown.
        for (let at = 0; at < bytes.length; at += 1 << 18) {
          some = grow(bytes.subarray(at, at + (1 << 18)));
          flush();
        }
      }
    } finally {
      flush();
      if (mine === turn) news({ kind: "read", path });
    }
  };
  const isPack = thing.files.length === 1;
  // The page hears what the study is before it hears of its rows.
  let queue = new Promise<void>((done) => setTimeout(done));
  const then = (work: () => Promise<void>) => {
    queue = queue
      .then(() => (mine === turn ? work() : undefined))
      .catch((error: unknown) => {
        if (mine === turn) news({ kind: "trouble", path, line: lineOf(error) });
      });
  };
  then(() => readAll(isPack));
  return {
    path,
    found: thing,
    content: {
      kind: "study",
      config: { study: stored.study, engine: stored.engine },
      cells: stored.cells.map(({ id, at }) => ({ id, at })),
    },
    study: { stored, rows },
    async follow(change) {
      const cell = /\/metrics\/([0-9a-f]{16})\.jsonl$/.exec(change.path)?.[1];
      if (cell !== undefined) news({ kind: "histories", path, cells: [cell] });
      else if (change.path.endsWith("/cells.jsonl")) reopenSoon();
      else if (change.path === file) {
        then(async () => {
          // The first reading may have seen some of it.
          if (change.to <= position && change.from > 0) return;
          if (change.from === 0 || change.from > position) return readAll(false);
          const bytes = await shelf.piece(file, position, change.to);
          position = change.to;
          say(grow(bytes), false);
        });
      }
    },
  };
}

async function openLog(thing: Found, mine: number): Promise<Open> {
  const { path } = thing;
  const isServed = !shelf.dropped.has(path);
  const { map, evidence } = screening;
  const screen = createLogScreen({ map, evidence });
  const kept = thinner(2000);
  const stepName = map?.["step"];
  let grow = growingLog(path);
  let position = 0;
  const push = (entries: readonly LogEntry[]) => {
    screen.push(entries);
    for (const entry of entries) {
      if (!("row" in entry)) continue;
      const { values } = entry.row;
      const step = stepName === undefined ? entry.row.step : values[stepName];
      kept.push({ step: step ?? kept.count, values });
    }
  };
  const content = (): Content => ({
    kind: "log",
    log: {
      verdict: screen.verdict,
      warning: screen.warning,
      header: screen.header,
      count: kept.count,
      judged: screen.count,
      rows: kept.rows,
      missing: screen.missing,
      names: screen.names,
      earlierRuns: screen.earlierRuns,
      remarks: screen.remarks,
    } satisfies ScreenedLog,
  });
  for await (const [bytes, isLast] of shelf.pieces(path)) {
    // Another item was opened: nobody waits for the rest.
    if (mine !== turn) break;
    // One that the server has may grow.
    push(grow(bytes, isLast && !isServed));
    position += bytes.length;
  }
  if (!isServed) screen.end();
  return {
    path,
    found: thing,
    content: content(),
    async follow(change) {
      if (change.to <= position && change.from > 0) return;
      if (change.from === 0 || change.from > position) {
        reopenSoon();
        return;
      }
      const piece = await shelf.piece(path, position, change.to);
      position = change.to;
      push(grow(piece));
      if (mine === turn) news({ kind: "content", path, content: content() });
    },
  };
}

function opened(): OpenStudy {
  if (open?.study) return open.study;
  throw new InputError("missing study: none is open (open one first)");
}

async function history(cell: string) {
  const { stored } = opened();
  const thing = open?.found;
  if (thing === undefined || thing.files.length === 1) return stored.history(cell);
  // The file may be newer than what was known when the study was opened.
  const file = inside(thing, `metrics/${cell}.jsonl`);
  if (!shelf.has(file)) return [];
  return parseHistory(new TextDecoder().decode(await shelf.read(file)), file);
}

async function material(path: string): Promise<StoredPoint> {
  const thing = found.find((one) => one.path === path);
  if (thing?.kind === "point") return { tensors: await thing.read(), name: path };
  if (thing?.kind === "problem") {
    const files = thing.files.map(async (file) => ({
      path: file.slice(thing.path === "" ? 0 : thing.path.length + 1),
      bytes: await shelf.read(file),
    }));
    return { files: await Promise.all(files) };
  }
  if (thing?.kind === "run") {
    const file = inside(thing, "final.safetensors");
    return { tensors: readTensors(await shelf.read(file), file), name: file };
  }
  throw new InputError(`missing point: ${path} has none (give a run, a point or a problem)`);
}

function answer(request: Request<Requests>): unknown {
  switch (request.name) {
    case "take":
      return take(...request.given);
    case "forget":
      return forget();
    case "follow":
      return follow(...request.given);
    case "open":
      return openItem(...request.given);
    case "history":
      return history(...request.given);
    case "row":
      return opened().rows.get(request.given[0]);
    case "material":
      return material(...request.given);
    default:
      return request satisfies never;
  }
}

answerRequests(answer);
