/** Nearby runs: what is made of a run's numbers, and that the method runs as it would at its end. */
import { describe, expect, test } from "vitest";
import { tensor } from "../../engine/tensor.ts";
import { planes } from "../../problems/planes/index.ts";
import { gradientDescent, sam } from "../../sam/methods/sam.ts";
import { switchingInWindow } from "../../sam/methods/switching.ts";
import { randomUnit } from "../algebra/vectors.ts";
import { clipped, sgd } from "../../sam/parts/outer.ts";
import { linear } from "../../settings/schedules.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { compileDerivatives, flatten } from "../point/derivatives.ts";
import {
  compiledRunner,
  runCopies,
  runFrom,
  runNearby,
  type Runner,
  type Trace,
} from "./nearby-runs.ts";

const vector = (...values: number[]) => Float64Array.from(values);
const east = { name: "east", direction: vector(1, 0) };
const north = { name: "north", direction: vector(0, 1) };

/** Of so many parameters and samples that a thread pays. */
function wideNetwork() {
  const [size, width] = [200, 30];
  const x = tensor(randomUnit(size * width, 0, "x"), [size, width], "float64");
  const y = tensor(
    Array.from({ length: size }, (_, i) => i % 3),
    [size],
    "int32",
  );
  return mlp({ train: { size, batch: { x, y } }, hidden: [200], dtype: "float64" });
}

/** The trace of a run that was asked for alone. */
const only = async (runs: Promise<Trace[]>): Promise<Trace> => (await runs)[0] as Trace;

/** A runner whose runs end where they are told to, and that writes down what it was asked. */
function told(ends: readonly Partial<Trace>[]) {
  const asked: { pace: unknown; from: number[] }[] = [];
  const left = [...ends];
  const runner: Runner = async (pace, starts) =>
    starts.map((from) => {
      asked.push({ pace, from: [...from] });
      const none = { losses: [], gradNorms: [], shiftedGradNorms: [], cosines: [] };
      return { end: from, ...none, ...left.shift() };
    });
  return { runner, asked };
}

describe("what is made of a run's numbers", () => {
  const pace = { learningRate: 0.25, steps: 7 };

  test("copies start beside the point, and are judged by how far from it they end", async () => {
    const { runner, asked } = told([
      { end: vector(3.25, 4), shiftedGradNorms: [9, 5, 2] },
      { end: vector(3, 5), shiftedGradNorms: [] },
      { end: vector(3, 4.5), shiftedGradNorms: [1] },
    ]);
    const displacements = [east, north, { name: "west", direction: vector(-1, 0) }];
    const runs = await runCopies(runner, { x: vector(3, 4), radius: 0.5, displacements, ...pace });
    const common = { steps: 7, initialDistance: 0.5 };
    expect(runs).toEqual([
      {
        ...common,
        start: "east",
        outcome: "returned",
        finalDistance: 0.25,
        initialShiftedGradNorm: 9,
        finalShiftedGradNorm: 2,
      },
      {
        ...common,
        start: "north",
        outcome: "left",
        finalDistance: 1,
        initialShiftedGradNorm: null,
        finalShiftedGradNorm: null,
      },
      {
        ...common,
        start: "west",
        outcome: "stayed",
        finalDistance: 0.5,
        initialShiftedGradNorm: 1,
        finalShiftedGradNorm: 1,
      },
    ]);
    expect(asked.map(({ from }) => from)).toEqual([
      [3.5, 4],
      [3, 4.5],
      [2.5, 4],
    ]);
    expect(asked[0]?.pace).toMatchObject(pace);
  });

  test("what is not finite is not told, and counts as having left", async () => {
    const { runner } = told([{ end: vector(NaN, 0), shiftedGradNorms: [Infinity, 1, NaN] }]);
    const [run] = await runCopies(runner, {
      x: vector(0, 0),
      radius: 1,
      displacements: [east],
      ...pace,
    });
    expect(run).toMatchObject({
      outcome: "left",
      finalDistance: null,
      initialShiftedGradNorm: null,
      finalShiftedGradNorm: null,
    });
  });

  test("averages are of the second half: geometric for norms, plain for losses and cosines", async () => {
    const { runner, asked } = told([
      {
        end: vector(0, 2),
        losses: [8, 7, 6, 4, 2],
        gradNorms: [100, 100, 1, 10, 100],
        shiftedGradNorms: [100, 100, 4, 2, 1],
        cosines: [9, 9, 0.5, 0.25, -0.15],
      },
    ]);
    const seen = await runFrom(runner, { x: vector(0, 5), ...pace });
    expect(seen).toEqual({
      gradNorm: expect.closeTo(10, 12),
      shiftedGradNorm: expect.closeTo(2, 12),
      firstLoss: 8,
      lastLoss: 4,
      endLoss: 2,
      cosine: expect.closeTo(0.2, 12),
      moved: 3,
      finite: true,
    });
    expect(asked.map(({ from }) => from)).toEqual([[0, 5]]);
  });

  test.each<[string, Partial<Trace>]>([
    ["a loss", { losses: [1, NaN, 1] }],
    ["the end", { losses: [1, 1], end: vector(NaN, 0) }],
    ["the end, infinitely far", { losses: [1, 1], end: vector(Infinity, 0) }],
  ])("is not finite where %s is not", async (_, trace) => {
    const { runner } = told([trace]);
    expect((await runFrom(runner, { x: vector(1, 1), ...pace })).finite).toBe(false);
  });

  test("a run without records has no first or last loss", async () => {
    const seen = await runFrom(told([{}]).runner, { x: vector(1, 1), ...pace });
    expect([seen.firstLoss, seen.endLoss, seen.moved]).toEqual([NaN, NaN, 0]);
  });
});

