/** What lies over a map: the way a method takes, critical and hallucinated points, paths, x and x⁺. */
import type { CriticalSet, Point } from "lucid-sam/problems";
import { placesAt } from "./branch.ts";
import type { Inks } from "./inks.ts";
import type { FollowedBranch, HallucinatedPoint } from "./protocol.ts";
import { aheadAt, entryAt, pointAt, type Course } from "./walk.ts";

export type View = readonly [Point, Point];

/** A run as it is drawn. */
export interface Drawn {
  readonly course: Course;
  readonly color: string;
  /** Lengths of dashes and gaps, in pixels of the page; empty: one line. */
  readonly dash: readonly number[];
}

export interface Overlay {
  readonly view: View;
  /** Pixels of the canvas per pixel of the page. */
  readonly ratio: number;
  readonly inks: Inks;
  /** Direction of the next step at points, where arrows are drawn. */
  readonly field?: readonly { readonly at: Point; readonly to: Point }[] | undefined;
  readonly critical: readonly CriticalSet[];
  readonly hallucinated: readonly HallucinatedPoint[];
  readonly branch?: FollowedBranch | undefined;
  /** The radius at which the branch is marked. */
  readonly rho: number;
  readonly runs: readonly Drawn[];
  readonly step: number;
  readonly start: Point;
}

export type Shape = "circle" | "plus" | "triangle down" | "star" | "diamond" | "triangle up";

/** The shape of every kind of point; the same as in the figures. */
export const shapes: {
  readonly [Kind in CriticalSet["kind"] | HallucinatedPoint["kind"]]: Shape;
} = {
  minimizer: "circle",
  saddle: "plus",
  maximizer: "triangle down",
  "hallucinated-minimizer": "star",
  "hallucinated-saddle": "diamond",
  "hallucinated-maximizer": "triangle up",
};

/** The outline of a shape around (0, 0). */
function outline(context: CanvasRenderingContext2D, shape: Shape, r: number): void {
  const polygon = (corners: number, radii: readonly number[], turn: number) => {
    for (let i = 0; i < corners; i++) {
      const angle = turn + (2 * Math.PI * i) / corners;
      const radius = r * (radii[i % radii.length] ?? 1);
      context[i === 0 ? "moveTo" : "lineTo"](radius * Math.sin(angle), -radius * Math.cos(angle));
    }
    context.closePath();
  };
  context.beginPath();
  switch (shape) {
    case "circle":
      context.arc(0, 0, 0.85 * r, 0, 2 * Math.PI);
      break;
    case "plus":
      for (const [i, [x, y]] of (
        [
          [-0.3, -1],
          [0.3, -1],
          [0.3, -0.3],
          [1, -0.3],
          [1, 0.3],
          [0.3, 0.3],
          [0.3, 1],
          [-0.3, 1],
          [-0.3, 0.3],
          [-1, 0.3],
          [-1, -0.3],
          [-0.3, -0.3],
        ] as const
      ).entries()) {
        context[i === 0 ? "moveTo" : "lineTo"](r * x, r * y);
      }
      context.closePath();
      break;
    case "triangle down":
      polygon(3, [1.1], Math.PI);
      break;
    case "triangle up":
      polygon(3, [1.1], 0);
      break;
    case "star":
      polygon(10, [1.25, 0.52], 0);
      break;
    case "diamond":
      polygon(4, [0.8, 1.2], Math.PI / 2);
      break;
  }
}

/** A mark with a halo, `r` in pixels of the canvas. */
function drawMark(
  context: CanvasRenderingContext2D,
  shape: Shape,
  [x, y]: Point,
  r: number,
  color: string,
  halo: string,
): void {
  context.save();
  context.translate(x, y);
  outline(context, shape, r);
  context.lineJoin = "round";
  context.lineWidth = Math.max(1.5, 0.45 * r);
  context.strokeStyle = halo;
  context.stroke();
  context.fillStyle = color;
  context.fill();
  context.restore();
}

