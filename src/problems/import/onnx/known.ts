/** Known tensors: what a graph computes from shapes and constants alone, as plain numbers. */
import { np } from "../../../engine/jax-js.ts";
import { sizeOf } from "../../../engine/tensor.ts";
import type { FloatType } from "../../problem.ts";

/** Kinds of elements. Every floating-point type is that of the problem; every integer is an int32. */
export type ElementKind = "float" | "int" | "bool";

/** A tensor whose numbers are known while a step is traced: a constant, or the side of a shape. */
export class Known {
  readonly kind: ElementKind;
  readonly shape: readonly number[];
  /** Row-major; booleans are 0 and 1. */
  readonly data: ArrayLike<number>;

  constructor(kind: ElementKind, shape: readonly number[], data: ArrayLike<number>) {
    if (data.length !== sizeOf(shape)) {
      throw new TypeError(`${data.length} numbers do not fill shape [${shape.join(", ")}]`);
    }
    this.kind = kind;
    this.shape = shape;
    this.data = data;
  }
}

/** What a graph computes with: traced arrays, and what is known beforehand. */
export type Value = Known | np.Array;

/** A list of whole numbers, as operators take shapes and axes. */
export const integers = (values: readonly number[]): Known =>
  new Known("int", [values.length], values);

const largest = 2 ** 31 - 1;

/** A known tensor as a traced array: floats in the problem's type, integers held to 32 bits. */
export function toArray({ kind, shape, data }: Known, dtype: FloatType): np.Array {
  const sides = [...shape];
  if (kind === "float") {
    const numbers = dtype === "float64" ? Float64Array.from(data) : Float32Array.from(data);
    return np.array(numbers, { shape: sides, dtype: np[dtype] });
  }
  // The ends of slices are often the largest 64-bit integer.
  const held = Int32Array.from(data, (value) => Math.max(-largest - 1, Math.min(largest, value)));
  const array = np.array(held, { shape: sides, dtype: np.int32 });
  return kind === "int" ? array : np.notEqual(array, 0);
}

/** `undefined`: not computed here, but as any other operation. */
type Compute = (inputs: readonly Known[], attributes: KnownAttributes) => Known | undefined;

/** Most elements of what is broadcast here: shapes are short, and larger masks are for the engine. */
export const mostKnown = 2 ** 16;

/** Attributes as known operations need them. */
export interface KnownAttributes {
  int(name: string, missing: number): number;
  ints(name: string): readonly number[] | undefined;
}

/** Row-major strides. */
const stridesOf = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));

export function broadcastShapes(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const sides = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const side = sides.find((one) => one !== 1) ?? 1;
    if (sides.some((one) => one !== 1 && one !== side)) {
      throw new TypeError(
        `shapes ${shapes.map((shape) => `[${shape.join(", ")}]`).join(" and ")} do not fit`,
      );
    }
    return side;
  });
}

/** For each element of `shape` the place of its element in a tensor that is broadcast to it. */
function places(shape: readonly number[], from: readonly number[]): number[] {
  const strides = stridesOf(from);
  const sides = stridesOf(shape);
  const offset = shape.length - from.length;
  return Array.from({ length: sizeOf(shape) }, (_, place) =>
    from.reduce((sum, side, axis) => {
      const at = Math.floor(place / (sides[axis + offset] ?? 1)) % (shape[axis + offset] ?? 1);
      return sum + (side === 1 ? 0 : at * (strides[axis] ?? 0));
    }, 0),
  );
}

const pick = ({ data }: Known, order: readonly number[]) =>
  order.map((place) => Number(data[place]));

const elementwise =
  (compute: (...values: number[]) => number, kind?: ElementKind): Compute =>
  (inputs) => {
    const shape = broadcastShapes(...inputs.map((input) => input.shape));
    if (sizeOf(shape) > mostKnown) return undefined;
    const columns = inputs.map((input) => pick(input, places(shape, input.shape)));
    const data = Array.from({ length: sizeOf(shape) }, (_, place) =>
      compute(...columns.map((column) => column[place] ?? NaN)),
    );
    return new Known(kind ?? kindOf(inputs), shape, data);
  };

/** Most numbers of a range: samples, words and nodes are fewer. */
const longestRange = 2 ** 24;

/** What inputs meet in. */
const kindOf = (inputs: readonly Known[]): ElementKind =>
  (["float", "int"] as const).find((kind) => inputs.some((input) => input.kind === kind)) ?? "bool";

