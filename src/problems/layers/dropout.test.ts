import { expect, test } from "vitest";
import { compile } from "../../engine/index.ts";
import type { np } from "../../engine/jax-js.ts";
import { tensor, type Tensor } from "../../engine/tensor.ts";
import { mlp } from "../networks/mlp.ts";
import { sam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { prepareEvaluation } from "../../sam/training/evaluation.ts";
import { modelOf } from "../../sam/training/state.ts";
import { compileTraining } from "../../sam/training/training.ts";
import { dropout } from "./dropout.ts";

test("drops with the chance asked for, and scales what stays so that the mean is kept", async () => {
  const count = 4000;
  const program = await compile({
    carry: {},
    inputs: {
      x: { dtype: "float64", shape: [count] },
      key: { dtype: "uint32", shape: [2] },
    },
    knobs: {},
    step(carry, inputs) {
      const { x, key } = inputs as { x: np.Array; key: np.Array };
      return { carry, record: { y: dropout(x, 0.25, key), same: dropout(x, 0.25, undefined) } };
    },
  });
  const x = Float64Array.from({ length: count }, (_, i) => 1 + i / count);
  const { records } = await program.run({
    carry: {},
    inputs: { x: tensor(x, [count], "float64"), key: tensor([3, 4], [2], "uint32") },
    knobs: {},
    steps: 1,
  });
  await program.dispose();
  const { y, same } = records as { y: Tensor; same: Tensor };
  const kept = Array.from(y.data).flatMap((value, i) => (value === 0 ? [] : [value / (x[i] ?? 0)]));
  // Four standard deviations of the number of successes.
  expect(Math.abs(kept.length - 0.75 * count)).toBeLessThan(4 * Math.sqrt(count * 0.25 * 0.75));
  for (const factor of kept) expect(factor).toBeCloseTo(4 / 3, 14);
  expect(Array.from(same.data)).toEqual(Array.from(x));
});

test("a network drops in training only, anew in each step, the same in both passes of it", async () => {
  const x = Array.from({ length: 40 }, (_, i) => Math.sin(1.7 * i));
  const train = {
    size: 10,
    batch: {
      x: tensor(x, [10, 4], "float64"),
      y: tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0], [10], "int32"),
    },
  };
  const options = { train, hidden: [8, 6], dtype: "float64" } as const;
  const problem = mlp({ ...options, dropout: 0.5 });
  const training = await compileTraining({
    problem,
    method: sam({ rho: 0, outer: sgd({ learningRate: 0 }) }),
  });
  const losses: number[] = [];
  const shifted: number[] = [];
  const state = await training.run({
    steps: 5,
    onRecords({ loss, shiftedLoss }) {
      losses.push(...loss);
      shifted.push(...shiftedLoss);
    },
  });
  await training.dispose();
  expect(new Set(losses).size).toBe(5);
  expect(shifted).toEqual(losses);
  const judge = async (of: typeof problem) => {
    const evaluation = prepareEvaluation(of);
    const { loss } = await evaluation.evaluate(modelOf(state), train);
    await evaluation.dispose();
    return loss;
  };
  expect(await judge(problem)).toBe(await judge(mlp(options)));
});
