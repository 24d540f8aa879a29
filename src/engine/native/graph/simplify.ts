/**
 * Rewrite rules of elementwise operations, tried on every node as it is built. Inputs are
 * simple already. A rule may change rounding, never meaning; multiplying by the constant 0
 * gives 0, as in jax-js's own kernels.
 */
import type { Builder, Simplify } from "./builder.ts";
import {
  constantData,
  isScalar,
  sameShape,
  scalarValue,
  type ElementType,
  type Node,
  type Operands,
} from "./graph.ts";
import { broadcastShapes, padRank, product } from "./shapes.ts";
import { isFloat } from "./constants.ts";

type Rule = (b: Builder, inputs: Operands, dtype: ElementType) => Node | undefined;

const commutative = new Set(["add", "mul", "min", "max", "and", "or", "xor", "equal", "notEqual"]);

/** The simpler equal of `op(inputs)`, if a rule knows one. */
export const simplify: Simplify = (b, op, inputs, dtype) => {
  const [x, y] = inputs;
  // One order for equal expressions: constants last, then by age.
  if (commutative.has(op) && rank(x) > rank(y)) return b.elementwise(op, [y, x], dtype);
  return rules[op]?.(b, inputs, dtype);
};

const rank = (x: Node): number => (constantData(x) === undefined ? x.id : Infinity);

const bothWays = (x: Node, y: Node): readonly (readonly [Node, Node])[] => [
  [x, y],
  [y, x],
];

const size = (x: Node): number => product(x.type.shape);

/** `x` if the other, neutral operand does not enlarge it. */
const neutral = (x: Node, other: Node): Node | undefined =>
  sameShape(x.type.shape, broadcastShapes(x.type.shape, other.type.shape)) ? x : undefined;

