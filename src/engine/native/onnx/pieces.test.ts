/** Large values in pieces: numbers against plain float64 loops, and what is computed in pieces. */
import { fromBinary } from "@bufbuild/protobuf";
import { nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import { ModelProtoSchema, type GraphProto } from "onnx-buf";
import { describe, expect, test } from "vitest";
import type { ArrayTree, StepDefinition } from "../../program.ts";
import { randomStream } from "../../random.ts";
import { leavesOf, typesOf, wrap, type Tensor } from "../../tensor.ts";
import { traceStep } from "../../trace.ts";
import { compileNative, compileToOnnx } from "../index.ts";
import { portable } from "./layout.ts";

const draw = randomStream(0, "pieces");
const random = (...shape: number[]): Tensor =>
  wrap(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => draw.uniform(-1, 1)),
    shape,
    "float32",
  );

type Arrays = { readonly [name: string]: np.Array };
type Numbers = { readonly [name: string]: Float64Array };

/** Loss and gradient of `loss` in the carry, which stays as it is. */
function stepOf(
  loss: (params: Arrays, given: Arrays) => np.Array,
  carry: { [name: string]: Tensor },
  inputs: { [name: string]: Tensor },
): StepDefinition {
  return {
    step(params, given) {
      const [value, gradient] = valueAndGrad((p: ArrayTree) => loss(p as Arrays, given as Arrays))(
        Object.fromEntries(Object.entries(params as Arrays).map(([name, x]) => [name, x.ref])),
      ) as [np.Array, ArrayTree];
      return { carry: params, record: { gradient, value } };
    },
    carry: typesOf(carry),
    inputs: typesOf(inputs),
    knobs: {},
  };
}

/** How many values the loop cuts into pieces. */
async function cuts(definition: StepDefinition, cachesPieces: boolean): Promise<number> {
  const write = await compileToOnnx(await traceStep(definition));
  const { graph } = fromBinary(ModelProtoSchema, write({ ...portable, cachesPieces }).bytes);
  const loop = (graph as GraphProto).node.find(({ opType }) => opType === "Loop");
  const [body] = loop?.attribute.flatMap(({ g }) => g ?? []) ?? [];
  return body?.node.filter(({ opType }) => opType === "Split").length ?? 0;
}

const doubles = (tensors: { [name: string]: Tensor }): Numbers =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { data }]) => [name, Float64Array.from(data, Number)]),
  );

/** a·b of [n, k] and [k, m], either read transposed. */
function times(
  a: Float64Array,
  b: Float64Array,
  [n, k, m]: readonly [number, number, number],
  { turnA = false, turnB = false } = {},
): Float64Array {
  const result = new Float64Array(n * m);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < k; j++) {
      const left = a[turnA ? j * n + i : i * k + j] as number;
      for (let c = 0; c < m; c++)
        result[i * m + c] =
          (result[i * m + c] as number) + left * (b[turnB ? c * k + j : j * m + c] as number);
    }
  return result;
}

/** Sizes of two layers. */
interface Layers {
  readonly rows: number;
  readonly units: number;
}
const [width, outputs] = [6, 3];

function layers({ rows, units }: Layers) {
  const carry = {
    first: random(width, units),
    bias: random(units),
    second: random(units, outputs),
    shift: random(rows, width),
  };
  const inputs = { x: random(rows, width) };
  // Σ (tanh(½((x + s)·W + b))·V)² / rows, with x + s for rows that a step changes.
  const loss = (p: Arrays, { x }: Arrays) => {
    const { first, bias, second, shift } = p;
    const inner = np.add(
      np.matmul(np.add(x as np.Array, shift as np.Array), first as np.Array),
      bias as np.Array,
    );
    const y = np.matmul(np.tanh(np.multiply(inner, 0.5)), second as np.Array);
    return np.multiply(np.sum(np.square(y)), 1 / rows);
  };
  const wanted = ({ x, first, bias, second, shift }: Numbers) => {
    const moved = (x as Float64Array).map((value, i) => value + (shift?.[i] ?? NaN));
    const inner = times(moved, first as Float64Array, [rows, width, units]);
    const h = inner.map((value, i) => Math.tanh((value + (bias?.[i % units] ?? NaN)) / 2));
    const y = times(h, second as Float64Array, [rows, units, outputs]);
    const dy = y.map((value) => (2 * value) / rows);
    const dh = times(dy, second as Float64Array, [rows, outputs, units], { turnB: true });
    const dz = dh.map((value, i) => (value * (1 - (h[i] as number) ** 2)) / 2);
    const sums = new Float64Array(units);
    dz.forEach((value, i) => (sums[i % units] = (sums[i % units] as number) + value));
    return {
      bias: sums,
      first: times(moved, dz, [width, rows, units], { turnA: true }),
      second: times(h, dy, [units, rows, outputs], { turnA: true }),
      shift: times(dz, first as Float64Array, [rows, units, width], { turnB: true }),
      value: [y.reduce((sum, value) => sum + value * value, 0) / rows],
    };
  };
  return { carry, inputs, loss, wanted };
}

