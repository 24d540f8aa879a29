/** Figures 1, 10 and 11: what SAM sees of a plane as ρ grows, and which start ends where. */
import { rounded } from "../engine/digits.ts";
import { searchPlane } from "../diagnostics/search/plane-search.ts";
import { basinClasses } from "../figures/basins.ts";
import { ascentPoint } from "../figures/field.ts";
import {
  basinFigure,
  driftFigure,
  radiiFigure,
  type BasinMap,
  type Crossing,
  type HallucinatedPoint,
  type RadiusView,
} from "../figures/ridge.ts";
import { ridge } from "../problems/planes/index.ts";
import type { Plane, Point } from "../problems/problem.ts";
import type { Recipe } from "./recipe.ts";

const { plane } = ridge();
const source = "ridge: f = (x₁² − 1)² (½ + 2/(4 + x₂²)), see docs/ridge.md";
/** ρ/‖x₀‖ of the plane's own start, for comparison with networks. */
const relative = (rho: number) => rho / Math.hypot(...plane.start);

/** Real parts of the eigenvalues of H⁺M at a point, which tell whether SAM is drawn there. */
function realParts(plane: Plane, x: Point, rho: number): readonly [number, number] {
  const [g1, g2] = plane.gradient(x);
  const norm = Math.hypot(g1, g2);
  const [u1, u2] = [g1 / norm, g2 / norm];
  const [[a, b], [, d]] = plane.hessian(x);
  // M = I + ρ(I − uuᵀ)H/‖g‖; on a plane I − uuᵀ = wwᵀ with w normal to u.
  const [w1, w2] = [-u2, u1];
  const [k1, k2] = [w1 * a + w2 * b, w1 * b + w2 * d];
  const s = rho / norm;
  const m = [1 + s * w1 * k1, s * w1 * k2, s * w2 * k1, 1 + s * w2 * k2] as const;
  const [[p, q], [, r]] = plane.hessian(ascentPoint(plane, x, rho));
  const j = [
    p * m[0] + q * m[2],
    p * m[1] + q * m[3],
    q * m[0] + r * m[2],
    q * m[1] + r * m[3],
  ] as const;
  const [half, determinant] = [(j[0] + j[3]) / 2, j[0] * j[3] - j[1] * j[2]];
  const root = Math.sqrt(Math.max(0, half * half - determinant));
  return [half - root, half + root];
}

async function hallucinatedAt(rho: number, resolution: number): Promise<HallucinatedPoint[]> {
  const found = await searchPlane({ plane, rho, resolution });
  return found.map(({ x }) => {
    const at: Point = [x[0] as number, x[1] as number];
    const [low, high] = realParts(plane, at, rho);
    return { at, attracts: high > 1e-6 && low > -1e-6 * high };
  });
}

/** Figures 1 and 10. */
export const ridgeMaps: Recipe = {
  figures: [1, 10],
  title: "What SAM sees of a plane as ρ grows",
  paper:
    "A continuously differentiable function of two variables whose minimizers form a curve, with an isolated maximizer; f^SAM and the shifted gradient at several ρ. Its formula is not published.",
  ours: "ridge, a rational function with the same properties; the zeros of g⁺ found on a grid and refined to 1e-12.",
  look: "At small ρ the map of f(x⁺) has its hollows where f has them. From ρ = 1 on, a curve where SAM stands still appears at the maximizer and drifts outward; at ρ = 2 it coincides with f's minimizers exactly; beyond, nothing attracts.",
  seconds: { quick: 5, standard: 10, paper: 20 },
  async make({ preset, onProgress, signal }) {
    const resolution = { quick: 60, standard: 100, paper: 160 }[preset];
    const radii = [0.5, 1.1, 1.6, 2, 2.5];
    const views: RadiusView[] = [];
    for (const rho of radii) {
      onProgress(`zeros of g⁺ at ρ = ${rho}`);
      signal.throwIfAborted();
      views.push({ rho, hallucinated: await hallucinatedAt(rho, resolution) });
    }
    const heights = [0, 0.6, 1.5];
    const crossings: Crossing[] = [];
    const steps = { quick: 40, standard: 80, paper: 160 }[preset];
    onProgress("the curve as ρ grows");
    for (let i = 1; i <= steps; i++) {
      const rho = Number((1 + i / steps).toPrecision(12));
      for (const height of heights) {
        const x1 = crossingAt(rho, height);
        if (x1 === undefined) continue;
        const [low, high] = realParts(plane, [x1, height], rho);
        crossings.push({ rho, height, x1, attracts: rho === 2 || low > -1e-6 * high });
      }
    }
    const spec = { problem: "ridge", source, radii, resolution, relativeRho: radii.map(relative) };
    return [
      {
        name: "figure-1",
        figure: radiiFigure("What SAM sees of a plane as ρ grows", plane, views),
        numbers: views.flatMap(({ rho, hallucinated }) =>
          hallucinated.map(({ at, attracts }) => ({
            rho,
            relativeRho: relative(rho),
            x1: at[0],
            x2: at[1],
            attracts,
          })),
        ),
        spec,
        caption: "All maps at the same levels. ‖x₀‖ is that of the plane's start.",
      },
      {
        name: "figure-10",
        figure: driftFigure("The curve where SAM stands still moves outward with ρ", crossings, {
          rho: 2,
          x1: -1,
        }),
        numbers: crossings,
        spec: { problem: "ridge", source, heights, steps },
        caption: `x₁ of the curve with x₁ + ρu₁ = 1 at three heights. At ρ = 2, the distance of the two valleys, it is the valley itself. ρ = 2 is ${rounded(relative(2), 2)} ‖x₀‖ for the plane's start.`,
      },
    ];
  },
};

