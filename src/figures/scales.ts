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

/** Powers of ten; over a short range twice and five times these as well. */
export function logTicks([low, high]: Extent): number[] {
  const factors = high / low > 1000 ? [1] : [1, 2, 5];
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
