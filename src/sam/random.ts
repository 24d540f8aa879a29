/** Random numbers inside training steps. */
import { numpy as np, random } from "@jax-js/jax";
import { leaves, mapTrees } from "../engine/arrays.ts";
import type { ArrayTree } from "../engine/program.ts";
import type { StepTime } from "./method.ts";

/**
 * `count` random keys of this step for a method's own draws. They are unrelated to the keys that
 * problems make of the step's key for their dropout masks.
 *
 * @throws {TypeError} when the step has no key: the method must say that it is `random`.
 */
export function methodKeys({ key }: StepTime, count: number): np.Array[] {
  if (key === undefined) throw new TypeError("missing key: the method must be marked as random");
  // "SAM" as a number: any constant moves us to another stream.
  const own = np.add(key.ref, np.array([0x53, 0x414d], { dtype: np.uint32 }));
  return np.split(random.split(own, count), count).map((row) => row.reshape([2]));
}

/** Standard normal numbers in the structure of `like`. */
export function normalLike(key: np.Array, like: ArrayTree): ArrayTree {
  return drawLike(key, like, (leafKey, shape) => random.normal(leafKey, shape));
}

/** Numbers uniform in [0, 1), multiples of 2⁻²³, in the structure of `like`. */
export function uniformLike(key: np.Array, like: ArrayTree): ArrayTree {
  return drawLike(key, like, (leafKey, shape) => random.uniform(leafKey, shape));
}

function drawLike(
  key: np.Array,
  like: ArrayTree,
  draw: (key: np.Array, shape: number[]) => np.Array,
): ArrayTree {
  const count = leaves(like).length;
  const keys = np.split(random.split(key.ref, count), count);
  let next = 0;
  return mapTrees((leaf) => {
    const leafKey = (keys[next++] as np.Array).reshape([2]);
    return draw(leafKey, leaf.shape).astype(leaf.dtype);
  }, like);
}

/** `count` sample indices uniform in 0 … `samples` − 1, with replacement: int32 [count]. */
export function randomRows(key: np.Array, count: number, samples: number): np.Array {
  return random.randint(key.ref, { minval: 0, maxval: samples, shape: [count], dtype: np.int32 });
}
