/** Critical points of a plane, found by Newton's method from a grid. */
import type { CriticalKind, CriticalSet, Plane, Point } from "../problem.ts";

/** Steps of Newton's method per start; degenerate points take many. */
const maxSteps = 80;

/**
 * Every point of the plane's domain at which the gradient vanishes, as far as Newton's method from
 * the centers of a grid finds them: isolated ones each for itself, then points of curves together.
 *
 * @param resolution Cells of the grid along each axis.
 */
export function findCritical(
  plane: Pick<Plane, "value" | "gradient" | "hessian" | "domain">,
  resolution = 24,
): CriticalSet[] {
  const [[left, right], [bottom, top]] = plane.domain;
  const diagonal = Math.hypot(right - left, top - bottom);
  const source = `Newton's method from ${resolution} × ${resolution} starts`;
  const alone: CriticalSet[] = [];
  const curves = new Map<CriticalKind, Point[]>();
  const found: Point[] = [];
  for (let j = 0; j < resolution; j++) {
    for (let i = 0; i < resolution; i++) {
      const point = newton(plane, [
        left + ((i + 0.5) / resolution) * (right - left),
        bottom + ((j + 0.5) / resolution) * (top - bottom),
      ]);
      if (point === undefined) continue;
      const [x1, x2] = point;
      if (!(x1 >= left && x1 <= right && x2 >= bottom && x2 <= top)) continue;
      const { isCurve, kind } = kindOf(plane, point, diagonal);
      const apart = isCurve ? diagonal / 80 : 1e-6 * diagonal;
      if (found.some((other) => distance(other, point) < apart)) continue;
      found.push(point);
      if (!isCurve) alone.push({ kind, points: [point], source });
      else curves.set(kind, [...(curves.get(kind) ?? []), point]);
    }
  }
  return [...alone, ...Array.from(curves, ([kind, points]) => ({ kind, points, source }))];
}

const distance = (a: Point, b: Point) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** Eigenvalues of a symmetric 2 × 2 matrix with a unit eigenvector of the first. */
function eigen([[a, b], [, d]]: readonly [Point, Point]) {
  const [half, spread] = [(a + d) / 2, Math.hypot((a - d) / 2, b)];
  const [large, small] = half < 0 ? [half - spread, half + spread] : [half + spread, half - spread];
  // (H − small·I) has the first eigenvector in its columns.
  const columns: Point[] = [
    [a - small, b],
    [b, d - small],
  ];
  const [u, v] = columns as [Point, Point];
  const along = Math.hypot(...u) > Math.hypot(...v) ? u : v;
  const length = Math.hypot(...along);
  const axis: Point = length === 0 ? [1, 0] : [along[0] / length, along[1] / length];
  return { large, small, axis };
}

/** A root of the gradient; along directions of no curvature it does not move. */
function newton({ gradient, hessian }: Pick<Plane, "gradient" | "hessian">, start: Point) {
  let x = start;
  for (let step = 0; step < maxSteps; step++) {
    const [g1, g2] = gradient(x);
    const { large, small, axis } = eigen(hessian(x));
    if (![g1, g2, large, small].every(Number.isFinite) || large === 0) return undefined;
    const along = (g1 * axis[0] + g2 * axis[1]) / large;
    const isFlat = Math.abs(small) < 1e-10 * Math.abs(large);
    const across = isFlat ? 0 : (g2 * axis[0] - g1 * axis[1]) / small;
    x = [x[0] - along * axis[0] + across * axis[1], x[1] - along * axis[1] - across * axis[0]];
    const size = Math.hypot(along, across);
    if (size <= 1e-13 * (1 + Math.hypot(...x))) {
      // A gradient with a part along which nothing bends is no root.
      const [h1, h2] = gradient(x);
      return Math.hypot(h1, h2) < 1e-9 * (1 + Math.abs(large)) ? x : undefined;
    }
  }
  // Where the Hessian vanishes, too, steps shrink by a factor: x⁴.
  const isRoot = Math.hypot(...gradient(x)) < 1e-12;
  return isRoot ? x : undefined;
}

/** What a critical point is: by the Hessian, and where that is singular by values around it. */
function kindOf(
  { value, hessian }: Pick<Plane, "value" | "hessian">,
  x: Point,
  diagonal: number,
): { readonly kind: CriticalKind; readonly isCurve: boolean } {
  const { large, small } = eigen(hessian(x));
  const isSingular = Math.abs(small) < 1e-6 * Math.abs(large) || Math.abs(large) < 1e-6;
  if (!isSingular) {
    const kind = large * small < 0 ? "saddle" : large > 0 ? "minimizer" : "maximizer";
    return { kind, isCurve: false };
  }
  const radius = 1e-3 * diagonal;
  const center = value(x);
  const around = Array.from({ length: 64 }, (_, i) => {
    const angle = (i * Math.PI) / 32;
    return value([x[0] + radius * Math.cos(angle), x[1] + radius * Math.sin(angle)]) - center;
  });
  const scale = Math.max(...around.map(Math.abs));
  const low = around.filter((change) => change < -1e-6 * scale).length;
  const high = around.filter((change) => change > 1e-6 * scale).length;
  const kind = low > 0 && high > 0 ? "saddle" : low > 0 ? "maximizer" : "minimizer";
  // Directions in which nothing changes: other critical points lie there. (π/64)² is the largest
  // share of a square that 64 directions can miss.
  const isCurve = around.some((change) => Math.abs(change) < 5e-3 * scale);
  return { kind, isCurve };
}
