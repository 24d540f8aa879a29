/** The shape of transformers: options that networks of transformer blocks share. */
import { InputError } from "../../engine/errors.ts";
import { number } from "../../settings/fields.ts";
import type { ProblemSize } from "../entry.ts";

/** What transformer blocks are made of. */
export interface TransformerShape {
  /** Numbers per place. */
  readonly dim: number;
  readonly blocks: number;
  readonly heads: number;
}

/** Its options. */
export const transformerFields = {
  dim: number(32, "numbers per place of the sequence", { min: 1, integer: true }),
  blocks: number(2, "transformer blocks", { min: 1, integer: true }),
  heads: number(4, "heads of every attention; they divide dim", { min: 1, integer: true }),
};

/** @throws {InputError} when a number is out of range or `heads` does not divide `dim`. */
export function checkTransformer({ dim, blocks, heads }: TransformerShape): void {
  for (const [name, value] of Object.entries({ dim, blocks, heads })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new InputError(`invalid ${name}: ${value} (give a whole number, 1 or more)`);
  }
  if (dim % heads === 0) return;
  throw new InputError(`invalid heads: ${heads} do not divide dim ${dim} (give a divisor)`);
}

/**
 * How large a network of blocks is.
 *
 * @param rows how many further parameters it has for every one of `dim`: embeddings, head.
 */
export const transformerSize = (
  { dim, blocks, heads }: TransformerShape,
  places: number,
  rows: number,
): ProblemSize => ({
  parameters: blocks * (12 * dim ** 2 + 13 * dim) + rows * dim,
  units: blocks * places * (16 * dim + 3 * heads * places),
});
