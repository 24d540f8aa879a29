/** Attention and what stands around it on the native engine, large enough for every detour that pays. */
import { grad, nn, numpy as np } from "@jax-js/jax";
import { expect, test } from "vitest";
import { transformer } from "../../src/bench/networks.ts";
import { compileJax } from "../../src/engine/jax.ts";
import { compileNative } from "../../src/engine/native/index.ts";
import { leavesWithPaths, tensor, type Tensor } from "../../src/engine/tensor.ts";

for (const kind of ["gpt", "vit"] as const) {
  test(`a step of a small ${kind} is that of the jax engine`, async () => {
    const size = { batch: 2, tokens: 128, width: 128, heads: 4, depth: 1, steps: 1 };
    const { definition, data } = transformer({ kind, ...size });
    const run = { ...data, steps: 1 };
    const [native, jax] = [await compileNative(definition), await compileJax(definition)];
    const [got, wanted] = [await native.run(run), await jax.run(run)].map(({ carry, records }) =>
      leavesWithPaths({ carry, records }),
    );
    await native.dispose();
    await jax.dispose();
    const before = new Map(leavesWithPaths({ carry: data.carry }));
    expect(got?.length).toBeGreaterThan(20);
    for (const [i, [path, { data: values }]] of (got ?? []).entries()) {
      const other = wanted?.[i]?.[1].data ?? [];
      // A step is compared with the way it went.
      const start = before.get(path)?.data ?? values.map(() => 0);
      const moved = Array.from(other, (v, j) => Math.abs(v - Number(start[j])));
      const longest = moved.reduce((a, b) => Math.max(a, b), 1e-4);
      const apart = Array.from(values, (v, j) => Math.abs(v - Number(other[j])));
      const widest = apart.reduce((a, b) => Math.max(a, b), 0);
      expect(widest / longest, path).toBeLessThan(2e-3);
    }
  }, 60_000);
}

test("softmax keeps what is masked at nothing, however large it is, and so does its gradient", async () => {
  const side = 6;
  const at = Array.from({ length: side * side }, (_, i) => {
    const [row, column] = [Math.floor(i / side), i % side];
    if (column > row) return 1e30;
    return column === 1 ? -200 : Math.sin(i);
  });
  const weights = at.map((_, i) => Math.cos(3 * i));
  const x = tensor(at, [side, side], "float32");
  const masked = (logits: np.Array) =>
    nn.softmax(np.where(np.tri(side, side, 0, { dtype: np.bool }), logits, -Infinity), -1);
  const weighed = (logits: np.Array) =>
    np.sum(np.multiply(masked(logits), np.array(weights).reshape([side, side])));
  const program = await compileNative({
    step: (_, inputs) => {
      const { x: logits } = inputs as { x: np.Array };
      return { carry: {}, record: { p: masked(logits.ref), slope: grad(weighed)(logits) } };
    },
    carry: {},
    inputs: { x },
    knobs: {},
  });
  const { records } = await program.run({ carry: {}, inputs: { x }, knobs: {}, steps: 1 });
  await program.dispose();
  const { p, slope } = records as { p: Tensor; slope: Tensor };
  for (let row = 0; row < side; row++) {
    const seen = at.slice(row * side, row * side + row + 1);
    const total = seen.reduce((sum, v) => sum + Math.exp(v), 0);
    const chance = at
      .slice(row * side, (row + 1) * side)
      .map((v, column) => (column <= row ? Math.exp(v) / total : 0));
    const mean = chance.reduce(
      (sum, v, column) => sum + v * (weights[row * side + column] ?? 0),
      0,
    );
    chance.forEach((v, column) => {
      const i = row * side + column;
      const place = `${row}, ${column}`;
      expect(Math.abs((p.data[i] ?? NaN) - v), place).toBeLessThan(2e-7);
      const derivative = v * ((weights[i] ?? NaN) - mean);
      expect(Math.abs((slope.data[i] ?? NaN) - derivative), place).toBeLessThan(4e-7);
      if (column > row) expect(p.data[i], place).toBeLessThan(1e-20);
    });
  }
});
