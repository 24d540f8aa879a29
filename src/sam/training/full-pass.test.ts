import { afterAll, expect, test } from "vitest";
import { batchNormalized } from "../../../test/problems/networks.ts";
import { compileDerivatives, flatten, unflatten } from "../../diagnostics/point/derivatives.ts";
import { tensor } from "../../engine/tensor.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { blockOf, bytesPerSample } from "./pass-memory.ts";
import { prepareFullPass } from "./full-pass.ts";

const disposals: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const dispose of disposals) await dispose();
});

test.each([14, 5, 4, 1])(
  "loss, gradient and products in blocks of %d are those of one pass",
  async (block) => {
    const problem = batchNormalized("float64");
    const model = { params: problem.init(0), statistics: problem.initStatistics?.() ?? {} };
    const f = await compileDerivatives(problem, { statistics: model.statistics });
    const full = await prepareFullPass(problem, { block });
    disposals.push(
      () => f.dispose(),
      () => full.dispose(),
    );
    const x = flatten(model.params);
    const v = Float64Array.from(x, (_, i) => Math.cos(3 * i));
    const [a, b] = [await f.lossAndGradient(x), await full.lossAndGradient(model)];
    expect(b.loss).toBeCloseTo(a.loss, 14);
    const close = (seen: ArrayLike<number>, expected: ArrayLike<number>) =>
      Array.from(expected, (value, i) => expect(seen[i]).toBeCloseTo(value, 13));
    expect(close(flatten(b.gradient), a.gradient)).toHaveLength(x.length);
    const product = await full.hessianTimes(model, unflatten(model.params, v));
    close(flatten(product), await f.hessianTimes(x, v));
  },
);

test("memory grows with the widths, and decides whether samples are cut into blocks", async () => {
  const network = (hidden: number[], samples: number) =>
    mlp({
      hidden,
      classes: 2,
      train: {
        size: samples,
        batch: {
          x: tensor(new Float32Array(samples * 3), [samples, 3], "float32"),
          y: tensor(new Int32Array(samples), [samples], "int32"),
        },
      },
    });
  const [narrow, wide] = [
    await bytesPerSample(network([10], 2)),
    await bytesPerSample(network([1000], 2)),
  ];
  // A hidden unit is a sum, with its bias, and what tanh makes of it: at least two numbers of 4 bytes.
  expect(narrow).toBeGreaterThan(2 * 4 * (2 * 10));
  expect(wide - narrow).toBeGreaterThan(2 * 4 * 2 * 990);
  expect(wide - narrow).toBeLessThan(2 * 4 * 16 * 990);
  expect(await blockOf(network([1000], 2000))).toBeUndefined();
  const block = (await blockOf(network([8000], 20_000))) ?? NaN;
  expect(block).toBeGreaterThan(500);
  expect(block).toBeLessThan(20_000);
});
