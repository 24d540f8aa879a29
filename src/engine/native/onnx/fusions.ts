/** Fusions: several operations that ONNX Runtime has one fast kernel for. */
import { isDistributed, lowerDistributed, lowerDistributedAffine } from "./distribute.ts";
import { isFloat } from "../graph/constants.ts";
import { isScalar, sameShape, scalarValue, type Node } from "../graph/graph.ts";
import type { Lowering } from "./lowering.ts";
import { padRank, product, range } from "../graph/shapes.ts";

/** A matrix operand and whether it is to be read transposed. */
function operand(l: Lowering, x: Node): [matrix: Node, transposed: boolean] {
  // Transposing once outside the loop beats a product that reads a matrix the long way.
  if (l.isInvariant(x)) return [l.lower(x), false];
  const perm = x.attributes["perm"] as number[] | undefined;
  const rank = x.type.shape.length;
  const swaps =
    x.op === "transpose" && perm?.[rank - 1] === rank - 2 && perm[rank - 2] === rank - 1;
  const given = swaps ? x.inputs[0] : x;
  const rows = inRows(l, given);
  return rows === undefined ? [l.lower(given), swaps] : [rows, !swaps];
}

/**
 * The transpose of a matrix, or of a batch of them, where that moves whole rows while making
 * `x` itself would move single numbers: as when heads are split off for attention.
 */
function inRows(l: Lowering, x: Node): Node | undefined {
  const moved = x.op === "reshape" ? x.inputs[0] : x;
  const perm = moved.attributes["perm"] as number[] | undefined;
  if (moved.op !== "transpose" || perm === undefined) return undefined;
  const sides = moved.type.shape;
  const [rows = 0, columns = 0] = x.type.shape.slice(-2);
  // Where the axes of the columns begin, and those of the rows.
  const from = (end: number, size: number) =>
    range(end).findLast((axis) => product(sides.slice(axis, end)) === size);
  const column = from(sides.length, columns);
  const row = column === undefined ? undefined : from(column, rows);
  if (column === undefined || row === undefined || rows === 1 || columns === 1) return undefined;
  const order = [...perm.slice(0, row), ...perm.slice(column), ...perm.slice(row, column)];
  const isReal = (axis: number) => moved.inputs[0].type.shape[axis] !== 1;
  const innermost = range(perm.length).findLast(isReal);
  if (order.findLast(isReal) !== innermost || perm.findLast(isReal) === innermost) return undefined;
  const shape = [...x.type.shape.slice(0, -2), columns, rows];
  return l.reshape(l.transpose(l.lower(moved.inputs[0]), order), shape);
}

/** Products this narrow run faster on their side. */
const narrow = 16;

export function lowerMatmul(l: Lowering, node: Node, alpha = 1): Node {
  const sum = lowerDistributed(l, node, alpha);
  if (sum !== undefined) return sum;
  const { inputs } = node;
  const [a, transA] = operand(l, inputs[0]);
  const [b, transB] = operand(l, inputs[1]);
  const rows = inputs[0].type.shape.at(-2) as number;
  const columns = inputs[1].type.shape.at(-1) as number;
  // aᵀ·b = (bᵀ·a)ᵀ where that reads better: bᵀ made once, or a narrow result.
  if (transA && l.isInvariant(inputs[1])) {
    return swapLast(l, l.matmul(swapLast(l, b), a, { alpha }));
  }
  if (transA && columns <= narrow && columns < rows) {
    return swapLast(l, l.matmul(b, a, { transA: !transB, alpha }));
  }
  return l.matmul(a, b, { transA, transB, alpha });
}

function swapLast(l: Lowering, x: Node): Node {
  const rank = x.type.shape.length;
  return l.transpose(x, [...range(rank - 2), rank - 1, rank - 2]);
}

/** A product of matrices that is read once, times a constant. */
export interface Scaled {
  readonly product: Node;
  readonly alpha: number;
}

