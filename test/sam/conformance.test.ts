/** What every method must do on every parameter tree, in every dtype and engine. */
import { numpy as np } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { mean, multiply, scalar, square, subtract } from "../../src/engine/arrays.ts";
import {
  leavesOf,
  mapTree,
  tensor,
  typesOf,
  type Tensor,
  type Tree,
} from "../../src/engine/tensor.ts";
import { roleByName, type FloatType, type Problem } from "../../src/problems/problem.ts";
import type { Method } from "../../src/sam/contract/method.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { compileTraining } from "../../src/sam/training/training.ts";
import type { Records } from "../../src/sam/training/records.ts";
import type { TrainingState } from "../../src/sam/training/state.ts";
import { exceptions, holds, methodFor, named, names, type Check } from "./cases.ts";
import { flat } from "./run.ts";

const engines = ["native", "jax"] as const;
const dtypes = ["float64", "float32"] as const;

const wave = (count: number, phase: number) =>
  Array.from({ length: count }, (_, i) => Math.sin(2.7 * i + phase));

/** Lists, objects and leaves of rank 0 to 2. */
const trees: { readonly [name: string]: (dtype: FloatType) => Tree<Tensor> } = {
  leaf: (dtype) => tensor(wave(3, 0.2), [3], dtype),
  nested: (dtype) => ({
    norm: { scale: tensor([0.8], [], dtype) },
    blocks: [
      { weight: tensor(wave(4, 0.9), [2, 2], dtype), bias: tensor([0.3], [1], dtype) },
      { weight: tensor(wave(2, 2.1), [1, 2], dtype), bias: tensor([-0.6], [1], dtype) },
    ],
  }),
};

/**
 * f = mean_n a_n Σ_i c_i (xᵢ² + xᵢ⁴/4) over all numbers xᵢ: its minimizer is 0. Counts how often it
 * is traced.
 */
function bowl(params: Tree<Tensor>, dtype: FloatType) {
  const traces = { count: 0 };
  const problem: Problem = {
    name: "bowl",
    dtype,
    outputs: 2,
    init: () => params,
    role: (path) => (path === "" ? "weight" : roleByName(path)),
    train: { size: 6, batch: { a: tensor([0.1, 0.2, 0.3, 0.2, 0.1, 0.3], [6], dtype) } },
    forward(tree, batch) {
      traces.count++;
      const { a } = batch as { a: np.Array };
      const all = (node: unknown): np.Array[] =>
        node instanceof Object && "shape" in node
          ? [(node as np.Array).reshape([(node as np.Array).size])]
          : Object.values(node as object).flatMap(all);
      const x = np.concatenate(all(tree));
      const c = np.array(
        wave(x.size, 0.5).map((v) => 1.5 + v),
        { dtype: x.dtype },
      );
      const squares = square(x);
      const values = np.multiply(
        c,
        np.add(squares, multiply(scalar(0.25, squares), square(squares))),
      );
      const center = subtract(mean(x), scalar(0.1, x));
      const column = (by: np.Array) => multiply(a, by).reshape([a.size, 1]);
      return {
        outputs: np.concatenate([column(center), column(mean(x))], 1),
        losses: np.multiply(a, np.sum(values)),
      };
    },
  };
  return { problem, traces };
}

const create = (name: string, checks: readonly Check[] = [], rho = 0.2) =>
  methodFor(name, {
    rho,
    outer: sgd({ learningRate: 0.02, momentum: 0.9, nesterov: true }),
    checks,
  });

test("settings and exceptions name methods that exist, each check once", () => {
  for (const method of named) expect(names).toContain(method);
  const all = exceptions.map(({ check, method }) => `${check}: ${method}`);
  expect(new Set(all).size).toBe(all.length);
  expect(names.length).toBeGreaterThan(20);
});

describe.each(dtypes)("%s", (dtype) => {
  describe.each(Object.keys(trees))("parameters: %s", (treeName) => {
    const params = (trees[treeName] as (dtype: FloatType) => Tree<Tensor>)(dtype);
    test.each(names)("%s", async (name) => {
      const ends: number[][] = [];
      const checks = ["engines agree", "a vanishing gradient moves nothing"] as const;
      for (const engine of engines) {
        const { problem, traces } = bowl(params, dtype);
        const training = await compileTraining({ problem, method: create(name, checks), engine });
        const start = training.start();
        const records: Records[] = [];
        const go = (from: TrainingState, steps = 5) => {
          records.length = 0;
          const onRecords = (seen: Records) => void records.push(seen);
          return training.run({ steps, from, onRecords });
        };

        const end = await go(start);
        const traced = traces.count;
        expect(typesOf(end.carry), "types are kept").toEqual(typesOf(start.carry));
        expect(records.flatMap(({ skipped }) => [...skipped])).toEqual([0, 0, 0, 0, 0]);
        ends.push(flat(end.carry.params));

        const from = (fill: (leaf: Tensor) => Tensor): TrainingState => ({
          ...start,
          carry: { ...start.carry, params: mapTree(params, fill) },
        });
        const filled = (value: number) => (leaf: Tensor) => ({
          ...leaf,
          data: leaf.data.slice().fill(value),
        });

        if (holds("a vanishing gradient moves nothing", name)) {
          const rest = await go(from(filled(0)));
          expect(
            flat(rest.carry.params).every((x) => x === 0),
            "rests at 0",
          ).toBe(true);
        }

        const missing = from(filled(NaN));
        const stuck = await go(missing, 2);
        expect(stuck.carry, "a step with NaN changes nothing").toEqual(missing.carry);
        expect(records.flatMap(({ skipped }) => [...skipped])).toEqual([1, 1]);

        expect(traces.count, "nothing is compiled twice").toBe(traced);
        await training.dispose();
      }
      const [native, jax] = ends as [number[], number[]];
      expect(native.length).toBeGreaterThan(0);
      const tolerance = dtype === "float64" ? 1e-12 : 1e-5;
      const worst = Math.max(...native.map((x, i) => Math.abs(x - (jax[i] ?? NaN))));
      expect(worst, "engines agree").toBeLessThan(tolerance);
    });
  });
});

describe.each(engines)(
  "at ρ = 0 a method is its outer optimizer, bit for bit, engine %s",
  (engine) => {
    const dtype = "float32";
    const check = "ρ = 0 is the outer optimizer";
    test.each(names.filter((name) => holds(check, name)))("%s", async (name) => {
      const { problem } = bowl(
        (trees["nested"] as (dtype: FloatType) => Tree<Tensor>)(dtype),
        dtype,
      );
      const end = async (method: Method) => {
        const training = await compileTraining({ problem, method, engine });
        const state = await training.run({ steps: 4 });
        await training.dispose();
        return flat(state.carry.params);
      };
      const still = await end(create(name, [check], 0));
      expect(still).toEqual(await end(create("gd")));
      expect(leavesOf(problem.init(0)).length).toBeGreaterThan(1);
    });
  },
);
