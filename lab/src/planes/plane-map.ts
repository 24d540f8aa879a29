/** Maps of planes: colors by the rank of the loss, on a canvas. */
import type { Plane, Point } from "lucid-sam/problems";

/** x⁺ = x + ρ ∇f(x)/‖∇f(x)‖   (Foret et al. 2021, eq. 2); x itself where the gradient vanishes. */
export function ascentPoint({ gradient }: Plane, rho: number, x: Point): Point {
  const [g1, g2] = gradient(x);
  const norm = Math.hypot(g1, g2);
  return norm > 0 ? [x[0] + (rho * g1) / norm, x[1] + (rho * g2) / norm] : x;
}

/** Values of a function in the middle of every cell of a domain, row by row from the top. */
export function sample(
  { domain: [[left, right], [bottom, top]] }: Plane,
  cells: number,
  value: (x: Point) => number,
): Float64Array {
  const values = new Float64Array(cells * cells);
  for (let row = 0; row < cells; row++) {
    const x2 = top - ((row + 0.5) * (top - bottom)) / cells;
    for (let column = 0; column < cells; column++) {
      values[row * cells + column] = value([left + ((column + 0.5) * (right - left)) / cells, x2]);
    }
  }
  return values;
}

/** Colors of a map by rank, from deep to high; their lightness rises throughout (cividis). */
const ramp: readonly (readonly [number, number, number])[] = [
  [0, 34, 78],
  [53, 69, 108],
  [102, 105, 112],
  [148, 142, 119],
  [200, 184, 102],
  [254, 232, 56],
];

/**
 * Draw values on a canvas of as many pixels, by rank among `reference`: two maps with one reference
 * share their colors.
 */
export function drawMap(
  canvas: HTMLCanvasElement,
  values: Float64Array,
  reference: Float64Array,
): void {
  const cells = Math.sqrt(values.length);
  const context = canvas.getContext("2d");
  if (context === null) return;
  canvas.width = canvas.height = cells;
  const sorted = reference.toSorted();
  const image = context.createImageData(cells, cells);
  values.forEach((value, i) => {
    const at = (rankOf(sorted, value) / sorted.length) * (ramp.length - 1);
    const below = Math.min(ramp.length - 2, Math.floor(at));
    const [from, to] = [ramp[below], ramp[below + 1]];
    if (!from || !to) return;
    for (let c = 0; c < 3; c++) {
      const [low = 0, high = 0] = [from[c], to[c]];
      image.data[4 * i + c] = low + (high - low) * (at - below);
    }
    image.data[4 * i + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

/** How many of the sorted values are smaller. */
function rankOf(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
