/**
 * Lowering: from the compiler's operations to ONNX operators that ONNX Runtime's CPU provider has for the
 * element type at hand, chosen for speed where there is a choice.
 */
import { isFloat } from "../graph/constants.ts";
import { lowerConvolve } from "./convolve.ts";
import {
  isScalarLike,
  sameShape,
  scalarValue,
  topological,
  type Attributes,
  type ElementType,
  type Node,
} from "../graph/graph.ts";
import {
  lowerAffine,
  lowerChannelAffine,
  lowerMatmul,
  lowerRelu,
  lowerSignMask,
  lowerSoftmax,
  scaledProduct,
} from "./fusions.ts";
import { Lowering, noKernel, type LowerNode, type LoweringTable } from "./lowering.ts";
import type { Operators } from "./operators.ts";
import { product, range } from "../graph/shapes.ts";
import * as special from "./special.ts";

/** Elementwise operators, by name and by the element types that have a kernel. */
const direct =
  (name: string, attributes: Attributes = {}): LowerNode =>
  (l, { inputs, type }) => {
    const given = inputs.map((x) => l.lower(x));
    // A column with a number is taken element by element, a row in one go. (Not what images have per channel.)
    if (given.length === 2 && type.shape.at(-1) === 1 && type.shape.at(-2) !== 1) {
      const [size, isNumber] = [product(type.shape), given.some(isScalarLike)];
      if (
        isNumber &&
        size >= shortColumn &&
        given.some((part) => product(part.type.shape) === size)
      ) {
        const rows = given.map((part) => (isScalarLike(part) ? part : l.reshape(part, [size])));
        return l.reshape(l.op(name, rows, attributes, type.dtype, [size]), type.shape);
      }
    }
    return l.op(name, given, attributes, type.dtype);
  };

/** Columns shorter than this are not worth the detour of two changes of shape. */
const shortColumn = 512;

const onFloat64 =
  (float64: (l: Lowering, x: Node) => Node, other: LowerNode): LowerNode =>
  (l, node) =>
    node.type.dtype === "float64" ? float64(l, l.lower(node.inputs[0])) : other(l, node);

/** Bitwise on integers, logical on booleans. */
const bits =
  (name: string): LowerNode =>
  (l, node) =>
    direct(node.type.dtype === "bool" ? name : `Bitwise${name}`)(l, node);

const shift =
  (direction: "LEFT" | "RIGHT"): LowerNode =>
  (l, { inputs, type }) => {
    const [x, by] = inputs.map((input) => l.cast(l.lower(input), "uint32")) as [Node, Node];
    return l.cast(l.op("BitShift", [x, by], { direction }), type.dtype);
  };

const compare =
  (name: string): LowerNode =>
  (l, { inputs }) => {
    const [x, y] = inputs.map((input) => {
      const value = l.lower(input);
      return value.type.dtype === "bool" ? l.cast(value, "int32") : value;
    }) as [Node, Node];
    return l.op(name, [x, y], {}, "bool");
  };

/** Computed in another type where the operator lacks this one. */
function via(l: Lowering, inputs: readonly Node[], dtype: ElementType): Node[] {
  return inputs.map((input) => l.cast(l.lower(input), dtype));
}

const reductions: Readonly<Record<string, string>> = {
  sum: "ReduceSum",
  product: "ReduceProd",
  max: "ReduceMax",
  min: "ReduceMin",
};

function lowerReduce(l: Lowering, node: Node, keep: boolean): Node {
  const [x] = node.inputs;
  const axes = node.attributes["axes"] as number[];
  const name = reductions[node.attributes["reduction"] as string] as string;
  if (x.op === "mul" && x.inputs[0] === x.inputs[1] && name === "ReduceSum" && l.isUsedOnce(x)) {
    return l.reduce("ReduceSumSquare", l.lower(x.inputs[0]), axes, keep);
  }
  if (x.type.dtype === "uint32") {
    return l.cast(l.reduce(name, l.cast(l.lower(x), "int64"), axes, keep), "uint32");
  }
  return l.reduce(name, l.lower(x), axes, keep);
}

