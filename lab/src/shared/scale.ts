/** Scales of charts: numbers to pixels, linear or logarithmic, with round ticks. */

export interface Scale {
  readonly ticks: readonly number[];
  /** Pixels; NaN for what cannot be drawn. */
  at(value: number): number;
  /** The value at a pixel. */
  invert(pixel: number): number;
}

/** Round steps: 1, 2 or 5 times a power of ten, about `count` of them. */
function roundTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  return Array.from({ length: Math.min(50, Math.max(0, last - first + 1)) }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

export function linear(
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
  count = 6,
): Scale {
  const span = high - low || 1;
  return {
    ticks: roundTicks(low, high, count),
    at: (value) => from + ((value - low) / span) * (to - from),
    invert: (pixel) => low + ((pixel - from) / (to - from || 1)) * span,
  };
}

/** Of positive numbers; others have no place. */
export function logarithmic(
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
  count = 6,
): Scale {
  const inner = linear([Math.log10(low), Math.log10(high)], [from, to]);
  const decades = Math.log10(high / low);
  const every = Math.max(1, Math.ceil(decades / count));
  const factors = decades > 3 ? [1] : decades > 1.2 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
  const ticks: number[] = [];
  for (let exponent = Math.floor(Math.log10(low)); 10 ** exponent <= high; exponent++) {
    if (exponent % every !== 0) continue;
    for (const factor of factors) {
      const tick = Number(`${factor}e${exponent}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return {
    ticks: ticks.length >= 2 ? ticks : roundTicks(low, high, 4),
    at: (value) => (value > 0 ? inner.at(Math.log10(value)) : NaN),
    invert: (pixel) => 10 ** inner.invert(pixel),
  };
}

/** Least and greatest of what can be drawn, with some room. */
export function extentOf(values: Iterable<number>, isLogarithmic: boolean): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value) || (isLogarithmic && value <= 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return isLogarithmic ? [0.1, 10] : [0, 1];
  if (isLogarithmic) return [low / 1.2, high * 1.2];
  // What differs by rounding alone is one value.
  const size = Math.max(Math.abs(low), Math.abs(high));
  const room = high - low > 1e-9 * size ? 0.05 * (high - low) : 0.05 * size || 1;
  return [low - room, high + room];
}

/** A tick as text. */
export const tickText = (tick: number): string =>
  tick !== 0 && (Math.abs(tick) < 1e-3 || Math.abs(tick) >= 1e5)
    ? tick.toExponential().replace("e+", "e")
    : String(tick);
