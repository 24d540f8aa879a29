/** Checks of problems, made before anything is compiled or run. */
import { InputError } from "../engine/errors.ts";
import type { np } from "../engine/jax-js.ts";
import type { ArrayTree } from "../engine/program.ts";
import {
  isTensorType,
  leavesWithPaths,
  type Tensor,
  type TensorType,
  type Tree,
} from "../engine/tensor.ts";
import type { Forward, ForwardContext, Problem, Split } from "./problem.ts";

/** Samples that were found in order; looking at millions of numbers once is enough. */
const known = new WeakSet<Split>();

/**
 * Check a problem's functions and samples.
 *
 * @throws {InputError} when a function is missing, leaves of a split differ in their number of samples,
 *   a number is not finite, or test samples are not of the kind of the training samples.
 */
export function checkProblem(problem: Problem): void {
  for (const name of ["init", "forward", "role"] as const) {
    if (typeof problem[name] === "function") continue;
    throw new InputError(
      `${name in problem ? `invalid ${name}: ${typeof problem[name]}` : `missing ${name}`} (give problem ${problem.name} a function)`,
    );
  }
  const { train, test } = problem;
  checkSplit("train", train);
  if (test === undefined) return;
  checkSplit("test", test);
  const like = new Map(leavesWithPaths<TensorType>(train.batch));
  const found = new Map(leavesWithPaths<TensorType>(test.batch));
  for (const [path, type] of like) {
    const other = found.get(path);
    if (other === undefined) {
      throw new InputError(`missing ${join("test", path)}: give it as in train`);
    }
    if (
      other.dtype !== type.dtype ||
      String(other.shape.slice(1)) !== String(type.shape.slice(1))
    ) {
      throw new InputError(
        `invalid ${join("test", path)}: ${words(other)} (give ${words({ ...type, shape: [test.size, ...type.shape.slice(1)] })}, as in train)`,
      );
    }
  }
}

/** @throws {InputError} when leaves differ in their number of samples or a number is not finite. */
export function checkSplit(name: string, split: Split): void {
  if (known.has(split)) return;
  const leaves = leavesWithPaths<Tensor>(split.batch);
  if (leaves.length === 0) throw new InputError(`missing ${name}: give samples by name, such as x`);
  const [firstPath, first] = leaves[0] as (typeof leaves)[number];
  for (const [path, leaf] of leaves) {
    const at = join(name, path);
    if (!isTensorType(leaf) || leaf.shape.length === 0) {
      throw new InputError(`invalid ${at}: it has no samples (give one row per sample)`);
    }
    const samples = leaf.shape[0] as number;
    if (samples !== first.shape[0]) {
      throw new InputError(
        `invalid ${at}: ${samples} samples (give ${first.shape[0]}, as in ${join(name, firstPath)})`,
      );
    }
    if (samples < 1) throw new InputError(`invalid ${at}: no samples (give 1 or more)`);
    const wrong = leaf.dtype.startsWith("float")
      ? leaf.data.findIndex((value) => !Number.isFinite(value))
      : -1;
    if (wrong >= 0) {
      const sample = Math.floor((wrong * samples) / leaf.data.length);
      throw new InputError(
        `invalid ${at}: ${leaf.data[wrong]} in sample ${sample} (give finite numbers)`,
      );
    }
  }
  if (split.size !== first.shape[0]) {
    throw new InputError(
      `invalid size of ${name}: ${split.size} (it has ${first.shape[0]} samples)`,
    );
  }
  known.add(split);
}

/**
 * The problem's forward pass, its result checked. What an own network most easily gets wrong shows
 * here, while the step is traced, and not as a strange message of an engine.
 *
 * @param samples number of samples in `batch`.
 * @throws {InputError} when the result is not what {@link Forward} says.
 */
export function checkedForward(
  problem: Pick<Problem, "forward"> & Partial<Pick<Problem, "name" | "train" | "test">>,
  params: ArrayTree,
  batch: ArrayTree,
  context: ForwardContext,
  samples: number,
): Forward {
  const result: unknown = problem.forward(params, batch, context);
  if (result instanceof Promise) {
    throw new InputError(
      "invalid forward: it returns a promise (make it a plain function: it is traced once, not awaited)",
    );
  }
  const { losses, outputs } = (
    typeof result === "object" && result !== null ? result : {}
  ) as Partial<Forward>;
  if (losses === undefined) {
    throw new InputError("missing losses: give what forward returns one loss per sample, [batch]");
  }
  if (!isArray(losses) || losses.shape.length !== 1 || losses.shape[0] !== samples) {
    throw new InputError(
      `invalid losses: ${isArray(losses) ? `shape [${losses.shape.join(", ")}]` : typeof losses} (give one loss per sample, shape [${samples}]; training takes their mean)`,
    );
  }
  if (outputs !== undefined && (!isArray(outputs) || outputs.shape[0] !== samples)) {
    throw new InputError(
      `invalid outputs: ${isArray(outputs) ? `shape [${outputs.shape.join(", ")}]` : typeof outputs} (give one row per sample, shape [${samples}, …])`,
    );
  }
  if (outputs?.shape.length === 2) checkLabels(problem, outputs.shape[1] as number);
  return result as Forward;
}

/** Whole numbers called `y` beside rows of outputs are classes. */
function checkLabels(
  { train, test }: Partial<Pick<Problem, "train" | "test">>,
  classes: number,
): void {
  for (const [name, split] of Object.entries({ train, test })) {
    const y = (split?.batch as { y?: Tree<Tensor> } | undefined)?.y;
    if (!isTensorType(y) || y.dtype !== "int32" || y.shape.length !== 1) continue;
    const { data } = y;
    const wrong = data.findIndex((label) => label < 0 || label >= classes);
    if (wrong < 0) continue;
    throw new InputError(
      `invalid ${name}/y: label ${data[wrong]} of sample ${wrong} (the outputs have ${classes} columns: give 0 to ${classes - 1})`,
    );
  }
}

const isArray = (value: unknown): value is np.Array =>
  typeof value === "object" && value !== null && "shape" in value && Array.isArray(value.shape);

const join = (name: string, path: string) => (path === "" ? name : `${name}/${path}`);

/** `float32[100, 4]` */
const words = ({ dtype, shape }: TensorType) => `${dtype}[${shape.join(", ")}]`;
