/** Signals beside the rows they come from: averages, slopes, and what is left of a long run. */
import { expect, test } from "vitest";
import { Signals, type StepSignals } from "./signals.ts";

/** Rows that differ in everything, of loss 2 and less. */
const rowAt = (i: number): StepSignals => ({
  loss: 2 - 0.01 * i + 0.1 * Math.sin(7 * i),
  shiftedLoss: 2.5 + 0.2 * Math.cos(3 * i),
  gradNorm: 1.5 + Math.sin(i),
  shiftedGradNorm: 0.7 + 0.5 * Math.cos(i),
  cosine: Math.sin(5 * i),
  directionNorm: i % 3 === 0 ? 0.2 + 0.1 * Math.sin(i) : NaN,
  descentLoss: i % 4 === 1 ? 1.5 + 0.1 * Math.cos(i) : NaN,
  probedLoss: i % 8 === 1 ? 1.8 : NaN,
});

const taking = (steps: readonly number[], row = rowAt) => {
  const signals = new Signals();
  for (const step of steps) signals.push(step, row(step), true);
  return signals;
};
const upTo = (n: number, first = 0) => Array.from({ length: n }, (_, i) => first + i);

const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
const geometric = (numbers: readonly number[]) => Math.exp(mean(numbers.map(Math.log)));

/** Averages of rows, by their definitions. */
function averagesOf(rows: readonly StepSignals[]) {
  const directions = rows.filter(({ directionNorm = NaN }) => !Number.isNaN(directionNorm));
  const probes = rows.filter(({ descentLoss = NaN }) => !Number.isNaN(descentLoss));
  const sum = (of: (row: StepSignals) => number, among = rows) =>
    among.reduce((total, row) => total + of(row), 0);
  const before = sum(({ loss, probedLoss = NaN }) => (probedLoss > 0 ? probedLoss : loss), probes);
  return {
    rows: rows.length,
    loss: mean(rows.map(({ loss }) => loss)),
    lossGap: mean(rows.map(({ loss, shiftedLoss }) => shiftedLoss - loss)),
    cosine: mean(rows.map(({ cosine }) => cosine)),
    agreement:
      sum((row) => row.gradNorm * row.shiftedGradNorm * row.cosine) /
      sum((row) => row.gradNorm * row.gradNorm),
    gradNorm: geometric(rows.map(({ gradNorm }) => gradNorm)),
    gradRatio: geometric(rows.map(({ gradNorm, shiftedGradNorm }) => shiftedGradNorm / gradNorm)),
    directionRatio: geometric(
      directions.map(({ gradNorm, directionNorm = NaN }) => directionNorm / gradNorm),
    ),
    descentFall: (before - sum((row) => row.descentLoss ?? NaN, probes)) / Math.abs(before),
  };
}

/** Runs, parts of them, and the steps that are averaged there: whole stretches of the width. */
test.each<[steps: readonly number[], from: number, to: number, width: number, range: number[]]>([
  [upTo(8), 0, 1, 1, [0, 7]],
  [upTo(128), 0, 1, 1, [0, 127]],
  [upTo(128), 0.5, 1, 1, [63, 127]],
  [upTo(128), 0.25, 0.5, 1, [31, 63]],
  [upTo(129), 0, 1, 2, [0, 128]],
  [upTo(129), 0.5, 0.75, 2, [64, 97]],
  [upTo(256), 0.9, 1, 2, [228, 255]],
  [upTo(257), 0.5, 1, 4, [128, 256]],
  [upTo(1000), 0.1, 0.3, 8, [96, 303]],
  // Counted from the first row on.
  [upTo(257, 1000), 0.5, 1, 4, [1128, 1256]],
  // Where a part has no row, the last one before it speaks.
  [[0, 9, 21, 105], 0.5, 0.8, 1, [21, 21]],
  [[0, 9, 21, 105], 0.1, 0.15, 1, [9, 9]],
  [[9, 105], 0.5, 0.9, 1, [9, 9]],
])("averages of %j between %d and %d of the run", (steps, from, to, width, range) => {
  const signals = taking(steps);
  expect(signals.width).toBe(width);
  const [first = NaN, last = NaN] = range;
  const rows = steps.filter((step) => step >= first && step <= last).map(rowAt);
  expect(rows.length).toBeGreaterThan(0);
  const found = Object.entries(signals.window(from, to));
  const wanted: Record<string, number> = averagesOf(rows);
  expect(found.map(([name]) => name)).toEqual(Object.keys(wanted));
  for (const [name, value] of found) expect(value, name).toBeCloseTo(wanted[name] ?? 7, 10);
});

