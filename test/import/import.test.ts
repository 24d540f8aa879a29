/** Imported networks against PyTorch's own autograd: losses, gradients, Hessian products. */
import { expect, test } from "vitest";
import { grad, jvp, valueAndGrad } from "../../src/engine/jax-js.ts";
import { mean, share } from "../../src/engine/arrays.ts";
import { compile } from "../../src/engine/index.ts";
import type { EngineName } from "../../src/engine/engines.ts";
import type { ArrayTree } from "../../src/engine/program.ts";
import {
  castFloat,
  leavesWithPaths,
  mapTree,
  typesOf,
  type Tensor,
} from "../../src/engine/tensor.ts";
import type { FloatType, Forward, Mode } from "../../src/problems/problem.ts";
import { expectedOf, fixtureNames, fixtureProblem } from "./fixtures.ts";

/** Loss, outputs, gradient, product with the fixture's vector and next statistics of a fixture. */
async function derivatives(name: string, mode: Mode, dtype: FloatType, engine: EngineName) {
  const problem = fixtureProblem(name, dtype);
  const expected = expectedOf(name);
  const params = problem.init(0);
  const vector = mapTree(params, (_, path) =>
    castFloat(expected[`${mode}.vector.${path.replaceAll("/", ".")}`] as Tensor, dtype),
  );
  const inputs = {
    params,
    vector,
    batch: problem.train.batch,
    statistics: problem.initStatistics?.() ?? {},
    constants: problem.constants ?? {},
  };
  const program = await compile(
    {
      carry: {},
      inputs: typesOf(inputs),
      knobs: {},
      step(carry, given) {
        const { params, vector, batch, statistics, constants } = given as {
          [Part in keyof typeof inputs]: ArrayTree;
        };
        const forward = (point: ArrayTree) =>
          problem.forward(point, share(batch), {
            mode,
            statistics: share(statistics),
            constants: share(constants),
          });
        const value = (point: ArrayTree) => {
          const result = forward(point);
          return [mean(result.losses), { ...result }];
        };
        const both = valueAndGrad(value as never, { hasAux: true }) as unknown as (
          point: ArrayTree,
        ) => [[ArrayTree, Forward], ArrayTree];
        const [[loss, result], gradient] = both(share(params));
        const slope = grad((point: ArrayTree) => mean(forward(point).losses)) as unknown as (
          point: ArrayTree,
        ) => ArrayTree;
        const [, product] = jvp(slope, [share(params)], [share(vector)]) as [unknown, ArrayTree];
        const { outputs, statistics: next = {} } = result;
        return { carry, record: { loss, gradient, product, next, ...(outputs && { outputs }) } };
      },
    },
    { engine },
  );
  const { records } = await program.run({ carry: {}, inputs, knobs: {}, steps: 1 });
  await program.dispose();
  return Object.fromEntries(
    leavesWithPaths(records).map(([path, leaf]) => [path.replaceAll("/", "."), leaf.data]),
  );
}

/** ‖a − b‖/‖b‖ over all tensors whose names begin alike. */
function distance(
  found: { readonly [name: string]: ArrayLike<number> },
  expected: Readonly<Record<string, Tensor>>,
  mode: Mode,
  part: string,
): number {
  const prefix = `${mode}.${part}`;
  const names = Object.keys(expected).filter(
    (key) => key === prefix || key.startsWith(`${prefix}.`),
  );
  expect(names).not.toEqual([]);
  let [difference, size] = [0, 0];
  for (const name of names) {
    const right = expected[name]?.data ?? [];
    const own = found[name.slice(mode.length + 1)] ?? [];
    expect(own.length, name).toBe(right.length);
    Array.from(right).forEach((value, i) => {
      difference += (value - (own[i] ?? NaN)) ** 2;
      size += value ** 2;
    });
  }
  return Math.sqrt(difference / size);
}

const cases = fixtureNames.flatMap((name) => {
  const modes = ["evaluate", "train"] as const;
  const there = Object.keys(expectedOf(name));
  return modes
    .filter((mode) => there.some((key) => key.startsWith(mode)))
    .map((mode) => ({ name, mode }));
});

test("there are five networks, and batch normalization in both modes", () => {
  expect(fixtureNames).toEqual(["cnn", "gcn", "gpt", "mlp", "vit"]);
  expect(cases).toContainEqual({ name: "cnn", mode: "train" });
});

test.for(cases)(
  "$name, $mode: float64 derivatives are PyTorch's to 1e-12",
  async ({ name, mode }) => {
    const found = await derivatives(name, mode, "float64", "native");
    const expected = expectedOf(name);
    for (const part of ["loss", "outputs", "gradient", "product"]) {
      expect(distance(found, expected, mode, part), part).toBeLessThan(1e-12);
    }
    if (mode === "train") expect(distance(found, expected, mode, "next")).toBeLessThan(1e-12);
  },
);

test.for(cases)(
  "$name, $mode: float32 derivatives are PyTorch's to 1e-6",
  async ({ name, mode }) => {
    const found = await derivatives(name, mode, "float32", "native");
    const expected = expectedOf(name);
    for (const part of ["loss", "outputs", "gradient"]) {
      expect(distance(found, expected, mode, part), part).toBeLessThan(1e-6);
    }
    expect(distance(found, expected, mode, "product")).toBeLessThan(1e-5);
  },
);