/** Draw everything that lies over a map. */
export function drawOverlay(context: CanvasRenderingContext2D, overlay: Overlay): void {
  const { view, ratio, inks } = overlay;
  const [[left, right], [bottom, top]] = view;
  const { width, height } = context.canvas;
  const pixel = ([x1, x2]: Point): Point => [
    ((x1 - left) / (right - left)) * width,
    ((top - x2) / (top - bottom)) * height,
  ];
  context.lineCap = "round";
  context.lineJoin = "round";
  drawField(context, overlay, pixel);
  drawCritical(context, overlay, pixel);
  drawBranch(context, overlay, pixel);
  // Curves of them come as many points: they must not hide the map.
  const size = overlay.hallucinated.length > 24 ? 2.8 : 6;
  for (const { point, kind } of overlay.hallucinated) {
    drawMark(context, shapes[kind], pixel(point), size * ratio, inks.hallucinated, inks.halo);
  }
  for (const run of overlay.runs.toReversed()) drawPath(context, overlay, run, pixel);
  const [first] = overlay.runs;
  for (const run of overlay.runs.toReversed()) {
    const k = entryAt(run.course, overlay.step);
    if (run.course.count === 0) continue;
    if (run === first) drawLook(context, overlay, run.course, k, pixel, run.color);
    const [x, y] = pixel(pointAt(run.course, k));
    context.beginPath();
    context.arc(x, y, 5.5 * ratio, 0, 2 * Math.PI);
    context.fillStyle = run.color;
    context.fill();
    context.lineWidth = 2 * ratio;
    context.strokeStyle = inks.halo;
    context.stroke();
  }
  const [x, y] = pixel(overlay.start);
  context.beginPath();
  context.arc(x, y, 8 * ratio, 0, 2 * Math.PI);
  stroke(context, overlay, inks.ink, 2);
}

/** A line in a color over a wider one of the halo's. */
function stroke(
  context: CanvasRenderingContext2D,
  { ratio, inks }: Overlay,
  color: string,
  width: number,
  dash: readonly number[] = [],
): void {
  context.setLineDash([]);
  context.strokeStyle = inks.halo;
  context.lineWidth = (width + 2) * ratio;
  context.globalAlpha = 0.75;
  context.stroke();
  context.globalAlpha = 1;
  context.setLineDash(dash.map((length) => length * ratio));
  context.strokeStyle = color;
  context.lineWidth = width * ratio;
  context.stroke();
  context.setLineDash([]);
}

/** Arrows as long as the step where it is short, and no longer than their cell. */
function drawField(
  context: CanvasRenderingContext2D,
  { field, ratio, inks }: Overlay,
  pixel: (x: Point) => Point,
): void {
  if (field === undefined || field.length === 0) return;
  context.beginPath();
  for (const { at, to } of field) {
    const [x, y] = pixel(at);
    const [u, v] = pixel(to);
    if (!Number.isFinite(u) || !Number.isFinite(v)) continue;
    const length = Math.hypot(u - x, v - y);
    if (length < 0.5) {
      context.moveTo(x, y);
      context.lineTo(x, y);
      continue;
    }
    const [a, b] = [(u - x) / length, (v - y) / length];
    const tip = Math.min(0.4 * length, 4 * ratio);
    context.moveTo(x - (u - x) / 2, y - (v - y) / 2);
    const [ex, ey] = [x + (u - x) / 2, y + (v - y) / 2];
    context.lineTo(ex, ey);
    context.lineTo(ex - tip * (a + 0.55 * b), ey - tip * (b - 0.55 * a));
    context.moveTo(ex, ey);
    context.lineTo(ex - tip * (a - 0.55 * b), ey - tip * (b + 0.55 * a));
  }
  context.strokeStyle = inks.ink;
  context.globalAlpha = 0.5;
  context.lineWidth = 1.1 * ratio;
  context.stroke();
  context.globalAlpha = 1;
}

/** Isolated critical points as marks, curves of them as lines with marks at both ends. */
function drawCritical(
  context: CanvasRenderingContext2D,
  overlay: Overlay,
  pixel: (x: Point) => Point,
): void {
  const { critical, ratio, inks } = overlay;
  for (const { kind, points, source } of critical) {
    const color = kind === "minimizer" ? inks.minimizer : inks.critical;
    // Points that were searched for have no order along their curve.
    const isCurve = points.length > 1 && !source.startsWith("Newton");
    if (isCurve) {
      context.beginPath();
      for (const [i, point] of points.entries()) {
        context[i === 0 ? "moveTo" : "lineTo"](...pixel(point));
      }
      stroke(context, overlay, color, 3);
      continue;
    }
    for (const point of points) {
      const size = points.length > 1 ? 3.5 : 7;
      drawMark(context, shapes[kind], pixel(point), size * ratio, color, inks.halo);
    }
  }
}

