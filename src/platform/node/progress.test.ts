import { expect, test } from "vitest";
import { startProgress, type ProgressStream } from "./progress.ts";

/** A stream that keeps what it is told, and a clock that stands until moved. */
function fake(properties: Omit<ProgressStream, "write">) {
  const written: string[] = [];
  const clock = { time: 1000 };
  const stream = { ...properties, write: (text: string) => written.push(text) };
  return { written, clock, progress: startProgress({ stream, now: () => clock.time }) };
}

const clear = "\r\u001B[K";

test("on a terminal one line is rewritten, at most every 100 ms, and goes at the end", () => {
  const { written, clock, progress } = fake({ isTTY: true, columns: 12 });
  progress.update(() => "step 1");
  clock.time += 99;
  progress.update(() => {
    throw new Error("not yet time for this text");
  });
  clock.time += 1;
  progress.update(() => "step 3 of a million");
  progress.done();
  expect(written).toEqual([`${clear}step 1`, `${clear}step 3 of a`, clear]);
});

test("in a log lines come every five seconds, without control characters", () => {
  const { written, clock, progress } = fake({});
  for (let step = 1; step <= 12; step++) {
    clock.time += 1000;
    progress.update(() => `step ${step}`);
  }
  progress.done("trained");
  expect(written).toEqual(["step 5\n", "step 10\n", "trained\n"]);
});

test("a note stays above the line, which comes back at once", () => {
  const { written, progress } = fake({ isTTY: true });
  progress.update(() => "step 1");
  progress.note("warning");
  progress.update(() => "step 2");
  progress.done("trained");
  expect(written).toEqual([
    `${clear}step 1`,
    clear,
    "warning\n",
    `${clear}step 2`,
    clear,
    "trained\n",
  ]);
});
