import { afterAll, describe, expect, it } from "vitest";
import { np } from "../engine/jax-js.ts";
import { leavesWithPaths, tensor } from "../engine/tensor.ts";
import { defineProblem } from "../problems/define.ts";
import { dense } from "../problems/layers/dense.ts";
import { crossEntropy, isRight } from "../problems/networks/classification.ts";
import { quadratic } from "../problems/planes/index.ts";
import type { Forward, Problem } from "../problems/problem.ts";
import { sam } from "../sam/methods/sam.ts";
import { asam } from "../sam/methods/asam.ts";
import { adamW, sgd } from "../sam/parts/outer.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { bestOf } from "./scores.ts";
import { loadState, prepareTraining, saveState, type Training } from "./training.ts";

const opened: Training[] = [];
const prepare = async (options: Parameters<typeof prepareTraining>[0]) => {
  const training = await prepareTraining(options);
  opened.push(training);
  return training;
};
afterAll(async () => {
  for (const training of opened) await training.dispose();
});

/** Two clouds of points on a line, of which a threshold tells which is which. */
const clouds = (labels: readonly number[] = [0, 0, 0, 1, 1, 1]) =>
  defineProblem({
    name: "clouds",
    train: { x: [[-3], [-2], [-1], [1], [2], [3]], y: tensor(labels, [6], "int32") },
    test: { x: [[-4], [4], [5]], y: tensor([0, 1, 0], [3], "int32") },
    init: (random) => random.dense(1, 2),
    forward(layer, { x, y }) {
      const logits = dense(x, layer);
      return { losses: crossEntropy(logits.ref, y), outputs: logits };
    },
    score: (outputs, { y }) => isRight(outputs, y),
  });

const adaptive = asam({ rho: 0.5, outer: sgd({ learningRate: 0.5 }) });
const method = sam({ rho: 0.05, outer: sgd({ learningRate: 0.5, momentum: 0.5 }) });

