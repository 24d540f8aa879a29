/** Pieces of a batch: all samples once, in order, in sizes that differ by one at most. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { np } from "../../engine/jax-js.ts";
import type { Objective } from "../contract/objective.ts";
import { meanOfPieces, mostPieces, piecesOf } from "./pieces.ts";

const objectiveOf = (size: number) => {
  const rows = Array.from({ length: size }, (_, i) => i);
  const batch = { x: np.array(rows.map((i) => [i, -i])), nested: { y: np.array(rows) } };
  return { batch, size } as unknown as Objective;
};
type Rows = { readonly x: np.Array; readonly nested: { readonly y: np.Array } };

test("a batch is cut into pieces that share the samples, leaf by leaf", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 24 }), (size, count) => {
      const pieces = piecesOf(objectiveOf(size), count);
      expect(pieces).toHaveLength(Math.min(size, count));
      const read = pieces.map(({ batch, share }) => {
        const { x, nested } = batch as unknown as Rows;
        return { x: x.js() as number[][], y: nested.y.js() as number[], share };
      });
      const all = Array.from({ length: size }, (_, i) => i);
      expect(read.flatMap(({ y }) => y)).toEqual(all);
      expect(read.flatMap(({ x }) => x).map(([i]) => i)).toEqual(all);
      const sizes = read.map(({ y }) => y.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      read.forEach(({ x, y, share }) => {
        expect([x.length, share]).toEqual([y.length, y.length / size]);
      });
    }),
    { seed: 3, numRuns: 40 },
  );
});

test("at most 64 pieces are made, of as many samples or of more", () => {
  expect(piecesOf(objectiveOf(64), 1000)).toHaveLength(mostPieces);
  for (const size of [65, 100]) {
    expect(() => piecesOf(objectiveOf(size), 65)).toThrow("invalid chunks: 65 (give at most 64)");
  }
});

test("the mean over pieces counts each by its share", () => {
  const pieces = piecesOf(objectiveOf(5), 2);
  expect(pieces.map(({ share }) => share)).toEqual([0.4, 0.6]);
  const trees = [10, 20].map((value) => ({ a: np.array([value, value + 1]), b: np.array(value) }));
  const mean = meanOfPieces(pieces, trees) as unknown as { a: np.Array; b: np.Array };
  const [a, b] = [mean.a.js() as number[], mean.b.js() as number];
  expect([...a, b]).toEqual([16, 17, 16].map((value) => expect.closeTo(value, 5)));
  const [whole] = [piecesOf(objectiveOf(5), 1)];
  expect(meanOfPieces(whole, [{ only: 1 } as never])).toEqual({ only: 1 });
});
