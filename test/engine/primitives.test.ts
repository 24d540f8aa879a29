/**
 * Every primitive on random shapes and values: the native engine against jax-js's interpreter
 * (`cpu` backend, float64), and derivatives against finite differences of the native value.
 */
import {
  defaultDevice,
  grad,
  init,
  jvp,
  lax,
  nn,
  numpy as np,
  random,
  valueAndGrad,
} from "@jax-js/jax";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { jaxDType, square } from "../../src/engine/arrays.ts";
import { compileNative } from "../../src/engine/native/index.ts";
import { primitives } from "../../src/engine/native/graph/primitives.ts";
import { traceFunction } from "../../src/engine/trace.ts";
import {
  leavesOf,
  tensor,
  type DType,
  type Tensor,
  type TensorType,
} from "../../src/engine/tensor.ts";
import { numbers } from "./steps.ts";

type F = (...x: np.Array[]) => np.Array | np.Array[];

interface Case {
  /** Shapes of the arguments, drawn at random. */
  readonly shapes: fc.Arbitrary<number[][]>;
  readonly f: F;
  /** Range of the values; default [−2, 2). */
  readonly range?: readonly [number, number];
  readonly dtypes?: readonly DType[];
  /** Whether to check the derivative too; default true. */
  readonly smooth?: boolean;
  /** Relative tolerance; default 1e-12. Larger where jax-js itself approximates. */
  readonly tolerance?: number;
}

const side = fc.integer({ min: 1, max: 4 });
const shape = fc.array(side, { maxLength: 3 });
const one = shape.map((s) => [s]);
const atLeast = (rank: number) => fc.array(side, { minLength: rank, maxLength: 3 }).map((s) => [s]);
/** Two shapes that broadcast. */
const pair = fc
  .tuple(shape, fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), fc.boolean(), fc.nat(2))
  .map(([s, narrow, swap, cut]) => {
    const other = s.map((n, i) => (narrow[i] ? 1 : n)).slice(Math.min(cut, s.length));
    return swap ? [other, s] : [s, other];
  });
const fixed = (...shapes: number[][]) => fc.constant(shapes);

const first =
  (f: (x: np.Array) => np.Array): F =>
  (x) =>
    f(x);
const both =
  (f: (x: np.Array, y: np.Array) => np.Array): F =>
  (x, y) =>
    f(x, y);

