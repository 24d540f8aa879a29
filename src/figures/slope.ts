/** The figure of the loss along the line on which SAM looks ahead, with its slope at both ends. */
import { rounded } from "../engine/digits.ts";
import * as Plot from "@observablehq/plot";
import type { Profile } from "../diagnostics/point/profile.ts";
import type { VerdictName } from "../diagnostics/verdict.ts";
import { head, margins, sheet, titleHeight, type Figure } from "./figure.ts";
import { verdictMarks } from "./marks.ts";

/** Room above the curve for the names of the two points. */
const top = { ...margins, marginTop: 66 };

/** f(x + tu) against t: x and x⁺ are marked, each with the slope there. */
export function slopeFigure(
  { rho, relativeRho, points, loss, shiftedLoss, slope, shiftedSlope }: Profile,
  verdict: VerdictName,
): Figure {
  const [width, height] = [860, 320];
  const { color } = verdictMarks[verdict];
  /** One of the two points, and the line through it that has its slope. */
  const end = (name: string, x: number, y: number, slope: number) => {
    const half = rho / 5;
    const [x1, x2, y1, y2] = [x - half, x + half, y - slope * half, y + slope * half];
    return { x, y, x1, x2, y1, y2, text: `${name}: slope ${rounded(slope, 3)}` };
  };
  const ends = [end("x", 0, loss, slope), end("x⁺", rho, shiftedLoss, shiftedSlope)];
  const losses = points.map(({ loss }) => loss);
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const room = 0.08 * (high - low) || 1;
  return sheet({
    width,
    height: titleHeight + height,
    title: `The loss along the line on which SAM looks ahead: ρ = ${rounded(rho, 4)}${
      Number.isFinite(relativeRho) ? `, ρ/‖x‖ = ${rounded(relativeRho, 2)}` : ""
    }`,
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
            Plot.ruleX(ends, { x: "x", strokeDasharray: "2 3", strokeOpacity: 0.5 }),
            Plot.link(ends, {
              x1: "x1",
              x2: "x2",
              y1: "y1",
              y2: "y2",
              stroke: color,
              strokeWidth: 2,
              clip: true,
            }),
            Plot.dot(ends, { x: "x", y: "y", r: 4.5, fill: color }),
            Plot.text(ends, { x: "x", frameAnchor: "top", dy: -10, text: "text" }),
          ],
        },
      },
    ],
  });
}
