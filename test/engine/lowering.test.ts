/** What ONNX Runtime computes for expressions, many in one model, against loops over plain numbers. */
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { Builder } from "../../src/engine/native/graph/builder.ts";
import { topological, type Node, type ValueType } from "../../src/engine/native/graph/graph.ts";
import { simplify } from "../../src/engine/native/graph/simplify.ts";
import { emit } from "../../src/engine/native/onnx/emit.ts";
import { layOut, portable, type Target } from "../../src/engine/native/onnx/layout.ts";
import { lower } from "../../src/engine/native/onnx/lower.ts";
import { planExecution } from "../../src/engine/native/onnx/plan.ts";
import type { Argument } from "../../src/engine/step.ts";
import { tensor, type DType, type TensorType } from "../../src/engine/tensor.ts";
import {
  cases,
  entries,
  expectEqual,
  given,
  scalarLike,
  shapeOf,
  type,
  values,
} from "./expressions.ts";
import { onNodes, plain, type Operations, type Plain } from "./plain.ts";

/** Where arguments come from: the same in every step, or not. */
type Place = "inputs" | "carry";

interface Named {
  readonly [name: string]: ValueType;
}

type Writes<T extends Named> = <V>(o: Operations<V>, a: { readonly [name in keyof T]: V }) => V;

/** Expressions as a plan, each on arguments of its own, so that none shares anything with another. */
function plan<T extends Named>(
  named: T,
  place: Place,
  expressions: readonly Writes<T>[],
  target: Target = portable,
) {
  const b = new Builder(simplify);
  const leaves = new Map<string, Argument & { readonly name: string }>();
  const nodes = new Map<string, Node>();
  const wanted = expressions.map((each, i) => {
    const own = {};
    for (const [name, { dtype, shape }] of Object.entries(named)) {
      const get = () => {
        const path = `${place}/${name}.${i}`;
        // Arguments have no type of indices.
        const held = dtype === "int64" ? "int32" : (dtype as DType);
        leaves.set(path, { part: place, path, name, dtype: held, shape });
        const node = b.argument(place, path, held, shape);
        nodes.set(path, node);
        return b.cast(node, dtype);
      };
      Object.defineProperty(own, name, { get });
    }
    return each(onNodes(b), own as { readonly [name in keyof T]: Node });
  });
  const args = [...leaves.values()];
  const carried = place === "carry" ? [...nodes.values()] : [];
  const { operators, roots } = lower([...carried, ...wanted]);
  const paths = place === "carry" ? args.map(({ path }) => path) : [];
  const laidOut = layOut(operators, roots, paths, target);
  const planned = planExecution(operators.graph, laidOut.roots);
  const records = wanted.map(({ type: own }) => own as TensorType);
  return { planned, args, records, lowered: roots.slice(carried.length) };
}

/** What ONNX Runtime makes of the expressions. */
async function run<T extends Named>(
  named: T,
  arrays: { readonly [name in keyof T]: Plain },
  place: Place,
  expressions: readonly Writes<T>[],
  target?: Target,
): Promise<Plain[]> {
  const { planned, args, records: types } = plan(named, place, expressions, target);
  const records = types.map((each, i) => ({ path: `records/${i}`, ...each }));
  const session = await InferenceSession.create(emit(planned, args, records), {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
    // What is computed is what was written.
    graphOptimizationLevel: "disabled",
  });
  const feeds = Object.fromEntries(
    args.map(({ path, name, dtype, shape }) => {
      const { values: list } = arrays[name] as Plain;
      return [path, new OrtTensor(dtype, tensor(list, shape, dtype).data as Float32Array, shape)];
    }),
  );
  const out = await session.run({ ...feeds, steps: new OrtTensor("int64", [1n], []) });
  await session.release();
  return records.map(({ path, dtype }) => {
    const { data, dims } = out[path] as OrtTensor;
    return { dtype, shape: dims.slice(1), values: Array.from(data as Float32Array, Number) };
  });
}

/** Expressions in one program, each against its plain value. */
async function compareAll<T extends Named>(
  named: T,
  arrays: { readonly [name in keyof T]: Plain },
  place: Place,
  expressions: readonly Writes<T>[],
  tolerance: number,
  target?: Target,
) {
  const results = await run(named, arrays, place, expressions, target);
  expect(results.length).toBeGreaterThan(0);
  expressions.forEach((each, i) => {
    const wanted = each(plain, arrays as never);
    try {
      expectEqual(results[i] as Plain, wanted, tolerance);
    } catch (error) {
      throw new Error(`${i}: ${String(each)}: ${String(error)}`, { cause: error });
    }
  });
}

test("every rule's expression", async () => {
  const all = Object.values(cases).flat();
  const named = Object.fromEntries(entries);
  const expressions = all.map(([expression]) => expression);
  await compareAll(named, given as never, "inputs", expressions as never, 2e-5);
});

