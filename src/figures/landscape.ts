/** Figures of landscapes: the loss, and what SAM sees of it, on a line or a plane through a point. */
import * as Plot from "@observablehq/plot";
import type { VerdictName } from "../diagnostics/verdict.ts";
import { rounded } from "../engine/digits.ts";
import { head, margins, sheet, titleHeight, type Figure, type Panel } from "./figure.ts";
import { legend, verdictDots, verdictEntries } from "./legend.ts";
import { verdictMarks } from "./marks.ts";
import { logAxis, logExtent } from "./scales.ts";

/** A way through a landscape, in its coordinates. */
export interface LandscapePath {
  readonly name: string;
  readonly coordinates: readonly (readonly number[])[];
  /** Share of the path's variance that the axes keep, 0 to 1. */
  readonly kept: number;
}

/** A point of a landscape that has a name. */
export interface LandscapeMark {
  readonly name: string;
  readonly at: readonly number[];
  readonly verdict?: VerdictName | undefined;
}

/** What to draw of a landscape. */
export interface LandscapeData {
  /** Of which problem, at which point. */
  readonly title: string;
  readonly rho: number;
  /** ρ/‖x‖, where the point is known. */
  readonly relativeRho?: number | undefined;
  /** One name per axis; coordinates are distances in parameters. */
  readonly axes: readonly string[];
  /** What coordinates along each axis are, for its label: `distance`; default: labels say the name alone. */
  readonly units?: readonly string[] | undefined;
  /** Coordinates of the grid along each axis, ascending. */
  readonly ticks: readonly (readonly number[])[];
  /** Values in the order of the grid, the first axis running fastest. */
  readonly loss: readonly number[];
  readonly shiftedLoss: readonly number[];
  readonly gradNorm: readonly number[];
  readonly shiftedGradNorm?: readonly number[] | undefined;
  readonly cosine?: readonly number[] | undefined;
  readonly paths: readonly LandscapePath[];
  readonly marks: readonly LandscapeMark[];
}

/** One figure for lines and planes. */
export const landscapeFigure = (data: LandscapeData): Figure =>
  data.ticks.length === 1 ? lineFigure(data) : planesFigure(data);

const where = ({ rho, relativeRho }: LandscapeData) =>
  `ρ = ${rho}${relativeRho === undefined ? "" : `, ρ/‖x‖ = ${rounded(relativeRho, 2)}`}`;

/** The label of an axis: `along the gradient g, distance`. */
export const axisWords = ({ axes, units }: LandscapeData, k: number): string =>
  [`along ${axes[k] ?? ""}`, ...(units?.slice(k, k + 1) ?? [])].join(", ");

/** Low values dark, high ones light, and one hue, so that gray printing keeps the order. */
const [lowest, highest] = [
  [22, 62, 112],
  [252, 253, 255],
] as const;
const ink = "#1a1a1a";
const mapWidth = 366;

/** Colors for `count` classes in order. */
const shadesOf = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => {
    const part = count === 1 ? 0 : i / (count - 1);
    return `rgb(${lowest.map((low, k) => Math.round(low + ((highest[k] as number) - low) * part)).join(",")})`;
  });

/**
 * Contour levels that a reader can name: 1, 1.5, 2, 3, 5, 7 times powers of ten where values span
 * more than a factor of three, else equal and round steps. The highest twentieth of the values counts
 * as one class, because losses grow without bound on the rim.
 */