/** Elementwise on integers; quotients of integers are cut towards 0. */
const arithmetic =
  (compute: (a: number, b: number) => number): Compute =>
  (inputs, attributes) => {
    const kind = kindOf(inputs);
    const whole = (a: number, b: number) => Math.trunc(compute(a, b));
    return elementwise(kind === "int" ? whole : compute, kind)(inputs, attributes);
  };

const fold =
  (compute: (a: number, b: number) => number): Compute =>
  (inputs, attributes) =>
    elementwise((...values) => values.reduce(compute))(inputs, attributes);

/**
 * Operations on known tensors that have no counterpart in the table of operators because of it:
 * arithmetic of shapes, which every exporter writes where a side is not known before.
 */
export const knownOperations: Readonly<Record<string, Compute>> = {
  Identity: ([x]) => x,
  Add: arithmetic((a, b) => a + b),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: arithmetic((a, b) => a / b),
  Mod: (inputs, attributes) =>
    elementwise((a, b) => (attributes.int("fmod", 0) === 1 ? a % b : a - b * Math.floor(a / b)))(
      inputs,
      attributes,
    ),
  Max: fold(Math.max),
  Min: fold(Math.min),
  Neg: elementwise((a) => -a),
  Abs: elementwise(Math.abs),
  Sqrt: elementwise(Math.sqrt),
  Floor: elementwise(Math.floor),
  Ceil: elementwise(Math.ceil),
  Equal: elementwise((a, b) => Number(a === b), "bool"),
  Less: elementwise((a, b) => Number(a < b), "bool"),
  LessOrEqual: elementwise((a, b) => Number(a <= b), "bool"),
  Greater: elementwise((a, b) => Number(a > b), "bool"),
  GreaterOrEqual: elementwise((a, b) => Number(a >= b), "bool"),
  And: elementwise((a, b) => a * b, "bool"),
  Or: elementwise((a, b) => Math.max(a, b), "bool"),
  Not: elementwise((a) => 1 - a, "bool"),
  Where(inputs) {
    const [on, a, b] = inputs as [Known, Known, Known];
    const shape = broadcastShapes(on.shape, a.shape, b.shape);
    if (sizeOf(shape) > mostKnown) return undefined;
    const [yes, left, right] = [on, a, b].map((part) => pick(part, places(shape, part.shape)));
    const data = (yes ?? []).map((chosen, place) => (chosen ? left : right)?.[place] ?? NaN);
    return new Known(kindOf([a, b]), shape, data);
  },
  Range([start, limit, delta]) {
    const [from = 0, to = 0, by = 1] = [start, limit, delta].map((part) => part?.data[0]);
    const length = Math.max(0, Math.ceil((to - from) / by));
    if (!(length <= longestRange)) throw new TypeError(`a range of ${length} numbers`);
    const data = Array.from({ length }, (_, i) => from + i * by);
    return new Known(start?.kind ?? "int", [length], data);
  },
  Reshape([x, shape], attributes) {
    const { kind, shape: from, data } = x as Known;
    return new Known(
      kind,
      resolveShape(from, numbersOf(shape), attributes.int("allowzero", 0)),
      data,
    );
  },
  Expand([x, shape]) {
    const known = x as Known;
    const wide = broadcastShapes(known.shape, numbersOf(shape));
    if (sizeOf(wide) > mostKnown) return undefined;
    return new Known(known.kind, wide, pick(known, places(wide, known.shape)));
  },
  Unsqueeze([x, axes], attributes) {
    const { kind, shape, data } = x as Known;
    return new Known(
      kind,
      unsqueezed(shape, axes ? numbersOf(axes) : attributes.ints("axes")),
      data,
    );
  },
  Squeeze([x, axes], attributes) {
    const { kind, shape, data } = x as Known;
    return new Known(kind, squeezed(shape, axes ? numbersOf(axes) : attributes.ints("axes")), data);
  },
  Concat(inputs, attributes) {
    if (inputs.some(({ shape }) => shape.length !== 1)) return undefined;
    axisOf(attributes.int("axis", 0), 1);
    const data = inputs.flatMap((input) => Array.from(input.data));
    return new Known(kindOf(inputs), [data.length], data);
  },
  Gather([x, indices], attributes) {
    const known = x as Known;
    const axis = axisOf(attributes.int("axis", 0), known.shape.length);
    const side = known.shape[axis] ?? 0;
    const chosen = numbersOf(indices).map((index) => indexFromFront(index, side));
    const { kind, shape, data } = takeAlong(known, chosen, axis);
    return new Known(kind, shape.toSpliced(axis, 1, ...(indices as Known).shape), data);
  },
  Slice(inputs) {
    const [x, starts, ends] = inputs as [Known, Known, Known];
    const [from, to] = [numbersOf(starts), numbersOf(ends)];
    const axes = inputs[3] ? numbersOf(inputs[3]) : from.map((_, axis) => axis);
    const steps = inputs[4] ? numbersOf(inputs[4]) : from.map(() => 1);
    return axes.reduce((cut, given, i) => {
      const axis = axisOf(given, cut.shape.length);
      const side = cut.shape[axis] ?? 0;
      return takeAlong(cut, sliceIndices(side, from[i] ?? 0, to[i] ?? 0, steps[i] ?? 1), axis);
    }, x);
  },
  ReduceProd: product,
};

