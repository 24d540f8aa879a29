/** Figures of final values against ρ: one mark per run, which shows its verdict. */
import * as Plot from "@observablehq/plot";
import { relativeWords } from "../run/radius.ts";
import { head, margins, sheet, titleHeight, type Figure } from "./figure.ts";
import { legend, verdictDots, verdictEntries } from "./legend.ts";
import type { PanelOptions } from "./trajectories.ts";
import { byMethod, radii, radius, relativeAt, verdictOf, type FigureRun } from "./runs.ts";
import { logExtent, logAxis, type Extent } from "./scales.ts";

/** Final loss against ρ: methods side by side, every seed a mark, a line through the medians. */
export function finalLossFigure(runs: readonly FigureRun[]): Figure {
  const groups = byMethod(runs);
  const [width, height] = [860 / groups.length, 340];
  const key = legend(verdictEntries(runs.map(verdictOf)), 860);
  const top = titleHeight + key.height;
  const scale = lossScale(runs);
  return sheet({
    width: 860,
    height: top + height,
    title: "Where training ended",
    panels: [
      { x: 4, y: titleHeight, plot: key.plot },
      ...groups.map(({ name, runs: shown }, i) => ({
        x: i * width,
        y: top,
        plot: finalPlot(shown, scale, radii(runs), { title: name, width, height }),
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

/** Fraction of test samples classified correctly. */
export const accuracyScale: FinalScale = {
  label: "test accuracy, %",
  at: ({ result }) => 100 * (result.final.testAccuracy ?? Number.NaN),
  scale: { domain: [0, 100] },
  axis: [Plot.gridY({ ticks: 5 }), Plot.axisY({ ticks: 5, label: null })],
};

/** One panel: ρ by rank, so that every value tried has equal room. */
export function finalPlot(
  runs: readonly FigureRun[],
  { label, at, scale, axis }: FinalScale,
  rhos: readonly number[],
  { title, width, height }: PanelOptions,
): Plot.PlotOptions {
  const column = Math.min(30, (0.6 * (width - 74)) / rhos.length);
  return {
    width,
    height,
    ...margins,
    x: { type: "point", domain: [...rhos], label: radiusLabel(runs, rhos), padding: 0.6 },
    y: scale,
    marks: [
      axis,
      head(title, label, margins),
      Plot.lineY(runs, Plot.groupX({ y: "median" }, { x: radius, y: at, strokeOpacity: 0.35 })),
      ...sideBySide(runs, column).map(({ runs: some, shift }) =>
        verdictDots(some, verdictOf, { x: radius, y: at, dx: shift }),
      ),
    ],
  };
}

/** `ρ`, and from which to which part of ‖x₀‖ it goes, where that is known. */
function radiusLabel(runs: readonly FigureRun[], rhos: readonly number[]): string {
  const words = relativeWords(rhos.flatMap((rho) => relativeAt(runs, rho)));
  return words === "" ? "ρ" : `ρ, ${words}`;
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
