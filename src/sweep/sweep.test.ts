/** Cells on worker threads: stopped, saved, and gone on with. */
import { afterAll, expect, test } from "vitest";
import { describeMachine } from "../platform/node/machine.ts";
import { decodeCheckpoint } from "../run/checkpoint.ts";
import type { Row } from "../study/cell.ts";
import type { ClaimedCell } from "../study/claims.ts";
import { expandStudy, parseStudy, type Cell } from "../study/study.ts";
import { openSweeper } from "./sweep.ts";

const machine = await describeMachine();
const sweeper = openSweeper({ workers: 1, engine: "native", machine });
afterAll(() => sweeper.close());

/** What became of a cell that was handed out, in order. */
interface Kept {
  history: string;
  saves: { readonly checkpoint: Uint8Array; readonly bytes: number }[];
  row: Row | undefined;
  released: boolean;
}

/** Run a cell until its end, or until `enough` says so. */
async function sweepCell(
  cell: Cell,
  { from, enough = () => false }: { from?: Uint8Array; enough?: (kept: Kept) => boolean } = {},
): Promise<Kept> {
  const kept: Kept = { history: "", saves: [], row: undefined, released: false };
  const stop = new AbortController();
  const look = () => {
    if (enough(kept)) stop.abort();
  };
  const claimed: ClaimedCell = {
    cell,
    from,
    async append(lines) {
      kept.history += lines;
    },
    async save(checkpoint) {
      kept.saves.push({ checkpoint, bytes: Buffer.byteLength(kept.history) });
      look();
    },
    async finish(row) {
      kept.row = row;
      return true;
    },
    async release() {
      kept.released = true;
    },
  };
  const queue = [claimed];
  await sweeper.run({
    source: { take: async () => queue.shift() },
    recordEvery: null,
    keep: false,
    signal: stop.signal,
    onEvent: look,
  });
  return kept;
}

/** Long enough to be saved on the way, and chaotic: one bit lost would change all that follows. */
const fixed = { problem: "himmelblau", rho: 1, lr: 0.02, steps: 20_000 };

test("a cell is saved on the way and when it is stopped, and goes on bit for bit", async () => {
  const [cell] = await expandStudy(parseStudy({ name: "one", fixed, axes: {} }));
  if (cell === undefined) throw new Error("no cell");
  const whole = await sweepCell(cell);
  expect(whole.released).toBe(false);

  const lives: Kept[] = [];
  for (const enough of [
    ({ history }: Kept) => history !== "",
    ({ history }: Kept) => history !== "",
    undefined,
  ]) {
    const from = lives.at(-1)?.saves.at(-1)?.checkpoint;
    lives.push(await sweepCell(cell, { ...(from && { from }), ...(enough && { enough }) }));
  }
  expect(lives.map(({ row, released }) => [row !== undefined, released])).toEqual([
    [false, true],
    [false, true],
    [true, false],
  ]);
  expect(lives.map(({ history }) => history).join("")).toBe(whole.history);
  const timeless = ({ row }: Kept) => ({ ...row, provenance: undefined });
  expect(timeless(lives[2] as Kept)).toEqual(timeless(whole));
  expect(whole.row?.status).toBe("ok");

  /** A save speaks of all lines before it, those of earlier lives included. */
  const expectSaves = ({ saves }: Kept, before: number) => {
    for (const { checkpoint, bytes } of saves) {
      expect(decodeCheckpoint(checkpoint, "a save").metricsLength).toBe(before + bytes);
    }
    return saves.length;
  };
  expect(expectSaves(whole, 0)).toBeGreaterThan(0);
  let before = 0;
  for (const life of lives) {
    expect(expectSaves(life, before)).toBeGreaterThanOrEqual(life.released ? 1 : 0);
    before += Buffer.byteLength(life.history);
  }
});
