/** Theorem 2.1's construction of a hallucinated point, on planes. */
import { InputError } from "../../engine/errors.ts";
import type { Plane, Point } from "../../problems/problem.ts";

/** What to build it from. */
export interface ConstructionOptions {
  readonly plane: Plane;
  /** A point of an isolated, bounded set of maximizers. */
  readonly maximizer: Point;
  /** A minimizer x*, global or local (Corollary A.6). */
  readonly minimizer: Point;
  /** ε > 0: how far below the maximum the component is cut. */
  readonly epsilon: number;
  /** Cells of the picture along each axis; default 200, more where the component is thin. */
  readonly resolution?: number;
}

/** A point built as in the proof of Theorem 2.1. */
export interface Construction {
  readonly epsilon: number;
  /** f(x•) − ε. */
  readonly level: number;
  /** The point of the component farthest from x*. */
  readonly x: Point;
  /** ‖x − x*‖. */
  readonly rho: number;
  /** x⁺ = x + ρ ∇f(x)/‖∇f(x)‖, which is x*. */
  readonly ascentPoint: Point;
  /** ‖x⁺ − x*‖. */
  readonly error: number;
  /** For pictures: which cells lie in the component of {f ≥ level} around x•. */
  readonly component: GridMask;
}

/** A set of cells of a grid. */
export interface GridMask {
  /** [[x₁ min, x₁ max], [x₂ min, x₂ max]]. */
  readonly bounds: readonly [Point, Point];
  readonly resolution: number;
  /** 1 inside, row by row with x₂ rising. */
  readonly inside: Uint8Array;
}

/**
 * The point of the component of {f ≥ f(x•) − ε} around x• farthest from x*, and the ρ at which its
 * ascent point is x*   (Park et al. 2025, Theorem 2.1).
 *
 * @throws {InputError} when the component is not bounded or reaches x* (ε is too large), or is too
 * thin to be seen.
 */
export function construct({
  plane,
  maximizer,
  minimizer,
  epsilon,
  resolution = 200,
}: ConstructionOptions): Construction {
  if (!(epsilon > 0)) throw new InputError(`invalid epsilon: ${epsilon} (give a positive number)`);
  const level = plane.value(maximizer) - epsilon;
  if (plane.value(minimizer) >= level) {
    throw new InputError(
      `invalid epsilon: ${epsilon} reaches below the minimizer (give a smaller one)`,
    );
  }
  let half = 0;
  for (let cells = resolution; cells <= finest * resolution; cells *= 2) {
    const component = componentAround(plane, maximizer, level, cells, half);
    half = (component.bounds[0][1] - component.bounds[0][0]) / 2;
    const guess = farthest(component, minimizer);
    const x = polish(plane, guess, minimizer, level);
    const rho = distance(x, minimizer);
    const [g1, g2] = plane.gradient(x);
    const stretch = rho / Math.hypot(g1, g2);
    const ascentPoint: Point = [x[0] + stretch * g1, x[1] + stretch * g2];
    const error = distance(ascentPoint, minimizer);
    // A grid too coarse for the component shows only a piece of it, and leads elsewhere.
    const short = rho - distance(guess, minimizer);
    const agrees = short >= -1e-12 * rho && short <= 2 * cellSize(component);
    if (error <= 1e-6 * rho && agrees) {
      return { epsilon, level, x, rho, ascentPoint, error, component };
    }
  }
  throw new InputError(
    `invalid epsilon: ${epsilon} makes a component too thin to see (give a larger one, or a resolution above ${resolution})`,
  );
}

/** How much finer than asked for a grid may become. */
const finest = 8;

const cellSize = ({ bounds, resolution }: GridMask): number =>
  Math.hypot(bounds[0][1] - bounds[0][0], bounds[1][1] - bounds[1][0]) / resolution;

export interface EpsilonSweep {
  /** Those ε for which the construction succeeded, ascending. */
  readonly constructions: readonly Construction[];
  /** The ρ they reach. */
  readonly interval: readonly [number, number];
  /** ‖x* − x•‖, which the interval starts above. */
  readonly atMaximizer: number;
}

/**
 * The construction for many ε, spaced evenly on a logarithmic scale: a hallucinated point exists
 * for a whole interval of ρ   (version 2 of Theorem 2.1).
 *
 * @throws {InputError} when it succeeds for no ε.
 */