const rules: Readonly<Record<string, Rule>> = {
  add(b, [x, y]) {
    if (isScalar(y, 0)) return neutral(x, y);
    if (y.op === "neg") return b.sub(x, y.inputs[0]);
    if (x.op === "neg") return b.sub(y, x.inputs[0]);
    const [inner, constant] = x.inputs;
    if (x.op === "add" && scalarValue(y) !== undefined && scalarValue(constant) !== undefined) {
      return b.add(inner, b.add(constant, y));
    }
    if (x === y) return b.times(x, 2);
    for (const [sum, term] of bothWays(x, y)) {
      if (sum.op !== "add") continue;
      for (const [p, q] of bothWays(sum.inputs[0], sum.inputs[1])) {
        if (q === term) return b.add(p, b.times(q, 2));
        // A small term goes to a scaled one: together they are one pass (fusions.ts).
        if (q.op === "mul" && size(term) < size(q) && size(q) === size(sum)) {
          return b.add(p, b.add(q, term));
        }
      }
    }
    return undefined;
  },

  sub(b, [x, y], dtype) {
    if (isScalar(x, 0)) return b.neg(y);
    if (y.op === "neg") return b.add(x, y.inputs[0]);
    if (x.op === "neg") return b.neg(b.add(x.inputs[0], y));
    if (scalarValue(y) !== undefined && isFloat(dtype)) return b.add(x, b.neg(y));
    // (x − max x) − log Σ exp(x − max x)
    const shifted = softmaxOf(x);
    if (shifted !== undefined && y.op === "log") {
      const exponential = b.unary("exp", x);
      if (isSumOf(y.inputs[0], exponential, shifted.axis)) {
        return b.softmax("logSoftmax", shifted.logits, shifted.axis);
      }
    }
    return undefined;
  },

  mul(b, [x, y], dtype) {
    if (isScalar(y, 1)) return neutral(x, y);
    if (isScalar(y, 0)) return b.broadcast(y, x.type.shape);
    if (isScalar(y, -1)) return b.neg(x);
    if (y.op === "neg") return b.neg(b.mul(x, y.inputs[0]));
    if (x.op === "neg") {
      const bare = x.inputs[0];
      return scalarValue(y) === undefined ? b.neg(b.mul(bare, y)) : b.mul(bare, b.neg(y));
    }
    if (x === y && isSignMask(x)) return b.scalar(1, dtype);
    // Small factors meet each other before they meet the large one.
    for (const [large, small] of bothWays(x, y)) {
      const [p, q] = large.inputs;
      if (large.op !== "mul") continue;
      if (size(q) < size(p) && size(b.mul(q, small)) < size(p)) return b.mul(p, b.mul(q, small));
      if (size(p) < size(q) && size(b.mul(p, small)) < size(q)) return b.mul(q, b.mul(p, small));
      if (scalarValue(q) !== undefined && scalarValue(small) !== undefined) {
        return b.mul(p, b.mul(q, small));
      }
    }
    for (const [mask, other] of bothWays(x, y)) {
      if (isSignMask(mask) && mask.inputs[0].inputs[0] === other) {
        const magnitude = b.unary("abs", other);
        return isScalar(mask.inputs[1], 1) ? b.neg(magnitude) : magnitude;
      }
    }
    // exp(x − max x) · (… · 1/Σ exp(x − max x))
    for (const [exponential, other] of bothWays(x, y)) {
      if (exponential.op !== "exp") continue;
      const shifted = softmaxOf(exponential.inputs[0]);
      if (shifted === undefined) continue;
      const rest = withoutFactor(
        b,
        other,
        (factor) =>
          factor.op === "reciprocal" && isSumOf(factor.inputs[0], exponential, shifted.axis),
      );
      if (rest === undefined) continue;
      return b.mul(b.softmax("softmax", shifted.logits, shifted.axis), rest);
    }
    return softmaxMean(b, x, y) ?? softmaxMean(b, y, x);
  },

  // ONNX Runtime divides integers one by one.
  idiv(b, [x, y], dtype) {
    const bits = Math.log2(scalarValue(y) ?? 0);
    if (dtype !== "uint32" || !Number.isInteger(bits)) return undefined;
    return b.binary("shiftRight", x, b.scalar(bits, dtype));
  },

  // 1 + m·2⁻²³ from its mantissa m, as jax-js makes uniform numbers.
  bitcast(b, [x], dtype) {
    const [mantissa, exponent] = x.inputs;
    if (dtype !== "float32" || x.op !== "add" || !isScalar(exponent, 0x3f800000)) return undefined;
    if (mantissa.op !== "shiftRight" || (scalarValue(mantissa.inputs[1]) ?? 0) < 9)
      return undefined;
    return b.add(b.times(b.cast(mantissa, dtype), 2 ** -23), b.scalar(1, dtype));
  },

  neg(b, [x]) {
    const [inner, other] = x.inputs;
    if (x.op === "neg") return inner;
    if (x.op === "sub") return b.sub(other, inner);
    if (x.op === "mul" && scalarValue(other) !== undefined) return b.mul(inner, b.neg(other));
    return undefined;
  },

  // As in GELU, x·erfc(−x/√2)/2: there the digits that 1 − erf loses where erfc is small are lost
  // anyway, and its kernel is several times as fast.
  erfc(b, [x], dtype) {
    const by = scalarValue(x.inputs[1] ?? x);
    const isScaled = x.op === "mul" && Math.abs(Math.abs(by ?? 0) - Math.SQRT1_2) < 1e-7;
    if (dtype !== "float32" || !isScaled) return undefined;
    return b.sub(b.scalar(1, dtype), b.unary("erf", x));
  },

  reciprocal: (_, [x]) => (x.op === "reciprocal" ? x.inputs[0] : undefined),

  abs: (b, [x]) => (x.op === "neg" || x.op === "abs" ? b.unary("abs", x.inputs[0]) : undefined),

  floor: (_, [x]) => (isFloat(x.type.dtype) ? undefined : x),
  ceil: (_, [x]) => (isFloat(x.type.dtype) ? undefined : x),

  not: (_, [x]) => (x.op === "not" ? x.inputs[0] : undefined),

  max: (_, [x, y]) => (x === y ? x : undefined),
  min: (_, [x, y]) => (x === y ? x : undefined),

  and(_, [x, y]) {
    if (x === y) return x;
    return isTrue(y) ? neutral(x, y) : undefined;
  },

  or(_, [x, y]) {
    if (x === y) return x;
    return isFalse(y) ? neutral(x, y) : undefined;
  },

  equal(b, [x, y]) {
    if (isTrue(y)) return neutral(x, y);
    return isFalse(y) ? b.unary("not", x) : undefined;
  },

  notEqual(b, [x, y]) {
    if (isFalse(y)) return neutral(x, y);
    return isTrue(y) ? b.unary("not", x) : undefined;
  },

  where(b, [condition, x, y]) {
    const known = scalarValue(condition);
    const shape = broadcastShapes(condition.type.shape, x.type.shape, y.type.shape);
    if (known !== undefined) return b.broadcast(known ? x : y, shape);
    if (x === y) return b.broadcast(x, shape);
    if (condition.op === "not") return b.where(condition.inputs[0], y, x);
    // What the same condition chose before is known here.
    if (x.op === "where" && x.inputs[0] === condition) {
      return b.where(condition, x.inputs[1], y);
    }
    if (y.op === "where" && y.inputs[0] === condition) {
      return b.where(condition, x, y.inputs[2]);
    }
    // Softmax is 0 where its logits are masked by −∞, and so is its gradient without a mask.
    if (isScalar(y, 0) && isMaskedSoftmax(x, condition)) return b.broadcast(x, shape);
    if (isTrue(x) && isFalse(y)) return b.broadcast(condition, shape);
    if (isFalse(x) && isTrue(y)) return b.broadcast(b.unary("not", condition), shape);
    return undefined;
  },

  cast(b, [x], dtype) {
    const inner = x.inputs[0];
    // jax-js writes signs of float64 numbers in float32.
    if (isSignMask(x)) {
      const [condition, a, b1] = x.inputs as [Node, Node, Node];
      const sign = (of: Node) => b.scalar(scalarValue(of) as number, dtype);
      return b.where(condition, sign(a), sign(b1));
    }
    // The wider type between them changes nothing.
    const isNarrow = x.op === "cast" && ["bool", "uint8"].includes(inner.type.dtype);
    return isNarrow ? b.cast(inner, dtype) : undefined;
  },
};