/** x₁ < 0 at a height where x₁ + ρu₁ = 1, by bisection; at ρ = 2 the valley, where u is a limit. */
function crossingAt(rho: number, height: number): number | undefined {
  if (rho === 2) return -1;
  const gap = (x1: number) => ascentPoint(plane, [x1, height], rho)[0] - 1;
  // Near the valley u = (1, 0); toward the ridge it turns along it.
  let [low, high] = [-1 + 1e-9, -1e-9];
  if (!(gap(low) < 0)) return undefined;
  // The attracting piece is the one nearest to the valley.
  for (let x1 = low; x1 < high; x1 += 1e-3) {
    if (gap(x1) >= 0) {
      [low, high] = [x1 - 1e-3, x1];
      for (let i = 0; i < 60; i++) {
        const middle = (low + high) / 2;
        if (gap(middle) < 0) low = middle;
        else high = middle;
      }
      return high;
    }
  }
  return undefined;
}

const classOf = (name: (typeof basinClasses)[number]["name"]) =>
  basinClasses.findIndex((known) => known.name === name);

/** Where plain SAM from x ends after at most `steps` steps. */
export function endOf(
  plane: Plane,
  start: Point,
  rho: number,
  learningRate: number,
  steps: number,
): number {
  let [x1, x2] = start;
  for (let step = 0; step < steps; step++) {
    const [g1, g2] = plane.gradient([x1, x2]);
    const norm = Math.hypot(g1, g2);
    if (norm < 1e-8) {
      const solved = plane.value([x1, x2]) - (plane.minimum ?? -Infinity) < 1e-12;
      return classOf(solved ? "minimizer" : "critical");
    }
    const [p1, p2] = plane.gradient([x1 + (rho * g1) / norm, x2 + (rho * g2) / norm]);
    if (Math.hypot(p1, p2) < 1e-8 * norm) return classOf("hallucinated");
    [x1, x2] = [x1 - learningRate * p1, x2 - learningRate * p2];
  }
  return classOf("unsettled");
}

/** Figure 11. */
export const ridgeBasins: Recipe = {
  figures: [11],
  title: "Which start ends where",
  paper: "Basins of the two-variable function of figure 1 over ρ.",
  ours: "ridge; plain steps in float64 from the center of every cell. What the steps cut off is called unsettled: more steps make it smaller.",
  look: "Descent ends in a valley from everywhere. SAM with ρ < 1 does not come to rest (it chatters across a valley); between 1 and 2 it hallucinates from nearly everywhere.",
  seconds: { quick: 15, standard: 90, paper: 600 },
  async make({ preset, onProgress, signal }) {
    const [columns, steps] = { quick: [48, 2000], standard: [96, 4000], paper: [192, 20_000] }[
      preset
    ] as [number, number];
    const rows = Math.round((columns * 6) / 3.5);
    const learningRate = 0.02;
    const radii = [0, 0.5, 1.15, 1.3, 1.6, 2];
    const [[left, right], [bottom, top]] = plane.domain;
    const maps: BasinMap[] = [];
    for (const rho of radii) {
      const classes = new Uint8Array(columns * rows);
      for (let row = 0; row < rows; row++) {
        // A row is a moment's work; Ctrl-C is looked at between rows.
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        onProgress(`ρ = ${rho}: row ${row + 1} of ${rows}`);
        for (let column = 0; column < columns; column++) {
          const start: Point = [
            left + ((column + 0.5) / columns) * (right - left),
            bottom + ((row + 0.5) / rows) * (top - bottom),
          ];
          classes[row * columns + column] = endOf(plane, start, rho, learningRate, steps);
        }
      }
      maps.push({ rho, classes, columns, rows });
    }
    return [
      {
        name: "figure-11",
        figure: basinFigure("Which start ends where", plane, maps, steps, learningRate),
        numbers: maps.flatMap(({ rho, classes }) =>
          basinClasses.map(({ name }, i) => ({
            rho,
            class: name,
            cells: classes.filter((kind) => kind === i).length,
            of: classes.length,
          })),
        ),
        spec: { problem: "ridge", source, radii, columns, rows, steps, learningRate },
        caption: `${columns} × ${rows} starts, ${steps.toLocaleString("en-US")} steps of η = ${learningRate} each. ρ/‖x₀‖ of a start is ρ over its distance from the triangle.`,
      },
    ];
  },
};
