/** Products with combinations of fixed matrices, against plain loops, and what is left in the loop. */
import { fromBinary } from "@bufbuild/protobuf";
import { numpy as np } from "@jax-js/jax";
import { ModelProtoSchema, type GraphProto } from "onnx-buf";
import { describe, expect, test } from "vitest";
import type { Program } from "../../program.ts";
import { leavesOf, tensor } from "../../tensor.ts";
import { compileNative } from "../index.ts";

type Matrix = number[][];
const matrix = (rows: number, columns: number, seed: number): Matrix =>
  Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => Math.sin(1.3 * (i * columns + j) + seed)),
  );

const [rows, units] = [5, 3];
/** Where on a plane each step is. */
const places = [
  [0, 0],
  [0.7, -1.2],
  [-2, 0.1],
] as const;

type Arrays = { readonly [name: string]: np.Array };
const of = (given: Arrays, name: string) => (given[name] as np.Array).ref;

/** W₀ + aW₁ + bW₂, factors before and behind. */
const combined = (given: Arrays) =>
  np.add(
    np.add(of(given, "w0"), np.multiply(of(given, "a"), of(given, "w1"))),
    np.multiply(of(given, "w2"), of(given, "b")),
  );
const product = (given: Arrays) => np.matmul(of(given, "x"), np.transpose(combined(given)));

/** x·(W₀ + aW₁ + bW₂)ᵀ in plain loops. */
function plainly(x: Matrix, weights: readonly Matrix[], [a, b]: readonly [number, number]): Matrix {
  const at = (unit: number, input: number) =>
    weights.reduce((sum, w, k) => sum + ([1, a, b][k] ?? NaN) * (w[unit]?.[input] ?? NaN), 0);
  return x.map((row) =>
    Array.from({ length: units }, (_, unit) =>
      row.reduce((sum, value, input) => sum + value * at(unit, input), 0),
    ),
  );
}

/** What a step adds to W₀ + aW₁ + bW₂, as SAM's ascent does: b·tanh(aW₀), turned and turned back. */
const added = (given: Arrays) =>
  np.multiply(
    np.transpose(np.tanh(np.multiply(of(given, "a"), np.transpose(of(given, "w0"))))),
    of(given, "b"),
  );
const addedPlainly = (inputs: number, [a, b]: readonly [number, number]): Matrix =>
  matrix(units, inputs, 1).map((row) => row.map((value) => b * Math.tanh(a * value)));

/** Lists whose combination b₀ + ab₁ is a bias. */
const lists = [
  [1, 0.2, -3],
  [-0.4, 2, 0.1],
] as const;
const combinedBias = (given: Arrays) =>
  np.add(of(given, "b0"), np.multiply(of(given, "a"), of(given, "b1")));

async function run(
  compute: (given: Arrays) => np.Array,
  inputs: number,
  dtype: "float32" | "float64",
): Promise<{ readonly steps: number[][]; readonly looped: Operator[] }> {
  const whole = (m: Matrix) => tensor(m.flat(), [m.length, inputs], dtype);
  const fixed = {
    x: whole(matrix(rows, inputs, 0)),
    ...weightsOf(inputs, whole),
    b0: tensor([...lists[0]], [units], dtype),
    b1: tensor([...lists[1]], [units], dtype),
  };
  const bias = tensor([0.5, -1, 2], [units], dtype);
  const column = (k: 0 | 1) =>
    tensor(
      places.map((place) => place[k]),
      [places.length],
      dtype,
    );
  const program = await compileNative({
    step: (carry, given, knobs) => ({
      carry,
      record: compute({ ...(given as Arrays), ...(knobs as Arrays), ...(carry as Arrays) }),
    }),
    carry: { bias },
    inputs: fixed,
    knobs: { a: { dtype, shape: [] }, b: { dtype, shape: [] } },
  });
  const { records } = await program.run({
    carry: { bias },
    inputs: fixed,
    knobs: { a: column(0), b: column(1) },
    steps: places.length,
  });
  const values = leavesOf(records).flatMap(({ data }) => Array.from(data, Number));
  const looped = operatorsInLoop(program);
  await program.dispose();
  const size = values.length / places.length;
  return { steps: places.map((_, i) => values.slice(i * size, (i + 1) * size)), looped };
}

const weightsOf = <T>(inputs: number, as: (m: Matrix) => T) => ({
  w0: as(matrix(units, inputs, 1)),
  w1: as(matrix(units, inputs, 2)),
  w2: as(matrix(units, inputs, 3)),
});

interface Operator {
  readonly op: string;
  readonly reads: readonly string[];
}

function operatorsInLoop(program: Program): Operator[] {
  const { graph } = fromBinary(ModelProtoSchema, program.toOnnx?.() ?? new Uint8Array());
  const loop = (graph as GraphProto).node.find(({ opType }) => opType === "Loop");
  const [body] = loop?.attribute.flatMap(({ g }) => g ?? []) ?? [];
  return body?.node.map(({ opType, input }) => ({ op: opType, reads: input })) ?? [];
}

/** What multiplies x in the loop. */
const products = (looped: readonly Operator[]) =>
  looped.filter(({ reads }) => reads.includes("inputs/x"));