const cases: Record<string, Case> = {
  // Arithmetic
  add: { shapes: pair, f: both(np.add) },
  subtract: { shapes: pair, f: both(np.subtract) },
  multiply: { shapes: pair, f: both(np.multiply) },
  divide: { shapes: pair, f: both(np.divide), range: [0.5, 2] },
  "divide by negatives": { shapes: pair, f: both(np.divide), range: [-2, -0.5] },
  maximum: { shapes: pair, f: both(np.maximum) },
  minimum: { shapes: pair, f: both(np.minimum) },
  floorDivide: { shapes: pair, f: both(np.floorDivide), range: [0.5, 9], smooth: false },
  remainder: { shapes: pair, f: both(np.remainder), range: [0.5, 9], smooth: false },
  fmod: { shapes: pair, f: both(np.fmod), range: [-9, -0.5], smooth: false },
  negative: { shapes: one, f: first(np.negative) },
  reciprocal: { shapes: one, f: first(np.reciprocal), range: [0.25, 3] },
  floor: { shapes: one, f: first(np.floor), smooth: false },
  ceil: { shapes: one, f: first(np.ceil), smooth: false },
  trunc: { shapes: one, f: first(np.trunc), smooth: false },
  sin: { shapes: one, f: first(np.sin) },
  cos: { shapes: one, f: first(np.cos) },
  arcsin: { shapes: one, f: first(np.arcsin), range: [-0.95, 0.95] },
  "arcsin near 1": { shapes: one, f: first(np.arcsin), range: [0.9999, 1], smooth: false },
  arctan: { shapes: one, f: first(np.arctan), range: [-30, 30] },
  exp: { shapes: one, f: first(np.exp) },
  log: { shapes: one, f: first(np.log), range: [0.1, 4] },
  sqrt: { shapes: one, f: first(np.sqrt), range: [0.1, 4] },
  absolute: { shapes: one, f: first(np.absolute) },
  sign: { shapes: one, f: first(np.sign), smooth: false },
  square: { shapes: one, f: first(np.square) },
  // jax-js's erf is a five-term approximation (1.5e-7); special.test.ts checks ours.
  erf: { shapes: one, f: first(lax.erf), tolerance: 1e-6 },
  erfc: { shapes: one, f: first(lax.erfc), tolerance: 1e-6 },

  // Idioms
  tanh: { shapes: one, f: first(np.tanh) },
  sigmoid: { shapes: one, f: first(nn.sigmoid) },
  silu: { shapes: one, f: first(nn.silu) },
  // Eagerly, its constants are float32; float64.test.ts checks ours.
  gelu: { shapes: one, f: first(nn.gelu), tolerance: 1e-7 },
  softplus: { shapes: one, f: first(nn.softplus) },
  relu: { shapes: one, f: first(nn.relu) },
  leakyRelu: { shapes: one, f: (x) => nn.leakyRelu(x, 0.25) },
  softmax: { shapes: atLeast(1), f: (x) => nn.softmax(x, -1) },
  "softmax over the first axis": { shapes: atLeast(2), f: (x) => nn.softmax(x, 0) },
  logSoftmax: { shapes: atLeast(1), f: (x) => nn.logSoftmax(x, -1) },
  logsumexp: { shapes: atLeast(1), f: (x) => nn.logsumexp(x, -1) },
  standardize: { shapes: fixed([3, 4]), f: (x) => nn.standardize(x, -1) },
  "tanh of tanh": { shapes: one, f: (x) => np.tanh(np.tanh(x)) },

  // Reductions and contractions
  sum: { shapes: atLeast(2), f: (x) => np.sum(x, 0) },
  "sum of all": { shapes: one, f: (x) => np.sum(x) },
  // Of 2ⁿ numbers: jax-js rounds 1/n to float32 when it traces, not when it interprets.
  mean: { shapes: fixed([2, 4]), f: (x) => np.mean(x, [0, 1]) },
  max: { shapes: atLeast(1), f: (x) => np.max(x, -1) },
  min: { shapes: atLeast(2), f: (x) => np.min(x, 0, { keepdims: true }) },
  prod: { shapes: atLeast(1), f: (x) => np.prod(x, 0) },
  std: { shapes: fixed([4, 3]), f: (x) => np.std(x, 0) },
  "sum of squares": { shapes: atLeast(2), f: (x) => np.sum(square(x), 0) },
  "sum of squares that keeps the axis": {
    shapes: atLeast(2),
    f: (x) => np.sum(square(x), 1, { keepdims: true }),
  },
  "largest square": { shapes: atLeast(2), f: (x) => np.max(square(x), 0) },
  "least square": { shapes: atLeast(2), f: (x) => np.min(square(x), 0) },
  "product of squares": { shapes: atLeast(2), f: (x) => np.prod(square(x), 0) },
  "squares and their sum": {
    shapes: atLeast(2),
    f: (x) => {
      const squares = square(x);
      return np.multiply(squares.ref, np.sum(squares));
    },
  },
  "sum of products": {
    shapes: pair,
    f: (x, y) => np.sum(np.multiply(x, y)),
  },
  "product with a broadcast factor": {
    shapes: fixed([3, 1, 4], [1, 2, 4]),
    f: (x, y) => np.sum(np.multiply(x, y), -1),
  },
  dot: {
    shapes: fc.tuple(side, side, side).map(([m, k, n]) => [
      [m, k],
      [k, n],
    ]),
    f: both(np.dot),
  },
  "dot of vectors": { shapes: side.map((k) => [[k], [k]]), f: both(np.dot) },
  matmul: {
    shapes: fc.tuple(side, side, side, side).map(([b, m, k, n]) => [
      [b, m, k],
      [b, k, n],
    ]),
    f: both(np.matmul),
  },
  "matmul with a shared matrix": {
    shapes: fc.tuple(side, side, side, side).map(([b, m, k, n]) => [
      [b, m, k],
      [k, n],
    ]),
    f: both(np.matmul),
  },
  einsum: {
    shapes: fc.tuple(side, side, side, side).map(([b, l, s, h]) => [
      [b, l, 2, h],
      [b, s, 2, h],
    ]),
    f: (x, y) => np.einsum("blnh,bsnh->bnls", x, y),
  },
  "einsum over two axes": {
    shapes: fixed([2, 3, 4], [3, 4, 5]),
    f: (x, y) => np.einsum("bij,ijk->kb", x, y),
  },
  outer: { shapes: fixed([3], [4]), f: both(np.outer) },
  attention: {
    shapes: fixed([2, 3, 2, 4], [2, 3, 2, 4], [2, 3, 2, 4]),
    f: (q, k, v) => nn.dotProductAttention(q, k, v, { isCausal: true }),
  },

  // Convolution and pooling
  convolve: {
    shapes: fc.tuple(side, side, side).map(([n, c, o]) => [
      [n, c, 5, 6],
      [o, c, 3, 2],
    ]),
    f: (x, k) => lax.convGeneralDilated(x, k, [1, 1], "SAME"),
  },
  "convolve with strides": {
    shapes: fc.tuple(side, side, side).map(([n, c, o]) => [
      [n, c, 6, 7],
      [o, c, 3, 3],
    ]),
    f: (x, k) =>
      lax.convGeneralDilated(
        x,
        k,
        [2, 3],
        [
          [1, 0],
          [2, 1],
        ],
      ),
  },
  "convolve with dilations": {
    shapes: fixed([2, 2, 5, 5], [3, 2, 2, 3]),
    f: (x, k) =>
      lax.convGeneralDilated(
        x,
        k,
        [1, 2],
        [
          [1, 1],
          [0, 2],
        ],
        {
          lhsDilation: [2, 1],
          rhsDilation: [1, 2],
        },
      ),
  },
  "convolve 1-D": {
    shapes: fixed([2, 3, 7], [2, 3, 3]),
    f: (x, k) => lax.conv(x, k, [2], "VALID"),
  },
  "convolve in groups": {
    shapes: fixed([2, 4, 5, 5], [4, 2, 3, 3]),
    f: (x, k) =>
      lax.convGeneralDilated(x, k, [1, 1], "SAME", {
        featureGroupCount: 2,
      }),
  },
  "max pooling": {
    shapes: fixed([2, 2, 4, 6]),
    f: (x) => lax.reduceWindow(x, (w) => np.max(w), [2, 2], [2, 2]),
  },
  "mean pooling that overlaps": {
    shapes: fixed([2, 1, 5, 6]),
    f: (x) => lax.reduceWindow(x, (w) => np.mean(w), [2, 2], [2, 1]),
  },
  "max pooling that overlaps": {
    shapes: fixed([1, 2, 5, 5]),
    f: (x) => lax.reduceWindow(x, (w) => np.max(w), [3, 3], [1, 2]),
  },

  // Choice
  where: {
    shapes: pair,
    f: (x, y) => np.where(np.less(x.ref, y.ref), np.sin(x), np.multiply(y, y.ref)),
  },
  comparisons: {
    shapes: pair,
    f: (x, y) =>
      [np.less, np.lessEqual, np.greater, np.greaterEqual, np.equal, np.notEqual].map((compare) =>
        compare(np.floor(x.ref), np.floor(y.ref)).astype(jaxDType.int32),
      ),
    smooth: false,
  },
  clip: { shapes: one, f: (x) => np.clip(x, -1, 1) },
  logic: {
    shapes: pair,
    f: (x, y) => {
      const [a, b] = [np.less(x, 0), np.less(y, 0)];
      return [np.logicalAnd(a.ref, b.ref), np.logicalOr(a.ref, b.ref), np.logicalXor(a, b)];
    },
    smooth: false,
  },
  "any and all": {
    shapes: atLeast(2),
    f: (x) => [np.any(np.less(x.ref, 0), 0), np.all(np.less(x, 1), -1)],
    smooth: false,
  },

  // Views
  transpose: { shapes: atLeast(2), f: (x) => np.sin(np.transpose(x)) },
  reshape: {
    shapes: fixed([2, 3, 4]),
    f: (x) => np.transpose(np.reshape(np.transpose(x, [1, 0, 2]), [6, 4])),
  },
  broadcast: { shapes: fixed([3, 1]), f: (x) => np.broadcastTo(np.exp(x), [2, 3, 4]) },
  flip: { shapes: atLeast(2), f: (x) => np.flip(x, [0, -1]) },
  slice: { shapes: fixed([4, 5]), f: (x) => x.slice([1, 3], [0, 4]) },
  pad: {
    shapes: fixed([2, 3]),
    f: (x) =>
      np.pad(x, [
        [1, 2],
        [0, 1],
      ]),
  },
  concatenate: {
    shapes: fixed([2, 3], [4, 3]),
    f: (x, y) => np.concatenate([np.exp(x), y], 0),
  },
  split: {
    shapes: fixed([5, 2]),
    f: (x) => {
      const [a, b] = np.split(x, [2], 0) as [np.Array, np.Array];
      return np.add(np.sum(np.exp(a)), np.sum(np.sin(b)));
    },
  },
  stack: { shapes: fixed([3], [3]), f: (x, y) => np.stack([x, y], 1) },
  tile: { shapes: fixed([2, 3]), f: (x) => np.tile(x, [2, 2]) },
  triu: { shapes: fixed([3, 4]), f: (x) => np.triu(x) },

  // Indexing and order
  take: {
    shapes: fixed([5, 3]),
    f: (x) => np.take(x, np.array([4, 0, 0, 2], { dtype: jaxDType.int32 }), 0),
  },
  "take from the last axis": {
    shapes: fixed([3, 5]),
    f: (x) => np.take(x, np.array([4, 0, 0, 2], { dtype: jaxDType.int32 }), 1),
  },
  "take blocks from a middle axis": {
    shapes: fixed([2, 5, 3]),
    f: (x) => {
      const places = [
        [4, 0],
        [1, 1],
        [3, 2],
      ];
      return np.take(x, np.array(places, { dtype: jaxDType.int32 }), 1);
    },
  },
  "rows by two indices": {
    shapes: fixed([4, 5, 3]),
    f: (x) =>
      x.slice(
        np.array(
          [
            [3, 0],
            [1, 3],
          ],
          { dtype: jaxDType.int32 },
        ),
        [],
        np.array([2, 1], { dtype: jaxDType.int32 }),
      ),
  },
  takeAlongAxis: {
    shapes: fixed([3, 4]),
    f: (x) => np.takeAlongAxis(x.ref, np.argsort(np.multiply(x, -1), -1), -1),
  },
  oneHot: {
    shapes: fixed([3, 4]),
    f: (x) =>
      np.multiply(
        nn.oneHot(np.array([2, 0, 3], { dtype: jaxDType.int32 }), 4).astype(x.dtype),
        np.exp(x),
      ),
  },
  sort: { shapes: atLeast(1), f: (x) => np.sort(x, -1) },
  argsort: { shapes: atLeast(1), f: (x) => np.argsort(x, -1), smooth: false },
  argmax: { shapes: atLeast(1), f: (x) => np.argmax(x, -1), smooth: false },
  topK: { shapes: fixed([3, 4]), f: (x) => lax.topK(x, 2), smooth: false },
  cumsum: { shapes: fixed([3, 4]), f: (x) => np.cumsum(x, 1) },

  // Types and bits
  "float32 among float64": {
    shapes: pair,
    f: (x, y) => np.multiply(np.where(np.less(x, 0), 1, -1), y),
  },
  casts: {
    shapes: one,
    f: (x) => [
      x.ref.astype(jaxDType.int32),
      np.multiply(x.ref, 1e10).astype(jaxDType.int32),
      x.ref.astype(jaxDType.float32),
      np.absolute(x).astype(jaxDType.uint32),
    ],
    range: [-9, 9],
    smooth: false,
  },
  integers: {
    shapes: pair,
    f: (x, y) => [
      np.add(x.ref, y.ref),
      np.multiply(x.ref, y.ref),
      np.bitwiseAnd(x.ref, y.ref),
      np.bitwiseOr(x.ref, y.ref),
      np.bitwiseXor(x.ref, y.ref),
      np.leftShift(x.ref, np.array(3, { dtype: x.dtype })),
      np.maximum(x.ref, y.ref),
      np.negative(x.ref),
      np.sum(x),
      np.less(y, 3),
    ],
    dtypes: ["int32", "int32"],
    range: [-100, 100],
    smooth: false,
  },
  // jax-js 0.1.25 loses the low bits of products above 2⁵³.
  "unsigned products": {
    shapes: pair,
    f: both(np.multiply),
    dtypes: ["uint32", "uint32"],
    range: [0, 2 ** 24],
    smooth: false,
  },
  "unsigned integers": {
    shapes: pair,
    f: (x, y) => [
      np.add(x.ref, y.ref),
      np.bitwiseXor(x.ref, y.ref),
      np.leftShift(x.ref, np.array(7, { dtype: x.dtype })),
      np.rightShift(x.ref, np.array(3, { dtype: x.dtype })),
      np.where(np.less(x.ref, y.ref), x, y),
    ],
    dtypes: ["uint32", "uint32"],
    range: [0, 2 ** 32],
    smooth: false,
  },
  "random bits": {
    shapes: fixed([2]),
    f: (key) => {
      const [a, b] = np.split(random.split(key), 2, 0) as [np.Array, np.Array];
      return [
        random.bits(a.ref.reshape([2]), [3, 5]),
        random.uniform(a.reshape([2]), [7]),
        random.normal(b.reshape([2]), [2, 3]),
      ];
    },
    dtypes: ["uint32"],
    range: [0, 2 ** 32],
    smooth: false,
    tolerance: 1e-5,
  },
};

