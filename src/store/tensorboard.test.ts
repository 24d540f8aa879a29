/** Event files: named as TensorBoard looks for them, one per run, and longer with every row. */
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { tensorBoardEvent, tensorBoardHeader } from "../run/tensorboard.ts";
import { openEvents } from "./tensorboard.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lucid-events-"));
  vi.useFakeTimers({ toFake: ["Date"], now: 1_700_000_000_123 });
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(root, { recursive: true });
});

const rowAt = (step: number) => ({
  step,
  loss: 1 / (step + 1),
  shiftedLoss: 2,
  gradNorm: 3,
  shiftedGradNorm: 4,
  cosine: 0.5,
});

test("a file has its version, then an event per row, each with the time at which it came", async () => {
  const folder = join(root, "new", "events");
  const file = await openEvents(folder);
  expect(file.path).toBe(join(folder, `events.out.tfevents.1700000000.lucid.123.${process.pid}`));
  const expected = [tensorBoardHeader(1_700_000_000.123)];
  expect(await readFile(file.path)).toEqual(Buffer.concat(expected));
  await file.append([]);
  vi.setSystemTime(1_700_000_002_500);
  await file.append([rowAt(0), rowAt(8)]);
  expected.push(...[0, 8].map((step) => tensorBoardEvent(rowAt(step), 1_700_000_002.5)));
  expect(await readFile(file.path)).toEqual(Buffer.concat(expected));
  await file.close();
});

test("runs in one folder have files of their own, and none is written over", async () => {
  const one = await openEvents(root);
  await expect(openEvents(root)).rejects.toThrow(/^invalid file .*tfevents/);
  vi.setSystemTime(1_700_000_000_124);
  const two = await openEvents(root);
  await two.append([rowAt(0)]);
  for (const file of [one, two]) await file.close();
  expect(await readdir(root)).toHaveLength(2);
  expect(await readFile(one.path)).toEqual(Buffer.from(tensorBoardHeader(1_700_000_000.123)));
});

test("what cannot be a folder is refused in one line", async () => {
  await writeFile(join(root, "file"), "");
  await expect(openEvents(join(root, "file"))).rejects.toThrow(/^invalid \w+ .*file/);
});
