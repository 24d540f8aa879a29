/** From a formula of two variables to a problem. */
import { np } from "../../engine/jax-js.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { tensor } from "../../engine/tensor.ts";
import { roleByName, type FloatType, type Plane, type Point, type Problem } from "../problem.ts";

/** What every plane can be made with. */
export interface PlaneOptions {
  /** Default `float64`. */
  readonly dtype?: FloatType;
  /** Where training starts; default: the plane's own start. */
  readonly start?: Point;
}

/** A problem with two parameters, of which everything is known. */
export interface PlaneProblem extends Problem {
  readonly plane: Plane;
}

/** A plane and its formula once more as a traced function. */
export interface PlaneDefinition {
  readonly name: string;
  readonly plane: Plane;
  /** Traced; borrows its arguments. x₁ and x₂ are scalars, and so is the loss. */
  readonly loss: (x1: np.Array, x2: np.Array) => np.Array;
}

/**
 * The problem of a plane. Parameters are `{ x: [2] }`; every seed starts at `start`. A plane is no
 * mean over data, so there is one sample: its batch is `{ weight: [1] }`, a one that multiplies
 * the loss.
 *
 * @throws {InputError} when `start` is not finite.
 */
export function planeProblem(
  { name, plane, loss }: PlaneDefinition,
  { dtype = "float64", start = plane.start }: PlaneOptions = {},
): PlaneProblem {
  checkStart(start);
  return {
    name,
    dtype,
    plane,
    train: { batch: { weight: tensor([1], [1], dtype) }, size: 1 },
    role: roleByName,
    init: () => ({ x: tensor(start, [2], dtype) }),
    forward(params, batch) {
      const { weight } = batch as { weight: np.Array };
      const [x1, x2] = coordinates(params);
      return { losses: np.multiply(weight, loss(x1, x2)) };
    },
  };
}

/** The scalars x₁ and x₂ of parameters `{ x: [2] }`, which it consumes. */
export function coordinates(params: ArrayTree): [np.Array, np.Array] {
  const { x } = params as { x: np.Array };
  return [x.ref.slice(0), x.slice(1)];
}

/** @throws {InputError} when `start` is not a pair of finite numbers. */
export function checkStart(start: Point): void {
  if (start.length !== 2 || !start.every(Number.isFinite)) {
    throw new InputError(`invalid start: ${start.join(", ")} (give two finite numbers)`);
  }
}

/** Points along a curve: `at` of `count` values of t, evenly spaced from `from` to `to`, both included. */
export function along(
  at: (t: number) => Point,
  [from, to]: Point,
  count: number,
): readonly Point[] {
  return Array.from({ length: count }, (_, i) => at(from + ((to - from) * i) / (count - 1)));
}
