import { describe, expect, test } from "vitest";
import { cosine, dome, quadratic, rosenbrock } from "../../problems/index.ts";
import type { Point, Problem } from "../../problems/problem.ts";
import { gradientDescent, sam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { compileTraining } from "../../sam/training/training.ts";
import type { Method } from "../../sam/contract/method.ts";
import { createScreen, screenTolerances, type Screen } from "./screen.ts";
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
    ["no step can be taken", quadratic({ dtype: "float32" }), descend(3e38), 500, "diverged"],
    ["a concave loss has no floor", dome(from(0.1, 0)), descend(0.5), 3000, "diverged"],
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
    expect(screen.push(columns(repeat(bad, 40), 40))?.step).toBe(49);
    expect(screen.push(columns(repeat(bad, 40), 80))).toBeUndefined();
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
  screen.push(columns([broken], 201));
  expect(screen.verdict().name).toBe("diverged");
});

const standing = { loss: 2, shiftedLoss: 2, gradNorm: 1, shiftedGradNorm: 0.5, cosine: 0 };

/** Rows of a run that bends, bursts and settles. */
const course = Array.from({ length: 300 }, (_, i) => ({
  loss: 2 + 1 / (i + 1),
  shiftedLoss: 2.2,
  gradNorm: 0.3 + 0.01 * Math.sin(i),
  shiftedGradNorm: 0.3 / (i + 1),
  cosine: Math.cos(i) / 3,
  directionNorm: i % 2 === 0 ? 0.2 : NaN,
  descentLoss: i % 8 === 0 ? 1.9 : NaN,
}));

test("a screen continued from its stored state says what an uninterrupted one says", () => {
  const whole = fresh();
  whole.push(columns(course));
  const half = fresh();
  half.push(columns(course.slice(0, 137)));
  const stored = JSON.parse(JSON.stringify(half.state())) as ReturnType<Screen["state"]>;
  const rest = createScreen({ dtype: "float64", engine: "native", from: stored });
  rest.push(columns(course.slice(137), 137));
  expect(rest.verdict()).toEqual(whole.verdict());
  expect(rest.warning).toEqual(whole.warning);
  expect(rest.state()).toEqual(whole.state());
});

test("it does not matter how rows are cut into chunks", () => {
  const whole = fresh();
  whole.push(columns(course));
  const single = fresh();
  for (const [i, row] of course.entries()) single.push(columns([row], i));
  expect(single.state()).toEqual(whole.state());
  expect(single.verdict()).toEqual(whole.verdict());
});

test("memory does not grow with the run", () => {
  const size = (steps: number) => {
    const screen = fresh();
    const row = course[7] as StepSignals;
    screen.push(columns(repeat(row, steps)));
    return JSON.stringify(screen.state()).length;
  };
  expect(size(100_000)).toBeLessThan(1.3 * size(128));
});

test("a state of the older form is not read, and verdicts say so", () => {
  const averages = { loss: 2, lossGap: 0, cosine: 0, logGradNorm: 0, logShiftedGradNorm: 0 };
  const old = {
    signals: { count: 100, notFinite: 0, largestGradNorm: 1, recent: averages, earlier: averages },
    warning: { step: 49, kind: "hallucination-ahead", sentence: "Then." },
  } as unknown as ReturnType<Screen["state"]>;
  const screen = createScreen({ dtype: "float64", engine: "native", from: old });
  expect(screen.warning).toEqual(old.warning);
  expect(screen.push(columns(course, 100))).toBeUndefined();
  const { sentence, numbers } = screen.verdict();
  expect(sentence).toMatch(/Earlier steps are not part of this: .* older form\.$/);
  expect(numbers["steps"]).toBe(300);
  const again = createScreen({ dtype: "float64", engine: "native", from: screen.state() });
  expect(again.verdict()).toEqual(screen.verdict());
});

test("each row's own step counts: sparse rows of a run say what all of them say", () => {
  const every = (stride: number) => {
    const rows = course.flatMap((row, i) => (i % stride === 0 ? [{ ...row, i }] : []));
    const screen = fresh();
    screen.push({ ...columns(rows), step: rows.map(({ i }) => i) });
    return screen;
  };
  const [all, few] = [every(1), every(9)];
  expect(few.verdict().name).toBe(all.verdict().name);
  expect(few.verdict().numbers).toMatchObject({ steps: 298, rows: 34 });
  expect(all.warning?.step).toBe(51);
  expect(few.warning?.step).toBe(171);
});

test("rows of steps that were seen before are left out", () => {
  const once = fresh();
  once.push(columns(course));
  const twice = fresh();
  twice.push(columns(course.slice(0, 200)));
  twice.push(columns(course.slice(150), 150));
  expect(twice.state()).toEqual(once.state());
});

test("what rows were taken on decides how verdicts and warnings begin", () => {
  const judged = (["full", "probe", "batch"] as const).map((evidence) => {
    const screen = createScreen({ dtype: "float64", engine: "native", evidence });
    const given = screen.push(columns(course));
    expect(given).toEqual(screen.warning);
    return [screen.verdict().sentence, given?.sentence];
  });
  const [full, probe, batch] = judged;
  expect(full?.[1]).toMatch(/^SAM steps hardly/);
  expect(probe).toEqual(full);
  expect(batch).toEqual(full?.map((sentence) => `As far as mini-batches show: ${sentence}`));
});

test("a verdict names what it rests on, and takes other thresholds", () => {
  const strict = { ...screenTolerances, vanishedRatio: 0.001 };
  const judged = [undefined, strict].map((tolerances) => {
    const screen = createScreen({ dtype: "float32", engine: "jax", tolerances });
    screen.push(columns(repeat({ ...standing, shiftedGradNorm: 0.01 }, 200)));
    return screen.verdict();
  });
  expect(judged[0]).toMatchObject({
    name: "hallucinated-point",
    dtype: "float32",
    engine: "jax",
    tolerances: screenTolerances,
  });
  expect(judged[1]?.name).not.toBe("hallucinated-point");
  expect(judged[1]?.tolerances).toEqual(strict);
});

