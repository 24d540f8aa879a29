/** What a sweep does with what its threads answer: cells kept, given back, or failed. */
import { beforeEach, expect, test, vi } from "vitest";
import { MachineError } from "../engine/errors.ts";
import type { Machine } from "../platform/machine.ts";
import type { Thread } from "../platform/node/workers.ts";
import { programKey } from "../run/build.ts";
import type { Row } from "../study/cell.ts";
import type { ClaimedCell } from "../study/claims.ts";
import { expandStudy, parseStudy, type Cell } from "../study/study.ts";
import type { CellEnd, CellEvent, CellProtocol, CellResult, RunTask } from "./cell-thread.ts";
import { openSweeper, type SweepEvent } from "./sweep.ts";

type Task = CellProtocol["task"];

/** What is told of the only cell of a task. */
type Step = Omit<Extract<CellEvent, { kind: "step" }>, "index" | "kind">;

/** A thread that answers as a test says, and notes what it is asked. */
class FakeThread implements Thread<CellProtocol> {
  readonly tasks: Task[] = [];
  stops = 0;
  closed = false;
  ended = false;

  async run(task: Task, onEvent: (event: CellEvent) => void = () => {}): Promise<CellResult> {
    this.tasks.push(task);
    const step = (event: Step) => onEvent({ index: 0, kind: "step", ...event });
    const result = await answer(task, step, this, onEvent);
    if (result.kind === "ended" || result.kind === "timed" || result.kind === "planned") {
      return result;
    }
    onEvent({ index: 0, kind: "end", end: result });
    return { kind: "ended" };
  }
  stop() {
    this.stops++;
    stopped.resolve();
  }
  async close() {
    this.closed = true;
  }
}

let threads: FakeThread[] = [];
let setups: unknown[] = [];
let stopped = Promise.withResolvers<void>();
/** The end of the only cell of a task, or the result of any. */
let answer: (
  task: Task,
  step: (event: Step) => void,
  thread: FakeThread,
  emit: (event: CellEvent) => void,
) => Promise<CellEnd | CellResult>;

vi.mock(import("../platform/node/workers.ts"), async (original) => ({
  ...(await original()),
  openThread(_: URL, setup: unknown) {
    const thread = new FakeThread();
    threads.push(thread);
    setups.push(setup);
    return thread as never;
  },
}));

const machine: Machine = { version: "9", commit: null, dirty: null, runtime: "r", platform: "p" };

let cells: Cell[] = [];
/** What was asked of the claims, in order. */
let log: string[] = [];
let finished: { row: Row; parameters: Uint8Array | undefined }[] = [];
let events: SweepEvent[] = [];

beforeEach(async () => {
  const fixed = { problem: "himmelblau", steps: 1000 };
  cells = await expandStudy(parseStudy({ name: "s", fixed, axes: { rho: [1, 2, 3] } }));
  [threads, setups, log, finished, events] = [[], [], [], [], []];
  stopped = Promise.withResolvers();
  answer = async () => done(cells[0] as Cell);
});

const row = (cell: Cell): Row => ({ cell: cell.id, status: "ok" }) as Row;
const done = (cell: Cell, model?: Uint8Array): CellEnd => ({
  kind: "finished",
  row: row(cell),
  history: "last\n",
  ...(model && { parameters: model }),
});
const parameters = Uint8Array.of(7);
const checkpoint = Uint8Array.of(1, 2);

function claim(cell: Cell, more: Partial<ClaimedCell> = {}): ClaimedCell {
  return {
    cell,
    async append(lines) {
      log.push(`append ${lines.trim()}`);
    },
    async save(bytes) {
      log.push(`save ${bytes.join()}`);
    },
    async finish(kept, model) {
      finished.push({ row: kept, parameters: model });
      log.push("finish");
      return true;
    },
    async release() {
      log.push("release");
    },
    ...more,
  };
}

interface Asked {
  readonly claims?: ClaimedCell[];
  readonly workers?: number;
  readonly recordEvery?: number | null;
  readonly keep?: boolean;
  readonly certify?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvent?: undefined;
}