/** `x` as such a product, seen through views that keep the order of its elements. */
export function scaledProduct(l: Lowering, x: Node): Scaled | undefined {
  if (!l.isUsedOnce(x)) return undefined;
  if (x.op === "matmul") return { product: x, alpha: 1 };
  if (x.op === "reshape") return scaledProduct(l, x.inputs[0]);
  const by = x.op === "mul" ? scalarValue(x.inputs[1]) : undefined;
  // A float attribute: exact for float32 only.
  if (by === undefined || x.type.dtype !== "float32") return undefined;
  const inner = scaledProduct(l, x.inputs[0]);
  return inner === undefined ? undefined : { product: inner.product, alpha: by * inner.alpha };
}

/** `(matmul·alpha + bias)·beta` as one operator, when `sum` is the sum; rows may be those of several axes. */
export function lowerAffine(l: Lowering, sum: Node, beta = 1): Node | undefined {
  for (const [rows, bias] of [sum.inputs, sum.inputs.toReversed()] as [Node, Node][]) {
    const { product, alpha } = scaledProduct(l, rows) ?? {};
    if (product === undefined || alpha === undefined || product.type.shape.length !== 2) continue;
    if (isDistributed(l, product)) {
      const isPlain = alpha === 1 && beta === 1 && rows === product;
      const affine = isPlain ? lowerDistributedAffine(l, product, bias) : undefined;
      if (affine !== undefined) return affine;
      continue;
    }
    if (!sameShape(rows.type.shape, sum.type.shape)) continue;
    if (sameShape(bias.type.shape, sum.type.shape)) continue;
    const columns = product.type.shape[1];
    const isList = sameShape(bias.type.shape, [columns ?? 0]);
    if (rows.type.shape.length !== 2 && !(isList && sum.type.shape.at(-1) === columns)) continue;
    const [a, transA] = operand(l, product.inputs[0]);
    const [b, transB] = operand(l, product.inputs[1]);
    const attributes = {
      transA: transA ? 1 : 0,
      transB: transB ? 1 : 0,
      alpha: alpha * beta,
      beta,
    };
    const inputs = [a, b, l.lower(bias)];
    const affine = l.op("Gemm", inputs, attributes, sum.type.dtype, product.type.shape);
    return l.reshape(affine, sum.type.shape);
  }
  return undefined;
}

/**
 * `x·scale + shift` with one scale and one shift per channel, when `sum` is that: batch
 * normalization with mean 0 and variance 1, which reads and writes `x` once.
 */
export function lowerChannelAffine(l: Lowering, sum: Node): Node | undefined {
  if (!isFloat(sum.type.dtype)) return undefined;
  for (const [scaled, shift] of [sum.inputs, sum.inputs.toReversed()] as [Node, Node][]) {
    if (scaled.op !== "mul" || !l.isUsedOnce(scaled)) continue;
    for (const [x, scale] of [scaled.inputs, scaled.inputs.toReversed()] as [Node, Node][]) {
      const { shape } = sum.type;
      if (!sameShape(x.type.shape, shape)) continue;
      const channel = channelAxis(scale, shape);
      if (channel === undefined || channel !== channelAxis(shift, shape)) continue;
      const channels = shape[channel] as number;
      const inner = product(shape.slice(channel + 1));
      if (inner < 16) continue;
      const flat = l.reshape(l.lower(x), [product(shape.slice(0, channel)), channels, inner]);
      const list = (node: Node) => l.reshape(l.lower(node), [channels]);
      const all = (value: number) =>
        l.constant(Array(channels).fill(value), sum.type.dtype, [channels]);
      const inputs = [flat, list(scale), list(shift), all(0), all(1)];
      return l.reshape(
        l.op("BatchNormalization", inputs, { epsilon: 0 }, sum.type.dtype, flat.type.shape),
        shape,
      );
    }
  }
  return undefined;
}