beforeAll(async () => {
  await init("cpu");
  defaultDevice("cpu");
});

const leaf = (value: np.Array | np.Array[]) => (Array.isArray(value) ? value : [value]);

function draw({ range = [-2, 2], dtypes }: Case, shapes: number[][], seed: number): Tensor[] {
  const next = numbers(seed);
  const [low, high] = range;
  return shapes.map((s, i) => {
    const dtype = dtypes?.[i] ?? "float64";
    const size = s.reduce((product, n) => product * n, 1);
    const values = Array.from({ length: size }, () => low + ((next() + 1) / 2) * (high - low));
    return tensor(dtype.startsWith("float") ? values : values.map(Math.floor), s, dtype);
  });
}

const toJax = ({ data, shape: s, dtype }: Tensor) =>
  np.array(data as Float64Array<ArrayBuffer>, { shape: [...s], dtype: jaxDType[dtype] });

/** Records of one step that only evaluates `f`. */
async function runNative(f: (x: np.Array[]) => np.Array[], inputs: Tensor[]): Promise<Tensor[]> {
  const program = await compileNative({
    step: (_, x) => ({ carry: {}, record: f(x as np.Array[]) }),
    carry: {},
    inputs: inputs.map(({ dtype, shape: s }): TensorType => ({ dtype, shape: s })),
    knobs: {},
  });
  const { records } = await program.run({ carry: {}, inputs, knobs: {}, steps: 1 });
  await program.dispose();
  return leavesOf(records);
}

