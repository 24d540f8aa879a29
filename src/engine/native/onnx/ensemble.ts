/**
 * Ensembles: a pass over ONNX operators that makes a step of one run a step of several, side by side.
 *
 * What differs between members has their axis in front. Every member's numbers are bit for bit those
 * of the step alone, by construction: an operator acts on all members at once only where its kernel
 * treats each member's elements as it treats them alone; elsewhere it is applied member by member.
 * Which kernels those are was found by comparing bits (ensemble.test.ts).
 */
import { isFloat } from "../graph/constants.ts";
import { constantData, topological, type ElementType, type Node } from "../graph/graph.ts";
import { padRank, product, range } from "../graph/shapes.ts";
import { unsupported } from "../unsupported.ts";
import type { Operators } from "./operators.ts";

/** The step of `members` runs that `roots` are of one. Its arguments, but for the inputs, and all results have the members' axis in front; knobs after that of their rows. */
export function ensembleOf(l: Operators, roots: readonly Node[], members: number): Node[] {
  const ensemble = new Ensemble(l, members);
  for (const node of topological(roots)) ensemble.visit(node);
  return roots.map((root) => ensemble.each(root));
}

/** Writes an operator for all members at once; `undefined` where that would change bits. */
type Rule = (e: Ensemble, node: Node) => Node | undefined;

class Ensemble {
  readonly l: Operators;
  readonly members: number;
  /** What differs between members, [members, …], or the rows of a knob, [rows, members, …]. */
  readonly #differing = new Map<Node, Node>();
  /** What all members share. */
  readonly #shared = new Map<Node, Node>();

  constructor(l: Operators, members: number) {
    this.l = l;
    this.members = members;
  }

  visit(node: Node): void {
    const isSource = node.op === "argument" && node.attributes["part"] !== "inputs";
    if (node.inputs.some((x) => this.differs(x)) || isSource) {
      if (node.op === "Shape") this.#shared.set(node, this.#again(node, this.#differing));
      else this.#differing.set(node, (rules[node.op] ?? refuse)(this, node) ?? this.#apart(node));
    } else this.#shared.set(node, this.#again(node, this.#shared));
  }

  /** Whether members have values of their own. */
  differs(x: Node): boolean {
    return this.#differing.has(x);
  }

  /** The value, with the members' axis where it differs. */
  read(x: Node): Node {
    return (this.#differing.get(x) ?? this.#shared.get(x)) as Node;
  }

  /** The value as [members, …], repeated where all share it. */
  each(x: Node): Node {
    const value = this.read(x);
    if (this.differs(x)) return value;
    const { shape } = x.type;
    return this.l.expand(this.l.reshape(value, [1, ...shape]), this.front(shape));
  }

  /** The value as [members, …] with `rank` further axes, or as it is where all share it. */
  ranked(x: Node, rank: number): Node {
    const value = this.read(x);
    return this.differs(x) ? this.l.reshape(value, this.front(padRank(x.type.shape, rank))) : value;
  }

  front(shape: readonly number[]): number[] {
    return [this.members, ...shape];
  }

  /** The node's operator on other inputs, with another type or attributes. */
  op(node: Node, inputs: readonly Node[], attributes = node.attributes, shape = node.type.shape) {
    return this.l.op(node.op, inputs, attributes, node.type.dtype, this.front(shape));
  }

  /** The operator as it is, once for every member. */
  #apart(node: Node): Node {
    const { op, attributes, type, inputs } = node;
    const isUnary = functions.has(op);
    const parts = inputs.map((x) => {
      if (!this.differs(x)) return Array<Node>(this.members).fill(this.read(x));
      return isUnary ? this.#rows(x) : range(this.members).map((i) => this.#member(x, i));
    });
    const shape = isUnary || type.shape.length === 0 ? [1, ...type.shape] : type.shape;
    const results = range(this.members).map((i) => {
      const own = parts.map((list) => list[i] as Node);
      if (isUnary) return this.l.graph.node(op, own, attributes, { ...type, shape });
      return this.l.reshape(this.l.graph.node(op, own, attributes, type), shape);
    });
    return this.l.reshape(this.l.concatenate(results, 0), this.front(type.shape));
  }

