import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  broadcastShapes,
  product,
  range,
  reshapeBeforeExpand,
  reshapeBeforeTranspose,
} from "./shapes.ts";

/** An array of whole numbers, transposed or expanded the long way: the oracle. */
interface Plain {
  shape: number[];
  values: number[];
}

const count = (shape: number[]): Plain => ({ shape, values: range(product(shape)) });

function indexed(shape: number[], pick: (index: number[]) => number): Plain {
  const values = range(product(shape)).map((flat) => {
    const index = shape.map(
      (side, axis) => Math.floor(flat / product(shape.slice(axis + 1))) % side,
    );
    return pick(index);
  });
  return { shape, values };
}

const at = ({ shape, values }: Plain, index: number[]): number =>
  values[index.reduce((flat, i, axis) => flat * (shape[axis] as number) + i, 0)] as number;

const transpose = (x: Plain, perm: number[]): Plain =>
  indexed(
    perm.map((axis) => x.shape[axis] as number),
    (index) =>
      at(
        x,
        x.shape.map((_, axis) => index[perm.indexOf(axis)] as number),
      ),
  );

const expand = (x: Plain, shape: number[]): Plain =>
  indexed(shape, (index) =>
    at(
      x,
      index.map((i, axis) => (x.shape[axis] === 1 ? 0 : i)),
    ),
  );

const reshape = (x: Plain, shape: number[]): Plain => ({ shape, values: x.values });

/** A shape and another one with as many elements. */
const reshaping = fc
  .array(fc.constantFrom(1, 2, 3, 4), { minLength: 1, maxLength: 4 })
  .chain((shape) =>
    fc
      .tuple(fc.constant(shape), fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }))
      .map(([s, joins]) => {
        const primes = s.flatMap((side) => (side === 4 ? [2, 2] : [side]));
        const to: number[] = [];
        primes.forEach((p, i) => {
          if (joins[i] && to.length > 0) to[to.length - 1] = (to.at(-1) as number) * p;
          else to.push(p);
        });
        return { shape: s, to };
      }),
  );

test("a reshape passes a transpose only where the elements agree", () => {
  let passed = 0;
  fc.assert(
    fc.property(reshaping, fc.nat(), ({ shape, to }, seed) => {
      const perm = range(shape.length).sort((a, b) => ((a * 7 + seed) % 5) - ((b * 7 + seed) % 5));
      const source = shape.map((_, axis) => shape[perm.indexOf(axis)] as number);
      const swapped = reshapeBeforeTranspose(source, perm, to);
      if (swapped === undefined) return;
      passed++;
      const x = count(source);
      const wanted = reshape(transpose(x, perm), to);
      expect(transpose(reshape(x, swapped.shape), swapped.perm)).toEqual(wanted);
    }),
    { seed: 1, numRuns: 400 },
  );
  expect(passed).toBeGreaterThan(100);
});

test("a reshape that keeps joined axes together passes", () => {
  expect(reshapeBeforeTranspose([2, 3, 5], [2, 0, 1], [5, 6])).toEqual({
    shape: [6, 5],
    perm: [1, 0],
  });
  expect(reshapeBeforeTranspose([2, 3, 5], [1, 0, 2], [6, 5])).toBeUndefined();
  expect(reshapeBeforeTranspose([2, 1, 3], [2, 1, 0], [3, 2])).toEqual({
    shape: [2, 3],
    perm: [1, 0],
  });
});

test("a reshape passes an expansion only where the elements agree", () => {
  let passed = 0;
  fc.assert(
    fc.property(
      reshaping,
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      ({ shape, to }, flags) => {
        const narrow = shape.map((side, axis) => (flags[axis] ? 1 : side));
        const result = reshapeBeforeExpand(narrow, shape, to);
        if (result === undefined) return;
        passed++;
        const x = count(narrow);
        expect(expand(reshape(x, result), to)).toEqual(reshape(expand(x, shape), to));
      },
    ),
    { seed: 1, numRuns: 400 },
  );
  expect(passed).toBeGreaterThan(100);
});

test("shapes broadcast as in NumPy", () => {
  expect(broadcastShapes([3, 1], [4])).toEqual([3, 4]);
  expect(broadcastShapes([], [2, 1], [1, 5])).toEqual([2, 5]);
  expect(broadcastShapes([0, 1], [1, 3])).toEqual([0, 3]);
});
