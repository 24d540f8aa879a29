/** Words for numbers: short enough to be read while they change. */

/** `0.5863`, `3.2e-5`; what is no number is said. */
export function short(value: number | null | undefined, digits = 4): string {
  if (value === undefined || value === null) return "–";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    return value.toExponential(Math.max(0, digits - 2)).replace("e+", "e");
  }
  return String(Number(value.toPrecision(digits)));
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** `hallucinated-point` as people say it. */
export const spoken = (name: string): string => name.replaceAll("-", " ");
