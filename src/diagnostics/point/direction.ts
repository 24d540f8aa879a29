/** The direction a method follows, v(x), and its derivative, from the method's own compiled step. */
import { mapTrees, multiply, scalar, share, subtract } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import { compile, type EngineOptions } from "../../engine/index.ts";
import { jvp } from "../../engine/jax-js.ts";
import type { ArrayTree, StepDefinition } from "../../engine/program.ts";
import {
  leavesOf,
  scalarTensor,
  sizeOf,
  typesOf,
  type Tensor,
  type Tree,
} from "../../engine/tensor.ts";
import type { Problem } from "../../problems/problem.ts";
import type { Descending, KnobValues, Knobs, Method } from "../../sam/contract/method.ts";
import { objectiveOf } from "../../sam/contract/objective.ts";
import { castBytes } from "../../sam/contract/samples.ts";
import { valueAt } from "../../settings/schedules.ts";
import { flatten, stack, unflatten, unstack } from "./derivatives.ts";
import { fixedLoss, type FixedLossOptions } from "./fixed-loss.ts";
import type { Vector } from "../algebra/vectors.ts";

/** What one step of a method shows at a point. */
export interface DirectionAt {
  /** v: with learning rate η a step leads to x − ηv. Weight decay is part of it. */
  readonly direction: Vector;
  /** x⁺ as the method reports it. */
  readonly ascentPoint: Vector;
}

/** The field that a method moves along. All in float64. */
export interface Direction {
  readonly dimension: number;
  /** The method's name. */
  readonly method: string;
  at(x: Vector): Promise<DirectionAt>;
  /** Dv(x)·w by a forward derivative. */
  times(x: Vector, w: Vector): Promise<Vector>;
  /** All columns of Dv(x). */
  columns(x: Vector): Promise<Vector[]>;
  /** Products Dv·w so far. */
  readonly cost: { readonly products: number };
  dispose(): Promise<void>;
}

/** How the direction is compiled. */
export interface DirectionOptions extends FixedLossOptions, EngineOptions {
  /** Where in its run the method is asked, for settings that follow a schedule; default: at its end. */
  readonly steps?: number | undefined;
}

/**
 * Why a method moves along no field, in words; `undefined` where it does: its step must depend on
 * nothing but the point.
 */
export function whyNoField(method: Method, problem: Problem): string | undefined {
  const { name, outer } = method;
  if (method.random) return `${name} draws random numbers, so it rests nowhere`;
  if (outer.descending === undefined) {
    return `${outer.name} remembers more than a point and its momentum, so it moves along no field`;
  }
  const size = { samples: problem.train.size, batch: problem.train.size };
  const { outputs } = problem;
  const memory = method.init(problem.init(0), {
    ...size,
    ...(outputs !== undefined && { outputs }),
  });
  return leavesOf<Tensor>(memory).length > 0
    ? `${name} remembers earlier steps, so it moves along no field`
    : undefined;
}

/** A power of two: scaled by it and back, a difference loses no digits. */
const rate = 2 ** 60;

/**
 * Compile v and Dv·w of a method on the whole training set. A step with rate η leads to x − ηv, so
 * that v = (x − x′)/η; with η = 2⁶⁰ the subtraction costs no digits of v.
 *
 * @throws {InputError} `invalid method: …` where it draws random numbers or remembers earlier steps.
 */
