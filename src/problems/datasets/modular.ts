/** Modular addition: all pairs of numbers below p, a fraction of them to learn from (Power et al. 2022). */
import { z } from "zod";
import { InputError } from "../../engine/errors.ts";
import { randomStream } from "../../engine/random.ts";
import { tensor } from "../../engine/tensor.ts";
import { number, shownAs } from "../../settings/fields.ts";
import { datasetEntry } from "./entry.ts";
import type { TokenSamples, TokenSplit } from "./tokens.ts";

/** What `modular` can be made with. */
export interface ModularOptions {
  /** Numbers are added modulo p; default 23. */
  readonly p?: number | undefined;
  /** Fraction of the pairs to learn from; the others are the test. Default 0.5. */
  readonly fraction?: number | undefined;
  /** Seed that chooses the pairs; default 0. */
  readonly dataSeed?: number | undefined;
}

/**
 * The p² sequences `a b =` with the answer (a + b) mod p. Tokens 0 … p − 1 are the numbers, p is `=`.
 *
 * @throws {InputError} when a number is out of range, or no pair is left on one side.
 */
export function modular({
  p = 23,
  fraction = 0.5,
  dataSeed = 0,
}: ModularOptions = {}): TokenSamples {
  if (!Number.isInteger(p) || p < 2) {
    throw new InputError(`invalid p: ${p} (give a whole number, 2 or more)`);
  }
  const pairs = p * p;
  const count = Math.round(fraction * pairs);
  if (!(count >= 1 && count < pairs)) {
    throw new InputError(
      `invalid fraction: ${fraction} of ${pairs} pairs (give one between 0 and 1 that leaves pairs on both sides)`,
    );
  }
  const order = randomStream(dataSeed, "modular").permutation(pairs);
  const split = (chosen: readonly number[]): TokenSplit => ({
    size: chosen.length,
    batch: {
      x: tensor(
        chosen.flatMap((pair) => [Math.floor(pair / p), pair % p, p]),
        [chosen.length, 3],
        "int32",
      ),
      y: tensor(
        chosen.map((pair) => (Math.floor(pair / p) + (pair % p)) % p),
        [chosen.length, 1],
        "int32",
      ),
    },
  });
  return {
    kind: "tokens",
    train: split([...order.subarray(0, count)]),
    test: split([...order.subarray(count)]),
    vocabulary: p + 1,
  };
}

/** `modular` as a run asks for it. */
export const modularEntry = datasetEntry({
  name: "modular",
  title: "Addition modulo p: all pairs of numbers below p, a fraction of them to learn from.",
  kind: "tokens",
  options: z.object({
    p: number(23, "numbers are added modulo this", { min: 2, max: 1000, integer: true }),
    fraction: shownAs(
      "fraction",
      number(0.5, "fraction of the pairs to learn from; the others are the test", {
        above: 0,
        below: 1,
      }),
    ),
    dataSeed: shownAs(
      "number",
      number(0, "seed that chooses the pairs", {
        min: 0,
        max: Number.MAX_SAFE_INTEGER,
        integer: true,
      }),
    ),
  }),
  pixels: () => 3,
  classes: ({ p }) => p + 1,
  count: ({ p, fraction }) => Math.round(fraction * p * p),
  files: {},
  mirrors: [],
  read: (_, { options }) => modular(options),
});