/** Arguments of operators in one type of floats. */
const floats = (dtype: "float32" | "float64") =>
  ({
    x: type(dtype, 4, 3),
    y: type(dtype, 4, 3),
    edges: type(dtype, 4, 3),
    row: type(dtype, 3),
    column: type(dtype, 4, 1),
    s: type(dtype),
    cube: type(dtype, 2, 3, 4),
    right: type(dtype, 2, 4, 5),
    w: type(dtype, 3, 5),
    thin: type(dtype, 2, 1, 4),
    signal: type(dtype, 2, 3, 9),
    filter: type(dtype, 4, 3, 3),
    image: type(dtype, 2, 3, 6, 5),
    kernel: type(dtype, 4, 3, 3, 2),
    pixels: type(dtype, 4, 3, 1, 1),
    cotangent: type(dtype, 3, 2, 5, 4),
    // With a side of 1 an exchange of axes is a reshape.
    mono: type(dtype, 3, 1, 5, 4),
    gray: type(dtype, 2, 1, 6, 5),
    triple: type(dtype, 1, 3, 5, 4),
    flat: type(dtype, 60),
    // 16 numbers per channel, and 15.
    square: type(dtype, 2, 3, 4, 4),
    line: type(dtype, 2, 3, 15),
    odd: type(dtype, 8),
    p: type("bool", 4, 3),
    q: type("bool", 4, 3),
    on: type("bool"),
    i: type("int32", 4, 3),
    j: type("int32", 4, 3),
    words: type("uint32", 4),
    others: type("uint32", 4),
    place: type("int64"),
    few: type("int64", 2),
    block: type("int64", 3, 2),
  }) as const satisfies Named;

type Floats = ReturnType<typeof floats>;
type Operator = Writes<Floats>;

function drawn(named: Floats): { readonly [name in keyof Floats]: Plain } {
  const all = Object.entries(named).map(([name, each], i): [string, Plain] => {
    const { dtype, shape } = each;
    const of = (list: number[]): Plain => ({ dtype, shape, values: list });
    if (name === "odd") return [name, of([NaN, Infinity, -Infinity, 3e9, -3e9, 0.9, -0.9, 5e9])];
    if (name === "edges") return [name, of([0, -0, 1, -1, 0, 2, -0, -2, 1e-3, -1e-3, 3, 0])];
    if (name === "place") return [name, of([1])];
    if (name === "few") return [name, of([2, 0])];
    if (name === "block") return [name, of([0, 1, 1, 0, 0, 0])];
    return [name, values(each, 40 + i)];
  });
  return Object.fromEntries(all) as { readonly [name in keyof Floats]: Plain };
}

/** The side of a convolution's result. */
function outputs(
  [n, ...of]: readonly number[],
  [o, , ...window]: readonly number[],
  c: {
    strides: number[];
    padding: [number, number][];
    lhsDilation: number[];
    rhsDilation: number[];
  },
): number[] {
  const sides = window.map((side, i) => {
    const spread = ((of[i + 1] ?? 1) - 1) * (c.lhsDilation[i] ?? 1) + 1;
    const [low, high] = c.padding[i] ?? [0, 0];
    const reach = (side - 1) * (c.rhsDilation[i] ?? 1) + 1;
    return Math.floor((spread + low + high - reach) / (c.strides[i] ?? 1)) + 1;
  });
  return [n ?? 0, o ?? 0, ...sides];
}

/** A convolution of one argument with another. */
const convolution =
  (
    from: "signal" | "image" | "turned",
    by: "filter" | "kernel" | "pixels" | "cotangent" | "flipped",
    strides: number[],
    padding: [number, number][],
    lhsDilation = strides.map(() => 1),
    rhsDilation = strides.map(() => 1),
  ): Operator =>
  (o, a) => {
    const named = floats("float32");
    // As gradients are written: channels exchanged, windows turned around.
    const x = from === "turned" ? o.transpose(a.image, [1, 0, 2, 3]) : a[from];
    const exchanged = o.transpose(a.cotangent, [1, 0, 2, 3]);
    const k = by === "flipped" ? o.flip(exchanged, [2, 3]) : a[by];
    const shapes = [
      from === "turned" ? [3, 2, 6, 5] : named[from].shape,
      by === "flipped" ? [2, 3, 5, 4] : named[by].shape,
    ] as const;
    const settings = { strides, padding, lhsDilation, rhsDilation };
    return o.convolve(x, k, outputs(...shapes, settings), settings);
  };

/** Images and kernels that are made of what they are in several ways: [images, kernel]. */
const madeKernels: readonly (<V>(o: Operations<V>, a: { readonly [name in keyof Floats]: V }) => [V, V])[] = [
  (o, a) => [a.image, o.flip(o.transpose(a.mono, [1, 0, 2, 3]), [2, 3])],
  (o, a) => [a.gray, o.flip(o.transpose(a.triple, [1, 0, 2, 3]), [2, 3])],
  (o, a) => [a.image, o.flip(o.reshape(a.flat, [1, 3, 5, 4]), [2, 3])],
  (o, a) => [a.image, o.flip(o.reshape(a.cotangent, [2, 3, 5, 4]), [2, 3])],
  (o, a) => [a.image, o.flip(o.transpose(a.mono, [1, 0, 2, 3]), [2])],
  (o, a) => [a.image, o.transpose(a.mono, [1, 0, 2, 3])],
  (o, a) => [a.image, o.transpose(o.reshape(a.cube, [3, 8, 1, 1]), [1, 0, 2, 3])],
  (o, a) => [a.image, o.reshape(a.row, [1, 3, 1, 1])],
]; // prettier-ignore

/** Convolutions with them, so wide that the result is larger than the kernel. */
const made = madeKernels.map((write): Operator => (o, a) => {
  const [x, k] = write(o, a);
  const settings = { strides: [1, 1], padding: [[4, 4], [3, 3]] as [number, number][], lhsDilation: [1, 1], rhsDilation: [1, 1] };
  return o.convolve(x, k, outputs(shapeOf(x), shapeOf(k), settings), settings);
}); // prettier-ignore