/** The only axis along which `x`, broadcast to `shape`, varies; it varies along all of it. */
function channelAxis(x: Node, shape: readonly number[]): number | undefined {
  const sides = padRank(x.type.shape, shape.length);
  const [axis, ...others] = range(shape.length).filter((i) => sides[i] !== 1);
  return others.length === 0 && axis !== undefined && sides[axis] === shape[axis]
    ? axis
    : undefined;
}

/** `max(x, 0)`. */
export function lowerRelu(l: Lowering, { inputs: [x, limit], type }: Node): Node | undefined {
  if (!isFloat(type.dtype) || !isScalar(limit, 0)) return undefined;
  return l.op("Relu", [l.lower(x)]);
}

/**
 * `y` where x has a sign, 0 elsewhere, as the gradient of ReLU is written: `y` times 0 or 1,
 * which is a clipped line so steep that only subnormal x lie on its slope. Comparing and choosing
 * take ONNX Runtime twice as long. Where y is infinite and x has the other sign, it is NaN.
 */
export function lowerSignMask(l: Lowering, { inputs, type }: Node): Node | undefined {
  const [condition, whenTrue, whenFalse] = inputs;
  const [p, q] = condition.inputs;
  if (type.dtype !== "float32" || (condition.op !== "less" && condition.op !== "lessEqual")) {
    return undefined;
  }
  const [x, isPositive] = isScalar(p, 0) ? [q, true] : [p, false];
  if (!isScalar(isPositive ? p : q, 0) || x.type.dtype !== "float32") return undefined;
  const isKept = isScalar(whenFalse, 0);
  if (!isKept && !isScalar(whenTrue, 0)) return undefined;
  // 0 < x and not x ≤ 0 are 0 at 0; the others are 1 there.
  const isUp = isPositive === isKept;
  const isOneAtZero = (condition.op === "less") !== isKept;
  const hasRelu = isUp && !isOneAtZero && l.isRectified(x);
  const from = hasRelu ? l.op("Relu", [l.lower(x)]) : l.lower(x);
  const line = { alpha: isUp ? 1e38 : -1e38, beta: isOneAtZero ? 1 : 0 };
  const mask = l.op("HardSigmoid", [from], line);
  return l.op("Mul", [l.lower(isKept ? whenTrue : whenFalse), mask]);
}

/**
 * Softmax. Where entries are masked by −∞, all are raised to 50 below the greatest of their row
 * first. e⁻⁵⁰ = 2·10⁻²² is nothing beside 1 in float32, and its products with gradients are
 * normal numbers still. ONNX Runtime's softmax of −∞ is subnormal, and processors compute with
 * subnormal numbers at a fraction of their speed.
 */
export function lowerSoftmax(l: Lowering, { inputs: [x], attributes, type }: Node): Node {
  const [mask, logits, fill] = x.inputs;
  if (type.dtype !== "float32" || x.op !== "where" || !isScalar(fill, -Infinity)) {
    return l.op("Softmax", [l.lower(x)], attributes);
  }
  const isNarrow = mask.type.shape.length <= logits.type.shape.length;
  let masked = l.lower(x);
  if (l.isInvariant(mask) && isNarrow && sameShape(logits.type.shape, type.shape)) {
    // Adding 0 or −∞ takes a third of the time of choosing.
    const [zero, none] = [0, -Infinity].map((value) => l.scalar(value, "float32")) as [Node, Node];
    masked = l.op("Add", [
      l.lower(logits),
      l.op("Where", [l.lower(mask), zero, none], {}, "float32"),
    ]);
  }
  const axes = l.integers([attributes["axis"] as number]);
  const kept = type.shape.with(attributes["axis"] as number, 1);
  const greatest = l.op("ReduceMax", [masked, axes], { keepdims: 1 }, "float32", kept);
  // As a row: a column with a number is taken element by element.
  const row = l.reshape(greatest, [product(kept)]);
  const floor = l.reshape(l.op("Add", [row, l.scalar(-50, "float32")]), kept);
  return l.op("Softmax", [l.op("Max", [masked, floor])], attributes);
}
