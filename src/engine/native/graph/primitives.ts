/**
 * Primitives of jax-js, and what they mean in the compiler's own operations. What is not in this
 * table cannot be compiled.
 */
import type { Jaxpr } from "@jax-js/jax";
import { jaxDType } from "../../arrays.ts";
import type { TracedFunction } from "../../trace.ts";
import { unsupported } from "../unsupported.ts";
import type { Builder, BinaryOp, CompareOp, Convolution, ReduceOp, UnaryOp } from "./builder.ts";
import { printType, type ElementType, type Node, type Operands, type ValueType } from "./graph.ts";
import { range, product } from "./shapes.ts";
import { threefry } from "./threefry.ts";
import { pool, poolTranspose } from "./pool.ts";

/** What an equation says besides its inputs. */
interface Equation {
  readonly params: Readonly<Record<string, unknown>>;
  readonly outputs: readonly ValueType[];
  /** Element type in which the inputs meet. */
  readonly common: ElementType;
}

type Primitive = (b: Builder, inputs: Operands, equation: Equation) => Node | Node[];

const unary =
  (op: UnaryOp): Primitive =>
  (b, [x]) =>
    b.unary(op, x);

/** Elementwise in the common type; `logical` is the same operation on booleans. */
const binary =
  (op: BinaryOp, logical?: BinaryOp): Primitive =>
  (b, [x, y], { common }) =>
    b.binary(common === "bool" ? (logical ?? op) : op, b.cast(x, common), b.cast(y, common));

const comparisons: Readonly<Record<string, CompareOp>> = {
  less: "less",
  less_equal: "lessEqual",
  equal: "equal",
  not_equal: "notEqual",
};

const reductions: Readonly<Record<string, ReduceOp>> = {
  Add: "sum",
  Mul: "product",
  Max: "max",
  Min: "min",
};