function attention() {
  const [heads, tokens, size] = [64, 128, 4];
  const carry = {
    key: random(heads, tokens, size),
    query: random(heads, tokens, size),
    value: random(heads, tokens, size),
  };
  const loss = (p: Arrays) => {
    const { key, query, value } = p;
    const scores = np.matmul(query as np.Array, np.matrixTranspose(key as np.Array));
    const seen = np.matmul(nn.softmax(scores, -1), value as np.Array);
    return np.multiply(np.sum(np.square(seen)), 1 / heads);
  };
  const wanted = ({ key, query, value }: Numbers) => {
    const length = heads * tokens * size;
    const gradient = {
      key: new Float64Array(length),
      query: new Float64Array(length),
      value: new Float64Array(length),
      loss: [0],
    };
    for (let head = 0; head < heads; head++) {
      const [from, to] = [head * tokens * size, (head + 1) * tokens * size];
      const [k, q, v] = [key, query, value].map((x) => (x as Float64Array).subarray(from, to)) as [
        Float64Array,
        Float64Array,
        Float64Array,
      ];
      const p = times(q, k, [tokens, size, tokens], { turnB: true }).map(Math.exp);
      for (let i = 0; i < tokens; i++) {
        const row = p.subarray(i * tokens, (i + 1) * tokens);
        const sum = row.reduce((a, b) => a + b);
        row.forEach((x, j) => (row[j] = x / sum));
      }
      const seen = times(p, v, [tokens, tokens, size]);
      gradient.loss[0] =
        (gradient.loss[0] as number) + seen.reduce((sum, x) => sum + x * x, 0) / heads;
      const cotangent = seen.map((x) => (2 * x) / heads);
      gradient.value.set(times(p, cotangent, [tokens, tokens, size], { turnA: true }), from);
      const dp = times(cotangent, v, [tokens, size, tokens], { turnB: true });
      const ds = dp.map((x, i) => {
        const row = Math.floor(i / tokens) * tokens;
        let mean = 0;
        for (let j = row; j < row + tokens; j++) mean += (p[j] as number) * (dp[j] as number);
        return (p[i] as number) * (x - mean);
      });
      gradient.query.set(times(ds, k, [tokens, tokens, size]), from);
      gradient.key.set(times(ds, q, [tokens, tokens, size], { turnA: true }), from);
    }
    const { loss: total, ...rest } = gradient;
    return { ...rest, total };
  };
  return { carry, inputs: {}, loss, wanted };
}

describe.each([
  ["two layers of 4096 rows and 256 units", layers({ rows: 4096, units: 256 }), true],
  ["two layers with rows that do not come apart", layers({ rows: 4099, units: 256 }), false],
  ["attention of 64 heads and 128 tokens", attention(), true],
])("%s", (_, { carry, inputs, loss, wanted }, isCut) => {
  const definition = stepOf(loss, carry, inputs);

  test("numbers", async () => {
    const program = await compileNative(definition);
    const { records } = await program.run({ carry, inputs, knobs: {}, steps: 1 });
    await program.dispose();
    const found = leavesOf(records);
    const all = Object.values<ArrayLike<number>>(wanted(doubles({ ...carry, ...inputs })));
    expect(found).toHaveLength(all.length);
    found.forEach(({ data }, leaf) => {
      const right = all[leaf] as ArrayLike<number>;
      const scale = Array.from(right, Math.abs).reduce((most, x) => Math.max(most, x), 0);
      const error = Array.from<number, number>(data, (x, i) => Math.abs(x - (right[i] ?? NaN)))
        // One by one: these are more than a call takes arguments.
        .reduce((most, x) => Math.max(most, x), 0);
      expect(data).toHaveLength(right.length);
      expect(error / scale).toBeLessThan(1e-5);
    });
  });

  test(isCut ? "is computed in pieces" : "is computed in one", async () => {
    expect((await cuts(definition, true)) > 0).toBe(isCut);
    expect(await cuts(definition, false)).toBe(0);
  });
});

test("a value that one operator reads stays whole", async () => {
  const definition: StepDefinition = {
    step: (carry) => ({
      carry: { x: np.tanh((carry as { x: np.Array }).x) },
      record: {},
    }),
    carry: { x: { dtype: "float32", shape: [4096, 256] } },
    inputs: {},
    knobs: {},
  };
  expect(await cuts(definition, true)).toBe(0);
});