describe("a training", () => {
  it("keeps history, scores and a verdict", async () => {
    const training = await prepare({ problem: clouds(), method, batchSize: 2 });
    const told: number[] = [];
    const run = await training.run({
      steps: 100,
      recordEvery: 10,
      evaluateEvery: 40,
      onScores: ({ step }) => void told.push(step),
    });
    expect(run.step).toBe(100);
    expect(run.history.map(({ step }) => step)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    expect(run.scores.map(({ step }) => step)).toEqual([40, 80, 100]);
    expect(told).toEqual([40, 80, 100]);
    const last = run.scores.at(-1);
    expect([last?.train.score, last?.test?.score]).toEqual([1, 2 / 3]);
    expect(await training.evaluate(run.model)).toEqual(last?.test);
    expect(await training.evaluate(run, training.problem.train)).toEqual(last?.train);
    expect(run.verdict.basis).toBe("screen");
    expect(run.checkpoint.evaluations).toBe(200);
  });

  it("asks a counterfactual, stopped or not, and ends where it would have ended without", async () => {
    const training = await prepare({ problem: clouds(), method, batchSize: 2 });
    const asking = {
      steps: 90,
      seed: 4,
      evaluateEvery: 30,
      counterfactual: { every: 20, steps: 3 },
    };
    const plain = await training.run({ steps: 90, seed: 4, evaluateEvery: 30 });
    const whole = await training.run(asking);
    expect(whole.carry).toEqual(plain.carry);
    expect(whole.scores).toEqual(plain.scores);
    expect(plain.verdict.numbers["descentFall"]).toBeUndefined();
    // The last look is at step 80, on all samples: descent with momentum takes some of their loss.
    const at80 = await training.run({ steps: 90, seed: 4, until: 80 });
    const descent = await prepare({
      problem: clouds(),
      method: sgd({ learningRate: 0.5, momentum: 0.5 }),
    });
    const { params, outer, statistics } = at80.carry;
    const carry = { params, outer, statistics, memory: descent.start().carry.memory };
    const after = await descent.run({ steps: 83, from: { step: 80, carry } });
    const train = training.problem.train;
    const [before, then] = [
      await training.evaluate(at80.model, train),
      await training.evaluate(after.model, train),
    ];
    const fall = (before.loss - then.loss) / before.loss;
    expect(fall).toBeGreaterThan(0);
    expect(whole.verdict.numbers["descentFall"]).toBeCloseTo(fall, 4);

    const half = await training.run({ ...asking, until: 47 });
    const rest = await training.run({ ...asking, from: loadState(saveState(half), training) });
    expect(rest.verdict).toEqual(whole.verdict);
    expect(rest.checkpoint.screen).toEqual(whole.checkpoint.screen);
  });

  it("takes an optimizer for a method", async () => {
    const training = await prepare({ problem: clouds(), method: adamW({ learningRate: 0.1 }) });
    const run = await training.run({ steps: 200 });
    expect(run.checkpoint.evaluations).toBe(200);
    expect((await training.evaluate(run.model, training.problem.train)).score).toBe(1);
  });

  it("goes on from saved bytes as if it had never stopped", async () => {
    const training = await prepare({ problem: clouds(), method, batchSize: 2 });
    const whole = await training.run({ steps: 90, seed: 4, recordEvery: 9 });
    const half = await training.run({ steps: 90, seed: 4, until: 36, recordEvery: 9 });
    expect(half.step).toBe(36);
    const from = loadState(saveState(half), training);
    const rest = await training.run({ steps: 90, seed: 4, from, recordEvery: 9 });
    const numbers = (run: typeof whole) =>
      leavesWithPaths(run.carry).map(([path, { data }]) => [path, ...data]);
    expect(numbers(rest)).toEqual(numbers(whole));
    expect([...half.history, ...rest.history]).toEqual(whole.history);
    expect(rest.verdict).toEqual(whole.verdict);
  });

  it("keeps the best model by its test score, the first of equals", async () => {
    const training = await prepare({ problem: clouds(), method, batchSize: 2 });
    const told: [number, boolean][] = [];
    const run = await training.run({
      steps: 60,
      evaluateEvery: 3,
      onScores: ({ step }, { isBest }) => void told.push([step, isBest]),
    });
    const tests = run.scores.map(({ test }) => test?.score ?? NaN);
    const highest = Math.max(...tests);
    expect(run.best?.step).toBe(3 * (1 + tests.indexOf(highest)));
    expect(told.filter(([, isBest]) => isBest).at(-1)?.[0]).toBe(run.best?.step);
    if (run.bestModel === undefined) throw new Error("no model was kept");
    expect(await training.evaluate(run.bestModel)).toEqual(run.best?.test);
    const losses = [3, 1, 1, NaN].map((loss, step) => ({ step, train: { loss } }));
    expect(bestOf(losses)?.step).toBe(1);
    expect(bestOf([])).toBeUndefined();
  });

  it("goes on with the evaluation that an interruption came before", async () => {
    const training = await prepare({ problem: clouds(), method, batchSize: 2 });
    const asked = { steps: 60, seed: 4, evaluateEvery: 10 };
    const whole = await training.run(asked);
    // What a crash leaves is the checkpoint of a chunk: at step 20 one without the scores of step 20.
    let saved: Checkpoint | undefined;
    await training.run({
      ...asked,
      until: 20,
      onChunk: ({ checkpoint }) => void (saved = checkpoint),
    });
    if (saved === undefined) throw new Error("nothing was saved");
    expect([saved.state.step, saved.scores?.length]).toEqual([20, 1]);
    const from = loadState(saveState({ checkpoint: saved }), training);
    const rest = await training.run({ ...asked, from });
    expect(rest.scores).toEqual(whole.scores);
    expect(rest.best).toEqual(whole.best);
  });

  it("lets full-batch probes feed the screen, stopped or not, and changes nothing else", async () => {
    const training = await prepare({ problem: clouds(), method, batchSize: 2 });
    const plain = await training.run({ steps: 240, seed: 4 });
    const probing = { steps: 240, seed: 4, probeEvery: 10 };
    const whole = await training.run(probing);
    expect(whole.carry).toEqual(plain.carry);
    expect(whole.history).toEqual(plain.history);
    expect(plain.verdict.sentence).toMatch(/^As far as mini-batches show: /);
    expect(whole.verdict.sentence).not.toContain("mini-batches");
    expect(whole.verdict.numbers["rows"]).toBe(24);
    const half = await training.run({ ...probing, until: 95 });
    const from = loadState(saveState(half), training);
    expect((await training.run({ ...probing, from })).verdict).toEqual(whole.verdict);
    // What a full-batch step of the same method reports.
    const full = await prepare({ problem: clouds(), method });
    const { first, ...seen } = await full.evidence(plain, { steps: 240 });
    const { step, ...probe } = await training.probe(plain, { steps: 240 });
    expect([step, first]).toEqual([240, 240]);
    for (const [name, value] of Object.entries(probe)) {
      const [expected = NaN] = seen[name as "loss"];
      expect(value, name).toBeCloseTo(expected, 5);
    }
    const other = await prepare({ problem: clouds(), method: adaptive, batchSize: 2 });
    await expect(other.run({ steps: 5, probeEvery: 1 })).rejects.toThrow(
      "invalid probe: asam does not look where SAM does",
    );
  });

  it("goes on from another problem's bytes never", async () => {
    const training = await prepare({ problem: clouds(), method });
    const other = await prepare({ problem: quadratic({ start: [1, 1] }), method });
    const bytes = saveState(await other.run({ steps: 1 }));
    expect(() => loadState(bytes, training, "half.safetensors")).toThrow(
      "invalid file half.safetensors",
    );
  });
});

describe("at the door", () => {
  it.each([
    [{}, "missing steps: give the length of the run"],
    [{ steps: 1.5 }, "invalid steps: 1.5 (give a whole number, 1 or more)"],
    [{ steps: -1 }, "invalid steps: -1"],
    [{ steps: 5, recordEvery: 0 }, "invalid record every: 0"],
    [{ steps: 5, evaluateEvery: "2" }, "invalid evaluate every: 2"],
    [{ steps: 5, evalEvery: 2 }, 'unknown option "evalEvery"'],
    [{ steps: 5, seed: -1 }, "invalid seed: -1 (give a whole number from 0 to 4294967295)"],
    [{ steps: 5, from: 3 }, "invalid from: 3 (give a checkpoint, such as loadState makes)"],
    [{ steps: 5, counterfactual: { every: 0 } }, "invalid counterfactual every: 0"],
  ])("a run with %j is refused", async (options, message) => {
    const training = await prepare({ problem: clouds(), method });
    await expect(training.run(options as never)).rejects.toThrow(message);
  });

  it("a training that was disposed is refused", async () => {
    const training = await prepare({ problem: clouds(), method });
    await training.dispose();
    await expect(training.run({ steps: 1 })).rejects.toThrow(
      "invalid run: this training was disposed (prepare it again)",
    );
  });

  it("a schedule that gives no number is refused", async () => {
    const outer = sgd({ learningRate: (t) => (t < 3 ? 0.1 : NaN) });
    const training = await prepare({ problem: clouds(), method: sam({ outer }) });
    await expect(training.run({ steps: 5 })).rejects.toThrow(
      "invalid learningRate: NaN at step 3 (its schedule must give numbers)",
    );
  });

  it.each([
    [undefined, "missing method: give one such as sam({ rho: 0.05 }), or an optimizer"],
    ["sam", "invalid method"],
    [sam, "invalid method"],
  ])("method %s is refused", async (given, message) => {
    await expect(prepareTraining({ problem: clouds(), method: given as never })).rejects.toThrow(
      message,
    );
  });

  it.each([
    [{ method }, "missing problem: give one such as mlp({ train })"],
    [undefined, "invalid options: undefined (give problem, method, "],
    [
      { problem: clouds(), method, batchsize: 2 },
      'unknown option "batchsize" (did you mean "batchSize"?)',
    ],
    [
      { problem: clouds(), method, engine: "cuda" },
      'unknown engine "cuda" (it is a provider: give engine: "native", provider: "cuda")',
    ],
    [{ problem: clouds(), method, engine: "tpu" }, 'unknown engine "tpu"'],
    [
      { problem: clouds(), method, threads: 0 },
      "invalid threads: 0 (give a whole number, 1 or more)",
    ],
  ])("a training of %o is refused", async (options, message) => {
    await expect(prepareTraining(options as never)).rejects.toThrow(message);
  });

  it.each([0, 7, 2.5])("a batch of %d samples is refused", async (batchSize) => {
    await expect(prepareTraining({ problem: clouds(), method, batchSize })).rejects.toThrow(
      `invalid batch: ${batchSize} (give "full" or a whole number from 1 to 6)`,
    );
  });

  it("labels outside the classes are refused", async () => {
    const problem = clouds([0, 0, 0, 1, 1, 2]);
    await expect(prepareTraining({ problem, method })).rejects.toThrow(
      "invalid train/y: label 2 of sample 5 (the outputs have 2 columns: give 0 to 1)",
    );
  });

  const returning = (forward: (losses: np.Array) => unknown): Problem => {
    const problem = clouds();
    return {
      ...problem,
      forward: (...given) => forward(problem.forward(...given).losses) as Forward,
    };
  };
  it.each<[string, Problem, string]>([
    [
      "a mean",
      returning((losses) => ({ losses: np.mean(losses) })),
      "invalid losses: shape [] (give one loss per sample, shape [6]; training takes their mean)",
    ],
    [
      "a column",
      returning((losses) => ({ losses: losses.reshape([6, 1]) })),
      "invalid losses: shape [6, 1]",
    ],
    ["an array alone", returning((losses) => losses), "missing losses"],
    ["a number", returning(() => ({ losses: 3 })), "invalid losses: number"],
    ["nothing", returning(() => undefined), "missing losses"],
    [
      "a promise",
      returning(async (losses) => ({ losses })),
      "invalid forward: it returns a promise (make it a plain function",
    ],
  ])("a forward pass that returns %s is refused", async (_, problem, message) => {
    await expect(prepareTraining({ problem, method })).rejects.toThrow(message);
  });
});