test("what no row has is not known, and a loss below zero falls too", () => {
  const { directionNorm: _, descentLoss: __, probedLoss: ___, ...bare } = rowAt(1);
  const window = taking([0], () => bare).window(0, 1);
  expect([window.directionRatio, window.descentFall]).toEqual([NaN, NaN]);
  const falling = taking([0], () => ({ ...bare, loss: -2, descentLoss: -3 }));
  expect(falling.window(0, 1).descentFall).toBe(0.5);
});

test("norms of zero leave means that are finite", () => {
  const still = { ...rowAt(3), gradNorm: 0, shiftedGradNorm: 0, directionNorm: 0 };
  const { gradNorm, gradRatio, directionRatio } = taking([0], () => still).window(0, 1);
  expect(gradNorm).toBeCloseTo(1e-300, 310);
  expect([gradRatio, directionRatio]).toEqual([1, 1]);
});

test("mean losses of sixteen stretches cover the part, each row once", () => {
  const steps = upTo(40);
  const losses = taking(steps).losses(0, 1);
  // 40 bins over 16 stretches: 3, 2, 3, 2, …
  let begin = 0;
  const wanted = Array.from({ length: 16 }, (_, i) => {
    const rows = steps.slice(begin, begin + (i % 2 === 0 ? 3 : 2));
    begin += rows.length;
    return {
      step: begin - rows.length / 2,
      loss: mean(rows.map((step) => rowAt(step).loss)),
    };
  });
  expect(begin).toBe(40);
  expect(losses.map(({ step }) => step)).toEqual(wanted.map(({ step }) => step));
  losses.forEach(({ loss }, i) => expect(loss).toBeCloseTo(wanted[i]?.loss ?? NaN, 12));
});

test("steps of stretches count in the run's own steps, and stretches without rows are left out", () => {
  // Bins of two steps: 0–1, 2–3, …; rows in few of them.
  const few = [0, 1, 100, 130, 131, 200];
  expect(taking(few).width).toBe(2);
  const losses = taking(few, (i) => ({ ...rowAt(0), loss: i })).losses(0.5, 1);
  // From bin 50 to bin 100: 51 bins over 16 stretches; 100 lies in bins 50 to 52, 130 in 63 to 65.
  expect(losses).toEqual([
    { step: 103, loss: 100 },
    { step: 129, loss: 130.5 },
    { step: 199, loss: 200 },
  ]);
});

/**
 * Ranks by Sen 1968 (Gilbert 1987, section 16.4.2): of N slopes the median, and those of rank
 * (N − C)/2 and (N + C)/2 + 1 for C = 1.96·√(n(n − 1)(2n + 5)/18), here from 0 and rounded.
 */
test.each<
  [n: number, slopes: number, low: number, medians: readonly [number, number], high: number]
>([
  [4, 6, 0, [2, 3], 5],
  [5, 10, 0, [4, 5], 9],
  [6, 15, 1, [7, 7], 13],
  [9, 36, 8, [17, 18], 27],
  [16, 120, 37, [59, 60], 82],
])(
  "the slope of %d stretches is the median of %d, with its interval",
  (n, count, low, medians, high) => {
    const points = upTo(n).map((step) => ({ step, loss: rowAt(step).loss }));
    const slopes: number[] = [];
    for (const a of points) {
      for (const b of points) {
        if (a.step < b.step) slopes.push((a.loss - b.loss) / (a.step - b.step));
      }
    }
    slopes.sort((a, b) => a - b);
    expect(slopes).toHaveLength(count);
    const at = (rank: number) => slopes[rank] ?? NaN;
    const found = taking(upTo(n)).slope(0, 1);
    expect(found?.slope).toBeCloseTo((at(medians[0]) + at(medians[1])) / 2, 12);
    expect(found?.low).toBeCloseTo(at(low), 12);
    expect(found?.high).toBeCloseTo(at(high), 12);
  },
);

