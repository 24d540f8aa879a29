/** Random numbers inside training steps. */
import { np, random } from "../../engine/jax-js.ts";
import { mapTrees } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type { StepTime } from "./method.ts";

/**
 * `count` random keys of this step for a method's own draws. They are unrelated to the keys that
 * problems make of the step's key for their dropout masks. To make several costs as much as a
 * draw; one is there already.
 *
 * @throws {TypeError} when the step has no key: the method must say that it is `random`.
 */
export function methodKeys({ key }: StepTime, count: number): np.Array[] {
  if (key === undefined) throw new TypeError("missing key: the method must be marked as random");
  // "SAM" as a number.
  const own = otherStream(key, [0x53, 0x414d]);
  if (count === 1) return [own];
  return np.split(random.split(own, count), count).map((row) => row.reshape([2]));
}

/** The random key of this step for the problem's `prepare`, unrelated to all others of the step. */
export function preparationKey({ key }: StepTime): np.Array {
  if (key === undefined) throw new TypeError("missing key: the problem prepares its batches");
  // "PREP" as a number.
  return otherStream(key, [0x5052, 0x4550]);
}

/** The key of another stream: any constant leads to one, which splits of `key` do not reach. */
const otherStream = (key: np.Array, constant: [number, number]): np.Array =>
  np.add(key.ref, np.array(constant, { dtype: np.uint32 }));

/**
 * `count` trees of standard normal numbers in the structure of `like`. All come from one call:
 * every call is a hundred operations in the compiled step.
 */
export const normalsLike = (key: np.Array, like: ArrayTree, count: number): ArrayTree[] =>
  drawLike((size) => normals(key, count * size).reshape([count, size]), like, count);

/**
 * Standard normal numbers, float32 [size]: √(−2 ln u) cos 2πv and √(−2 ln u) sin 2πv
 * (Box & Muller 1958). `split` hands out both words of a random block, so that one block makes
 * two numbers; jax-js's own `normal` spends two blocks on one.
 */
export function normals(key: np.Array, size: number): np.Array {
  const pairs = Math.ceil(size / 2);
  const [u, v] = np
    .split(random.split(key.ref, pairs), 2, 1)
    .map((word) => word.reshape([pairs]).astype(np.float32)) as [np.Array, np.Array];
  // (u + 1)/2³² is in (0, 1].
  const radius = np.sqrt(np.log(u.add(1).mul(2 ** -32)).mul(-2));
  const angle = v.mul(2 * Math.PI * 2 ** -32);
  const both = [np.cos(angle.ref), np.sin(angle)].map((part) => part.mul(radius.ref));
  return np.concatenate(both).slice([0, size]);
}

/** Numbers uniform in [0, 1), multiples of 2⁻²³, in the structure of `like`. */
export const uniformLike = (key: np.Array, like: ArrayTree): ArrayTree =>
  drawLike((size) => random.uniform(key.ref, [1, size]), like, 1)[0] as ArrayTree;

/** Rows of `draw(size)`, [count, size], each cut into the leaves of `like`. */
function drawLike(draw: (size: number) => np.Array, like: ArrayTree, count: number): ArrayTree[] {
  let end = 0;
  const ends: number[] = [];
  mapTrees((leaf) => {
    ends.push((end += leaf.size));
    return leaf;
  }, like);
  return np.split(draw(end), count).map((row) => {
    const parts = np.split(row.reshape([end]), ends.slice(0, -1));
    let next = 0;
    return mapTrees(
      (leaf) => (parts[next++] as np.Array).reshape(leaf.shape).astype(leaf.dtype),
      like,
    );
  });
}

/** `count` sample indices uniform in 0 … `samples` − 1, with replacement: int32 [count]. */
export function randomIndices(key: np.Array, count: number, samples: number): np.Array {
  return random.randint(key.ref, { minval: 0, maxval: samples, shape: [count], dtype: np.int32 });
}
