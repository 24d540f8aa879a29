/**
 * Idioms: functions that jax-js spells out in elementary operations and ONNX Runtime has a kernel for.
 *
 * No pattern is written down. Where the seed of an idiom appears, the whole idiom is built on
 * the same operand from a jaxpr that jax-js traced; equal expressions are one node, so a step
 * that spells it out too arrives at that very node, which now has a simpler name. The same goes
 * for derivatives: a pullback is the function of (x, cotangent) that differentiation leaves.
 */
import { nn, numpy as np, vjp } from "@jax-js/jax";
import type { Builder, Recognize } from "./builder.ts";
import { isScalar, scalarValue, type Node } from "./graph.ts";
import { translate } from "./primitives.ts";
import { isSignMask } from "./simplify.ts";
import { traceFunction, type TracedFunction } from "../../trace.ts";

interface Idiom {
  readonly spelled: (x: np.Array) => np.Array;
  /** The argument x, if `node` is an early part of the idiom. */
  readonly seed: (b: Builder, node: Node) => Node | undefined;
  /** f(x) in one operation. */
  readonly value: (b: Builder, x: Node) => Node;
  /** A factor of x's cotangent that only this idiom's derivative has: [x, cotangent of f(x)]. */
  readonly pullbackSeed: (
    factor: Node,
    other: Node,
    known: ReadonlyMap<Node, Node>,
  ) => [x: Node, cotangent: Node] | undefined;
  /** f′(x) from y = f(x) and x. */
  readonly slope: (b: Builder, y: Node, x: Node) => Node;
}

const idioms: readonly Idiom[] = [
  {
    spelled: (x) => np.tanh(x),
    seed: (_, node) => (isSignMask(node) ? node.inputs[0].inputs[0] : undefined),
    value: (b, x) => b.unary("tanh", x),
    pullbackSeed: (factor, other, known) => {
      const x = known.get(factor);
      return isSignMask(factor) && x !== undefined ? [x, other] : undefined;
    },
    slope: (b, y) => b.sub(b.scalar(1, y.type.dtype), b.mul(y, y)),
  },
  {
    spelled: (x) => nn.sigmoid(x),
    seed: (b, node) => (node.op === "exp" ? b.neg(node.inputs[0]) : undefined),
    value: (b, x) => b.unary("sigmoid", x),
    pullbackSeed: (factor, other) => {
      const [y, same] = factor.inputs;
      const isSquare = factor.op === "mul" && y === same && y.op === "sigmoid";
      return isSquare ? [y.inputs[0], other] : undefined;
    },
    slope: (b, y) => b.sub(y, b.mul(y, y)),
  },
  // GELU, x·Φ(x), with as few passes as it takes. With z = −x/√2 and u = 1 − erf z = 2·Φ(x) it is
  // z·u·(−1/√2), and its derivative, Φ(x) + x·φ(x), is ½·(u − z·exp(−z² + log(2/√π))). Products
  // before and after take in the constant factors of z, of GELU and of its gradient.
  {
    spelled: (x) => nn.gelu(x, { approximate: false }),
    seed: (_, node) => gaussianArgument(node),
    value: (b, x) => b.times(b.mul(...twiceBelow(b, x)), -Math.SQRT1_2),
    pullbackSeed: (factor, other) => {
      const isBelow = factor.op === "sub" && isScalar(factor.inputs[0], 1);
      const x = isBelow ? gaussianArgument(factor.inputs[1]) : undefined;
      return x === undefined ? undefined : [x, other];
    },
    slope(b, _, x) {
      const [z, u] = twiceBelow(b, x);
      const logarithm = b.sub(b.scalar(Math.log(4 / Math.PI) / 2, x.type.dtype), b.mul(z, z));
      return b.times(b.sub(u, b.mul(z, b.unary("exp", logarithm))), 0.5);
    },
  },
];

