import { describe, expect, test } from "vitest";
import { autodiff } from "../../../test/autodiff.ts";
import { leavesWithPaths, type Tensor } from "../../engine/tensor.ts";
import { sam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { compileTraining } from "../../sam/training/training.ts";
import { numpyUniform } from "./numpy-random.ts";
import { regression, type RegressionOptions, type TargetName } from "./regression.ts";

/** Equal but for half a unit of the last of `digits` decimals. */
const near = (value: number, digits: number) => expect.closeTo(value, digits);

// From 40 starts drawn in NumPy from seed 7, the seventh: w and b uniform in ±1, a and c in ±1/√2.
function randomStart(): number[] {
  const uniform = numpyUniform(7);
  const drawn = Array.from({ length: 280 }, () => uniform(-1, 1));
  return [12, 13, 92, 93, 172, 173, 246].map(
    (at) => (drawn[at] ?? NaN) * (at < 160 ? 1 : Math.SQRT1_2),
  );
}

test("plain SAM with ρ = 2 is drawn to a hallucinated minimizer, digit by digit", async () => {
  // Step, f(x), f(x⁺), ‖g‖, ‖g⁺‖: computed in NumPy with derivatives by hand.
  const expected: [number, number, number, number, number][] = [
    [20_000, 0.590614008289, 0.016832248674, 0.881959497742, 2.1737e-4],
    [45_000, 0.586902260098, 0.016829715921, 0.883590260261, 3.4142e-5],
  ];
  const start = randomStart();
  const eight = [-0.49026082, -0.10984739, -0.06453957, 0.0952704, 0.1912387, -0.4470479];
  expect(start).toEqual([...eight, -0.51799646].map((value) => near(value, 8)));
  const training = await compileTraining({
    problem: regression({ start }),
    method: sam({ rho: 2, outer: sgd({ learningRate: 0.01 }) }),
  });
  const found: unknown[] = [];
  await training.run({
    steps: 45_001,
    seed: 0,
    onRecords({ first, count, loss, shiftedLoss, gradNorm, shiftedGradNorm }) {
      for (const [step] of expected) {
        const at = step - first;
        if (at < 0 || at >= count) continue;
        found.push([step, loss[at], shiftedLoss[at], gradNorm[at], shiftedGradNorm[at]]);
      }
    },
  });
  await training.dispose();
  expect(found).toEqual(
    expected.map(([step, loss, shiftedLoss, gradNorm, shiftedGradNorm]) => [
      step,
      near(loss, 12),
      near(shiftedLoss, 12),
      near(gradNorm, 12),
      near(shiftedGradNorm, step === 20_000 ? 8 : 9),
    ]),
  );
});

test("points are NumPy's, and values are those of the curve", () => {
  // numpy.random.default_rng(1).uniform(-1, 1, 16)[:3] and default_rng(7).uniform(-3, 3, 3) by 2.4.6.
  const cases: [RegressionOptions, number[], (x: number) => number][] = [
    [
      {},
      [0.023643249400513433, 0.9009273926518706, -0.7116807745607325],
      (x) => Math.sin(3 * x) + x / 2,
    ],
    [
      { target: "runge", dataSeed: 7, range: 3, n: 3 },
      [0.750572799628002, 2.383282805817453, 1.6541141414711609],
      (x) => 1 / (1 + 25 * x ** 2),
    ],
  ];
  for (const [options, x, f] of cases) {
    const { train } = regression(options);
    const batch = train.batch as { x: Tensor; y: Tensor };
    expect(train.size).toBe(options.n ?? 16);
    expect([...batch.x.data].slice(0, 3)).toEqual(x);
    expect([...batch.y.data].slice(0, 3)).toEqual(x.map((value) => near(f(value), 15)));
  }
});

/** Every sample's loss with the penalty, in plain loops, of parameters a, b, c, w one after another. */
function plainLosses(theta: readonly number[], { h, gain, penalty }: { [name: string]: number }) {
  const { train } = regression({ hidden: [h as number], n: 5 });
  const { x, y } = train.batch as { x: Tensor; y: Tensor };
  const [a, b, w] = [0, h as number, 2 * (h as number) + 1].map((at) =>
    theta.slice(at, at + (h as number)),
  ) as [number[], number[], number[]];
  const c = theta[2 * (h as number)] as number;
  const norm = theta.reduce((sum, value) => sum + value * value, 0);
  return Array.from(x.data, (point, i) => {
    const output = a.reduce(
      (sum, height, j) =>
        sum + height * Math.tanh((gain as number) * ((w[j] ?? NaN) * point + (b[j] ?? NaN))),
      c,
    );
    return (output - (y.data[i] ?? NaN)) ** 2 + ((penalty as number) * norm) / 2;
  });
}

test("loss and gradient agree with plain loops, penalty and gain included", async () => {
  for (const [h, gain, penalty] of [
    [1, 4, 0.003],
    [3, 1.7, 0.4],
  ] as const) {
    const start = Array.from({ length: 3 * h + 1 }, (_, i) => Math.sin(2.3 * i + 1));
    const problem = regression({ hidden: [h], gain, penalty, n: 5, start });
    const params = problem.init(0);
    const { losses, gradient } = await autodiff(problem, params);
    const theta = leavesWithPaths(params).flatMap(([, { data }]) => [...data]);
    const numbers = { h, gain, penalty };
    expect(losses).toEqual(plainLosses(theta, numbers).map((value) => near(value, 13)));
    const mean = (values: number[]) => plainLosses(values, numbers).reduce((a, b) => a + b) / 5;
    const differences = theta.map((_, i) => {
      const at = (step: number) => mean(theta.map((value, j) => (i === j ? value + step : value)));
      const central = (step: number) => (at(step) - at(-step)) / (2 * step);
      return (4 * central(1e-3) - central(2e-3)) / 3;
    });
    expect(gradient).toEqual(differences.map((value) => near(value, 8)));
  }
});

describe("initial parameters", () => {
  test("are the start, w b a c, whatever the seed", () => {
    const problem = regression({ start: [1, 2, 3, 4, 5, 6, 7] });
    const values = (seed: number) =>
      leavesWithPaths(problem.init(seed)).map(([path, { data }]) => [path, ...data]);
    expect(values(0)).toEqual([
      ["a", 5, 6],
      ["b", 3, 4],
      ["c", 7],
      ["w", 1, 2],
    ]);
    expect(values(5)).toEqual(values(0));
  });

  test("are uniform in ±1 for w and b and in ±1/√h for a and c, by seed", () => {
    const problem = regression({ hidden: [100] });
    const all = [0, 1].map((seed) => Object.fromEntries(leavesWithPaths(problem.init(seed))));
    for (const [name, bound] of [
      ["w", 1],
      ["b", 1],
      ["a", 0.1],
    ] as const) {
      const [first, second] = all.map((params) => [...(params[name]?.data ?? [])]);
      const largest = Math.max(...(first ?? []).map(Math.abs));
      expect(largest).toBeLessThanOrEqual(bound);
      expect(largest).toBeGreaterThan(0.9 * bound);
      expect(first).not.toEqual(second);
    }
    expect(Math.abs(all[0]?.["c"]?.data[0] ?? NaN)).toBeLessThanOrEqual(0.1);
  });
});

test.each<[RegressionOptions, string]>([
  [{ hidden: [] }, "invalid hidden: none (give one width of 1 or more, such as 2)"],
  [{ hidden: [2, 2] }, "invalid hidden: 2,2 (give one width"],
  [{ hidden: [0] }, "invalid hidden: 0 (give one width"],
  [{ target: "sin" as TargetName }, 'unknown target "sin" (did you mean "sine"?)'],
  [{ start: [1, 2] }, "invalid start: 1,2 (give 7 numbers, w, b, a and c for hidden 2)"],
])("refuses %j", (options, message) => {
  expect(() => regression(options)).toThrow(message);
});
