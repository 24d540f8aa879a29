/** Maps of a plane: the function as it is, and as SAM sees it, with the paths of runs. */
import * as Plot from "@observablehq/plot";
import type { VerdictName } from "../diagnostics/verdict.ts";
import type { Plane, Point } from "../problems/problem.ts";
import { radiusWords } from "../run/radius.ts";
import { basinEntries, basinPlot, type BasinCells } from "./basins.ts";
import {
  ascentPoint,
  grid,
  inside,
  quantiles,
  shiftedField,
  type Arrow,
  type View,
} from "./field.ts";
import { head, margins, sheet, titleHeight, type Figure } from "./figure.ts";
import { legend, verdictDots, verdictEntries } from "./legend.ts";
import { verdictMarks } from "./marks.ts";

/** Where a run on a plane went. */
export interface PlanePath {
  /** In the legend, where paths of one name share an entry. */
  readonly name: string;
  /** Step by step; the last row is where the run ended. */
  readonly rows: readonly { readonly point?: Point; readonly ascentPoint?: Point }[];
  /** On where it ended. */
  readonly verdict: VerdictName;
  /** For runs shown for comparison: dashed, and without the ascent point. */
  readonly dashed?: boolean;
}

/** What to draw of a plane. */
export interface PlaneFigureOptions {
  readonly title: string;
  readonly plane: Plane;
  readonly rho: number;
  readonly paths: readonly PlanePath[];
  /** What to draw; default: the plane's domain. */
  readonly view?: View;
  /** Pixels between the points at which the maps are computed; default 4. */
  readonly spacing?: number;
  /** Which start ends where, on the right map in place of what SAM sees. */
  readonly basins?: (BasinCells & { readonly words: string }) | undefined;
}

/** Maps have colors of their own, so their ink is dark on every page. */
const ink = "#1a1a1a";
const [lowest, highest] = [
  [121, 168, 212],
  [251, 252, 255],
] as const;
const levelCount = 11;
const shades = Array.from({ length: levelCount + 1 }, (_, i) => {
  const parts = lowest.map((low, k) => low + (((highest[k] as number) - low) * i) / levelCount);
  return `rgb(${parts.map(Math.round).join(",")})`;
});

/** Width of a map in pixels. */
const mapWidth = 366;

/**
 * Two maps with contours at the same levels: f, and f^SAM(x) = f(x⁺) with the field −g⁺ that SAM
 * follows; or, in its place, which start ends where. Both show the critical points of f, the paths,
 * and where SAM looked from the end of its path, x⁺.
 */
export function planeFigure({
  title,
  plane,
  rho,
  paths,
  view = plane.domain,
  spacing = 4,
  basins,
}: PlaneFigureOptions): Figure {
  const [[left, right], [bottom, top]] = view;
  const width = mapWidth + margins.marginLeft + margins.marginRight;
  const mapHeight = (mapWidth * (top - bottom)) / (right - left);
  const height = mapHeight + margins.marginTop + margins.marginBottom;
  const key = legend(
    [
      ...[...new Map(paths.map(({ name, dashed }) => [name, dashed]))].map(([words, dashed]) => ({
        words,
        line: pathStyle(dashed),
      })),
      ...verdictEntries([
        ...plane.critical.map(({ kind }) => kind),
        ...paths.map(({ verdict }) => verdict),
      ]),
      ...(basins ? basinEntries([basins]) : []),
    ],
    2 * width - 24,
  );
  const levels = planeLevels(plane, view);
  const over = [
    criticalPoints(plane, view),
    ...paths.map((path) => pathLine(path, view)),
    ...paths.map(pathEnd),
  ];
  // Colors of ends are darker than those of the loss.
  const halos = paths.map((path) => pathLine(path, view, { stroke: "white", strokeWidth: 5 }));
  const size = [width, height] as const;
  const map = (words: string, value: (x: Point) => number, field: readonly Arrow[]) =>
    planeMap({ words, value, field, levels, view, over, spacing, size });
  const seen = () =>
    map(
      `What SAM sees: f(x⁺), ${radiusWords(rho, starts)}, and its way −g⁺`,
      (x) => plane.value(ascentPoint(plane, x, rho)),
      shiftedField(plane, rho, view, 15),
    );
  const y = titleHeight + key.height;
  const starts = paths.flatMap(({ rows }) => {
    const [{ point } = {}] = rows;
    return point && Math.hypot(...point) > 0 ? [rho / Math.hypot(...point)] : [];
  });
  return sheet({
    width: 2 * width,
    height: y + height,
    title,
    panels: [
      { x: 12, y: titleHeight, plot: key.plot },
      { x: 0, y, plot: map("The loss f(x)", plane.value, []) },
      {
        x: width,
        y,
        plot: basins
          ? basinPlot({ ...basins, cells: basins, view, over: [...halos, ...over], size })
          : seen(),
      },
    ],
  });
}

