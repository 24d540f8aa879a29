/**
 * Convolutional networks on the native engine, in blocks of channels and not, and exported, against the jax
 * engine, which shares no lowering with it: values and gradients in images, kernels, scales and
 * shifts.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { lax, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import { ModelProtoSchema, type GraphProto } from "onnx-buf";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { compileJax } from "../../src/engine/jax.ts";
import { compileNative, compileToOnnx } from "../../src/engine/native/index.ts";
import { portable } from "../../src/engine/native/onnx/layout.ts";
import { loadRuntime } from "../../src/engine/native/runtime.ts";
import { targetOf } from "../../src/engine/native/target.ts";
import type { ProgramResult, StepDefinition } from "../../src/engine/program.ts";
import { leavesWithPaths, type Tensor, type Tree } from "../../src/engine/tensor.ts";
import { traceStep } from "../../src/engine/trace.ts";
import { fill, type Float } from "./steps.ts";

interface Case {
  readonly batch?: number;
  /** Channels of the images, between the convolutions, and of the result. */
  readonly channels: readonly [number, number, number];
  readonly side?: readonly [number, number];
  readonly kernel?: readonly [number, number];
  readonly stride?: readonly [number, number];
  /** Zeros before and after each axis. */
  readonly padding?: [[number, number], [number, number]];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
  readonly dtype?: Float;
}

/** Multiples of 16 are multiples of every processor's block. */
const cases: Readonly<Record<string, Case>> = {
  "whole blocks": { channels: [16, 32, 16] },
  "whole blocks, batch 1": { channels: [16, 16, 32], batch: 1 },
  "whole blocks, odd batch": { channels: [16, 16, 16], batch: 3 },
  "whole blocks, more images than a block and no multiple": { channels: [16, 16, 16], batch: 21 },
  "few channels first, images likewise": { channels: [3, 16, 32], batch: 18, side: [4, 4] },
  "many channels, images likewise": { channels: [48, 64, 48], batch: 20, side: [4, 4] },
  "few channels first": { channels: [3, 16, 32] },
  "one channel": { channels: [1, 16, 16] },
  "channels that are no multiple of a block": { channels: [20, 24, 10] },
  "blocks in, none out": { channels: [16, 32, 10] },
  "none in, blocks out": { channels: [20, 16, 32] },
  "fewer channels than a block": { channels: [3, 5, 2] },
  "stride 2": { channels: [16, 16, 32], stride: [2, 2], side: [6, 6] },
  "stride 2 on odd sides": { channels: [16, 32, 16], stride: [2, 2], side: [7, 5] },
  "strides 2 and 3": { channels: [32, 16, 16], stride: [2, 3], side: [8, 9] },
  "stride 2, no blocks": { channels: [6, 10, 6], stride: [2, 2], side: [7, 6] },
  "stride 1, kernel 1": { channels: [16, 32, 16], kernel: [1, 1], padding: [[0, 0], [0, 0]] },
  "stride 2, kernel 1": {
    channels: [16, 32, 16], kernel: [1, 1], padding: [[0, 0], [0, 0]], stride: [2, 2], side: [8, 8],
  },
  "kernel 5 × 3": { channels: [16, 16, 16], kernel: [5, 3], padding: [[2, 2], [1, 1]] },
  "kernel of even sides, uneven padding": {
    channels: [16, 32, 16], kernel: [2, 4], padding: [[1, 0], [2, 1]],
  },
  "no padding": { channels: [16, 16, 32], padding: [[0, 0], [0, 0]], side: [7, 8] },
  "more padding than the kernel's reach": { channels: [16, 16, 16], padding: [[3, 2], [2, 4]] },
  "dilated": { channels: [16, 16, 16], dilation: [2, 1], padding: [[2, 2], [1, 1]], side: [7, 6] },
  "groups": { channels: [32, 32, 64], groups: 2 },
  "groups of few channels": { channels: [4, 6, 4], groups: 2 },
  "many channels: several images per group": { channels: [48, 64, 48], batch: 4, side: [4, 4] },
  "many channels, no blocks": { channels: [50, 60, 50], batch: 4, side: [4, 4] },
  "float64": { channels: [2, 4, 3], dtype: "float64" },
  "float64, whole blocks": {
    channels: [16, 16, 16], dtype: "float64", kernel: [1, 1], padding: [[0, 0], [0, 0]], side: [3, 2],
  },
  "float64, stride 2": { channels: [3, 2, 4], dtype: "float64", stride: [2, 2], side: [7, 6] },
}; // prettier-ignore

const type = (dtype: Float, ...shape: number[]) => ({ dtype, shape });

interface Layer {
  kernel: np.Array;
  gain: np.Array;
  offset: np.Array;
}