describe.each(["float32", "float64"] as const)("%s", (dtype) => {
  const digits = dtype === "float32" ? 3 : 11;
  const close = (found: readonly number[], wanted: Matrix, by: (j: number) => number) => {
    const all = wanted.flatMap((row) => row.map((value, j) => value + by(j)));
    expect(found).toHaveLength(all.length);
    found.forEach((value, i) => expect(value).toBeCloseTo(all[i] ?? NaN, digits));
  };

  // Three terms take 48 columns to be worth it.
  test.each([
    [64, 0],
    [48, 0],
    [47, 1],
  ])("x·(W₀ + aW₁ + bW₂)ᵀ of %i columns leaves %i products in the loop", async (inputs, left) => {
    const weights = Object.values(weightsOf(inputs, (m) => m));
    const { steps, looped } = await run(product, inputs, dtype);
    expect(looped.length).toBeGreaterThan(0);
    expect(products(looped)).toHaveLength(left);
    places.forEach((place, i) =>
      close(steps[i] ?? [], plainly(matrix(rows, inputs, 0), weights, place), () => 0),
    );
  });

  test("with a bias and a factor", async () => {
    const weights = Object.values(weightsOf(64, (m) => m));
    const { steps, looped } = await run(
      (given) => np.multiply(np.add(product(given), of(given, "bias")), 3),
      64,
      dtype,
    );
    expect(products(looped)).toEqual([]);
    places.forEach((place, i) => {
      const wanted = plainly(matrix(rows, 64, 0), weights, place).map((row) =>
        row.map((value) => 3 * value),
      );
      close(steps[i] ?? [], wanted, (j) => 3 * ([0.5, -1, 2][j] ?? NaN));
    });
  });

  test.each([
    ["without a bias", undefined, () => 0],
    ["with a combination of lists", combinedBias, () => 0],
    [
      "with a combination to which a step adds something",
      (given: Arrays) => np.add(combinedBias(given), np.tanh(of(given, "bias"))),
      (j: number) => Math.tanh([0.5, -1, 2][j] ?? NaN),
    ],
  ])("x·(P + R)ᵀ beside x·Pᵀ is x·Pᵀ + x·Rᵀ, %s", async (_, biasOf, addedBias) => {
    const hasBias = biasOf !== undefined;
    const plus = (x: np.Array, bias: np.Array | undefined) =>
      bias === undefined ? x : np.add(x, bias);
    const { steps, looped } = await run(
      (given) => {
        const ahead = np.matmul(
          of(given, "x"),
          np.transpose(np.add(combined(given), added(given))),
        );
        const here = plus(product(given), hasBias ? combinedBias(given) : undefined);
        return np.add(plus(ahead, biasOf?.(given)), np.multiply(here, 2));
      },
      64,
      dtype,
    );
    expect(products(looped).map(({ op }) => op)).toEqual(["Gemm"]);
    // P itself is not made.
    expect(looped.filter(({ reads }) => reads.includes("inputs/w1"))).toEqual([]);
    places.forEach((place, i) => {
      const x = matrix(rows, 64, 0);
      const here = plainly(x, Object.values(weightsOf(64, (m) => m)), place);
      const rest = plainly(x, [addedPlainly(64, place)], place);
      const bias = (j: number) =>
        hasBias ? (lists[0][j] ?? NaN) + place[0] * (lists[1][j] ?? NaN) : 0;
      const wanted = here.map((row, r) =>
        row.map((value, j) => 3 * (value + bias(j)) + (rest[r]?.[j] ?? NaN) + addedBias(j)),
      );
      close(steps[i] ?? [], wanted, () => 0);
    });
  });

  test("a list that two terms might take goes with neither", async () => {
    const { steps } = await run(
      (given) => {
        const twice = np.add(combined(given), np.multiply(of(given, "a"), of(given, "w2")));
        return np.add(np.matmul(of(given, "x"), np.transpose(twice)), combinedBias(given));
      },
      64,
      dtype,
    );
    places.forEach(([a, b], i) => {
      const x = matrix(rows, 64, 0);
      const [w0, w1, w2] = Object.values(weightsOf(64, (m) => m)) as [Matrix, Matrix, Matrix];
      const once = plainly(x, [w0, w1, w2], [a, b]);
      const again = plainly(x, [w2], [a, b]);
      const wanted = once.map((row, r) =>
        row.map((value, j) => {
          const bias = (lists[0][j] ?? NaN) + a * (lists[1][j] ?? NaN);
          return value + a * (again[r]?.[j] ?? NaN) + bias;
        }),
      );
      close(steps[i] ?? [], wanted, () => 0);
    });
  });

  test.each([
    [
      "a term that changes",
      (given: Arrays) => np.tanh(np.multiply(of(given, "a"), of(given, "w0"))),
    ],
    [
      "a factor per row",
      (given: Arrays) => np.multiply(np.reshape(of(given, "bias"), [units, 1]), of(given, "w1")),
    ],
  ])("a sum with %s is multiplied as it is", async (_, other) => {
    const { looped } = await run(
      (given) => np.matmul(of(given, "x"), np.transpose(np.add(combined(given), other(given)))),
      160,
      dtype,
    );
    expect(products(looped)).toHaveLength(1);
  });
});
