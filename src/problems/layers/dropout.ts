/** Dropout (Srivastava et al. 2014). */
import { np, random } from "../../engine/jax-js.ts";
import { multiply, scalar } from "../../engine/arrays.ts";

/**
 * Set every number to 0 with chance `rate`, and divide those that stay by 1 − rate, so that the mean
 * is kept. Traced; borrows `x`, consumes the key.
 *
 * @param key jax-js random key, uint32 [2]; `undefined` in evaluation, where nothing is dropped.
 */
export function dropout(x: np.Array, rate: number, key: np.Array | undefined): np.Array {
  if (key === undefined || rate === 0) return x;
  const kept = np.less(random.uniform(key, [...x.shape]), 1 - rate);
  return np.where(kept, multiply(x, scalar(1 / (1 - rate), x)), np.zerosLike(x.ref));
}
