/** The ring plane: a bounded set of maximizers that are not isolated. */
import { add, divide, scalar, square, subtract } from "../../engine/arrays.ts";
import type { Point } from "../problem.ts";
import { pointsAlong, planeProblem, type PlaneOptions, type PlaneProblem } from "./plane.ts";

/**
 * f = 1 − w² with w = (‖x‖² − 1)/(1 + ‖x − (1, 0)‖²): for Theorem 2.2 of Park et al. 2025, where a
 * bounded set of maximizers takes the place of an isolated one. Rational, so analytic.
 *
 * The maximizers are the unit circle, where w = 0. Elsewhere ∇f = 0 means ∇w = 0, which holds at
 * two points only: (φ², 0) with w = φ, the global minimizer of value −φ, and (φ⁻², 0) with
 * w = −1/φ, a local minimizer of value 1/φ; φ is the golden ratio. Far away f tends to 0.
 */
export function ring(options: PlaneOptions = {}): PlaneProblem {
  const phi = (1 + Math.sqrt(5)) / 2;
  const quotient = ([x1, x2]: Point) => {
    const below = 1 + (x1 - 1) ** 2 + x2 * x2;
    const w = (x1 * x1 + x2 * x2 - 1) / below;
    const dw: Point = [(2 * (x1 - w * (x1 - 1))) / below, (2 * (x2 - w * x2)) / below];
    return { w, dw, below };
  };
  return planeProblem(
    {
      name: "ring",
      plane: {
        value: (x) => 1 - quotient(x).w ** 2,
        gradient(x) {
          const { w, dw } = quotient(x);
          return [-2 * w * dw[0], -2 * w * dw[1]];
        },
        hessian(x) {
          // ∇²w = (2/below)·((1 − w)I − a∇wᵀ − ∇w aᵀ) with a = x − (1, 0);
          // ∇²f = −2(∇w∇wᵀ + w∇²w).
          const { w, dw, below } = quotient(x);
          const a: Point = [x[0] - 1, x[1]];
          const entry = (i: 0 | 1, j: 0 | 1) => {
            const second = (2 / below) * ((i === j ? 1 - w : 0) - a[i] * dw[j] - dw[i] * a[j]);
            return -2 * (dw[i] * dw[j] + w * second);
          };
          return [
            [entry(0, 0), entry(0, 1)],
            [entry(1, 0), entry(1, 1)],
          ];
        },
        critical: [
          {
            kind: "maximizer",
            points: pointsAlong((t) => [Math.cos(t), Math.sin(t)], [0, 2 * Math.PI], 65),
            source: "w = 0",
          },
          { kind: "minimizer", points: [[1 / phi ** 2, 0]], source: "∇w = 0, w < 0" },
          { kind: "minimizer", points: [[phi ** 2, 0]], source: "∇w = 0, w > 0" },
        ],
        domain: [
          [-3, 4],
          [-3, 3],
        ],
        start: [-2, 0.5],
        minimum: -phi,
      },
      loss(x1, x2) {
        const one = scalar(1, x1);
        const above = subtract(add(square(x1), square(x2)), one);
        const below = add(one, add(square(subtract(x1, one)), square(x2)));
        return subtract(one, square(divide(above, below)));
      },
    },
    options,
  );
}