/** One map of a plane. */
export interface PlaneMap {
  readonly words: string;
  readonly value: (x: Point) => number;
  readonly field: readonly Arrow[];
  /** Of the contours, ascending; equal levels on all maps of a sheet make them comparable. */
  readonly levels: readonly number[];
  readonly view: View;
  /** What lies over the map: critical points, paths, curves. */
  readonly over: readonly Plot.Markish[];
  /** Pixels between the points at which the map is computed. */
  readonly spacing: number;
  /** Width and height in pixels, margins included. */
  readonly size: readonly [number, number];
}

/** A map of a function of two variables with contours, arrows, and what lies over them. */
export function planeMap(map: PlaneMap): Plot.PlotOptions {
  const { words, value, field, levels, spacing } = map;
  const [[left, right], [bottom, top]] = map.view;
  return {
    width: map.size[0],
    height: map.size[1],
    ...margins,
    x: { domain: [left, right], label: "x₁", ticks: 7 },
    y: { domain: [bottom, top], label: null, ticks: 7 },
    color: { type: "threshold", domain: [...levels], range: shades },
    length: { type: "identity" },
    marks: [
      head(words, "x₂", margins),
      Plot.frame({ fill: shades[0] ?? null, stroke: null }),
      Plot.contour({
        x1: left,
        x2: right,
        y1: bottom,
        y2: top,
        fill: (x1: number, x2: number) => value([x1, x2]),
        thresholds: [...levels],
        pixelSize: spacing,
      }),
      arrows(field),
      ...map.over,
      Plot.frame({ strokeOpacity: 0.4 }),
    ],
  };
}

/** Levels that divide the values of a plane in a view into classes of equal size. */
export const planeLevels = (plane: Plane, view: View): number[] =>
  quantiles(
    grid(view, 48, 48).map((x) => plane.value(x)),
    levelCount,
  );

/** Longest arrow, in pixels. */
const arrowLength = 16;

/** Arrows as long as the norm where it is below its median, and no longer. */
function arrows(field: readonly Arrow[]): Plot.Markish {
  const [median = 0] = quantiles(
    field.map(({ norm }) => norm),
    1,
  );
  return Plot.vector(field, {
    x: ({ at }: Arrow) => at[0],
    y: ({ at }: Arrow) => at[1],
    rotate: "angle",
    length: ({ norm }: Arrow) => arrowLength * Math.min(1, norm / median),
    anchor: "middle",
    stroke: ink,
    strokeOpacity: 0.5,
    strokeWidth: 1,
  });
}

/** Isolated critical points as marks, curves of them as lines, in the colors of their verdicts. */
export function criticalPoints({ critical }: Plane, view: View): Plot.Markish {
  const visible = critical.map((set) => ({
    ...set,
    points: set.points.filter((point) => inside(point, view)),
  }));
  return visible.map(({ kind, points }) =>
    points.length > 1
      ? Plot.line(points, { stroke: verdictMarks[kind].color, strokeWidth: 3 })
      : verdictDots(points, () => kind, { r: 6 }),
  );
}

const pathStyle = (dashed = false): Plot.LineOptions => ({
  stroke: dashed ? verdictMarks.minimizer.color : ink,
  strokeWidth: 2,
  ...(dashed && { strokeDasharray: "2 4" }),
});

/** The path, cut where it leaves the view; points closer than a pixel to the one before are left out. */
function pathLine(
  { rows, dashed }: PlanePath,
  view: View,
  style: Plot.LineOptions = pathStyle(dashed),
): Plot.Markish {
  const pixel = (view[0][1] - view[0][0]) / mapWidth;
  const points: Point[] = [];
  for (const { point } of rows) {
    const before = points.at(-1);
    if (point === undefined) continue;
    if (before && Math.hypot(point[0] - before[0], point[1] - before[1]) < pixel) continue;
    points.push(inside(point, view) ? point : [Number.NaN, Number.NaN]);
  }
  return Plot.line(points, style);
}

/** The verdict where the path ends, and an arrow to the point at which SAM looks from there. */
function pathEnd({ rows, verdict, dashed }: PlanePath): Plot.Markish {
  const { point, ascentPoint } = rows.at(-1) ?? {};
  if (point === undefined) return null;
  const mark = verdictDots([point], () => verdict, { r: 6 });
  if (ascentPoint === undefined || dashed) return mark;
  return [
    Plot.link([{ from: point, to: ascentPoint }], {
      x1: ({ from }) => from[0],
      y1: ({ from }) => from[1],
      x2: ({ to }) => to[0],
      y2: ({ to }) => to[1],
      stroke: verdictMarks[verdict].color,
      strokeWidth: 1.75,
      strokeDasharray: "6 4",
    }),
    Plot.dot([ascentPoint], {
      r: 4,
      fill: "white",
      stroke: verdictMarks[verdict].color,
      strokeWidth: 2,
    }),
    Plot.text([ascentPoint], { ...labelStyle, text: ["x⁺"] }),
    mark,
    Plot.text([point], { ...labelStyle, text: ["x"] }),
  ];
}

const labelStyle: Plot.TextOptions = {
  dx: -12,
  dy: -10,
  fill: ink,
  fontWeight: "bold",
  stroke: "white",
  strokeWidth: 3,
};
