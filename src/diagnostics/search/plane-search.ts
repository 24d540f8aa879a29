/** Grid search: every point of a plane at which g⁺ vanishes. */
import type { Plane } from "../../problems/problem.ts";
import { planeDerivatives } from "../point/derivatives.ts";
import { refine } from "../point/refine.ts";
import type { SamPoint } from "../point/sam-point.ts";
import { distance } from "../algebra/vectors.ts";

/** Which plane is searched, and how finely. */
export interface PlaneSearchOptions {
  readonly plane: Plane;
  readonly rho: number;
  /** Cells along each axis of the plane's domain; default 80. */
  readonly resolution?: number | undefined;
  /** ‖g‖ above which a zero of g⁺ counts as hallucinated; default 1e-4. */
  readonly clearGradient?: number;
}

/**
 * The hallucinated points of a plane inside its domain: cells in which ‖g⁺‖ is smaller than in the
 * neighboring ones, refined, each once. Curves of them come as a point for every cell or so.
 */
export async function searchPlane({
  plane,
  rho,
  resolution = 80,
  clearGradient = 1e-4,
}: PlaneSearchOptions): Promise<SamPoint[]> {
  const f = planeDerivatives(plane);
  const [[left, right], [bottom, top]] = plane.domain;
  const at = (i: number, j: number): [number, number] => [
    left + ((i + 0.5) / resolution) * (right - left),
    bottom + ((j + 0.5) / resolution) * (top - bottom),
  ];
  const sizes = Array.from({ length: resolution ** 2 }, (_, cell) => {
    const [x1, x2] = at(cell % resolution, Math.floor(cell / resolution));
    const [g1, g2] = plane.gradient([x1, x2]);
    const stretch = rho / Math.hypot(g1, g2);
    return Math.hypot(...plane.gradient([x1 + stretch * g1, x2 + stretch * g2]));
  });
  const inside = (i: number, j: number) => i >= 0 && j >= 0 && i < resolution && j < resolution;
  const size = (i: number, j: number) =>
    (inside(i, j) ? sizes[j * resolution + i] : undefined) ?? Infinity;
  const found: SamPoint[] = [];
  for (let j = 0; j < resolution; j++) {
    for (let i = 0; i < resolution; i++) {
      // Along a curve of zeros only the comparison across it says something.
      const across = size(i, j) <= Math.min(size(i - 1, j), size(i + 1, j));
      const along = size(i, j) <= Math.min(size(i, j - 1), size(i, j + 1));
      if (!across && !along) continue;
      const { point, converged } = await refine({
        f,
        x: Float64Array.from(at(i, j)),
        rho,
        tolerance: 1e-12,
        maxProducts: 120,
      });
      if (!converged || point.gradNorm < clearGradient) continue;
      if (found.every(({ x }) => distance(x, point.x) > 1e-4 * rho)) found.push(point);
    }
  }
  return found;
}
