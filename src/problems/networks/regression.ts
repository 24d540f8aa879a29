/** Regression: a curve fitted by one hidden layer, the smallest network in which SAM truly hallucinates. */
import { z } from "zod";
import { np } from "../../engine/jax-js.ts";
import { add, multiply, scalar, square, subtract } from "../../engine/arrays.ts";
import { checkNames, InputError, unknownName } from "../../engine/errors.ts";
import { tensor, type Tensor } from "../../engine/tensor.ts";
import { choice, fromList, number, shownAs } from "../../settings/fields.ts";
import { problemEntry } from "../entry.ts";
import { initializer } from "../layers/initializer.ts";
import type { FloatType, Problem } from "../problem.ts";
import { numpyUniform } from "./numpy-random.ts";
import { reshaped } from "./torch-modules.ts";

/** Curves to fit, by name. */
const targets = {
  /** sin 3x + x/2 */
  sine: (x: number) => Math.sin(3 * x) + x / 2,
  /** 1/(1 + 25x²) (Runge 1901). */
  runge: (x: number) => 1 / (1 + 25 * x * x),
} as const;

/** Name of a curve that `regression` can fit. */
export type TargetName = keyof typeof targets;

/** What a regression is made of. */
export interface RegressionOptions {
  /** Width of the hidden layer, as a list of one; default `[2]`. */
  readonly hidden?: readonly number[] | undefined;
  /** Factor inside tanh; default 4. */
  readonly gain?: number | undefined;
  /** λ of the penalty λ‖θ‖²/2, a part of the loss; default 0.003. */
  readonly penalty?: number | undefined;
  /** The curve; default `sine`, y = sin 3x + x/2. */
  readonly target?: TargetName | undefined;
  /** Number of points; default 16. */
  readonly n?: number | undefined;
  /** Points are uniform in ±range; default 1. */
  readonly range?: number | undefined;
  /** Points are `numpy.random.default_rng(dataSeed).uniform(-range, range, n)`; default 1. */
  readonly dataSeed?: number | undefined;
  /** Initial w, b, a, c, one after the other, whatever the seed; default: drawn from the seed. */
  readonly start?: readonly number[] | undefined;
  /** Default `float64`. */
  readonly dtype?: FloatType | undefined;
}

/**
 * Fit y = a·tanh(gain·(w x + b)) + c to points of a curve: loss = mean (output − y)² + λ‖θ‖²/2, the
 * penalty over all parameters θ. Parameters are `w`, `b`, `a`, each [h], and `c` [1]; samples are
 * `{ x: [n], y: [n] }`. Without `start` they are drawn as PyTorch does for
 * `Linear(1, h)` and `Linear(h, 1)` after `torch.manual_seed(seed)`: w and b uniform in ±1, a and c
 * in ±1/√h.
 *
 * SAM with ρ = 2 and learning rate 0.01 from the start
 * (−0.49026082, −0.10984739, −0.06453957, 0.0952704, 0.1912387, −0.4470479, −0.51799646) converges to
 * a strict, attracting hallucinated minimizer: f(x) = 0.58625328, f(x⁺) = 0.01682962.
 *
 * @throws {InputError} when an option is out of range or the start has a wrong length.
 * @example
 * const problem = regression({ target: "runge", n: 40, hidden: [5] });
 */
