/** A step as a function of lists of leaves: the order of keys in a tree stops mattering here. */
import type { np } from "./jax-js.ts";
import { hostDType, leaves } from "./arrays.ts";
import type { ArrayTree, StepDefinition } from "./program.ts";
import { leavesOf, leavesWithPaths, unflattenLike, type TensorType, type Tree } from "./tensor.ts";

/** All leaves of carry, then of inputs, then of knobs. */
export interface FlatStep {
  /** Traced. Takes every leaf in order; returns the leaves of the next carry, then of the record. */
  readonly run: (...args: np.Array[]) => np.Array[];
  /** Types of the arguments of `run`. */
  readonly argumentTypes: readonly TensorType[];
  readonly carryCount: number;
  /** Types of the record; known once `run` has been traced. */
  recordTypes(): Tree<TensorType>;
}

/** Flatten a step, checking while it is traced that the carry keeps its structure and types. */
export function flattenStep({ step, carry, inputs, knobs }: StepDefinition): FlatStep {
  const parts = [carry, inputs, knobs];
  const counts = parts.map((part) => leavesOf(part).length);
  const carryCount = counts[0] as number;
  let recordTypes: Tree<TensorType> | undefined;
  return {
    argumentTypes: parts.flatMap((part) => leavesOf(part)),
    carryCount,
    run(...args) {
      let next = 0;
      const trees = parts.map((part, i) => {
        const from = next;
        next += counts[i] as number;
        return unflattenLike(part, args.slice(from, next));
      }) as [ArrayTree, ArrayTree, ArrayTree];
      const result = step(...trees);
      const nextCarry = leaves(result.carry);
      checkCarry(leavesWithPaths(carry, "carry"), nextCarry);
      recordTypes = typesOfArrays(result.record);
      return [...nextCarry, ...leaves(result.record)];
    },
    recordTypes() {
      if (recordTypes === undefined) throw new Error("the step has not been traced yet");
      return recordTypes;
    },
  };
}

function checkCarry(expected: [string, TensorType][], found: readonly np.Array[]): void {
  if (found.length !== expected.length) {
    throw new TypeError(
      `invalid step: it was given ${expected.length} carry tensors and returned ${found.length}`,
    );
  }
  expected.forEach(([path, { dtype, shape }], i) => {
    const leaf = found[i] as np.Array;
    if (hostDType(leaf.dtype) !== dtype || String(leaf.shape) !== String(shape)) {
      throw new TypeError(
        `invalid step: ${path} came back as ${leaf.dtype}[${leaf.shape.join(", ")}] instead of ${dtype}[${shape.join(", ")}]`,
      );
    }
  });
}

/** Types of traced arrays, in the structure of their tree. */
function typesOfArrays(node: ArrayTree): Tree<TensorType> {
  if (Array.isArray(node)) return node.map(typesOfArrays);
  if (Object.getPrototypeOf(node) === Object.prototype) {
    return Object.fromEntries(
      Object.entries(node as { [key: string]: ArrayTree }).map(([key, child]) => [
        key,
        typesOfArrays(child),
      ]),
    );
  }
  const { dtype, shape } = node as np.Array;
  return { dtype: hostDType(dtype), shape };
}
