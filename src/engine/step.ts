/**
 * Flat steps: a step function over named leaves. Both engines flatten here, so a tree means the
 * same to both: leaves are matched by name, never by the order of keys.
 */
import type { np } from "./jax-js.ts";
import { hostDType, jaxDType } from "./arrays.ts";
import { InputError } from "./errors.ts";
import type { ArrayTree, StepDefinition } from "./program.ts";
import { leavesWithPaths, printType, unflattenLike, type TensorType, type Tree } from "./tensor.ts";

/** Parts of a step's arguments, in the order in which they are flattened. */
export const parts = ["carry", "inputs", "knobs"] as const;
export type Part = (typeof parts)[number];

/** A tensor of a step's arguments or results, by its path: `carry/layer1/weight`. */
export interface Leaf extends TensorType {
  readonly path: string;
}

/** A leaf that goes into a step. */
export interface Argument extends Leaf {
  readonly part: Part;
}

/** A step as a function of a list of leaves. */
export interface FlatStep {
  /** What `run` takes: every leaf of carry, inputs and knobs, keys in sorted order. */
  readonly arguments: readonly Argument[];
  /** How many of its arguments and of its results are carry. */
  readonly carryCount: number;
  /**
   * Traced. Returns the next carry in the order of the arguments, then the record.
   *
   * @throws {InputError} when the carry comes back with other names or types.
   */
  readonly run: (...leaves: np.Array[]) => np.Array[];
  /** Types of the record; known once `run` has been traced. */
  recordTypes(): Tree<TensorType>;
}

/** Flatten a step. */
export function flattenStep(definition: StepDefinition): FlatStep {
  const args = parts.flatMap((part) =>
    leavesWithPaths(definition[part], part).map(([path, { dtype, shape }]) => ({
      part,
      path,
      dtype,
      shape,
    })),
  );
  const carryTypes = args.filter(({ part }) => part === "carry");
  const bytes = carryTypes.find(({ dtype }) => dtype === "uint8");
  if (bytes !== undefined) {
    throw new InputError(
      `invalid ${bytes.path}: ${printType(bytes)} (a step computes with bytes as int32, so only inputs and knobs can be uint8)`,
    );
  }
  let recordTypes: Tree<TensorType> | undefined;
  return {
    arguments: args,
    carryCount: carryTypes.length,
    run(...leaves) {
      const [carry, inputs, knobs] = parts.map((part) =>
        unflattenLike(
          definition[part],
          leaves.filter((_, i) => args[i]?.part === part),
        ),
      ) as [ArrayTree, ArrayTree, ArrayTree];
      const result = definition.step(carry, inputs, knobs);
      recordTypes = typesOfArrays(result.record);
      return [
        ...inOrder(carryTypes, result.carry),
        ...arraysWithPaths(result.record).map(([, array]) => array),
      ];
    },
    recordTypes() {
      if (recordTypes === undefined) throw new Error("the step has not been traced yet");
      return recordTypes;
    },
  };
}

/** The step's next carry, leaf by leaf in the order of the one it was given. */
function inOrder(carryTypes: readonly Leaf[], carry: ArrayTree): np.Array[] {
  const found = new Map(arraysWithPaths(carry, "carry"));
  const ordered = carryTypes.map(({ path, ...type }) => {
    const array = found.get(path);
    found.delete(path);
    if (array === undefined) {
      throw new InputError(`missing ${path}: the step's result must hold what its carry held`);
    }
    const { dtype, shape } = type;
    if (array.dtype !== jaxDType[dtype] || String(array.shape) !== String(shape)) {
      throw new InputError(
        `invalid ${path}: ${printType(type)} goes into the step and ` +
          `${array.dtype}[${array.shape.join(", ")}] comes out (make them equal)`,
      );
    }
    return array;
  });
  const [extra] = found.keys();
  if (extra !== undefined) throw new InputError(`unknown ${extra}: the step was not given it`);
  return ordered;
}

/** Leaves of a tree of arrays in the order of host trees: keys sorted, as jax-js does not. */
function arraysWithPaths(tree: ArrayTree, path = ""): [path: string, array: np.Array][] {
  if (!isBranch(tree)) return [[path, tree as np.Array]];
  return Object.keys(tree)
    .sort(Array.isArray(tree) ? (a, b) => Number(a) - Number(b) : undefined)
    .flatMap((key) =>
      arraysWithPaths(tree[key] as ArrayTree, path === "" ? key : `${path}/${key}`),
    );
}

/** Types of traced arrays, in the structure of their tree. */
function typesOfArrays(tree: ArrayTree): Tree<TensorType> {
  if (!isBranch(tree)) {
    const { dtype, shape } = tree as np.Array;
    return { dtype: hostDType(dtype), shape };
  }
  if (Array.isArray(tree)) return tree.map((child: ArrayTree) => typesOfArrays(child));
  return Object.fromEntries(
    Object.entries(tree).map(([key, child]) => [key, typesOfArrays(child)]),
  );
}

function isBranch(tree: ArrayTree): tree is { readonly [key: string]: ArrayTree } {
  return Array.isArray(tree) || Object.getPrototypeOf(tree) === Object.prototype;
}