  /** Each member's value, [1, …]. */
  #rows(x: Node): Node[] {
    const { dtype, shape } = x.type;
    const attributes = { axis: 0, num_outputs: this.members };
    const first = this.l.op("Split", [this.read(x)], attributes, dtype, [1, ...shape]);
    return range(this.members).map((i) =>
      i === 0 ? first : this.l.project(first, i, dtype, [1, ...shape]),
    );
  }

  #member(x: Node, i: number): Node {
    const { dtype, shape } = x.type;
    return this.l.op(
      "Gather",
      [this.read(x), this.l.scalar(i, "int64")],
      { axis: 0 },
      dtype,
      shape,
    );
  }

  #again({ op, inputs, attributes, type }: Node, values: ReadonlyMap<Node, Node>): Node {
    const copies = inputs.map((x) => values.get(x) as Node);
    return this.l.graph.node(op, copies, attributes, type);
  }
}

const refuse: Rule = (_, { op, inputs, type }) => {
  const types = inputs.map((x) => `${x.type.dtype}[${x.type.shape.join()}]`).join(" × ");
  throw unsupported(op, `${types} → ${type.dtype} in an ensemble (run alone)`);
};

/** Computed from each element by itself, whatever its place. */
const elementwise: Rule = (e, node) => {
  const rank = node.type.shape.length;
  return e.op(
    node,
    node.inputs.map((x) => e.ranked(x, rank)),
  );
};

/**
 * Bytes that kernels take at once. What is left of an array after whole vectors goes through another
 * code, which may round otherwise; the rest is the same for a member as alone if its elements fill
 * whole vectors.
 */
const vectorBytes = 16;

const bytesOf = { float32: 4, float64: 8 } as const;

function fillsVectors({ type: { dtype, shape } }: Node): boolean {
  return !isFloat(dtype) || (product(shape) * bytesOf[dtype]) % vectorBytes === 0;
}

/** Functions of single numbers. */
const functions = new Set(["Exp", "Log", "Sin", "Cos", "Tanh", "Asin", "Atan", "Sigmoid", "Erf"]);

/** Those that have one code for all numbers of type float32; other codes differ from number to vector. */
const uniformIn32 = new Set(["Exp", "Tanh", "Sigmoid", "Erf"]);

const vectorized: Rule = (e, node) => {
  const isUniform = node.type.dtype === "float32" && uniformIn32.has(node.op);
  return isUniform || fillsVectors(node) ? elementwise(e, node) : undefined;
};

/** A choice of each member's own. */
const choice: Rule = (e, node) => {
  const [condition] = node.inputs;
  const { dtype, shape } = node.type;
  const rank = shape.length;
  if (!e.differs(condition)) {
    const sides = node.inputs.slice(1).map((x) => e.each(x));
    return e.op(node, [e.read(condition), ...sides]);
  }
  const inputs = node.inputs.map((x) => e.ranked(x, rank));
  return e.l.op("Where", inputs, {}, dtype, e.front(shape));
};

const list = (x: Node): number[] => Array.from(constantData(x) ?? [], Number);

/** Sums over the last axis are taken row by row, over the first one column by column. */
const sum: Rule = (e, node) => {
  const [x, axes] = node.inputs;
  const [axis = 0, ...others] = list(axes);
  const { dtype, shape } = x.type;
  if (others.length > 0 || node.attributes["keepdims"] !== 0) return undefined;
  if (!isFloat(dtype)) return reduction(e, node);
  if (shape.length === 1) return sumOfList(e, e.read(x));
  if (axis > 0) return fillsVectors(x) || shape[axis] === 2 ? reduction(e, node) : undefined;
  // [members, n, …] → [n, members · …]: one row added after the other.
  const sides = shape.slice(1);
  const order = [1, 0, ...range(2, shape.length + 1)];
  const columns = e.members * product(sides);
  const rows = e.l.reshape(e.l.transpose(e.read(x), order), [shape[0] as number, columns]);
  const sums = e.l.op(node.op, [rows, e.l.integers([0])], node.attributes, dtype, [columns]);
  return e.l.reshape(sums, e.front(sides));
};

/** Sums of [members, n]: whole vectors first, then the numbers that are left, one by one. */
function sumOfList(e: Ensemble, x: Node): Node {
  const { dtype } = x.type;
  const side = x.type.shape[1] as number;
  const whole = side - (side % (vectorBytes / bytesOf[dtype as keyof typeof bytesOf]));
  const part = (from: number, to: number) => e.l.slice(x, [0, from], [e.members, to]);
  const single = (i: number) => e.l.reshape(part(i, i + 1), [e.members]);
  const left = range(whole, side).map(single);
  const add = (a: Node, b: Node) => e.l.op("Add", [a, b]);
  if (whole === 0) return left.reduce(add);
  const axes = e.l.integers([1]);
  const vectors = [part(0, whole), axes];
  return left.reduce(add, e.l.op("ReduceSum", vectors, { keepdims: 0 }, dtype, [e.members]));
}