const isTrue = (x: Node): boolean => x.type.dtype === "bool" && isScalar(x, 1);
const isFalse = (x: Node): boolean => x.type.dtype === "bool" && isScalar(x, 0);

/** `where(x < 0, ±1, ∓1)`, as jax-js writes signs. */
export function isSignMask(x: Node): boolean {
  const [condition, a, b] = x.inputs;
  return (
    x.op === "where" &&
    condition.op === "less" &&
    isScalar(condition.inputs[1], 0) &&
    ((isScalar(a, 1) && isScalar(b, -1)) || (isScalar(a, -1) && isScalar(b, 1)))
  );
}

/** The logits and axis of `x − max x`, where the maximum is over one axis. */
function softmaxOf(shifted: Node): { logits: Node; axis: number } | undefined {
  const [logits, maximum] = shifted.inputs;
  if (shifted.op !== "sub") return undefined;
  const axis = reducedAxis(maximum, logits, "max");
  return axis === undefined ? undefined : { logits, axis };
}

/** Whether a factor of `x` is a softmax that is 0 where `mask` is false. */
const isMaskedSoftmax = (x: Node, mask: Node): boolean => {
  if (x.op === "mul") return x.inputs.some((factor) => isMaskedSoftmax(factor, mask));
  const [logits] = x.inputs;
  return (
    x.op === "softmax" &&
    logits.op === "where" &&
    logits.inputs[0] === mask &&
    isScalar(logits.inputs[2], -Infinity)
  );
};

const isSumOf = (sum: Node, x: Node, axis: number): boolean => reducedAxis(sum, x, "sum") === axis;

/** The one axis over which `reduced` reduces `x`, if it does so and keeps that axis as a 1. */
function reducedAxis(reduced: Node, x: Node, reduction: string): number | undefined {
  const reduce = reduced.op === "reshape" ? reduced.inputs[0] : reduced;
  const axes = reduce.attributes["axes"] as readonly number[] | undefined;
  if (reduce.op !== "reduce" || reduce.attributes["reduction"] !== reduction) return undefined;
  const [axis] = axes ?? [];
  if (reduce.inputs[0] !== x || axes?.length !== 1 || axis === undefined) return undefined;
  const kept = x.type.shape.toSpliced(axis, 1, 1);
  return sameShape(padRank(reduced.type.shape, kept.length), kept) ? axis : undefined;
}

/** 1/Σ exp(x − max x) · Σ exp(x − max x)·c = Σ softmax(x)·c, as in the gradient of softmax. */
function softmaxMean(b: Builder, inverse: Node, total: Node): Node | undefined {
  const sum = total.op === "reshape" ? total.inputs[0] : total;
  if (inverse.op !== "reciprocal" || sum.op !== "reduce") return undefined;
  const [terms] = sum.inputs;
  const axes = sum.attributes["axes"] as readonly number[];
  if (sum.attributes["reduction"] !== "sum") return undefined;
  let softmax: Node | undefined;
  const rest = withoutFactor(b, terms, (factor) => {
    const shifted = factor.op === "exp" ? softmaxOf(factor.inputs[0]) : undefined;
    if (shifted === undefined || !sameShape(factor.type.shape, terms.type.shape)) return false;
    if (axes.length !== 1 || axes[0] !== shifted.axis) return false;
    if (!isSumOf(inverse.inputs[0], factor, shifted.axis)) return false;
    softmax = b.softmax("softmax", shifted.logits, shifted.axis);
    return true;
  });
  if (rest === undefined || softmax === undefined) return undefined;
  const kept = b.reshape(b.reduce("sum", b.mul(softmax, rest), axes), total.type.shape);
  const shape = broadcastShapes(inverse.type.shape, total.type.shape);
  return b.broadcast(kept, shape);
}

/** `x` divided by its first factor that satisfies `test`; of a sum, in both of its terms. */
function withoutFactor(b: Builder, x: Node, test: (factor: Node) => boolean): Node | undefined {
  if (test(x)) return b.scalar(1, x.type.dtype);
  if (x.op === "add" || x.op === "sub") {
    const [p, q] = [x.inputs[0], x.inputs[1]].map((term) => withoutFactor(b, term, test));
    return p === undefined || q === undefined ? undefined : b.binary(x.op, p, q);
  }
  if (x.op !== "mul") return undefined;
  const [p, q] = x.inputs;
  const left = withoutFactor(b, p, test);
  if (left !== undefined) return b.mul(left, q);
  const right = withoutFactor(b, q, test);
  return right === undefined ? undefined : b.mul(p, right);
}
