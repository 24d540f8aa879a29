/** Output biases: a network that has them has no local maximizers, whatever its parameters. */
import { add, square, subtract } from "../../engine/arrays.ts";
import { np } from "../../engine/jax-js.ts";
import { randomStream } from "../../engine/random.ts";
import { tensor, type Tensor, type Tree } from "../../engine/tensor.ts";
import { crossEntropy } from "../../problems/networks/classification.ts";
import type { Problem } from "../../problems/problem.ts";
import { compileDerivatives, flatten } from "../point/derivatives.ts";
import { least, worst, type TheoremRow } from "./shared.ts";

const losses = ["cross-entropy", "squared error"] as const;
const [samples, inputs, hidden, outputs] = [12, 3, 4, 3];
/** Random parameters looked at for each network. */
const points = 60;

/**
 * Let b be added to the outputs. Then ∂²f/∂b_k² = mean p_k(1 − p_k) for cross-entropy, and 2 for the
 * sum of squared errors: above 0 everywhere, so that H always has a positive direction. Without b f
 * is still convex in the last layer, but where all hidden units are silent it is flat in it.
 */
export async function outputBias(): Promise<TheoremRow[]> {
  const rows: TheoremRow[] = [];
  for (const loss of losses) {
    for (const biased of [true, false]) rows.push(await check(loss, biased));
  }
  return rows;
}

async function check(loss: (typeof losses)[number], biased: boolean): Promise<TheoremRow> {
  const stream = randomStream(0, "output bias", loss);
  const draw = (count: number, scale = 1) =>
    Array.from({ length: count }, () => scale * stream.normal());
  const x = draw(samples * inputs);
  const labels = Array.from({ length: samples }, () => stream.integer(outputs));
  const problem = network(loss, biased, x, labels);
  const f = await compileDerivatives(problem, { engine: "jax" });
  /** Second derivatives along parameters of the last layer, at a point. */
  const curvatures = async (params: { readonly [name: string]: Tensor }, name: "a" | "b") => {
    const at = flatten(params);
    const found: number[] = [];
    for (let k = 0; k < (params[name]?.data.length ?? 0); k++) {
      const direction = Object.entries(params).map(
        ([key, leaf]) =>
          [
            key,
            tensor(
              Array.from(leaf.data, (_, i) => (key === name && i === k ? 1 : 0)),
              leaf.shape,
              "float64",
            ),
          ] as const,
      );
      const e = flatten(Object.fromEntries(direction));
      const product = await f.hessianTimes(at, e);
      found.push(product[e.indexOf(1)] as number);
    }
    return found;
  };
  const ofBias: number[] = [];
  const errors: number[] = [];
  const ofWeights: number[] = [];
  for (let i = 0; i < points; i++) {
    const scale = 10 ** stream.uniform(-2, 0.5);
    const params = parameters(biased, (count) => draw(count, scale));
    ofWeights.push(...(await curvatures(params, "a")));
    if (!biased) continue;
    const found = await curvatures(params, "b");
    ofBias.push(Math.max(...found));
    const formula = loss === "squared error" ? [2, 2, 2] : variances(params, x);
    errors.push(...found.map((value, k) => Math.abs(value - (formula[k] ?? NaN))));
  }
  // Silent units: w = 0 and no bias in the hidden layer.
  const silent = parameters(biased, (count, name) =>
    draw(count, name === "w" || name === "c" ? 0 : 1),
  );
  const flat = worst((await curvatures(silent, "a")).map(Math.abs));
  await f.dispose();
  const convex = least(ofWeights) >= -1e-12;
  return {
    statement: "Output bias",
    claim: biased
      ? "max ∂²f/∂b_k² > 0 at every parameter: no local maximizers"
      : "without an output bias f is convex in the last layer, but flat in it where hidden units are silent",
    plane: `${loss}, ${biased ? "output bias" : "no output bias"}`,
    passed: biased ? convex && least(ofBias) > 0 && worst(errors) < 1e-12 : convex && flat < 1e-15,
    numbers: biased
      ? {
          points: ofBias.length,
          leastCurvature: least(ofBias),
          largestErrorOfFormula: worst(errors),
          leastCurvatureOfWeights: least(ofWeights),
        }
      : {
          points,
          leastCurvatureOfWeights: least(ofWeights),
          curvatureAtSilentUnits: flat,
        },
  };
}

function parameters(
  biased: boolean,
  draw: (count: number, name: string) => number[],
): { readonly [name: string]: Tensor } {
  const leaf = (name: string, ...shape: number[]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return tensor(draw(count, name), shape, "float64");
  };
  return {
    a: leaf("a", hidden, outputs),
    ...(biased && { b: leaf("b", outputs) }),
    c: leaf("c", hidden),
    w: leaf("w", inputs, hidden),
  };
}

/** tanh(x w + c) a, plus b where there is one. */
function network(
  loss: (typeof losses)[number],
  biased: boolean,
  x: number[],
  labels: number[],
): Problem {
  const train = {
    size: samples,
    batch: {
      x: tensor(x, [samples, inputs], "float64"),
      y: tensor(labels, [samples], "int32"),
      targets: tensor(
        labels.flatMap((label) => [0, 1, 2].map((k) => (k === label ? 1 : -1))),
        [samples, outputs],
        "float64",
      ),
    },
  };
  return {
    name: "network",
    dtype: "float64",
    train,
    role: (path) => (path === "b" || path === "c" ? "bias" : "weight"),
    init: (): Tree<Tensor> => parameters(biased, (count) => Array.from({ length: count }, () => 0)),
    forward(params, batch) {
      const { a, b, c, w } = params as { [name in "a" | "c" | "w"]: np.Array } & { b?: np.Array };
      const { x, y, targets } = batch as { [name in "x" | "y" | "targets"]: np.Array };
      const units = np.tanh(add(np.matmul(x, w), c));
      const linear = np.matmul(units, a);
      const logits = b === undefined ? linear : add(linear, b);
      return {
        losses:
          loss === "cross-entropy"
            ? crossEntropy(logits, y)
            : np.sum(square(subtract(logits, targets)), 1),
      };
    },
  };
}

/** mean p_k(1 − p_k) by plain loops. */
function variances(params: { readonly [name: string]: Tensor }, x: readonly number[]): number[] {
  const [a, b, c, w] = ["a", "b", "c", "w"].map((name) => Array.from(params[name]?.data ?? []));
  const at = (values: number[] | undefined, i: number) => values?.[i] ?? NaN;
  const sums = [0, 0, 0];
  for (let n = 0; n < samples; n++) {
    const units = Array.from({ length: hidden }, (_, j) =>
      Math.tanh(
        [0, 1, 2].reduce(
          (sum, i) => sum + at([...x], n * inputs + i) * at(w, i * hidden + j),
          at(c, j),
        ),
      ),
    );
    const logits = sums.map((_, k) =>
      units.reduce((sum, unit, j) => sum + unit * at(a, j * outputs + k), at(b, k)),
    );
    const top = Math.max(...logits);
    const weights = logits.map((logit) => Math.exp(logit - top));
    const total = weights.reduce((p, q) => p + q);
    weights.forEach((weight, k) => {
      const p = weight / total;
      sums[k] = (sums[k] ?? 0) + (p * (1 - p)) / samples;
    });
  }
  return sums;
}