/** Reductions whose result does not depend on the order. */
const reduction: Rule = (e, node) => {
  const [x, axes] = node.inputs;
  return e.op(node, [e.read(x), e.l.integers(list(axes).map((axis) => axis + 1))]);
};

/** Of a list they are sums of squares; of several lists they have a kernel of their own. */
const sumOfSquares: Rule = (e, node) => {
  const [x] = node.inputs;
  if (x.type.shape.length > 1) return reduction(e, node);
  return sumOfList(e, e.l.op("Mul", [e.read(x), e.read(x)]));
};

const matrixProduct: Rule = (e, node) => {
  const [a, b] = node.inputs;
  const [left, right] = [a.type.shape, b.type.shape];
  if (left.length < 2 || right.length < 2) return undefined;
  const rows = left.at(node.attributes["transA"] === 1 ? -1 : -2) as number;
  const columns = right.at(node.attributes["transB"] === 1 ? -2 : -1) as number;
  // Matrices by themselves; a single row or column has a kernel of its own.
  const isThin = rows === 1 || columns === 1;
  const rank = Math.max(left.length, right.length);
  const batches = [left, right].map((shape) => String(padRank(shape, rank).slice(0, -2)));
  if (rank > 2 && isThin && batches[0] !== batches[1]) return undefined;
  if (isThin || rank > 2) {
    const wide = (x: Node) => e.l.reshape(e.each(x), e.front(padRank(x.type.shape, rank)));
    return e.op(node, [wide(a), wide(b)]);
  }
  return e.op(node, [e.read(a), e.read(b)]);
};

/**
 * Most terms that a product of matrices sums at once. What is added to a product is added before
 * further terms, so that only shorter products may be taken first and added to after.
 */
function mostTerms(dtype: ElementType, columns: number, isTurned: boolean): number {
  const width = dtype === "float64" ? 64 : 128;
  // Narrow products take more terms, unless the first matrix is read turned.
  return (
    128 * (isTurned ? 1 : Math.max(1, width / 2 ** Math.ceil(Math.log2(Math.max(columns, 16)))))
  );
}

const affine: Rule = (e, node) => {
  const [a, b, c] = node.inputs;
  const { transA, transB, alpha, beta } = node.attributes;
  const { dtype, shape } = node.type;
  const [rows = 1, columns = 1] = shape;
  const terms = a.type.shape[transA === 1 ? 0 : 1] as number;
  const isWhole = terms <= mostTerms(dtype, columns, transA === 1);
  if (alpha !== 1 || beta !== 1 || rows === 1 || columns === 1 || !isWhole) return undefined;
  const turned = { transA: transA ?? 0, transB: transB ?? 0, alpha: 1 };
  const [name, attributes] =
    transA === 1 || transB === 1 ? ["FusedMatMul", turned] : ["MatMul", {}];
  const factors = [e.read(a), e.read(b)];
  const matrices =
    e.differs(a) || e.differs(b)
      ? e.l.op(name, factors, attributes, dtype, e.front(shape))
      : e.l.op(name, factors, attributes, dtype, shape);
  return e.l.op("Add", [matrices, e.ranked(c, 2)]);
};

/** x·scale + shift by channel: see `lowerChannelAffine`. */
const channelAffine: Rule = (e, node) => {
  const [x, scale, shift] = node.inputs;
  const sides = node.type.shape.map((side, axis) => (axis === 1 ? side : 1));
  const byChannel = (list: Node) =>
    e.l.reshape(e.read(list), e.differs(list) ? e.front(sides) : sides);
  const scaled = e.l.op("Mul", [e.read(x), byChannel(scale)]);
  return e.l.op("Add", [scaled, byChannel(shift)]);
};

const gather: Rule = (e, node) => {
  const [x, indices] = node.inputs;
  const axis = Number(node.attributes["axis"]);
  const { shape } = x.type;
  // A step's row of a knob, of which all members have one.
  if (x.op === "argument" && x.attributes["part"] === "knobs") {
    return e.op(node, [e.read(x), e.read(indices)]);
  }
  if (!e.differs(indices)) {
    return e.op(node, [e.read(x), e.read(indices)], { axis: axis + 1 });
  }
  const places = indices.type.shape.length;
  if (!e.differs(x)) {
    const sides = shape.toSpliced(axis, 1, e.members, ...indices.type.shape);
    const found = e.l.op(node.op, [e.read(x), e.read(indices)], { axis }, node.type.dtype, sides);
    const rest = range(shape.length + places).filter((i) => i !== axis);
    return e.l.transpose(found, [axis, ...rest]);
  }
  if (axis !== 0) return undefined;
  // Member m's rows begin at m·side in all rows together.
  const side = shape[0] as number;
  const all = e.l.reshape(e.read(x), [e.members * side, ...shape.slice(1)]);
  const first = e.l.constant(
    range(e.members).map((m) => m * side),
    indices.type.dtype,
    e.front(Array<number>(places).fill(1)),
  );
  return e.op(node, [all, e.l.op("Add", [e.read(indices), first])]);
};

