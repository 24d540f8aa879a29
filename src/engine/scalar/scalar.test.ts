import { describe, expect, test } from "vitest";
import { compileScalar, pickOutputs, scalarGlsl, scalarJavaScript, traceScalar } from "../index.ts";
import { nn, np, random, valueAndGrad } from "../jax-js.ts";
import { parities } from "./parity.ts";

const one = (x: np.Array) => np.array(1, { dtype: x.dtype });

test("equal expressions are computed once, and constants ahead of time", async () => {
  const f = await traceScalar(
    ({ x, rho }) => {
      const [a, b] = [x.ref.slice(0), x.slice(1)];
      const product = a.ref.mul(b.ref);
      const same = b.mul(a);
      const two = np.add(one(rho), one(rho));
      return { sum: product.add(same).mul(two), scaled: rho.mul(one(rho.ref)) };
    },
    { x: [2], rho: [] },
  );
  expect(f.inputs).toEqual(["x1", "x2", "rho"]);
  expect(f.outputs).toEqual(["scaled", "sum"]);
  expect(scalarJavaScript(f)).toBe(
    "(x1, x2, rho) => {\n  const t0 = (x1 * x2) * 4;\n  return [rho, t0];\n}",
  );
  expect(scalarGlsl(f, "both")).toBe(
    "void both(float x1, float x2, float rho, out float scaled, out float sum) {\n" +
      "  float t0 = (x1 * x2) * 4.0;\n  scaled = float(rho);\n  sum = float(t0);\n}",
  );
  expect(compileScalar(f)(3, 5, 7)).toEqual([7, 60]);
  expect(compileScalar(pickOutputs(f, ["sum"]))(3, 5, 7)).toEqual([60]);
});

test("a small network, its views, products and gradient, agrees with plain loops", async () => {
  const weights = [0.3, -1.2, 0.7, 0.9, 0.1, -0.4];
  const f = await traceScalar(
    ({ w }) => {
      const loss = (v: np.Array) => {
        const matrix = np.transpose(v.reshape([2, 3]));
        const samples = np.array([0.5, -1, 2, 1.5, 0.25, -0.75, 0.1, 1], {
          shape: [4, 2],
          dtype: v.dtype,
        });
        const hidden = np.tanh(np.matmul(samples, np.transpose(matrix)));
        const logits = nn.logSoftmax(hidden.ref, -1);
        return np.sum(np.max(logits, 1)).add(np.sum(np.flip(hidden.slice(1), 0)));
      };
      const [value, gradient] = valueAndGrad(loss)(w);
      return { value, gradient };
    },
    { w: [6] },
  );
  const plain = (w: readonly number[]) => {
    const samples = [
      [0.5, -1],
      [2, 1.5],
      [0.25, -0.75],
      [0.1, 1],
    ] as const;
    let total = 0;
    for (const [s, sample] of samples.entries()) {
      const hidden = [0, 1, 2].map((i) =>
        Math.tanh(sample[0] * (w[i] ?? 0) + sample[1] * (w[3 + i] ?? 0)),
      );
      const sum = hidden.reduce((all, h) => all + Math.exp(h), 0);
      total += Math.max(...hidden) - Math.log(sum);
      if (s === 1) total += hidden.reduce((all, h) => all + h, 0);
    }
    return total;
  };
  const run = compileScalar(pickOutputs(f, ["value", ...f.outputs.slice(0, 6)]));
  const [value, ...gradient] = run(...weights);
  expect(value).toBeCloseTo(plain(weights), 13);
  for (const [i, slope] of gradient.entries()) {
    const h = 1e-6;
    const by = (d: number) => plain(weights.with(i, (weights[i] ?? 0) + d));
    expect(slope).toBeCloseTo((by(h) - by(-h)) / (2 * h), 7);
  }
  expect(gradient).toHaveLength(6);
});