function drawBranch(
  context: CanvasRenderingContext2D,
  overlay: Overlay,
  pixel: (x: Point) => Point,
): void {
  const { branch, rho, ratio, inks } = overlay;
  if (branch === undefined) return;
  context.beginPath();
  for (const [i, { x }] of branch.points.entries()) {
    context[i === 0 ? "moveTo" : "lineTo"](...pixel(x));
  }
  stroke(context, overlay, inks.branch, 3, [2, 5]);
  context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const label = (text: string, at: Point) => {
    const [x, y] = pixel(at);
    context.textAlign = x > 0.75 * context.canvas.width ? "right" : "left";
    const shift = context.textAlign === "left" ? 9 * ratio : -9 * ratio;
    context.lineWidth = 3 * ratio;
    context.strokeStyle = inks.halo;
    context.strokeText(text, x + shift, y);
    context.fillStyle = inks.ink;
    context.fillText(text, x + shift, y);
  };
  for (const { x, rho: own } of branch.folds) {
    drawMark(context, "diamond", pixel(x), 5 * ratio, inks.branch, inks.halo);
    label(`turns at ρ = ${own.toPrecision(3)}`, x);
  }
  const ends = [branch.points[0], branch.points.at(-1)];
  for (const end of ends) if (end) label(`ρ = ${end.rho.toPrecision(3)}`, end.x);
  for (const at of placesAt(branch, rho)) {
    drawMark(context, "star", pixel(at), 7 * ratio, inks.branch, inks.halo);
  }
}

function drawPath(
  context: CanvasRenderingContext2D,
  overlay: Overlay,
  { course, color, dash }: Drawn,
  pixel: (x: Point) => Point,
): void {
  const { ratio, step } = overlay;
  if (course.count === 0) return;
  const end = entryAt(course, step);
  // What is still ahead is there, but faint.
  for (const [from, to, alpha] of [
    [end, course.count - 1, 0.3],
    [0, end, 1],
  ] as const) {
    if (to <= from) continue;
    context.beginPath();
    let before = pixel(pointAt(course, from));
    context.moveTo(...before);
    for (let k = from + 1; k <= to; k++) {
      const next = pixel(pointAt(course, k));
      // Steps shorter than half a pixel of the page would only cost time.
      const near = Math.abs(next[0] - before[0]) + Math.abs(next[1] - before[1]) < 0.5 * ratio;
      if (near && k < to) continue;
      context.lineTo(...next);
      before = next;
    }
    if (alpha === 1) stroke(context, overlay, color, 2.5, dash);
    else {
      context.globalAlpha = alpha;
      context.setLineDash(dash.map((length) => length * ratio));
      context.strokeStyle = color;
      context.lineWidth = 1.5 * ratio;
      context.stroke();
      context.setLineDash([]);
      context.globalAlpha = 1;
    }
  }
}

/** The line from x to x⁺, where the method looks. */
function drawLook(
  context: CanvasRenderingContext2D,
  overlay: Overlay,
  course: Course,
  k: number,
  pixel: (x: Point) => Point,
  color: string,
): void {
  const { ratio, inks } = overlay;
  const [x, ahead] = [pixel(pointAt(course, k)), pixel(aheadAt(course, k))];
  if (!ahead.every(Number.isFinite) || Math.hypot(ahead[0] - x[0], ahead[1] - x[1]) < 2) return;
  context.beginPath();
  context.moveTo(...x);
  context.lineTo(...ahead);
  stroke(context, overlay, color, 1.75, [6, 5]);
  context.beginPath();
  context.arc(...ahead, 5 * ratio, 0, 2 * Math.PI);
  context.fillStyle = inks.halo;
  context.fill();
  context.lineWidth = 2 * ratio;
  context.strokeStyle = color;
  context.stroke();
  context.font = `700 ${13 * ratio}px system-ui, sans-serif`;
  context.textAlign = ahead[0] > context.canvas.width - 30 * ratio ? "right" : "left";
  context.textBaseline = "bottom";
  const shift = context.textAlign === "left" ? 7 * ratio : -7 * ratio;
  context.lineWidth = 3 * ratio;
  context.strokeStyle = inks.halo;
  context.strokeText("x⁺", ahead[0] + shift, ahead[1] - 3 * ratio);
  context.fillStyle = inks.ink;
  context.fillText("x⁺", ahead[0] + shift, ahead[1] - 3 * ratio);
}
