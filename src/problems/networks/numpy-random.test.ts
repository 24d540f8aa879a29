import { expect, test } from "vitest";
import { numpyUniform } from "./numpy-random.ts";

// numpy.random.default_rng(seed).uniform(low, high, 4) of NumPy 2.4.6, printed with repr.
test.each([
  [0, -1, 1, [0.2739233746429086, -0.4604265724722594, -0.9180529521276106, -0.9669447289429418]],
  [1, -1, 1, [0.023643249400513433, 0.9009273926518706, -0.7116807745607325, 0.8972988942744877]],
  [7, 2, 5, [3.875286399814001, 4.6916414029087266, 4.327057070735581]],
  [
    2 ** 32 + 5,
    -1,
    1,
    [0.5484083607477623, -0.058554633623813857, 0.39176068868422975, 0.6330752916859435],
  ],
  [
    2 ** 53 - 1,
    -1,
    1,
    [0.5725362133522298, 0.21260647700518587, 0.07521896476012824, -0.6873411104269904],
  ],
])("seed %d in [%d, %d) draws NumPy's numbers, bit for bit", (seed, low, high, expected) => {
  const uniform = numpyUniform(seed);
  expect(expected.map(() => uniform(low, high))).toEqual(expected);
});
