/** Figures of trajectories: a quantity over the steps of runs, one line per run, colored by its verdict. */
import * as Plot from "@observablehq/plot";
import { screenTolerances } from "../diagnostics/screen/screen.ts";
import { relativeWords } from "../run/radius.ts";
import { head, margins, sheet, tiles, titleHeight, type Figure } from "./figure.ts";
import { legend, verdictDots, verdictEntries } from "./legend.ts";
import { verdictMarks } from "./marks.ts";
import { byMethod, radii, relativeAt, thinned, verdictOf, type FigureRun } from "./runs.ts";
import { isPositive, logExtent, logAxis, type Extent } from "./scales.ts";

/** Something every row of a history has. It is drawn on a logarithmic scale. */
export interface Quantity {
  readonly label: string;
  readonly at: (row: FigureRun["rows"][number]) => number;
  /** A level that means something: dashed, behind the lines, and explained in the legend. */
  readonly level?: { readonly value: number; readonly words: string };
}

export const loss: Quantity = { label: "loss f(x)", at: (row) => row.loss };

const { vanishedRatio } = screenTolerances;

const levelStyle = { strokeDasharray: "4 3" } as const;

/** With the threshold below which the screen counts the shifted gradient as vanished. */
const gradRatio: Quantity = {
  label: "GradRatio ‖g⁺‖/‖g‖",
  at: (row) => row.shiftedGradNorm / row.gradNorm,
  level: { value: vanishedRatio, words: `${vanishedRatio}: below it, all but vanished` },
};

/** Loss against step: methods side by side, ρ at the end of every line. */
export function lossFigure(runs: readonly FigureRun[]): Figure {
  return trajectoryFigure(runs, "Loss while training", loss);
}

/** GradRatio = ‖g⁺‖/‖g‖ against step, arranged likewise. */
export function gradRatioFigure(runs: readonly FigureRun[]): Figure {
  return trajectoryFigure(runs, "The gradient SAM follows, relative to the true one", gradRatio);
}

function trajectoryFigure(runs: readonly FigureRun[], title: string, quantity: Quantity): Figure {
  const groups = byMethod(runs);
  const height = 340;
  const { width, at, height: all } = tiles(groups.length, 860, height);
  const { level } = quantity;
  const key = legend(
    [
      ...verdictEntries(runs.map(verdictOf)),
      ...(level ? [{ words: level.words, line: levelStyle }] : []),
    ],
    860,
  );
  const top = titleHeight + key.height;
  const extent = extentOf(runs, quantity);
  const beside = relativeWords(radii(runs).flatMap((rho) => relativeAt(runs, rho)));
  return sheet({
    width: 860,
    height: top + all,
    title: beside === "" ? title : `${title}, at ρ = ${beside}`,
    panels: [
      { x: 4, y: titleHeight, plot: key.plot },
      ...groups.map(({ name, runs }, i) => ({
        x: at(i).x,
        y: top + at(i).y,
        plot: trajectoryPlot(runs, quantity, extent, { title: name, width, height }),
      })),
    ],
  });
}

/** All that is drawn of a quantity. */
export function extentOf(runs: readonly FigureRun[], { at }: Quantity): Extent {
  return logExtent(runs.flatMap(({ rows }) => rows.map(at)));
}

/** What belongs to one panel rather than to the figure. */
export interface PanelOptions {
  readonly title: string;
  readonly width: number;
  readonly height: number;
}

/** Room for ρ at the ends of lines. */
const wide = { ...margins, marginRight: 72 };

/** One panel of lines, with ρ written at their ends, or without. */
export function trajectoryPlot(
  runs: readonly FigureRun[],
  quantity: Quantity,
  extent: Extent,
  { title, width, height }: PanelOptions,
  labels = true,
): Plot.PlotOptions {
  const { at, level } = quantity;
  const { scale, axis } = logAxis(extent);
  const lines = runs
    .map((run) => ({ run, rows: run.rows.filter((row) => isPositive(at(row))) }))
    .filter(({ rows }) => rows.length > 0);
  const ends = lines.map(({ run, rows }) => {
    const last = rows.at(-1) as (typeof rows)[number];
    return { run, step: last.step, value: at(last) };
  });
  return {
    width,
    height,
    ...(labels ? wide : margins),
    x: { label: "step", ticks: labels ? 5 : 3, tickFormat: thousands },
    y: scale,
    marks: [
      axis,
      head(title, quantity.label, margins),
      level && Plot.ruleY([level.value], levelStyle),
      ...lines.map(({ run, rows }) =>
        Plot.line(thinned(rows, Math.round(0.7 * width)), {
          x: "step",
          y: at,
          stroke: verdictMarks[verdictOf(run)].color,
        }),
      ),
      verdictDots(ends, ({ run }) => verdictOf(run), { x: "step", y: "value" }),
      labels ? endLabels(ends, extent, height - margins.marginTop - margins.marginBottom) : null,
    ],
  };
}

interface End {
  readonly run: FigureRun;
  readonly step: number;
  readonly value: number;
}

/** Values of ρ beside the ends of lines; ends that nearly meet share a label. */
function endLabels(ends: readonly End[], [low, high]: Extent, pixels: number): Plot.Markish {
  const place = ({ value }: End) => (pixels * Math.log(value / low)) / Math.log(high / low);
  const groups: End[][] = [];
  let before = -Infinity;
  for (const end of ends.toSorted((a, b) => a.value - b.value)) {
    if (place(end) - before < 13) groups.at(-1)?.push(end);
    else groups.push([end]);
    before = place(end);
  }
  const all = radii(ends.map(({ run }) => run));
  const labels = groups.map((group) => ({
    step: Math.max(...group.map(({ step }) => step)),
    value: Math.sqrt((group[0] as End).value * (group.at(-1) as End).value),
    text: `ρ ${listed(radii(group.map(({ run }) => run)), all)}`,
  }));
  return Plot.text(labels, { x: "step", y: "value", text: "text", dx: 9, textAnchor: "start" });
}

/** `0.5, 1`, or `0.5–2` for three and more that follow each other in `all`. */
function listed(some: readonly number[], all: readonly number[]): string {
  const [first, last] = [some[0] as number, some.at(-1) as number];
  const between = all.filter((rho) => first <= rho && rho <= last);
  return some.length > 2 && between.length === some.length ? `${first}–${last}` : some.join(", ");
}

const thousands = (step: number) => (step < 1000 ? String(step) : `${step / 1000}k`);
