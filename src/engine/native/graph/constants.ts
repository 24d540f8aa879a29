/** Numbers known at compile time: storage, and arithmetic as the run time does it. */
import type { ConstantData, ElementType } from "./graph.ts";

const storage = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bool: Uint8Array,
  uint8: Uint8Array,
} as const;

export function makeData(values: ArrayLike<number>, dtype: ElementType): ConstantData {
  if (dtype === "int64") return BigInt64Array.from(Array.from(values, BigInt));
  if (dtype === "uint64") return BigUint64Array.from(Array.from(values, BigInt));
  if (dtype === "bool") return Uint8Array.from(values, (value) => (value ? 1 : 0));
  return storage[dtype].from(values);
}

export const isFloat = (dtype: ElementType): dtype is "float32" | "float64" =>
  dtype === "float32" || dtype === "float64";

/** The value as stored in `dtype`. */
const round = (value: number, dtype: ElementType): number => Number(makeData([value], dtype)[0]);

const unary: Readonly<Record<string, (x: number) => number>> = {
  neg: (x) => -x,
  reciprocal: (x) => 1 / x,
  floor: Math.floor,
  ceil: Math.ceil,
  sin: Math.sin,
  cos: Math.cos,
  asin: Math.asin,
  atan: Math.atan,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  abs: Math.abs,
  tanh: Math.tanh,
  not: (x) => (x ? 0 : 1),
};

export const canFold = (op: string): boolean => op in unary;

export function foldUnary(op: string, x: number, dtype: ElementType): number {
  return round((unary[op] as (x: number) => number)(x), dtype);
}

const binary: Readonly<Record<string, (x: number, y: number) => number>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  idiv: (x, y) => Math.trunc(x / y),
  mod: (x, y) => x % y,
  min: Math.min,
  max: Math.max,
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  shiftLeft: (x, y) => x << y,
  shiftRight: (x, y) => x >>> y,
  less: (x, y) => Number(x < y),
  lessEqual: (x, y) => Number(x <= y),
  equal: (x, y) => Number(x === y),
  notEqual: (x, y) => Number(x !== y),
};

const comparisons = new Set(["less", "lessEqual", "equal", "notEqual"]);

/** Product of 32-bit integers modulo 2³² differs from the rounded double. */
export function foldBinary(op: string, x: number, y: number, dtype: ElementType): number {
  if (op === "mul" && (dtype === "int32" || dtype === "uint32")) {
    return round(Math.imul(x, y), dtype);
  }
  const value = (binary[op] as (x: number, y: number) => number)(x, y);
  return comparisons.has(op) ? value : round(value, dtype);
}

/** Floats saturate at the ends of an integer type; everything else wraps. */
export function foldCast(value: number, from: ElementType, to: ElementType): number {
  if (isFloat(from) && to === "int32") return Math.trunc(clamp(value, -(2 ** 31), 2 ** 31 - 1));
  if (isFloat(from) && to === "uint32") return Math.trunc(clamp(value, 0, 2 ** 32 - 1));
  return round(value, to);
}

const clamp = (x: number, low: number, high: number): number =>
  Number.isNaN(x) ? 0 : Math.min(high, Math.max(low, x));
