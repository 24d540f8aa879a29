import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeMachine } from "../platform/node/machine.ts";
import type { Tensor } from "../engine/tensor.ts";
import { digits } from "../problems/datasets/digits.ts";
import { imageSplits } from "../problems/datasets/images.ts";
import { nodeSources } from "./node-sources.ts";
import { continueRunFolder, createRunFolder, readRunFolder } from "../store/run-folder.ts";
import { createRunner, type Outcome, type Runner, type RunOptions, type RunStart } from "./run.ts";
import { parseSpec, specHash, type RunSpec } from "./spec.ts";

type Finished = Outcome & { status: "finished" };

let runner: Runner;
let folder = "";

async function openRunner(): Promise<Runner> {
  return createRunner({ machine: await describeMachine(), sources: nodeSources() });
}

beforeAll(async () => {
  runner = await openRunner();
  folder = await mkdtemp(join(tmpdir(), "lucid-run-"));
});

afterAll(async () => {
  await runner.dispose();
  await rm(folder, { recursive: true });
});

async function finish(spec: RunSpec, options?: RunOptions, on = runner): Promise<Finished> {
  const outcome = await on.run(spec, options);
  if (outcome.status !== "finished") throw new Error("the run was interrupted");
  return outcome;
}

/** A result without what differs from one execution to the next. */
const timeless = ({ result }: Finished) => ({
  ...result,
  provenance: { ...result.provenance, seconds: 0 },
});

it("ends on cosine where theory says", async () => {
  const { result } = await finish(
    parseSpec({ problem: "cosine", rho: 4, lr: 0.1, start: [2, 0.5], steps: 5000 }),
  );
  const [x1 = NaN, x2 = NaN] = result.final.point ?? [];
  // x⁺ = (2π, 0), so x₁ = 2π − 4 and ‖g‖ = |sin x₁|.
  expect(Math.abs(x1 - 2.2831853072)).toBeLessThan(1e-10);
  expect(Math.abs(x2)).toBeLessThan(1e-10);
  expect(Math.abs((result.final.gradNorm ?? NaN) - 0.7568024953)).toBeLessThan(1e-10);
  expect(result.final.gradRatio).toBeLessThan(1e-10);
  expect(result.verdict.name).toMatch(/^hallucinated/);
  expect(result).toMatchObject({ final: { step: 5000, testAccuracy: null }, evaluations: 10_000 });
});

describe("a stopped run", () => {
  const resumable: [string, object][] = [
    ["on a plane", { problem: "himmelblau", rho: 2, lr: 0.001, momentum: 0.9, steps: 2000 }],
    [
      "with mini-batches, AdamW and the switch",
      { n: 60, hidden: [5], optimizer: "adamw", batch: 20, switch: 0.3, rho: 1, steps: 600 },
    ],
    [
      "in the middle of an epoch of augmented images, scored",
      {
        n: 60,
        hidden: [5],
        batch: 8,
        epochs: 86,
        momentum: 0.9,
        schedule: "cosine",
        warmup: 0.1,
        crop: 1,
        flip: true,
        cutout: 4,
        labelNoise: 0.2,
        rho: 1,
      },
    ],
  ];

  it.each(resumable)("continues bit for bit %s", async (name, input) => {
    const spec = parseSpec(input);
    // No multiple of the steps after which the run is stopped.
    const evaluateEvery = "crop" in spec ? 85 : undefined;
    const whole = await finish(spec, { evaluateEvery });
    const path = join(folder, name.replaceAll(" ", "-"));
    const config = { spec, engine: "native", threads: 1, recordEvery: 4, version: "0" } as const;

    const begun = await createRunFolder(path, config, Infinity);
    const controller = new AbortController();
    const stopped = await runner.run(spec, {
      recordEvery: 4,
      evaluateEvery,
      signal: controller.signal,
      async onChunk(chunk) {
        await begun.take(chunk);
        if (chunk.checkpoint.state.step > 300) controller.abort();
      },
    });
    expect(stopped.status).toBe("interrupted");
    await begun.save(stopped.checkpoint);
    await expect(continueRunFolder(path, 1)).rejects.toThrow(/^invalid folder .* has been writing/);
    // What a crash leaves behind after the last checkpoint: more rows, the last one cut.
    await begun.append([{ ...whole.last, step: 1 }]);
    await begun.close();

    const continued = await continueRunFolder(path, Infinity);
    const { from } = continued;
    if (from === undefined) throw new Error("nothing was saved");
    const fresh = await openRunner();
    const resumed = await finish(
      spec,
      { recordEvery: 4, evaluateEvery, from, onChunk: (chunk) => continued.folder.take(chunk) },
      fresh,
    );
    await fresh.dispose();
    await continued.folder.finish(resumed);
    await continued.folder.close();

    const rows: unknown[] = [];
    await finish(spec, { recordEvery: 4, onChunk: (chunk) => void rows.push(...chunk.rows) });
    const stored = await readRunFolder(path);
    expect(timeless(resumed)).toEqual(timeless(whole));
    expect(stored.rows).toEqual([...rows, whole.last]);
    expect(stored.result).toEqual(resumed.result);
    await expect(continueRunFolder(join(folder, "none"), 1)).rejects.toThrow("missing folder");
  });
});

