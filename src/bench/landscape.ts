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
    threads,
  });
  const compiled = (performance.now() - began) / 1000;
  await landscape.at(grid.slice(0, 20));
  const ours: Time[] = [];
  const theirs: Time[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    await landscape.at(grid);
    const { user, system } = process.cpuUsage(before);
    ours.push({ seconds: (performance.now() - start) / 1000, processor: (user + system) / 1e6 });
    const args = [script, samples, inputs, hidden, points, threads].map(String);
    const printed = execFileSync(python, args, { encoding: "utf8" });
    const [seconds = NaN, processor = NaN] = printed.split(" ").map(Number);
    theirs.push({ seconds, processor });
  }
  await landscape.dispose();
  const words = (name: string, times: readonly Time[]) => {
    const of = (part: keyof Time) => times.map((time) => time[part]).sort((a, b) => a - b);
    const [seconds, processor] = [of("seconds"), of("processor")];
    return `${name} ${median(seconds).toFixed(2)} s (least ${seconds[0]?.toFixed(2)}; of the processor ${median(processor).toFixed(2)}, least ${processor[0]?.toFixed(2)})`;
  };
  const ratio = (part: keyof Time) =>
    (median(theirs.map((time) => time[part])) / median(ours.map((time) => time[part]))).toFixed(1);
  console.log(
    `${threads} ${threads === 1 ? "thread" : "threads"}: ${words("lucid", ours)}, compiling ${compiled.toFixed(2)}, ` +
      `${words("PyTorch", theirs)}: ${ratio("seconds")} ×, of the processor's time ${ratio("processor")} ×`,
  );
}

/** Of a whole plane: by the clock, and what the processor worked, which others disturb less. */
interface Time {
  readonly seconds: number;
  readonly processor: number;
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN;
}
