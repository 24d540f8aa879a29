/** Activations in float32 on the native engine, against formulas in plain numbers. */
import { grad, nn, numpy as np } from "@jax-js/jax";
import { expect, test } from "vitest";
import { compileNative } from "../../src/engine/native/index.ts";
import { leavesOf, tensor } from "../../src/engine/tensor.ts";

async function values(f: (x: np.Array) => np.Array[], at: readonly number[]): Promise<number[][]> {
  const x = tensor([...at], [at.length], "float32");
  const program = await compileNative({
    step: (_, inputs) => ({ carry: {}, record: f((inputs as { x: np.Array }).x) }),
    carry: {},
    inputs: { x },
    knobs: {},
  });
  const { records } = await program.run({ carry: {}, inputs: { x }, knobs: {}, steps: 1 });
  await program.dispose();
  return leavesOf(records).map(({ data }) => Array.from(data, Number));
}

// With the least normal float32 numbers, and both zeros.
const signs = [-Infinity, -2, -1.2e-38, -0, 0, 1.2e-38, 3, Infinity];

test("a choice by sign keeps or drops exactly, at both zeros and next to them too", async () => {
  const y = () => np.array(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  const zero = () => np.zeros([8]);
  const got = await values(
    (x) => [
      np.where(np.less(x.ref, 0), y(), zero()),
      np.where(np.less(x.ref, 0), zero(), y()),
      np.where(np.greater(x.ref, 0), y(), zero()),
      np.where(np.greater(x.ref, 0), zero(), y()),
      np.where(np.lessEqual(x.ref, 0), y(), zero()),
      np.where(np.greaterEqual(x.ref, 0), y(), zero()),
      np.where(np.greaterEqual(x.ref, 0), zero(), y()),
      np.where(np.lessEqual(x, 0), zero(), y()),
    ],
    signs,
  );
  const kept: ((x: number) => boolean)[] = [
    (x) => x < 0,
    (x) => !(x < 0),
    (x) => x > 0,
    (x) => !(x > 0),
    (x) => x <= 0,
    (x) => x >= 0,
    (x) => !(x >= 0),
    (x) => !(x <= 0),
  ];
  expect(got).toHaveLength(kept.length);
  kept.forEach((test, row) => {
    expect(got[row], String(test)).toEqual(signs.map((x, i) => (test(x) ? i + 1 : 0)));
  });
});

test("the gradient of ReLU is 0 or 1, whether ReLU itself is computed or not", async () => {
  const slope = grad((x: np.Array) => np.sum(nn.relu(x)));
  const at = [-Infinity, -2, -1.2e-38, 1.2e-38, 3, Infinity];
  const wanted = at.map((x) => (x > 0 ? 1 : 0));
  expect(await values((x) => [slope(x)], at)).toEqual([wanted]);
  const [y, dy] = await values((x) => [nn.relu(x.ref), slope(x)], at);
  expect([y, dy]).toEqual([at.map((x) => Math.max(Math.fround(x), 0)), wanted]);
});

test("GELU and its gradient are right to float32's rounding of x", async () => {
  const at = Array.from({ length: 81 }, (_, i) => (i - 40) / 5);
  const gelu = (x: np.Array) => nn.gelu(x, { approximate: false });
  const slope = grad((x: np.Array) => np.sum(gelu(x)));
  const [y = [], dy = []] = await values((x) => [gelu(x.ref), slope(x)], at);
  at.forEach((x, i) => {
    // Φ by Simpson's rule from 0 to x.
    const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
    const n = 400;
    let area = 0;
    for (let k = 0; k <= n; k++) {
      const weight = k === 0 || k === n ? 1 : k % 2 === 1 ? 4 : 2;
      area += (weight * density((k * x) / n) * x) / (3 * n);
    }
    const below = 0.5 + area;
    const tolerance = 3e-7 * (1 + Math.abs(x));
    expect(Math.abs((y[i] ?? NaN) - x * below), `gelu ${x}`).toBeLessThan(tolerance);
    expect(Math.abs((dy[i] ?? NaN) - (below + x * density(x))), `slope ${x}`).toBeLessThan(
      tolerance,
    );
  });
});