export const primitives: Readonly<Record<string, Primitive>> = {
  // Arithmetic
  add: binary("add", "or"),
  mul: binary("mul", "and"),
  idiv: binary("idiv"),
  mod: binary("mod"),
  min: binary("min", "and"),
  max: binary("max", "or"),
  neg: unary("neg"),
  reciprocal: unary("reciprocal"),
  floor: unary("floor"),
  ceil: unary("ceil"),
  sin: unary("sin"),
  cos: unary("cos"),
  asin: unary("asin"),
  atan: unary("atan"),
  exp: unary("exp"),
  log: unary("log"),
  erf: unary("erf"),
  erfc: unary("erfc"),
  sqrt: unary("sqrt"),
  stop_gradient: (_, [x]) => x,

  // Bits and types
  bit_combine: (b, inputs, equation) =>
    binary(equation.params["op"] as "and" | "or" | "xor")(b, inputs, equation),
  bit_shift: (b, [x, y], { params }) =>
    b.binary(params["op"] === "shl" ? "shiftLeft" : "shiftRight", x, b.cast(y, x.type.dtype)),
  cast: (b, [x], { params }) => b.cast(x, params["dtype"] as ElementType),
  // A number that is held as a double has the bits of a float32.
  bitcast: (b, [x], { params }) =>
    b.bitcast(
      x.type.dtype === "float64" ? b.cast(x, "float32") : x,
      params["dtype"] as ElementType,
    ),
  random_bits: (b, [k0, k1], { params }) =>
    threefry(b, k0, k1, params["shape"] as number[], params["mode"] as "xor" | 0 | 1),

  // Choice
  compare: (b, [x, y], { params, common }) =>
    b.compare(
      comparisons[params["op"] as string] as CompareOp,
      b.cast(x, common),
      b.cast(y, common),
    ),
  where: (b, [condition, x, y], { outputs }) => {
    const { dtype } = outputs[0] as ValueType;
    return b.where(condition, b.cast(x, dtype), b.cast(y, dtype));
  },

  // Reductions and contractions
  reduce(b, [x], { params }) {
    const op = reductions[params["op"] as string] as ReduceOp;
    const axes = params["axis"] as number[];
    if (x.type.dtype !== "bool") return b.reduce(op, x, axes);
    const any = op === "sum" || op === "max";
    return b.cast(b.reduce(any ? "max" : "min", b.cast(x, "int32"), axes), "bool");
  },
  dot(b, [x, y], { common }) {
    const rank = Math.max(x.type.shape.length, y.type.shape.length);
    return b.contract(b.cast(x, common), b.cast(y, common), [rank - 1], rank);
  },
  conv(b, [x, kernel], { params, outputs, common }) {
    const [{ shape }] = outputs as [ValueType];
    const lead = params["vmapDims"] as number;
    const convolution = params as unknown as Convolution;
    const [left, right] = [b.cast(x, common), b.cast(kernel, common)];
    if (lead === 0) return b.convolve(left, right, shape, convolution);
    // Groups, and whatever else was mapped over: one convolution each.
    const mapped = shape.slice(0, lead);
    const parts = [left, right].map((part) => {
      const own = part.type.shape.slice(lead);
      const all = b.reshape(b.broadcast(part, [...mapped, ...own]), [product(mapped), ...own]);
      const sides = all.type.shape;
      return range(product(mapped)).map((i) =>
        b.reshape(
          b.slice(
            all,
            sides.map((_, axis) => (axis === 0 ? i : 0)),
            [i + 1, ...own],
          ),
          own,
        ),
      );
    });
    const results = range(product(mapped)).map((i) => {
      const [a, c] = parts.map((part) => part[i]) as [Node, Node];
      const own = shape.slice(lead);
      return b.reshape(b.convolve(a, c, own, convolution), [1, ...own]);
    });
    return b.reshape(b.concatenate(results, 0), shape);
  },
  pool: (b, [x], { params }) =>
    pool(b, x, params["window"] as number[], params["strides"] as number[]),
  pool_transpose: (b, [x], { params }) =>
    poolTranspose(
      b,
      x,
      params["inShape"] as number[],
      params["window"] as number[],
      params["strides"] as number[],
    ),

  // Views
  reshape: (b, [x], { params }) => b.reshape(x, params["shape"] as number[]),
  transpose: (b, [x], { params }) => b.transpose(x, params["perm"] as number[]),
  broadcast(b, [x], { params }) {
    const shape = params["shape"] as number[];
    const added = params["axis"] as number[];
    const sides = [...x.type.shape];
    const narrow = shape.map((_, axis) => (added.includes(axis) ? 1 : (sides.shift() ?? 1)));
    return b.expand(b.reshape(x, narrow), shape);
  },
  flip: (b, [x], { params }) => b.flip(x, params["axis"] as number[]),
  shrink(b, [x], { params }) {
    const slices = params["slice"] as [number, number][];
    return b.slice(
      x,
      slices.map(([start]) => start),
      slices.map(([, end]) => end),
    );
  },
  pad(b, [x], { params }) {
    const widths = params["width"] as [number, number][];
    return b.pad(
      x,
      widths.map(([low]) => low),
      widths.map(([, high]) => high),
    );
  },
  concatenate(b, inputs, { params, common }) {
    return b.concatenate(
      inputs.map((x) => b.cast(x, common)),
      params["axis"] as number,
    );
  },
  split(b, [x], { params }) {
    const axis = params["axis"] as number;
    let start = 0;
    return (params["sizes"] as number[]).map((size) => {
      const starts = x.type.shape.map((_, i) => (i === axis ? start : 0));
      const ends = x.type.shape.map((side, i) => (i === axis ? start + size : side));
      start += size;
      return b.slice(x, starts, ends);
    });
  },

  // Indexing and order
  gather(b, [x, ...indices], { params }) {
    return b.gather(
      x,
      sameIndexShape(b, indices),
      params["axis"] as number[],
      params["outDim"] as number,
    );
  },
  scatter(b, [updates, ...indices], { params }) {
    return b.scatter(
      updates,
      sameIndexShape(b, indices),
      params["axis"] as number[],
      params["outDim"] as number,
      params["op"] === "add" ? "add" : "none",
      params["shape"] as number[],
    );
  },
  sort: (b, [x]) => b.sort(x),
  argsort: (b, [x]) => [b.sort(x), b.argsort(x)],
};

function sameIndexShape(b: Builder, indices: readonly Node[]): Node[] {
  const wide = indices.map((index) => b.cast(index, "int64"));
  const rank = Math.max(...wide.map(({ type }) => type.shape.length));
  const shape = range(rank).map((axis) =>
    Math.max(...wide.map(({ type }) => type.shape[axis - rank + type.shape.length] ?? 1)),
  );
  return wide.map((index) => b.broadcast(index, product(shape) === 0 ? index.type.shape : shape));
}

