/** Fused matrix products, sums and scalings against plain loops. */
import { numpy as np } from "@jax-js/jax";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leavesOf, tensor, type Tensor } from "../../tensor.ts";
import { compileNative } from "../index.ts";

type Matrix = number[][];

/** Where an operand comes from: what changes from step to step is read transposed, the rest is not. */
const places = ["carry", "inputs"] as const;
type Place = (typeof places)[number];

const matrix = (rows: number, columns: number, seed: number): Matrix =>
  Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => Math.sin(1.3 * (i * columns + j) + seed)),
  );
const transposed = (m: Matrix): Matrix => (m[0] ?? []).map((_, j) => m.map((row) => row[j] ?? NaN));
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) =>
    transposed(b).map((column) => row.reduce((sum, v, k) => sum + v * (column[k] ?? NaN), 0)),
  );
const asTensor = (m: Matrix, dtype: "float32" | "float64"): Tensor =>
  tensor(m.flat(), [m.length, m[0]?.length ?? 0], dtype);

/** What a step computes from two matrices, one of which may be an input. */
async function compute(
  f: (a: np.Array, b: np.Array) => np.Array,
  given: readonly [Tensor, Tensor],
  at: readonly [Place, Place],
): Promise<number[]> {
  const of = (place: Place) =>
    Object.fromEntries(given.flatMap((x, i) => (at[i] === place ? [[String(i), x]] : [])));
  const [carry, inputs] = [of("carry"), of("inputs")];
  const program = await compileNative({
    step(carried, fixed) {
      const all = { ...(carried as object), ...(fixed as object) } as { [i: string]: np.Array };
      const [a, b] = [all["0"], all["1"]] as [np.Array, np.Array];
      return { carry: carried, record: f(a.ref, b.ref) };
    },
    carry,
    inputs,
    knobs: {},
  });
  const { records } = await program.run({ carry, inputs, knobs: {}, steps: 1 });
  await program.dispose();
  return leavesOf(records).flatMap(({ data }) => [...data]);
}

const side = fc.integer({ min: 1, max: 5 });
// Widths on both sides of what counts as narrow.
const width = fc.constantFrom(1, 3, 16, 17, 20);

describe.each(["float32", "float64"] as const)("%s", (dtype) => {
  const tolerance = dtype === "float32" ? 1e-5 : 1e-12;
  const check = (found: readonly number[], wanted: Matrix) => {
    const all = wanted.flat();
    expect(found).toHaveLength(all.length);
    const worst = Math.max(...all.map((w, i) => Math.abs(w - (found[i] ?? NaN))));
    expect(worst).toBeLessThan(tolerance);
  };

  const layouts = places.flatMap((p) =>
    places.flatMap((q) =>
      [false, true].flatMap((ta) => [false, true].map((tb) => [p, ta, q, tb] as const)),
    ),
  );
  test.each(layouts)(
    "c · a · b with a from %s, transposed: %s, and b from %s, transposed: %s",
    async (p, ta, q, tb) => {
      await fc.assert(
        fc.asyncProperty(width, side, width, fc.constantFrom(1, -0.5, 3), async (m, k, n, c) => {
          const [a, b] = [matrix(m, k, 0.3), matrix(k, n, 1.9)];
          const wanted = times(a, b).map((row) => row.map((v) => c * v));
          const found = await compute(
            (x, y) => {
              const left = ta ? np.transpose(x) : x;
              const right = tb ? np.transpose(y) : y;
              return np.multiply(c, np.matmul(left, right));
            },
            [asTensor(ta ? transposed(a) : a, dtype), asTensor(tb ? transposed(b) : b, dtype)],
            [p, q],
          );
          check(found, wanted);
        }),
        { numRuns: 3, seed: 5 },
      );
    },
  );

  test.each([
    ["a row", (n: number) => [1, n]],
    ["one number", () => [1, 1]],
    ["a column", (_: number, m: number) => [m, 1]],
    ["a matrix", (n: number, m: number) => [m, n]],
    ["a list", (n: number) => [n]],
  ] as const)("aᵀ·b + %s", async (_, shapeOf) => {
    const [a, b] = [matrix(4, 3, 0.3), matrix(4, 5, 1.9)];
    const shape = shapeOf(5, 3);
    const values = Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) => i + 0.5);
    const [rows, columns] = shape.length === 1 ? [1, shape[0]] : shape;
    const wanted = times(transposed(a), b).map((row, i) =>
      row.map(
        (v, j) =>
          v + (values[(rows === 1 ? 0 : i) * (columns ?? 1) + (columns === 1 ? 0 : j)] ?? 0),
      ),
    );
    for (const flip of [false, true]) {
      const found = await compute(
        (x, y) => {
          const product = np.matmul(np.transpose(x), y);
          const bias = np.array(values, { shape: [...shape], dtype: product.dtype });
          return flip ? np.add(bias, product) : np.add(product, bias);
        },
        [asTensor(a, dtype), asTensor(b, dtype)],
        ["carry", "carry"],
      );
      check(found, wanted);
    }
  });

  // 16 numbers per channel and more become one operation.
  test.each([
    [[2, 3, 20], 1],
    [[2, 3, 4, 5], 1],
    [[2, 3, 15], 1],
    [[3, 2, 20], 0],
    [[2, 20, 3], 2],
  ])("x · scale + shift of shape %j along axis %d", async (shape, axis) => {
    const size = shape.reduce((x, y) => x * y, 1);
    const x = Array.from({ length: size }, (_, i) => Math.sin(i));
    const channels = shape[axis] ?? 0;
    const sides = shape.map((n, i) => (i === axis ? n : 1));
    const factors = Array.from({ length: channels }, (_, c) => 0.5 + c);
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const wanted = x.map((v, i) => {
      const c = Math.floor(i / inner) % channels;
      return v * (factors[c] ?? NaN) + ((factors[c] ?? NaN) - 3);
    });
    for (const flip of [false, true]) {
      const found = await compute(
        (value, scale) => {
          const shift = np.subtract(scale.ref, 3);
          const scaled = flip ? np.multiply(scale, value) : np.multiply(value, scale);
          return flip ? np.add(shift, scaled) : np.add(scaled, shift);
        },
        [tensor(x, shape, dtype), tensor(factors, sides, dtype)],
        ["carry", "carry"],
      );
      check(found, [wanted]);
    }
  });
});

test("a long column with a number is what a short one is", async () => {
  const rows = 600;
  const x = tensor(
    Array.from({ length: rows }, (_, i) => Math.sin(i)),
    [rows, 1],
    "float32",
  );
  const program = await compileNative({
    step: (carry, _, knobs) => {
      const { factor } = knobs as { factor: np.Array };
      const { x: given } = carry as { x: np.Array };
      return { carry: { x: np.subtract(factor.ref, np.multiply(given, factor)) }, record: {} };
    },
    carry: { x },
    inputs: {},
    knobs: { factor: { dtype: "float32", shape: [] } },
  });
  const { carry } = await program.run({
    carry: { x },
    inputs: {},
    knobs: { factor: tensor([0.3], [], "float32") },
    steps: 1,
  });
  await program.dispose();
  const [{ shape, data } = x] = leavesOf(carry);
  expect(shape).toEqual([rows, 1]);
  data.forEach((value, i) => expect(value).toBeCloseTo(0.3 - Math.sin(i) * 0.3, 6));
});
