/** Sparklines: a quantity over time in one line of text, on a logarithmic scale. */
import { short } from "../../report/words.ts";

const levels = "▁▂▃▄▅▆▇█";
const width = 48;

/** `loss f(x)   2.31  ▇▆▅▅▅  0.01`: geometric means of equal stretches, and the value at both ends. */
export function sparkline(label: string, values: readonly number[]): string {
  const columns = Math.min(width, values.length);
  const means = Array.from({ length: columns }, (_, i) => {
    const part = values
      .slice(
        Math.floor((i * values.length) / columns),
        Math.floor(((i + 1) * values.length) / columns),
      )
      .filter((value) => value > 0 && Number.isFinite(value));
    return part.reduce((sum, value) => sum + Math.log(value), 0) / part.length;
  });
  const known = means.filter(Number.isFinite);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const bars = means.map((mean) => {
    if (!Number.isFinite(mean)) return " ";
    const height = high > low ? (mean - low) / (high - low) : 0;
    return levels[Math.round(height * (levels.length - 1))] ?? "";
  });
  const [first = NaN, last = NaN] = [values[0], values.at(-1)];
  return `${label.padEnd(10)}  ${short(first).padStart(10)}  ${bars.join("")}  ${short(last)}`;
}
