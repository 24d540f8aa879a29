/** Colors of maps: levels of a loss that are equal steps of its logarithm, the same on both maps. */
import type { Plane } from "lucid-sam/problems";
import type { Theme } from "../shared/theme.svelte.ts";

/** How values become places on a ramp, 0 to 1. */
export interface ColorScale {
  readonly low: number;
  readonly high: number;
  /** log(1 + (v − low)/soft): below it levels lie evenly, above it they spread. */
  readonly soft: number;
}

/** Both scales of a plane: of f, and of slopes. */
export interface Scales {
  readonly loss: ColorScale;
  readonly slope: ColorScale;
}

/** How many levels a map shows. */
export const levels = 14;

/** Scales of a plane from samples of it over its domain. */
export function scalesOf({ value, gradient, domain }: Plane, samples = 40): Scales {
  const [[left, right], [bottom, top]] = domain;
  const losses: number[] = [];
  const slopes: number[] = [];
  for (let i = 0; i < samples * samples; i++) {
    const x1 = left + (((i % samples) + 0.5) / samples) * (right - left);
    const x2 = bottom + ((Math.floor(i / samples) + 0.5) / samples) * (top - bottom);
    losses.push(value([x1, x2]));
    slopes.push(Math.hypot(...gradient([x1, x2])));
  }
  const at = (values: readonly number[], part: number) => {
    const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
    return sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  };
  const [low, middle, high] = [at(losses, 0), at(losses, 0.5), at(losses, 1)];
  const range = Math.max(high - low, 1e-12);
  const steep = Math.max(at(slopes, 0.9), 1e-12);
  return {
    loss: { low, high: low + range, soft: Math.max((middle - low) / 3, 1e-4 * range) },
    slope: { low: 0, high: steep, soft: steep / 15 },
  };
}

/** The place of a value on a scale. */
export function place({ low, high, soft }: ColorScale, value: number): number {
  const t = Math.log1p(Math.max(0, value - low) / soft) / Math.log1p((high - low) / soft);
  return Math.min(1, t);
}

export type Rgb = readonly [number, number, number];

/** Ends of a ramp, low and high, and the color of the lines between levels. */
export interface Ramp {
  readonly low: Rgb;
  readonly high: Rgb;
  readonly line: Rgb;
}

/** Lightness changes steadily along each ramp, so that it reads without colors. */
export const ramps: { readonly [T in Theme]: { readonly [L in "loss" | "slope"]: Ramp } } = {
  light: {
    loss: { low: [108, 158, 208], high: [252, 252, 253], line: [92, 118, 145] },
    slope: { low: [150, 96, 160], high: [252, 252, 253], line: [125, 100, 130] },
  },
  dark: {
    loss: { low: [64, 116, 172], high: [24, 27, 31], line: [120, 150, 185] },
    slope: { low: [142, 84, 158], high: [24, 27, 31], line: [160, 130, 170] },
  },
};

/** The color of a place: levels are bands, a little shaded within. */
export function colorAt({ low, high }: Ramp, t: number): Rgb {
  const band = Math.min(levels - 1, Math.floor(t * levels));
  const at = 0.75 * ((band + 0.5) / levels) + 0.25 * t;
  return [0, 1, 2].map(
    (c) => (low[c] ?? 0) + ((high[c] ?? 0) - (low[c] ?? 0)) * at,
  ) as unknown as Rgb;
}