test("views put every element where NumPy puts it", async () => {
  const f = await traceScalar(
    ({ x }) => {
      const cube = x.reshape([2, 3, 4]);
      const turned = np.transpose(cube.ref, [1, 2, 0]);
      return {
        cut: cube.ref.slice([], [1, 3], [0, 2]),
        flipped: np.flip(cube.ref, 1),
        joined: np.concatenate([cube.ref, np.flip(cube.ref, 2)], 1),
        padded: np.pad(cube.ref.slice(1), [
          [1, 0],
          [0, 2],
        ]),
        summed: np.sum(cube, 1),
        turned,
      };
    },
    { x: [24] },
  );
  const index = Array.from({ length: 24 }, (_, i) => i);
  const values = compileScalar(f)(...index);
  const part = (name: string) =>
    values.filter((_, i) => f.outputs[i]?.replace(/\d+$/, "") === name);
  const at = (i: number, j: number, k: number) => 12 * i + 4 * j + k;
  const all = <T>(counts: readonly number[], of: (...position: number[]) => T): T[] =>
    counts
      .reduce<number[][]>(
        (rows, count) => rows.flatMap((row) => index.slice(0, count).map((i) => [...row, i])),
        [[]],
      )
      .map((position) => of(...position));
  const three = (of: (i: number, j: number, k: number) => number, counts: readonly number[]) =>
    all(counts, (i = 0, j = 0, k = 0) => of(i, j, k));
  expect(part("turned")).toEqual(three((i, j, k) => at(k, i, j), [3, 4, 2]));
  expect(part("flipped")).toEqual(three((i, j, k) => at(i, 2 - j, k), [2, 3, 4]));
  expect(part("cut")).toEqual(three((i, j, k) => at(i, j + 1, k), [2, 2, 2]));
  expect(part("joined")).toEqual(
    three((i, j, k) => (j < 3 ? at(i, j, k) : at(i, j - 3, 3 - k)), [2, 6, 4]),
  );
  expect(part("summed")).toEqual(
    all([2, 4], (i = 0, k = 0) => at(i, 0, k) + at(i, 1, k) + at(i, 2, k)),
  );
  expect(part("padded")).toEqual(
    all([4, 6], (j = 0, k = 0) => (j > 0 && k < 4 ? at(1, j - 1, k) : 0)),
  );
});

test("what is not finite stays what IEEE 754 says it is", async () => {
  const f = await traceScalar(
    ({ x }) => ({
      root: np.sqrt(x.ref),
      logarithm: np.log(x.ref),
      inverse: np.reciprocal(x.ref),
      larger: np.maximum(x.ref, one(x)),
      choice: np.where(np.less(x.ref, one(x)), x.ref, np.exp(x)),
    }),
    { x: [] },
  );
  const run = compileScalar(pickOutputs(f, ["root", "logarithm", "inverse", "larger", "choice"]));
  expect(run(-1)).toEqual([NaN, NaN, -1, 1, -1]);
  expect(run(-0)).toEqual([-0, -Infinity, -Infinity, 1, -0]);
  // Neither less nor more: the other branch.
  expect(run(1)).toEqual([1, 0, 1, 1, Math.E]);
  expect(run(NaN)).toEqual([NaN, NaN, NaN, NaN, NaN]);
  expect(run(Infinity)).toEqual([Infinity, Infinity, 0, Infinity, Infinity]);
});

describe("what is no arithmetic of real numbers is refused by its name", () => {
  test.each([
    ["sort", ({ x }: { [name: string]: np.Array }) => ({ y: np.sort(x as np.Array) })],
    [
      "shiftLeft|shiftRight|xor|bitcast",
      ({ x }: { [name: string]: np.Array }) => ({
        y: random.uniform(np.astype((x as np.Array).slice([0, 2]), np.uint32), [2]),
      }),
    ],
  ] as const)("%s", async (name, f) => {
    const attempt = traceScalar(f, { x: [3] });
    await expect(attempt).rejects.toThrow(
      new RegExp(`^unknown primitive "(${name})" for scalar code: .*\\(.*engine.*\\)$`),
    );
    await expect(attempt).rejects.toMatchObject({ name: "UnsupportedError", engine: "scalar" });
  });
});

test("parity is found where it is, for products, sums, and odd and even functions", async () => {
  const f = await traceScalar(
    ({ x, y }) => ({
      cube: x.ref.mul(x.ref).mul(x.ref),
      evenSum: np.cos(x.ref).add(np.exp(x.ref.mul(x.ref))),
      mixed: x.ref.add(y.ref),
      oddSum: np.sin(x.ref).sub(x.ref.mul(y.ref)),
      // 1/(x − x·y) at y = 1: the sign of zero is none.
      quotient: np.reciprocal(x.ref.sub(x.mul(y))),
    }),
    { x: [], y: [] },
  );
  expect(f.outputs).toEqual(["cube", "evenSum", "mixed", "oddSum", "quotient"]);
  expect(parities(f, "x")).toEqual(["odd", "even", "neither", "odd", "neither"]);
  expect(parities(f, "y")).toEqual(["even", "even", "neither", "neither", "neither"]);
});
