/**
 * Plain numbers in float64 steps: as written, on both engines, or refused. jax-js by itself rounds
 * them to float32: its mean of 49 ones is 0.9999999795.
 */
import { grad, init, jit, nn, numpy as np, random } from "@jax-js/jax";
import { beforeAll, describe, expect, test } from "vitest";
import { compileJax } from "../../src/engine/jax.ts";
import { compileNative } from "../../src/engine/native/index.ts";
import type { StepDefinition } from "../../src/engine/program.ts";
import { leavesOf, tensor, typesOf, type DType } from "../../src/engine/tensor.ts";
import { operators } from "./operators.ts";

type Inputs = { x: np.Array; single: np.Array; whole: np.Array };

const values = Array.from({ length: 49 }, (_, i) => Math.sin(i));
const inputsOf = (dtype: DType) => ({
  x: tensor(values, [7, 7], dtype),
  single: tensor(values, [7, 7], "float32"),
  whole: tensor(
    values.map((_, i) => i),
    [7, 7],
    "int32",
  ),
});

const definition = (f: (inputs: Inputs) => np.Array, dtype: DType = "float64"): StepDefinition => ({
  step: (carry, inputs) => ({ carry, record: f(inputs as Inputs) }),
  carry: {},
  inputs: typesOf(inputsOf(dtype)),
  knobs: {},
});

async function evaluate(
  compile: typeof compileNative,
  f: (inputs: Inputs) => np.Array,
  dtype: DType = "float64",
): Promise<number[]> {
  const program = await compile(definition(f, dtype));
  const { records } = await program.run({
    carry: {},
    inputs: inputsOf(dtype),
    knobs: {},
    steps: 1,
  });
  await program.dispose();
  return [...(leavesOf(records)[0]?.data ?? [])];
}

const mean = (list: readonly number[]) => list.reduce((sum, v) => sum + v, 0) / list.length;
const tenth = jit((x: np.Array) => np.multiply(x, 0.1));

// jit keeps what it traced, and here it is traced before any step is.
beforeAll(async () => {
  await init("cpu");
  tenth(np.zeros([7, 7], { dtype: np.float64, device: "cpu" })).dispose();
});

/** What a user writes, and the same in plain numbers. */
const written: Readonly<Record<string, [f: (inputs: Inputs) => np.Array, wanted: () => number[]]>> =
  {
    "x · 1e-5": [({ x }) => np.multiply(x, 1e-5), () => values.map((v) => v * 1e-5)],
    "x / 49": [({ x }) => np.divide(x, 49), () => values.map((v) => v / 49)],
    mean: [({ x }) => np.mean(x), () => [mean(values)]],
    variance: [
      ({ x }) => np.square(np.std(x)),
      () => [mean(values.map((v) => (v - mean(values)) ** 2))],
    ],
    clip: [
      ({ x }) => np.clip(x, -0.1, 0.3),
      () => values.map((v) => Math.min(0.3, Math.max(-0.1, v))),
    ],
    choice: [
      ({ x }) => np.where(np.less(x.ref, 0.3), 0.1, x),
      () => values.map((v) => (v < 0.3 ? 0.1 : v)),
    ],
    "numbers among themselves": [
      ({ x }) => np.multiply(x, np.exp(np.add(np.array(0.1), 0.2))),
      () => values.map((v) => v * Math.exp(0.1 + 0.2)),
    ],
    "a derivative": [
      ({ x }) => grad((y: np.Array) => np.mean(np.multiply(np.square(y), 0.7)))(x),
      () => values.map((v) => (1.4 * v) / 49),
    ],
    "a jitted function": [({ x }) => tenth(x), () => values.map((v) => v * 0.1)],
    gelu: [
      ({ x }) => nn.gelu(x),
      () =>
        values.map(
          (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
        ),
    ],
    "whole numbers": [
      ({ x, whole }) => np.multiply(x, np.divide(whole.astype(np.float64), 10)),
      () => values.map((v, i) => (v * i) / 10),
    ],
    "numbers that float32 holds": [
      ({ x }) => np.multiply(x, np.array([1, 2, 0.5, 3, 0, -1, 0.375])),
      () => values.map((v, i) => v * ([1, 2, 0.5, 3, 0, -1, 0.375][i % 7] ?? NaN)),
    ],
  };

/** Rounded before anybody could see, and what is said about it. */
const lost: Readonly<Record<string, [f: (inputs: Inputs) => np.Array, message: RegExp]>> = {
  "an array without a dtype": [
    ({ x }) => np.multiply(x, np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])),
    /^invalid number 0.1 in "mul": .*float32.*scalar\(0.1, x\)/,
  ],
  "a filled array": [
    ({ x }) => np.add(x, np.full([7], 1e-5)),
    /^invalid number 0.00001 in "add": .*scalar\(0.00001, x\)/,
  ],
  "a grid": [({ x }) => np.add(x, np.linspace(0, 1, 7)), /^invalid number 0.16666\d+ in "add"/],
  "numbers times a float32 array": [
    ({ x }) => np.add(x, np.multiply(np.eye(7), 0.1)),
    /^invalid number 0.1 in "add"/,
  ],
  "whole numbers divided in float32": [
    ({ x, whole }) => np.add(x, np.log(whole.astype(np.float32))),
    /^invalid step: "add" takes a value that was computed in float32/,
  ],
};

