/** Scenes of a plane: what a method sees at a point and where it goes, as one scalar function. */
import { mapTrees, multiply, norm, scalar, subtract, leaves } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import { np } from "../../engine/jax-js.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { traceScalar, type ScalarFunction, type ScalarShapes } from "../../engine/scalar/scalar.ts";
import {
  leavesOf,
  mapTree,
  sizeOf,
  unflattenLike,
  type Tensor,
  type Tree,
} from "../../engine/tensor.ts";
import type { Problem } from "../../problems/problem.ts";
import type { Knobs, Method, Outer } from "../../sam/contract/method.ts";
import { objectiveOf, type Objective } from "../../sam/contract/objective.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { valueAt } from "../../settings/schedules.ts";
import { whyNoField } from "../point/direction.ts";
import { fixedLoss } from "../point/fixed-loss.ts";

/** What is drawn, and with which method. */
export interface SceneOptions {
  /** Of two parameters: a plane, or another small problem. Taken in float64. */
  readonly problem: Problem;
  /**
   * The method around the outer optimizer it is given: `(outer) => sam({ rho: 1, outer })`, or
   * `(outer) => createMethod("asam", settings, outer)`.
   */
  readonly method: (outer: Outer) => Method;
  /** Where in its run the method is asked, for settings that follow a schedule; default: at its end. */
  readonly steps?: number | undefined;
}

/** A scene: a function of a point and of the method's knobs. */
export interface Scene {
  /**
   * Inputs: the parameters `x1`, `x2`, …, then the method's knobs by name, such as `rho`. Outputs:
   * `loss` f, `gradient1`, `gradient2` g, `gradNorm` ‖g‖; of x⁺ as the method reports it
   * `ascentPoint1`, `ascentPoint2`, `shiftedLoss`, `shiftedGradient1`, `shiftedGradient2`,
   * `shiftedGradNorm`; and `direction1`, `direction2`, `directionNorm` of v: a plain step with
   * learning rate η leads to x − ηv.
   */
  readonly f: ScalarFunction;
  /** What the knobs are where the method is asked: values for the inputs after the parameters. */
  readonly knobs: { readonly [name: string]: number };
}

/** The learning rate of {@link compileDirection}: a power of two, by which no digits are lost. */
const rate = 2 ** 60;

/**
 * Trace a scene. Radius and other knobs are inputs: nothing is traced again when they change.
 *
 * @throws {InputError} where the method draws random numbers or remembers earlier steps.
 * @throws {UnsupportedError} where its step is no arithmetic of real numbers.
 * @example
 * const { f } = await traceScene({ problem: ridge(), method: (outer) => sam({ outer }) });
 * const [norm] = compileScalar(pickOutputs(f, ["shiftedGradNorm"]))(-0.25, 0.75, 1.6);
 */
