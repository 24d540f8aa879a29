/** Numbers in words: as many digits as a reader compares, and no more. */
import { rounded } from "../engine/digits.ts";
import type { RefineStep } from "../diagnostics/point/refine.ts";

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `12,345` */
export const whole = (value: number) => grouped.format(value);

/** Four digits: enough to compare, few enough to read. */
export const short = (value: number | null) =>
  value === null || !Number.isFinite(value) ? "not finite" : String(rounded(value, 4));

/** The same, and a dash for what there is not. */
export const shortOrDash = (value: number | null): string => (value === null ? "–" : short(value));

/** `0.017 … 49.5`, of what is finite, however many there are. */
export function rangeWords(values: readonly number[]): string {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > high ? "nothing finite" : `${short(low)} … ${short(high)}`;
}

/** `0:17`, `1:02:03` */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const total = Math.ceil(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** A refinement step by step, the heads of the columns first. */
export function refinementRows(
  steps: readonly RefineStep[],
  count: (products: number) => string,
): [heads: string[], ...rows: string[][]] {
  return [
    ["products", "f(x)", "f(x⁺)", "‖g‖", "‖g⁺‖", "GradRatio", "moved"],
    ...steps.map(({ products, loss, shiftedLoss, gradNorm, shiftedGradNorm, gradRatio, moved }) => [
      count(products),
      ...[loss, shiftedLoss, gradNorm, shiftedGradNorm, gradRatio, moved].map(short),
    ]),
  ];
}
