/** Evaluation: what a forward pass is given. */
import { expect, test } from "vitest";
import { tensor } from "../../engine/tensor.ts";
import { karate } from "../../problems/datasets/graphs.ts";
import { gcn } from "../../problems/networks/gcn.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { resnet } from "../../problems/networks/resnet.ts";
import type { Problem } from "../../problems/problem.ts";
import { prepareEvaluation } from "./evaluation.ts";

const images = (shape: readonly number[]) => {
  const size = shape.reduce((product, side) => product * side, 1);
  return {
    size: shape[0] as number,
    batch: {
      x: tensor(
        Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
        shape,
        "float32",
      ),
      y: tensor(new Int32Array(shape[0] as number), shape.slice(0, 1), "int32"),
    },
  };
};

const problems: [string, Problem, string[]][] = [
  ["a plain network", mlp({ hidden: [3], classes: 2, train: images([5, 4]) }), []],
  ["one with edges", gcn({ ...karate(), hidden: [3] }), ["constants"]],
  [
    "one with batch normalization",
    resnet({ width: 2, classes: 2, train: images([4, 3, 8, 8]) }),
    ["statistics"],
  ],
];

test.each(problems)(
  "%s is given what it has, in the mode of evaluation",
  async (_, problem, has) => {
    const seen: { mode: string; has: string[] }[] = [];
    const watched: Problem = {
      ...problem,
      forward(params, batch, context) {
        const given = (["constants", "statistics", "key"] as const).filter(
          (name) => context[name] !== undefined,
        );
        seen.push({ mode: context.mode, has: given });
        return problem.forward(params, batch, context);
      },
    };
    const evaluation = prepareEvaluation(watched);
    const model = { params: problem.init(0), statistics: problem.initStatistics?.() ?? {} };
    const { loss } = await evaluation.evaluate(model, problem.train);
    await evaluation.dispose();
    expect(loss).toBeGreaterThan(0);
    expect(seen.length).toBeGreaterThan(0);
    for (const one of seen) expect(one).toEqual({ mode: "evaluate", has });
  },
);
