/** The ridge plane: the counterpart of Figure 1 of Park et al. 2025. */
import { add, divide, multiply, scalar, square, subtract } from "../../engine/arrays.ts";
import { pointsAlong, planeProblem, type PlaneOptions, type PlaneProblem } from "./plane.ts";

/**
 * f = (x₁² − 1)² s(x₂) with s = ½ + 2/(4 + x₂²): two valleys and, between them, a ridge that is
 * highest at the origin. A rational function, so analytic, and the same on every engine.
 *
 * The global minimizers form the curve x₁² = 1, two parallel lines; the origin is the one isolated
 * maximizer; nothing else is critical, since ∂₁f = 4x₁(x₁² − 1)s and ∂₂f = (x₁² − 1)² s′ with
 * s′ = 0 at x₂ = 0 only. What SAM makes of it (numbers in docs/ridge.md, each one tested):
 *
 * - ρ < 1: away from f's own critical points, g⁺ vanishes only at (±ρ, 0) and (0, ±ρ), whose
 *   ascent point is the maximizer. All four repel; SAM ends beside a valley or, started within ρ
 *   of the ridge, on it.
 * - 1 < ρ < 2: g⁺ also vanishes where x₁ + ρu₁ = 1, x₁ < 0, and on the mirror image: a curve of
 *   hallucinated minimizers whose ascent points lie in the *other* valley. It starts at the
 *   maximizer when ρ = 1, crosses the axis at x₁ = 1 − ρ, and drifts outward as ρ grows. It
 *   attracts: there the one nonzero eigenvalue of H⁺M is positive, and for ρ ≥ 1.3 and |x₂| ≤ 3
 *   sym(M) ≻ 0, the sufficient condition of Theorem 3.2.
 * - ρ = 2, the distance of the valleys: the curve has reached x₁² = 1 and coincides with f's
 *   minimizers exactly, since next to a valley u is normal to it.
 */
export function ridge(options: PlaneOptions = {}): PlaneProblem {
  // s and its first two derivatives.
  const height = (x2: number) => 0.5 + 2 / (4 + x2 * x2);
  const slope = (x2: number) => (-4 * x2) / (4 + x2 * x2) ** 2;
  const curvature = (x2: number) => (4 * (3 * x2 * x2 - 4)) / (4 + x2 * x2) ** 3;
  const source = "∂₁f = 4x₁(x₁² − 1)s(x₂) and ∂₂f = (x₁² − 1)² s′(x₂)";
  return planeProblem(
    {
      name: "ridge",
      plane: {
        value: ([x1, x2]) => (x1 * x1 - 1) ** 2 * height(x2),
        gradient: ([x1, x2]) => [
          4 * x1 * (x1 * x1 - 1) * height(x2),
          (x1 * x1 - 1) ** 2 * slope(x2),
        ],
        hessian([x1, x2]) {
          const mixed = 4 * x1 * (x1 * x1 - 1) * slope(x2);
          return [
            [(12 * x1 * x1 - 4) * height(x2), mixed],
            [mixed, (x1 * x1 - 1) ** 2 * curvature(x2)],
          ];
        },
        critical: [
          { kind: "minimizer", points: pointsAlong((t) => [-1, t], [-3, 3], 61), source },
          { kind: "minimizer", points: pointsAlong((t) => [1, t], [-3, 3], 61), source },
          { kind: "maximizer", points: [[0, 0]], source },
        ],
        domain: [
          [-1.75, 1.75],
          [-3, 3],
        ],
        start: [-0.25, 0.75],
        minimum: 0,
      },
      loss(x1, x2) {
        const height = add(scalar(0.5, x2), divide(scalar(2, x2), add(scalar(4, x2), square(x2))));
        return multiply(square(subtract(square(x1), scalar(1, x1))), height);
      },
    },
    options,
  );
}
