/** Weights by PyTorch's names: every network's load into plain modules there, and give equal logits. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compile } from "../../src/engine/index.ts";
import { mapTree, tensor, type Tensor, type Tree } from "../../src/engine/tensor.ts";
import { matchModel } from "../../src/problems/import/match-model.ts";
import { torchState } from "../../src/problems/import/torch-names.ts";
import { mlp } from "../../src/problems/networks/mlp.ts";
import { regression } from "../../src/problems/networks/regression.ts";
import type { Model, Problem } from "../../src/problems/problem.ts";
import { problems } from "../../src/problems/registry.ts";
import { images, networks } from "../oracle/networks.ts";
import { python, runPython } from "./python.ts";

const train = images(8, 1, 3, 3);
const dtype = "float64";
const made: { readonly [name: string]: Problem } = {
  ...Object.fromEntries(Object.entries(networks).map(([name, make]) => [name, make(dtype)])),
  "mlp with dropout": mlp({ train, hidden: [7, 5], dropout: 0.5, dtype }),
  "mlp with dropout, layer norm": mlp({ train, hidden: [7], norm: "layer", dropout: 0.5, dtype }),
  regression: regression({ hidden: [3], n: 12, penalty: 0 }),
};
/** Samples of weights.py for the curve: its outputs are seen through the loss (output − 0)². */
const points = Array.from({ length: 12 }, (_, k) => Math.sin(1.7 * k + 0.3));
const curve = { x: tensor(points, [12], dtype), y: tensor(Array(12).fill(0), [12], dtype) };

/** A point at which no parameter is the same as another, nor as it began; variances are positive. */
function pointOf(problem: Problem): Model {
  let count = 0;
  const moved = (tree: Tree<Tensor>, by: (value: number, wave: number) => number) =>
    mapTree(tree, ({ data, shape }: Tensor) =>
      tensor(
        Array.from(data, (value) => by(value, Math.sin(1.3 * count++))),
        shape,
        dtype,
      ),
    );
  return {
    params: moved(problem.init(3), (value, wave) => value + 0.2 * wave),
    statistics: moved(problem.initStatistics?.() ?? {}, (value, wave) => value * 1.5 + 0.4 * wave),
  };
}

/** The forward pass in evaluation here. */
async function outputsOf(problem: Problem, model: Model): Promise<number[]> {
  const batch = problem.name === "regression" ? curve : problem.train.batch;
  const given = { ...model, batch, constants: problem.constants ?? {} };
  const program = await compile({
    carry: {},
    inputs: mapTree(given as Tree<Tensor>, ({ dtype, shape }) => ({ dtype, shape })),
    knobs: {},
    step(carry, inputs) {
      const { params, batch, statistics, constants } = inputs as never;
      const { outputs, losses } = problem.forward(params, batch, {
        mode: "evaluate",
        ...(problem.initStatistics && { statistics }),
        ...(problem.constants && { constants }),
      });
      return { carry, record: { seen: outputs ?? losses } };
    },
  });
  const { records } = await program.run({ carry: {}, inputs: given, knobs: {}, steps: 1 });
  await program.dispose();
  return Array.from((records as { seen: Tensor }).seen.data);
}

test("every network is among them", () => {
  const names = new Set(Object.values(made).map(({ name }) => name));
  const kinds = problems.filter(({ kind }) => kind === "network").map(({ name }) => name);
  expect([...names].sort()).toEqual(kinds.toSorted());
});

test.each(Object.entries(made))("the state_dict of %s is read back as it was", (_, problem) => {
  const model = pointOf(problem);
  expect(matchModel(problem, torchState(problem, model))).toEqual(model);
});

test.skipIf(python === undefined)(
  "plain modules of PyTorch give equal logits",
  async () => {
    const states = Object.entries(made).map(([name, problem]) => {
      const state = Object.entries(torchState(problem, pointOf(problem)));
      return [name, Object.fromEntries(state.map(([key, t]) => [key, [t.shape, [...t.data]]]))];
    });
    const folder = await mkdtemp(join(tmpdir(), "lucid-weights-"));
    const file = join(folder, "weights.json");
    await writeFile(file, JSON.stringify(Object.fromEntries(states)));
    const script = fileURLToPath(new URL("weights.py", import.meta.url));
    const theirs = JSON.parse(await runPython(script, file)) as { [name: string]: number[] };
    await rm(folder, { recursive: true });
    expect(Object.keys(theirs)).toEqual(Object.keys(made));
    for (const [name, problem] of Object.entries(made)) {
      const own = await outputsOf(problem, pointOf(problem));
      const seen = (theirs[name] ?? []).map((value) =>
        name === "regression" ? value ** 2 : value,
      );
      expect(own.length, name).toBe(seen.length);
      expect(Math.max(...own.map(Math.abs)), name).toBeGreaterThan(0.1);
      const worst = Math.max(...own.map((value, i) => Math.abs(value - (seen[i] ?? NaN))));
      expect(worst, name).toBeLessThan(1e-12);
    }
  },
  120_000,
);
