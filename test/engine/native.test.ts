/** What the native engine promises about running: chunks, knobs, errors, export. */
import { InferenceSession } from "onnxruntime-node";
import { numpy as np } from "@jax-js/jax";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileNative } from "../../src/engine/native/index.ts";
import { UnsupportedError, type Program, type StepDefinition } from "../../src/engine/program.ts";
import { scalarTensor, tensor, type Tensor } from "../../src/engine/tensor.ts";

const vector = (n: number) => ({ dtype: "float64", shape: [n] }) as const;

/** x ← x·factor + shift[row], recording x before; keys in no particular order. */
const definition: StepDefinition = {
  step(carry, inputs, knobs) {
    const { x } = carry as { x: np.Array };
    const { table } = inputs as { table: np.Array };
    const { row, factor } = knobs as { row: np.Array; factor: np.Array };
    const next = np.add(np.multiply(x.ref, factor), np.take(table, row, 0));
    return { record: { sum: np.sum(x.ref), before: x }, carry: { x: next } };
  },
  carry: { x: vector(2) },
  inputs: { table: { dtype: "float64", shape: [3, 2] } },
  knobs: { row: { dtype: "int32", shape: [] }, factor: vector(2) },
};
const carry = { x: tensor([1, 2], [2], "float64") };
const inputs = { table: tensor([1, 2, 3, 4, 5, 6], [3, 2], "float64") };
const knobs = {
  row: tensor([2, 0, 1, 1, 0], [5], "int32"),
  factor: tensor([0.5, -1], [2], "float64"),
};
const options = { carry, inputs, knobs, steps: 5 };

let program: Program;
beforeAll(async () => {
  program = await compileNative(definition);
});
afterAll(() => program.dispose());

function expected() {
  let x = [1, 2];
  const before: number[] = [];
  for (const row of knobs.row.data) {
    before.push(...x);
    x = [0, 1].map(
      (i) => (x[i] ?? 0) * (knobs.factor.data[i] ?? 0) + (inputs.table.data[2 * row + i] ?? 0),
    );
  }
  return { x, before };
}

test("held and per-step knobs, carry, records, in any chunks", async () => {
  for (const chunk of [1, 2, 3, 5, 9, undefined]) {
    const result = await program.run(chunk === undefined ? options : { ...options, chunk });
    const { x, before } = expected();
    expect([...(result.carry as { x: Tensor }).x.data]).toEqual(x);
    const records = result.records as { before: Tensor; sum: Tensor };
    expect(records.before.shape).toEqual([5, 2]);
    expect([...records.before.data]).toEqual(before);
    expect(records.sum.shape).toEqual([5]);
    expect(result.steps).toBe(5);
  }
  // The caller's tensors are left alone.
  expect([...carry.x.data]).toEqual([1, 2]);
});

test("no steps, a stop between chunks, an awaited callback", async () => {
  const none = await program.run({
    ...options,
    knobs: { ...knobs, row: tensor([], [0], "int32") },
    steps: 0,
  });
  expect(none.carry).toBe(carry);
  expect((none.records as { before: Tensor }).before.shape).toEqual([0, 2]);

  const abort = new AbortController();
  const seen: number[] = [];
  const stopped = await program.run({
    ...options,
    chunk: 2,
    signal: abort.signal,
    async onChunk({ step, records }) {
      await Promise.resolve();
      seen.push(step, (records as { sum: Tensor }).sum.data.length);
      if (step === 4) abort.abort();
    },
  });
  expect(seen).toEqual([2, 2, 4, 2]);
  expect(stopped.steps).toBe(4);
});

test("one program serves other knobs and numbers of steps", async () => {
  const held = { row: scalarTensor(1, "int32"), factor: tensor([0, 0], [2], "float64") };
  const result = await program.run({ ...options, knobs: held, steps: 3 });
  expect([...(result.carry as { x: Tensor }).x.data]).toEqual([3, 4]);
  const factors = tensor([2, 2, 3, 3], [2, 2], "float64");
  const two = await program.run({ ...options, knobs: { ...held, factor: factors }, steps: 2 });
  expect([...(two.carry as { x: Tensor }).x.data]).toEqual([
    (1 * 2 + 3) * 3 + 3,
    (2 * 2 + 4) * 3 + 4,
  ]);
});

test("exports the loop with arguments and results by name", async () => {
  const session = await InferenceSession.create(program.toOnnx?.() ?? new Uint8Array());
  expect([...session.inputNames].sort()).toEqual([
    "carry/x",
    "inputs/table",
    "knobs/factor",
    "knobs/row",
    "steps",
  ]);
  expect([...session.outputNames].sort()).toEqual(["next/x", "records/before", "records/sum"]);
  await session.release();
});

test("says what is wrong in one line", async () => {
  await expect(program.run({ ...options, steps: 1.5 })).rejects.toThrow(/^invalid steps: 1.5/);
  await expect(program.run({ ...options, inputs: {} })).rejects.toThrow(/^missing inputs\/table/);
  const wrong = { x: tensor([1, 2, 3], [3], "float64") };
  await expect(program.run({ ...options, carry: wrong })).rejects.toThrow(
    /^invalid carry\/x: float64\[3\]/,
  );
  await expect(
    compileNative({ ...definition, step: () => ({ carry: {}, record: {} }) }),
  ).rejects.toThrow(/^missing carry\/x/);
  await expect(
    compileNative({
      ...definition,
      step: (c) => ({ carry: { x: np.sum((c as { x: np.Array }).x) }, record: {} }),
    }),
  ).rejects.toThrow(/^invalid carry\/x: float64\[2\] goes into the step and float64\[\] comes out/);
  await expect(compileNative(definition, { provider: "coreml" })).rejects.toThrow(
    /^missing provider "coreml"/,
  );
});

test("names the primitive it cannot compile, with shapes", async () => {
  const square = { dtype: "float64", shape: [3, 3] } as const;
  const failing = compileNative({
    step: (c) => ({ carry: { a: np.linalg.cholesky((c as { a: np.Array }).a) }, record: {} }),
    carry: { a: square },
    inputs: {},
    knobs: {},
  });
  await expect(failing).rejects.toThrow(UnsupportedError);
  await expect(failing).rejects.toThrow(/^unknown primitive "cholesky" .* float64\[3,3\]/);
});

test("can be disposed of twice", async () => {
  const other = await compileNative(definition);
  await other.dispose();
  await other.dispose();
});

test("a twin runs in a thread of its own, whatever becomes of the program, and here once its thread has ended", async () => {
  const other = await compileNative(definition);
  const here = await other.run(options);
  const twin = other.twin?.();
  if (twin === undefined) throw new Error("no twin");
  expect(await Promise.all([twin.run(options), twin.run(options)])).toEqual([here, here]);
  await twin.dispose();
  expect(await twin.run(options)).toEqual(here);
  const apart = other.twin?.();
  await other.dispose();
  expect(await apart?.run(options)).toEqual(here);
  const wrong = { ...options, inputs: {} };
  await expect(apart?.run(wrong)).rejects.toThrow("missing inputs/table");
  await apart?.dispose();
});
