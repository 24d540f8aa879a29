/**
 * Arrays of plain numbers, and what the compiler's operations mean on them: an oracle of loops for
 * what becomes of expressions in a graph. Floats are doubles, whatever their type's name.
 */
import type {
  BinaryOp,
  Builder,
  CompareOp,
  Convolution,
  ReduceOp,
  UnaryOp,
} from "../../src/engine/native/graph/builder.ts";
import type { ElementType, Node } from "../../src/engine/native/graph/graph.ts";

/** The builder's operations on any kind of value: nodes of a graph or plain arrays. */
export interface Operations<V> {
  scalar(value: number, dtype: ElementType): V;
  constant(values: number[], dtype: ElementType, shape: number[]): V;
  reshape(x: V, shape: number[]): V;
  transpose(x: V, perm: number[]): V;
  swapLast(x: V): V;
  expand(x: V, shape: number[]): V;
  broadcast(x: V, shape: number[]): V;
  slice(x: V, starts: number[], ends: number[], steps?: number[]): V;
  flip(x: V, axes: number[]): V;
  pad(x: V, low: number[], high: number[], interior?: number[]): V;
  concatenate(parts: V[], axis: number): V;
  unary(op: UnaryOp, x: V): V;
  binary(op: BinaryOp, a: V, b: V): V;
  compare(op: CompareOp, a: V, b: V): V;
  where(condition: V, a: V, b: V): V;
  cast(x: V, dtype: ElementType): V;
  bitcast(x: V, dtype: ElementType): V;
  reduce(op: ReduceOp, x: V, axes: number[]): V;
  contract(a: V, b: V, axes: number[], rank: number): V;
  matmul(a: V, b: V): V;
  softmax(op: "softmax" | "logSoftmax", x: V, axis: number): V;
  convolve(a: V, b: V, shape: number[], convolution: Convolution): V;
  gather(x: V, indices: V[], axes: number[], position: number): V;
  scatter(
    updates: V,
    indices: V[],
    axes: number[],
    position: number,
    reduction: "add" | "none",
    shape: number[],
  ): V;
  sort(x: V): V;
  argsort(x: V): V;
  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  mul(a: V, b: V): V;
  div(a: V, b: V): V;
  neg(x: V): V;
  times(x: V, value: number): V;
}

/** A builder is one kind of these operations. */
export const onNodes = (b: Builder): Operations<Node> => b;

