import { numpy as np, grad } from "@jax-js/jax";
import { expect, test } from "vitest";
import { compileJax } from "./jax.ts";
import { scalarTensor, tensor, type Tensor } from "./tensor.ts";
import type { StepDefinition } from "./program.ts";

/** x ← x − η(4x³ + shift), recording x⁴. */
const definition: StepDefinition = {
  step(carry, inputs, knobs) {
    const { x } = carry as { x: np.Array };
    const { shift } = inputs as { shift: np.Array };
    const { rate } = knobs as { rate: np.Array };
    const gradient = grad((y: np.Array) => np.sum(np.square(np.square(y))))(x.ref);
    return {
      carry: { x: np.subtract(x.ref, np.multiply(rate, np.add(gradient, shift))) },
      record: { value: np.sum(np.square(np.square(x))) },
    };
  },
  carry: { x: { dtype: "float64", shape: [2] } },
  inputs: { shift: { dtype: "float64", shape: [2] } },
  knobs: { rate: { dtype: "float64", shape: [] } },
};
const start = { x: tensor([0.5, -0.25], [2], "float64") };
const inputs = { shift: tensor([0.125, 0.5], [2], "float64") };

function expected(rates: readonly number[]) {
  let [a, b] = [0.5, -0.25];
  const values: number[] = [];
  for (const rate of rates) {
    values.push(a ** 4 + b ** 4);
    [a, b] = [a - rate * (4 * a ** 3 + 0.125), b - rate * (4 * b ** 3 + 0.5)];
  }
  return { x: [a, b], values };
}

test("runs steps, returns the carry and stacked records", async () => {
  const program = await compileJax(definition);
  const rates = [0.1, 0.2, 0.3, 0.4, 0.5];
  const knobs = { rate: tensor(rates, [5], "float64") };
  for (const chunk of [1, 2, 5, 100]) {
    const result = await program.run({ carry: start, inputs, knobs, steps: 5, chunk });
    const { x, values } = expected(rates);
    expect([...(result.carry as { x: Tensor }).x.data]).toEqual(
      x.map((v) => expect.closeTo(v, 14)),
    );
    const records = result.records as { value: Tensor };
    expect(records.value.shape).toEqual([5]);
    expect([...records.value.data]).toEqual(values.map((v) => expect.closeTo(v, 14)));
  }
  await program.dispose();
});

test("a held knob, no steps, an aborted run", async () => {
  const program = await compileJax(definition);
  const held = { rate: scalarTensor(0.25, "float64") };
  const result = await program.run({ carry: start, inputs, knobs: held, steps: 3 });
  expect([...(result.carry as { x: Tensor }).x.data]).toEqual(
    expected([0.25, 0.25, 0.25]).x.map((v) => expect.closeTo(v, 14)),
  );
  const none = await program.run({ carry: start, inputs, knobs: held, steps: 0 });
  expect(none.carry).toBe(start);
  expect((none.records as { value: Tensor }).value.shape).toEqual([0]);

  const abort = new AbortController();
  const seen: number[] = [];
  const cut = await program.run({
    carry: start,
    inputs,
    knobs: held,
    steps: 10,
    chunk: 2,
    signal: abort.signal,
    onChunk({ step }) {
      seen.push(step);
      if (step === 4) abort.abort();
    },
  });
  expect(seen).toEqual([2, 4]);
  expect(cut.steps).toBe(4);
  await program.dispose();
});

test("refuses what it was not compiled for", async () => {
  const program = await compileJax(definition);
  const knobs = { rate: scalarTensor(0.1, "float64") };
  const run = (change: object) => program.run({ carry: start, inputs, knobs, steps: 1, ...change });
  await expect(run({ steps: -1 })).rejects.toThrow(/^invalid steps: -1/);
  await expect(run({ carry: {} })).rejects.toThrow(/^missing carry\/x/);
  await expect(run({ inputs: { shift: tensor([1, 2, 3], [3], "float64") } })).rejects.toThrow(
    /^invalid inputs\/shift: float64\[3\]/,
  );
  await expect(run({ knobs: { ...knobs, rho: knobs.rate } })).rejects.toThrow(
    /^unknown knobs\/rho/,
  );
  await program.dispose();
});