test("fewer than four stretches have no slope", () => {
  expect(taking(upTo(3)).slope(0, 1)).toBeUndefined();
  expect(new Signals().slope(0, 1)).toBeUndefined();
});

test("a fall of the loss per step is the same however long the run was", () => {
  for (const n of [20, 200, 2000, 20_000]) {
    const found = taking(upTo(n), (i) => ({ ...rowAt(0), loss: 5 - i / 1024 })).slope(0.25, 1);
    for (const end of [found?.slope, found?.low, found?.high])
      expect(end).toBeCloseTo(-1 / 1024, 4);
  }
});

test("what is counted, row by row", () => {
  const fine = rowAt(2);
  const broken = { ...fine, cosine: NaN };
  const signals = new Signals();
  expect([signals.horizon, signals.scale]).toEqual([0, 0]);
  /** Step, row, whether it was taken; then whether a stretch begins, and the counters. */
  const course: [number, StepSignals, boolean, boolean, object][] = [
    [10, broken, true, false, { rows: 1, notFinite: 1, skipped: 0, stuck: 0, horizon: 1 }],
    [11, { ...fine, loss: -3, shiftedLoss: -2 }, true, true, { rows: 2, notFinite: 0, horizon: 2 }],
    [11, broken, false, false, { rows: 2, notFinite: 0, skipped: 0, stuck: 0 }],
    [9, broken, false, false, { rows: 2, notFinite: 0, skipped: 0, stuck: 0 }],
    [12, { ...fine, gradNorm: 9 }, false, true, { rows: 3, skipped: 1, stuck: 1, step: 12 }],
    [13, fine, false, true, { rows: 4, skipped: 2, stuck: 2, largestGradNorm: 9 }],
    [14, broken, true, false, { rows: 5, skipped: 2, stuck: 0, notFinite: 1 }],
    [16, { ...fine, loss: Infinity }, true, false, { rows: 6, notFinite: 2, horizon: 7 }],
    // 2·128 steps: stretches double, and this one has a row already.
    [10 + 128, fine, true, true, { width: 2, notFinite: 0, horizon: 129 }],
    [10 + 129, fine, true, false, { width: 2 }],
    [10 + 256, fine, true, true, { width: 4, horizon: 257 }],
  ];
  for (const [step, row, taken, begins, counted] of course) {
    expect(signals.push(step, row, taken), `step ${step}`).toBe(begins);
    expect(signals, `step ${step}`).toMatchObject(counted);
  }
  expect(signals).toMatchObject({ origin: 10, firstLoss: -3, scale: 3 });
  // Of the first row its value or its change along the ascent, whichever is larger.
  expect(taking([0], () => ({ ...fine, loss: 1, shiftedLoss: -4 })).scale).toBe(5);
});

test("a column that is lacking is named once", () => {
  const signals = new Signals();
  for (const name of ["cosine", "loss", "cosine"]) signals.lack(name);
  expect(signals.missing).toEqual(["cosine", "loss"]);
});

test("what is remembered is a copy, and continues", () => {
  const signals = taking(upTo(300));
  signals.lack("cosine");
  const state = signals.state();
  expect(state.version).toBe(2);
  const [again, other] = [new Signals(state), new Signals(state)];
  signals.push(300, rowAt(300), true);
  other.push(300, rowAt(5), false);
  other.lack("loss");
  expect(again.state()).toEqual(state);
  again.push(300, rowAt(300), true);
  expect(again.state()).toEqual(signals.state());
});
