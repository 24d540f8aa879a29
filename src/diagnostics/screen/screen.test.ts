import { describe, expect, test } from "vitest";
import { cosine, dome, quadratic, rosenbrock } from "../../problems/index.ts";
import type { Point, Problem } from "../../problems/problem.ts";
import { gradientDescent, sam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { compileTraining } from "../../sam/training/training.ts";
import type { Method } from "../../sam/contract/method.ts";
import { createScreen, type Screen } from "./screen.ts";
import type { StepSignals } from "./signals.ts";

const fresh = () => createScreen({ dtype: "float64", engine: "native" });

async function watch(problem: Problem, method: Method, steps: number): Promise<Screen> {
  const training = await compileTraining({ problem, method, engine: "native" });
  const screen = fresh();
  await training.run({ steps, onRecords: (records) => void screen.push(records) });
  await training.dispose();
  return screen;
}
const descend = (learningRate: number) => gradientDescent({ outer: sgd({ learningRate }) });
const sharp = (rho: number, learningRate: number) => sam({ rho, outer: sgd({ learningRate }) });
const from = (...start: Point) => ({ start });

describe("verdicts of real runs", () => {
  const cases: [string, Problem, Method, number, string][] = [
    ["descent reaches the minimizer", quadratic(), descend(0.1), 400, "minimizer"],
    ["SAM chatters across the minimizer", quadratic(), sharp(0.1, 0.02), 5000, "minimizer"],
    [
      "SAM at ρ = 4 stalls at 2π − 4",
      cosine(from(2, 0.5)),
      sharp(4, 0.1),
      300,
      "hallucinated-point",
    ],
    ["SAM at ρ = 0.5 does not", cosine(from(2, 0.5)), sharp(0.5, 0.1), 300, "minimizer"],
    [
      "SAM is drawn to the maximizer",
      dome(from(0.3, 0.1)),
      sharp(0.5, 0.05),
      400,
      "trapped-at-saddle",
    ],
    ["descent is under way, slowly", rosenbrock(), descend(1e-6), 200, "descending"],
    ["descent is under way", rosenbrock(), descend(1e-4), 200, "descending"],
    ["too large a step", quadratic(), descend(0.3), 120, "diverged"],
    ["a concave loss has no floor", dome(from(0.1, 0)), descend(0.5), 3000, "diverged"],
    ["no step can be taken", quadratic({ dtype: "float32" }), descend(3e38), 500, "diverged"],
    ["too few steps", quadratic(), descend(0.1), 10, "inconclusive"],
    ["nothing to see", quadratic(from(0, 0)), descend(0.1), 60, "inconclusive"],
  ];
  test.each(cases)("%s", async (_, problem, method, steps, name) => {
    const verdict = (await watch(problem, method, steps)).verdict();
    expect(verdict.name).toBe(name);
    expect(verdict.sentence).toMatch(/^[A-Z].*\.$/);
    expect(verdict.basis).toBe("screen");
  });
});

describe("the early warning", () => {
  test("comes while SAM is still far from the hallucinated point, and only there", async () => {
    const stalling = await watch(cosine(from(2, 0.5)), sharp(4, 0.1), 300);
    expect(stalling.warning?.kind).toBe("hallucination-ahead");
    expect(stalling.warning?.step).toBeLessThan(100);
    const healthy = await watch(cosine(from(2, 0.5)), sharp(0.5, 0.1), 300);
    expect(healthy.warning).toBeUndefined();
  });

  test("is returned once", () => {
    const screen = fresh();
    const bad = { loss: 2, shiftedLoss: 2, gradNorm: 1, shiftedGradNorm: 0.5, cosine: -0.2 };
    expect(screen.push(columns(repeat(bad, 40)))).toBeUndefined();
    expect(screen.push(columns(repeat(bad, 40)))?.step).toBe(49);
    expect(screen.push(columns(repeat(bad, 40)))).toBeUndefined();
  });
});

test("a run whose gradients neither vanish nor align oscillates", () => {
  const screen = fresh();
  const restless = { loss: 2, shiftedLoss: 2.1, gradNorm: 1, shiftedGradNorm: 0.9, cosine: 0 };
  screen.push(columns(repeat(restless, 200)));
  expect(screen.verdict().name).toBe("oscillating");
});

test("one step that is not finite does not condemn a run, a last one does", () => {
  const fine = { loss: 2, shiftedLoss: 2, gradNorm: 1, shiftedGradNorm: 0.01, cosine: 0 };
  const broken = { ...fine, loss: NaN };
  const screen = fresh();
  screen.push(columns([...repeat(fine, 100), broken, ...repeat(fine, 100)]));
  expect(screen.verdict().name).toBe("hallucinated-point");
  screen.push(columns([broken]));
  expect(screen.verdict().name).toBe("diverged");
});

test("steps that were not taken are counted, and condemn a run that ends with them or is mostly them", () => {
  const fine = { loss: 2, shiftedLoss: 2, gradNorm: 1, shiftedGradNorm: 0.01, cosine: 0 };
  const push = (screen: Screen, count: number, skipped: 0 | 1) =>
    screen.push({ ...columns(repeat(fine, count)), skipped: repeat(skipped, count) });
  const screen = fresh();
  push(screen, 100, 0);
  push(screen, 99, 1);
  const resumed = createScreen({ dtype: "float64", engine: "native", from: screen.state() });
  for (const each of [screen, resumed]) {
    expect(each.verdict()).toMatchObject({
      name: "diverged",
      numbers: { steps: 199, skipped: 99 },
    });
    expect(each.verdict().sentence).toContain("The last 99 of 199 steps were not taken");
    push(each, 1, 0);
    expect(each.verdict()).toMatchObject({ name: "hallucinated-point", numbers: { skipped: 99 } });
  }
  push(screen, 202, 1);
  push(screen, 1, 0);
  expect(screen.verdict().name).toBe("diverged");
  expect(screen.verdict().sentence).toContain("301 of 403 steps were not taken");
});

test("a screen continued from its stored state says what an uninterrupted one says", () => {
  const steps = Array.from({ length: 300 }, (_, i) => ({
    loss: 2 + 1 / (i + 1),
    shiftedLoss: 2.2,
    gradNorm: 0.3 + 0.01 * Math.sin(i),
    shiftedGradNorm: 0.3 / (i + 1),
    cosine: Math.cos(i) / 3,
  }));
  const whole = fresh();
  whole.push(columns(steps));
  const half = fresh();
  half.push(columns(steps.slice(0, 137)));
  const stored = JSON.parse(JSON.stringify(half.state())) as ReturnType<Screen["state"]>;
  const rest = createScreen({ dtype: "float64", engine: "native", from: stored });
  rest.push(columns(steps.slice(137)));
  expect(rest.verdict()).toEqual(whole.verdict());
  expect(rest.warning).toEqual(whole.warning);
});

const repeat = <T>(step: T, times: number): T[] => Array.from({ length: times }, () => step);

function columns(steps: readonly StepSignals[]) {
  const column = (name: keyof StepSignals) => steps.map((step) => step[name]);
  return {
    first: 0,
    count: steps.length,
    loss: column("loss"),
    shiftedLoss: column("shiftedLoss"),
    gradNorm: column("gradNorm"),
    shiftedGradNorm: column("shiftedGradNorm"),
    cosine: column("cosine"),
  };
}