describe.each([
  ["native", compileNative],
  ["jax", compileJax],
] as const)("engine %s", (engine, compile) => {
  test.each(Object.entries(written))("%s is exact", async (_, [f, wanted]) => {
    // The interpreter's cast of the tail of a sum, and tanh from exp, cost a few units.
    const got = await evaluate(compile, f);
    const expected = wanted();
    expect(got).toHaveLength(expected.length);
    expect(expected.length).toBeGreaterThan(0);
    got.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 14));
  });

  test.each(Object.entries(lost))("%s is refused", async (_, [f, message]) => {
    await expect(compile(definition(f))).rejects.toThrow(message);
  });

  test("data in float32, random numbers and conversions keep their precision", async () => {
    const [data] = await evaluate(compile, ({ x, single }) =>
      np.add(np.multiply(x, 0), np.multiply(single, 0.1)),
    );
    expect(Math.abs((data ?? NaN) - (values[0] ?? NaN) * 0.1)).toBeLessThan(1e-7);
    const drawn = await evaluate(compile, ({ x }) =>
      np.multiply(x, random.uniform(random.key(3), [7, 7])),
    );
    expect(drawn).toHaveLength(49);
    const narrow = await evaluate(compile, ({ x }) => np.multiply(x.ref, x.astype(np.float32)));
    expect(narrow).toHaveLength(49);
  });

  test(`the mean of 49 ones is 1${engine === "jax" ? ", but for the last bit" : ""}`, async () => {
    const ones = ({ x }: Inputs) => np.mean(np.onesLike(x));
    const given = ({ x }: Inputs) => np.mean(np.add(np.multiply(x, 0), 1));
    for (const f of [ones, given]) {
      const [value = NaN] = await evaluate(compile, f);
      if (engine === "native") expect(value).toBe(1);
      else expect(Math.abs(value - 1)).toBeLessThanOrEqual(2 ** -53);
    }
  });

  test("in float32 a number is float32", async () => {
    const got = await evaluate(compile, ({ x }) => np.multiply(x, 0.1), "float32");
    expect(got).toEqual(values.map((v) => Math.fround(Math.fround(v) * Math.fround(0.1))));
  });
});

test("tanh and its gradient are one operator, though jax-js writes signs in float32", async () => {
  const f = ({ x }: Inputs) => grad((y: np.Array) => np.sum(np.tanh(y)))(x);
  const program = await compileNative(definition(f));
  const names = operators(program).map((path) => path.split("/").at(-1));
  await program.dispose();
  expect(names.filter((name) => name === "Tanh")).toHaveLength(1);
  expect(names.filter((name) => ["Exp", "Where", "Less"].includes(name ?? ""))).toEqual([]);
  const got = await evaluate(compileNative, f);
  values.forEach((v, i) => expect(got[i]).toBeCloseTo(1 - Math.tanh(v) ** 2, 14));
});

test("outside of steps jax-js is as it was", async () => {
  const program = await compileNative(definition(({ x }) => np.multiply(x, 0.1)));
  await program.dispose();
  const number = np.array(0.1);
  expect(JSON.stringify(number.aval)).toBe('{"shape":[],"dtype":"float32","weakType":true}');
  expect(number.dataSync()[0]).toBe(Math.fround(0.1));
});
