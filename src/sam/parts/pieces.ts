/** Pieces of the batch, for methods that treat each by itself. */
import { np } from "../../engine/jax-js.ts";
import { addTrees, leaves, mapTrees, scalar, scale } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type { Objective } from "../contract/objective.ts";

/** Every piece is a pass of its own in the compiled step: more would take minutes to compile. */
export const mostPieces = 64;

/** A piece of the batch and its share of the samples. */
export interface Piece {
  readonly batch: ArrayTree;
  readonly share: number;
}

/**
 * This step's batch in `count` pieces whose sizes differ by one sample at most; fewer pieces when
 * there are fewer samples.
 */
export function piecesOf({ batch, size }: Objective, count: number): Piece[] {
  const pieces = Math.min(count, size);
  if (pieces > mostPieces) {
    throw new InputError(`invalid chunks: ${pieces} (give at most ${mostPieces})`);
  }
  if (pieces === 1) return [{ batch, share: 1 }];
  const borders = Array.from({ length: pieces + 1 }, (_, i) => Math.floor((i * size) / pieces));
  // One list of pieces per leaf, in the order of `mapTrees`.
  const parts: np.Array[][] = [];
  mapTrees((leaf) => {
    parts.push(np.split(leaf.ref, borders.slice(1, -1), 0));
    return leaf;
  }, batch);
  return Array.from({ length: pieces }, (_, i) => {
    let next = 0;
    return {
      batch: mapTrees(() => (parts[next++] as np.Array[])[i] as np.Array, batch),
      share: ((borders[i + 1] as number) - (borders[i] as number)) / size,
    };
  });
}

/** Mean over pieces, each counted by its share of the samples. */
export function meanOfPieces(pieces: readonly Piece[], trees: readonly ArrayTree[]): ArrayTree {
  if (pieces.length === 1) return trees[0] as ArrayTree;
  return trees
    .map((tree, i) => scale(scalar((pieces[i] as Piece).share, leaves(tree)[0] as np.Array), tree))
    .reduce(addTrees);
}