it("judges the final parameters of mini-batch runs on all samples", async () => {
  const spec = parseSpec({ n: 70, hidden: [6], batch: 7, rho: 0.5, lr: 0.1, steps: 200 });
  const { result, checkpoint } = await finish(spec);
  const { train, test } = imageSplits(digits({ train: 70 }), { train: 70 });
  const expected = [train, test].map(({ batch }) =>
    forward(
      (checkpoint.state.carry.params as unknown as { layers: Layer[] }).layers,
      batch as { x: Tensor; y: Tensor },
    ),
  );
  expect(result.final.loss).toBeCloseTo(expected[0]?.loss ?? NaN, 5);
  expect(result.final.trainAccuracy).toBe(expected[0]?.accuracy);
  expect(result.final.testAccuracy).toBe(expected[1]?.accuracy);
  expect(result.final.trainAccuracy).toBeGreaterThan(result.final.testAccuracy ?? NaN);
});

it("says what it was, and where it comes from", async () => {
  const spec = parseSpec({ problem: "cosine", rho: 2, lr: 0.1, start: [3, 4], steps: 40 });
  const starts: RunStart[] = [];
  const { result, checkpoint, last, model } = await finish(spec, {
    onStart: (start) => void starts.push(start),
  });
  const { dataHash } = result.provenance;
  expect(result).toMatchObject({
    spec,
    hash: await specHash(spec),
    relativeRho: 0.4,
    evaluations: 80,
    warning: null,
    provenance: {
      ...(await describeMachine()),
      engine: "native",
      device: "cpu, 1 thread",
      threads: 1,
      dtype: "float64",
      seconds: checkpoint.seconds,
      dataHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  });
  // What does not apply is not there.
  expect(Object.keys(result)).toEqual(
    "spec hash final relativeRho verdict warning evaluations provenance".split(" "),
  );
  expect(result.provenance).not.toHaveProperty("ensemble");
  expect(starts).toEqual([{ spec, engine: "native", device: "cpu, 1 thread", step: 0, dataHash }]);
  expect([last.step, checkpoint.state.step]).toEqual([40, 40]);
  expect(model.params).toEqual(checkpoint.state.carry.params);
  expect(result.final).toMatchObject({ step: 40, loss: last.loss, trainAccuracy: null });
});

it("is interrupted where it stopped before its end, and goes on from there", async () => {
  const spec = parseSpec({ problem: "cosine", rho: 2, steps: 1000 });
  const stop = new AbortController();
  const stopped = await runner.run(spec, {
    signal: stop.signal,
    onChunk: () => stop.abort(),
  });
  const { step } = stopped.checkpoint.state;
  expect(Object.keys(stopped)).toEqual(["status", "checkpoint"]);
  expect(stopped.status).toBe("interrupted");
  expect([step > 0, step < 1000]).toEqual([true, true]);
  const begins: number[] = [];
  const rest = await finish(spec, {
    from: () => stopped.checkpoint,
    onStart: (start) => void begins.push(start.step),
  });
  expect(begins).toEqual([step]);
  expect(timeless(rest)).toEqual(timeless(await finish(spec)));
  // Stopped after the last step, nothing is left to do.
  const late = new AbortController();
  const whole = await runner.run(spec, {
    signal: late.signal,
    onChunk: ({ checkpoint }) => {
      if (checkpoint.state.step === 1000) late.abort();
    },
  });
  expect(whole.status).toBe("finished");
});

it("keeps its scores and the best of them, where they were asked for", async () => {
  const spec = parseSpec({ n: 30, hidden: [3], rho: 0.1, lr: 0.5, steps: 7 });
  const told: unknown[] = [];
  const { result } = await finish(spec, {
    evaluateEvery: 3,
    onScores: (scores) => void told.push(scores),
  });
  expect(result.scores?.map(({ step }) => step)).toEqual([3, 6, 7]);
  expect(told).toEqual(result.scores);
  const scores = result.scores?.map(({ test }) => test?.score ?? NaN) ?? [];
  expect(result.best?.test?.score).toBe(Math.max(...scores));
  expect(result.scores?.at(-1)?.test?.score).toBe(result.final.testAccuracy);
});

it("takes runs side by side, or one after the other, with the results of runs alone", async () => {
  const specs = [1, 2, 3].map((rho) => parseSpec({ problem: "cosine", rho, seed: rho, steps: 50 }));
  const [one] = specs as [RunSpec];
  const plan = await runner.planEnsemble(one, 3);
  expect("gain" in plan && plan.gain).toBeGreaterThan(2);
  expect(await runner.planEnsemble(one, 1)).toMatchObject({ alone: expect.any(String) });
  const alone = await Promise.all(specs.map((spec) => finish(spec)));
  const own = ({
    provenance: { seconds: _seconds, ensemble: _members, ...rest },
    ...result
  }: Finished["result"]) => ({
    ...result,
    rest,
  });
  for (const count of [1, 3]) {
    const ended = (await Promise.all(
      runner.runTogether(specs.slice(0, count).map((spec) => ({ spec }))),
    )) as Finished[];
    expect(ended.map(({ result }) => own(result))).toEqual(
      alone.slice(0, count).map(({ result }) => own(result)),
    );
    // A run alone has no company, and says nothing of it.
    expect(ended.map(({ result }) => result.provenance.ensemble)).toEqual(
      count === 1 ? [undefined] : [3, 3, 3],
    );
  }
});

it("lets the others go on where one of several runs fails", async () => {
  const specs = [1, 2].map((seed) => parseSpec({ problem: "cosine", seed, steps: 20 }));
  const [bad, good] = runner.runTogether(
    specs.map((spec, i) => ({
      spec,
      options: {
        onStart() {
          if (i === 0) throw new Error("no room");
        },
      },
    })),
  );
  await expect(bad).rejects.toThrow("no room");
  expect((await good)?.status).toBe("finished");
});

it("shares programs between runs without mixing them up", async () => {
  const specs = [{ rho: 0.5 }, { rho: 2, seed: 3, lr: 0.05, steps: 90 }].map((knobs) =>
    parseSpec({ n: 50, hidden: [4], steps: 60, ...knobs }),
  );
  for (const spec of specs) {
    const shared = await finish(spec);
    const fresh = await openRunner();
    expect(timeless(shared)).toEqual(timeless(await finish(spec, {}, fresh)));
    await fresh.dispose();
  }
});

it("says so when a run diverges", async () => {
  const spec = parseSpec({ problem: "quadratic", method: "gd", lr: 10, steps: 500 });
  const { result, last } = await finish(spec);
  expect(result.verdict.name).toBe("diverged");
  expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  expect(last.step).toBe(500);
});

interface Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/** Mean cross-entropy and accuracy of a tanh network, in plain loops. */
function forward(layers: readonly Layer[], { x, y }: { x: Tensor; y: Tensor }) {
  const [n = 0, ...sides] = x.shape;
  const d = sides.reduce((product, side) => product * side, 1);
  let [loss, hits] = [0, 0];
  for (let i = 0; i < n; i++) {
    let values = Array.from(x.data.subarray(i * d, (i + 1) * d));
    layers.forEach(({ weight, bias }, l) => {
      const inputs = values;
      values = Array.from(bias.data, (b, j) =>
        inputs.reduce((sum, v, k) => sum + v * (weight.data[j * inputs.length + k] ?? NaN), b),
      );
      if (l < layers.length - 1) values = values.map(Math.tanh);
    });
    const label = y.data[i] ?? NaN;
    loss += Math.log(values.reduce((sum, v) => sum + Math.exp(v), 0)) - (values[label] ?? NaN);
    hits += values.indexOf(Math.max(...values)) === label ? 1 : 0;
  }
  return { loss: loss / n, accuracy: hits / n };
}
