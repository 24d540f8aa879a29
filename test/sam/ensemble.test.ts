/** Ensembles of runs: whatever the problem and the method, every member is the run that it is alone. */
import { expect, test } from "vitest";
import { UnsupportedError } from "../../src/engine/program.ts";
import { leavesWithPaths, type Tensor } from "../../src/engine/tensor.ts";
import { describeMachine } from "../../src/platform/node/machine.ts";
import type { Problem } from "../../src/problems/problem.ts";
import { regression } from "../../src/problems/networks/regression.ts";
import { buildProblem } from "../../src/run/build.ts";
import { mostMembers } from "../../src/run/ensembles.ts";
import { nodeSources } from "../../src/run/node-sources.ts";
import { createRunner, type Outcome, type RunBeside } from "../../src/run/run.ts";
import { parseSpec } from "../../src/run/spec.ts";
import type { Method } from "../../src/sam/contract/method.ts";
import { sam } from "../../src/sam/methods/sam.ts";
import { adamW, sgd } from "../../src/sam/parts/outer.ts";
import { planEnsembleTraining, type Seat } from "../../src/sam/training/ensemble.ts";
import type { Records } from "../../src/sam/training/records.ts";
import {
  compileTraining,
  type CompiledTraining,
  type TrainOptions,
} from "../../src/sam/training/training.ts";
import { methodFor, names } from "./cases.ts";

const steps = 10;

/** An ordinary run, one with ρ = 0, one that leaves all bounds, one of another seed. */
const members = [
  { rho: 0.5, learningRate: 0.05 },
  { rho: 0, learningRate: 0.05 },
  { rho: 0.5, learningRate: 1e30 },
  { rho: 2, learningRate: 0.01 },
] as const;

/** All that a run tells, number by number. */
async function told(
  { run }: Pick<CompiledTraining, "run">,
  options: TrainOptions,
): Promise<Map<string, number[]>> {
  const all = new Map<string, number[]>();
  const add = (name: string, values: ArrayLike<number>) =>
    all.set(name, [...(all.get(name) ?? []), ...Array.from(values)]);
  const { carry, step } = await run({
    ...options,
    onRecords({ details, point: _point, ascentPoint: _ascentPoint, ...columns }: Records) {
      for (const [name, column] of Object.entries(columns)) {
        if (typeof column !== "number") add(name, column);
      }
      for (const [name, column] of Object.entries(details)) add(`details/${name}`, column);
    },
  });
  for (const [path, { data }] of leavesWithPaths<Tensor>(carry)) add(`carry/${path}`, data);
  add("step", [step]);
  return all;
}

interface Together {
  readonly problem: Problem;
  readonly method: (member: (typeof members)[number]) => Method;
  readonly batchSize?: number;
}

/** What members tell together, and what they tell alone. */
async function bothWays({ problem, method, batchSize = problem.train.size }: Together) {
  const options = { problem, method: method(members[0]), batchSize };
  const alone = await compileTraining(options);
  const ensemble = await (await planEnsembleTraining(options, members.length)).open(alone, {});
  try {
    const given = members.map((member, seed) => ({
      steps,
      seed,
      from: alone.start(seed),
      method: method(member),
    }));
    const seats = ensemble.seats(members.length);
    const together = await Promise.all(given.map((each, i) => told(seats[i] as Seat, each)));
    const single = [];
    for (const each of given) single.push(await told(alone, each));
    return { together, single };
  } finally {
    await ensemble.dispose();
    await alone.dispose();
  }
}

const classifier = { problem: "mlp", data: "digits", n: 6, pool: 7, hidden: [2] };

test.each(names)("members that follow %s are the runs they are alone", async (name) => {
  const dtype = names.indexOf(name) % 2 === 0 ? "float64" : "float32";
  // These follow what a network said before.
  const problem = ["saf", "mesa"].includes(name)
    ? await buildProblem(parseSpec({ ...classifier, dtype }), nodeSources())
    : regression({ n: 6, dtype });
  const method = ({ rho, learningRate }: (typeof members)[number]) =>
    methodFor(name, { rho, outer: sgd({ learningRate, momentum: 0.9 }) });
  const { together, single } = await bothWays({ problem, method, batchSize: 4 });
  expect(together).toEqual(single);
  expect(together.map((each) => each.get("loss")?.length)).toEqual(members.map(() => steps));
  // The numbers are not all alike, and where losses can one member has left all bounds.
  expect(new Set(single.map((each) => String(each.get("loss")))).size).toBe(members.length);
  const skips = single.map((each) => each.get("skipped")?.some((skipped) => skipped > 0));
  const isBounded = problem.name !== "regression";
  expect(skips).toEqual([false, false, !isBounded, false]);
});

const problems = [
  { problem: "cosine" },
  { problem: "himmelblau", dtype: "float32" },
  { problem: "regression", hidden: [5], n: 13 },
  { problem: "mlp", data: "digits", n: 23, pool: 7, hidden: [5] },
  { problem: "mlp", data: "digits", n: 23, pool: 7, hidden: [5], batch: 7, dtype: "float64" },
  {
    problem: "mlp",
    data: "digits",
    n: 20,
    pool: 7,
    hidden: [6],
    activation: "relu",
    norm: "layer",
  },
  { problem: "mlp", data: "digits", n: 20, pool: 7, hidden: [6], activation: "gelu", dropout: 0.5 },
  { problem: "gcn" },
] as const;

