import { describe, expect, it } from "vitest";
import { np } from "../engine/jax-js.ts";
import { leavesOf, tensor, type Tensor } from "../engine/tensor.ts";
import { defineProblem, type NamedSamples } from "./define.ts";
import { inFloat64 } from "./float64.ts";
import { dense } from "./layers/dense.ts";
import { initializer } from "./layers/initializer.ts";
import { torchRandom } from "./networks/torch-random.ts";

const line = (train: NamedSamples, test?: NamedSamples) =>
  defineProblem({
    train,
    test,
    init: (random) => random.dense(1, 1),
    forward(layer, { x, y }) {
      const error = np.subtract(dense(x as np.Array, layer), (y as np.Array).reshape([-1, 1]));
      return { losses: np.mean(np.square(error), 1) };
    },
  });

const samples = { x: [[0], [1], [2]], y: [1, 3, 5] };

describe("a problem of one's own", () => {
  it("derives sizes, roles and types", () => {
    const problem = line(samples, { x: [[4]], y: [9] });
    expect(problem.train.size).toBe(3);
    expect(problem.test?.size).toBe(1);
    expect(problem.dtype).toBe("float32");
    expect(leavesOf(problem.train.batch).map(({ shape }) => shape)).toEqual([[3, 1], [3]]);
    expect([problem.role("hidden/bias"), problem.role("hidden/weight")]).toEqual([
      "bias",
      "weight",
    ]);
  });

  it("starts from PyTorch's numbers", () => {
    const { weight, bias } = initializer(7, "float32").dense(4, 2);
    const draw = torchRandom(7).uniform;
    const expected = Array.from({ length: 10 }, () => draw(-0.5, 0.5));
    expect([...weight.data, ...bias.data]).toEqual(expected);
  });

  it("in float64 has the very samples and start of float32", () => {
    const problem = line({ x: [[0.1], [0.2]], y: [0.3, 0.4] });
    const exact = inFloat64(problem);
    expect(exact.dtype).toBe("float64");
    const numbers = (of: typeof problem) =>
      [...leavesOf<Tensor>(of.train.batch), ...leavesOf(of.init(5))].map(({ data }) => [...data]);
    expect(numbers(exact)).toEqual(numbers(problem));
    expect(leavesOf(exact.init(0)).map(({ dtype }) => dtype)).toEqual(["float64", "float64"]);
    expect(inFloat64(exact)).toBe(exact);
  });

  it("draws normal numbers of the deviation asked for", () => {
    const data = Array.from(initializer(1, "float64").normal([10_000], 3).data);
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    const variance = data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length;
    expect(Math.abs(mean)).toBeLessThan(0.1);
    expect(Math.sqrt(variance)).toBeCloseTo(3, 1);
  });
});

it.each([
  [{ x: [[0], [1]], y: [1] }, "invalid train/y: 1 samples (give 2, as in train/x)"],
  [{ x: [[0], [NaN]], y: [1, 2] }, "invalid train/x: NaN in sample 1 (give finite numbers)"],
  [{ x: [[0], [1]], y: [1, Infinity] }, "invalid train/y: Infinity in sample 1"],
  [{ x: [[0], [1, 2]], y: [1, 2] }, "invalid train/x: 2 numbers in sample 1 (give 1, as in"],
  [{ x: [[0], ["1"]], y: [1, 2] }, "invalid train/x: 1 in sample 1 (give numbers)"],
  [{ x: [], y: [] }, "invalid train/x: no samples (give 1 or more)"],
  [{ x: tensor([1], [], "float32"), y: [1] }, "invalid train/x: it has no samples"],
  [{}, "missing train: give samples by name, such as x"],
])("refuses samples %j", (train, message) => {
  expect(() => line(train as NamedSamples)).toThrow(message);
});

it.each([
  [{ x: [[0]] }, "missing test/y: give it as in train"],
  [{ x: [[0, 1]], y: [1] }, "invalid test/x: float32[1, 2] (give float32[1, 1], as in train)"],
])("refuses test samples %j of another kind", (test, message) => {
  expect(() => line(samples, test as NamedSamples)).toThrow(message);
});

it.each([
  [{ forwards: () => {} }, 'unknown field "forwards" (did you mean "forward"?)'],
  [{ forward: 3 }, "invalid forward: number (give problem own a function)"],
  [{ init: undefined }, "missing init"],
  [{ dtype: "float16" }, 'unknown dtype "float16"'],
])("refuses the definition %j", (change, message) => {
  const whole = { train: samples, init: () => ({}), forward: () => ({}), ...change };
  expect(() => defineProblem(whole as never)).toThrow(message);
});
