/** The fixed loss of a model: a problem as one function of its parameters, equal in every pass. */
import { InputError } from "../../engine/errors.ts";
import {
  castFloat,
  leavesWithPaths,
  mapTree,
  type Tensor,
  type TensorType,
  type Tree,
} from "../../engine/tensor.ts";
import { inFloat64 } from "../../problems/float64.ts";
import type { Mode, Problem } from "../../problems/problem.ts";

/** Which function of its parameters a problem's loss is taken as. */
export interface FixedLossOptions {
  /** Running statistics of the model in question, for problems that keep some. */
  readonly statistics?: Tree<Tensor> | undefined;
  /**
   * `evaluate` (default): the loss that evaluation sees, with `statistics` held and without masks.
   * `train`: normalization by the statistics of the whole training set as one batch, as steps of
   * training see it; nothing is updated.
   */
  readonly mode?: Mode | undefined;
}

/**
 * The problem whose every forward pass, in training as well, is that of one mode with given
 * statistics, in float64: no masks, no augmentation, no update. Only such a loss has a Hessian.
 *
 * @throws {InputError} when statistics are missing or do not fit, or the mode draws random numbers.
 */
export function fixedLoss(
  problem: Problem,
  { statistics, mode = "evaluate" }: FixedLossOptions = {},
): Problem {
  const exact = inFloat64(problem);
  const { name, dtype, train, constants } = exact;
  if (mode === "train" && problem.random) {
    throw new InputError(
      `invalid mode: ${name} draws random numbers in training, so that loss has no Hessian (give evaluate)`,
    );
  }
  const initial = exact.initStatistics?.();
  if (initial && statistics === undefined && mode === "evaluate") {
    throw new InputError(
      `missing statistics: ${name} keeps running statistics (give those of the trained model)`,
    );
  }
  const held = statistics && mapTree(statistics, (leaf) => castFloat(leaf, dtype));
  if (held) checkTensors(initial ?? {}, held, "statistics", `${name} keeps no such statistic`);
  const fixed = held ?? initial ?? {};
  return {
    name,
    dtype,
    train,
    constants,
    init: (seed) => exact.init(seed),
    role: (path) => problem.role(path),
    ...(initial && { initStatistics: () => fixed }),
    forward(params, batch, { statistics: given, constants: data }) {
      const { losses, outputs } = problem.forward(params, batch, {
        mode,
        statistics: given,
        constants: data,
      });
      return { losses, ...(outputs && { outputs }) };
    },
  };
}

/**
 * Refuse tensors of other shapes and tensors that are not finite.
 *
 * @param prefix what paths begin with in messages.
 * @param extra what is wrong with a tensor that is not expected.
 */
export function checkTensors(
  expected: Tree<TensorType>,
  given: Tree<Tensor>,
  prefix: string,
  extra: string,
): void {
  const left = new Map(leavesWithPaths(given, prefix));
  for (const [path, { shape }] of leavesWithPaths(expected, prefix)) {
    const leaf = left.get(path);
    if (leaf === undefined) throw new InputError(`missing ${path}: the point has no such tensor`);
    if (String(leaf.shape) !== String(shape)) {
      throw new InputError(
        `invalid ${path}: shape [${leaf.shape.join(", ")}] (give [${shape.join(", ")}])`,
      );
    }
    const wrong = leaf.data.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) {
      throw new InputError(
        `invalid ${path}: element ${wrong} is ${leaf.data[wrong]} (give finite numbers)`,
      );
    }
    left.delete(path);
  }
  const [unexpected] = left.keys();
  if (unexpected !== undefined) throw new InputError(`unknown ${unexpected}: ${extra}`);
}
