/**
 * Pieces: a pass over ONNX operators that computes large values a few rows at a time, so that what one operator
 * writes is still in the processor's cache when the next one reads it.
 *
 * ONNX Runtime makes one pass over memory per operator. The values between the two products of a
 * transformer's layer, or between attention's, are large and go through a dozen of them. Their rows
 * do not depend on each other: each piece of the rows goes through all operators by itself, sums over
 * rows are sums over pieces, and only what is small is put together again.
 */
import { constantData, topological, type Node } from "../graph/graph.ts";
import { product, range } from "../graph/shapes.ts";
import type { Operators } from "./operators.ts";

/** Elements from which on a value is large: 4 MiB, twice what a core's own cache holds on current servers. */
const large = 1 << 20;

/** Elements of a piece: half a megabyte, so that a cache holds a few. */
const pieceSize = 1 << 17;

/** What `roots` compute, large values in pieces where that saves passes over memory. */
export function inPieces(l: Operators, roots: readonly Node[]): readonly Node[] {
  const order = topological(roots);
  if (!order.some(isLarge)) return roots;
  const pieces = new Pieces(l);
  for (const node of order) pieces.visit(node);
  const results = roots.map((root) => pieces.whole(root));
  return pieces.made > leastGain * pieces.moved ? results : roots;
}

/** Elements made in pieces for each that is cut out of a value or put together again. */
const leastGain = 3;

const size = ({ type }: Node): number => product(type.shape);
const isLarge = (x: Node): boolean => x.type.dtype === "float32" && size(x) >= large;

/** Operators on the elements of values that broadcast, and on rows of a last axis. */
const elementwise = new Set([
  "Abs", "Add", "Div", "Erf", "Exp", "HardSigmoid", "Log", "LogSoftmax", "Max", "Min", "Mul", "Neg",
  "Reciprocal", "Relu", "Sigmoid", "Softmax", "Sqrt", "Sub", "Tanh",
]); // prettier-ignore

const products = new Set(["Gemm", "FusedMatMul", "MatMul"]);

/** A value's pieces along its first axis. */
type Parts = readonly Node[];

class Pieces {
  readonly #l: Operators;
  readonly #whole = new Map<Node, Node>();
  readonly #parts = new Map<Node, Parts>();
  /** Nodes whose value may differ from step to step. */
  readonly #changing = new Set<Node>();
  /** Elements of results that are made in pieces. */
  made = 0;
  /** Elements that are copied because a value is cut or put together. */
  moved = 0;

  constructor(l: Operators) {
    this.#l = l;
  }

  visit(node: Node): void {
    const { op, attributes, inputs } = node;
    const isSource = op === "iteration" || (op === "argument" && attributes["part"] !== "inputs");
    if (isSource || inputs.some((x) => this.#changing.has(x))) this.#changing.add(node);
    const count = this.#changing.has(node) ? this.#countOf(node) : undefined;
    if (count === undefined) return;
    const parts = this.#inParts(node, count);
    if (parts !== undefined) {
      this.made += size(node);
      this.#parts.set(node, parts);
      return;
    }
    const sum = this.#summed(node, count);
    if (sum !== undefined) this.#whole.set(node, sum);
  }

  /** The value in one. */
  whole(x: Node): Node {
    const known = this.#whole.get(x);
    if (known !== undefined) return known;
    const parts = this.#parts.get(x);
    if (parts !== undefined) this.moved += size(x);
    const made =
      parts === undefined
        ? this.#l.graph.node(
            x.op,
            x.inputs.map((input) => this.whole(input)),
            x.attributes,
            x.type,
          )
        : this.#l.concatenate(parts, 0);
    this.#whole.set(x, made);
    return made;
  }

  /** In how many pieces to compute `node`, if it has to do with large values. */
  #countOf(node: Node): number | undefined {
    if (node.type.dtype !== "float32") return undefined;
    for (const input of node.inputs) {
      const parts = this.#parts.get(input);
      if (parts !== undefined && (isLarge(input) || isLarge(node))) return parts.length;
    }
    return isLarge(node) ? piecesOf(node) : undefined;
  }

  /** The value in `count` pieces; `undefined` where it does not come apart, or is too large to be cut. */
  #cut(x: Node, count: number): Parts | undefined {
    const known = this.#parts.get(x);
    if (known !== undefined) return known.length === count ? known : undefined;
    const [first = 1, ...rest] = x.type.shape;
    if (first % count !== 0 || isLarge(x)) return undefined;
    this.moved += size(x);
    const shape = [first / count, ...rest];
    const whole = this.whole(x);
    const { dtype } = x.type;
    const split = this.#l.op("Split", [whole], { axis: 0, num_outputs: count }, dtype, shape);
    const rests = range(1, count).map((i) => this.#l.project(split, i, dtype, shape));
    const parts = [split, ...rests];
    this.#parts.set(x, parts);
    this.#whole.set(x, whole);
    return parts;
  }

