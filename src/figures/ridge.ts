/** The figures of Park et al. 2025 on a plane: what SAM sees of it as ρ grows, and which start ends where. */
import * as Plot from "@observablehq/plot";
import type { Plane, Point } from "../problems/problem.ts";
import { radiusWords } from "../run/radius.ts";
import { basinEntries, basinPlot, type BasinCells } from "./basins.ts";
import { ascentPoint, inside, shiftedField, type View } from "./field.ts";
import { head, margins, sheet, titleHeight, type Figure } from "./figure.ts";
import { legend } from "./legend.ts";
import { verdictMarks } from "./marks.ts";
import { criticalPoints, planeLevels, planeMap } from "./plane.ts";

/** A zero of g⁺ where g is not zero, at one radius. Curves of them come as many. */
export interface HallucinatedPoint {
  readonly at: Point;
  /** Whether SAM is drawn there: no eigenvalue of H⁺M has a negative real part. */
  readonly attracts: boolean;
}

/** What SAM sees of a plane at one radius. */
export interface RadiusView {
  readonly rho: number;
  readonly hallucinated: readonly HallucinatedPoint[];
}

const attracting = { stroke: verdictMarks["hallucinated-minimizer"].color, strokeWidth: 3 };
const repelling = {
  stroke: verdictMarks["hallucinated-saddle"].color,
  strokeWidth: 2.5,
  strokeDasharray: "5 3",
};

/** Points close to each other make a line to the eye. */
const drawn = (points: readonly HallucinatedPoint[], view: View): Plot.Markish =>
  Plot.dot(
    points.filter(({ at }) => inside(at, view)),
    {
      x: ({ at }: HallucinatedPoint) => at[0],
      y: ({ at }: HallucinatedPoint) => at[1],
      r: ({ attracts }: HallucinatedPoint) => (attracts ? 2.2 : 3),
      symbol: ({ attracts }: HallucinatedPoint) => (attracts ? "circle" : "diamond"),
      fill: ({ attracts }: HallucinatedPoint) => (attracts ? attracting : repelling).stroke,
    },
  );

/**
 * Figures 1 and 10: the loss, and beside it what SAM sees of it at several radii, f(x⁺) with its way
 * −g⁺, all at the same levels; the minimizers of f, and where g⁺ vanishes although g does not.
 */
export function radiiFigure(
  title: string,
  plane: Plane,
  radii: readonly RadiusView[],
  view: View = plane.domain,
): Figure {
  const [[left, right], [bottom, top]] = view;
  const columns = 3;
  const mapWidth = 250;
  const width = mapWidth + margins.marginLeft + margins.marginRight;
  const height =
    Math.round((mapWidth * (top - bottom)) / (right - left)) +
    margins.marginTop +
    margins.marginBottom;
  const levels = planeLevels(plane, view);
  const kinds = [...new Set(plane.critical.map(({ kind }) => kind))];
  const key = legend(
    [
      ...kinds.map((verdict) => ({ verdict })),
      { words: "g⁺ = 0 where g ≠ 0: SAM is drawn there", line: attracting },
      { words: "g⁺ = 0 where g ≠ 0: SAM is pushed away", line: repelling },
    ],
    columns * width - 24,
  );
  const maps = [undefined, ...radii];
  const y = titleHeight + key.height;
  return sheet({
    width: columns * width,
    height: y + Math.ceil(maps.length / columns) * height,
    title,
    panels: [
      { x: 12, y: titleHeight, plot: key.plot },
      ...maps.map((at, i) => ({
        x: (i % columns) * width,
        y: y + Math.floor(i / columns) * height,
        plot: planeMap({
          words:
            at === undefined
              ? "The loss f"
              : `f(x⁺) and −g⁺ at ${radiusWords(at.rho, [at.rho / Math.hypot(...plane.start)])}`,
          value: at === undefined ? plane.value : (x) => plane.value(ascentPoint(plane, x, at.rho)),
          field: shiftedField(plane, at?.rho ?? 0, view, 11),
          levels,
          view,
          over: [criticalPoints(plane, view), drawn(at?.hallucinated ?? [], view)],
          spacing: 4,
          size: [width, height],
        }),
      })),
    ],
  });
}

