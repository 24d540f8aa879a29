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
  /** Of the line; default: ink, or the blue of minimizers where it is dashed. */
  readonly color?: string | undefined;
  /** Lengths of dashes and gaps of a dashed line, in pixels; default `2 4`. */
  readonly dash?: string | undefined;
}

/** What the right map shows, under which heading: values of a function, or which start ends where. */
export type RightMap = {
  readonly words: string;
  /** The way that a method takes; no arrows where it is absent. */
  readonly field?: readonly Arrow[] | undefined;
} & (
  | {
      /** `loss`: at the levels of the left map; `slope`: at levels and in colors of its own. */
      readonly of: "loss" | "slope";
      readonly value: (x: Point) => number;
    }
  | { readonly of: "basins"; readonly cells: BasinCells }
);

/** A branch of zeros of g⁺ that was followed in ρ. */
export interface PlaneBranch {
  readonly points: readonly { readonly x: Point; readonly rho: number }[];
  /** Where it turns back in ρ. */
  readonly folds: readonly { readonly x: Point; readonly rho: number }[];
  /** Where it is at the ρ of the maps, as often as it passes it. */
  readonly here: readonly Point[];
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
  /** The right map; default: what SAM sees, f(x⁺), and its way −g⁺. */
  readonly right?: RightMap | undefined;
  /** Zeros of g⁺ where g is none, on the right map. */
  readonly hallucinated?:
    readonly { readonly point: Point; readonly verdict: VerdictName }[] | undefined;
  /** On both maps. */
  readonly branch?: PlaneBranch | undefined;
  /** Where all paths start, as a ring on both maps. */
  readonly start?: Point | undefined;
}

/** Maps have colors of their own, so their ink is dark on every page. */
const ink = "#1a1a1a";
const levelCount = 11;
const shadesFrom = (lowest: Rgb): readonly string[] =>
  Array.from({ length: levelCount + 1 }, (_, i) => {
    const parts = lowest.map((low, k) => low + (((highest[k] as number) - low) * i) / levelCount);
    return `rgb(${parts.map(Math.round).join(",")})`;
  });
type Rgb = readonly [number, number, number];
const highest: Rgb = [251, 252, 255];
/** From low to high: of losses, and of slopes. */
const shades = { loss: shadesFrom([121, 168, 212]), slope: shadesFrom([178, 140, 188]) };

/** Width of a map in pixels. */
const mapWidth = 366;

/**
 * Two maps: f, and beside it f^SAM(x) = f(x⁺) at the same levels with the field −g⁺ that SAM
 * follows; or, in its place, another function or which start ends where. Both show the critical
 * points of f, the paths, and where SAM looked from the end of its path, x⁺.
 */
export function planeFigure({
  title,
  plane,
  rho,
  paths,
  view = plane.domain,
  spacing = 4,
  right = samMap(plane, rho, view, paths),
  hallucinated = [],
  branch,
  start,
}: PlaneFigureOptions): Figure {
  const [[west, east], [south, north]] = view;
  const width = mapWidth + margins.marginLeft + margins.marginRight;
  const mapHeight = (mapWidth * (north - south)) / (east - west);
  const height = mapHeight + margins.marginTop + margins.marginBottom;
  const key = legend(
    [
      ...[...new Map(paths.map((path) => [path.name, path]))].map(([words, path]) => ({
        words,
        line: pathStyle(path),
      })),
      ...(start ? [{ words: "start", ring: startStyle }] : []),
      ...(branch ? [{ words: "followed in ρ, ★ at this one", line: branchStyle }] : []),
      ...verdictEntries([
        ...plane.critical.map(({ kind }) => kind),
        ...hallucinated.map(({ verdict }) => verdict),
        ...paths.map(({ verdict }) => verdict),
      ]),
      ...(right.of === "basins" ? basinEntries([right.cells]) : []),
    ],
    2 * width - 24,
  );
  const over = [
    criticalPoints(plane, view),
    ...(branch ? branchMarks(branch, view) : []),
    ...paths.map((path) => pathLine(path, view)),
    ...paths.map(pathEnd),
    ...(start ? [Plot.dot([start], startStyle)] : []),
  ];
  const size = [width, height] as const;
  const levels = planeLevels(plane, view);
  const map = (words: string, value: (x: Point) => number, options: Partial<PlaneMap> = {}) =>
    planeMap({ words, value, field: [], levels, view, over, spacing, size, ...options });
  const rightPlot = (): Plot.PlotOptions => {
    const { words, field = [] } = right;
    // Curves of such points come as many: they must not hide the map.
    const found = verdictDots(
      hallucinated.filter(({ point }) => inside(point, view)),
      ({ verdict }) => verdict,
      {
        x: ({ point }) => point[0],
        y: ({ point }) => point[1],
        r: hallucinated.length > 24 ? 2 : 5,
      },
    );
    if (right.of === "basins") {
      // Colors of ends are darker than those of the loss.
      const halos = paths.map((path) => pathLine(path, view, { stroke: "white", strokeWidth: 5 }));
      const marks = [arrows(field), ...halos, found, ...over];
      return basinPlot({ words, cells: right.cells, view, over: marks, size });
    }
    const { of, value } = right;
    const own = of === "slope" ? { levels: levelsOf(value, view), shades: shades.slope } : {};
    return map(words, value, { field, ...own, over: [found, ...over] });
  };
  const y = titleHeight + key.height;
  return sheet({
    width: 2 * width,
    height: y + height,
    title,
    panels: [
      { x: 12, y: titleHeight, plot: key.plot },
      { x: 0, y, plot: map("The loss f(x)", plane.value) },
      { x: width, y, plot: rightPlot() },
    ],
  });
}