test.each(problems)("members that learn $problem are the runs they are alone: %o", async (raw) => {
  const spec = parseSpec(raw);
  const problem = await buildProblem(spec, nodeSources());
  const size = spec.batch === "full" ? problem.train.size : spec.batch;
  const { together, single } = await bothWays({
    problem,
    method: ({ rho, learningRate }) => sam({ rho, outer: adamW({ learningRate }) }),
    batchSize: size,
  });
  expect(together).toEqual(single);
  expect(together.map((each) => each.get("loss")?.length)).toEqual(members.map(() => steps));
});

test("a member that stops leaves the others undisturbed, and so does one that never comes", async () => {
  const options = { problem: regression({ n: 6 }), method: sam({ rho: 0.5, outer: sgd() }) };
  const alone = await compileTraining(options);
  const ensemble = await (await planEnsembleTraining(options, 4)).open(alone, {});
  const stop = new AbortController();
  const [first, second, third, last] = ensemble.seats(4) as [Seat, Seat, Seat, Seat];
  third.leave();
  const given = (seed: number) => ({ steps: 20_000, seed, from: alone.start(seed) });
  const told: number[] = [];
  const [one, two, failed] = await Promise.all([
    first.run(given(0)),
    second.run({ ...given(1), signal: stop.signal, onRecords: () => stop.abort() }),
    last
      .run({
        ...given(3),
        onRecords({ count }) {
          told.push(count);
          throw new Error("full disk");
        },
      })
      .catch(String),
  ]);
  expect(two.step).toBeGreaterThan(0);
  expect(two.step).toBeLessThan(20_000);
  expect([failed, told.length]).toEqual(["Error: full disk", 1]);
  expect(one).toEqual(await alone.run(given(0)));
  await ensemble.dispose();
  await alone.dispose();
});

test("runs that stand at different steps are not taken together", async () => {
  const options = { problem: regression({ n: 6 }), method: sam({ rho: 0.5, outer: sgd() }) };
  const alone = await compileTraining(options);
  const ensemble = await (await planEnsembleTraining(options, 2)).open(alone, {});
  const [first, second] = ensemble.seats(2) as [Seat, Seat];
  const from = alone.start();
  const ends = await Promise.allSettled([
    first.run({ steps: 5, from }),
    second.run({ steps: 5, from: { ...from, step: 2 } }),
  ]);
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect(String((ends[1] as PromiseRejectedResult).reason)).toContain(
    "invalid ensemble: steps 2 to 5",
  );
  await ensemble.dispose();
  await alone.dispose();
});

test("an ensemble whose numbers are not those of runs alone is not opened", async () => {
  const method = sam({ rho: 0.5, outer: sgd() });
  const other = await compileTraining({ problem: regression({ n: 6, penalty: 0 }), method });
  const plan = await planEnsembleTraining({ problem: regression({ n: 6 }), method }, 2);
  const opening = plan.open(other, {});
  await expect(opening).rejects.toThrow(UnsupportedError);
  await expect(opening).rejects.toThrow("differs from that of a run alone");
  await other.dispose();
});

const runner = createRunner({ machine: await describeMachine(), sources: nodeSources() });

/** All that is kept of a run but where it comes from. */
async function kept(outcome: Promise<Outcome>) {
  const ended = await outcome;
  if (ended.status !== "finished") throw new Error("interrupted");
  const { result, last, checkpoint } = ended;
  const { provenance, ...rest } = result;
  const { seconds: _seconds, ...where } = checkpoint;
  return { rest, last, where, ensemble: provenance.ensemble };
}

test("results, last rows and checkpoints of runs side by side are those of runs alone", async () => {
  const runs: RunBeside[] = [0, 0.5, 2, 1e3, 2, 2, 2, 2].map((rho, seed) => ({
    spec: parseSpec({ problem: "regression", rho, seed, steps: 400 }),
  }));
  const together = await Promise.all(runner.runTogether(runs).map(kept));
  const alone = [];
  for (const { spec } of runs) alone.push(await kept(runner.run(spec)));
  expect(alone.map(({ ensemble }) => ensemble)).toEqual(runs.map(() => undefined));
  expect(together).toEqual(alone.map((each) => ({ ...each, ensemble: runs.length })));
  const [single] = await Promise.all(runner.runTogether(runs.slice(2, 3)).map(kept));
  expect(single).toEqual(alone[2]);
});

test.each([
  [{ problem: "regression" }, undefined],
  [{ problem: "cnn", data: "digits", n: 20 }, "operator"],
  [{ problem: "mlp", data: "digits", n: 2000, hidden: [256] }, "size"],
] as const)("runs of %o are taken alone for the reason %s", async (raw, reason) => {
  const plan = await runner.planEnsemble(parseSpec(raw), mostMembers);
  expect("alone" in plan ? plan.alone : undefined).toBe(reason);
});

test("runs of the jax engine are taken alone", async () => {
  const jax = createRunner({
    machine: await describeMachine(),
    sources: nodeSources(),
    engine: "jax",
  });
  const plan = await jax.planEnsemble(parseSpec({ problem: "cosine" }), 8);
  expect(plan).toMatchObject({ alone: "engine" });
  await jax.dispose();
});