  /** The same operator on each piece; an input is cut, or read whole where `isCut` says so. */
  #each(node: Node, count: number, isCut: (input: Node, i: number) => boolean): Parts | undefined {
    const inputs: (Parts | Node)[] = [];
    for (const [i, input] of node.inputs.entries()) {
      const given = isCut(input, i) ? this.#cut(input, count) : this.whole(input);
      if (given === undefined) return undefined;
      inputs.push(given);
    }
    const [first = 1, ...rest] = node.type.shape;
    if (first % count !== 0) return undefined;
    return range(count).map((piece) =>
      this.#l.graph.node(
        node.op,
        inputs.map((input) => ("op" in input ? input : (input[piece] as Node))),
        node.attributes,
        { dtype: node.type.dtype, shape: [first / count, ...rest] },
      ),
    );
  }

  /** The pieces of `node`, where its operator acts on rows one by one. */
  #inParts(node: Node, count: number): Parts | undefined {
    const { op, attributes, inputs, type } = node;
    const [x] = inputs;
    const { shape } = type;
    if (elementwise.has(op)) {
      // Over the first axis rows depend on each other.
      if (op.endsWith("oftmax") && (attributes["axis"] === 0 || shape.length < 2)) return undefined;
      return this.#each(
        node,
        count,
        ({ type: { shape: sides } }) => sides.length === shape.length && sides[0] !== 1,
      );
    }
    if (products.has(op)) {
      const biased = this.#biased(node, count);
      if (biased !== undefined) return biased;
      const rank = shape.length;
      if (rank === 2 && attributes["transA"] === 1) return undefined;
      if (x.type.shape.length !== rank) return undefined;
      return this.#each(node, count, (input, i) => {
        const sides = input.type.shape;
        if (i === 0) return true;
        // A bias has rows, or is the same for all; a factor only where it has the axis of batches.
        return i === 1
          ? rank > 2 && sides.length === rank
          : sides.length === rank && sides[0] !== 1;
      });
    }
    if (!this.#parts.has(x)) return undefined;
    if (op === "Reshape") {
      const [first = 1, ...rest] = shape;
      if (first % count !== 0) return undefined;
      return this.#cut(x, count)?.map((part) => this.#l.reshape(part, [first / count, ...rest]));
    }
    const isReduction = op.startsWith("Reduce") && !(axesOf(node) ?? [0]).includes(0);
    const isTurned = op === "Transpose" && (attributes["perm"] as number[])[0] === 0;
    return isReduction || isTurned ? this.#each(node, count, (_, i) => i === 0) : undefined;
  }

  /**
   * A large product plus a list: ONNX Runtime's `Gemm` first copies the list to every row, which takes
   * longer than adding it to what is in the cache.
   */
  #biased(node: Node, count: number): Parts | undefined {
    const [a, b, list] = node.inputs as readonly Node[] as [Node, Node, Node?];
    const { transA, transB, alpha = 1, beta = 1 } = node.attributes;
    const isMeant = node.op === "Gemm" && transA !== 1 && list?.type.shape.length === 1;
    if (!isMeant || list === undefined || !isLarge(node)) return undefined;
    const l = this.#l;
    const bare = l.matmul(a, b, { transB: transB === 1, alpha: Number(alpha) });
    const bias = this.whole(list);
    const scaled = beta === 1 ? bias : l.op("Mul", [bias, l.scalar(Number(beta), "float32")]);
    return this.#each(bare, count, (_, i) => i === 0)?.map((part) => l.op("Add", [part, scaled]));
  }

  /** A sum over all rows as the sum of those over pieces. */
  #summed(node: Node, count: number): Node | undefined {
    const { op, attributes, inputs, type } = node;
    const [x, y, bias] = inputs as readonly Node[] as [Node, Node, Node?];
    const { dtype, shape } = type;
    const l = this.#l;
    if (op === "ReduceSum" || op === "ReduceSumSquare") {
      if (!this.#parts.has(x) || axesOf(node)?.join() !== "0") return undefined;
      return this.#cut(x, count)
        ?.map((part) => l.graph.node(op, [part, this.whole(y)], attributes, type))
        .reduce((sum, part) => l.op("Add", [sum, part]));
    }
    // xᵀ·y over many rows.
    const isProduct = products.has(op) && shape.length === 2 && y.type.shape.length === 2;
    if (!isProduct || attributes["transA"] !== 1 || attributes["transB"] === 1) return undefined;
    const [left, right] = [this.#cut(x, count), this.#cut(y, count)];
    if (left === undefined || right === undefined) return undefined;
    const { alpha = 1, beta = 1 } = attributes;
    return left.reduce((sum: Node | undefined, part, i) => {
      const factors = [part, right[i] as Node];
      if (sum === undefined && bias === undefined) {
        return l.matmul(part, right[i] as Node, { transA: true, alpha: Number(alpha) });
      }
      const summand = sum ?? this.whole(bias as Node);
      const given = { transA: 1, transB: 0, alpha, beta: sum === undefined ? beta : 1 };
      return l.op("Gemm", [...factors, summand], given, dtype, shape);
    }, undefined);
  }
}

/** The most pieces, a power of 2, that are not too small and have whole rows; `undefined` for less than 4. */
function piecesOf(x: Node): number | undefined {
  const [first = 1] = x.type.shape;
  const fitting = [32, 16, 8, 4];
  return fitting.find((count) => first % count === 0 && size(x) / count >= pieceSize);
}

/** Axes of a reduction, from 0 on. */
function axesOf({ inputs: [x, axes] }: Node): number[] | undefined {
  const data = constantData(axes);
  const rank = x.type.shape.length;
  return data && Array.from<number | bigint, number>(data, (axis) => (Number(axis) + rank) % rank);
}