export function contourLevels(values: readonly number[]): number[] {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const [low, high] = [sorted[0] ?? 0, sorted[Math.floor(0.95 * (sorted.length - 1))] ?? 1];
  const between = (level: number) => level > low && level < high;
  if (low > 0 && high > 3 * low) {
    const decades = Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low));
    const factors = decades > 6 ? [1] : decades > 2 ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
    const levels: number[] = [];
    for (let exponent = Math.floor(Math.log10(low)); 10 ** exponent < high; exponent++) {
      levels.push(...factors.map((factor) => Number(`${factor}e${exponent}`)).filter(between));
    }
    if (levels.length >= 5) return levels;
  }
  const rough = (high - low) / 10;
  if (!(rough > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const levels: number[] = [];
  for (let i = Math.ceil(low / step); i * step < high; i++) {
    const level = Number((i * step).toPrecision(12));
    if (between(level)) levels.push(level);
  }
  return levels;
}

/** Opposed is orange, across is pale, alike is violet: told apart by color-blind people. */
const cosineShades = [
  "#b35806",
  "#e08214",
  "#fdb863",
  "#fee0b6",
  "#d8daeb",
  "#b2abd2",
  "#8073ac",
  "#542788",
];
const cosineLevels = [-0.9, -0.6, -0.3, 0, 0.3, 0.6, 0.9];

/** Maps of f and f(x⁺) at the same levels; below, where they are known, of GradRatio and the cosine. */
function planesFigure(data: LandscapeData): Figure {
  const [xs = [], ys = []] = data.ticks;
  const view = { x1: xs[0] ?? 0, x2: xs.at(-1) ?? 1, y1: ys[0] ?? 0, y2: ys.at(-1) ?? 1 };
  // Plot takes values to lie in the middle of cells, and ours lie on the corners.
  const [dx, dy] = [(view.x2 - view.x1) / (xs.length - 1), (view.y2 - view.y1) / (ys.length - 1)];
  const cells = {
    x1: view.x1 - dx / 2,
    x2: view.x2 + dx / 2,
    y1: view.y1 - dy / 2,
    y2: view.y2 + dy / 2,
  };
  const mapMargins = { ...margins, marginTop: 30, marginBottom: 46 };
  const width = mapWidth + margins.marginLeft + margins.marginRight;
  const mapHeight = Math.round((mapWidth * (view.y2 - view.y1)) / (view.x2 - view.x1));
  const height = mapHeight + mapMargins.marginTop + mapMargins.marginBottom;
  const verdicts = data.marks.flatMap(({ verdict }) => verdict ?? []);
  const key = legend(
    [
      ...data.paths.map(({ name, kept }, i) => ({
        words: `${name} (${Math.round(100 * kept)} % of its variance lies in this plane)`,
        line: pathStyle(i),
      })),
      ...verdictEntries(verdicts),
    ],
    2 * width - 24,
  );
  const map = (
    words: string,
    values: readonly number[],
    levels: readonly number[],
    range: readonly string[],
    heavy?: number,
  ): Plot.PlotOptions => ({
    width,
    height,
    ...mapMargins,
    x: { domain: [view.x1, view.x2], label: axisWords(data, 0), ticks: 7 },
    y: { domain: [view.y1, view.y2], label: null, ticks: 7 },
    color: { type: "threshold", domain: [...levels], range: [...range] },
    marks: [
      head(words, "", mapMargins),
      Plot.frame({ fill: range[0] ?? null, stroke: null }),
      Plot.contour(values, {
        ...cells,
        clip: true,
        width: xs.length,
        height: ys.length,
        fill: (value: number) => value,
        stroke: ink,
        strokeWidth: 0.4,
        strokeOpacity: 0.5,
        thresholds: [...levels],
      }),
      // Printed gray, two sides of a middle look alike: a line parts them.
      heavy === undefined
        ? null
        : Plot.contour(values, {
            ...cells,
            clip: true,
            width: xs.length,
            height: ys.length,
            fill: "none",
            stroke: ink,
            strokeWidth: 1.6,
            thresholds: [heavy],
          }),
      ...data.paths.map(({ coordinates }, i) =>
        Plot.line(clipped(coordinates, view), pathStyle(i)),
      ),
      ...data.marks
        .filter(
          ({ at: [x = 0, y = 0] }) => x >= view.x1 && x <= view.x2 && y >= view.y1 && y <= view.y2,
        )
        .map(markOf),
      Plot.frame({ strokeOpacity: 0.4 }),
    ],
  });
  const levels = contourLevels([...data.loss, ...data.shiftedLoss]);
  const shades = shadesOf(levels.length + 1);
  const scaleHeight = 44;
  let y =
    titleHeight +
    18 +
    (key.height > 22 || data.paths.length + verdicts.length > 0 ? key.height : 0);
  const panels: Panel[] = [
    {
      x: 12,
      y: titleHeight - 8,
      plot: lineOfText(`${where(data)}; ↑ ${axisWords(data, 1)}`, 2 * width - 24),
    },
    { x: 12, y: titleHeight + 14, plot: key.plot },
  ];
  const row = (
    maps: readonly (readonly [
      words: string,
      values: readonly number[],
      levels: readonly number[],
      shades: readonly string[],
      heavy?: number,
    ])[],
  ) => {
    maps.forEach(([words, values, at, range, heavy], i) => {
      panels.push({ x: i * width, y, plot: map(words, values, at, range, heavy) });
    });
    y += height;
    const same = maps.every(([, , at]) => at === maps[0]?.[2]);
    maps.forEach(([, , at, range], i) => {
      if (i > 0 && same) return;
      panels.push({ x: i * width, y, plot: colorKey(at, range, same ? 2 * width : width) });
    });
    y += scaleHeight;
  };
  row([
    ["The loss f", data.loss, levels, shades],
    ["What SAM sees: f at the ascent point", data.shiftedLoss, levels, shades],
  ]);
  if (data.shiftedGradNorm && data.cosine) {
    const ratio = data.shiftedGradNorm.map((value, i) => value / (data.gradNorm[i] ?? 0));
    const ratioLevels = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
    row([
      ["GradRatio ‖g⁺‖/‖g‖", ratio, ratioLevels, shadesOf(ratioLevels.length + 1)],
      ["Cosine between g and g⁺; heavy line: 0", data.cosine, cosineLevels, cosineShades, 0],
    ]);
  }
  return sheet({ width: 2 * width, height: y, title: data.title, panels });
}

/** One line of text as a panel. */
const lineOfText = (text: string, width: number): Plot.PlotOptions => ({
  width,
  height: 20,
  margin: 0,
  axis: null,
  marks: [Plot.text([text], { frameAnchor: "left" })],
});

/** Which shade means which values: a strip with the levels written between the classes. */
function colorKey(
  levels: readonly number[],
  shades: readonly string[],
  width: number,
): Plot.PlotOptions {
  const left = margins.marginLeft;
  const each = (width - left - margins.marginRight) / Math.max(1, shades.length);
  const strips = shades.map((shade, i) => ({
    shade,
    x1: left + i * each,
    x2: left + (i + 1) * each,
  }));
  const words = levels.map((level, i) => ({ x: left + (i + 1) * each, text: wordsOf(level) }));
  const widest = Math.max(...words.map(({ text }) => 6.5 * text.length + 6), 1);
  const every = Math.ceil(widest / each);
  return {
    width,
    height: 38,
    margin: 0,
    axis: null,
    x: { type: "identity" },
    y: { type: "identity" },
    marks: [
      Plot.rect(strips, {
        x1: "x1",
        x2: "x2",
        y1: 4,
        y2: 14,
        fill: "shade",
        stroke: ink,
        strokeOpacity: 0.3,
        strokeWidth: 0.5,
      }),
      Plot.text(
        words.filter((_, i) => i % every === 0),
        { x: "x", y: 24, text: "text" },
      ),
    ],
  };
}

const wordsOf = (level: number) =>
  level !== 0 && (Math.abs(level) < 1e-3 || Math.abs(level) >= 1e5)
    ? level.toExponential()
    : String(level);

/** Told apart by dash as well as by color. */
const pathStyle = (i: number): Plot.LineOptions => ({
  stroke: ["#c2185b", "#e69f00", "#009e73"][i % 3] ?? "#c2185b",
  strokeWidth: 2,
  strokeDasharray: ["", "6 3", "2 3"][i % 3] ?? "",
});

/** The path with breaks where it leaves the view. */
const clipped = (
  coordinates: readonly (readonly number[])[],
  { x1, x2, y1, y2 }: { x1: number; x2: number; y1: number; y2: number },
) =>
  coordinates.map(([x = 0, y = 0]) =>
    x >= x1 && x <= x2 && y >= y1 && y <= y2 ? [x, y] : [Number.NaN, Number.NaN],
  );

/** A named point: its verdict's mark, or a ring. */
function markOf({ name, at, verdict }: LandscapeMark): Plot.Markish {
  const place = [at as [number, number]];
  return [
    verdict
      ? verdictDots(place, () => verdict, { r: 6 })
      : Plot.dot(place, { r: 4.5, fill: "white", stroke: ink, strokeWidth: 2 }),
    Plot.text(place, {
      text: [name],
      dx: 10,
      dy: -10,
      fill: ink,
      fontWeight: "bold",
      stroke: "white",
      strokeWidth: 3,
      textAnchor: "start",
    }),
  ];
}

/** f and f(x⁺) along a line, and below the norms of both gradients. */
function lineFigure(data: LandscapeData): Figure {
  const [width, height] = [860, 300];
  const [xs = []] = data.ticks;
  const panelMargins = { ...margins, marginRight: 92 };
  const curves = (
    title: string,
    label: string,
    lines: readonly {
      readonly name: string;
      readonly color: string;
      readonly values: readonly number[];
    }[],
  ): Plot.PlotOptions => {
    const extent = logExtent(lines.flatMap(({ values }) => values));
    const positive = lines.every(({ values }) => values.every((value) => !(value <= 0)));
    const axis = positive ? logAxis(extent) : undefined;
    return {
      width,
      height,
      ...panelMargins,
      x: { label: axisWords(data, 0), domain: [xs[0] ?? 0, xs.at(-1) ?? 1], ticks: 8 },
      y: axis ? axis.scale : { label: null, grid: true, ticks: 5 },
      marks: [
        axis?.axis ?? null,
        head(title, `${label}: ${named(lines)}`, panelMargins),
        Plot.ruleX(
          data.marks.map(({ at }) => at[0] ?? 0),
          { strokeDasharray: "2 3", strokeOpacity: 0.5 },
        ),
        ...lines.map(({ color, values }, line) =>
          Plot.line(
            values.map((value, i) => [xs[i] ?? 0, value] as [number, number]),
            { stroke: color, strokeWidth: 2, strokeDasharray: line === 0 ? "" : "6 3" },
          ),
        ),
        ...endNames(lines, xs, extent, height - panelMargins.marginTop - panelMargins.marginBottom),
        Plot.text(data.marks, {
          x: ({ at }: LandscapeMark) => at[0] ?? 0,
          frameAnchor: "top",
          dy: -8,
          text: "name",
          fontWeight: "bold",
        }),
      ],
    };
  };
  const [blue, red] = [verdictMarks.minimizer.color, verdictMarks["near-hallucinated"].color];
  const panels: Panel[] = [
    { x: 12, y: titleHeight - 8, plot: lineOfText(where(data), width - 24) },
    {
      x: 0,
      y: titleHeight + 14,
      plot: curves("The loss, and what SAM sees of it", "loss", [
        { name: "f", color: blue, values: data.loss },
        { name: "f at p⁺", color: red, values: data.shiftedLoss },
      ]),
    },
    {
      x: 0,
      y: titleHeight + 14 + height,
      plot: curves("The gradient, and the one SAM follows", "norm", [
        { name: "‖g‖", color: blue, values: data.gradNorm },
        ...(data.shiftedGradNorm
          ? [{ name: "‖g⁺‖", color: red, values: data.shiftedGradNorm }]
          : []),
      ]),
    },
  ];
  return sheet({ width, height: titleHeight + 14 + 2 * height, title: data.title, panels });
}

/** `solid f, dashed f at p⁺` */
const named = (lines: readonly { readonly name: string }[]): string =>
  lines.map(({ name }, i) => `${i === 0 ? "solid" : "dashed"} ${name}`).join(", ");

/** Names at the right ends of lines, kept apart. */
function endNames(
  lines: readonly {
    readonly name: string;
    readonly color: string;
    readonly values: readonly number[];
  }[],
  xs: readonly number[],
  [low, high]: readonly [number, number],
  pixels: number,
): Plot.Markish[] {
  const place = (value: number) =>
    (pixels * Math.log(Math.max(value, low) / low)) / Math.log(high / low);
  let before = -Infinity;
  return lines
    .map((line) => ({ ...line, last: line.values.findLast(Number.isFinite) ?? low }))
    .sort((a, b) => a.last - b.last)
    .map(({ name, color, last }) => {
      const at = Math.max(place(last), before + 14);
      before = at;
      return Plot.text([[xs.at(-1) ?? 0, last]], {
        text: [name],
        dx: 8,
        dy: place(last) - at,
        textAnchor: "start",
        fill: color,
        fontWeight: "bold",
      });
    });
}