describe("the method itself", () => {
  // f = (x₁² + 10 x₂²)/2
  const problem = planes.quadratic.create();
  const [learningRate, steps] = [0.05, 6];
  const x = vector(0, 0);

  test("plain descent shrinks each direction by its own factor, at the rate that was given", async () => {
    const runs = await runNearby({
      problem,
      x,
      method: gradientDescent({ outer: sgd({ learningRate: 7 }) }),
      learningRate,
      steps,
      radius: 0.1,
      displacements: [east, north],
    });
    expect(runs.map(({ finalDistance }) => finalDistance)).toEqual([
      expect.closeTo(0.1 * 0.95 ** 6, 12),
      expect.closeTo(0.1 * 0.5 ** 6, 12),
    ]);
    expect(runs.map(({ outcome }) => outcome)).toEqual(["stayed", "returned"]);
  });

  test("schedules are held at the end of a run", async () => {
    const rho = linear({ initial: 5, final: 0.5 });
    const runner = compiledRunner({ problem, method: sam({ rho }) });
    const { end } = await only(runner({ learningRate, steps: 1 }, [vector(2, 0)]));
    // g⁺ = x + ρ on the axis.
    expect(end[0]).toBeCloseTo(2 - learningRate * 2.5, 5);
  });

  test("so are schedules within schedules, and only learning rates are replaced", async () => {
    const rho = linear({ initial: 5, final: 0.5 });
    const outer = clipped({ maxNorm: linear({ initial: 9, final: 2 }), outer: sgd() });
    const method = switchingInWindow({ from: gradientDescent({ outer }), to: sam({ rho, outer }) });
    const runner = compiledRunner({ problem, method });
    const { end } = await only(runner({ learningRate, steps: 1 }, [vector(1, 0)]));
    expect(end[0]).toBeCloseTo(1 - learningRate * 1.5, 5);
    const far = await only(runner({ learningRate, steps: 1 }, [vector(7, 0)]));
    expect(far.end[0]).toBeCloseTo(7 - learningRate * 2, 5);
  });

  test.each([
    ["plain", {}],
    ["a heavy ball", { momentum: 0.9 }],
    ["Nesterov's look ahead", { momentum: 0.9, nesterov: true }],
    ["decay", { weightDecay: 0.3, momentum: 0.5 }],
  ])("SAM by its formula is what is compiled: %s", async (_, settings) => {
    const f = await compileDerivatives(problem);
    const method = sam({ rho: 0.5, outer: sgd(settings) });
    const traceOf = (own: Parameters<typeof compiledRunner>[0]) =>
      only(compiledRunner(own)({ learningRate, steps }, [vector(2, -1)]));
    const compiled = await traceOf({ problem, method });
    // The problem is not asked again.
    const other = planes.saddle.create();
    const formula = await traceOf({ problem: other, method, sam: { f, rho: 0.5 } });
    for (const name of ["end", "losses", "gradNorms", "shiftedGradNorms", "cosines"] as const) {
      const [one, two] = [Array.from(compiled[name]), Array.from(formula[name])];
      expect(two).toHaveLength(name === "end" ? 2 : steps);
      expect(two).toEqual(one.map((value) => expect.closeTo(value, 10)));
    }
    await f.dispose();
  });

  test.each([
    ["many steps of a plane, in one program", planes.quadratic.create(), 3400, {}],
    ["a wide network, in two threads", wideNetwork(), 40, { threads: 2 }],
  ])("several runs have the numbers of runs alone: %s", async (_, problem, steps, engine) => {
    const runner = compiledRunner({ problem, method: sam({ rho: 0.5 }), engine });
    const x = flatten(problem.init(0));
    const starts = [1, 2, 3].map((i) => x.map((value, j) => value + 0.1 * Math.sin(i + j)));
    const pace = { learningRate: 1e-3, steps };
    const together = await runner(pace, starts);
    expect(together).toHaveLength(3);
    for (const [i, start] of starts.entries()) {
      const alone = await only(runner(pace, [start]));
      expect(together[i]?.end).toEqual(alone.end);
      // Thousands of numbers, of which no difference need be shown.
      expect(JSON.stringify(together[i]) === JSON.stringify(alone)).toBe(true);
      expect(alone.losses).toHaveLength(steps);
    }
  });

  test("an optimizer of unknown momentum counts as plain descent, and no gradient has no cosine", async () => {
    const f = await compileDerivatives(problem);
    const { descending: _, ...outer } = sgd({ momentum: 0.9 });
    const method = { ...sam({ rho: 0.5 }), outer };
    const run = compiledRunner({ problem, method, sam: { f, rho: 0.5 } });
    const { end, cosines } = await only(run({ learningRate, steps: 2 }, [vector(2, 0)]));
    const after = (r: number) => r - learningRate * (r + 0.5);
    expect(end[0]).toBeCloseTo(after(after(2)), 12);
    expect(cosines).toEqual([1, 1].map((value) => expect.closeTo(value, 12)));
    const still = await only(run({ learningRate, steps: 1 }, [x]));
    expect(still.cosines).toEqual([0]);
    await f.dispose();
  });
});
