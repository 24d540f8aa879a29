/**
 * A builder of graphs in the compiler's own operations: it infers types, keeps views lazy and applies
 * the rewrite rules of simplify.ts, so that a graph is simple as soon as it is built.
 *
 * Conventions: elementwise operations broadcast as in NumPy and never convert types; `expand`
 * enlarges sides of 1 and keeps the rank; views are ordered reshape, transpose, expand from
 * the inside out, so that expansions meet what can absorb them.
 */
import {
  Graph,
  isScalarLike,
  sameShape,
  scalarValue,
  type Attributes,
  type ElementType,
  type Node,
  type Operands,
} from "./graph.ts";
import type { Part } from "../../step.ts";
import { canFold, foldBinary, foldCast, foldUnary, makeData } from "./constants.ts";
import {
  broadcastShapes,
  padRank,
  product,
  range,
  reshapeBeforeExpand,
  reshapeBeforeTranspose,
} from "./shapes.ts";

export type UnaryOp =
  | "neg" | "sigmoid" | "reciprocal" | "floor" | "ceil" | "sin" | "cos" | "asin" | "atan" | "exp" | "log"
  | "erf" | "erfc" | "sqrt" | "abs" | "tanh" | "not"; // prettier-ignore
export type BinaryOp =
  | "add" | "sub" | "mul" | "div" | "idiv" | "mod" | "min" | "max"
  | "and" | "or" | "xor" | "shiftLeft" | "shiftRight"; // prettier-ignore
export type CompareOp = "less" | "lessEqual" | "equal" | "notEqual";
export type ReduceOp = "sum" | "product" | "max" | "min";

/** Convolution of [N, C, …spatial] with [O, C, …kernel], as in XLA. */
export interface Convolution {
  readonly strides: readonly number[];
  readonly padding: readonly (readonly [before: number, after: number])[];
  readonly lhsDilation: readonly number[];
  readonly rhsDilation: readonly number[];
}

/** Knows simpler equals of expressions about to be built: simplify.ts. */
export type Simplify = (
  b: Builder,
  op: string,
  inputs: Operands,
  dtype: ElementType,
) => Node | undefined;

/** Looks at every node as it is built, and may give expressions simpler names: idioms.ts. */
export type Recognize = (b: Builder, node: Node) => void;

/** Elements from which on a pass over memory is worth a detour. */
const longPass = 1 << 16;

export class Builder {
  readonly graph = new Graph();
  readonly #simplify: Simplify;
  readonly #recognize: Recognize;
  /** Expressions known under a simpler name: see idioms.ts. */
  readonly aliases = new Map<Node, Node>();

  constructor(simplify: Simplify = () => undefined, recognize: Recognize = () => {}) {
    this.#simplify = simplify;
    this.#recognize = recognize;
  }

