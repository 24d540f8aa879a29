/** Seeded randomness outside training steps: initial weights, shuffles, drawn data. */
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A stream of random numbers. Two streams of different names are unrelated. */
export interface RandomStream {
  /** Uniform in [low, high), defaults [0, 1). */
  uniform(low?: number, high?: number): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in [0, n). */
  integer(n: number): number;
  /** A random order of 0 … n−1. */
  permutation(n: number): Int32Array;
}

/**
 * The random stream of a seed and a list of names, such as `randomStream(0, "batches", epoch)`.
 * Streams are derived by name, not by order of use, so that "the same batches for every
 * method" holds by construction.
 */
export function randomStream(seed: number, ...names: (string | number)[]): RandomStream {
  const generator = xoroshiro128plus(hash(JSON.stringify([seed, ...names])));
  const uniform = (low = 0, high = 1) => low + (high - low) * uniformFloat64(generator);
  const integer = (n: number) => uniformInt(generator, 0, n - 1);
  return {
    uniform,
    integer,
    // Box and Muller 1958; 1 − u lies in (0, 1], where the logarithm is finite.
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    permutation(n) {
      const order = Int32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = integer(i + 1);
        [order[i], order[j]] = [order[j] as number, order[i] as number];
      }
      return order;
    },
  };
}

/** 32-bit FNV-1a hash of a string, finished with an avalanche so that near names end far apart. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