/** Sweep claims; programs that `take` was asked for. */
async function sweep({ claims, workers = 1, recordEvery = null, keep = false, ...rest }: Asked) {
  const queue = claims ?? [claim(cells[0] as Cell)];
  const asked: (string | undefined)[] = [];
  const sweeper = openSweeper({ workers, engine: "native", machine });
  await sweeper.run({
    source: {
      async take(program) {
        asked.push(program);
        return queue.shift();
      },
    },
    recordEvery,
    keep,
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
    ...rest,
  });
  return { asked, left: queue.length };
}

const task = () => threads[0]?.tasks[0] as RunTask;

test("a cell is kept as it runs, and its row at the end", async () => {
  const [cell] = cells as [Cell];
  answer = async (_, emit) => {
    emit({ step: 4, history: "a\n" });
    emit({ step: 8, history: "" });
    emit({ step: 12, history: "b\n", checkpoint });
    return done(cell, parameters);
  };
  await sweep({});
  expect(log).toEqual(["append a", "append b", "save 1,2", "append last", "finish"]);
  expect(finished).toEqual([{ row: row(cell), parameters }]);
  expect(events).toEqual([
    ...[4, 8, 12].map((step) => ({ kind: "step", cell, step, members: 1 })),
    { kind: "row", cell, row: row(cell) },
  ]);
  expect(setups).toEqual([{ engine: "native", machine }]);
});

test("a row that came too late is no row", async () => {
  const [cell] = cells as [Cell];
  await sweep({ claims: [claim(cell, { finish: async () => false })] });
  expect(events).toEqual([{ kind: "released", cell }]);
});

test.each([
  [{}, { recordEvery: 4, keep: false, certify: false }],
  [{ recordEvery: 1 }, { recordEvery: 1 }],
  [
    { recordEvery: 64, keep: true, certify: true },
    { recordEvery: 64, keep: true, certify: true },
  ],
])("a sweep asked %j asks its thread %j", async (asked, wanted) => {
  const [cell] = cells as [Cell];
  await sweep(asked);
  expect(task()).toEqual({ ...task(), kind: "run", cells: [{ cell, from: undefined }], ...wanted });
});

test("a cell goes on where it stood", async () => {
  await sweep({ claims: [claim(cells[0] as Cell, { from: checkpoint })] });
  expect(task().cells).toEqual([{ cell: cells[0], from: checkpoint }]);
});

test("cells are asked for by the program of the last one", async () => {
  const { asked } = await sweep({ claims: cells.map((cell) => claim(cell)) });
  const keys = cells.map(({ spec }) => programKey(spec));
  expect(asked).toEqual([undefined, ...keys]);
  // The thread serves them all.
  expect(threads).toHaveLength(1);
  expect(threads[0]?.tasks).toHaveLength(3);
});

test("nobody needs to listen", async () => {
  answer = async (_, emit, thread) => {
    emit({ step: 4, history: "a\n" });
    if (thread.tasks.length === 1) return done(cells[0] as Cell);
    return { kind: "stopped", checkpoint };
  };
  await sweep({ claims: cells.slice(0, 2).map((cell) => claim(cell)), onEvent: undefined });
  const [kept, given] = ["append a, append last, finish", "append a, save 1,2, release"];
  expect(log.join(", ")).toBe(`${kept}, ${given}`);
});

test("a stopped cell is saved where it stands and given back", async () => {
  const stop = new AbortController();
  const [cell] = cells as [Cell];
  answer = async (_, emit, thread) => {
    emit({ step: 4, history: "a\n" });
    stop.abort();
    expect(thread.stops).toBe(1);
    return { kind: "stopped", checkpoint };
  };
  const { left } = await sweep({ claims: cells.map((each) => claim(each)), signal: stop.signal });
  expect(log).toEqual(["append a", "save 1,2", "release"]);
  expect(events.at(-1)).toEqual({ kind: "released", cell });
  // The others are left where they are.
  expect(left).toBe(2);
});

test("a cell that was lost is stopped, and not saved", async () => {
  const lost = new AbortController();
  answer = async (_, __, thread) => {
    lost.abort();
    expect(thread.stops).toBe(1);
    return { kind: "stopped", checkpoint };
  };
  const { left } = await sweep({
    claims: cells.map((cell, i) => claim(cell, i === 0 ? { lost: lost.signal } : {})),
  });
  // The sweep goes on with the others, which are saved.
  expect(log).toEqual(["release", "save 1,2", "release", "save 1,2", "release"]);
  expect(left).toBe(0);
});

