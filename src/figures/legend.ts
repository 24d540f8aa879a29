/** Legends: which mark means which verdict, which line what. */
import * as Plot from "@observablehq/plot";
import type { VerdictName } from "../diagnostics/verdict.ts";
import { verdictMarks } from "./marks.ts";

/** Dots that show verdicts. */
export function verdictDots<Item>(
  items: readonly Item[],
  verdict: (item: Item) => VerdictName,
  options: Plot.DotOptions,
): Plot.Markish {
  const look = (item: Item) => verdictMarks[verdict(item)];
  const [hollow, solid] = [true, false].map((outlined) =>
    items.filter((item) => (look(item).hollow ?? false) === outlined),
  );
  const symbol = (item: Item) => look(item).symbol;
  const color = (item: Item) => look(item).color;
  return [
    Plot.dot(solid, { r: 4.5, ...options, symbol, fill: color }),
    Plot.dot(hollow, { r: 4.5, ...options, symbol, stroke: color, strokeWidth: 1.75 }),
  ];
}

/** One entry of a legend. */
export type LegendEntry =
  | { readonly verdict: VerdictName }
  | { readonly words: string; readonly line: Plot.LineOptions }
  | { readonly words: string; readonly ring: Plot.DotOptions };

/** Entries for the verdicts that occur, each once, in the order of the table of marks. */
export function verdictEntries(verdicts: Iterable<VerdictName>): LegendEntry[] {
  const present = new Set(verdicts);
  const names = Object.keys(verdictMarks) as VerdictName[];
  return names.filter((name) => present.has(name)).map((verdict) => ({ verdict }));
}

const lineHeight = 22;
/** Room for the mark, and between entries. */
const [swatch, gap] = [22, 18];
/** Pixels that a text of 12 pixels takes, roughly. */
export const widthOf = (text: string) => 5.7 * text.length;

/** A line of entries, or several where they need more than `width`. */
export function legend(
  entries: readonly LegendEntry[],
  width: number,
): { readonly plot: Plot.PlotOptions; readonly height: number } {
  let [x, line] = [0, 0];
  const items = entries.map((entry) => {
    const words = "verdict" in entry ? verdictMarks[entry.verdict].words : entry.words;
    const needed = swatch + widthOf(words) + gap;
    if (x > 0 && x + needed > width) [x, line] = [0, line + 1];
    const item = { entry, words, x, y: lineHeight * (line + 0.5) };
    x += needed;
    return item;
  });
  const height = lineHeight * (line + 1);
  const marks = items.map(({ entry, x, y }) => {
    const middle = { x: () => x + swatch / 2, y: () => y };
    if ("verdict" in entry) return verdictDots([entry], (item) => item.verdict, middle);
    if ("ring" in entry) return Plot.dot([entry], { ...entry.ring, ...middle });
    return Plot.line(
      [x + 2, x + swatch - 4].map((x) => [x, y] as const),
      entry.line,
    );
  });
  return {
    height,
    plot: {
      width,
      height,
      margin: 0,
      axis: null,
      x: { type: "identity" },
      y: { type: "identity" },
      marks: [
        ...marks,
        Plot.text(items, { x: "x", y: "y", text: "words", dx: swatch, textAnchor: "start" }),
      ],
    },
  };
}

/**
 * The symbol of a verdict as the path of an SVG, around (0, 0), for pages that draw for themselves.
 *
 * @param document a DOM, in Node that of render.ts.
 */
export function verdictSymbol(name: VerdictName, document: Document): string {
  const scale = { type: "identity" } as const;
  const plot = Plot.plot({
    document,
    axis: null,
    x: scale,
    y: scale,
    marks: [verdictDots([0], () => name, { x: () => 0, y: () => 0 })],
  });
  return plot.querySelector("path")?.getAttribute("d") ?? "";
}
