/** Scalar choices become branches: same numbers, and the side not taken costs nothing. */
import { defaultDevice, init, numpy as np } from "@jax-js/jax";
import * as fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { compileNative } from "../../src/engine/native/index.ts";
import type { StepDefinition } from "../../src/engine/program.ts";
import { scalarTensor, tensor, type Tensor } from "../../src/engine/tensor.ts";
import { operators } from "./operators.ts";
import { numbers } from "./steps.ts";

beforeAll(async () => {
  await init("cpu");
  defaultDevice("cpu");
});

/** Large enough that skipping a matrix product is worth a branch. */
const side = 3;

/** A random program over matrices: products, sums and choices by scalars, sharing at will. */
type Instruction = readonly [
  kind: "product" | "sum" | "tanh" | "choose" | "norm",
  a: number,
  b: number,
  predicate: number,
];
const instruction = fc.tuple(
  fc.constantFrom("product", "sum", "tanh", "choose", "choose", "norm"),
  fc.nat(99),
  fc.nat(99),
  fc.nat(99),
) as fc.Arbitrary<Instruction>;

/** Evaluate on jax-js arrays; the last values are the results. */
function evaluate(instructions: readonly Instruction[], x: np.Array, limits: np.Array): np.Array[] {
  const values: np.Array[] = [x, np.transpose(x.ref)];
  const predicates = [0, 1, 2].map((i) =>
    np.less(np.sum(x.ref), np.sum(limits.ref.slice([i, i + 1]))),
  );
  for (const [kind, i, j, p] of instructions) {
    const a = values[i % values.length] as np.Array;
    const b = values[j % values.length] as np.Array;
    const predicate = predicates[p % predicates.length] as np.Array;
    if (kind === "product") values.push(np.tanh(np.matmul(a.ref, b.ref)));
    else if (kind === "sum") values.push(np.add(a.ref, b.ref));
    else if (kind === "tanh") values.push(np.tanh(a.ref));
    else if (kind === "choose") values.push(np.where(predicate.ref, a.ref, b.ref));
    else {
      // Predicates that depend on choices make branches inside and after branches.
      predicates.push(np.less(np.sum(a.ref), np.sum(b.ref)));
      values.push(np.multiply(a.ref, np.where(predicate.ref, np.sum(b.ref), np.max(a.ref))));
    }
  }
  return values.slice(-3);
}

const limitsOf = (seed: number) => tensor([0, 1, 2].map(numbers(seed)), [3], "float64");

test("random programs with choices equal eager evaluation", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(instruction, { minLength: 1, maxLength: 14 }),
      fc.nat(),
      async (instructions, seed) => {
        const next = numbers(seed);
        const x = tensor(Array.from({ length: side * side }, next), [side, side], "float64");
        const program = await compileNative({
          step: (_, inputs) => {
            const { x, limits } = inputs as { x: np.Array; limits: np.Array };
            return { carry: {}, record: evaluate(instructions, x, limits) };
          },
          carry: {},
          inputs: { x, limits: { dtype: "float64", shape: [3] } },
          knobs: {},
        });
        for (const limits of [limitsOf(seed), limitsOf(seed + 1)]) {
          const inputs = { x, limits };
          const result = await program.run({ carry: {}, inputs, knobs: {}, steps: 1 });
          const wanted = evaluate(
            instructions,
            np.array(x.data as Float64Array<ArrayBuffer>, {
              shape: [side, side],
              dtype: np.float64,
            }),
            np.array(limits.data as Float64Array<ArrayBuffer>, { dtype: np.float64 }),
          );
          expect(result.records).toHaveLength(wanted.length);
          expect(wanted.length).toBeGreaterThan(0);
          for (const [i, record] of (result.records as Tensor[]).entries()) {
            const numbers = await (wanted[i] as np.Array).data();
            Array.from(numbers).forEach((v, j) =>
              expect(Math.abs((record.data[j] ?? NaN) - v)).toBeLessThan(
                1e-12 * Math.max(1, Math.abs(v)),
              ),
            );
          }
        }
        await program.dispose();
      },
    ),
    { numRuns: 60, seed: 3 },
  ));

const matrix = { dtype: "float64", shape: [8, 8] } as const;

/** x ← p ? tanh(x·x)·x : −x, with further choices by p, by knob. */
const skipping: StepDefinition = {
  step(carry, _, knobs) {
    const { x, y } = carry as { x: np.Array; y: np.Array };
    const { on } = knobs as { on: np.Array };
    const p = np.less(0, on);
    const costly = np.matmul(np.tanh(np.matmul(x.ref, x.ref)), x.ref);
    return {
      carry: {
        x: np.where(p.ref, costly.ref, np.negative(x.ref)),
        y: np.where(p.ref, np.matmul(costly.ref, y.ref), y.ref),
      },
      record: { largest: np.where(p, np.max(costly), np.sum(x)) },
    };
  },
  carry: { x: matrix, y: matrix },
  inputs: {},
  knobs: { on: { dtype: "float64", shape: [] } },
};

test("choices by one predicate share one branch, which holds all work only they need", async () => {
  const program = await compileNative(skipping);
  const all = operators(program);
  expect(all.filter((op) => op.endsWith("/If"))).toHaveLength(1);
  expect(all.filter((op) => /MatMul|Gemm/.test(op))).toEqual(
    Array(3).fill(expect.stringMatching(/^Loop\.body\/If\.then\//)),
  );
  await program.dispose();
});

test("nothing leaks from the side not taken", async () => {
  const program = await compileNative(skipping);
  const x = tensor(
    Array.from({ length: 64 }, () => Infinity),
    [8, 8],
    "float64",
  );
  const y = tensor(
    Array.from({ length: 64 }, (_, i) => i),
    [8, 8],
    "float64",
  );
  const knobs = { on: scalarTensor(0, "float64") };
  const { carry } = await program.run({ carry: { x, y }, inputs: {}, knobs, steps: 1 });
  const { x: nextX, y: nextY } = carry as { x: Tensor; y: Tensor };
  expect(new Set(nextX.data)).toEqual(new Set([-Infinity]));
  expect(nextY.data).toEqual(y.data);
  await program.dispose();
});

test("a choice inside a choice, and a later choice by a fact already known", async () => {
  const program = await compileNative({
    ...skipping,
    step(carry, _, knobs) {
      const { x, y } = carry as { x: np.Array; y: np.Array };
      const { on } = knobs as { on: np.Array };
      const outer = np.less(0, on.ref);
      const inner = np.less(1, on);
      const first = np.where(inner.ref, np.matmul(x.ref, y.ref), x.ref);
      // Under `outer`, `chosen` is `first`; the second choice by `inner` is already made.
      const chosen = np.where(outer.ref, np.tanh(first.ref), y.ref);
      const again = np.where(inner, np.matmul(first.ref, first.ref), first);
      return { carry: { x: np.where(outer, again, chosen.ref), y: chosen }, record: {} };
    },
  });
  const all = operators(program);
  const products = all.filter((op) => /MatMul|Gemm/.test(op));
  expect(products).toHaveLength(2);
  for (const op of products) expect(op).toMatch(/If\.then\/If\.then\//);
  await program.dispose();
});