export function regression(options: RegressionOptions = {}): Problem {
  checkNames("option", options, names);
  const { hidden = [2], gain = 4, penalty = 0.003, target = "sine", start } = options;
  const { n = 16, range = 1, dataSeed = 1, dtype = "float64" } = options;
  const [width] = hidden;
  if (width === undefined || hidden.length > 1 || !(Number.isInteger(width) && width >= 1)) {
    throw new InputError(`invalid hidden: ${hidden.join(",") || "none"} (${oneWidth})`);
  }
  if (!Object.hasOwn(targets, target)) {
    throw unknownName("target", target, Object.keys(targets));
  }
  const count = 3 * width + 1;
  if (start && (start.length !== count || !start.every(Number.isFinite))) {
    throw new InputError(
      `invalid start: ${start.join(",")} (give ${count} numbers, w, b, a and c for hidden ${width})`,
    );
  }
  const uniform = numpyUniform(dataSeed);
  const x = Array.from({ length: n }, () => uniform(-range, range));
  const y = x.map(targets[target]);
  return {
    name: "regression",
    dtype,
    train: { size: n, batch: { x: tensor(x, [n], dtype), y: tensor(y, [n], dtype) } },
    role: (path) => (path === "b" || path === "c" ? "bias" : "weight"),
    init(seed) {
      const init = initializer(seed, dtype);
      let from = 0;
      const part = (size: number, bound: number): Tensor => {
        const given = start?.slice(from, (from += size));
        return given ? tensor(given, [size], dtype) : init.uniform([size], bound);
      };
      // In PyTorch's order: both layers uniform in ±1/√inputs.
      return {
        w: part(width, 1),
        b: part(width, 1),
        a: part(width, 1 / Math.sqrt(width)),
        c: part(1, 1 / Math.sqrt(width)),
      };
    },
    forward(params, batch) {
      const { w, b, a, c } = params as unknown as Parameters<np.Array>;
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const points = x.reshape([x.shape[0] as number, 1]);
      // a·tanh(gain·(w x + b)) + c
      const inner = multiply(scalar(gain, points), add(multiply(points, w), b));
      const outputs = add(np.sum(multiply(np.tanh(inner), a), 1), c);
      // λ‖θ‖²/2
      const squares = [w, b, a, c].map((part) => np.sum(square(part)));
      const norm = squares.reduce((sum, part) => np.add(sum, part));
      const losses = add(square(subtract(outputs, y)), multiply(scalar(penalty / 2, x), norm));
      return { losses };
    },
    // nn.Sequential(Linear(1, h), tanh of gain times its input, Linear(h, 1)).
    toTorch({ params }) {
      const { w, b, a, c } = params as unknown as Parameters<Tensor>;
      return {
        "0.weight": reshaped(w, [width, 1]),
        "0.bias": b,
        "2.weight": reshaped(a, [1, width]),
        "2.bias": c,
      };
    },
  };
}

interface Parameters<Leaf> {
  readonly w: Leaf;
  readonly b: Leaf;
  readonly a: Leaf;
  readonly c: Leaf;
}

const names = ["hidden", "gain", "penalty", "target", "n", "range", "dataSeed", "start", "dtype"];
const oneWidth = "give one width of 1 or more, such as 2";
const numbers = "give numbers, w, b, a and c one after the other";

/** `regression` as it is listed. */
export const regressionEntry = problemEntry({
  name: "regression",
  kind: "network",
  title: "A curve fitted by one hidden layer, with a penalty: SAM with ρ = 2 can hallucinate.",
  formula: "y = a·tanh(gain·(w x + b)) + c, loss = mean (y − target(x))² + penalty‖θ‖²/2",
  options: z.object({
    hidden: shownAs(
      "widths",
      z
        .preprocess(
          fromList,
          z.tuple([z.int({ error: oneWidth }).gte(1, { error: oneWidth })], oneWidth),
        )
        .default([2])
        .describe("width of the hidden layer"),
    ),
    gain: number(4, "factor inside tanh"),
    penalty: number(0.003, "λ of the penalty λ‖θ‖²/2, a part of the loss", { min: 0 }),
    target: choice(
      Object.keys(targets) as [TargetName, ...TargetName[]],
      "sine",
      "curve to fit: sine, sin 3x + x/2, or runge, 1/(1 + 25x²)",
    ),
    n: number(16, "number of points", { min: 1, integer: true }),
    range: number(1, "points are uniform in ± this", { above: 0 }),
    dataSeed: shownAs(
      "number",
      number(1, "seed of the points, as in numpy.random.default_rng", {
        min: 0,
        max: Number.MAX_SAFE_INTEGER,
        integer: true,
      }),
    ),
    start: shownAs(
      "w,b,a,c",
      z
        .preprocess(fromList, z.array(z.number({ error: numbers }), numbers))
        .optional()
        .describe("initial w, b, a, c, one number after the other; default: drawn from the seed"),
    ),
  }),
  data: "none",
  defaults: { dtype: "float64" },
  describe: ({ n, target, hidden }) => `${n} points of ${target}, hidden ${hidden.join(",")}`,
  memory: ({ n, hidden: [width] }) => ({
    parameters: 3 * width + 1,
    units: width,
    samples: { count: n, inputs: 2 },
  }),
  create: (options) => regression(options),
});
