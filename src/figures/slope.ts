/** The loss along the line on which SAM looks ahead, and how steep it is at both of its ends. */
import * as Plot from "@observablehq/plot";
import type { Profile } from "../diagnostics/profile.ts";
import type { VerdictName } from "../diagnostics/verdict.ts";
import { head, margins, sheet, titleHeight, type Figure } from "./figure.ts";
import { verdictMarks } from "./marks.ts";

/** Room above the curve for the names of the two points. */
const top = { ...margins, marginTop: 66 };

/** f(x + tu) against t: x and x⁺ are marked, each with the slope there. */
export function slopeFigure(
  { rho, points, slope, shiftedSlope }: Profile,
  verdict: VerdictName,
): Figure {
  const [width, height] = [860, 320];
  const { color } = verdictMarks[verdict];
  const lossAt = (distance: number) =>
    points.find((point) => point.distance === distance)?.loss ?? NaN;
  const ends = [
    { name: "x", distance: 0, loss: lossAt(0), slope },
    { name: "x⁺", distance: rho, loss: lossAt(rho), slope: shiftedSlope },
  ];
  const losses = points.map(({ loss }) => loss);
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const room = 0.08 * (high - low) || 1;
  return sheet({
    width,
    height: titleHeight + height,
    title: "The loss along the line on which SAM looks ahead",
    panels: [
      {
        x: 0,
        y: titleHeight,
        plot: {
          width,
          height,
          ...top,
          x: { label: "distance from x in the direction of the gradient", ticks: 8 },
          y: { domain: [low - room, high + room], label: null, ticks: 5, grid: true },
          marks: [
            head("", "loss f", top),
            Plot.line(points, { x: "distance", y: "loss" }),
            Plot.ruleX(ends, { x: "distance", strokeDasharray: "2 3", strokeOpacity: 0.5 }),
            Plot.link(ends, {
              x1: (end: (typeof ends)[number]) => end.distance - rho / 5,
              x2: (end: (typeof ends)[number]) => end.distance + rho / 5,
              y1: (end: (typeof ends)[number]) => end.loss - (end.slope * rho) / 5,
              y2: (end: (typeof ends)[number]) => end.loss + (end.slope * rho) / 5,
              stroke: color,
              strokeWidth: 2,
              clip: true,
            }),
            Plot.dot(ends, { x: "distance", y: "loss", r: 4.5, fill: color }),
            Plot.text(ends, {
              x: "distance",
              frameAnchor: "top",
              dy: -10,
              text: (end: (typeof ends)[number]) =>
                `${end.name}: slope ${Number(end.slope.toPrecision(3))}`,
            }),
          ],
        },
      },
    ],
  });
}
