/** The figure of one run's signals: both losses, GradRatio and cosine over its steps, and the warning. */
import * as Plot from "@observablehq/plot";
import type { Warning } from "../diagnostics/screen/screen.ts";
import { screenTolerances } from "../diagnostics/screen/tolerances.ts";
import type { VerdictName } from "../diagnostics/verdict.ts";
import type { MetricRow } from "../run/history.ts";
import { head, margins, sheet, titleHeight, type Figure, type Panel } from "./figure.ts";
import { legend } from "./legend.ts";
import { verdictMarks } from "./marks.ts";
import { thinned } from "./runs.ts";
import { isPositive, logAxis, logExtent } from "./scales.ts";

type Row = Pick<
  MetricRow,
  "step" | "loss" | "shiftedLoss" | "gradNorm" | "shiftedGradNorm" | "cosine"
>;

/** A run that was watched. */
export interface SignalRun {
  readonly rows: readonly Row[];
  readonly verdict: VerdictName;
  readonly warning?: Warning | undefined;
}

const [width, height] = [860, 250];
const { vanishedRatio } = screenTolerances;

/** Panels below each other over the same steps, with the step of the warning in all of them. */
export function signalsFigure({ rows: given, verdict, warning }: SignalRun): Figure {
  const rows = thinned(given, width);
  const { color } = verdictMarks[verdict];
  const solid = { stroke: color, strokeWidth: 1.5 } as const;
  const dashed = { stroke: "currentColor", strokeDasharray: "4 3" } as const;
  const key = legend(
    [
      { words: "at x", line: solid },
      { words: "at x⁺", line: dashed },
    ],
    width,
  );
  const panel = (
    title: string,
    lines: readonly { readonly at: (row: Row) => number; readonly look: Plot.LineOptions }[],
    level: number | undefined,
    isLog: boolean,
  ): Plot.PlotOptions => {
    const values = lines.flatMap(({ at }) => rows.map(at));
    const log = logAxis(logExtent([...values, level ?? NaN]));
    const shown = (value: number) => (isLog ? isPositive(value) : Number.isFinite(value));
    return {
      width,
      height,
      ...margins,
      x: { label: "step" },
      y: isLog ? log.scale : { domain: [-1, 1], label: null, grid: true },
      marks: [
        isLog ? log.axis : null,
        head("", title, margins),
        level === undefined ? null : Plot.ruleY([level], { strokeDasharray: "2 4" }),
        ...lines.map(({ at, look }) =>
          Plot.line(
            rows.filter((row) => shown(at(row))),
            { x: "step", y: at, ...look },
          ),
        ),
        warning && Plot.ruleX([warning.step], { stroke: color, strokeOpacity: 0.6 }),
        warning &&
          Plot.text([`warned at step ${warning.step}`], {
            x: [warning.step],
            frameAnchor: "top",
            textAnchor: "start",
            dx: 5,
            dy: 4,
          }),
      ],
    };
  };
  const plots = [
    panel(
      "loss",
      [
        { at: (row) => row.loss, look: solid },
        { at: (row) => row.shiftedLoss, look: dashed },
      ],
      undefined,
      true,
    ),
    panel(
      "GradRatio ‖g⁺‖/‖g‖",
      [{ at: (row) => row.shiftedGradNorm / row.gradNorm, look: solid }],
      vanishedRatio,
      true,
    ),
    panel("cos(g, g⁺)", [{ at: (row) => row.cosine, look: solid }], 0, false),
  ];
  const top = titleHeight + key.height;
  return sheet({
    width,
    height: top + plots.length * height,
    title: "What the screen saw",
    panels: [
      { x: 4, y: titleHeight, plot: key.plot },
      ...plots.map((plot, i): Panel => ({ x: 0, y: top + i * height, plot })),
    ],
  });
}
