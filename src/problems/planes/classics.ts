/** Classic test functions: Rosenbrock and Himmelblau. */
import { add, multiply, scalar, square, subtract } from "../../engine/arrays.ts";
import type { CriticalKind, Point } from "../problem.ts";
import { planeProblem, type PlaneOptions, type PlaneProblem } from "./plane.ts";

/** f = (1 − x₁)² + 100(x₂ − x₁²)²: a curved valley with its minimizer at (1, 1) (Rosenbrock 1960). */
export function rosenbrock(options: PlaneOptions = {}): PlaneProblem {
  return planeProblem(
    {
      name: "rosenbrock",
      plane: {
        value: ([x1, x2]) => (1 - x1) ** 2 + 100 * (x2 - x1 * x1) ** 2,
        gradient: ([x1, x2]) => [2 * (x1 - 1) - 400 * x1 * (x2 - x1 * x1), 200 * (x2 - x1 * x1)],
        hessian: ([x1, x2]) => [
          [2 - 400 * x2 + 1200 * x1 * x1, -400 * x1],
          [-400 * x1, 200],
        ],
        critical: [
          {
            kind: "minimizer",
            points: [[1, 1]],
            source: "Rosenbrock, The Computer Journal 3 (1960) 175–184",
          },
        ],
        domain: [
          [-2, 2],
          [-1, 3],
        ],
        start: [-1.2, 1],
        minimum: 0,
      },
      loss(x1, x2) {
        const valley = square(subtract(x2, square(x1)));
        return add(square(subtract(x1, scalar(1, x1))), multiply(scalar(100, x1), valley));
      },
    },
    options,
  );
}

/**
 * f = (x₁² + x₂ − 11)² + (x₁ + x₂² − 7)²: four minimizers of value 0, four saddles, one maximizer
 * (Himmelblau 1972).
 */
export function himmelblau(options: PlaneOptions = {}): PlaneProblem {
  const residuals = ([x1, x2]: Point): Point => [x1 * x1 + x2 - 11, x1 + x2 * x2 - 7];
  const source =
    "Himmelblau, Applied Nonlinear Programming (1972); roots of ∇f computed with 30 digits";
  const known: [CriticalKind, Point][] = [
    ["minimizer", [3, 2]],
    ["minimizer", [-2.805118086952745, 3.131312518250573]],
    ["minimizer", [-3.779310253377747, -3.2831859912861696]],
    ["minimizer", [3.584428340330492, -1.8481265269644036]],
    ["maximizer", [-0.2708445906673476, -0.9230385564799815]],
    ["saddle", [3.385154183607021, 0.0738518798377493]],
    ["saddle", [0.08667750455539636, 2.884254701174776]],
    ["saddle", [-0.12796134673068008, -1.9537149802445763]],
    ["saddle", [-3.0730257507643897, -0.08135304428796751]],
  ];
  return planeProblem(
    {
      name: "himmelblau",
      plane: {
        value(x) {
          const [a, b] = residuals(x);
          return a * a + b * b;
        },
        gradient(x) {
          const [a, b] = residuals(x);
          return [4 * x[0] * a + 2 * b, 2 * a + 4 * x[1] * b];
        },
        hessian(x) {
          const [a, b] = residuals(x);
          const mixed = 4 * (x[0] + x[1]);
          return [
            [8 * x[0] * x[0] + 4 * a + 2, mixed],
            [mixed, 8 * x[1] * x[1] + 4 * b + 2],
          ];
        },
        critical: known.map(([kind, point]) => ({ kind, points: [point], source })),
        domain: [
          [-5, 5],
          [-5, 5],
        ],
        start: [0, 0],
        minimum: 0,
      },
      loss(x1, x2) {
        const a = subtract(add(square(x1), x2), scalar(11, x1));
        const b = subtract(add(x1, square(x2)), scalar(7, x1));
        return add(square(a), square(b));
      },
    },
    options,
  );
}