export function sweepEpsilon({
  plane,
  maximizer,
  minimizer,
  count = 40,
  resolution = 200,
}: Omit<ConstructionOptions, "epsilon"> & {
  /** Number of ε between 1e-6 and 1 times f(x•) − f(x*); default 40. */
  readonly count?: number;
}): EpsilonSweep {
  const depth = plane.value(maximizer) - plane.value(minimizer);
  const constructions: Construction[] = [];
  for (let i = 0; i < count; i++) {
    const epsilon = depth * 10 ** (-6 * (1 - (i + 0.5) / count));
    try {
      constructions.push(construct({ plane, maximizer, minimizer, epsilon, resolution }));
    } catch (error) {
      // Too thin for small ε, not bounded for large ones: what lies between is the interval.
      if (!(error instanceof InputError)) throw error;
    }
  }
  const radii = constructions.map(({ rho }) => rho);
  if (radii.length === 0) {
    throw new InputError(
      "invalid maximizer: no component of a superlevel set around it is bounded",
    );
  }
  return {
    constructions,
    interval: [Math.min(...radii), Math.max(...radii)],
    atMaximizer: distance(maximizer, minimizer),
  };
}

const distance = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** How often the picture may be enlarged before the component counts as unbounded. */
const enlargements = 40;
const growth = 1.4;

/**
 * The component around a point of {f ≥ level}, by flooding a grid of at least the given half side
 * that is enlarged until it fits.
 */
function componentAround(
  plane: Plane,
  center: Point,
  level: number,
  resolution: number,
  least: number,
): GridMask {
  const [[left, right], [bottom, top]] = plane.domain;
  const largest = 4 * Math.max(right - left, top - bottom);
  let half = Math.max(least, 1e-4 * largest);
  for (let i = 0; i < enlargements && half < largest; i++, half *= growth) {
    const bounds: [Point, Point] = [
      [center[0] - half, center[0] + half],
      [center[1] - half, center[1] + half],
    ];
    const mask = flood(plane, center, level, bounds, resolution);
    if (mask) return mask;
  }
  throw new InputError(
    "invalid epsilon: the component around the maximizer is not bounded (give a smaller one)",
  );
}

/** Cells of the grid connected to `from` with f ≥ level; `undefined` when they reach its border. */
function flood(
  plane: Plane,
  from: Point,
  level: number,
  bounds: readonly [Point, Point],
  resolution: number,
): GridMask | undefined {
  const inside = new Uint8Array(resolution * resolution);
  const grid = { bounds, resolution, inside };
  const cell = (value: number, [low, high]: Point) =>
    Math.floor(((value - low) / (high - low)) * resolution);
  const first = cell(from[1], bounds[1]) * resolution + cell(from[0], bounds[0]);
  inside[first] = 1;
  const waiting = [first];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const [column, row] = [at % resolution, Math.floor(at / resolution)];
    if (column === 0 || row === 0 || column === resolution - 1 || row === resolution - 1) {
      return undefined;
    }
    for (const next of [at - 1, at + 1, at - resolution, at + resolution]) {
      if (inside[next] || !(plane.value(centerOf(grid, next)) >= level)) continue;
      inside[next] = 1;
      waiting.push(next);
    }
  }
  return grid;
}

/** Center of a cell. */
function centerOf({ bounds, resolution }: GridMask, cell: number): Point {
  const along = (index: number, [low, high]: Point) =>
    low + ((index + 0.5) / resolution) * (high - low);
  return [along(cell % resolution, bounds[0]), along(Math.floor(cell / resolution), bounds[1])];
}

function farthest(mask: GridMask, from: Point): Point {
  let best: Point = from;
  mask.inside.forEach((on, cell) => {
    const point = centerOf(mask, cell);
    if (on && distance(point, from) > distance(best, from)) best = point;
  });
  return best;
}

/** Newton's method on f(x) = level, ∇f(x) ∥ x − x*, from a neighboring cell. */
function polish(plane: Plane, start: Point, minimizer: Point, level: number): Point {
  let x = start;
  for (let iteration = 0; iteration < 50; iteration++) {
    const [g1, g2] = plane.gradient(x);
    const [[h11, h12], [h21, h22]] = plane.hessian(x);
    const [d1, d2] = [x[0] - minimizer[0], x[1] - minimizer[1]];
    const [e1, e2] = [plane.value(x) - level, g1 * d2 - g2 * d1];
    const [a, b] = [h11 * d2 - h21 * d1 - g2, h12 * d2 + g1 - h22 * d1];
    const determinant = g1 * b - g2 * a;
    const step: Point = [(b * e1 - g2 * e2) / determinant, (g1 * e2 - a * e1) / determinant];
    if (!step.every(Number.isFinite)) break;
    x = [x[0] - step[0], x[1] - step[1]];
    if (Math.hypot(...step) <= 1e-15 * distance(x, minimizer)) break;
  }
  return x;
}