/** The product of a list, as the number of elements of a shape is computed. */
function product(inputs: readonly Known[], attributes: KnownAttributes): Known | undefined {
  const [x] = inputs as [Known];
  if (inputs.length > 1 || x.shape.length !== 1) return undefined;
  const kept = attributes.int("keepdims", 1) === 1 ? [1] : [];
  return new Known(x.kind, kept, [numbersOf(x).reduce((a, b) => a * b, 1)]);
}

/** Elements of a tensor at places along one axis. */
function takeAlong({ kind, shape, data }: Known, chosen: readonly number[], axis: number): Known {
  const side = shape[axis] ?? 0;
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const taken: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (const index of chosen) {
      for (let i = 0; i < inner; i++) taken.push(Number(data[(o * side + index) * inner + i]));
    }
  }
  return new Known(kind, shape.with(axis, chosen.length), taken);
}

/** The numbers of a known tensor. */
export const numbersOf = (value: Known | undefined): number[] => Array.from(value?.data ?? []);

/** An axis counted from the front; -1 is the last. */
export function axisOf(axis: number, rank: number): number {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new TypeError(`axis ${axis} of ${rank}`);
}

/** An index counted from the front; -1 is the last element. */
export function indexFromFront(index: number, side: number): number {
  if (index >= -side && index < side) return index < 0 ? index + side : index;
  throw new TypeError(`index ${index} of ${side}`);
}

/** Indices that `start:end:step` names on an axis, as ONNX and NumPy count. */
export function sliceIndices(side: number, start: number, end: number, step: number): number[] {
  if (step === 0) throw new TypeError("a step of 0");
  const held = (at: number, low: number, high: number) =>
    Math.max(low, Math.min(high, at < 0 ? at + side : at));
  const [from, to] =
    step > 0
      ? [held(start, 0, side), held(end, 0, side)]
      : [held(start, 0, side - 1), held(end, -1, side - 1)];
  const length = Math.max(0, Math.ceil((to - from) / step));
  return Array.from({ length }, (_, i) => from + i * step);
}

/** A shape in which 0 stands for the side that was there, and -1 for what is left. */
export function resolveShape(
  from: readonly number[],
  wanted: readonly number[],
  allowZero: number,
): number[] {
  const sides = wanted.map((side, axis) =>
    side === 0 && allowZero === 0 ? (from[axis] ?? 0) : side,
  );
  const rest = sizeOf(sides.filter((side) => side !== -1));
  const shape = sides.map((side) => (side === -1 ? sizeOf(from) / rest : side));
  if (sizeOf(shape) === sizeOf(from) && shape.every(Number.isSafeInteger)) return shape;
  throw new TypeError(`shape [${from.join(", ")}] does not fit [${wanted.join(", ")}]`);
}

export function unsqueezed(shape: readonly number[], axes: readonly number[] = []): number[] {
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(axis, rank)));
  const left = [...shape];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (left.shift() ?? 1)));
}

export function squeezed(shape: readonly number[], axes?: readonly number[]): number[] {
  const dropped = new Set(
    axes?.map((axis) => axisOf(axis, shape.length)) ??
      shape.flatMap((side, axis) => (side === 1 ? [axis] : [])),
  );
  const wrong = [...dropped].find((axis) => shape[axis] !== 1);
  if (wrong !== undefined) throw new TypeError(`axis ${wrong} has ${shape[wrong]} elements, not 1`);
  return shape.filter((_, axis) => !dropped.has(axis));
}