/** `x` if `node` is erf(−x/√2), as GELU has it in float32: see simplify.ts. */
function gaussianArgument(node: Node): Node | undefined {
  const [z] = node.inputs;
  if (node.op !== "erf" || node.type.dtype !== "float32" || z.op !== "mul") return undefined;
  const by = scalarValue(z.inputs[1]) ?? 0;
  return Math.abs(by + Math.SQRT1_2) < 1e-7 ? z.inputs[0] : undefined;
}

/** z = −x/√2, and 1 − erf z, twice how much of the normal distribution lies below x. */
function twiceBelow(b: Builder, x: Node): [z: Node, u: Node] {
  const z = b.times(x, -Math.SQRT1_2);
  return [z, b.sub(b.scalar(1, x.type.dtype), b.unary("erf", z))];
}

interface TracedIdiom extends Idiom {
  readonly spelledValue: TracedFunction;
  readonly spelledPullback: TracedFunction;
}

/** Idioms as jax-js spells them in one element type. They are traced once. */
const traced = new Map<string, Promise<TracedIdiom[]>>();

async function traceIdioms(dtype: "float32" | "float64"): Promise<TracedIdiom[]> {
  // On scalars: elementwise equations do not mention shapes.
  const scalar = { dtype, shape: [] };
  return Promise.all(
    idioms.map(async (idiom) => {
      const spelledValue = await traceFunction((x) => [idiom.spelled(x)], [scalar]);
      const spelledPullback = await traceFunction(
        (x, cotangent) => {
          const [, pull] = vjp(idiom.spelled, [x]);
          return pull(cotangent);
        },
        [scalar, scalar],
      );
      return { ...idiom, spelledValue, spelledPullback };
    }),
  );
}

/** What recognizes idioms in the given element types, for one builder. */
export async function idiomsIn(dtypes: readonly ("float32" | "float64")[]): Promise<Recognize> {
  const tables = new Map<string, TracedIdiom[]>();
  for (const dtype of dtypes) {
    const table = traced.get(dtype) ?? traceIdioms(dtype);
    traced.set(dtype, table);
    tables.set(dtype, await table);
  }
  const seen = new Set<Node>();
  /** Seeds met so far, with the idiom's argument. */
  const known = new Map<Node, Node>();
  let spelling = false;
  return (builder, node) => {
    const table = tables.get(node.type.dtype);
    if (table === undefined || seen.has(node)) return;
    seen.add(node);
    // What an idiom consists of is not searched for idioms in turn: tanh has a sigmoid inside.
    if (spelling) return;
    spelling = true;
    for (const { seed, value, spelledValue, pullbackSeed, spelledPullback, slope } of table) {
      const x = seed(builder, node);
      if (x !== undefined && scalarValue(x) === undefined) {
        known.set(node, x);
        const short = value(builder, x);
        name(builder, translate(builder, spelledValue, [x]), short);
        // A cotangent of 1 leaves no product behind.
        const one = builder.scalar(1, node.type.dtype);
        name(builder, translate(builder, spelledPullback, [x, one]), slope(builder, short, x));
      }
      if (node.op !== "mul") continue;
      const [p, q] = node.inputs;
      const found = pullbackSeed(p, q, known) ?? pullbackSeed(q, p, known);
      if (found === undefined) continue;
      const [argument, cotangent] = found;
      const derivative = slope(builder, value(builder, argument), argument);
      // A constant factor comes last, where products that read the result take it in.
      const by = derivative.op === "mul" ? scalarValue(derivative.inputs[1]) : undefined;
      const pulled =
        by === undefined
          ? builder.mul(cotangent, derivative)
          : builder.times(builder.mul(cotangent, derivative.inputs[0]), by);
      name(builder, translate(builder, spelledPullback, found), pulled);
    }
    spelling = false;
  };
}

/** From now on, `spelled` is `short`. */
function name(builder: Builder, [spelled]: readonly Node[], short: Node): void {
  if (spelled !== undefined && spelled !== short && scalarValue(spelled) === undefined) {
    builder.aliases.set(spelled, short);
  }
}