/**
 * A step on params = { first, second }: convolution, batch norm, scale and shift, ReLU, a second
 * convolution, a residual where shapes allow it, and a mean over positions. The loss weighs the
 * results unevenly. The new carry is a descent with momentum, so that kernels go from step to step.
 */
function stepOf(example: Case): { definition: StepDefinition; data: Record<string, Tree<Tensor>> } {
  const { batch = 2, channels, side = [5, 6], kernel = [3, 3], dtype = "float32" } = example;
  const { stride = [1, 1], padding = [[1, 1], [1, 1]], dilation = [1, 1], groups = 1 } = example; // prettier-ignore
  const [given, inner, outer] = channels;
  // The loss is a sum over images: of many, steps as long would magnify rounding in the second one.
  const rate = 0.01 * Math.min(1, 4 / batch);
  const layer = (from: number, to: number) => ({
    kernel: type(dtype, to, from / groups, ...kernel),
    gain: type(dtype, to, 1, 1),
    offset: type(dtype, to, 1, 1),
  });
  const params = { first: layer(given, inner), second: layer(inner, outer) };
  const convolve = (x: np.Array, k: np.Array, by: readonly number[]) =>
    lax.convGeneralDilated(x, k, [...by], padding, {
      rhsDilation: [...dilation],
      featureGroupCount: groups,
    });
  const number = (value: number, like: np.Array) => np.array(value, { dtype: like.dtype });
  const normalized = (y: np.Array, { gain, offset }: Layer) => {
    const centered = np.subtract(y.ref, np.mean(y, [0, 2, 3], { keepdims: true }));
    const variance = np.mean(np.square(centered.ref), [0, 2, 3], { keepdims: true });
    const deviation = np.sqrt(np.add(variance, number(1e-2, y)));
    return np.add(np.multiply(np.divide(centered, deviation), gain), offset);
  };
  const loss = (p: { first: Layer; second: Layer }, x: np.Array) => {
    const hidden = nn.relu(normalized(convolve(x, p.first.kernel, stride), p.first));
    const again = normalized(convolve(hidden.ref, p.second.kernel, [1, 1]), p.second);
    const isSame = String(again.shape) === String(hidden.shape);
    const y = isSame ? np.add(again, hidden) : again;
    const weights = np.sin(np.arange(y.size).astype(y.dtype)).reshape(y.shape);
    const features = np.mean(np.square(nn.relu(y.ref)), [2, 3]);
    return np.add(np.sum(np.multiply(y, weights)), np.sum(features));
  };
  return {
    definition: {
      step(carry, inputs) {
        const { p, velocity } = carry as unknown as { p: never; velocity: Tree<np.Array> };
        const { x } = inputs as { x: np.Array };
        const own = mapArrays((a) => a.ref, p);
        const [value, [gradient, byImage]] = valueAndGrad(loss, { argnums: [0, 1] })(
          own as never,
          x,
        ) as unknown as [np.Array, [Tree<np.Array>, np.Array]];
        const moved = mapArrays(
          (v, g) => np.add(np.multiply(v, number(0.5, g)), g),
          velocity,
          gradient,
        );
        return {
          carry: {
            p: mapArrays((a, v) => np.subtract(a, np.multiply(v.ref, number(rate, v))), p, moved),
            velocity: moved,
          },
          record: { value, byImage },
        };
      },
      carry: { p: params, velocity: params },
      inputs: { x: type(dtype, batch, given, ...side) },
      knobs: {},
    },
    data: {
      carry: { p: fill(params, 1, 0.5), velocity: fill(params, 2, 0.1) },
      inputs: fill({ x: type(dtype, batch, given, ...side) }, 3),
    },
  };
}

function mapArrays(f: (...x: np.Array[]) => np.Array, ...trees: Tree<np.Array>[]): Tree<np.Array> {
  const [first] = trees as [Tree<np.Array>];
  if (Object.getPrototypeOf(first) !== Object.prototype) return f(...(trees as np.Array[]));
  return Object.fromEntries(
    Object.keys(first).map((key) => [
      key,
      mapArrays(f, ...trees.map((tree) => (tree as Record<string, Tree<np.Array>>)[key] as never)),
    ]),
  );
}

/** Results by name: the carry after the last step and what that step records. */
function resultsOf({ carry, records }: ProgramResult): Map<string, ArrayLike<number>> {
  const results = new Map<string, ArrayLike<number>>();
  for (const [path, { data }] of leavesWithPaths(carry, "next")) results.set(path, data);
  for (const [path, { data }] of leavesWithPaths(records, "last")) {
    results.set(path, lastOf(data, steps));
  }
  return results;
}

const steps = 2;