/** What SAM sees, by the closed forms of a plane. */
function samMap(plane: Plane, rho: number, view: View, paths: readonly PlanePath[]): RightMap {
  const starts = paths.flatMap(({ rows }) => {
    const [{ point } = {}] = rows;
    return point && Math.hypot(...point) > 0 ? [rho / Math.hypot(...point)] : [];
  });
  return {
    of: "loss",
    words: `What SAM sees: f(x⁺), ${radiusWords(rho, starts)}, and its way −g⁺`,
    value: (x) => plane.value(ascentPoint(plane, x, rho)),
    field: shiftedField(plane, rho, view, 15),
  };
}

/** One map of a plane. */
export interface PlaneMap {
  readonly words: string;
  readonly value: (x: Point) => number;
  readonly field: readonly Arrow[];
  /** Of the contours, ascending; equal levels on all maps of a sheet make them comparable. */
  readonly levels: readonly number[];
  /** Colors between levels, from low to high; default: those of losses. */
  readonly shades?: readonly string[] | undefined;
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
  const { words, value, field, levels, spacing, shades: colors = shades.loss } = map;
  const [[left, right], [bottom, top]] = map.view;
  // What is no number stays blank, and what is below all levels is then drawn as all else is.
  const isWhole = grid(map.view, 48, 48).every((x) => Number.isFinite(value(x)));
  return {
    width: map.size[0],
    height: map.size[1],
    ...margins,
    x: { domain: [left, right], label: "x₁", ticks: 7 },
    y: { domain: [bottom, top], label: null, ticks: 7 },
    color: { type: "threshold", domain: [...levels], range: [...colors] },
    length: { type: "identity" },
    marks: [
      head(words, "x₂", margins),
      Plot.frame({ fill: (isWhole ? colors[0] : colors.at(-1)) ?? null, stroke: null }),
      Plot.contour({
        x1: left,
        x2: right,
        y1: bottom,
        y2: top,
        fill: (x1: number, x2: number) => value([x1, x2]),
        thresholds: [...(isWhole ? [] : [-Number.MAX_VALUE]), ...levels],
        pixelSize: spacing,
      }),
      arrows(field),
      ...map.over,
      Plot.frame({ strokeOpacity: 0.4 }),
    ],
  };
}

/** Levels that divide the values of a plane in a view into classes of equal size. */
export const planeLevels = (plane: Plane, view: View): number[] => levelsOf(plane.value, view);

const levelsOf = (value: (x: Point) => number, view: View): number[] =>
  quantiles(
    grid(view, 48, 48).map((x) => value(x)),
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

const pathStyle = ({
  dashed = false,
  color = dashed ? verdictMarks.minimizer.color : ink,
  dash = "2 4",
}: PlanePath): Plot.LineOptions => ({
  stroke: color,
  strokeWidth: 2,
  ...(dashed && { strokeDasharray: dash }),
});

const startStyle = { r: 7, stroke: ink, strokeWidth: 2 };
const branchStyle = { stroke: "#8a5a00", strokeWidth: 3, strokeDasharray: "2 5" };

/** The way of a branch with the ρ of its ends and turns, and stars where it is at the ρ of the maps. */
function branchMarks({ points, folds, here }: PlaneBranch, view: View): Plot.Markish[] {
  const ends = [points[0], points.at(-1)].filter((end) => end !== undefined);
  const label = { x: ({ x }: Named) => x[0], y: ({ x }: Named) => x[1], dx: 9, fill: ink } as const;
  const text = { ...label, fontWeight: 600, textAnchor: "start", stroke: "white" } as const;
  const named = [
    ...folds.map(({ x, rho }) => ({ x, words: `turns at ρ = ${rho.toPrecision(3)}` })),
    ...ends.map(({ x, rho }) => ({ x, words: `ρ = ${rho.toPrecision(3)}` })),
  ].filter(({ x }) => inside(x, view));
  type Named = (typeof named)[number];
  const { stroke: fill } = branchStyle;
  return [
    Plot.line(
      points.map(({ x }) => (inside(x, view) ? x : [Number.NaN, Number.NaN])),
      branchStyle,
    ),
    Plot.text(named, { ...text, text: ({ words }: Named) => words, strokeWidth: 3 }),
    Plot.dot(
      here.filter((x) => inside(x, view)),
      { r: 6, symbol: "star", fill, stroke: "white" },
    ),
  ];
}

/** The path, cut where it leaves the view; points closer than a pixel to the one before are left out. */
function pathLine(
  path: PlanePath,
  view: View,
  style: Plot.LineOptions = pathStyle(path),
): Plot.Markish {
  const pixel = (view[0][1] - view[0][0]) / mapWidth;
  const points: Point[] = [];
  for (const { point } of path.rows) {
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
