/** Figures of runs side by side: a quantity by step, a line per run, told apart by name. */
import * as Plot from "@observablehq/plot";
import type { VerdictName } from "../diagnostics/verdict.ts";
import type { MetricRow } from "../run/history.ts";
import { margins, head, sheet, titleHeight, type Figure } from "./figure.ts";
import { legend, verdictDots, verdictEntries } from "./legend.ts";
import { thinned } from "./runs.ts";
import { isPositive, logAxis, logExtent } from "./scales.ts";

/** A run with a name of its own. */
export interface NamedRun {
  readonly name: string;
  /** `ρ = 2 (0.27 ‖x₀‖)`; empty for methods that do not look ahead. */
  readonly radius: string;
  readonly rows: readonly MetricRow[];
  readonly verdict: VerdictName;
}

/** Styles of lines in order: told apart in gray and by color-blind people, by dash as well as by color. */
export const lineStyles = [
  ["#0072b2", ""],
  ["#d55e00", "6 3"],
  ["#009e73", "2 3"],
  ["#cc79a7", "8 3 2 3"],
  ["#e69f00", "1 2"],
  ["#56b4e9", "10 4"],
  ["#000000", "4 2"],
] as const;

export function lineStyle(i: number): Plot.LineOptions {
  const [stroke, strokeDasharray] = lineStyles[i % lineStyles.length] ?? lineStyles[0];
  return { stroke, strokeDasharray, strokeWidth: 2 };
}

const quantities = [
  ["The loss", "f(x)", (row: MetricRow) => row.loss],
  [
    "The gradient SAM follows, relative to the true one",
    "GradRatio ‖g⁺‖/‖g‖",
    (row: MetricRow) => row.shiftedGradNorm / row.gradNorm,
  ],
] as const;

/** Loss and GradRatio of several runs, one above the other; the mark at an end is the verdict. */
export function curvesFigure(runs: readonly NamedRun[]): Figure {
  const [width, height] = [860, 290];
  const key = legend(
    [
      ...runs.map(({ name, radius }, i) => ({
        words: radius === "" ? name : `${name}: ${radius}`,
        line: lineStyle(i),
      })),
      ...verdictEntries(runs.map(({ verdict }) => verdict)),
    ],
    width - 24,
  );
  const y = titleHeight + key.height;
  return sheet({
    width,
    height: y + quantities.length * height,
    title: "Runs side by side",
    panels: [
      { x: 12, y: titleHeight, plot: key.plot },
      ...quantities.map(([title, label, at], panel) => {
        const { scale, axis } = logAxis(logExtent(runs.flatMap(({ rows }) => rows.map(at))));
        const lines = runs.map(({ rows, verdict }, i) => ({
          i,
          verdict,
          rows: rows.filter((row) => isPositive(at(row))),
        }));
        const ends = lines.flatMap(({ rows, verdict }) => {
          const last = rows.at(-1);
          return last === undefined ? [] : [{ step: last.step, value: at(last), verdict }];
        });
        return {
          x: 0,
          y: y + panel * height,
          plot: {
            width,
            height,
            ...margins,
            // The last tick is centered on the rim.
            marginRight: 30,
            x: { label: "step", ticks: 8 },
            y: scale,
            marks: [
              axis,
              head(title, label, margins),
              ...lines.map(({ rows, i }) =>
                Plot.line(thinned(rows, 600), { x: "step", y: at, ...lineStyle(i) }),
              ),
              verdictDots(ends, ({ verdict }) => verdict, { x: "step", y: "value" }),
            ],
          } satisfies Plot.PlotOptions,
        };
      }),
    ],
  });
}
