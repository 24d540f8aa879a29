/**
 * Times of a landscape beside the plain loop in PyTorch: f and f(x⁺) at 51 × 51 places around
 * 13,258 parameters on 500 samples, in float32, one after the other in turns.
 *
 *     node --conditions=source src/bench/landscape.ts [PYTHON] [ROUNDS]
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { randomUnit } from "../diagnostics/algebra/vectors.ts";
import { orthonormal } from "../diagnostics/landscape/directions.ts";
import { placesOf, ticks } from "../diagnostics/landscape/grid.ts";
import { compileLandscape } from "../diagnostics/landscape/landscape.ts";
import { flatten } from "../diagnostics/point/derivatives.ts";
import { randomStream } from "../engine/random.ts";
import { tensor } from "../engine/tensor.ts";
import { mlp } from "../problems/networks/mlp.ts";

const [python = "python3", rounds = "5"] = process.argv.slice(2);
const [samples, inputs, hidden, points] = [500, 196, 64, 51];
const draw = randomStream(0, "bench", "landscape");
const problem = mlp({
  train: {
    size: samples,
    batch: {
      x: tensor(
        Array.from({ length: samples * inputs }, () => draw.normal()),
        [samples, inputs],
        "float32",
      ),
      y: tensor(
        Array.from({ length: samples }, (_, i) => i % 10),
        [samples],
        "int32",
      ),
    },
  },
  hidden: [hidden],
});
const center = flatten(problem.init(0));
const direction = (name: string) => ({ name, vector: randomUnit(center.length, 0, name) });
const axes = orthonormal(direction("first"), direction("second"));
const grid = placesOf([ticks(-3, 3, points), ticks(-3, 3, points)]);
const script = fileURLToPath(new URL("./peers/torch_landscape.py", import.meta.url));

for (const threads of [1, availableParallelism()]) {
  const began = performance.now();
  const landscape = await compileLandscape({
    problem,
    center,
    axes,
    rho: 2,
    shiftedGradients: false,
    engine: "native",
    atOnce: threads,
  });
  const compiled = (performance.now() - began) / 1000;
  await landscape.at(grid.slice(0, 20));
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const start = performance.now();
    await landscape.at(grid);
    ours.push((performance.now() - start) / 1000);
    const args = [script, samples, inputs, hidden, points, threads].map(String);
    theirs.push(Number(execFileSync(python, args, { encoding: "utf8" })));
  }
  await landscape.dispose();
  const median = (times: number[]) => times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN;
  console.log(
    `${threads} ${threads === 1 ? "thread" : "threads"}: lucid ${median(ours).toFixed(2)} s (least ${Math.min(...ours).toFixed(2)}, compiling ${compiled.toFixed(2)}), ` +
      `PyTorch ${median(theirs).toFixed(2)} s (least ${Math.min(...theirs).toFixed(2)}): ${(median(theirs) / median(ours)).toFixed(1)} ×`,
  );
}
