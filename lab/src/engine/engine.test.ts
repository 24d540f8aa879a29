/** The engine in a browser: the numbers of Node, and how a run is steered. */
import { buildMethod, buildProblem, parseSpec, prepareTraining } from "lucid-sam/run";
import { afterEach, expect, inject, test } from "vitest";
import { certified, printed } from "../../test/certificates.ts";
import { CancelledError, startEngine, type Engine } from "./client.ts";
import type { LabRow } from "./protocol.ts";
import { browserSources } from "./sources.ts";

const engines: Engine[] = [];
const start = () => {
  const engine = startEngine();
  engines.push(engine);
  return engine;
};
afterEach(() => {
  for (const engine of engines.splice(0)) engine.cancel();
});

test.each(certified.map((input, i) => ({ input, i })))(
  "the certificate of $input.problem equals Node's to every printed digit",
  async ({ input, i }) => {
    const engine = start();
    const opened = await engine.open(parseSpec(input));
    expect(opened).toMatchObject({ engine: "native", device: "cpu, 1 thread" });
    await engine.run();
    const certificate = await engine.certify();
    if (certificate === null) throw new Error("no certificate");
    expect(certificate).toMatchObject({ dtype: "float64" });
    const expected = inject("nodeCertificates")[i] ?? "";
    expect(expected).toContain("hallucinated-minimizer");
    expect(printed(certificate)).toBe(expected);
  },
  // Five displaced copies of 16,473 steps each.
  300_000,
);

test("a network trains, and every row comes once, in order", async () => {
  const engine = start();
  const spec = parseSpec({ problem: "regression", steps: 400 });
  await engine.open(spec);
  const rows: LabRow[] = [];
  const stopped = await engine.run({}, (progress) => rows.push(...progress.rows));
  expect(stopped).toMatchObject({ step: 400, paused: false });
  expect(rows.map(({ step }) => step)).toEqual(Array.from({ length: 400 }, (_, step) => step));
  expect(rows.at(-1)?.loss).toBeLessThan(0.9 * (rows[0]?.loss ?? NaN));
  const [row] = rows;
  expect(row?.gradRatio).toBe((row?.shiftedGradNorm ?? NaN) / (row?.gradNorm ?? NaN));
  const { train } = await engine.evaluate();
  expect(train.loss).toBeCloseTo(rows.at(-1)?.loss ?? NaN, 2);
});

test("a run that is paused goes on to the same end", async () => {
  const spec = parseSpec({ problem: "ridge", rho: 1.6, steps: 8_000 });
  const [through, halting] = [start(), start()];
  await through.open(spec);
  const { model } = await through.run({ recordEvery: 1000 });
  await halting.open(spec);
  const first = await halting.run({ recordEvery: 1000 }, () => void halting.pause());
  expect(first.paused).toBe(true);
  expect(first.step).toBeLessThan(8_000);
  const second = await halting.run({ recordEvery: 1000 });
  expect(second).toMatchObject({ step: 8_000, paused: false });
  expect(second.model).toEqual(model);
});

test("the switch to SAM happens at the step where it is asked for", async () => {
  const engine = start();
  const plain = parseSpec({ problem: "cosine", method: "gd", steps: 40 });
  await engine.open(plain);
  const rows: LabRow[] = [];
  const keep = ({ rows: more }: { readonly rows: readonly LabRow[] }) => rows.push(...more);
  await engine.run({ until: 20 }, keep);
  await engine.change(parseSpec({ problem: "cosine", method: "sam", rho: 4, steps: 40 }));
  await engine.run({}, keep);
  expect(rows.map(({ step }) => step)).toEqual(Array.from({ length: 40 }, (_, step) => step));
  const distances = rows.map(({ point = [NaN, NaN], ascentPoint = [NaN, NaN] }) =>
    Math.hypot(ascentPoint[0] - point[0], ascentPoint[1] - point[1]),
  );
  for (const [step, distance] of distances.entries()) {
    expect(distance).toBeCloseTo(step < 20 ? 0 : 4, 9);
  }
});

test("a run goes on from its checkpoint in another engine, bit for bit", async () => {
  const spec = parseSpec({ problem: "mlp", n: 50, hidden: "8", momentum: 0.9, steps: 40 });
  const [through, other] = [start(), start()];
  await through.open(spec);
  const rows: LabRow[] = [];
  await through.run({ until: 25 });
  const from = await through.checkpoint();
  const end = await through.run({}, (progress) => rows.push(...progress.rows));
  const opened = await other.open(spec, { from });
  expect(opened.model).not.toEqual(end.model);
  const again: LabRow[] = [];
  const { model, step } = await other.run({}, (progress) => again.push(...progress.rows));
  expect(step).toBe(40);
  expect(again.map((row) => row.step)).toEqual(Array.from({ length: 15 }, (_, i) => 25 + i));
  expect(again).toEqual(rows);
  expect(model).toEqual(end.model);
});

