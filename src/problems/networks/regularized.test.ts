import { expect, test } from "vitest";
import { leavesOf, tensor, type Tensor } from "../../engine/tensor.ts";
import { compileDerivatives, flatten } from "../../diagnostics/point/derivatives.ts";
import { prepareEvaluation } from "../../sam/training/evaluation.ts";
import type { Problem } from "../problem.ts";
import { mlp } from "./mlp.ts";
import { withLabelSmoothing, withPenalty } from "./regularized.ts";

const labels = [0, 1, 2, 2];
/** Softmax regression on four points of the plane. */
const problem = mlp({
  dtype: "float64",
  hidden: [],
  train: {
    size: 4,
    batch: {
      x: tensor([1, 2, -1, 0.5, 0.25, -2, 3, 1], [4, 2], "float64"),
      y: tensor(labels, [4], "int32"),
    },
  },
});
const params = problem.init(3);

async function lossOf(of: Problem): Promise<number> {
  const evaluation = prepareEvaluation(of);
  const { loss } = await evaluation.evaluate({ params, statistics: {} }, of.train);
  await evaluation.dispose();
  return loss;
}

/** −log softmax of every sample, by hand. */
function logLosses(): number[][] {
  const { layers } = params as unknown as { layers: { weight: Tensor; bias: Tensor }[] };
  const [layer] = layers;
  const x = (problem.train.batch as { x: Tensor }).x.data;
  return labels.map((_, i) => {
    const logits = [0, 1, 2].map(
      (k) =>
        (layer?.bias.data[k] ?? NaN) +
        (layer?.weight.data[2 * k] ?? NaN) * (x[2 * i] ?? NaN) +
        (layer?.weight.data[2 * k + 1] ?? NaN) * (x[2 * i + 1] ?? NaN),
    );
    const sum = Math.log(logits.reduce((total, z) => total + Math.exp(z), 0));
    return logits.map((z) => sum - z);
  });
}

test("label smoothing is (1 − α)·(loss of the label) + α·(mean loss of all classes)", async () => {
  const alpha = 0.3;
  const expected = logLosses().map(
    (losses, i) =>
      (1 - alpha) * (losses[labels[i] ?? -1] ?? NaN) +
      (alpha / 3) * losses.reduce((a, b) => a + b, 0),
  );
  const mean = expected.reduce((a, b) => a + b, 0) / 4;
  expect(await lossOf(withLabelSmoothing(problem, alpha))).toBeCloseTo(mean, 14);
  expect(withLabelSmoothing(problem, 0)).toBe(problem);
});

test("the best constant answer to smoothed labels has the entropy of their mean", () => {
  // Shares ¼, ¼, ½ of the labels, smoothed by 0.3: 0.275, 0.275, 0.45.
  const entropy = -(2 * 0.275 * Math.log(0.275) + 0.45 * Math.log(0.45));
  expect(withLabelSmoothing(problem, 0.3).guessLoss).toBeCloseTo(entropy, 14);
});

test("a penalty adds λ‖θ‖²/2 to the loss and λθ to its gradient", async () => {
  const lambda = 0.7;
  const penalized = withPenalty(problem, lambda);
  const theta = flatten(params);
  const squares = leavesOf<Tensor>(params).flatMap(({ data }) => Array.from(data, (x) => x * x));
  const norm = squares.reduce((a, b) => a + b, 0);
  expect((await lossOf(penalized)) - (await lossOf(problem))).toBeCloseTo((lambda / 2) * norm, 13);
  const gradients = [];
  for (const of of [problem, penalized]) {
    const f = await compileDerivatives(of);
    gradients.push((await f.lossAndGradient(theta)).gradient);
    await f.dispose();
  }
  const [plain = [], with_ = []] = gradients;
  theta.forEach((x, i) => {
    expect((with_[i] ?? NaN) - (plain[i] ?? NaN)).toBeCloseTo(lambda * x, 13);
  });
});
