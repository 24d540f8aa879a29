import { numpy as np } from "@jax-js/jax";
import { expect, test } from "vitest";
import { quadratic } from "../../problems/planes/index.ts";
import type { Method } from "./method.ts";
import type { Objective } from "./objective.ts";
import { sgd } from "../parts/outer.ts";
import { descend, method, plainEvidence } from "../parts/step.ts";
import { compileTraining } from "../training/training.ts";
import type { ArrayTree } from "../../engine/program.ts";

/** Plain descent that spends evaluations in its own way first. */
function spending(
  spend: (objective: Objective, params: ArrayTree, step: np.Array) => void,
): Method {
  const outer = sgd();
  return method({
    name: "spending",
    knobs: {},
    outer,
    init: () => ({}),
    step(context) {
      const { objective, params, time } = context;
      spend(objective, params, time.step);
      const pass = objective.lossAndGradient(params);
      return descend(outer, pass.gradient, context, {}, plainEvidence(pass, params));
    },
  });
}

async function evaluations(of: Method, steps = 2): Promise<number[]> {
  const training = await compileTraining({ problem: quadratic(), method: of, engine: "native" });
  const spent: number[] = [];
  await training.run({ steps, onRecords: (records) => void spent.push(...records.evaluations) });
  await training.dispose();
  return spent;
}

test("the same gradient asked for twice counts once", async () => {
  const asking = spending((objective, params) => void objective.lossAndGradient(params));
  expect(await evaluations(asking)).toEqual([1, 1]);
});

test("forward passes count a third, Hessian-vector products two, parts of a batch their share", async () => {
  const asking = spending((objective, params) => {
    objective.forward(params);
    objective.hessianVectorProduct(params, params);
    objective.lossAndGradient(params, objective.take(np.array([1], { dtype: np.int32 })));
  });
  const spent = expect.closeTo(1 + 1 / 3 + 2 + 0.5, 6);
  expect(await evaluations(asking)).toEqual([spent, spent]);
});

test("only the branch that is taken counts, and what it computed is not known after it", async () => {
  const isFirst = (step: np.Array) => np.less(step.ref, 1);
  const inYes = spending((objective, params, step) => {
    objective.branch(
      isFirst(step),
      () => ({ loss: objective.lossAndGradient(params).loss }),
      () => ({ loss: np.array(0, { dtype: np.float64 }) }),
    );
  });
  const inNo = spending((objective, params, step) => {
    objective.branch(
      isFirst(step),
      () => ({ loss: np.array(0, { dtype: np.float64 }) }),
      () => ({ loss: objective.lossAndGradient(params).loss }),
    );
  });
  // What comes after a branch cannot rely on either side: it pays again.
  expect(await evaluations(inYes)).toEqual([2, 1]);
  expect(await evaluations(inNo)).toEqual([1, 2]);
});
