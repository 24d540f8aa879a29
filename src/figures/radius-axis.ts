/** Axes of radii: ρ by rank, so that every value tried has equal room, and above it ρ/‖x₀‖. */
import * as Plot from "@observablehq/plot";
import { rounded } from "../engine/digits.ts";
import { relativeRange } from "../run/radius.ts";
import { margins, type Margins } from "./figure.ts";
import { widthOf } from "./legend.ts";
import { relativeAt, type FigureRun } from "./runs.ts";

/** What a second axis needs between the frame and the head. */
const tickHeight = 22;

/** The second axis: what each ρ is beside ‖x₀‖. */
export interface RelativeAxis {
  readonly label: string;
  /** Of each ρ, in the order of the axis. */
  readonly words: readonly string[];
}

/**
 * ρ/‖x₀‖ of every ρ: the median, because starts differ a little in norm. Nothing where it is known
 * of none, as in rows of earlier versions.
 */
export function relativeAxis(
  runs: readonly FigureRun[],
  rhos: readonly number[],
): RelativeAxis | undefined {
  const ranges = rhos.map((rho) => relativeRange(relativeAt(runs, rho)));
  if (ranges.every((range) => range === undefined)) return undefined;
  const differ = ranges.some((range) => range && range.least < range.most);
  return {
    label: differ ? "ρ/‖x₀‖, median" : "ρ/‖x₀‖",
    words: rhos.map((rho, i) => (rho === 0 ? "0" : wordsOf(ranges[i]?.median))),
  };
}

const wordsOf = (value: number | undefined) =>
  value === undefined ? "–" : String(rounded(value, 2));

/** Margins of a plot over radii, with room for the second axis where there is one. */
export const radiusMargins = (axis: RelativeAxis | undefined): Margins =>
  axis === undefined ? margins : { ...margins, marginTop: margins.marginTop + tickHeight };

/** A plot's options for its scale of radii, and the marks of both axes. */
export function radiusAxes(
  rhos: readonly number[],
  axis: RelativeAxis | undefined,
  width: number,
): { readonly scale: Plot.ScaleOptions; readonly marks: Plot.Markish } {
  const { marginLeft, marginRight, marginTop } = radiusMargins(axis);
  const step = (width - marginLeft - marginRight) / rhos.length;
  const shown = (words: readonly string[]) => {
    const every = Math.ceil((Math.max(...words.map(widthOf)) + 6) / step);
    return rhos.filter((_, i) => i % every === 0);
  };
  return {
    scale: { type: "point", domain: [...rhos], padding: 0.6 },
    marks: [
      Plot.axisX(shown(rhos.map(String)), { label: "ρ" }),
      axis && [
        Plot.axisX(shown(axis.words), {
          anchor: "top",
          label: null,
          text: (rho: number) => axis.words[rhos.indexOf(rho)],
        }),
        Plot.text([`${axis.label} →`], {
          frameAnchor: "top-right",
          lineAnchor: "top",
          dy: 22 - marginTop,
          dx: 12,
        }),
      ],
    ],
  };
}

/** Height of {@link columnAxis}. */
export const columnAxisHeight = 50;

/** The second axis over the columns of a sheet, one per ρ, each `width` wide. */
export function columnAxis(
  rhos: readonly number[],
  { label, words }: RelativeAxis,
  width: number,
): Plot.PlotOptions {
  const middle = (column: number) =>
    column * width + (width + margins.marginLeft - margins.marginRight) / 2;
  const y = columnAxisHeight - 8;
  const ticks = words.map((text, i) => ({ x: middle(i), text }));
  return {
    width: rhos.length * width,
    height: columnAxisHeight,
    margin: 0,
    axis: null,
    x: { type: "identity" },
    y: { type: "identity" },
    marks: [
      Plot.line([
        [margins.marginLeft, y],
        [rhos.length * width - margins.marginRight, y],
      ]),
      Plot.link(ticks, { x1: "x", x2: "x", y1: y - 5, y2: y }),
      Plot.text(ticks, { x: "x", y: y - 13, text: "text" }),
      Plot.text([`${label} →`], { x: 12, y: 13, textAnchor: "start" }),
    ],
  };
}
