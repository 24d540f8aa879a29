/** Problems of one's own: a network over one's own samples, as short as it can be said. */
import { checkNames, InputError, unknownName } from "../engine/errors.ts";
import type { np } from "../engine/jax-js.ts";
import { castFloat, isTensorType, tensor, type Tensor, type Tree } from "../engine/tensor.ts";
import { checkProblem } from "./check.ts";
import { castTree as cast } from "./float64.ts";
import { initializer, type Initializer } from "./layers/initializer.ts";
import {
  roleByName,
  type Batch,
  type FloatType,
  type Forward,
  type ForwardContext,
  type Problem,
  type Role,
  type Split,
} from "./problem.ts";

/** Numbers as people have them: a list, a list of rows of equal length, or a tensor. */
export type Numbers = Tensor | ArrayLike<number> | readonly (readonly number[])[];

/** Samples by name, such as `{ x, y }`: every entry has one row per sample. */
export interface NamedSamples {
  readonly [name: string]: Numbers;
}

/** A tree of tensors as a traced function sees it. */
export type Traced<T> = T extends Tensor
  ? np.Array
  : T extends readonly (infer Item)[]
    ? Traced<Item>[]
    : { [Key in keyof T]: Traced<T[Key]> };

/** Named samples as a traced function sees them. */
export type TracedSamples<Samples> = { [Name in keyof Samples]: np.Array };

/** What {@link defineProblem} is told. */
export interface ProblemDefinition<
  Params extends Tree<Tensor>,
  Samples extends NamedSamples,
  Statistics extends Tree<Tensor>,
> {
  /** Default `own`. */
  readonly name?: string;
  /** Default `float32`. Lists of numbers become tensors of this type. */
  readonly dtype?: FloatType;
  /** Samples to learn from. Labels are int32: `tensor(labels, [n], "int32")`, or a table's `labels`. */
  readonly train: Samples;
  /** Samples to judge on, of the same kind. */
  readonly test?: { readonly [Name in keyof Samples]: Numbers } | undefined;
  /** Initial parameters, drawn from `random`. */
  readonly init: (random: Initializer) => Params;
  /** Initial running statistics, for normalization layers that keep some. */
  readonly initStatistics?: (() => Statistics) | undefined;
  /** Losses, and outputs where there are some. Traced: see {@link Problem.forward}. */
  readonly forward: (
    params: Traced<Params>,
    batch: TracedSamples<Samples>,
    context: ForwardContext,
  ) => Forward;
  /** See {@link Problem.score}; for classifiers `(outputs, { y }) => isRight(outputs, y)`. */
  readonly score?: ((outputs: np.Array, batch: TracedSamples<Samples>) => np.Array) | undefined;
  /** See {@link Problem.prepare}. */
  readonly prepare?:
    ((batch: TracedSamples<Samples>, key: np.Array) => TracedSamples<Samples>) | undefined;
  /** See {@link Problem.constants}. */
  readonly constants?: Tree<Tensor> | undefined;
  /** Default: by the customary names of parameters, see {@link roleByName}. */
  readonly role?: ((path: string) => Role) | undefined;
  /** Numbers per sample in the outputs; needed by methods that keep a table of them (SAF). */
  readonly outputs?: number | undefined;
  /** Whether `forward` uses `context.key`; default false. */
  readonly random?: boolean | undefined;
}

const fields = [
  "name",
  "dtype",
  "train",
  "test",
  "init",
  "initStatistics",
  "forward",
  "score",
  "prepare",
  "constants",
  "role",
  "outputs",
  "random",
];

/**
 * A problem of one's own. Its samples are checked here: numbers that are not finite, rows that
 * differ in number and unknown fields are refused.
 *
 * @throws {InputError} in one line, such as `invalid train/y: 99 samples (give 100, as in train/x)`.
 * @example
 * const problem = defineProblem({
 *   train: { x: [[0], [1], [2]], y: [1, 3, 5] },
 *   init: (random) => random.dense(1, 1),
 *   forward(layer, { x, y }) {
 *     const error = np.subtract(dense(x, layer), y.reshape([-1, 1]));
 *     return { losses: np.mean(np.square(error), 1) };
 *   },
 * });
 */
export function defineProblem<
  Params extends Tree<Tensor>,
  Samples extends NamedSamples,
  Statistics extends Tree<Tensor> = Tree<Tensor>,
>(definition: ProblemDefinition<Params, Samples, Statistics>): Problem {
  checkNames("field", definition, fields);
  const { name = "own", dtype = "float32", train, test, init, role = roleByName } = definition;
  if (dtype !== "float32" && dtype !== "float64") {
    throw unknownName("dtype", String(dtype), ["float32", "float64"]);
  }
  if (typeof init !== "function") throw new InputError("missing init: give a function of random");
  const { initStatistics, forward, score, prepare, constants, outputs, random } = definition;
  const problem: Problem = {
    name,
    dtype,
    train: splitOf("train", train, dtype),
    test: test && splitOf("test", test, dtype),
    role,
    init: (seed) => cast(init(initializer(seed, dtype)), dtype),
    ...(initStatistics && { initStatistics: () => cast(initStatistics(), dtype) }),
    forward,
    ...(score && { score }),
    ...(prepare && { prepare }),
    constants: constants && cast(constants, dtype),
    outputs,
    random,
  };
  checkProblem(problem);
  return problem;
}

function splitOf(name: string, samples: NamedSamples, dtype: FloatType): Split {
  if (typeof samples !== "object" || samples === null) {
    throw new InputError(`missing ${name}: give samples by name, such as { x, y }`);
  }
  const batch: Batch = Object.fromEntries(
    Object.entries(samples).map(([key, numbers]) => [
      key,
      tensorOf(`${name}/${key}`, numbers, dtype),
    ]),
  );
  const [first] = Object.values(batch) as Tensor[];
  return { batch, size: first?.shape[0] ?? 0 };
}

/** Numbers as a tensor: [samples] for a list, [samples, columns] for rows. */
function tensorOf(name: string, numbers: Numbers, dtype: FloatType): Tensor {
  if (isTensorType(numbers)) return castFloat(numbers, dtype);
  const rows = Array.from(numbers as ArrayLike<number | readonly number[]>);
  const width = Array.isArray(rows[0]) ? rows[0].length : undefined;
  const flat = rows.flatMap((row, sample) => {
    const length = Array.isArray(row) ? row.length : undefined;
    if (length !== width) {
      throw new InputError(
        `invalid ${name}: ${length ?? "no"} numbers in sample ${sample} (give ${width ?? "one"}, as in sample 0)`,
      );
    }
    return row;
  });
  const wrong = flat.findIndex((value) => typeof value !== "number");
  if (wrong >= 0) {
    const sample = Math.floor(wrong / (width ?? 1));
    throw new InputError(
      `invalid ${name}: ${String(flat[wrong])} in sample ${sample} (give numbers)`,
    );
  }
  return tensor(flat, width === undefined ? [rows.length] : [rows.length, width], dtype);
}