function expectClose(
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
  what: string,
) {
  const scale = Math.max(1, ...Array.from(wanted, (v) => (Number.isFinite(v) ? Math.abs(v) : 0)));
  expect(got.length).toBe(wanted.length);
  Array.from(wanted).forEach((w, i) => {
    const difference = Object.is(got[i], w) ? 0 : Math.abs((got[i] ?? NaN) - w);
    if (!(difference <= tolerance * scale)) {
      expect.fail(`${what}[${i}]: native ${String(got[i])}, wanted ${w}`);
    }
  });
}

describe.each(Object.entries(cases))("%s", (_, example) => {
  const { shapes, f, smooth = true, tolerance = 1e-12 } = example;
  const property = (check: (inputs: Tensor[]) => Promise<void>) =>
    fc.assert(
      fc.asyncProperty(shapes, fc.nat(), (s, seed) => check(draw(example, s, seed))),
      { numRuns: 4, seed: 7 },
    );

  test("equals jax-js's interpreter", () =>
    property(async (inputs) => {
      const wanted = leaf(f(...inputs.map(toJax)));
      const got = await runNative((x) => leaf(f(...x.map((array) => array.ref))), inputs);
      expect(wanted.length).toBeGreaterThan(0);
      expect(got).toHaveLength(wanted.length);
      for (const [i, array] of wanted.entries()) {
        const { shape: s, dtype } = array;
        expect([got[i]?.shape.slice(1), got[i]?.dtype]).toEqual([s, dtype]);
        expectClose(got[i]?.data ?? [], await array.data(), tolerance, `result ${i}`);
      }
    }));

  if (!smooth) return;
  test("derivative equals finite differences and jax-js's", () =>
    property(async (inputs) => {
      const weigh = (...x: np.Array[]) => {
        const [y] = leaf(f(...x)) as [np.Array];
        const weights = np.add(np.sin(np.arange(y.size).astype(y.dtype)), 1.5).reshape(y.shape);
        return np.sum(np.multiply(y, weights));
      };
      const directions = inputs.map(
        (x, i) => draw({ ...example, range: [-1, 1] }, [[...x.shape]], i)[0] as Tensor,
      );
      const n = inputs.length;
      const [step] = [1e-5];
      const at = (x: np.Array[], h: number) =>
        x
          .slice(0, n)
          .map((xi, i) =>
            np.add(
              xi.ref,
              np.multiply((x[n + i] as np.Array).ref, np.array(h, { dtype: xi.dtype })),
            ),
          );
      const slope = (x: np.Array[]) => {
        const argnums = inputs.map((_, i) => i);
        const [, gradients] = valueAndGrad(weigh, { argnums })(...at(x, 0)) as [
          np.Array,
          np.Array[],
        ];
        return gradients
          .map((g, i) => np.sum(np.multiply(g, (x[n + i] as np.Array).ref)))
          .reduce((a, b) => np.add(a, b));
      };
      const [reverse, forward, ahead, behind] = (
        await runNative(
          (x) => [
            slope(x),
            jvp(
              weigh,
              at(x, 0),
              x.slice(n).map((v) => v.ref),
            )[1],
            weigh(...at(x, step)),
            weigh(...at(x, -step)),
          ],
          [...inputs, ...directions],
        )
      ).map(({ data }) => data[0] ?? NaN) as [number, number, number, number];
      const wanted = (await slope([...inputs, ...directions].map(toJax)).data())[0] as number;
      expectClose([reverse, forward], [wanted, wanted], Math.max(tolerance, 1e-11), "derivative");
      expectClose([reverse], [(ahead - behind) / (2 * step)], 1e-6, "slope");
    }));
});

test("every primitive in the table appears in a case", async () => {
  const met = new Set<string>();
  for (const example of Object.values(cases)) {
    const [s = []] = fc.sample(example.shapes, { numRuns: 1, seed: 7 });
    const inputs = draw(example, s, 0);
    const { f, smooth = true } = example;
    const derive = (...x: np.Array[]) => {
      const total = (...y: np.Array[]) => np.sum(leaf(f(...y))[0] as np.Array);
      return smooth ? [grad(total)(...x)] : [];
    };
    const { jaxpr } = await traceFunction(
      (...x) => [...leaf(f(...x.map((a) => a.ref))), ...derive(...x)],
      inputs,
    );
    for (const { primitive } of jaxpr.eqns) met.add(primitive);
  }
  expect(Object.keys(primitives).filter((name) => !met.has(name))).toEqual([]);
});
