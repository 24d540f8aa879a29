/** What a step returns is matched by name, and by both engines alike. */
import { numpy as np } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { compileJax } from "../../src/engine/jax.ts";
import { compileNative } from "../../src/engine/native/index.ts";
import type { ArrayTree, StepDefinition } from "../../src/engine/program.ts";
import { tensor, typesOf, type Tensor } from "../../src/engine/tensor.ts";

const start = { a: tensor([1, 2], [2], "float32"), b: tensor([3, 4], [2], "float32") };

type Pair = { a: np.Array; b: np.Array };

const returning = (carry: (pair: Pair) => ArrayTree): StepDefinition => ({
  step: (given) => ({ carry: carry(given as Pair), record: {} }),
  carry: typesOf(start),
  inputs: {},
  knobs: {},
});

/** Carries that come back wrong, and what is said about them. */
const wrong: Readonly<Record<string, [carry: (pair: Pair) => ArrayTree, message: RegExp]>> = {
  renamed: [({ a, b }) => ({ a, c: b }), /^missing carry\/b: /],
  missing: [({ a }) => ({ a }), /^missing carry\/b: /],
  extra: [({ a, b }) => ({ a, b, c: a.ref }), /^unknown carry\/c: /],
  "of another shape": [
    ({ a, b }) => ({ a: np.sum(a), b }),
    /^invalid carry\/a: float32\[2\] goes into the step and float32\[\] comes out/,
  ],
  "of another type": [
    ({ a, b }) => ({ a: a.astype(np.int32), b }),
    /^invalid carry\/a: float32\[2\] goes into the step and int32\[2\] comes out/,
  ],
  "a list": [({ a, b }) => [a, b], /^missing carry\/a: /],
};

describe.each([
  ["native", compileNative],
  ["jax", compileJax],
] as const)("engine %s", (_, compile) => {
  test.each(Object.entries(wrong))(
    "refuses a carry that comes back %s",
    async (_name, [carry, message]) => {
      await expect(compile(returning(carry))).rejects.toThrow(message);
    },
  );

  test("the order of keys means nothing", async () => {
    // Exchanged by position, kept by name.
    const program = await compile(returning(({ a, b }) => ({ b: b.mul(10), a })));
    const { carry } = await program.run({ carry: start, inputs: {}, knobs: {}, steps: 2 });
    await program.dispose();
    const { a, b } = carry as { a: Tensor; b: Tensor };
    expect([[...a.data], [...b.data]]).toEqual([
      [1, 2],
      [300, 400],
    ]);
  });
});
