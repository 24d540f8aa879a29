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

async function run(
  compute: (given: Arrays) => np.Array,
  inputs: number,
  dtype: "float32" | "float64",
): Promise<{ readonly steps: number[][]; readonly looped: string[] }> {
  const whole = (m: Matrix) => tensor(m.flat(), [m.length, inputs], dtype);
  const fixed = { x: whole(matrix(rows, inputs, 0)), ...weightsOf(inputs, whole) };
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

function operatorsInLoop(program: Program): string[] {
  const { graph } = fromBinary(ModelProtoSchema, program.toOnnx?.() ?? new Uint8Array());
  const loop = (graph as GraphProto).node.find(({ opType }) => opType === "Loop");
  const [body] = loop?.attribute.flatMap(({ g }) => g ?? []) ?? [];
  return body?.node.map(({ opType }) => opType) ?? [];
}

const products = (looped: readonly string[]) =>
  looped.filter((op) => op === "MatMul" || op === "FusedMatMul" || op === "Gemm");

describe.each(["float32", "float64"] as const)("%s", (dtype) => {
  const digits = dtype === "float32" ? 4 : 11;
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
