/** Tracks: how a run is cut, switched in place, and forked. */
import { parseSpec } from "lucid-sam/run";
import { afterEach, expect, test } from "vitest";
import { Track, type TrackOptions } from "./track.svelte.ts";
import { formatTurn, parseTurn, specAt, turned } from "./turns.ts";

const tracks: Track[] = [];
async function start(options: Omit<TrackOptions, "slices">): Promise<Track> {
  const track = new Track({ ...options, slices: 20 });
  tracks.push(track);
  await track.open();
  return track;
}
async function finish(track: Track, stops: readonly number[] = []): Promise<Track> {
  while (!track.isOver) await track.advance(stops);
  return track;
}
afterEach(() => {
  for (const track of tracks.splice(0)) track.close();
});

const spec = parseSpec({ problem: "regression", rho: 2, steps: 300, momentum: 0.5 });
const models = ({ frames }: Track) => frames.map(({ step, model }) => ({ step, model }));

test("a fork equals the run until it leaves, and after it, bit for bit, where nothing was changed", async () => {
  const main = await finish(await start({ spec, turns: [] }), [100]);
  expect(main.frames.length).toBeGreaterThan(15);
  expect(main.rows.map(({ step }) => step)).toEqual(Array.from({ length: 300 }, (_, i) => i));
  const from = main.frames.find(({ step }) => step === 100);
  if (!from) throw new Error("no frame");
  const fork = await finish(await start({ spec, turns: [], from }));
  expect(fork.rows).toEqual(main.rows.slice(100));
  expect(models(fork)).toEqual(models(main).filter(({ step }) => step >= 100));
  expect(fork.verdict).toEqual(main.verdict);
  const other = await finish(await start({ spec, turns: [{ step: 100, method: "gd" }], from }));
  expect(other.frames[0]?.model).toEqual(from.model);
  expect(other.rows[0]?.loss).toBe(main.rows[100]?.loss);
  expect(other.rows.at(-1)?.loss).not.toBe(main.rows.at(-1)?.loss);
});

test("a switch takes over in place, at its step, and a link with it gives the same run", async () => {
  const main = await start({ spec, turns: [] });
  while (main.step < 60) await main.advance([60]);
  main.turns = [{ step: 60, method: "gd" }];
  await finish(main);
  const ratios = main.rows.map(({ gradRatio }) => gradRatio);
  expect(ratios.slice(0, 60).filter((ratio) => ratio === 1)).toEqual([]);
  expect(ratios.slice(60)).toEqual(Array.from({ length: 240 }, () => 1));
  const linked = await finish(await start({ spec, turns: [{ step: 60, method: "gd" }] }));
  expect(linked.rows).toEqual(main.rows);
});

test("a run whose numbers are not finite is over, and says from where on", async () => {
  const wild = parseSpec({ problem: "regression", method: "gd", lr: 1000, steps: 3000 });
  const track = await finish(await start({ spec: wild, turns: [] }));
  expect(track.lost).toBeGreaterThan(0);
  expect(track.step).toBeLessThan(3000);
  expect(track.verdict?.name).toBe("diverged");
});

test("a network with data is scored on the way", async () => {
  const small = parseSpec({ problem: "mlp", n: 50, hidden: "8", steps: 40 });
  const track = await finish(await start({ spec: small, turns: [] }));
  expect(track.scores.at(-1)?.step).toBe(40);
  expect(track.scores.length).toBeGreaterThan(3);
  expect(track.scores.at(-1)?.test?.score).toBeGreaterThan(0);
});

test.each(["3200:gd", "0:sam:2", "17"])("the turn %s is read and written back", (text) => {
  expect(formatTurn(parseTurn(text))).toBe(text);
});

test("a turn takes the settings of its own method", () => {
  const gsam = parseSpec({
    problem: "regression",
    method: "gsam",
    rho: 1,
    settings: { alpha: 0.3 },
  });
  expect(turned(gsam, parseTurn("5:gd"))).toMatchObject({ method: "gd", settings: {} });
  expect(turned(gsam, parseTurn("5:gsam"))).toMatchObject({ rho: 1, settings: { alpha: 0.3 } });
  const turns = ["5:gd", "9:sam:2"].map(parseTurn);
  expect([4, 5, 8, 9].map((step) => specAt(gsam, turns, step).method)).toEqual([
    "gsam",
    "gd",
    "gd",
    "sam",
  ]);
  expect(() => turned(gsam, parseTurn("5:samm"))).toThrow('unknown method "samm"');
});