test("a run from a checkpoint is switched, and one of another method is refused", async () => {
  const [first, second] = [start(), start()];
  const spec = parseSpec({ problem: "regression", rho: 2, steps: 40 });
  await first.open(spec);
  await first.run({ until: 20 });
  const from = await first.checkpoint();
  await second.open(spec, { from });
  await second.change(parseSpec({ problem: "regression", method: "gd", steps: 40 }));
  const rows: LabRow[] = [];
  await second.run({}, (progress) => rows.push(...progress.rows));
  expect(rows.map((row) => row.gradRatio)).toEqual(Array.from({ length: 20 }, () => 1));
  const momentous = parseSpec({ problem: "regression", rho: 2, steps: 40, momentum: 0.9 });
  await expect(second.open(momentous, { from })).rejects.toMatchObject({
    name: "InputError",
    message: expect.stringMatching(/^invalid file checkpoint: /),
  });
});

test("x⁺ lies a distance ρ uphill of a network's weights", async () => {
  const engine = start();
  const { model } = await engine.open(parseSpec({ problem: "regression", rho: 2 }));
  const numbers = (tree: unknown) =>
    Object.entries(tree as { readonly [name: string]: { readonly data: Float64Array } })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, { data }]) => [...data]);
  const [here, there] = [numbers(model.params), numbers(await engine.ascent(2))];
  expect(here).toHaveLength(7);
  expect(Math.hypot(...here.map((x, i) => (there[i] ?? NaN) - x))).toBeCloseTo(2, 12);
});

test("a certificate tells what it is being computed from", async () => {
  const engine = start();
  await engine.open(parseSpec({ problem: "cosine", rho: 4, steps: 300 }));
  await engine.run();
  const notes: string[] = [];
  await engine.certify(undefined, (note) => notes.push(note));
  expect(notes[0]).toBe("compiling");
  expect(notes).toContain("sam from displaced copies");
});

test("ρ changes while the run goes on", async () => {
  const engine = start();
  const spec = (rho: number) => parseSpec({ problem: "ridge", rho, steps: 20_000 });
  await engine.open(spec(0.5));
  let changed: Promise<unknown> | undefined;
  let last: LabRow | undefined;
  await engine.run({ recordEvery: 1000 }, ({ latest }) => {
    changed ??= engine.change(spec(1.25));
    last = latest;
  });
  await changed;
  const { point = [NaN, NaN], ascentPoint = [NaN, NaN] } = last ?? {};
  expect(Math.hypot(ascentPoint[0] - point[0], ascentPoint[1] - point[1])).toBeCloseTo(1.25, 9);
});

test("what is wrong comes back as one line for the reader", async () => {
  const engine = start();
  await expect(engine.run()).rejects.toMatchObject({
    name: "InputError",
    message: "missing run: nothing is open (open a spec first)",
  });
  await expect(engine.open(parseSpec({ problem: "mlp", data: "mnist" }))).rejects.toMatchObject({
    name: "InputError",
    message: expect.stringMatching(/^invalid data: mnist has files/),
  });
  await engine.open(parseSpec({ problem: "ridge" }));
  await expect(engine.change(parseSpec({ problem: "regression" }))).rejects.toMatchObject({
    message: "invalid change: the model would be another one (open it anew)",
  });
});

test("threads that browsers have not are refused in one line", async () => {
  const spec = parseSpec({ problem: "ridge" });
  const problem = await buildProblem(spec, browserSources);
  const training = prepareTraining({
    problem,
    method: buildMethod(spec),
    batchSize: "full",
    threads: 2,
  });
  await expect(training).rejects.toMatchObject({
    name: "InputError",
    message: "invalid threads: 2 (in browsers there is 1; give 1, or run it with Node)",
  });
});

test("cancelled, an engine answers nobody any more", async () => {
  const engine = start();
  await engine.open(parseSpec({ problem: "ridge", steps: 1_000_000 }));
  const run = engine.run();
  engine.cancel();
  await expect(run).rejects.toBeInstanceOf(CancelledError);
  await expect(engine.evaluate()).rejects.toBeInstanceOf(CancelledError);
});
