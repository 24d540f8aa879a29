/** Figures of final values against ρ: one mark per run, which shows its verdict. */
import * as Plot from "@observablehq/plot";
import { head, sheet, tiles, titleHeight, type Figure } from "./figure.ts";
import { legend, verdictDots, verdictEntries } from "./legend.ts";
import type { PanelOptions } from "./trajectories.ts";
import { radiusAxes, radiusMargins, relativeAxis, type RelativeAxis } from "./radius-axis.ts";
import { byMethod, radii, radius, verdictOf, type FigureRun } from "./runs.ts";
import { logExtent, logAxis, type Extent } from "./scales.ts";

/** Final loss against ρ: methods side by side, every seed a mark, a line through the medians. */
export function finalLossFigure(runs: readonly FigureRun[]): Figure {
  const groups = byMethod(runs);
  const rhos = radii(runs);
  const above = relativeAxis(runs, rhos);
  const height = 340;
  const { width, at, height: all } = tiles(groups.length, 860, height);
  const key = legend(verdictEntries(runs.map(verdictOf)), 860);
  const top = titleHeight + key.height;
  const scale = lossScale(runs);
  return sheet({
    width: 860,
    height: top + all,
    title: "Where training ended",
    panels: [
      { x: 4, y: titleHeight, plot: key.plot },
      ...groups.map(({ name, runs: shown }, i) => ({
        x: at(i).x,
        y: top + at(i).y,
        plot: finalPlot(shown, scale, rhos, above, { title: name, width, height }),
      })),
    ],
  });
}

/** A quantity of a finished run and its axis. */
export interface FinalScale {
  readonly label: string;
  readonly at: (run: FigureRun) => number;
  readonly scale: Plot.ScaleOptions;
  readonly axis: Plot.Markish;
}

/** Final loss; what is not finite is drawn at the top. */
export function lossScale(runs: readonly FigureRun[]): FinalScale {
  const extent: Extent = logExtent(runs.map(({ result }) => result.final.loss));
  return {
    label: "final loss f(x)",
    at: ({ result }) => result.final.loss ?? extent[1],
    ...logAxis(extent),
  };
}

/** Share of test samples classified correctly, up to 100 % or, where none reaches half, a round number. */
export function accuracyScale(runs: readonly FigureRun[]): FinalScale {
  const at = ({ result }: FigureRun) => 100 * (result.final.testAccuracy ?? Number.NaN);
  const highest = Math.max(0, ...runs.map(at).filter(Number.isFinite));
  return {
    label: "test accuracy, %",
    at,
    scale: highest > 50 ? { domain: [0, 100] } : { domain: [0, Math.max(1, highest)], nice: true },
    axis: [Plot.gridY({ ticks: 5 }), Plot.axisY({ ticks: 5, label: null })],
  };
}

/** One panel over ρ; `above` is its second axis. */
export function finalPlot(
  runs: readonly FigureRun[],
  { label, at, scale, axis }: FinalScale,
  rhos: readonly number[],
  above: RelativeAxis | undefined,
  { title, width, height }: PanelOptions,
): Plot.PlotOptions {
  const axes = radiusAxes(rhos, above, width);
  const room = radiusMargins(above);
  const column = Math.min(30, (0.6 * (width - 74)) / rhos.length);
  return {
    width,
    height,
    ...room,
    x: axes.scale,
    // What is drawn at the top does not touch the second axis.
    y: above ? { ...scale, insetTop: 8 } : scale,
    marks: [
      axis,
      axes.marks,
      head(title, label, room),
      Plot.lineY(runs, Plot.groupX({ y: "median" }, { x: radius, y: at, strokeOpacity: 0.35 })),
      ...sideBySide(runs, column).map(({ runs: some, shift }) =>
        verdictDots(some, verdictOf, { x: radius, y: at, dx: shift }),
      ),
    ],
  };
}

/** Runs of one ρ spread over a column of so many pixels, in the order of their seeds. */
function sideBySide(
  runs: readonly FigureRun[],
  column: number,
): { readonly runs: readonly FigureRun[]; readonly shift: number }[] {
  const seeds = [...new Set(runs.map(({ result }) => result.spec.seed))].sort((a, b) => a - b);
  return seeds.map((seed, i) => ({
    runs: runs.filter(({ result }) => result.spec.seed === seed),
    shift: seeds.length === 1 ? 0 : column * (i / (seeds.length - 1) - 0.5),
  }));
}