test("a copy's loss before its descent stands for the row's", () => {
  const screen = fresh();
  const probed = { ...standing, descentLoss: 3, probedLoss: 4 };
  screen.push({ ...columns(repeat(probed, 100)), probedLoss: repeat(4, 100) });
  expect(screen.verdict().numbers["descentFall"]).toBe(0.25);
});

test("columns that are missing are named", () => {
  const { shiftedLoss: _, cosine: __, ...rest } = columns(course);
  const screen = fresh();
  expect(screen.push(rest)).toBeUndefined();
  expect(screen.verdict()).toMatchObject({
    name: "inconclusive",
    sentence: expect.stringContaining("These columns are missing: shiftedLoss, cosine.") as string,
  });
});

test("steps that were not taken are counted, and condemn a run that ends with them or is mostly them", () => {
  const fine = { loss: 2, shiftedLoss: 2, gradNorm: 1, shiftedGradNorm: 0.01, cosine: 0 };
  let first = 0;
  const push = (screen: Screen, count: number, skipped: 0 | 1) =>
    screen.push({ ...columns(repeat(fine, count), first), skipped: repeat(skipped, count) });
  const screen = fresh();
  push(screen, 100, 0);
  first = 100;
  push(screen, 99, 1);
  const resumed = createScreen({ dtype: "float64", engine: "native", from: screen.state() });
  first = 199;
  for (const each of [screen, resumed]) {
    expect(each.verdict()).toMatchObject({
      name: "diverged",
      numbers: { steps: 199, skipped: 99 },
    });
    expect(each.verdict().sentence).toContain("The last 99 of 199 steps were not taken");
    push(each, 1, 0);
    expect(each.verdict()).toMatchObject({ name: "hallucinated-point", numbers: { skipped: 99 } });
  }
  first = 200;
  push(screen, 202, 1);
  first = 402;
  push(screen, 1, 0);
  expect(screen.verdict().name).toBe("diverged");
  expect(screen.verdict().sentence).toContain("301 of 403 steps were not taken");
});

describe("units", () => {
  /** Real trajectories: one stalls, one chatters, one is trapped, one descends. */
  const runs: [string, Problem, Method, number][] = [
    ["a stall", cosine(from(2, 0.5)), sharp(4, 0.1), 300],
    ["chatter", quadratic(), sharp(0.1, 0.02), 2000],
    ["a trap", dome(from(0.3, 0.1)), sharp(0.5, 0.05), 400],
    ["descent", rosenbrock(), descend(1e-4), 200],
    ["divergence", dome(from(0.1, 0)), descend(0.5), 200],
  ];
  test.each(runs)(
    "of the loss and of parameters change nothing: %s",
    async (_, problem, method, steps) => {
      const training = await compileTraining({ problem, method, engine: "native" });
      const rows: StepSignals[] = [];
      await training.run({
        steps,
        onRecords: ({ count, ...records }) => {
          for (let i = 0; i < count; i++) {
            const at = (name: "loss" | "shiftedLoss" | "gradNorm" | "shiftedGradNorm" | "cosine") =>
              Number(records[name][i]);
            rows.push({
              loss: at("loss"),
              shiftedLoss: at("shiftedLoss"),
              gradNorm: at("gradNorm"),
              shiftedGradNorm: at("shiftedGradNorm"),
              cosine: at("cosine"),
              directionNorm: at("shiftedGradNorm"),
              descentLoss: at("loss") - 0.01 * at("gradNorm") ** 2,
            });
          }
        },
      });
      await training.dispose();
      expect(rows).toHaveLength(steps);
      // What a run shows at any time, up to units.
      const judged = (loss: number, length: number) => {
        const screen = fresh();
        const gradient = loss / length;
        return [0.25, 0.5, 1].map((share, i) => {
          const begin = [0, 0.25, 0.5][i] as number;
          const part = rows.slice(begin * steps, share * steps).map((row) => ({
            loss: row.loss * loss,
            shiftedLoss: row.shiftedLoss * loss,
            gradNorm: row.gradNorm * gradient,
            shiftedGradNorm: row.shiftedGradNorm * gradient,
            cosine: row.cosine,
            directionNorm: (row.directionNorm ?? NaN) * gradient,
            descentLoss: (row.descentLoss ?? NaN) * loss,
          }));
          const warning = screen.push(columns(part, begin * steps));
          const { drift, directionRatio, descentFall } = screen.verdict().numbers;
          const ratios = [drift, directionRatio, descentFall].map((x) => x?.toFixed(6));
          return [screen.verdict().name, warning?.kind, warning?.step, ...ratios];
        });
      };
      const ours = judged(1, 1);
      for (const loss of [100, 0.01]) expect(judged(loss, 1)).toEqual(ours);
      for (const length of [1000, 1e-3]) expect(judged(1, length)).toEqual(ours);
    },
  );
});

const repeat = <T>(step: T, times: number): T[] => Array.from({ length: times }, () => step);

function columns(steps: readonly StepSignals[], first = 0) {
  const column = (name: keyof StepSignals) => steps.map((step) => step[name] ?? NaN);
  return {
    first,
    count: steps.length,
    loss: column("loss"),
    shiftedLoss: column("shiftedLoss"),
    gradNorm: column("gradNorm"),
    shiftedGradNorm: column("shiftedGradNorm"),
    cosine: column("cosine"),
    directionNorm: column("directionNorm"),
    descentLoss: column("descentLoss"),
  };
}
