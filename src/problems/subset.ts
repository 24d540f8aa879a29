/** Subsets of samples: the same problem on some of its training samples. */
import { mapTree, sizeOf, tensor, type Tensor } from "../engine/tensor.ts";
import { InputError } from "../engine/errors.ts";
import type { Problem } from "./problem.ts";

/**
 * A problem on the training samples with these indices, in their order.
 *
 * @throws {InputError} for problems whose constants speak of samples by their place.
 */
export function onSamples(problem: Problem, indices: ArrayLike<number>): Problem {
  const { name, constants, train } = problem;
  if (constants !== undefined) {
    throw new InputError(
      `invalid samples: those of ${name} belong together (leave it out, for all of them)`,
    );
  }
  const batch = mapTree(train.batch, ({ data, shape, dtype }: Tensor) => {
    const each = sizeOf(shape.slice(1));
    const values = new Float64Array(indices.length * each);
    for (let i = 0; i < indices.length; i++) {
      const first = (indices[i] as number) * each;
      values.set(data.subarray(first, first + each), i * each);
    }
    return tensor(values, [indices.length, ...shape.slice(1)], dtype);
  });
  return { ...problem, train: { batch, size: indices.length } };
}