test("a cell that comes when the sweep is over is given back", async () => {
  const stop = new AbortController();
  const late = claim(cells[0] as Cell);
  const sweeper = openSweeper({ workers: 1, engine: "native", machine });
  const options = { recordEvery: null, keep: false, signal: stop.signal };
  let takes = 0;
  const source = {
    async take() {
      takes++;
      stop.abort();
      return late;
    },
  };
  await sweeper.run({ ...options, source });
  expect([log, threads[0]?.tasks, takes]).toEqual([["release"], [], 1]);
  // Nothing is taken any more.
  await sweeper.run({ ...options, source });
  expect(takes).toBe(1);
});

test("nothing is stopped after its end", async () => {
  const [stop, lost] = [new AbortController(), new AbortController()];
  await sweep({
    claims: [claim(cells[0] as Cell, { lost: lost.signal })],
    signal: stop.signal,
  });
  stop.abort();
  lost.abort();
  expect(threads[0]?.stops).toBe(0);
});

test("what a thread throws is a failed cell, and the sweep goes on", async () => {
  answer = async ({ kind }, _, thread) => {
    expect(kind).toBe("run");
    if (thread.tasks.length === 1) throw new RangeError("no such thing");
    return done(cells[1] as Cell);
  };
  await sweep({ claims: cells.slice(0, 2).map((cell) => claim(cell)) });
  const [failed, kept] = finished;
  expect(failed?.row).toMatchObject({
    cell: cells[0]?.id,
    status: "failed",
    error: "no such thing",
  });
  expect(failed?.row.provenance).toMatchObject({ version: "9", platform: "p" });
  const { wallSeconds, finished: at } = failed?.row.provenance ?? {
    wallSeconds: NaN,
    finished: "",
  };
  expect(wallSeconds).toBeGreaterThanOrEqual(0);
  expect(wallSeconds).toBeLessThan(60);
  expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000);
  expect(failed?.parameters).toBeUndefined();
  expect(kept?.row).toEqual(row(cells[1] as Cell));
});

test("a thread that ended is replaced", async () => {
  answer = async (_, __, thread) => {
    if (threads.length === 1) {
      thread.ended = true;
      throw new Error("out of memory");
    }
    return done(cells[1] as Cell);
  };
  await sweep({ claims: cells.map((cell) => claim(cell)) });
  expect(threads.map(({ tasks }) => tasks.length)).toEqual([1, 2]);
});

test("a fault of the machine stops everything, and no cell fails for it", async () => {
  let running = 0;
  answer = async ({ kind }, _, thread) => {
    expect(kind).toBe("run");
    running++;
    if (running === 2) throw new MachineError("no memory");
    // The other one is stopped for it, and given back before the sweep ends.
    await stopped.promise;
    expect(thread.stops).toBe(1);
    return { kind: "stopped", checkpoint };
  };
  await expect(sweep({ claims: cells.map((cell) => claim(cell)), workers: 2 })).rejects.toThrow(
    "no memory",
  );
  expect(finished).toEqual([]);
  expect(log).toEqual(["save 1,2", "release"]);
});

test.each(["append", "save"] as const)("where %s fails the run is stopped", async (name) => {
  const failing = { [name]: () => Promise.reject(new Error("disk full")) };
  answer = async (_, emit, thread) => {
    emit({ step: 4, history: "a\n", checkpoint });
    await stopped.promise;
    expect(thread.stops).toBe(1);
    return { kind: "stopped", checkpoint };
  };
  await expect(sweep({ claims: [claim(cells[0] as Cell, failing)] })).rejects.toThrow("disk full");
  expect([finished, log.includes("release")]).toEqual([[], false]);
});

