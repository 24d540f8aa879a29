/** Agreement of the engines: they compute the same training runs. */
import { expect, test } from "vitest";
import { compileJax } from "../../src/engine/jax.ts";
import { compileNative } from "../../src/engine/native/index.ts";
import type { ProgramResult } from "../../src/engine/program.ts";
import { leavesWithPaths } from "../../src/engine/tensor.ts";
import { convolutional, curvature, mlp, transformer, type Case, type Float } from "./steps.ts";

/** Largest difference allowed after 50 steps, relative to each tensor's largest entry. */
const tolerance = { float64: 1e-10, float32: 2e-4 };

const cases: Record<string, (dtype: Float) => Case> = {
  mlp,
  convolutional,
  transformer,
  curvature,
};

function largestDifference(a: ProgramResult, b: ProgramResult): number {
  const [left, right] = [a, b].map(({ carry, records }) => leavesWithPaths({ carry, records }));
  expect(left?.length).toBeGreaterThan(0);
  expect(right).toHaveLength(left?.length ?? NaN);
  return Math.max(
    ...(left ?? []).map(([path, x], i) => {
      const [otherPath, y] = right?.[i] ?? ["", x];
      expect([path, x.shape, x.dtype]).toEqual([otherPath, y.shape, y.dtype]);
      const scale = Math.max(1e-30, ...Array.from(y.data, Math.abs));
      return Math.max(0, ...Array.from(x.data, (v, j) => Math.abs(v - (y.data[j] ?? NaN)))) / scale;
    }),
  );
}

for (const [name, make] of Object.entries(cases)) {
  for (const dtype of ["float64", "float32"] as const) {
    test(`${name} in ${dtype}: 50 steps agree with jax-js to ${tolerance[dtype]}`, async () => {
      const { definition, ...data } = make(dtype);
      const native = await compileNative(definition);
      const jax = await compileJax(definition);
      try {
        const got = await native.run({ ...data, steps: 50, chunk: 7 });
        const wanted = await jax.run({ ...data, steps: 50 });
        expect(largestDifference(got, wanted)).toBeLessThan(tolerance[dtype]);
      } finally {
        await native.dispose();
        await jax.dispose();
      }
      // jax-js takes 0.1 s per step of the convolutional net in float64.
    }, 300_000);
  }
}
