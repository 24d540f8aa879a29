/** Figures of constructions: how a hallucinated point is built, from a maximizer or on a sphere. */
import * as Plot from "@observablehq/plot";
import type { Plane, Point } from "../problems/problem.ts";
import type { View } from "./field.ts";
import { margins, sheet, titleHeight, type Figure } from "./figure.ts";
import { legend, verdictDots } from "./legend.ts";
import { verdictMarks } from "./marks.ts";
import { criticalPoints, planeLevels, planeMap } from "./plane.ts";

/** A point, the way to its ascent point, and what else explains it. */
export interface ConstructionPanel {
  readonly words: string;
  readonly plane: Plane;
  readonly view: View;
  /** x, whose ascent point is `center`. */
  readonly x: Point;
  readonly center: Point;
  readonly attracts: boolean;
  /** The contour f = level, drawn heavily; only the piece around this point. */
  readonly levelSet?: { readonly level: number; readonly around: Point; readonly reach: number };
  /** Draw the sphere around the center through x. */
  readonly sphere?: boolean;
}

const wall = "#1a1a1a";
const ink = "#1a1a1a";

/** Two constructions side by side. */
export function constructionFigure(title: string, panels: readonly ConstructionPanel[]): Figure {
  const mapWidth = 366;
  const width = mapWidth + margins.marginLeft + margins.marginRight;
  const mapHeight = 300;
  const height = mapHeight + margins.marginTop + margins.marginBottom;
  const verdict = (attracts: boolean) =>
    attracts ? ("hallucinated-minimizer" as const) : ("hallucinated-saddle" as const);
  const kinds = [...new Set(panels.flatMap(({ plane }) => plane.critical.map(({ kind }) => kind)))];
  const key = legend(
    [
      ...kinds.map((kind) => ({ verdict: kind })),
      { words: "level set, or sphere of radius ρ", line: { stroke: wall, strokeWidth: 2 } },
      { words: "from x to x⁺", line: wayStyle },
    ],
    2 * width - 24,
  );
  return sheet({
    width: 2 * width,
    height: titleHeight + key.height + height,
    title,
    panels: [
      { x: 12, y: titleHeight, plot: key.plot },
      ...panels.map((panel, i) => {
        const { plane, view, x, center, levelSet, sphere, attracts } = panel;
        const [[left, right], [bottom, top]] = view;
        const rho = Math.hypot(x[0] - center[0], x[1] - center[1]);
        const over: Plot.Markish[] = [
          levelSet
            ? Plot.contour({
                x1: left,
                x2: right,
                y1: bottom,
                y2: top,
                // Only the component around the maximizer: elsewhere the function is sunk below the level.
                value: (a: number, b: number) =>
                  Math.hypot(a - levelSet.around[0], b - levelSet.around[1]) < levelSet.reach
                    ? plane.value([a, b])
                    : levelSet.level - 1,
                thresholds: [levelSet.level],
                stroke: wall,
                strokeWidth: 2,
                fill: "none",
                pixelSize: 1,
              })
            : null,
          sphere
            ? Plot.line(
                Array.from({ length: 181 }, (_, k) => [
                  center[0] + rho * Math.cos((2 * Math.PI * k) / 180),
                  center[1] + rho * Math.sin((2 * Math.PI * k) / 180),
                ]),
                { stroke: wall, strokeWidth: 2, clip: true },
              )
            : null,
          Plot.link([{ from: x, to: center }], {
            x1: ({ from }) => from[0],
            y1: ({ from }) => from[1],
            x2: ({ to }) => to[0],
            y2: ({ to }) => to[1],
            ...wayStyle,
          }),
          criticalPoints(plane, view),
          verdictDots([x], () => verdict(attracts), { r: 6 }),
          // Each name on the side that points away from the other.
          ...[
            { at: x, text: "x", side: x[0] < center[0] ? -1 : 1 },
            { at: center, text: "x⁺", side: x[0] < center[0] ? 1 : -1 },
          ].map(({ at, text, side }) =>
            Plot.text([at], {
              text: [text],
              dx: 13 * side,
              dy: -12,
              fill: ink,
              fontWeight: "bold",
              stroke: "white",
              strokeWidth: 3,
            }),
          ),
        ];
        return {
          x: i * width,
          y: titleHeight + key.height,
          plot: planeMap({
            words: panel.words,
            value: plane.value,
            field: [],
            levels: planeLevels(plane, view),
            view,
            over,
            spacing: 3,
            size: [width, height],
          }),
        };
      }),
    ],
  });
}

const wayStyle: Plot.LineOptions = {
  stroke: verdictMarks["hallucinated-minimizer"].color,
  strokeWidth: 2,
  strokeDasharray: "6 4",
};