/** A dense, row-major array. */
export interface Plain {
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** All index tuples of a shape, in row-major order. */
function places(shape: readonly number[]): number[][] {
  let all: number[][] = [[]];
  for (const side of shape) {
    all = all.flatMap((place) => Array.from({ length: side }, (_, i) => [...place, i]));
  }
  return all;
}

function make(
  dtype: ElementType,
  shape: readonly number[],
  valueAt: (place: readonly number[]) => number,
): Plain {
  return { dtype, shape: [...shape], values: places(shape).map((place) => valueAt(place)) };
}

/** The element at a place, of whose sides those of 1 are broadcast and whose first may be too many. */
function at({ shape, values }: Plain, place: readonly number[]): number {
  const skipped = place.length - shape.length;
  let flat = 0;
  shape.forEach((side, axis) => {
    const i = side === 1 ? 0 : (place[skipped + axis] ?? NaN);
    if (!(i >= 0 && i < side))
      throw new RangeError(`[${place.join()}] is not in [${shape.join()}]`);
    flat = flat * side + i;
  });
  return values[flat] ?? NaN;
}

/** A number as the type stores it. */
function store(value: number, dtype: ElementType): number {
  if (dtype === "int32") return value | 0;
  if (dtype === "uint32") return value >>> 0;
  if (dtype === "bool") return value ? 1 : 0;
  return value;
}

function erf(x: number): number {
  // 2/√π · Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)), for |x| of a few.
  let [sum, power] = [0, x];
  for (let n = 0; n < 80; n++) {
    sum += power / (2 * n + 1);
    power *= -(x * x) / (n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const unary: { readonly [op in UnaryOp]: (x: number) => number } = {
  neg: (x) => -x,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  reciprocal: (x) => 1 / x,
  floor: Math.floor,
  ceil: Math.ceil,
  sin: Math.sin,
  cos: Math.cos,
  asin: Math.asin,
  atan: Math.atan,
  exp: Math.exp,
  log: Math.log,
  erf,
  erfc: (x) => 1 - erf(x),
  sqrt: Math.sqrt,
  abs: Math.abs,
  tanh: Math.tanh,
  not: (x) => 1 - x,
};

const binary: { readonly [op in BinaryOp]: (x: number, y: number) => number } = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  idiv: (x, y) => Math.trunc(x / y),
  mod: (x, y) => x % y,
  min: (x, y) => Math.min(x, y),
  max: (x, y) => Math.max(x, y),
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  shiftLeft: (x, y) => x << y,
  shiftRight: (x, y) => x >>> y,
};

const compared: { readonly [op in CompareOp]: (x: number, y: number) => boolean } = {
  less: (x, y) => x < y,
  lessEqual: (x, y) => x <= y,
  equal: (x, y) => x === y,
  notEqual: (x, y) => x !== y,
};

const isInteger = (dtype: ElementType): boolean => dtype === "int32" || dtype === "uint32";

/** Elementwise, sides of 1 repeated. */
function map(
  dtype: ElementType,
  f: (x: number, y: number, z: number) => number,
  ...arrays: readonly Plain[]
): Plain {
  const rank = Math.max(...arrays.map(({ shape }) => shape.length));
  const shape = Array.from({ length: rank }, (_, axis) => {
    const sides = arrays.map((x) => x.shape[axis - rank + x.shape.length] ?? 1);
    return sides.find((side) => side !== 1) ?? 1;
  });
  return make(dtype, shape, (place) => {
    const [x = NaN, y = NaN, z = NaN] = arrays.map((array) => at(array, place));
    return store(f(x, y, z), dtype);
  });
}

/** Numbers along the axes for each place along the others. */
function along(x: Plain, axes: readonly number[], f: (values: number[]) => number): Plain {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const inner = places(axes.map((axis) => x.shape[axis] ?? 0));
  return make(
    x.dtype,
    kept.map((axis) => x.shape[axis] ?? 0),
    (place) =>
      f(
        inner.map((other) => {
          const whole = x.shape.map(() => 0);
          kept.forEach((axis, i) => (whole[axis] = place[i] ?? 0));
          axes.forEach((axis, i) => (whole[axis] = other[i] ?? 0));
          return at(x, whole);
        }),
      ),
  );
}

const reductions: { readonly [op in ReduceOp]: (values: readonly number[]) => number } = {
  sum: (values) => values.reduce((a, b) => a + b, 0),
  product: (values) => values.reduce((a, b) => a * b, 1),
  max: (values) => Math.max(...values),
  min: (values) => Math.min(...values),
};

/** Where an element of a gather's result comes from. */
function source(
  place: readonly number[],
  indices: readonly Plain[],
  axes: readonly number[],
  position: number,
  rank: number,
): number[] {
  const depth = indices[0]?.shape.length ?? 0;
  const which = place.slice(position, position + depth);
  const rest = [...place.slice(0, position), ...place.slice(position + depth)];
  return Array.from({ length: rank }, (_, axis) => {
    const i = axes.indexOf(axis);
    return i < 0 ? (rest.shift() ?? 0) : at(indices[i] as Plain, which);
  });
}

/** Places along the last axis in ascending order of their values, equal ones as they were. */
function sorted(x: Plain): Plain {
  const side = x.shape.at(-1) ?? 1;
  const values = x.values.map((_, flat) => {
    const start = flat - (flat % side);
    const row = x.values.slice(start, start + side);
    const order = row.map((value, i) => [value, i] as const);
    return order.toSorted(([a, i], [b, j]) => a - b || i - j)[flat % side]?.[1] ?? 0;
  });
  return { dtype: "int32", shape: x.shape, values };
}

export const plain: Operations<Plain> = {
  scalar: (value, dtype) => ({ dtype, shape: [], values: [store(value, dtype)] }),
  constant: (values, dtype, shape) => ({ dtype, shape, values }),
  reshape: ({ dtype, values }, shape) => ({ dtype, shape, values }),
  transpose: (x, perm) =>
    make(
      x.dtype,
      perm.map((axis) => x.shape[axis] ?? 0),
      (place) =>
        at(
          x,
          x.shape.map((_, axis) => place[perm.indexOf(axis)] ?? 0),
        ),
    ),
  swapLast(x) {
    const order = x.shape.map((_, axis) => axis);
    return plain.transpose(x, [...order.slice(0, -2), order.length - 1, order.length - 2]);
  },
  expand: (x, shape) => make(x.dtype, shape, (place) => at(x, place)),
  broadcast: (x, shape) => make(x.dtype, shape, (place) => at(x, place)),
  slice(x, starts, ends, steps = starts.map(() => 1)) {
    const lists = starts.map((start, axis) => {
      const list: number[] = [];
      for (let i = start; i < (ends[axis] as number); i += steps[axis] as number) list.push(i);
      return list;
    });
    return make(
      x.dtype,
      lists.map(({ length }) => length),
      (place) =>
        at(
          x,
          place.map((i, axis) => lists[axis]?.[i] ?? 0),
        ),
    );
  },
  flip: (x, axes) =>
    make(x.dtype, x.shape, (place) =>
      at(
        x,
        place.map((i, axis) => (axes.includes(axis) ? (x.shape[axis] ?? 0) - 1 - i : i)),
      ),
    ),
  pad(x, low, high, interior = low.map(() => 0)) {
    const shape = x.shape.map((side, axis) => {
      const spread = side + (side > 0 ? side - 1 : 0) * (interior[axis] as number);
      return spread + (low[axis] as number) + (high[axis] as number);
    });
    return make(x.dtype, shape, (place) => {
      const from = place.map((i, axis) => (i - (low[axis] ?? 0)) / ((interior[axis] ?? 0) + 1));
      const isThere = from.every(
        (i, axis) => Number.isInteger(i) && i >= 0 && i < (x.shape[axis] ?? 0),
      );
      return isThere ? at(x, from) : 0;
    });
  },
  concatenate(parts, axis) {
    const sides = parts.map(({ shape }) => shape[axis] ?? 0);
    const [first] = parts as [Plain];
    const total = sides.reduce((a, b) => a + b, 0);
    return make(first.dtype, first.shape.with(axis, total), (place) => {
      let [i, part] = [place[axis] ?? 0, 0];
      for (; i >= (sides[part] ?? Infinity); part++) i -= sides[part] ?? 0;
      return at(parts[part] as Plain, place.with(axis, i));
    });
  },
  unary: (op, x) => map(x.dtype, unary[op], x),
  binary(op, a, b) {
    // 32 bits of a product: as doubles the last ones would be lost.
    const isLong = op === "mul" && isInteger(a.dtype);
    return map(a.dtype, isLong ? Math.imul : binary[op], a, b);
  },
  compare: (op, a, b) => map("bool", (x, y) => Number(compared[op](x, y)), a, b),
  where: (condition, a, b) => map(a.dtype, (p, x, y) => (p ? x : y), condition, a, b),
  cast: (x, dtype) =>
    map(
      dtype,
      (value) => {
        if (x.dtype === "float64" && dtype === "float32") return Math.fround(value);
        if (!x.dtype.startsWith("float") || !isInteger(dtype)) return value;
        const [low, high] = dtype === "int32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
        return Math.trunc(Math.min(high, Math.max(low, value || 0)));
      },
      x,
    ),
  bitcast: (x, dtype) =>
    map(
      dtype,
      (value) => {
        const bits = new DataView(new ArrayBuffer(4));
        bits.setUint32(0, value);
        if (x.dtype === "float32") bits.setFloat32(0, value);
        if (dtype === "float32") return bits.getFloat32(0);
        return dtype === "int32" ? bits.getInt32(0) : bits.getUint32(0);
      },
      x,
    ),
  reduce(op, x, axes) {
    const isLong = op === "product" && isInteger(x.dtype);
    const f = isLong ? (values: number[]) => values.reduce(Math.imul, 1) : reductions[op];
    return along(x, axes, (values) => store(f(values), x.dtype));
  },
  contract: (a, b, axes, rank) => {
    const wide = map(a.dtype, binary.mul, a, b);
    const ones = Array<number>(rank - wide.shape.length).fill(1);
    return plain.reduce("sum", plain.reshape(wide, [...ones, ...wide.shape]), axes);
  },
  matmul(a, b) {
    const [rows, inner, columns] = [a.shape.at(-2) ?? 0, a.shape.at(-1) ?? 0, b.shape.at(-1) ?? 0];
    const shape = [...a.shape.slice(0, -1), columns];
    const all = Array.from({ length: shape.reduce((p, side) => p * side, 1) }, (_, flat) => {
      const [row, column] = [Math.floor(flat / columns), flat % columns];
      const first = Math.floor(row / rows) * inner;
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        sum +=
          (a.values[row * inner + k] ?? NaN) * (b.values[(first + k) * columns + column] ?? NaN);
      }
      return sum;
    });
    return { dtype: a.dtype, shape, values: all };
  },
  softmax(op, x, axis) {
    const greatest = along(x, [axis], (values) => Math.max(...values));
    const keep = (y: Plain) => plain.reshape(y, x.shape.with(axis, 1));
    const shifted = plain.sub(x, keep(greatest));
    const total = along(plain.unary("exp", shifted), [axis], reductions.sum);
    const result = plain.sub(shifted, keep(plain.unary("log", total)));
    return op === "logSoftmax" ? result : plain.unary("exp", result);
  },
  convolve(a, b, shape, { strides, padding, lhsDilation, rhsDilation }) {
    const spread = plain.pad(
      a,
      [0, 0, ...padding.map(([low]) => low)],
      [0, 0, ...padding.map(([, high]) => high)],
      [0, 0, ...lhsDilation.map((by) => by - 1)],
    );
    return make(a.dtype, shape, ([n = 0, o = 0, ...position]) => {
      let sum = 0;
      for (const [c = 0, ...offset] of places(b.shape.slice(1))) {
        const where = position.map(
          (p, i) => p * (strides[i] ?? 1) + (offset[i] ?? 0) * (rhsDilation[i] ?? 1),
        );
        sum += at(spread, [n, c, ...where]) * at(b, [o, c, ...offset]);
      }
      return sum;
    });
  },
  gather(x, indices, axes, position) {
    const shape = x.shape.filter((_, axis) => !axes.includes(axis));
    shape.splice(position, 0, ...(indices[0]?.shape ?? []));
    return make(x.dtype, shape, (place) =>
      at(x, source(place, indices, axes, position, x.shape.length)),
    );
  },
  scatter(updates, indices, axes, position, reduction, shape) {
    const put = new Map<string, number>();
    for (const place of places(updates.shape)) {
      const to = source(place, indices, axes, position, shape.length).join();
      const before = reduction === "add" ? (put.get(to) ?? 0) : 0;
      put.set(to, before + at(updates, place));
    }
    return make(updates.dtype, shape, (place) => put.get(place.join()) ?? 0);
  },
  sort(x) {
    const side = x.shape.at(-1) ?? 1;
    const values = sorted(x).values.map((i, flat) => x.values[flat - (flat % side) + i] ?? NaN);
    return { ...x, values };
  },
  argsort: sorted,
  add: (a, b) => plain.binary("add", a, b),
  sub: (a, b) => plain.binary("sub", a, b),
  mul: (a, b) => plain.binary("mul", a, b),
  div: (a, b) => plain.binary("div", a, b),
  neg: (x) => plain.unary("neg", x),
  times: (x, value) => plain.mul(x, plain.scalar(value, x.dtype)),
};

/** The value of a node, with the arguments' by path, and of how many nodes it is made. */
export function evaluate(
  root: Node,
  given: { readonly [path: string]: Plain },
): { value: Plain; count: number } {
  const known = new Map<Node, Plain>();
  const read = (node: Node): Plain => {
    const before = known.get(node);
    if (before !== undefined) return before;
    const value = compute(node, node.inputs.map(read), given);
    const { dtype, shape } = node.type;
    if (value.dtype !== dtype || value.shape.join() !== shape.join()) {
      throw new TypeError(
        `${node.op} is ${value.dtype}[${value.shape.join()}], not ${dtype}[${shape.join()}]`,
      );
    }
    known.set(node, value);
    return value;
  };
  return { value: read(root), count: known.size };
}

function compute(
  { op, attributes, type: { dtype, shape } }: Node,
  inputs: readonly Plain[],
  given: { readonly [path: string]: Plain },
): Plain {
  const list = (name: string) => attributes[name] as number[];
  const [x, y, z] = inputs as [Plain, Plain, Plain];
  const sides = [...shape];
  if (op === "argument") return given[String(attributes["path"])] as Plain;
  if (op === "constant") return { dtype, shape, values: Array.from(list("data"), Number) };
  if (op in unary) return plain.unary(op as UnaryOp, x);
  if (op in binary) return plain.binary(op as BinaryOp, x, y);
  if (op in compared) return plain.compare(op as CompareOp, x, y);
  if (op === "where") return plain.where(x, y, z);
  if (op === "cast") return plain.cast(x, dtype);
  if (op === "bitcast") return plain.bitcast(x, dtype);
  if (op === "reshape") return plain.reshape(x, sides);
  if (op === "transpose") return plain.transpose(x, list("perm"));
  if (op === "expand") return plain.expand(x, sides);
  if (op === "slice") return plain.slice(x, list("starts"), list("ends"), list("steps"));
  if (op === "flip") return plain.flip(x, list("axes"));
  if (op === "pad") return plain.pad(x, list("low"), list("high"), list("interior"));
  if (op === "concatenate") return plain.concatenate([...inputs], Number(attributes["axis"]));
  if (op === "reduce") return plain.reduce(attributes["reduction"] as ReduceOp, x, list("axes"));
  if (op === "matmul") return plain.matmul(x, y);
  if (op === "softmax" || op === "logSoftmax") {
    return plain.softmax(op, x, Number(attributes["axis"]));
  }
  const [, ...indices] = inputs;
  const position = Number(attributes["position"]);
  if (op === "gather") return plain.gather(x, indices, list("axes"), position);
  if (op === "scatter") {
    const reduction = attributes["reduction"] as "add" | "none";
    return plain.scatter(x, indices, list("axes"), position, reduction, sides);
  }
  if (op === "sort") return plain.sort(x);
  if (op === "argsort") return plain.argsort(x);
  if (op === "convolve") {
    return plain.convolve(x, y, sides, {
      strides: list("strides"),
      padding: list("low").map((low, i) => [low, list("high")[i] ?? 0]),
      lhsDilation: list("lhsDilation"),
      rhsDilation: list("rhsDilation"),
    });
  }
  throw new Error(`no meaning of ${op}`);
}