function expectClose(
  got: ReadonlyMap<string, ArrayLike<number>>,
  wanted: typeof got,
  { dtype = "float32", batch = 2 }: Case,
) {
  const many = batch > 4;
  expect(wanted.size).toBe(14);
  for (const [path, values] of wanted) {
    const result = got.get(path) ?? [];
    const scale = Math.max(1e-6, ...Array.from(values, Math.abs));
    const difference = Math.max(
      ...Array.from(values, (value, i) => Math.abs(value - (result[i] ?? NaN))),
    );
    // In float32 the engines sum in different orders, and the second step magnifies it; sums over
    // many images cancel.
    const tolerance = dtype === "float64" ? 1e-10 : many ? 2e-3 : 2e-4;
    expect(difference / scale, path).toBeLessThan(tolerance);
  }
}

const lastOf = (data: ArrayLike<number>, steps: number) =>
  Array.from(data).slice(-(data.length / steps));

describe.each(Object.entries(cases))("%s", (_, example) => {
  test("two steps equal jax-js's, run here and exported", async () => {
    const { definition, data } = stepOf(example);
    const { carry, inputs } = data as { carry: Tree<Tensor>; inputs: Tree<Tensor> };
    const run = { carry, inputs, knobs: {}, steps, chunk: steps };
    const jax = await compileJax(definition);
    const wanted = resultsOf(await jax.run(run));
    await jax.dispose();

    const program = await compileNative(definition);
    expectClose(resultsOf(await program.run(run)), wanted, example);

    const bytes = program.toOnnx?.() ?? new Uint8Array();
    await program.dispose();
    expect([...domains(bytes)].filter((domain) => domain !== "com.microsoft")).toEqual([""]);
    const session = await InferenceSession.create(bytes);
    const feeds = [...leavesWithPaths(carry, "carry"), ...leavesWithPaths(inputs, "inputs")];
    const outputs = await session.run({
      ...Object.fromEntries(
        feeds.map(([path, t]) => [path, new OrtTensor(t.dtype, t.data as never, t.shape)]),
      ),
      steps: new OrtTensor("int64", BigInt64Array.of(BigInt(steps)), []),
    });
    await session.release();
    const exported = new Map<string, ArrayLike<number>>(
      Object.entries(outputs).map(([name, { data: values }]) =>
        name.startsWith("records")
          ? [name.replace("records", "last"), lastOf(values as Float32Array, steps)]
          : [name, values as Float32Array],
      ),
    );
    expectClose(exported, wanted, example);
  }, 60_000);
});

function operators(graph: GraphProto | undefined): [domain: string, name: string][] {
  return (graph?.node ?? []).flatMap(({ domain, opType, attribute }) => [
    [domain, opType] as [string, string],
    ...attribute.flatMap(({ g }) => operators(g)),
  ]);
}

const graphOf = (bytes: Uint8Array) => fromBinary(ModelProtoSchema, bytes).graph;
const domains = (bytes: Uint8Array) => new Set(operators(graphOf(bytes)).map(([domain]) => domain));

describe("layout", () => {
  const written = async (example: Case, block: number | undefined) => {
    const write = await compileToOnnx(await traceStep(stepOf(example).definition));
    return operators(graphOf(write({ ...portable, block }).bytes)).map(([, name]) => name);
  };
  const count = (names: readonly string[], name: string) => names.filter((n) => n === name).length;

  test("images enter blocks once and leave them once per result in rows", async () => {
    const names = await written({ channels: [16, 16, 16] }, 16);
    // In: x, and the weights of the loss. Out: the gradient in x.
    expect(count(names, "ReorderInput")).toBeLessThanOrEqual(2);
    expect(count(names, "ReorderOutput")).toBe(1);
    expect(count(names, "BatchNormalization")).toBe(0);
  });

  test("kernels and their velocities stay in blocks from step to step", async () => {
    const write = await compileToOnnx(
      await traceStep(stepOf({ channels: [16, 32, 16] }).definition),
    );
    const graph = graphOf(write({ ...portable, block: 16 }).bytes);
    const loop = graph?.node.find(({ opType }) => opType === "Loop");
    const inBlocks = loop?.output.filter((name) => name.endsWith("/blocks"));
    expect(inBlocks).toEqual([
      "next/p/first/kernel/blocks",
      "next/p/second/kernel/blocks",
      "next/velocity/first/kernel/blocks",
      "next/velocity/second/kernel/blocks",
    ]);
  });

  test("without blocks, or where none fits, operators are those of ONNX", async () => {
    for (const [example, block] of [
      [{ channels: [16, 16, 16] }, undefined],
      [{ channels: [20, 24, 10] }, 16],
    ] as const) {
      const names = await written(example, block);
      expect(names).not.toContain("ReorderInput");
      expect(count(names, "Conv")).toBeGreaterThan(0);
    }
  });

  test("the machine's block is probed for its CPU, and not asked of other providers", async () => {
    const runtime = await loadRuntime();
    const { block } = await targetOf(runtime, "cpu");
    expect([undefined, 8, 16]).toContain(block);
    expect(await targetOf(runtime, "webgpu")).toEqual({ groupedConvolutions: false });
  });
});
