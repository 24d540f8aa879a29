import { expect, test } from "vitest";
import { cosine, quadratic } from "../../problems/index.ts";
import { sam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import type { TrainingState } from "../../sam/training/state.ts";
import { compileTraining } from "../../sam/training/training.ts";
import { prepareCounterfactual, type CounterfactualRun } from "./counterfactual.ts";
import { createScreen } from "./screen.ts";

const learningRate = 0.1;

/** −cos x + y²/2 and its gradient, in plain numbers. */
const loss = ([x, y]: readonly [number, number]) => -Math.cos(x) + y ** 2 / 2;

test("descent in a copy lowers the loss where SAM stands, and leaves the run as it was", async () => {
  const problem = cosine({ start: [2, 0.5] });
  const outer = sgd({ learningRate });
  const training = await compileTraining({
    problem,
    method: sam({ rho: 4, outer }),
    engine: "native",
  });
  const screen = createScreen({ dtype: "float64", engine: "native" });
  const probe = await prepareCounterfactual({ problem, outer, steps: 3, engine: "native" });
  let state: TrainingState = training.start();
  for (let until = 20; until <= 200; until += 20) {
    state = await training.run({
      steps: 200,
      from: state,
      until,
      async onRecords(records, reached) {
        const seen = await probe.look(reached);
        expect(seen.step).toBe(reached.step);
        const last = records.count - 1;
        const descentLoss = Array.from(records.loss, (_, i) =>
          i === last ? seen.descentLoss : NaN,
        );
        screen.push({ ...records, descentLoss });
      },
    });
  }
  const before = JSON.stringify(state);
  const seen = await probe.look(state);
  expect(JSON.stringify(state)).toBe(before);
  // SAM stands at x = 2π − 4; descent from there, by hand.
  let [x, y] = [2 * Math.PI - 4, 0.5 * (1 - learningRate) ** 200];
  expect(seen.loss).toBeCloseTo(loss([x, y]), 4);
  for (let t = 0; t < 3; t++) [x, y] = [x - learningRate * Math.sin(x), y * (1 - learningRate)];
  expect(seen.descentLoss).toBeCloseTo(loss([x, y]), 4);
  expect(screen.verdict().name).toBe("hallucinated-point");
  expect(screen.verdict().numbers["descentFall"]).toBeGreaterThan(0.2);
  expect(screen.warning?.sentence).toContain("in a copy lowered the loss");
  await Promise.all([probe.dispose(), training.dispose()]);
});

test("the copy has the run's momentum", async () => {
  const problem = quadratic();
  const outer = sgd({ learningRate: 0.01, momentum: 0.9 });
  const method = sam({ rho: 0.05, outer });
  const training = await compileTraining({ problem, method, engine: "native" });
  const state = await training.run({ steps: 5 });
  const probe = await prepareCounterfactual({ problem, outer, steps: 1, engine: "native" });
  const { descentLoss } = await probe.look(state);
  const flat = (tree: unknown): number[] => {
    const values: number[] = [];
    JSON.stringify(tree, (_, node: unknown) => {
      if (ArrayBuffer.isView(node))
        values.push(...Array.from(node as unknown as ArrayLike<number>));
      return node;
    });
    return values;
  };
  const [x, v] = [flat(state.carry.params), flat(state.carry.outer)];
  expect(v).toHaveLength(2);
  const curvature = [1, 10];
  const next = x.map((xi, i) => xi - 0.01 * (0.9 * (v[i] ?? NaN) + (curvature[i] ?? NaN) * xi));
  const wanted = next.reduce((sum, xi, i) => sum + ((curvature[i] ?? NaN) * xi ** 2) / 2, 0);
  expect(descentLoss).toBeCloseTo(wanted, 10);
  await Promise.all([probe.dispose(), training.dispose()]);
});

test("a look may have other knobs, and none is taken after disposal", async () => {
  const problem = quadratic({ start: [1, 1] });
  const outer = sgd({ learningRate: 0.01 });
  const training = await compileTraining({
    problem,
    method: sam({ rho: 0.05, outer }),
    engine: "native",
  });
  const state = training.start();
  const probe = await prepareCounterfactual({ problem, outer, steps: 1, engine: "native" });
  // f = (x² + 10 y²)/2, one step of descent from (1, 1).
  const after = (rate: number) => ((1 - rate) ** 2 + 10 * (1 - 10 * rate) ** 2) / 2;
  const look = async (run?: CounterfactualRun) => (await probe.look(state, run)).descentLoss;
  expect(await look()).toBeCloseTo(after(0.01), 10);
  expect(await look({ outer: sgd({ learningRate: 0.05 }) })).toBeCloseTo(after(0.05), 10);
  await probe.dispose();
  await expect(probe.look(state)).rejects.toThrow();
  await training.dispose();
});

test.each([0, -1, 1.5])("%s steps are refused", async (steps) => {
  const asked = prepareCounterfactual({ problem: quadratic(), outer: sgd(), steps });
  await expect(asked).rejects.toThrow(`invalid steps: ${steps}`);
});