test("one step per distinct program is timed, until the signal", async () => {
  const study = parseStudy({
    name: "s",
    fixed: { problem: "himmelblau" },
    axes: { method: ["sam", "asam"], rho: [1, 2] },
  });
  const all = await expandStudy(study);
  const keys = new Set(all.map(({ spec }) => programKey(spec)));
  expect(keys.size).toBeLessThan(all.length);
  answer = async (asked) => {
    if (asked.kind !== "time") throw new Error("not asked for that");
    return { kind: "timed", secondsPerStep: Number(asked.spec.rho) };
  };
  const sweeper = openSweeper({ workers: 2, engine: "native", machine });
  expect(sweeper.workers).toBe(2);
  const open = new AbortController();
  const { secondsPerStep, programs } = await sweeper.estimate(all, open.signal, false);
  const first = (key: string) => all.find(({ spec }) => programKey(spec) === key)?.spec.rho;
  expect(programs).toBe(keys.size);
  expect(new Map(secondsPerStep)).toEqual(new Map([...keys].map((key) => [key, first(key)])));

  open.abort();
  expect(await sweeper.estimate(all, open.signal, false)).toEqual({
    secondsPerStep: new Map(),
    programs: keys.size,
  });
  answer = async () => done(cells[0] as Cell);
  const none = await sweeper.estimate(all, new AbortController().signal, true);
  expect(none.secondsPerStep.size).toBe(0);
  await sweeper.close();
  expect(threads.map(({ closed }) => closed)).toEqual([true, true]);
});

test("at most 16 programs are timed", async () => {
  const axes = { hidden: Array.from({ length: 20 }, (_, i) => [i + 1]) };
  const all = await expandStudy(parseStudy({ name: "s", fixed: { n: 10 }, axes }));
  answer = async () => ({ kind: "timed", secondsPerStep: 1 });
  const sweeper = openSweeper({ workers: 1, engine: "native", machine });
  const { secondsPerStep, programs } = await sweeper.estimate(
    all,
    new AbortController().signal,
    true,
  );
  expect([secondsPerStep.size, programs]).toEqual([16, 20]);
});

/** Sweep the first cell with the others beside it; what was put back is taken alone. */
async function sweepBeside(gain: number, end: typeof answer, ensembles = true) {
  const queue = cells.map((cell) => claim(cell));
  const putBack: Cell[] = [];
  answer = async (task, step, thread, emit) =>
    task.kind === "plan" ? { kind: "planned", gain } : end(task, step, thread, emit);
  const sweeper = openSweeper({ workers: 1, engine: "native", machine });
  await sweeper.run({
    source: {
      take: async () => queue.shift(),
      beside: {
        count: () => queue.length,
        take: async (_, most) => queue.splice(0, most),
        putBack(cell) {
          putBack.push(cell);
          queue.push(claim(cell));
        },
      },
    },
    recordEvery: null,
    keep: false,
    ensembles,
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
  });
  const tasks = threads.flatMap((thread) => thread.tasks);
  const sizes = tasks.map((each) => (each.kind === "run" ? each.cells.length : each.kind));
  return { sizes, putBack };
}

const endAll: typeof answer = async (asked, _, __, emit) => {
  if (asked.kind !== "run") throw new Error("not asked for that");
  asked.cells.forEach(({ cell }, index) => emit({ index, kind: "end", end: done(cell) }));
  return { kind: "ended" };
};

test.each([
  [2, true, ["plan", 3]],
  [1, true, ["plan", 1, 1, 1]],
  [2, false, [1, 1, 1]],
])("cells that gain %d side by side, where that is asked for: %s", async (gain, asked, wanted) => {
  expect((await sweepBeside(gain, endAll, asked)).sizes).toEqual(wanted);
  expect(finished.map((each) => each.row.cell)).toEqual(cells.map(({ id }) => id));
});

test("cells that a thread was lost with are given back, and go on one by one", async () => {
  const { sizes, putBack } = await sweepBeside(2, async (asked, step, thread, emit) => {
    if (asked.kind === "run" && asked.cells.length > 1) {
      emit({ index: 1, kind: "end", end: done(cells[1] as Cell) });
      throw new Error("out of memory");
    }
    return endAll(asked, step, thread, emit);
  });
  const [first, second, third] = cells as [Cell, Cell, Cell];
  expect(sizes).toEqual(["plan", 3, 1, 1]);
  expect(putBack).toEqual([first, third]);
  expect(finished.map((each) => each.row)).toEqual([second, first, third].map(row));
  expect(events.filter(({ kind }) => kind === "released")).toEqual(
    [first, third].map((cell) => ({ kind: "released", cell })),
  );
});