  #node(
    op: string,
    inputs: readonly Node[],
    attributes: Attributes,
    dtype: ElementType,
    shape: readonly number[],
  ): Node {
    const node = this.graph.node(op, inputs, attributes, { dtype, shape });
    const alias = this.aliases.get(node);
    if (alias !== undefined) return alias;
    this.#recognize(this, node);
    return this.aliases.get(node) ?? node;
  }

  // Sources

  /** A leaf of the step's arguments. */
  argument(part: Part, path: string, dtype: ElementType, shape: readonly number[]): Node {
    return this.#node("argument", [], { part, path }, dtype, shape);
  }

  scalar(value: number, dtype: ElementType): Node {
    return this.#node("constant", [], { data: makeData([value], dtype) }, dtype, []);
  }

  /** A constant array. Arrays of one repeated value become an expanded scalar. */
  constant(values: ArrayLike<number>, dtype: ElementType, shape: readonly number[]): Node {
    const first = values[0] ?? 0;
    let same = 0;
    while (same < values.length && Object.is(values[same], first)) same++;
    if (same > 0 && same === values.length) return this.broadcast(this.scalar(first, dtype), shape);
    return this.#node("constant", [], { data: makeData(values, dtype) }, dtype, shape);
  }

  // Views

  reshape(x: Node, shape: readonly number[]): Node {
    if (sameShape(x.type.shape, shape)) return x;
    const [inner] = x.inputs;
    if (isWidened(x)) return this.cast(this.reshape(inner, shape), x.type.dtype);
    if (x.op === "reshape") return this.reshape(inner, shape);
    if (x.op === "expand") {
      const narrow = reshapeBeforeExpand(inner.type.shape, x.type.shape, shape);
      if (narrow !== undefined) return this.expand(this.reshape(inner, narrow), shape);
    }
    if (x.op === "transpose") {
      const swapped = reshapeBeforeTranspose(
        inner.type.shape,
        x.attributes["perm"] as number[],
        shape,
      );
      if (swapped !== undefined) {
        return this.transpose(this.reshape(inner, swapped.shape), swapped.perm);
      }
    }
    return this.#node("reshape", [x], {}, x.type.dtype, shape);
  }

  transpose(x: Node, perm: readonly number[]): Node {
    const shape = perm.map((axis) => x.type.shape[axis] as number);
    // Moving sides of 1 past others is a reshape.
    const moving = perm.filter((axis) => x.type.shape[axis] !== 1);
    if (moving.every((axis, i) => i === 0 || (moving[i - 1] as number) < axis)) {
      return this.reshape(x, shape);
    }
    const [inner, other] = x.inputs;
    if (isWidened(x)) return this.cast(this.transpose(inner, perm), x.type.dtype);
    if (x.op === "transpose") {
      const first = x.attributes["perm"] as number[];
      return this.transpose(
        inner,
        perm.map((axis) => first[axis] as number),
      );
    }
    if (x.op === "expand") return this.expand(this.transpose(inner, perm), shape);
    if (x.op === "matmul") {
      const rank = perm.length;
      const swapsLast = perm.every(
        (axis, i) => axis === (i < rank - 2 ? i : i === rank - 2 ? rank - 1 : rank - 2),
      );
      if (swapsLast) return this.matmul(this.swapLast(other), this.swapLast(inner));
    }
    return this.#node("transpose", [x], { perm }, x.type.dtype, shape);
  }

  /** Exchange the last two axes. */
  swapLast(x: Node): Node {
    const rank = x.type.shape.length;
    return this.transpose(x, [...range(rank - 2), rank - 1, rank - 2]);
  }

  /** Enlarge sides of 1 to those of `shape`, which has the same rank. */
  expand(x: Node, shape: readonly number[]): Node {
    if (sameShape(x.type.shape, shape)) return x;
    if (x.op === "expand") return this.expand(x.inputs[0], shape);
    return this.#node("expand", [x], {}, x.type.dtype, shape);
  }

  /** NumPy's `broadcast_to`. */
  broadcast(x: Node, shape: readonly number[]): Node {
    return this.expand(this.reshape(x, padRank(x.type.shape, shape.length)), shape);
  }

  slice(
    x: Node,
    starts: readonly number[],
    ends: readonly number[],
    steps?: readonly number[],
  ): Node {
    const by = steps ?? starts.map(() => 1);
    const shape = starts.map((start, i) =>
      Math.max(0, Math.ceil(((ends[i] as number) - start) / (by[i] as number))),
    );
    if (sameShape(shape, x.type.shape)) return x;
    if (isWidened(x)) return this.cast(this.slice(x.inputs[0], starts, ends, by), x.type.dtype);
    if (x.op === "concatenate") {
      // Out of one part of several.
      const axis = x.attributes["axis"] as number;
      let [start, end] = [starts[axis] as number, ends[axis] as number];
      for (const part of x.inputs) {
        const side = part.type.shape[axis] as number;
        if (start >= 0 && end <= side) {
          return this.slice(part, starts.with(axis, start), ends.with(axis, end), by);
        }
        [start, end] = [start - side, end - side];
      }
    }
    return this.#node("slice", [x], { starts, ends, steps: by }, x.type.dtype, shape);
  }

  flip(x: Node, axes: readonly number[]): Node {
    const moving = axes.filter((axis) => x.type.shape[axis] !== 1);
    if (moving.length === 0) return x;
    return this.#node("flip", [x], { axes: moving }, x.type.dtype, x.type.shape);
  }

  /** Put zeros around `x` and `interior` zeros between its neighbors. Negative widths cut. */
  pad(
    x: Node,
    low: readonly number[],
    high: readonly number[],
    interior: readonly number[] = low.map(() => 0),
  ): Node {
    const spread = x.type.shape.map(
      (side, i) => side + Math.max(0, side - 1) * (interior[i] as number),
    );
    const shape = spread.map((side, i) => side + (low[i] as number) + (high[i] as number));
    if (low.some((width) => width < 0) || high.some((width) => width < 0)) {
      const up = (widths: readonly number[]) => widths.map((width) => Math.max(0, width));
      const padded = this.pad(x, up(low), up(high), interior);
      const starts = low.map((width) => Math.max(0, -width));
      return this.slice(
        padded,
        starts,
        starts.map((start, i) => start + (shape[i] as number)),
      );
    }
    if (sameShape(shape, x.type.shape)) return x;
    return this.#node("pad", [x], { low, high, interior }, x.type.dtype, shape);
  }

  concatenate(parts: readonly Node[], axis: number): Node {
    const full = parts.filter(({ type }) => type.shape[axis] !== 0);
    const [first] = full.length > 0 ? full : parts;
    if (first === undefined) throw new RangeError("invalid concatenate: no parts");
    if (full.length <= 1) return first;
    const side = full.reduce((sum, { type }) => sum + (type.shape[axis] as number), 0);
    return this.#node(
      "concatenate",
      full,
      { axis },
      first.type.dtype,
      first.type.shape.toSpliced(axis, 1, side),
    );
  }

  // Elementwise

  unary(op: UnaryOp, x: Node): Node {
    const value = scalarValue(x);
    if (value !== undefined && canFold(op)) {
      return this.scalar(foldUnary(op, value, x.type.dtype), x.type.dtype);
    }
    return this.elementwise(op, [x], x.type.dtype);
  }

  binary(op: BinaryOp, a: Node, b: Node): Node {
    const [x, y] = [scalarValue(a), scalarValue(b)];
    if (x !== undefined && y !== undefined) {
      return this.scalar(foldBinary(op, x, y, a.type.dtype), a.type.dtype);
    }
    return this.elementwise(op, [a, b], a.type.dtype);
  }

  add = (a: Node, b: Node): Node => this.binary("add", a, b);
  sub = (a: Node, b: Node): Node => this.binary("sub", a, b);
  mul = (a: Node, b: Node): Node => this.binary("mul", a, b);
  div = (a: Node, b: Node): Node => this.binary("div", a, b);
  neg = (x: Node): Node => this.unary("neg", x);
  /** `x · value`, with the value in x's type. */
  times = (x: Node, value: number): Node => this.mul(x, this.scalar(value, x.type.dtype));

  compare(op: CompareOp, a: Node, b: Node): Node {
    const [x, y] = [scalarValue(a), scalarValue(b)];
    if (x !== undefined && y !== undefined) {
      return this.scalar(foldBinary(op, x, y, a.type.dtype), "bool");
    }
    return this.elementwise(op, [a, b], "bool");
  }

  where(condition: Node, a: Node, b: Node): Node {
    return this.elementwise("where", [condition, a, b], a.type.dtype);
  }

  /** Convert to another element type as JavaScript typed arrays do, saturating from floats. */
  cast(x: Node, dtype: ElementType): Node {
    if (x.type.dtype === dtype) return x;
    const value = scalarValue(x);
    if (value !== undefined) return this.scalar(foldCast(value, x.type.dtype, dtype), dtype);
    return this.elementwise("cast", [x], dtype);
  }

  bitcast(x: Node, dtype: ElementType): Node {
    return x.type.dtype === dtype ? x : this.elementwise("bitcast", [x], dtype);
  }

  /** Any elementwise operation, computed on unexpanded inputs and simplified. */
  elementwise(op: string, given: readonly Node[], dtype: ElementType): Node {
    const full = broadcastShapes(...given.map(({ type }) => type.shape));
    const inputs = given.map((x) => {
      const bare = x.op === "expand" ? x.inputs[0] : x;
      if (isScalarLike(bare)) return this.reshape(bare, []);
      // Broadcasting puts leading sides of 1 by itself.
      const [inner] = bare.inputs;
      const { shape } = bare.type;
      const isPadded =
        bare.op === "reshape" && sameShape(padRank(inner.type.shape, shape.length), shape);
      return isPadded ? inner : bare;
    });
    const shape = broadcastShapes(...inputs.map(({ type }) => type.shape));
    const result =
      this.#simplify(this, op, inputs as unknown as Operands, dtype) ??
      this.#node(op, inputs, {}, dtype, shape);
    return this.broadcast(result, full);
  }

  // Reductions and contractions

  reduce(op: ReduceOp, x: Node, axes: readonly number[]): Node {
    const { shape, dtype } = x.type;
    const kept = shape.filter((_, axis) => !axes.includes(axis));
    const real = axes.filter((axis) => shape[axis] !== 1);
    if (real.length === 0) return this.reshape(x, kept);
    const [inner] = x.inputs;
    if (x.op === "expand" && op !== "product") {
      const narrow = this.reduce(op, inner, axes);
      const count = product(
        axes.filter((a) => inner.type.shape[a] === 1).map((a) => shape[a] ?? 1),
      );
      return this.expand(op === "sum" ? this.times(narrow, count) : narrow, kept);
    }
    if (x.op === "transpose") {
      const perm = x.attributes["perm"] as number[];
      const inside = axes.map((axis) => perm[axis] as number);
      const rest = range(shape.length).filter((axis) => !inside.includes(axis));
      const order = perm.filter((axis) => !inside.includes(axis));
      return this.transpose(
        this.reduce(
          op,
          inner,
          inside.sort((a, b) => a - b),
        ),
        order.map((axis) => rest.indexOf(axis)),
      );
    }
    if (x.op === "reshape" && kept.length === 0) {
      return this.reduce(op, inner, range(inner.type.shape.length));
    }
    if (op === "sum") {
      const linear = this.#sumByLinearity(x, axes);
      if (linear !== undefined) return linear;
    }
    return this.#node("reduce", [x], { reduction: op, axes }, dtype, kept);
  }

  /** Σ −x = −Σ x; Σ s·x = s·Σ x where s is constant over the axes; contractions. */
  #sumByLinearity(x: Node, axes: readonly number[]): Node | undefined {
    const { shape } = x.type;
    if (x.op === "neg") return this.neg(this.reduce("sum", x.inputs[0], axes));
    const isConstantThere = (factor: Node) => {
      const sides = padRank(factor.type.shape, shape.length);
      return axes.every((axis) => sides[axis] === 1);
    };
    const factors = factorsOf(x);
    const outside = factors.filter(isConstantThere);
    const [first, ...inside] = factors.filter((factor) => !isConstantThere(factor));
    // A product of matrices has taken its constant factor in already.
    if (inside.length === 0 && first !== undefined && isLongProduct(first)) {
      if (outside.every((factor) => scalarValue(factor) !== undefined)) return undefined;
    }
    if (outside.length > 0 && first !== undefined) {
      const rest = inside.reduce((a, b) => this.mul(a, b), first);
      const sum = this.reduce("sum", this.broadcast(rest, shape), axes);
      const kept = shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
      const scaled = outside.reduce((a, b) => this.mul(a, b), this.reshape(sum, kept));
      return this.reshape(scaled, sum.type.shape);
    }
    const [left, right] = x.inputs;
    if (x.op === "mul") {
      const isWhole = ({ type }: Node) => sameShape(padRank(type.shape, shape.length), shape);
      const isOuter = (factor: Node) => {
        const sides = padRank(factor.type.shape, shape.length);
        return axes.some((axis) => sides[axis] !== shape[axis]);
      };
      const isContraction = [left, right].some(isOuter) || ![left, right].some(isWhole);
      return isContraction ? this.contract(left, right, axes, shape.length) : undefined;
    }
    // Both terms can be summed without the factors that make them as large as their sum.
    if (
      (x.op === "add" || x.op === "sub") &&
      [left, right].every((term) => factorsOf(term).some(isConstantThere))
    ) {
      const [a, b] = [left, right].map((term) =>
        this.reduce("sum", this.broadcast(term, shape), axes),
      ) as [Node, Node];
      return this.binary(x.op, a, b);
    }
    return undefined;
  }

  /** Σ a·b over `axes` of their broadcast shape, which has rank `rank`: a matrix product. */
  contract(left: Node, right: Node, axes: readonly number[], rank: number): Node {
    const bare = (x: Node) => {
      const aligned = this.reshape(x, padRank(x.type.shape, rank));
      return aligned.op === "expand" ? aligned.inputs[0] : aligned;
    };
    const full = broadcastShapes(left.type.shape, right.type.shape);
    const resultShape = full.filter((_, axis) => !axes.includes(axis));
    let [a, b] = [bare(left), bare(right)];
    const side = (x: Node, axis: number) => x.type.shape[axis] as number;
    // An axis that only one factor really has is summed there; one that none has is a count.
    let count = 1;
    for (const axis of axes) {
      if (side(a, axis) === 1 && side(b, axis) === 1) count *= full[axis] as number;
      else if (side(a, axis) === 1) b = this.#reduceKeeping(b, axis);
      else if (side(b, axis) === 1) a = this.#reduceKeeping(a, axis);
    }
    const real = (x: Node) => (axis: number) => side(x, axis) !== 1;
    const [inA, inB] = [real(a), real(b)];
    const free = range(rank).filter((axis) => !axes.includes(axis));
    const summed = axes.filter(inA);
    const batch = free.filter((axis) => inA(axis) && inB(axis));
    const rows = free.filter((axis) => inA(axis) && !inB(axis));
    const columns = free.filter((axis) => !inA(axis) && inB(axis));
    const sides = (of: readonly number[], x: Node) => of.map((axis) => side(x, axis));
    const narrow = free.map((axis) => Math.max(side(a, axis), side(b, axis)));
    let result: Node;
    if (summed.length === 0) {
      result = this.reshape(this.mul(a, b), narrow);
    } else if (rows.length === 0 && columns.length === 0 && batch.length > 0) {
      const multiplied = this.mul(a, b);
      result = this.reshape(this.reduce("sum", multiplied, axes), narrow);
    } else {
      const matrix = (x: Node, own: readonly number[]) => {
        const ones = range(rank).filter((axis) => side(x, axis) === 1);
        const order = [...batch, ...own, ...summed];
        return this.reshape(this.transpose(x, [...order, ...ones]), [
          ...(batch.length > 0 ? [product(sides(batch, x))] : []),
          product(sides(own, x)),
          product(sides(summed, x)),
        ]);
      };
      const multiplied = this.matmul(matrix(a, rows), this.swapLast(matrix(b, columns)));
      const order = [...batch, ...rows, ...columns];
      const separate = this.reshape(multiplied, [
        ...sides(batch, a),
        ...sides(rows, a),
        ...sides(columns, b),
      ]);
      const sorted = [...order].sort((x, y) => x - y);
      result = this.reshape(
        this.transpose(
          separate,
          sorted.map((axis) => order.indexOf(axis)),
        ),
        narrow,
      );
    }
    return this.expand(count === 1 ? result : this.times(result, count), resultShape);
  }

  #reduceKeeping(x: Node, axis: number): Node {
    return this.reshape(this.reduce("sum", x, [axis]), x.type.shape.toSpliced(axis, 1, 1));
  }

  /** Matrix product of [M, K] and [K, N], or of batches [B, M, K] and [B, K, N]. */
  matmul(a: Node, b: Node): Node {
    const rows = a.type.shape.at(-2) as number;
    const columns = b.type.shape.at(-1) as number;
    if (a.op === "neg") return this.neg(this.matmul(a.inputs[0], b));
    if (b.op === "neg") return this.neg(this.matmul(a, b.inputs[0]));
    // Products take a constant factor in for nothing.
    for (const [x, multiply] of [
      [a, (bare: Node) => this.matmul(bare, b)],
      [b, (bare: Node) => this.matmul(a, bare)],
    ] as const) {
      const scaled = this.#withoutScale(x);
      if (scaled !== undefined) return this.times(multiply(scaled.bare), scaled.by);
    }
    return this.#node("matmul", [a, b], {}, a.type.dtype, [
      ...a.type.shape.slice(0, -2),
      rows,
      columns,
    ]);
  }

  /** A large float32 `x` as `bare` times a constant, seen through views, where that is a pass of its own. */
  #withoutScale(x: Node): { bare: Node; by: number } | undefined {
    const [inner, factor] = x.inputs;
    if (x.type.dtype !== "float32" || product(x.type.shape) < longPass) return undefined;
    if (x.op === "mul") {
      const by = scalarValue(factor);
      return by === undefined || isLongProduct(inner) ? undefined : { bare: inner, by };
    }
    if (x.op !== "reshape" && x.op !== "transpose") return undefined;
    const scaled = this.#withoutScale(inner);
    if (scaled === undefined) return undefined;
    const { bare, by } = scaled;
    const perm = x.attributes["perm"] as number[] | undefined;
    const view = perm === undefined ? this.reshape(bare, x.type.shape) : this.transpose(bare, perm);
    return { bare: view, by };
  }

  /** Softmax or its logarithm over one axis. */
  softmax(op: "softmax" | "logSoftmax", x: Node, axis: number): Node {
    return this.#node(op, [x], { axis }, x.type.dtype, x.type.shape);
  }

  convolve(
    lhs: Node,
    rhs: Node,
    shape: readonly number[],
    { strides, padding, lhsDilation, rhsDilation }: Convolution,
  ): Node {
    const attributes = {
      strides,
      low: padding.map(([low]) => low),
      high: padding.map(([, high]) => high),
      lhsDilation,
      rhsDilation,
    };
    return this.#node("convolve", [lhs, rhs], attributes, lhs.type.dtype, shape);
  }

  // Indexing and order

  /**
   * NumPy's `x[:, …, indices, …]`: one integer array per indexed axis, all of one shape. The
   * indices' axes stand at `position` in the result. Indices must lie in range.
   */
  gather(x: Node, indices: readonly Node[], axes: readonly number[], position: number): Node {
    if (isWidened(x)) {
      return this.cast(this.gather(x.inputs[0], indices, axes, position), x.type.dtype);
    }
    const [first] = indices as [Node];
    const shape = x.type.shape.filter((_, axis) => !axes.includes(axis));
    shape.splice(position, 0, ...first.type.shape);
    return this.#node("gather", [x, ...indices], { axes, position }, x.type.dtype, shape);
  }

  /** The transpose of `gather`: zeros of `shape` with `updates` added (or put) at the indices. */
  scatter(
    updates: Node,
    indices: readonly Node[],
    axes: readonly number[],
    position: number,
    reduction: "add" | "none",
    shape: readonly number[],
  ): Node {
    const attributes = { axes, position, reduction };
    return this.#node("scatter", [updates, ...indices], attributes, updates.type.dtype, shape);
  }

  /** Values of `x` in ascending order along the last axis, NaN last; stable. */
  sort(x: Node): Node {
    return this.#node("sort", [x], {}, x.type.dtype, x.type.shape);
  }

  /** Indices that sort `x` along the last axis. */
  argsort(x: Node): Node {
    return this.#node("argsort", [x], {}, "int32", x.type.shape);
  }
}

/**
 * Whether `x` is bytes made wider. Views and gathers act on the bytes, so that of a data set of
 * bytes only what a step uses is ever wide.
 */
const isWidened = (x: Node): boolean => x.op === "cast" && x.inputs[0].type.dtype === "uint8";

/** Whether `x` is a large product of matrices, seen through views. */
const isLongProduct = (x: Node): boolean =>
  x.op === "reshape" || x.op === "transpose"
    ? isLongProduct(x.inputs[0])
    : x.op === "matmul" && product(x.type.shape) >= longPass;

/** The factors of a product, without looking into anything else. */
function factorsOf(x: Node): Node[] {
  return x.op === "mul" ? [...factorsOf(x.inputs[0]), ...factorsOf(x.inputs[1])] : [x];
}