const gatherPoints: Rule = (e, node) => {
  const [x, indices] = node.inputs;
  if (!e.differs(x)) return e.op(node, [e.read(x), e.read(indices)]);
  return e.op(node, [e.read(x), e.each(indices)], { ...node.attributes, batch_dims: 1 });
};

const scatterPoints: Rule = (e, node) => {
  const [data, indices, updates] = node.inputs;
  const { dtype, shape } = indices.type;
  const sides = e.front(shape.slice(0, -1));
  const numbers = e.l.constant(range(e.members), dtype, e.front(shape.map(() => 1)));
  const member = e.l.expand(numbers, [...sides, 1]);
  const places = e.l.concatenate([member, e.each(indices)], shape.length);
  return e.op(node, [e.each(data), places, e.each(updates)]);
};

/** How each operator is applied to all members at once. */
const rules: Readonly<Record<string, Rule>> = {
  argument(e, { op, attributes, type }) {
    const shape =
      attributes["part"] === "knobs" ? type.shape.toSpliced(1, 0, e.members) : e.front(type.shape);
    return e.l.graph.node(op, [], attributes, { dtype: type.dtype, shape });
  },
  project: (e, { inputs: [x], attributes, type }) =>
    e.l.project(e.read(x), Number(attributes["index"]), type.dtype, e.front(type.shape)),

  // Elementwise
  ...Object.fromEntries(
    [
      "Add Sub Mul Div Mod Neg Abs Min Max Floor Ceil Sqrt Reciprocal Relu HardSigmoid",
      "Less LessOrEqual Equal IsNaN Where Cast Not And Or Xor",
      "BitwiseNot BitwiseAnd BitwiseOr BitwiseXor BitShift",
    ].flatMap((names) => names.split(" ").map((name) => [name, elementwise])),
  ),
  ...Object.fromEntries([...functions].map((name) => [name, vectorized])),
  Select: choice,

  // Reductions and contractions
  ReduceSum: sum,
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceProd: (e, node) => (node.inputs[0].type.shape.length > 1 ? reduction(e, node) : undefined),
  ReduceSumSquare: sumOfSquares,
  Softmax: softmax,
  LogSoftmax: softmax,
  MatMul: matrixProduct,
  FusedMatMul: matrixProduct,
  Gemm: affine,
  BatchNormalization: channelAffine,

  // Views
  Reshape: (e, { inputs: [x], type }) => e.l.reshape(e.read(x), e.front(type.shape)),
  Transpose: (e, { inputs: [x], attributes }) =>
    e.l.transpose(e.read(x), [0, ...(attributes["perm"] as number[]).map((axis) => axis + 1)]),
  Expand: (e, { inputs: [x], type }) =>
    e.l.expand(e.ranked(x, type.shape.length), e.front(type.shape)),
  Slice(e, node) {
    const [x, starts, ends, axes, ...steps] = node.inputs as readonly [Node, Node, Node, Node];
    return e.op(node, [
      e.read(x),
      e.read(starts),
      e.read(ends),
      e.l.integers(list(axes).map((axis) => axis + 1)),
      ...steps.map((x) => e.read(x)),
    ]);
  },
  Pad(e, node) {
    const [x, widths] = node.inputs;
    const all = list(widths);
    const half = all.length / 2;
    return e.op(node, [e.read(x), e.l.integers([0, ...all.slice(0, half), 0, ...all.slice(half)])]);
  },
  Concat: (e, { inputs, attributes }) =>
    e.l.concatenate(
      inputs.map((x) => e.each(x)),
      Number(attributes["axis"]) + 1,
    ),

  // Indexing and order
  Gather: gather,
  GatherND: gatherPoints,
  ScatterND: scatterPoints,
  TopK: (e, node) => e.op(node, [e.read(node.inputs[0]), e.read(node.inputs[1])]),
};

/** In float64 of exponentials by vectors; in float32 by a kernel that takes row after row. */
function softmax(e: Ensemble, node: Node): Node | undefined {
  const axis = Number(node.attributes["axis"]);
  if (node.type.dtype === "float64" && !fillsVectors(node)) return undefined;
  return e.op(node, [e.read(node.inputs[0])], { axis: axis < 0 ? axis : axis + 1 });
}
