/** Ensembles of steps: every member has bit for bit the numbers that its step has alone. */
import { nn, numpy as np, random } from "@jax-js/jax";
import { expect, test } from "vitest";
import { compileNative, planEnsemble } from "../../src/engine/native/index.ts";
import { UnsupportedError, type StepDefinition } from "../../src/engine/program.ts";
import { leavesWithPaths, sizeOf, tensor, zeros, type Tensor } from "../../src/engine/tensor.ts";
import { convolutional, fill, mlp, numbers, transformer, type Case, type Float } from "./steps.ts";

/** So many that rows of memory begin at every offset from the processor's vectors. */
const members = 5;
const usualSteps = 4;

/** Two matrices of each member, and one that all share, as parts of a step. */
interface Sizes {
  readonly x: readonly number[];
  readonly y?: readonly number[];
  readonly shared?: readonly number[];
}

interface Given {
  readonly x: np.Array;
  readonly y: np.Array;
  readonly shared: np.Array;
  readonly at: np.Array;
}

/** A step that reports `see` of what it is given; x and y change from step to step. */
function reporting(sizes: Sizes, see: (given: Given) => np.Array, dtype: Float): Case {
  const { x, y = [1], shared = [1] } = sizes;
  const types = { x: { dtype, shape: x }, y: { dtype, shape: y } };
  const definition: StepDefinition = {
    carry: types,
    inputs: { shared: { dtype, shape: shared } },
    knobs: { rate: { dtype, shape: [] }, at: { dtype: "int32", shape: [3] } },
    step(carry, inputs, knobs) {
      const { x, y } = carry as { x: np.Array; y: np.Array };
      const { rate, at } = knobs as { rate: np.Array; at: np.Array };
      const { shared } = inputs as { shared: np.Array };
      const next = (value: np.Array) => np.multiply(value.ref, np.subtract(1, rate.ref));
      return {
        carry: { x: next(x), y: next(y) },
        record: { seen: see({ x: x.ref, y: y.ref, shared, at }) },
      };
    },
  };
  return {
    definition,
    carry: fill(types, 1),
    inputs: fill({ shared: { dtype, shape: shared } }, 2),
    knobs: {
      rate: tensor([0.3, 0.1, 0.2, 0.4], [usualSteps], dtype),
      at: tensor([2, 0, 1], [3], "int32"),
    },
  };
}

/** Members' data: each has numbers of its own, but for the inputs and what is whole. */
function memberData(given: Case, dtype: Float, member: number) {
  const next = numbers(100 + member);
  const shift = ({ data, shape, dtype: own }: Tensor) =>
    own === dtype
      ? tensor(
          Array.from(data, (v) => v + 0.01 * next()),
          shape,
          own,
        )
      : { data, shape, dtype: own };
  const map = (tree: Case["carry"]) =>
    Object.fromEntries(leavesWithPaths<Tensor>(tree).map(([path, leaf]) => [path, shift(leaf)]));
  return { carry: map(given.carry), knobs: map(given.knobs) };
}