export async function traceScene({
  problem,
  method: around,
  steps = 1_000_000,
}: SceneOptions): Promise<Scene> {
  const loss = fixedLoss(problem, {});
  const plain = sgd({ learningRate: rate });
  let followed: { readonly direction: ArrayTree; readonly params: ArrayTree } | undefined;
  const outer: Outer = {
    ...plain,
    update(direction, params, state, knobs) {
      const next = plain.update(direction, params, state, knobs);
      followed = { direction, params: next.params };
      return next;
    },
  };
  const method = around(outer);
  const why = whyNoField(method, loss);
  if (why !== undefined) throw new InputError(`invalid method: ${why} (choose another)`);
  const initial = loss.init(0);
  const dimension = leavesOf(initial).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const isPlane = dimension === 2;
  const size = { samples: loss.train.size, batch: loss.train.size, outputs: loss.outputs };
  const memory = method.init(initial, size) as ArrayTree;
  const knobs = Object.fromEntries(
    knobPaths(method.knobs).map(([name, knob]) => [name, valueAt(knob, steps, steps + 1)]),
  );
  const shapes: ScalarShapes = {
    x: [dimension],
    ...Object.fromEntries(Object.keys(knobs).map((name) => [name, []])),
  };
  const f = await traceScalar(({ x, ...given }) => {
    const all = x as np.Array;
    let offset = 0;
    const params = unflattenLike(
      initial,
      leavesOf(initial).map(({ shape }) => {
        const start = offset;
        offset += sizeOf(shape);
        return all.ref.slice([start, offset]).reshape([...shape]);
      }),
    ) as ArrayTree;
    const objective = objectiveOf(loss, arraysOf(loss.train.batch), {
      mode: "evaluate",
      ...(loss.initStatistics && { statistics: arraysOf(loss.initStatistics()) }),
      ...(loss.constants && { constants: arraysOf(loss.constants) }),
    });
    followed = undefined;
    const { params: next, evidence } = method.step({
      objective,
      params,
      memory,
      outerState: {},
      knobs: {
        ...(nested(method.knobs, given) as object),
        outer: { learningRate: scalar(rate, all) },
      },
      time: { step: np.array(Math.min(steps, 2 ** 31 - 1), { dtype: np.int32 }) },
    });
    const seen = followed as { direction: ArrayTree; params: ArrayTree } | undefined;
    const direction =
      seen?.params === next
        ? seen.direction
        : // v = (x − x′)/η
          mapTrees((a, b) => multiply(subtract(a, b), scalar(1 / rate, a)), params, next);
    const at = objective.lossAndGradient(params);
    const shifted = objective.lossAndGradient(evidence.ascentPoint);
    const rows = isPlane ? [0, 1].map((i) => hessianRow(objective, params, initial, i)) : [];
    return {
      loss: at.loss,
      gradient: flat(at.gradient),
      gradNorm: norm(at.gradient),
      ...(isPlane && { hessian: np.concatenate(rows) }),
      ascentPoint: flat(evidence.ascentPoint),
      shiftedLoss: shifted.loss,
      shiftedGradient: flat(shifted.gradient),
      shiftedGradNorm: norm(shifted.gradient),
      direction: flat(direction),
      directionNorm: norm(direction),
    };
  }, shapes);
  return { f, knobs };
}

/** A row of the Hessian, H·eᵢ. */
function hessianRow(
  objective: Objective,
  params: ArrayTree,
  like: Tree<Tensor>,
  row: number,
): np.Array {
  let offset = 0;
  const unit = mapTree(like, ({ shape, dtype }) => {
    const start = offset;
    offset += sizeOf(shape);
    return np.array(
      Array.from({ length: sizeOf(shape) }, (_, i) => (start + i === row ? 1 : 0)),
      { shape: [...shape], dtype: dtype as never },
    ) as never;
  }) as ArrayTree;
  return flat(objective.hessianVectorProduct(params, unit));
}

/** Knobs by name; those inside others as `of_rho`. */
function knobPaths(knobs: Knobs, before = ""): [string, Exclude<Knobs[string], Knobs>][] {
  return Object.entries(knobs).flatMap(([name, knob]) =>
    typeof knob === "object" ? knobPaths(knob, `${before}${name}_`) : [[before + name, knob]],
  );
}

/** Values by those names in the structure of the knobs. */
const nested = (
  knobs: Knobs,
  values: { readonly [name: string]: np.Array },
  before = "",
): ArrayTree =>
  Object.fromEntries(
    Object.entries(knobs).map(([name, knob]) => [
      name,
      typeof knob === "object"
        ? nested(knob, values, `${before}${name}_`)
        : (values[before + name] as np.Array),
    ]),
  );

/** Tensors as arrays of a trace. */
const arraysOf = (tree: Parameters<typeof leavesOf<Tensor>>[0]): ArrayTree =>
  mapTree(tree, ({ data, shape, dtype }) =>
    np.array(Array.from(data), { shape: [...shape], dtype: dtype as never }),
  );

/** All leaves of a tree in one row. */
const flat = (tree: ArrayTree): np.Array =>
  np.concatenate(leaves(tree).map((leaf) => leaf.ref.reshape([-1])));
