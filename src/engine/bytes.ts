/** Numbers in files: little-endian bytes to the element types of tensors. */
import { InputError } from "./errors.ts";
import { wrap, type DType, type Tensor, type TensorData } from "./tensor.ts";

/** How a file stores one element: what it becomes, its bytes, and how to read them. */
export interface ElementFormat {
  readonly dtype: DType;
  readonly bytes: number;
  /** Owns `buffer`, which holds elements of this format and nothing else. */
  readonly decode: (buffer: ArrayBuffer) => TensorData;
}

// Typed arrays have the byte order of the machine, and no machine that runs JavaScript engines
// of today has another one than the files.
export const float32Format: ElementFormat = {
  dtype: "float32",
  bytes: 4,
  decode: (buffer) => new Float32Array(buffer),
};
export const float64Format: ElementFormat = {
  dtype: "float64",
  bytes: 8,
  decode: (buffer) => new Float64Array(buffer),
};
export const int32Format: ElementFormat = {
  dtype: "int32",
  bytes: 4,
  decode: (buffer) => new Int32Array(buffer),
};
export const uint32Format: ElementFormat = {
  dtype: "uint32",
  bytes: 4,
  decode: (buffer) => new Uint32Array(buffer),
};
export const uint8Format: ElementFormat = {
  dtype: "uint8",
  bytes: 1,
  decode: (buffer) => new Uint8Array(buffer),
};
export const boolFormat: ElementFormat = {
  dtype: "bool",
  bytes: 1,
  decode: (buffer) => new Uint8Array(buffer).map((byte) => (byte === 0 ? 0 : 1)),
};

/** Half precision, widened. */
export const float16Format: ElementFormat = {
  dtype: "float32",
  bytes: 2,
  decode: (buffer) => Float32Array.from(new Uint16Array(buffer), widenHalf),
};

/** IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. Float16Array needs Node 24. */
function widenHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  // Below the smallest normal number the leading 1 is missing.
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** The upper half of a float32, widened. */
export const bfloat16Format: ElementFormat = {
  dtype: "float32",
  bytes: 2,
  decode: (buffer) =>
    new Float32Array(Uint32Array.from(new Uint16Array(buffer), (half) => half << 16).buffer),
};

/** Integers that must fit into 32 bits; PyTorch and NumPy store labels this way. */
export const int64Format: ElementFormat = {
  dtype: "int32",
  bytes: 8,
  decode: (buffer) =>
    Int32Array.from(new BigInt64Array(buffer), (value) => {
      if (BigInt.asIntN(32, value) !== value) {
        throw new InputError(`the 64-bit integer ${value} does not fit into 32 bits`);
      }
      return Number(value);
    }),
};

/** Read a tensor from the bytes that it fills exactly, copying them. */
export function readElements(
  { dtype, decode }: ElementFormat,
  shape: readonly number[],
  bytes: Uint8Array,
): Tensor {
  return wrap(decode(Uint8Array.from(bytes).buffer), shape, dtype);
}

/** Whether a value read from a file is a list of sizes. */
export function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && side >= 0);
}