/** Attention's heads, split off in batches. */
const heads: Operator = (o, a) => {
  const split = o.transpose(o.reshape(a.image, [6, 5, 3, 2]), [0, 2, 1, 3]);
  const batch = o.reshape(split, [18, 5, 2]);
  return o.matmul(batch, o.swapLast(batch));
};

const scaleAndShift =
  (name: "square" | "line"): Operator =>
  (o, a) => {
    const list = o.reshape(a.row, name === "square" ? [3, 1, 1] : [3, 1]);
    return o.add(o.mul(a[name], list), list);
  };

/** `where(x op 0, …)` in the four ways to compare, with 0 on either side of the choice. */
const signMasks: readonly Operator[] = (["less", "lessEqual"] as const).flatMap((op) =>
  [false, true].flatMap((isSwapped) =>
    [false, true].flatMap((isKept) =>
      (["edges", "x"] as const).map((name): Operator => (o, a) => {
        const zero = scalarLike(o, a.x, 0);
        const test = isSwapped ? o.compare(op, zero, a[name]) : o.compare(op, a[name], zero);
        return isKept ? o.where(test, a.y, zero) : o.where(test, zero, a.y);
      }),
    ),
  ),
);

/** The operators of every element type, by what they do. */
const operators: { readonly [about: string]: readonly Operator[] } = {
  "functions of one number": [
    (o, a) => o.neg(a.x),
    (o, a) => o.unary("sigmoid", a.x),
    (o, a) => o.unary("reciprocal", a.x),
    (o, a) => o.unary("floor", a.x),
    (o, a) => o.unary("ceil", a.x),
    (o, a) => o.unary("sin", a.x),
    (o, a) => o.unary("cos", a.x),
    (o, a) => o.unary("asin", o.unary("sin", a.x)),
    (o, a) => o.unary("atan", a.x),
    (o, a) => o.unary("exp", a.x),
    (o, a) => o.unary("log", o.unary("exp", a.y)),
    (o, a) => o.unary("erf", a.x),
    (o, a) => o.unary("erfc", a.x),
    (o, a) => o.unary("sqrt", o.unary("abs", a.x)),
    (o, a) => o.unary("abs", a.x),
    (o, a) => o.unary("tanh", a.x),
    (o, a) => o.neg(a.i),
    (o, a) => o.unary("abs", a.i),
    (o, a) => o.neg(a.words),
    (o, a) => o.unary("not", a.p),
  ],
  arithmetic: [
    (o, a) => o.add(a.x, a.y),
    (o, a) => o.sub(a.x, a.row),
    (o, a) => o.mul(a.column, a.row),
    (o, a) => o.div(a.x, a.y),
    (o, a) => o.binary("idiv", o.times(a.x, 7), a.y),
    (o, a) => o.binary("mod", a.x, a.y),
    (o, a) => o.binary("min", a.x, a.y),
    (o, a) => o.binary("max", a.x, a.row),
    (o, a) => o.binary("max", a.x, scalarLike(o, a.x, 0)),
    (o, a) => o.binary("max", scalarLike(o, a.x, 0), a.edges),
    (o, a) => o.binary("max", a.x, scalarLike(o, a.x, 1)),
    (o, a) => o.binary("max", a.i, scalarLike(o, a.i, 0)),
    (o, a) => o.add(o.mul(a.x, a.row), a.column),
    scaleAndShift("square"),
    scaleAndShift("line"),
    (o, a) => o.times(o.add(a.x, a.row), 3),
    (o, a) => o.add(a.i, a.j),
    (o, a) => o.sub(a.i, a.j),
    (o, a) => o.mul(a.i, a.j),
    (o, a) => o.binary("min", a.i, a.j),
    (o, a) => o.binary("max", a.i, a.j),
    (o, a) => o.binary("idiv", a.i, scalarLike(o, a.i, 4)),
    (o, a) => o.binary("mod", a.i, scalarLike(o, a.i, 4)),
    (o, a) => o.add(a.words, a.others),
    (o, a) => o.sub(a.words, a.others),
    (o, a) => o.mul(a.words, a.others),
    (o, a) => o.binary("idiv", a.words, scalarLike(o, a.words, 1000)),
    (o, a) => o.binary("mod", a.words, scalarLike(o, a.words, 1000)),
    (o, a) => o.binary("min", a.words, a.others),
    (o, a) => o.binary("max", a.words, a.others),
  ],
  bits: (["and", "or", "xor"] as const)
    .flatMap((op): Operator[] => [
      (o, a) => o.binary(op, a.p, a.q),
      (o, a) => o.binary(op, a.i, a.j),
      (o, a) => o.binary(op, a.words, a.others),
    ])
    .concat(
      (["shiftLeft", "shiftRight"] as const).flatMap((op): Operator[] => [
        (o, a) => o.binary(op, a.words, scalarLike(o, a.words, 5)),
        (o, a) => o.binary(op, o.unary("abs", a.i), scalarLike(o, a.i, 2)),
      ]),
      [(o, a) => o.bitcast(a.words, "float32"), (o, a) => o.bitcast(a.words, "int32")],
      // Subnormal numbers, 1, and both zeros.
      [3, 0x3f800000, 0x80000000, 0xbf800001, 0x00800000].map(
        (word): Operator =>
          (o, a) =>
            o.bitcast(
              o.binary("xor", o.binary("xor", a.words, a.words), scalarLike(o, a.words, word)),
              "float32",
            ),
      ),
    ),
  comparisons: (["less", "lessEqual", "equal", "notEqual"] as const).flatMap((op): Operator[] => [
    (o, a) => o.compare(op, a.x, a.y),
    (o, a) => o.compare(op, a.edges, scalarLike(o, a.x, 0)),
    (o, a) => o.compare(op, a.i, a.j),
    (o, a) => o.compare(op, a.words, a.others),
    (o, a) => o.compare(op, a.p, a.q),
  ]),
  choices: [
    (o, a) => o.where(a.p, a.x, a.y),
    (o, a) => o.where(a.p, a.row, a.column),
    (o, a) => o.where(a.p, a.s, a.y),
    (o, a) => o.where(a.on, a.x, a.y),
    (o, a) => o.where(a.on, a.row, a.y),
    (o, a) => o.where(o.unary("not", a.on), a.column, a.row),
    (o, a) => o.where(a.p, a.i, a.j),
    (o, a) => o.where(a.on, a.i, a.j),
    (o, a) => o.where(a.on, a.words, a.others),
    (o, a) => o.where(o.compare("less", a.words, a.others), a.words, a.others),
    (o, a) => o.where(a.p, a.q, o.unary("not", a.q)),
    (o, a) => o.where(a.on, a.q, a.p),
  ],
  "masks by sign": signMasks,
  casts: [
    ...(["int32", "uint32"] as const).flatMap((to): Operator[] => [
      (o, a) => o.cast(a.odd, to),
      (o, a) => o.cast(o.times(a.x, 9), to),
      (o, a) => o.cast(a.i, to),
      (o, a) => o.cast(a.words, to),
      (o, a) => o.cast(a.p, to),
    ]),
    (o, a) => o.cast(a.x, "float32"),
    (o, a) => o.cast(a.x, "float64"),
    (o, a) => o.cast(a.i, "float64"),
    (o, a) => o.cast(a.words, "float64"),
    (o, a) => o.cast(a.p, "float32"),
    (o, a) => o.cast(a.i, "bool"),
    (o, a) => o.cast(a.edges, "bool"),
  ],
  reductions: (["sum", "product", "max", "min"] as const).flatMap((op): Operator[] => [
    ...[[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]].flatMap((axes): Operator[] => [
      (o, a) => o.reduce(op, a.cube, axes),
      (o, a) =>
        o.reshape(
          o.reduce(op, o.unary("sin", a.cube), axes),
          [2, 3, 4].map((side, axis) => (axes.includes(axis) ? 1 : side)),
        ),
      (o, a) => o.reduce(op, o.mul(a.cube, a.cube), axes),
    ]),
    (o, a) => {
      const squares = o.mul(a.cube, a.cube);
      return o.mul(squares, o.reduce(op, squares, [0, 1, 2]));
    },
    (o, a) => o.reduce(op, a.i, [1]),
    // Of 8 bits: the run time loses the last ones of products above 2⁵³.
    (o, a) => o.reduce(op, o.binary("shiftRight", a.words, scalarLike(o, a.words, 24)), [0]),
    (o, a) => o.reshape(o.reduce(op, a.x, [1]), [2, 2]),
  ]),
  "products of matrices": [
    (o, a) => o.matmul(a.x, a.w),
    (o, a) => o.matmul(a.cube, a.right),
    (o, a) => o.matmul(o.swapLast(a.x), a.y),
    (o, a) => o.matmul(a.x, o.swapLast(a.y)),
    (o, a) => o.matmul(o.swapLast(a.w), o.swapLast(a.x)),
    (o, a) => o.matmul(o.swapLast(a.cube), a.cube),
    (o, a) => o.matmul(a.cube, o.swapLast(a.cube)),
    (o, a) => o.matmul(o.swapLast(a.right), o.swapLast(a.cube)),
    (o, a) => o.times(o.matmul(a.x, a.w), -0.5),
    (o, a) => o.times(o.matmul(a.cube, a.right), 3),
    (o, a) => o.times(o.times(o.matmul(o.swapLast(a.x), a.y), 0.5), 3),
    (o, a) => o.times(o.reshape(o.times(o.matmul(a.x, a.w), 2), [20]), 3),
    (o, a) => {
      const shared = o.matmul(a.x, a.w);
      return o.mul(o.times(shared, 3), shared);
    },
    (o, a) => o.add(o.matmul(o.swapLast(a.x), a.y), a.row),
    (o, a) => o.add(a.row, o.times(o.matmul(o.swapLast(a.x), a.y), 3)),
    (o, a) => o.times(o.add(o.matmul(o.swapLast(a.x), a.y), a.row), 3),
    (o, a) => o.times(o.add(o.times(o.matmul(a.y, o.swapLast(a.x)), 2), a.column), -3),
    (o, a) => o.add(o.matmul(a.x, o.swapLast(a.y)), a.column),
    (o, a) => o.add(o.matmul(o.swapLast(a.x), a.y), a.s),
    (o, a) => o.add(o.reshape(o.matmul(o.swapLast(a.x), a.y), [3, 1, 3]), a.row),
    (o, a) => o.add(o.reshape(o.matmul(a.y, a.w), [2, 2, 5]), o.reduce("sum", a.w, [0])),
    (o, a) => o.add(o.matmul(a.cube, a.right), o.reduce("sum", a.w, [0])),
    (o, a) => o.add(o.matmul(o.swapLast(a.x), a.x), o.matmul(o.swapLast(a.y), a.y)),
    // As heads are split off and joined again for attention.
    (o, a) => {
      const heads = o.transpose(o.reshape(a.image, [6, 5, 3, 2]), [0, 2, 1, 3]);
      return o.matmul(heads, o.swapLast(heads));
    },
    (o, a) => {
      const heads = o.transpose(o.reshape(a.image, [6, 5, 3, 2]), [0, 2, 1, 3]);
      return o.matmul(o.reshape(heads, [18, 5, 2]), o.swapLast(o.reshape(heads, [18, 5, 2])));
    },
    (o, a) => {
      const turned = o.transpose(a.cube, [2, 0, 1]);
      return o.matmul(o.reshape(turned, [4, 6]), o.reshape(a.cube, [6, 4]));
    },
  ],
  softmax: [
    ...[0, 1].flatMap((axis): Operator[] => [
      (o, a) => o.softmax("softmax", a.x, axis),
      (o, a) => o.softmax("logSoftmax", a.x, axis),
      (o, a) => o.softmax("softmax", o.where(a.p, a.x, scalarLike(o, a.x, -Infinity)), 1),
    ]),
    (o, a) => o.softmax("softmax", o.where(a.p, a.row, scalarLike(o, a.x, -Infinity)), 1),
    (o, a) => o.softmax("softmax", o.where(a.p, a.x, scalarLike(o, a.x, -1)), 1),
    (o, a) => {
      const causal = o.constant([1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1], "bool", [4, 3]);
      return o.softmax("softmax", o.where(causal, a.x, scalarLike(o, a.x, -Infinity)), 1);
    },
    (o, a) => {
      const some = o.constant([1, 0, 1], "bool", [3]);
      return o.softmax("softmax", o.where(some, a.x, scalarLike(o, a.x, -Infinity)), 1);
    },
    (o, a) => {
      const some = o.constant([1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1], "bool", [4, 3]);
      return o.softmax("softmax", o.where(some, a.row, scalarLike(o, a.x, -Infinity)), 1);
    },
  ],
  views: [
    (o, a) => o.unary("sin", o.transpose(a.cube, [2, 0, 1])),
    (o, a) => o.transpose(o.reshape(o.transpose(a.cube, [1, 0, 2]), [3, 4, 2]), [1, 0, 2]),
    (o, a) => o.transpose(a.thin, [2, 1, 0]),
    (o, a) => o.expand(a.thin, [2, 3, 4]),
    (o, a) => o.broadcast(a.row, [2, 4, 3]),
    (o, a) => o.slice(a.cube, [0, 1, 0], [2, 3, 4], [1, 1, 3]),
    (o, a) => o.slice(a.cube, [1, 0, 2], [2, 3, 4]),
    (o, a) => o.slice(a.x, [3, 0], [2, 3]),
    (o, a) => o.flip(a.cube, [0, 2]),
    (o, a) => o.flip(a.x, [1]),
    (o, a) => o.pad(a.x, [1, 0], [2, 3]),
    (o, a) => o.pad(a.x, [-1, 2], [2, -1]),
    (o, a) => o.pad(a.cube, [0, 1, 0], [1, 0, 2], [1, 2, 0]),
    (o, a) => o.pad(a.thin, [0, 0, 0], [0, 0, 0], [2, 3, 1]),
    (o, a) => o.concatenate([a.x, a.y], 0),
    (o, a) => o.concatenate([a.column, a.x, a.y], 1),
  ],
  indices: [
    ...[0, 1, 2].flatMap((axis): Operator[] => {
      const depths = [0, 1, 2].flatMap((position): Operator[] => [
        (o, a) => o.gather(a.cube, [a.place], [axis], position),
        (o, a) => o.gather(a.cube, [o.binary("min", a.few, a.place)], [axis], position),
        (o, a) => o.gather(a.cube, [a.block], [axis], position),
      ]);
      return depths;
    }),
    ...[
      [0, 1],
      [1, 0],
      [0, 2],
      [2, 1],
    ].flatMap((axes): Operator[] =>
      [0, 1].flatMap((position): Operator[] => [
        (o, a) => o.gather(a.cube, [a.place, a.place], axes, position),
        (o, a) =>
          o.gather(
            a.cube,
            [a.block, o.gather(a.block, [a.place], [0], 0)].map((x, i) =>
              i === 0 ? x : o.broadcast(x, [3, 2]),
            ),
            axes,
            position,
          ),
      ]),
    ),
    ...(["add", "none"] as const).flatMap((reduction): Operator[] => [
      (o, a) => o.scatter(a.s, [a.place], [0], 0, reduction, [3]),
      (o, a) => o.scatter(a.row, [a.place], [0], 0, reduction, [2, 3]),
      (o, a) => o.scatter(a.row, [a.place], [1], 0, reduction, [3, 2]),
      (o, a) => o.scatter(o.slice(a.x, [0, 0], [2, 3]), [a.few], [0], 0, reduction, [4, 3]),
      (o, a) => o.scatter(o.slice(a.x, [0, 0], [4, 2]), [a.few], [1], 1, reduction, [4, 5]),
      (o, a) => o.scatter(o.slice(a.x, [0, 0], [4, 2]), [a.few], [0], 1, reduction, [3, 4]),
      (o, a) =>
        o.scatter(o.slice(a.x, [0, 0], [2, 3]), [a.few, a.few], [0, 2], 0, reduction, [4, 3, 3]),
      (o, a) =>
        o.scatter(o.slice(a.x, [0, 0], [3, 2]), [a.few, a.few], [2, 1], 1, reduction, [3, 3, 4]),
    ]),
    (o, a) => o.scatter(o.slice(a.x, [0, 0], [3, 2]), [a.block], [0], 0, "add", [2]),
  ],
  order: [
    (o, a) => o.sort(a.x),
    (o, a) => o.sort(a.cube),
    (o, a) => o.argsort(a.x),
    (o, a) => o.argsort(a.i),
  ],
  convolutions: [
    convolution("signal", "filter", [1], [[1, 1]]),
    convolution("signal", "filter", [2], [[0, 2]]),
    convolution("signal", "filter", [1], [[-1, 2]]),
    convolution("signal", "filter", [1], [[2, -2]], [2]),
    convolution("signal", "filter", [2], [[0, 1]], [3], [2]),
    convolution("image", "kernel", [1, 1], [[1, 1], [0, 1]]),
    convolution("image", "kernel", [2, 1], [[2, 0], [1, 3]]),
    convolution("image", "kernel", [1, 1], [[0, 0], [0, 0]], [1, 1], [2, 1]),
    convolution("image", "kernel", [1, 2], [[1, 2], [0, 1]], [1, 1], [1, 3]),
    convolution("image", "kernel", [1, 1], [[2, 2], [1, 1]], [2, 1]),
    convolution("image", "kernel", [1, 1], [[2, 3], [1, 2]], [2, 3]),
    convolution("image", "kernel", [1, 1], [[1, 3], [2, 1]], [2, 2], [2, 1]),
    convolution("image", "kernel", [1, 1], [[3, 1], [1, 1]], [2, 1]),
    convolution("image", "kernel", [1, 1], [[2, 5], [1, 1]], [2, 1]),
    convolution("image", "kernel", [2, 1], [[2, 2], [1, 1]], [2, 1]),
    convolution("image", "kernel", [1, 1], [[-1, 1], [1, -2]]),
    convolution("image", "kernel", [1, 1], [[-2, 1], [1, -1]], [2, 1]),
    convolution("image", "pixels", [1, 1], [[0, 0], [0, 0]]),
    convolution("image", "pixels", [2, 3], [[1, 0], [0, 1]]),
    convolution("image", "flipped", [1, 1], [[4, 4], [3, 3]]),
    convolution("image", "flipped", [1, 1], [[4, 3], [3, 2]], [2, 2]),
    convolution("image", "flipped", [2, 1], [[4, 3], [3, 2]]),
    convolution("turned", "cotangent", [1, 1], [[0, 0], [0, 0]]),
    convolution("turned", "cotangent", [1, 1], [[1, 0], [0, 1]]),
    convolution("turned", "cotangent", [2, 1], [[1, 1], [0, 1]]),
    convolution("turned", "cotangent", [1, 1], [[2, 2], [1, 0]], [1, 1], [2, 1]),
    convolution("turned", "cotangent", [1, 1], [[-1, 0], [1, 0]]),
    convolution("image", "kernel", [3, 3], [[0, 0], [0, -1]]),
    ...made,
  ], // prettier-ignore
};