/** Where the hallucinated curve crosses a height, at one radius. */
export interface Crossing {
  readonly rho: number;
  /** x₂. */
  readonly height: number;
  /** x₁ of the curve. */
  readonly x1: number;
  readonly attracts: boolean;
}

/** Figure 10, second part: the curve on the far side drifts outward with ρ, and meets the minimizers at one. */
export function driftFigure(
  title: string,
  crossings: readonly Crossing[],
  meets: { readonly rho: number; readonly x1: number },
): Figure {
  const [width, height] = [860, 340];
  const heights = [...new Set(crossings.map(({ height }) => height))];
  const dashes = ["", "6 3", "2 3", "8 3 2 3"];
  const style = (i: number) => ({
    stroke: attracting.stroke,
    strokeWidth: 2,
    strokeDasharray: dashes[i % dashes.length] ?? "",
  });
  const key = legend(
    heights.map((height, i) => ({ words: `at x₂ = ${height}`, line: style(i) })),
    width - 24,
  );
  return sheet({
    width,
    height: titleHeight + key.height + height,
    title,
    panels: [
      { x: 12, y: titleHeight, plot: key.plot },
      {
        x: 0,
        y: titleHeight + key.height,
        plot: {
          width,
          height,
          ...margins,
          x: { label: "ρ", ticks: 10 },
          y: { label: null, ticks: 6, grid: true },
          marks: [
            head("Where SAM is drawn to", "x₁", margins),
            Plot.ruleY([meets.x1], { stroke: verdictMarks.minimizer.color, strokeWidth: 2 }),
            Plot.text([`minimizers of f, x₁ = ${meets.x1}`], {
              frameAnchor: "left",
              y: meets.x1,
              dx: 6,
              dy: -9,
              fill: verdictMarks.minimizer.color,
            }),
            ...heights.map((height, i) =>
              Plot.line(
                crossings.filter((crossing) => crossing.height === height),
                { x: "rho", y: "x1", ...style(i) },
              ),
            ),
            Plot.ruleX([meets.rho], { strokeDasharray: "2 3", strokeOpacity: 0.6 }),
            Plot.text([`ρ = ${meets.rho}: the same points`], {
              x: meets.rho,
              frameAnchor: "top",
              dx: -6,
              dy: 8,
              textAnchor: "end",
            }),
          ],
        },
      },
    ],
  });
}

/** Where runs ended at one radius. */
export interface BasinMap extends BasinCells {
  readonly rho: number;
}

/** Figure 11: which start ends where, a map per radius; the step budget is part of what is said. */
export function basinFigure(
  title: string,
  plane: Plane,
  maps: readonly BasinMap[],
  steps: number,
  learningRate: number,
  view: View = plane.domain,
): Figure {
  const [[left, right], [bottom, top]] = view;
  const columns = 3;
  const mapWidth = 250;
  const width = mapWidth + margins.marginLeft + margins.marginRight;
  const mapHeight = Math.round((mapWidth * (top - bottom)) / (right - left));
  const height = mapHeight + margins.marginTop + margins.marginBottom;
  const key = legend(basinEntries(maps), columns * width - 24);
  const y = titleHeight + key.height;
  return sheet({
    width: columns * width,
    height: y + Math.ceil(maps.length / columns) * height,
    title: `${title} after ${steps.toLocaleString("en-US")} steps of η = ${learningRate}`,
    panels: [
      { x: 12, y: titleHeight, plot: key.plot },
      ...maps.map((map, i) => ({
        x: (i % columns) * width,
        y: y + Math.floor(i / columns) * height,
        plot: basinPlot({
          words: map.rho === 0 ? "Gradient descent" : `SAM, ρ = ${map.rho}`,
          cells: map,
          view,
          over: [criticalPoints(plane, view)],
          size: [width, height],
        }),
      })),
    ],
  });
}
