/** Lines of charts by step: their values, and their paths on so many pixels. */

export interface Line {
  readonly words: string;
  /** As CSS has it. */
  readonly color: string;
  readonly dash?: string | undefined;
  /** Of the values, ascending; default: 0, 1, 2, … */
  readonly steps?: ArrayLike<number> | undefined;
  readonly values: ArrayLike<number>;
}

/** The last entry of a line at or before a step; −1 where the line is over by then, or has not begun. */
export function entryAt({ steps, values }: Line, step: number): number {
  const last = values.length - 1;
  if (steps === undefined) return step <= last ? step : -1;
  if (step > (steps[last] ?? -1)) return -1;
  let k = last;
  while (k >= 0 && (steps[k] ?? 0) > step) k--;
  return k;
}

/** The least and the largest of a line's finite values above a bound; nothing where there are none. */
export function extremesOf({ values }: Line, above: number): number[] {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (!(value > above) || value === Infinity) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? [] : [low, high];
}

const tenths = (pixel: number) => Math.round(10 * pixel) / 10;

/**
 * A line as the path of an SVG. Of many steps on one pixel it has the least and the largest value:
 * what goes to and fro stays visible. What has no place breaks it.
 */
export function pathOf(
  { steps, values }: Line,
  x: (step: number) => number,
  y: (value: number) => number,
  pixels: number,
): string {
  const stride = Math.max(1, Math.ceil(values.length / Math.max(1, pixels)));
  const parts: string[] = [];
  let isBroken = true;
  for (let from = 0; from < values.length; from += stride) {
    let [low, high] = [Infinity, -Infinity];
    for (let k = from; k < Math.min(from + stride, values.length); k++) {
      const value = values[k] ?? NaN;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const [bottom, top] = [y(low), y(high)];
    if (!Number.isFinite(bottom) || !Number.isFinite(top)) {
      isBroken = true;
      continue;
    }
    const at = tenths(x(steps?.[from] ?? from));
    parts.push(`${isBroken ? "M" : "L"}${at} ${tenths(bottom)}`);
    if (top !== bottom) parts.push(`L${at} ${tenths(top)}`);
    isBroken = false;
  }
  return parts.join("");
}
