/** Wells: planes on which the points that attract SAM can be computed by hand. */
import { np } from "../../engine/jax-js.ts";
import { add, multiply, scalar, square, subtract } from "../../engine/arrays.ts";
import type { CriticalKind, CriticalSet, Point } from "../problem.ts";
import { planeProblem, type PlaneOptions, type PlaneProblem } from "./plane.ts";

const at = (kind: CriticalKind, point: Point, source: string): CriticalSet => ({
  kind,
  points: [point],
  source,
});

/**
 * f = −cos x₁ + ½x₂². For ρ = 4 SAM converges to (2π − 4, 0), whose ascent point is the next
 * minimizer (2π, 0).
 */
export function cosine(options: PlaneOptions = {}): PlaneProblem {
  const source = "sin x₁ = 0, x₂ = 0";
  return planeProblem(
    {
      name: "cosine",
      plane: {
        value: ([x1, x2]) => -Math.cos(x1) + (x2 * x2) / 2,
        gradient: ([x1, x2]) => [Math.sin(x1), x2],
        hessian: ([x1]) => [
          [Math.cos(x1), 0],
          [0, 1],
        ],
        critical: [
          at("minimizer", [0, 0], source),
          at("saddle", [Math.PI, 0], source),
          at("minimizer", [2 * Math.PI, 0], source),
        ],
        domain: [
          [-2, 8],
          [-2, 2],
        ],
        start: [2, 0.5],
        minimum: -1,
      },
      loss: (x1, x2) => subtract(multiply(scalar(0.5, x2), square(x2)), np.cos(x1)),
    },
    options,
  );
}

/**
 * f = 0.05 x₁² − 3 exp(−(x₁ − 6)²) + ½x₂²: a wide basin at 0, a narrow well near 5.9. For ρ = 2.5
 * SAM from x₁ = 3.6 stalls at 3.4007, whose ascent point is the bottom of the well; after a start
 * with gradient descent it stays in the wide basin.
 */
export function wideNarrow(options: PlaneOptions = {}): PlaneProblem {
  const source = "roots of 0.1 x₁ + 6 (x₁ − 6) exp(−(x₁ − 6)²), computed with 30 digits; x₂ = 0";
  const well = (x1: number) => 3 * Math.exp(-((x1 - 6) ** 2));
  return planeProblem(
    {
      name: "wide-narrow",
      plane: {
        value: ([x1, x2]) => 0.05 * x1 * x1 - well(x1) + (x2 * x2) / 2,
        gradient: ([x1, x2]) => [0.1 * x1 + 2 * (x1 - 6) * well(x1), x2],
        hessian: ([x1]) => [
          [0.1 + (2 - 4 * (x1 - 6) ** 2) * well(x1), 0],
          [0, 1],
        ],
        critical: [
          at("minimizer", [8.350282188885101e-14, 0], source),
          at("saddle", [4.197491538927581, 0], source),
          at("minimizer", [5.900680416658958, 0], source),
        ],
        domain: [
          [-2, 8],
          [-2, 2],
        ],
        start: [3.6, 0.5],
        minimum: -1.2296508723457693,
      },
      loss(x1, x2) {
        const well = np.exp(np.negative(square(subtract(x1, scalar(6, x1)))));
        const bowls = add(
          multiply(scalar(0.05, x1), square(x1)),
          multiply(scalar(0.5, x2), square(x2)),
        );
        return subtract(bowls, multiply(scalar(3, x1), well));
      },
    },
    options,
  );
}

/**
 * f = 0.8 exp(−‖x − (2, 0)‖²) − exp(−‖x‖²): a hole and, beside it, a hill. The points that
 * Theorem 2.1 constructs near the hill are minimizers of the SAM objective, and yet SAM leaves them.
 */
export function bump(options: PlaneOptions = {}): PlaneProblem {
  const source =
    "roots of 2x₁ exp(−x₁²) = 1.6 (x₁ − 2) exp(−(x₁ − 2)²), computed with 30 digits; x₂ = 0";
  const hole = ([x1, x2]: Point) => Math.exp(-(x1 * x1) - x2 * x2);
  const hill = ([x1, x2]: Point) => 0.8 * Math.exp(-((x1 - 2) ** 2) - x2 * x2);
  return planeProblem(
    {
      name: "bump",
      plane: {
        value: (x) => hill(x) - hole(x),
        gradient: (x) => [
          2 * x[0] * hole(x) - 2 * (x[0] - 2) * hill(x),
          2 * x[1] * (hole(x) - hill(x)),
        ],
        hessian(x) {
          const [x1, x2] = x;
          const [down, up] = [hole(x), hill(x)];
          const mixed = 4 * x2 * ((x1 - 2) * up - x1 * down);
          return [
            [(2 - 4 * x1 * x1) * down - (2 - 4 * (x1 - 2) ** 2) * up, mixed],
            [mixed, (2 - 4 * x2 * x2) * (down - up)],
          ];
        },
        critical: [
          at("minimizer", [-0.026689186922318416, 0], source),
          at("maximizer", [2.039823881702631, 0], source),
        ],
        domain: [
          [-2, 4],
          [-2, 2],
        ],
        start: [2.5, 0.5],
        minimum: -0.9861284575691496,
      },
      loss(x1, x2) {
        const bell = (center: number) => {
          const squares = add(square(subtract(x1, scalar(center, x1))), square(x2));
          return np.exp(np.negative(squares));
        };
        return subtract(multiply(scalar(0.8, x1), bell(2)), bell(0));
      },
    },
    options,
  );
}
