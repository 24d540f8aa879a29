/** Arithmetic of constants: as ONNX Runtime computes it, in each element type. */
import { expect, test } from "vitest";
import { canFold, foldBinary, foldCast, foldUnary, isFloat, makeData } from "./constants.ts";
import type { ElementType } from "./graph.ts";

test.each<[ElementType, number[], object]>([
  ["float32", [0.1, -2], Float32Array.of(0.1, -2)],
  ["float64", [0.1, -2], Float64Array.of(0.1, -2)],
  ["int32", [7, -2], Int32Array.of(7, -2)],
  ["uint32", [7, 2 ** 32 - 1], Uint32Array.of(7, 2 ** 32 - 1)],
  ["uint8", [7, 255], Uint8Array.of(7, 255)],
  ["int64", [7, -2], BigInt64Array.of(7n, -2n)],
  ["uint64", [7, 2], BigUint64Array.of(7n, 2n)],
  ["bool", [0, 3, -1], Uint8Array.of(0, 1, 1)],
])("constants of %s are stored as their type asks", (dtype, values, data) => {
  expect(makeData(values, dtype)).toEqual(data);
  expect(isFloat(dtype)).toBe(dtype.startsWith("float"));
});

const third = Math.fround(1 / 3);

test.each<[op: string, x: number, dtype: ElementType, value: number]>([
  ["neg", 3, "float64", -3],
  ["neg", 1, "uint32", 2 ** 32 - 1],
  ["neg", -(2 ** 31), "int32", -(2 ** 31)],
  ["reciprocal", 3, "float32", third],
  ["reciprocal", 3, "float64", 1 / 3],
  ["reciprocal", 0, "float64", Infinity],
  ["floor", -1.5, "float64", -2],
  ["ceil", -1.5, "float64", -1],
  ["sin", 0.5, "float64", 0.479425538604203],
  ["cos", 0.5, "float64", 0.8775825618903728],
  ["asin", 0.5, "float64", 0.5235987755982989],
  ["atan", 0.5, "float64", 0.4636476090008061],
  ["exp", 0.5, "float64", 1.6487212707001282],
  ["log", 0.25, "float64", -1.3862943611198906],
  ["sqrt", 0.25, "float64", 0.5],
  ["abs", -0.5, "float64", 0.5],
  ["tanh", 0.5, "float64", (Math.E - 1) / (Math.E + 1)],
  ["not", 0, "bool", 1],
  ["not", 1, "bool", 0],
])("%s of %d in %s is %d", (op, x, dtype, value) => {
  expect(canFold(op)).toBe(true);
  expect(foldUnary(op, x, dtype)).toBeCloseTo(value, 14);
  expect(Object.is(Math.fround(foldUnary(op, x, dtype)), Math.fround(value))).toBe(true);
});

test("what has no entry is left to the run time", () => {
  for (const op of ["erf", "sort", ""]) expect(canFold(op)).toBe(false);
});

test.each<[op: string, x: number, y: number, dtype: ElementType, value: number]>([
  ["add", 2, 3, "float64", 5],
  ["add", 2 ** 31 - 1, 1, "int32", -(2 ** 31)],
  ["add", 2 ** 32 - 1, 2, "uint32", 1],
  ["add", 1, 2 ** -30, "float32", 1],
  ["sub", 2, 3, "float64", -1],
  ["sub", 2, 3, "uint32", 2 ** 32 - 1],
  ["mul", 2, 3, "float64", 6],
  // Exactly, modulo 2³²: as doubles the last bits would be lost.
  ["mul", 0x12345679, 0x7654321b, "int32", 1243398339],
  ["mul", 0xffffffff, 0xffffffff, "uint32", 1],
  ["mul", 0x89abcdef, 0x12345679, "uint32", 0x6bee9ff7],
  ["mul", 2 ** 20, 2 ** 20, "float64", 2 ** 40],
  ["div", 1, 3, "float64", 1 / 3],
  ["div", 1, 3, "float32", third],
  ["idiv", 7, 2, "int32", 3],
  ["idiv", -7, 2, "int32", -3],
  ["mod", 7, 3, "int32", 1],
  ["mod", -7, 3, "int32", -1],
  ["min", 2, 3, "float64", 2],
  ["max", 2, 3, "float64", 3],
  ["and", 6, 3, "int32", 2],
  ["or", 6, 3, "int32", 7],
  ["xor", 6, 3, "int32", 5],
  ["shiftLeft", 3, 4, "uint32", 48],
  ["shiftLeft", 3, 31, "uint32", 2 ** 31],
  ["shiftRight", 2 ** 31, 4, "uint32", 2 ** 27],
  ["less", 2, 3, "float64", 1],
  ["less", 3, 3, "float64", 0],
  ["lessEqual", 3, 3, "float64", 1],
  ["lessEqual", 4, 3, "float64", 0],
  ["equal", 3, 3, "float64", 1],
  ["equal", 2, 3, "float64", 0],
  ["notEqual", 3, 3, "float64", 0],
  ["notEqual", 2, 3, "float64", 1],
])("%s of %d and %d in %s is %d", (op, x, y, dtype, value) => {
  expect(foldBinary(op, x, y, dtype)).toBe(value);
});

test.each<[value: number, from: ElementType, to: ElementType, cast: number]>([
  [1.9, "float64", "int32", 1],
  [-1.9, "float32", "int32", -1],
  [3e9, "float64", "int32", 2 ** 31 - 1],
  [-3e9, "float64", "int32", -(2 ** 31)],
  [NaN, "float64", "int32", 0],
  [3e9, "float64", "uint32", 3e9],
  [5e9, "float32", "uint32", 2 ** 32 - 1],
  [-1, "float64", "uint32", 0],
  [NaN, "float32", "uint32", 0],
  [-1, "int32", "uint32", 2 ** 32 - 1],
  [2 ** 31, "uint32", "int32", -(2 ** 31)],
  [0.1, "float64", "float32", Math.fround(0.1)],
  [0.5, "float64", "bool", 1],
  [3, "int32", "float64", 3],
])("%d of %s becomes %s: %d", (value, from, to, cast) => {
  expect(foldCast(value, from, to)).toBe(cast);
});