/** Leaves by path as a tree again. */
function nested(leaves: Readonly<Record<string, Tensor>>): Case["carry"] {
  const tree: Record<string, unknown> = {};
  for (const [path, leaf] of Object.entries(leaves)) {
    const names = path.split("/");
    let at = tree;
    for (const name of names.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
    at[names.at(-1) as string] = leaf;
  }
  return tree as Case["carry"];
}

function together(parts: readonly Tensor[], rows: number | undefined): Tensor {
  const [{ dtype, shape }] = parts as [Tensor];
  const own = rows === undefined ? shape : shape.slice(1);
  const size = sizeOf(own);
  const all = zeros([...(rows === undefined ? [] : [rows]), parts.length, ...own], dtype);
  parts.forEach(({ data }, m) => {
    for (let row = 0; row < (rows ?? 1); row++) {
      all.data.set(data.subarray(row * size, (row + 1) * size), (row * parts.length + m) * size);
    }
  });
  return all;
}

/** Paths of carry and records in which some member differs from the step alone, and how many were compared. */
async function compare(given: Case, dtype: Float): Promise<{ differing: string[]; count: number }> {
  const { definition, inputs } = given;
  const data = Array.from({ length: members }, (_, m) => memberData(given, dtype, m));
  const types = new Map(leavesWithPaths(definition.knobs));
  const rows = leavesWithPaths<Tensor>(given.knobs).flatMap(([path, { shape }]) =>
    shape.length > (types.get(path)?.shape.length ?? NaN) ? [shape[0] as number] : [],
  );
  const [steps = usualSteps] = rows;
  const join = (part: "carry" | "knobs") =>
    nested(
      Object.fromEntries(
        Object.keys(data[0]?.[part] ?? {}).map((path) => {
          const parts = data.map((each) => each[part][path] as Tensor);
          const varies =
            part === "knobs" && parts[0]?.shape.length !== types.get(path)?.shape.length;
          return [path, together(parts, varies ? steps : undefined)];
        }),
      ),
    );
  const alone = await compileNative(definition);
  const side = await (await planEnsemble(definition, members)).compile();
  try {
    const all = await side.run({
      carry: join("carry"),
      inputs,
      knobs: join("knobs"),
      steps,
      chunk: 3,
    });
    const differing = new Set<string>();
    let count = 0;
    for (const [m, { carry, knobs }] of data.entries()) {
      const one = await alone.run({
        carry: nested(carry),
        inputs,
        knobs: nested(knobs),
        steps,
        chunk: 3,
      });
      for (const part of ["carry", "records"] as const) {
        const found = new Map(leavesWithPaths<Tensor>(all[part]));
        for (const [path, own] of leavesWithPaths<Tensor>(one[part])) {
          const rows = part === "records" ? steps : 1;
          const size = own.data.length / rows;
          own.data.forEach((value, i) => {
            const at = (Math.floor(i / size) * members + m) * size + (i % size);
            if (!Object.is(found.get(path)?.data[at], value)) differing.add(`${part}/${path}`);
            count++;
          });
        }
      }
    }
    return { differing: [...differing], count };
  } finally {
    await alone.dispose();
    await side.dispose();
  }
}

const sum = (axis?: number | number[]) => (x: np.Array) => np.sum(x, axis);
const functions = { sin: np.sin, cos: np.cos, exp: np.exp, tanh: np.tanh, atan: np.arctan };
const positive = (x: np.Array) => np.add(np.multiply(x.ref, x), 0.5);

/** Several small steps in one: their reports side by side. */
function several(lengths: readonly number[], see: (part: np.Array) => np.Array) {
  return ({ x }: Given) =>
    np.concatenate(
      lengths.map((length) => {
        const part = see(x.ref.slice([0, length]));
        return part.reshape([part.shape.reduce((a, b) => a * b, 1)]);
      }),
    );
}

const lengths = [1, 2, 3, 4, 5, 7, 8, 10, 16, 31, 33];
const matrix = (rows: number, columns: number) => ({ x: [rows, columns] });

const cases: readonly (readonly [string, Sizes, (given: Given) => np.Array])[] = [
  ...(
    [
      ["", 3, 5, 1, 1],
      [" times a number", 3, 5, 2, 1],
      [", a number times the list", 3, 5, 1, 3],
      [" of one row", 1, 5, 1, 1],
      [" of one column", 3, 1, 1, 1],
    ] as const
  ).map(
    ([words, rows, columns, alpha, beta]) =>
      [
        `a product${words}, and a list added to it`,
        { x: [rows, 4], y: [4, columns], shared: [columns] },
        ({ x, y, shared }: Given) =>
          np.add(np.multiply(np.matmul(x, y), alpha), np.multiply(shared, beta)),
      ] as const,
  ),
  ["sums of lists", { x: [33] }, several(lengths, (part) => np.sum(part))],
  ["sums of squares", { x: [33] }, several(lengths, (part) => np.sum(np.square(part)))],
  ["products of lists", { x: [33] }, several(lengths, (part) => np.prod(part))],
  ["greatest of lists", { x: [33] }, several(lengths, (part) => np.max(part))],
  ["logarithms", { x: [33] }, several(lengths, (part) => np.log(positive(part)))],
  [
    "roots and reciprocals",
    { x: [33] },
    several(lengths, (part) => np.reciprocal(np.sqrt(positive(part)))),
  ],
  ...Object.entries(functions).map(
    ([name, f]) => [name, { x: [33] }, several(lengths, (part) => f(part))] as const,
  ),
  ...[matrix(3, 7), matrix(16, 2), matrix(10, 16), matrix(1, 9)].flatMap(({ x }) =>
    [0, 1].map(
      (axis) =>
        [
          `sums of ${x.join(" × ")} over axis ${axis}`,
          { x },
          (given: Given) => sum(axis)(given.x),
        ] as const,
    ),
  ),
  ["sums in the middle", { x: [3, 5, 4] }, ({ x }) => sum(1)(x)],
  ["sums in the middle of odd rows", { x: [3, 5, 3] }, ({ x }) => sum(1)(x)],
  ["sums of squares by rows", { x: [5, 7] }, ({ x }) => sum(1)(np.square(x))],
  ["softmax", { x: [3, 5] }, ({ x }) => nn.softmax(x, 1)],
  ["its logarithm", { x: [3, 5] }, ({ x }) => nn.logSoftmax(x, 1)],
  ...(
    [
      [3, 7, 5],
      [1, 7, 5],
      [5, 7, 1],
      [4, 300, 17],
    ] as const
  ).flatMap(
    ([m, k, n]) =>
      [
        [
          `products ${m} × ${k} × ${n}`,
          { x: [m, k], y: [k, n] },
          ({ x, y }: Given) => np.matmul(x, y),
        ],
        [
          `products ${m} × ${k} × ${n} with a shared factor`,
          { x: [m, k], shared: [k, n] },
          ({ x, shared }: Given) => np.matmul(x, shared),
        ],
        [
          `products of a shared factor ${m} × ${k} × ${n}`,
          { x: [k, n], shared: [m, k] },
          ({ x, shared }: Given) => np.matmul(shared, x),
        ],
        [
          `affine maps ${m} × ${k} × ${n}`,
          { x: [k, n], y: [n], shared: [m, k] },
          ({ x, y, shared }: Given) => np.add(np.matmul(shared, x), y),
        ],
        [
          `turned affine maps ${m} × ${k} × ${n}`,
          { x: [n, k], y: [n], shared: [m, k] },
          ({ x, y, shared }: Given) => np.add(np.matmul(shared, np.transpose(x)), y),
        ],
      ] as const,
  ),
  ["batches of products", { x: [2, 3, 4], y: [2, 4, 3] }, ({ x, y }) => np.matmul(x, y)],
  ["rows of one's own", { x: [4, 3] }, ({ x, at }) => np.take(x, at, 0)],
  ["columns of one's own", { x: [4, 3] }, ({ x, at }) => np.take(x, at, 1)],
  ["shared rows", { x: [1], shared: [4, 3] }, ({ shared, at }) => np.take(shared, at, 0)],
  ["sorted rows", { x: [3, 5] }, ({ x }) => np.sort(x)],
  ["their order", { x: [3, 5] }, ({ x }) => np.argsort(x)],
  [
    "pieces put together",
    { x: [3, 2], shared: [2, 2] },
    ({ x, shared }) => np.flip(np.concatenate([np.pad(x, 1).slice([1, 4], [1, 3]), shared]), 0),
  ],
  [
    "choices",
    { x: [5], y: [5] },
    ({ x, y }) => np.where(np.less(x.ref, y.ref), x.ref, np.multiply(y, 2)),
  ],
  [
    "choices between wholes",
    { x: [5], y: [5] },
    ({ x, y }) => np.where(np.less(np.sum(x.ref), 0), x.ref, y),
  ],
];

for (const dtype of ["float64", "float32"] as const) {
  test.each(cases)(
    `%s in ${dtype}: members have the bits they have alone`,
    async (_, sizes, see) => {
      const { differing, count } = await compare(reporting(sizes, see, dtype), dtype);
      expect(differing).toEqual([]);
      expect(count).toBeGreaterThan(members * usualSteps);
    },
  );

  test.each(Object.entries({ mlp, transformer }))(
    `%s in ${dtype}: members have the bits they have alone`,
    async (_, make) => {
      const { differing, count } = await compare(make(dtype), dtype);
      expect(differing).toEqual([]);
      expect(count).toBeGreaterThan(members * usualSteps);
    },
  );
}

test("random bits are those of each member's key", async () => {
  const key = { dtype: "uint32", shape: [2] } as const;
  const definition: StepDefinition = {
    carry: {},
    inputs: {},
    knobs: { key },
    step: (carry, _, knobs) => ({
      carry,
      record: { seen: random.normal((knobs as { key: np.Array }).key, [7]) },
    }),
  };
  const keys = [3, 4, 5].map((seed) => [0, seed]);
  const alone = await compileNative(definition);
  const side = await (await planEnsemble(definition, keys.length)).compile();
  const all = await side.run({
    carry: {},
    inputs: {},
    knobs: { key: tensor(keys.flat(), [keys.length, 2], "uint32") },
    steps: 1,
  });
  const found = (all.records as { seen: Tensor }).seen.data;
  for (const [m, each] of keys.entries()) {
    const knobs = { key: tensor(each, [2], "uint32") };
    const one = await alone.run({ carry: {}, inputs: {}, knobs, steps: 1 });
    const own = (one.records as { seen: Tensor }).seen.data;
    expect(Array.from(found.subarray(7 * m, 7 * m + 7))).toEqual(Array.from(own));
    expect(new Set(own).size).toBe(7);
  }
  await alone.dispose();
  await side.dispose();
});

test("convolutions are refused", async () => {
  const { definition } = convolutional("float32");
  await expect(planEnsemble(definition, 2)).rejects.toThrow(UnsupportedError);
});

test("many small operators gain more than few large ones", async () => {
  const gain = async (sizes: Sizes) =>
    (await planEnsemble(reporting(sizes, ({ x }) => np.tanh(np.tanh(x)), "float32").definition, 64))
      .gain;
  const [small, large] = [await gain({ x: [2, 2] }), await gain({ x: [500, 500] })];
  expect(small).toBeGreaterThan(10);
  expect(large).toBeLessThan(1.5);
});