describe.each(["float32", "float64"] as const)("%s", (dtype) => {
  const named = floats(dtype);
  test.each(["inputs", "carry"] as const)(
    "every operator on arguments in the %s",
    async (place) => {
      const all = Object.values(operators).flat();
      await compareAll(named, drawn(named), place, all, dtype === "float32" ? 2e-5 : 1e-12);
    },
  );
});

/** What becomes of them, as in `chosen`. */
const madeOperators = [
  ["InputGradient", "InputGradient", "Reshape Slice Transpose Pad Concat MatMul"],
  ["InputGradient", "InputGradient", "Reshape Slice Pad Concat MatMul"],
  ["Reshape Slice Conv", "Reshape Slice Conv", "Reshape Slice Transpose Pad Concat MatMul"],
  ["Reshape Slice Conv", "Reshape Slice Conv", "Reshape Slice Transpose Pad Concat MatMul"],
  ["Reshape Slice Conv", "Reshape Slice Conv", "Reshape Slice Transpose Pad Concat MatMul"],
  ["Reshape Conv", "Reshape Conv", "Reshape Transpose Pad Slice Concat MatMul"],
  ["Reshape InputGradient", "Reshape InputGradient", "Reshape Transpose Pad MatMul"],
  ["Reshape Conv", "Reshape Conv", "Reshape Pad MatMul"],
];

