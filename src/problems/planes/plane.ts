/** Planes as problems: from a formula of two variables to what is trained and listed. */
import { z } from "zod";
import { np } from "../../engine/jax-js.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { tensor } from "../../engine/tensor.ts";
import { fromList, shownAs } from "../../settings/fields.ts";
import type { ProblemEntry } from "../entry.ts";
import { roleByName, type FloatType, type Plane, type Point, type Problem } from "../problem.ts";

/** What every plane can be made with. */
export interface PlaneOptions {
  /** Default `float64`. */
  readonly dtype?: FloatType | undefined;
  /** Where training starts; default: the plane's own start. */
  readonly start?: Point | undefined;
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

/** A plane as it is listed. */
export interface PlaneEntry<
  Name extends string = string,
  Options extends z.ZodObject = z.ZodObject,
> extends ProblemEntry<Options, "none"> {
  readonly name: Name;
  readonly kind: "plane";
  readonly create: (options?: PlaneOptions) => PlaneProblem;
}

const pair = "give two numbers, such as 2,0.5";

/**
 * List a plane.
 *
 * @param title one sentence.
 * @param shape fields of its own besides `start`.
 */
export function planeEntry<const Name extends string, Shape extends z.ZodRawShape = {}>(
  name: Name,
  create: (options?: PlaneOptions & Partial<z.output<z.ZodObject<Shape>>>) => PlaneProblem,
  title: string,
  shape?: Shape,
): PlaneEntry<Name, z.ZodObject<StartShape & Shape>> {
  const start = z
    .preprocess(fromList, z.tuple([z.number({ error: pair }), z.number({ error: pair })], pair))
    .default((): [number, number] => [...create().plane.start])
    .describe("where a run on a plane begins; default: the plane's own start");
  const own = { start: shownAs("x,y", start) };
  return {
    name,
    kind: "plane",
    title,
    options: z.object({ ...own, ...(shape as Shape) }),
    data: "none",
    defaults: { lr: 0.1, steps: 1000, dtype: "float64" },
    describe: (options) => {
      const { start } = options as unknown as { readonly start: Point };
      return `${name} from (${start.join(", ")})`;
    },
    create: create as (options?: PlaneOptions) => PlaneProblem,
  };
}

type StartShape = { readonly start: z.ZodType<[number, number]> };

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
export function pointsAlong(
  at: (t: number) => Point,
  [from, to]: Point,
  count: number,
): readonly Point[] {
  return Array.from({ length: count }, (_, i) => at(from + ((to - from) * i) / (count - 1)));
}
