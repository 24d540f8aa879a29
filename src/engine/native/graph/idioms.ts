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
import { scalarValue, type Node } from "./graph.ts";
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
  /** f′(x) from y = f(x). */
  readonly slope: (b: Builder, y: Node) => Node;
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
];

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
        name(builder, translate(builder, spelledPullback, [x, one]), slope(builder, short));
      }
      if (node.op !== "mul") continue;
      const [p, q] = node.inputs;
      const found = pullbackSeed(p, q, known) ?? pullbackSeed(q, p, known);
      if (found === undefined) continue;
      const [argument, cotangent] = found;
      const derivative = slope(builder, value(builder, argument));
      name(builder, translate(builder, spelledPullback, found), builder.mul(cotangent, derivative));
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
