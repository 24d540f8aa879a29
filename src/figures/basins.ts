/** Basins in figures: which start ends where, a color per end, cells of one color as one shape. */
import * as Plot from "@observablehq/plot";
import type { View } from "./field.ts";
import { element, head, margins } from "./figure.ts";
import type { LegendEntry } from "./legend.ts";

/** Where runs from the centers of a grid's cells ended. */
export interface BasinCells {
  /** Row by row with x₂ rising, an index into {@link basinClasses}, or one more for out of bounds. */
  readonly classes: Uint8Array;
  readonly columns: number;
  readonly rows: number;
}

/**
 * What a run on a plane ended at after its steps. "Unsettled" is what the number of steps cut off.
 * From dark to light, so that gray printing and color-blind eyes tell them apart.
 */
export const basinClasses = [
  { name: "minimizer", words: "at a minimizer of f", color: "#9ecae1" },
  { name: "critical", words: "at another critical point of f", color: "#5aa050" },
  { name: "hallucinated", words: "hallucinated: g⁺ = 0, g ≠ 0", color: "#8e0f43" },
  {
    name: "unsettled",
    words: "unsettled: still moving when the steps were spent",
    color: "#f0f0f0",
  },
] as const;

const marks = [...basinClasses, { words: "out of bounds", color: "#1a1a1a" }];

/** Entries of a legend for the ends that occur. */
export const basinEntries = (maps: readonly BasinCells[]): LegendEntry[] =>
  marks
    .filter((_, kind) => maps.some(({ classes }) => classes.includes(kind)))
    .map(({ words, color }) => ({
      words,
      line: { stroke: color, strokeWidth: 10, strokeLinecap: "butt" },
    }));

/** One map of a sheet. */
export interface BasinPlot {
  readonly words: string;
  readonly cells: BasinCells;
  readonly view: View;
  /** What lies over the map. */
  readonly over: readonly Plot.Markish[];
  /** Width and height in pixels, margins included. */
  readonly size: readonly [number, number];
}

/** A map of which start ends where. */
export function basinPlot({ words, cells, view, over, size }: BasinPlot): Plot.PlotOptions {
  const [[left, right], [bottom, top]] = view;
  return {
    width: size[0],
    height: size[1],
    ...margins,
    x: { domain: [left, right], label: "x₁ of the start", ticks: 7 },
    y: { domain: [bottom, top], label: null, ticks: 7 },
    marks: [
      head(words, "x₂", margins),
      (_index, _scales, _values, dimensions, { document }) => {
        const { width, height, marginTop, marginRight, marginBottom, marginLeft } = dimensions;
        // Cells are its units: paths are whole numbers, whatever the size.
        const grid = element(document, "svg", {
          x: marginLeft,
          y: marginTop,
          width: width - marginLeft - marginRight,
          height: height - marginTop - marginBottom,
          viewBox: `0 0 ${cells.columns} ${cells.rows}`,
          preserveAspectRatio: "none",
          "shape-rendering": "crispEdges",
        });
        cellPaths(cells).forEach((d, kind) => {
          const fill = marks[kind]?.color ?? "none";
          if (d !== "") grid.append(element(document, "path", { d, fill }));
        });
        return grid;
      },
      ...over,
      Plot.frame({ strokeOpacity: 0.4 }),
    ],
  };
}

/**
 * One path per end, in cells from the upper left corner: runs of a row that are the same in the
 * next are one rectangle.
 */
export function cellPaths({ classes, columns, rows }: BasinCells): string[] {
  const paths = Array.from(marks, () => "");
  /** Rectangles that may go on, by end, first and last column: the row in which each began. */
  let open = new Map<string, number>();
  for (let row = 0; row <= rows; row++) {
    const next = new Map<string, number>();
    for (let first = 0; first < columns && row < rows;) {
      const kind = classes[row * columns + first];
      let last = first;
      while (last < columns && classes[row * columns + last] === kind) last++;
      const key = [kind, first, last].join();
      next.set(key, open.get(key) ?? row);
      first = last;
    }
    for (const [key, began] of open) {
      if (next.has(key)) continue;
      const [kind = 0, first = 0, last = 0] = key.split(",").map(Number);
      paths[kind] += `M${first} ${rows - row}h${last - first}v${row - began}h${first - last}z`;
    }
    open = next;
  }
  return paths;
}
