/** Quadratic functions, with a minimizer, a saddle, a maximizer at the origin. */
import { np } from "../../engine/jax-js.ts";
import { add, multiply, scalar, square, subtract } from "../../engine/arrays.ts";
import { tensor, type Tensor } from "../../engine/tensor.ts";
import type { CriticalKind, Plane, Point } from "../problem.ts";
import { checkStart, coordinates, planeProblem } from "./plane.ts";
import type { PlaneOptions, PlaneProblem } from "./plane.ts";

/** ½(a x₁² + b x₂²) in closed form. */
function diagonal(a: number, b: number, kind: CriticalKind, start: Point): Plane {
  return {
    value: ([x1, x2]) => (a * x1 * x1 + b * x2 * x2) / 2,
    gradient: ([x1, x2]) => [a * x1, b * x2],
    hessian: () => [
      [a, 0],
      [0, b],
    ],
    critical: [{ kind, points: [[0, 0]], source: "∇f = (a x₁, b x₂) is 0 at the origin only" }],
    domain: [
      [-1.5, 1.5],
      [-1.5, 1.5],
    ],
    start,
    ...(kind === "minimizer" && { minimum: 0 }),
  };
}

/** What `quadratic` can be made with. */
export interface QuadraticOptions extends PlaneOptions {
  /**
   * Keep the coordinates in two tensors, `{ x1: [1], x2: [1] }`, and say that `x2` has the role
   * `norm`: for methods that treat tensors one by one. Default false.
   */
  readonly separate?: boolean | undefined;
}

/**
 * f = ½(x₁² + 10 x₂²), as the mean over two samples f₁ = x₁² and f₂ = 10 x₂², so that methods
 * that look at samples one by one have something to see. Sample i is aᵢ x₁² + bᵢ x₂²: the batch is
 * `{ a: [2], b: [2] }`.
 */
export function quadratic(options: QuadraticOptions = {}): PlaneProblem {
  const plane = diagonal(1, 10, "minimizer", [1, 1]);
  const { dtype = "float64", start = plane.start, separate = false } = options;
  checkStart(start);
  const [x1, x2] = start;
  const one = (value: number): Tensor => tensor([value], [1], dtype);
  return {
    name: "quadratic",
    dtype,
    plane,
    train: {
      batch: { a: tensor([1, 0], [2], dtype), b: tensor([0, 10], [2], dtype) },
      size: 2,
    },
    role: (path) => (path === "x2" ? "norm" : "weight"),
    init: () => (separate ? { x1: one(x1), x2: one(x2) } : { x: tensor(start, [2], dtype) }),
    forward(params, batch) {
      const { a, b } = batch as { a: np.Array; b: np.Array };
      const { x1, x2 } = params as { x1: np.Array; x2: np.Array };
      const [y1, y2] = separate ? [x1, x2] : coordinates(params);
      return { losses: np.add(np.multiply(a, np.square(y1)), np.multiply(b, np.square(y2))) };
    },
  };
}

/**
 * f = ½(3x₁² − 2x₂²). The points ±ρe₂ have the saddle as their ascent point, for every ρ.
 */
export function saddle(options: PlaneOptions = {}): PlaneProblem {
  return planeProblem(
    {
      name: "saddle",
      plane: diagonal(3, -2, "saddle", [1, 0.25]),
      loss: (x1, x2) => subtract(multiply(scalar(1.5, x1), square(x1)), square(x2)),
    },
    options,
  );
}

/**
 * f = −½‖x‖². The ascent point of every point at distance ρ from the maximizer is the maximizer.
 */
export function dome(options: PlaneOptions = {}): PlaneProblem {
  return planeProblem(
    {
      name: "dome",
      plane: diagonal(-1, -1, "maximizer", [0.25, 0.5]),
      loss: (x1, x2) => multiply(scalar(-0.5, x1), add(square(x1), square(x2))),
    },
    options,
  );
}