type Variable = Jaxpr["inBinders"][number];
type Atom = Jaxpr["outs"][number];

const isLiteral = (atom: Atom): atom is Exclude<Atom, Variable> => "value" in atom;

/**
 * Write a flat jaxpr into the builder's graph: nodes of its results. What `doubles` names is
 * float64, whatever its variable's type says.
 */
export function translate(
  b: Builder,
  { jaxpr, doubles }: Pick<TracedFunction, "jaxpr" | "doubles">,
  inputs: readonly Node[],
): Node[] {
  const typeOf = (atom: Atom): ValueType => {
    const { dtype, shape } = atom.aval as ValueType;
    return { dtype: doubles.has(atom) ? "float64" : dtype, shape };
  };
  const values = new Map<Variable, Node>();
  jaxpr.inBinders.forEach((variable, i) => values.set(variable, inputs[i] as Node));
  const readAs = (atom: Atom, dtype: ElementType): Node =>
    isLiteral(atom) ? b.scalar(atom.value, dtype) : b.cast(values.get(atom) as Node, dtype);
  const read = (atom: Atom): Node => readAs(atom, typeOf(atom).dtype);
  /** Sums, and of how many elements. */
  const counts = new Map<Atom, number>();
  for (const { primitive, inputs: atoms, params, outBinders } of jaxpr.eqns) {
    const name: string = primitive;
    const outputs = outBinders.map(typeOf);
    const rule = primitives[name];
    const isDouble =
      outBinders.some((variable) => doubles.has(variable)) ||
      (name === "compare" &&
        atoms.some((atom) => doubles.has(atom)) &&
        atoms.every((atom) => doubles.has(atom) || isLiteral(atom)));
    const nodes = atoms.map((atom) => {
      const isNumber = isDouble && atom.aval.dtype === jaxDType.float32;
      return isNumber ? readAs(atom, "float64") : read(atom);
    });
    if (rule === undefined || [...atoms.map(typeOf), ...outputs].some(isHalf)) {
      throw unsupported(name, nodes.map(({ type }) => printType(type)).join(" × "));
    }
    const common = isDouble ? "float64" : commonType(atoms.map(({ aval }) => aval));
    const [first, second] = atoms;
    const count = first && counts.get(first);
    // Σx · 1/n, as jax-js spells means. A quotient rounds once where the product rounds twice: the
    // mean of ones is 1.
    const isMean =
      name === "mul" &&
      common === "float64" &&
      count !== undefined &&
      second !== undefined &&
      doubles.has(second) &&
      isLiteral(second) &&
      second.value === 1 / count;
    const results = isMean
      ? [b.div(nodes[0] as Node, b.scalar(count, common))]
      : [rule(b, nodes as unknown as Operands, { params, outputs, common })].flat();
    const [result] = outBinders;
    if (first !== undefined && result !== undefined) {
      if (name === "reduce" && params["op"] === "Add") {
        counts.set(result, product(first.aval.shape) / product(result.aval.shape));
      } else if (name === "reshape" && count !== undefined) counts.set(result, count);
    }
    outBinders.forEach((variable, i) => values.set(variable, results[i] as Node));
  }
  return jaxpr.outs.map((atom) => readAs(atom, atom.aval.dtype as ElementType));
}

const isHalf = ({ dtype }: ValueType): boolean => (dtype as string) === "float16";

const ladder: readonly string[] = ["bool", "uint32", "int32", "float16", "float32", "float64"];

/** jax-js's type promotion: a weak type (a JavaScript number) yields to the others. */
function commonType(types: readonly { dtype: string; weakType: boolean }[]): ElementType {
  const higher = (a: string, b: string) => (ladder.indexOf(a) > ladder.indexOf(b) ? a : b);
  return types.reduce((a, b) => {
    if (a.weakType === b.weakType) return { dtype: higher(a.dtype, b.dtype), weakType: a.weakType };
    return { dtype: higher(a.weakType ? b.dtype : a.dtype, "uint32"), weakType: false };
  }).dtype as ElementType;
}