/** Kinds of operators by which expressions are computed: of float32 in the inputs, in the carry, and of float64. */
const chosen: readonly (readonly [expression: Operator, ...operators: string[]])[] = [
  [(o, a) => o.binary("max", a.x, scalarLike(o, a.x, 0)), "Relu"],
  [(o, a) => o.binary("max", a.x, scalarLike(o, a.x, 1)), "Max"],
  [(o, a) => o.binary("max", a.i, scalarLike(o, a.i, 0)), "Max"],
  [(o, a) => o.reduce("sum", o.mul(a.x, a.x), [0]), "ReduceSumSquare"],
  [(o, a) => o.reduce("sum", o.mul(a.cube, a.cube), [0, 2]), "ReduceSumSquare ReduceSum"],
  [(o, a) => o.reduce("max", o.mul(a.x, a.x), [0]), "Mul ReduceMax"],
  [
    (o, a) => {
      const squares = o.mul(a.x, a.x);
      return o.mul(squares, o.reduce("sum", squares, [0]));
    },
    "Mul ReduceSum",
  ],
  [(o, a) => o.reshape(o.reduce("sum", a.x, [1]), [4, 1]), "ReduceSum Reshape"],
  [(o, a) => o.reshape(o.reduce("sum", a.x, [1]), [2, 2]), "ReduceSum Reshape"],
  [(o, a) => o.reduce("max", a.cube, [1, 2]), "Reshape ReduceMax"],
  [(o, a) => o.reduce("max", a.cube, [0, 2]), "ReduceMax"],
  [(o, a) => o.matmul(a.x, a.w), "MatMul"],
  [(o, a) => o.matmul(o.swapLast(a.x), a.y), "Transpose MatMul", "FusedMatMul"],
  [(o, a) => o.matmul(a.x, o.swapLast(a.y)), "Transpose MatMul", "FusedMatMul"],
  [(o, a) => o.times(o.matmul(a.x, a.w), 3), "FusedMatMul", "FusedMatMul", "MatMul Mul"],
  [(o, a) => o.times(o.reshape(o.times(o.matmul(a.x, a.w), 2), [20]), 3), "FusedMatMul Reshape", "FusedMatMul Reshape", "MatMul Mul Reshape"],
  [
    (o, a) => {
      const shared = o.matmul(a.x, a.w);
      return o.mul(o.times(shared, 3), shared);
    },
    "MatMul Mul",
  ],
  [(o, a) => o.add(o.matmul(o.swapLast(a.x), a.y), a.row), "Transpose Gemm", "Gemm"],
  [(o, a) => o.times(o.add(o.times(o.matmul(o.swapLast(a.x), a.y), 2), a.row), 3), "Transpose Gemm", "Gemm", "FusedMatMul Mul Add"],
  [(o, a) => o.add(o.matmul(a.x, o.swapLast(a.y)), a.column), "Transpose Gemm", "Gemm"],
  [(o, a) => o.add(o.matmul(o.swapLast(a.x), a.y), a.s), "Transpose Gemm", "Gemm"],
  [(o, a) => o.add(o.reshape(o.matmul(o.swapLast(a.x), a.y), [3, 1, 3]), a.row), "Transpose Gemm Reshape", "Gemm Reshape"],
  [(o, a) => o.add(o.reshape(o.matmul(o.swapLast(a.x), a.y), [3, 1, 3]), o.reshape(a.row, [3, 1, 1])), "Transpose MatMul Reshape Add", "FusedMatMul Reshape Add"],
  [(o, a) => o.add(o.matmul(o.swapLast(a.x), a.x), o.matmul(o.swapLast(a.y), a.y)), "Transpose MatMul Add", "FusedMatMul Add"],
  [(o, a) => o.times(o.add(a.x, a.row), 3), "Add Mul"],
  [(o, a) => o.add(o.mul(a.image, o.reshape(a.row, [3, 1, 1])), o.reshape(a.row, [3, 1, 1])), "Reshape BatchNormalization"],
  [(o, a) => o.add(o.mul(a.cube, o.reshape(a.row, [3, 1])), o.reshape(a.row, [3, 1])), "Reshape Mul Add"],
  [(o, a) => o.add(o.mul(a.image, o.reshape(a.row, [3, 1, 1])), a.s), "Reshape Mul Add"],
  [(o, a) => o.where(o.compare("less", a.x, scalarLike(o, a.x, 0)), a.y, scalarLike(o, a.x, 0)), "HardSigmoid Mul", "HardSigmoid Mul", "Less Where"],
  [(o, a) => o.where(o.compare("less", scalarLike(o, a.x, 0), a.x), a.y, scalarLike(o, a.x, 0)), "HardSigmoid Mul", "HardSigmoid Mul", "Less Where"],
  [
    (o, a) => {
      const isUp = o.compare("less", scalarLike(o, a.x, 0), a.x);
      const kept = o.where(isUp, a.y, scalarLike(o, a.x, 0));
      return o.add(kept, o.binary("max", a.x, scalarLike(o, a.x, 0)));
    },
    "Relu HardSigmoid Mul Add", "Relu HardSigmoid Mul Add", "Less Where Relu Add",
  ],
  [(o, a) => o.where(o.compare("less", a.x, scalarLike(o, a.x, 1)), a.y, scalarLike(o, a.x, 0)), "Less Where"],
  [(o, a) => o.where(o.compare("less", a.x, scalarLike(o, a.x, 0)), a.y, scalarLike(o, a.x, 1)), "Less Where"],
  [(o, a) => o.where(o.compare("equal", a.x, scalarLike(o, a.x, 0)), a.y, scalarLike(o, a.x, 0)), "Equal Where"],
  [(o, a) => o.where(o.compare("less", a.i, scalarLike(o, a.i, 0)), a.y, scalarLike(o, a.x, 0)), "Less Where"],
  [(o, a) => o.softmax("softmax", a.x, 1), "Softmax"],
  [(o, a) => o.softmax("softmax", o.where(a.p, a.x, scalarLike(o, a.x, -Infinity)), 1), "Where Add ReduceMax Reshape Max Softmax", "Where ReduceMax Reshape Add Max Softmax", "Where Softmax"],
  [(o, a) => o.softmax("softmax", o.where(a.p, a.row, scalarLike(o, a.x, -Infinity)), 1), "Where ReduceMax Reshape Add Max Softmax", "Where ReduceMax Reshape Add Max Softmax", "Where Softmax"],
  [(o, a) => o.softmax("softmax", o.where(a.p, a.x, scalarLike(o, a.x, -9)), 1), "Where Softmax"],
  [(o, a) => o.where(a.on, a.x, a.y), "Select"],
  [(o, a) => o.where(a.on, o.matmul(a.x, o.swapLast(a.x)), o.matmul(a.y, o.swapLast(a.y))), "Transpose MatMul Select", "FusedMatMul Select"],
  [(o, a) => o.where(a.on, a.words, a.others), "Cast Select"],
  [(o, a) => o.unary("erf", a.x), "Erf", "Erf", "Abs LessOrEqual Mul Add Div Less Max Min Floor Neg Exp Sub Where"],
  [(o, a) => o.unary("sigmoid", a.x), "Sigmoid", "Sigmoid", "Neg Exp Add Reciprocal"],
  [(o, a) => o.gather(a.cube, [a.few], [1], 1), "Cast Gather"],
  [(o, a) => o.gather(a.cube, [a.few], [1], 0), "Cast Gather Transpose"],
  [(o, a) => o.gather(a.cube, [a.place, a.place], [0, 1], 0), "Cast Reshape Concat GatherND"],
  [(o, a) => o.transpose(a.thin, [2, 1, 0]), "Reshape Transpose"],
  [(o, a) => o.pad(a.x, [0, 0], [0, 0], [1, 0]), "Reshape Pad Slice"],
  [convolution("image", "kernel", [1, 1], [[1, 1], [0, 1]]), "Conv", "Conv", "Reshape Transpose Pad Slice Concat MatMul"],
  [convolution("image", "kernel", [1, 1], [[2, 2], [1, 1]], [2, 1]), "Transpose Slice ConvTranspose", "Transpose Slice ConvTranspose", "Reshape Transpose Pad Slice Concat MatMul"],
  [convolution("image", "kernel", [2, 1], [[2, 2], [1, 1]], [2, 1]), "Reshape Pad Slice Conv", "Reshape Pad Slice Conv", "Reshape Transpose Pad Slice Concat MatMul"],
  [convolution("image", "flipped", [1, 1], [[4, 4], [3, 3]]), "InputGradient", "InputGradient", "Transpose Slice Reshape Pad Concat MatMul"],
  [convolution("image", "flipped", [1, 1], [[4, 3], [3, 2]], [2, 2]), "ConvTranspose", "ConvTranspose", "Transpose Slice Reshape Pad Concat MatMul"],
  [convolution("turned", "cotangent", [1, 1], [[0, 0], [0, 0]]), "Transpose KernelGradient", "Transpose KernelGradient", "Slice Reshape Concat Transpose FusedMatMul ReduceSum"],
  ...made.map((each, i) => [each, ...(madeOperators[i] ?? [])] as const),
  [heads, "Reshape Transpose MatMul", "Reshape Transpose FusedMatMul"],
  [scaleAndShift("square"), "Reshape BatchNormalization"],
  [scaleAndShift("line"), "Reshape Mul Add"],
  [(o, a) => o.where(o.compare("less", o.cast(a.row, "float64"), o.scalar(0, "float64")), a.x, scalarLike(o, a.x, 0)), "Cast Less Where", "Cast Less Where", "Less Where"],
  [convolution("turned", "cotangent", [2, 1], [[1, 1], [0, 1]]), "Pad Slice Reshape Concat Transpose FusedMatMul ReduceSum"],
]; // prettier-ignore