/** How each of the compiler's operations is lowered. */
const loweringTable: LoweringTable = {
  argument(l, { op, attributes, type }) {
    if (attributes["part"] !== "knobs") return l.graph.node(op, [], attributes, type);
    // A knob comes as [1 or steps, …]: step i reads row min(i, rows − 1).
    const shape = [-1, ...type.shape];
    const rows = l.graph.node(op, [], attributes, { dtype: type.dtype, shape });
    const count = l.op("Shape", [rows], { start: 0, end: 1 }, "int64", [1]);
    const last = l.op("Sub", [l.reshape(count, []), l.scalar(1, "int64")]);
    const iteration = l.graph.node("iteration", [], {}, { dtype: "int64", shape: [] });
    const row = l.op("Min", [iteration, last]);
    return l.op("Gather", [rows, row], { axis: 0 }, type.dtype, type.shape);
  },
  constant: (l, { op, attributes, type }) => l.graph.node(op, [], attributes, type),

  // Elementwise
  neg: (l, node) =>
    node.type.dtype === "uint32"
      ? l.op("Sub", [l.scalar(0, "uint32"), l.lower(node.inputs[0])])
      : direct("Neg")(l, node),
  reciprocal: direct("Reciprocal"),
  floor: direct("Floor"),
  ceil: direct("Ceil"),
  sin: direct("Sin"),
  cos: direct("Cos"),
  asin: onFloat64(special.asin, direct("Asin")),
  atan: onFloat64(special.atan, direct("Atan")),
  exp: direct("Exp"),
  log: direct("Log"),
  erf: onFloat64(special.erf, direct("Erf")),
  erfc: (l, { inputs }) => special.erfc(l, l.lower(inputs[0])),
  sqrt: direct("Sqrt"),
  abs: direct("Abs"),
  tanh: direct("Tanh"),
  sigmoid: onFloat64(special.sigmoid, direct("Sigmoid")),
  not: direct("Not"),
  add: (l, node) => lowerAffine(l, node) ?? lowerChannelAffine(l, node) ?? direct("Add")(l, node),
  sub: direct("Sub"),
  mul(l, node) {
    const [x, factor] = node.inputs;
    const by = scalarValue(factor);
    if (by !== undefined && node.type.dtype === "float32") {
      const { product, alpha } = scaledProduct(l, x) ?? {};
      if (product !== undefined && alpha !== undefined) {
        return l.reshape(lowerMatmul(l, product, alpha * by), node.type.shape);
      }
      const affine = x.op === "add" && l.isUsedOnce(x) ? lowerAffine(l, x, by) : undefined;
      if (affine !== undefined) return affine;
    }
    return direct("Mul")(l, node);
  },
  div: direct("Div"),
  idiv(l, node) {
    const quotient = direct("Div")(l, node);
    if (!isFloat(node.type.dtype)) return quotient;
    const negative = l.op("Less", [quotient, l.scalar(0, node.type.dtype)], {}, "bool");
    const [up, down] = [l.op("Ceil", [quotient]), l.op("Floor", [quotient])];
    return l.op("Where", [negative, up, down], {}, node.type.dtype);
  },
  mod: direct("Mod", { fmod: 1 }),
  min: direct("Min"),
  max: (l, node) => lowerRelu(l, node) ?? direct("Max")(l, node),
  and: bits("And"),
  or: bits("Or"),
  xor: bits("Xor"),
  shiftLeft: shift("LEFT"),
  shiftRight: shift("RIGHT"),
  less: compare("Less"),
  lessEqual: compare("LessOrEqual"),
  equal: compare("Equal"),
  notEqual: (l, node) => l.op("Not", [compare("Equal")(l, node)]),
  where(l, node) {
    const masked = isScalarLike(node.inputs[0]) ? undefined : lowerSignMask(l, node);
    if (masked !== undefined) return masked;
    const { inputs, type } = node;
    const [condition, ...sides] = inputs as [Node, Node, Node];
    const test = l.lower(condition);
    const { dtype } = type;
    const native = dtype === "bool" || dtype === "uint32" ? "int64" : dtype;
    if (isScalarLike(condition)) {
      // A choice between whole values; plan.ts decides whether it becomes a branch.
      const wide = via(l, sides, native).map((side) => l.expand(side, type.shape));
      return l.cast(l.op("Select", [l.reshape(test, []), ...wide], {}, native, type.shape), dtype);
    }
    return l.cast(l.op("Where", [test, ...via(l, sides, native)], {}, native), dtype);
  },
  cast(l, { inputs, type }) {
    const x = l.lower(inputs[0]);
    const range = integerRange[type.dtype];
    if (!isFloat(x.type.dtype) || range === undefined) return l.cast(x, type.dtype);
    const wide = l.cast(x, "float64");
    const number = l.op(
      "Where",
      [l.op("IsNaN", [wide], {}, "bool"), l.scalar(0, "float64"), wide],
      {},
      "float64",
    );
    const [low, high] = range.map((end) => l.scalar(end, "float64")) as [Node, Node];
    return l.cast(l.op("Min", [l.op("Max", [number, low]), high]), type.dtype);
  },
  bitcast(l, node) {
    const x = l.lower(node.inputs[0]);
    const [from, to] = [x.type.dtype, node.type.dtype];
    if (!isFloat(from) && !isFloat(to)) return l.cast(x, to);
    if (!isFloat(from) && to === "float32") return special.floatFromBits(l, l.cast(x, "uint32"));
    throw noKernel(node);
  },

  // Reductions and contractions
  reduce: (l, node) => lowerReduce(l, node, false),
  matmul: (l, node) => lowerMatmul(l, node),
  softmax: lowerSoftmax,
  logSoftmax: (l, { inputs, attributes }) => l.op("LogSoftmax", [l.lower(inputs[0])], attributes),
  convolve: lowerConvolve,

  // Views
  reshape(l, { inputs, type }) {
    const [x] = inputs;
    const axes = x.attributes["axes"] as number[] | undefined;
    if (x.op === "reduce" && axes !== undefined && l.isUsedOnce(x)) {
      const kept = x.inputs[0].type.shape.map((s, axis) => (axes.includes(axis) ? 1 : s));
      if (sameShape(kept, type.shape)) return lowerReduce(l, x, true);
    }
    return l.reshape(l.lower(x), type.shape);
  },
  transpose: (l, { inputs, attributes }) =>
    l.transpose(l.lower(inputs[0]), attributes["perm"] as number[]),
  expand: (l, { inputs, type }) => l.expand(l.lower(inputs[0]), type.shape),
  slice: (l, { inputs, attributes }) =>
    l.slice(
      l.lower(inputs[0]),
      attributes["starts"] as number[],
      attributes["ends"] as number[],
      attributes["steps"] as number[],
    ),
  flip: (l, { inputs, attributes }) => l.flip(l.lower(inputs[0]), attributes["axes"] as number[]),
  pad(l, { inputs, attributes }) {
    const spread = l.padInterior(l.lower(inputs[0]), attributes["interior"] as number[]);
    return l.pad(spread, attributes["low"] as number[], attributes["high"] as number[]);
  },
  concatenate: (l, { inputs, attributes }) =>
    l.concatenate(
      inputs.map((x) => l.lower(x)),
      attributes["axis"] as number,
    ),

  // Indexing and order
  gather(l, { inputs, attributes, type }) {
    const [x, ...indices] = inputs.map((input) => l.lower(input)) as [Node, Node];
    const axes = attributes["axes"] as number[];
    const position = attributes["position"] as number;
    const rank = indices[0].type.shape.length;
    const [axis] = axes as [number];
    const free = range(x.type.shape.length).filter((a) => !axes.includes(a));
    // ONNX puts the indices' axes where the indexed axis was, or first when there are several.
    const place = axes.length === 1 ? axis : 0;
    const sides = free.map((a) => x.type.shape[a] as number);
    const indexSides = indices[0].type.shape;
    const shape = sides.toSpliced(place, 0, ...indexSides);
    const gathered =
      axes.length === 1
        ? l.op("Gather", [x, indices[0]], { axis }, x.type.dtype, shape)
        : l.op(
            "GatherND",
            [l.transpose(x, [...axes, ...free]), stackIndices(l, indices)],
            {},
            x.type.dtype,
            shape,
          );
    const current = range(free.length + rank);
    const moved = current.splice(place, rank);
    current.splice(position, 0, ...moved);
    const result = l.transpose(gathered, current);
    return l.reshape(result, type.shape);
  },
  scatter(l, { inputs, attributes, type }) {
    const [updates, ...indices] = inputs.map((input) => l.lower(input)) as [Node, Node];
    const axes = attributes["axes"] as number[];
    const position = attributes["position"] as number;
    const rank = indices[0].type.shape.length;
    const free = range(type.shape.length).filter((a) => !axes.includes(a));
    const order = [...axes, ...free];
    const indexAxes = range(position, position + rank);
    const rest = range(updates.type.shape.length).filter((a) => !indexAxes.includes(a));
    const ordered = l.transpose(updates, [...indexAxes, ...rest]);
    const shape = order.map((a) => type.shape[a] as number);
    const zeros = l.expand(
      l.reshape(
        l.scalar(0, type.dtype),
        shape.map(() => 1),
      ),
      shape,
    );
    const scattered = l.op(
      "ScatterND",
      [zeros, stackIndices(l, indices), ordered],
      { reduction: attributes["reduction"] as string },
      type.dtype,
      shape,
    );
    return l.transpose(
      scattered,
      range(order.length).map((a) => order.indexOf(a)),
    );
  },
  sort: (l, { inputs }) => topK(l, l.lower(inputs[0])),
  argsort(l, { inputs, type }) {
    const sorted = topK(l, l.lower(inputs[0]));
    return l.cast(l.project(sorted, 1, "int64", type.shape), "int32");
  },
};

/** Lower everything that `results` need: the operators that compute them, and their graph. */
export function lower(results: readonly Node[]): { operators: Operators; roots: Node[] } {
  const lowering = new Lowering(results, loweringTable);
  for (const node of topological(results)) lowering.lower(node);
  return { operators: lowering, roots: results.map((node) => lowering.lower(node)) };
}

const integerRange: Partial<Record<ElementType, readonly number[]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

/** Index arrays of one shape as one array with a last axis that runs over them. */
function stackIndices(l: Lowering, indices: readonly Node[]): Node {
  const columns = indices.map((index) => l.reshape(index, [...index.type.shape, 1]));
  return l.concatenate(columns, (indices[0] as Node).type.shape.length);
}

function topK(l: Lowering, x: Node): Node {
  const side = x.type.shape.at(-1) as number;
  return l.op(
    "TopK",
    [x, l.integers([side])],
    { largest: 0, sorted: 1 },
    x.type.dtype,
    x.type.shape,
  );
}
