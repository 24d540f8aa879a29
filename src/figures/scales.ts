/** Logarithmic axes with few, round ticks. */
import * as Plot from "@observablehq/plot";

/** Limits of a logarithmic axis. */
export type Extent = readonly [low: number, high: number];

export const isPositive = (value: number | null): value is number =>
  value !== null && value > 0 && Number.isFinite(value);

/** All that can be drawn on a logarithmic axis, with some room on both sides. */
export function logExtent(values: Iterable<number | null>): Extent {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!isPositive(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low / 1.3, high * 1.3] : [0.1, 10];
}

/** What powers of ten are multiplied with where they alone are too few, from coarse to fine. */
const finer: readonly (readonly number[])[] = [
  [1, 2, 5],
  [1, 2, 3, 4, 5, 6, 7, 8, 9],
  Array.from({ length: 45 }, (_, i) => (10 + 2 * i) / 10),
];

/** Powers of ten; over a short range as many round numbers between them as make three ticks. */
export function logTicks([low, high]: Extent): number[] {
  if (high / low > 1000) return multiples(low, high, [1]);
  const some = finer.map((each) => multiples(low, high, each));
  return some.find(({ length }) => length >= 3) ?? some.at(-1) ?? [];
}

function multiples(low: number, high: number, factors: readonly number[]): number[] {
  const ticks: number[] = [];
  for (let exponent = Math.floor(Math.log10(low)); 10 ** exponent <= high; exponent++) {
    for (const factor of factors) {
      // As text, because 5 · 10⁻³ is not 0.005.
      const tick = Number(`${factor}e${exponent}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

/** A logarithmic y axis: its scale, and marks for its ticks and grid. */
export function logAxis(extent: Extent): {
  readonly scale: Plot.ScaleOptions;
  readonly axis: Plot.Markish;
} {
  const ticks = logTicks(extent);
  return {
    scale: { type: "log", domain: [...extent] },
    // The text is ours, because Plot leaves out labels it finds too close on a logarithmic axis.
    axis: [Plot.gridY(ticks), Plot.axisY(ticks, { text: words, label: null })],
  };
}

const words = (tick: number) => (tick < 1e-4 ? tick.toExponential() : String(tick));