export async function compileDirection(
  problem: Problem,
  method: Method,
  { statistics, mode, steps = 1_000_000, ...engine }: DirectionOptions = {},
): Promise<Direction> {
  const loss = fixedLoss(problem, { statistics, mode });
  const why = whyNoField(method, loss);
  if (why !== undefined) {
    throw new InputError(
      `invalid method: ${why} (judge the point as another method sees it, such as sam)`,
    );
  }
  const { momentum, nesterov } = method.outer.descending as Descending;
  const initial = loss.init(0);
  const params = typesOf(initial);
  const dimension = leavesOf(params).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const size = { samples: loss.train.size, batch: loss.train.size };
  const memory = method.init(initial, {
    ...size,
    ...(loss.outputs !== undefined && { outputs: loss.outputs }),
  }) as ArrayTree;
  const data = {
    samples: loss.train.batch,
    statistics: loss.initStatistics?.() ?? {},
    constants: loss.constants ?? {},
    outer: method.outer.init(initial),
    knobs: { own: valuesOf(method.knobs, steps), outer: valuesOf(method.outer.knobs, steps, rate) },
    step: scalarTensor(Math.min(steps, 2 ** 31 - 1), "int32"),
  } satisfies Tree<Tensor>;

  const stepAt = (given: ArrayTree, point: ArrayTree) => {
    const { samples, statistics, constants, outer, knobs, step } = given as {
      [Name in keyof typeof data]: ArrayTree;
    };
    const { own, outer: outerKnobs } = knobs as { own: ArrayTree; outer: ArrayTree };
    const objective = objectiveOf(loss, castBytes(samples, typesOf(data.samples), loss.dtype), {
      mode: "evaluate",
      ...(loss.initStatistics && { statistics }),
      ...(loss.constants && { constants }),
    });
    const result = method.step({
      objective,
      params: point,
      memory,
      outerState: outer,
      knobs: { ...(own as object), outer: outerKnobs } as unknown as KnobValues<Knobs> & {
        outer: KnobValues<Knobs>;
      },
      time: { step: step as never },
    });
    // v = (x − x′)/η; Nesterov's first move is (1 + μ) times as long.
    const factor = 1 / (rate * (nesterov ? 1 + momentum : 1));
    const direction = mapTrees(
      (x, next) => multiply(subtract(x, next), scalar(factor, x)),
      point,
      result.params,
    );
    return { direction, ascentPoint: result.evidence.ascentPoint };
  };

  const nothing = { evaluation: scalarTensor(0, "float64") };
  const valueStep: StepDefinition = {
    step(carry, inputs, given) {
      const { point } = given as { point: ArrayTree };
      return { carry, record: stepAt(inputs, point) };
    },
    carry: typesOf(nothing),
    inputs: typesOf(data),
    knobs: { point: params },
  };
  const productStep: StepDefinition = {
    step(carry, inputs, given) {
      const { data: fixed, point } = inputs as { data: ArrayTree; point: ArrayTree };
      const { vector } = given as { vector: ArrayTree };
      const field = ((x: ArrayTree) => stepAt(fixed, x).direction) as (
        ...xs: ArrayTree[]
      ) => ArrayTree;
      return { carry, record: jvp(field, [share(point)], [share(vector)])[1] };
    },
    carry: typesOf(nothing),
    inputs: { data: typesOf(data), point: params },
    knobs: { vector: params },
  };
  const valueProgram = await compile(valueStep, engine);
  let productProgram: Awaited<ReturnType<typeof compile>> | undefined;
  const cost = { products: 0 };

  async function products(x: Vector, vectors: readonly Vector[]): Promise<Vector[]> {
    cost.products += vectors.length;
    productProgram ??= await compile(productStep, engine);
    const { records } = await productProgram.run({
      carry: nothing,
      inputs: { data, point: unflatten(params, x) },
      knobs: { vector: stack(params, vectors) },
      steps: vectors.length,
    });
    return unstack(records, vectors.length, dimension);
  }

  return {
    dimension,
    method: method.name,
    cost,
    async at(x) {
      const { records } = await valueProgram.run({
        carry: nothing,
        inputs: data,
        knobs: { point: stack(params, [x]) },
        steps: 1,
      });
      const { direction, ascentPoint } = records as { [name: string]: Tree<Tensor> };
      return {
        direction: flatten(direction as Tree<Tensor>),
        ascentPoint: flatten(ascentPoint as Tree<Tensor>),
      };
    },
    times: async (x, w) => (await products(x, [w]))[0] as Vector,
    columns: (x) =>
      products(
        x,
        Array.from({ length: dimension }, (_, i) => {
          const e = new Float64Array(dimension);
          e[i] = 1;
          return e;
        }),
      ),
    async dispose() {
      await valueProgram.dispose();
      await productProgram?.dispose();
    },
  };
}

/** Knobs at a step of a run's end as scalars; every learning rate is `rate` where that is given. */
function valuesOf(knobs: Knobs, steps: number, rate?: number): Tree<Tensor> {
  return Object.fromEntries(
    Object.entries(knobs).map(([name, knob]): [string, Tree<Tensor>] => {
      if (typeof knob === "object") return [name, valuesOf(knob, steps, rate)];
      const value =
        rate !== undefined && name === "learningRate" ? rate : valueAt(knob, steps, steps + 1);
      return [name, scalarTensor(value, "float64")];
    }),
  );
}