test("operators are those that are fastest there", () => {
  const found = chosen.map(([expression]) => {
    const [a, b, c] = (
      [
        ["float32", "inputs"],
        ["float32", "carry"],
        ["float64", "carry"],
      ] as const
    ).map(([dtype, place]) => {
      const { lowered } = plan(floats(dtype), place, [expression]);
      const names = topological(lowered).map(({ op }) => op);
      const kinds = new Set(names.filter((name) => name !== "argument" && name !== "constant"));
      return [...kinds].join(" ");
    });
    return c === b ? (b === a ? [a] : [a, b]) : [a, b, c];
  });
  expect(found).toEqual(chosen.map(([, ...names]) => names));
});

test("gradients in kernels are products where groups are slow", async () => {
  const named = floats("float32");
  const target = { groupedConvolutions: false };
  await compareAll(named, drawn(named), "carry", operators["convolutions"] ?? [], 2e-5, target);
});

test("what has no operator is refused with its types", () => {
  const bits: Operator = (o, a) => o.bitcast(a.x, "int32");
  expect(() => plan(floats("float32"), "inputs", [bits])).toThrow("float32[4,3] → int32[4,3]");
  const pair: Operator = (o, a) => o.binary("nothing" as "add", a.x, a.row);
  expect(() => plan(floats("float32"), "inputs", [pair])).toThrow(
    "float32[4,3] × float32[3] → float32[4,3]",
  );
});
