/** Every rule and threshold of the screen, from both sides. */
import { expect, test } from "vitest";
import { createScreen, screenTolerances as limits, type ScreenOptions } from "./screen.ts";
import type { SignalColumns } from "./signals.ts";

/** A course: a number, or a function of the fraction of the run that is over. */
type Course = number | ((done: number) => number);

interface Made {
  readonly loss?: Course;
  /** f(x⁺) − f(x). */
  readonly gap?: Course;
  readonly grad?: Course;
  readonly ratio?: Course;
  readonly cosine?: Course;
  readonly direction?: Course;
  readonly descent?: Course;
  readonly steps?: number;
  readonly every?: number;
}

/** A run that stands at loss 2 with ‖g‖ = 1, but for what is said otherwise. */
function made({
  loss = 2,
  gap = 0.05,
  grad = 1,
  ratio = 1,
  cosine = 0.2,
  direction,
  descent,
  steps = 400,
  every = 1,
}: Made): SignalColumns {
  const step = Array.from({ length: Math.ceil(steps / every) }, (_, i) => i * every);
  const along = (course: Course) =>
    step.map((t) => (typeof course === "number" ? course : course(t / steps)));
  const losses = along(loss);
  const norms = along(grad);
  const add = (a: readonly number[], b: readonly number[]) => a.map((x, i) => x + (b[i] ?? NaN));
  const multiply = (a: readonly number[], b: readonly number[]) =>
    a.map((x, i) => x * (b[i] ?? NaN));
  return {
    first: 0,
    count: step.length,
    step,
    loss: losses,
    shiftedLoss: add(losses, along(gap)),
    gradNorm: norms,
    shiftedGradNorm: multiply(norms, along(ratio)),
    cosine: along(cosine),
    directionNorm: direction === undefined ? undefined : multiply(norms, along(direction)),
    descentLoss: descent === undefined ? undefined : multiply(losses, along(descent)),
  };
}

const after = (done: number, before: number, then: number) => (t: number) =>
  t < done ? before : then;
const line = (from: number, to: number) => (t: number) => from + (to - from) * t;

function watched(run: Made, options: Partial<ScreenOptions> = {}) {
  const screen = createScreen({ dtype: "float64", engine: "native", ...options });
  screen.push(made(run));
  return screen;
}

/** A gradient that has vanished, at a loss far below the first. */
const gone = { loss: after(0.1, 2, 0.1), grad: after(0.1, 1, 0.9e-6) };
/** Chatter across the bottom of a bowl. */
const chatter = { loss: after(0.1, 2, 0.1), grad: after(0.1, 1, 0.09), ratio: 5, cosine: 0.9 };
const trap = { grad: after(0.1, 1, 0.09), ratio: 11, cosine: 0.2 };
/** A line that loses a share of its end value over a run. */
const losing = (share: number) => line(2 * (1 + share), 2);

const verdicts: [string, Made, string, Partial<ScreenOptions>?][] = [
  ["nothing", { steps: 0 }, "inconclusive"],
  ["steps just too few", { steps: 49 }, "inconclusive"],
  ["steps just enough", { steps: 50 }, "oscillating"],
  ["rows just too few", { steps: 190, every: 10 }, "inconclusive"],
  ["rows just enough", { steps: 200, every: 10 }, "oscillating"],
  ["no gradient ever", { grad: 0 }, "inconclusive"],

  ["a loss that is not finite at last", { loss: after(0.997, 2, Infinity) }, "diverged"],
  ["a loss that was not finite once", { loss: (t) => (t === 0.5 ? NaN : 2) }, "oscillating"],
  ["a loss far above its start, growing", { loss: line(1, 12.5), gap: 0.5 }, "diverged"],
  ["a loss above its start, growing", { loss: line(1, 11), gap: 0.5 }, "oscillating"],
  ["a loss far above its start, at rest", { loss: after(0.1, 1, 30) }, "diverged"],
  [
    "a loss far above its start, falling",
    { loss: (t) => (t < 0.1 ? 1 : 300 * (1 - t) + 20) },
    "oscillating",
  ],
  ["a loss that starts at 0, far above its first gap", { loss: line(0, 0.6) }, "diverged"],
  ["a loss that starts at 0, near its first gap", { loss: line(0, 0.4) }, "oscillating"],

  ["‖g⁺‖ just vanished", { ratio: 0.099 }, "hallucinated-point"],
  ["‖g⁺‖ not quite vanished", { ratio: 0.101 }, "oscillating"],
  ["both gradients vanished", { ...gone, ratio: 0.01 }, "minimizer"],
  ["the direction just vanished", { cosine: 1, direction: 0.099 }, "hallucinated-point"],
  ["the direction not quite vanished", { cosine: 1, direction: 0.101 }, "oscillating"],
  ["the direction vanished with g", { ...gone, direction: 0.01 }, "minimizer"],

  ["‖g‖ just vanished", gone, "minimizer"],
  ["‖g‖ not quite vanished", { ...gone, grad: after(0.1, 1, 1.1e-6) }, "oscillating"],
  ["‖g‖ vanished, ‖g⁺‖ just too large", { ...gone, ratio: 10.1 }, "trapped-at-saddle"],
  ["‖g‖ vanished, ‖g⁺‖ not too large", { ...gone, ratio: 9.9 }, "minimizer"],
  ["‖g‖ vanished, exactly half won", { ...gone, loss: after(0.1, 2, 1) }, "minimizer"],
  ["‖g‖ vanished, half won", { ...gone, loss: after(0.1, 2, 0.99) }, "minimizer"],
  ["‖g‖ vanished, less than half won", { ...gone, loss: after(0.1, 2, 1.01) }, "inconclusive"],
  ["the same below 0", { ...gone, loss: after(0.1, -2, -3.01) }, "minimizer"],
  ["the same not far below 0", { ...gone, loss: after(0.1, -2, -2.99) }, "inconclusive"],
  [
    "half won of a high start, little of a guess",
    { ...gone, loss: after(0.1, 5, 2.2) },
    "inconclusive",
    { guessLoss: 2.3 },
  ],
  ["half won of a guess", { ...gone, loss: after(0.1, 5, 1.1) }, "minimizer", { guessLoss: 2.3 }],

  ["chatter across a minimizer", chatter, "minimizer"],
  ["‖g‖ not quite small", { ...chatter, grad: after(0.1, 1, 0.101) }, "oscillating"],
  ["‖g‖ just small", { ...chatter, grad: after(0.1, 1, 0.099) }, "minimizer"],
  ["the bowl just steep enough", { ...chatter, ratio: 2.3 }, "minimizer"],
  ["the bowl not quite", { ...chatter, ratio: 2.2 }, "oscillating"],
  ["just aligned", { ...chatter, cosine: 0.51 }, "minimizer"],
  ["not quite aligned", { ...chatter, cosine: 0.49 }, "oscillating"],
  ["f falls along the ascent", { ...chatter, gap: -0.01 }, "oscillating"],
  ["chatter where nothing was won", { ...chatter, loss: 2 }, "oscillating"],
  [
    "chatter where most was lost again",
    { ...chatter, loss: (t) => (t < 0.1 ? 1 : t < 0.4 ? -0.5 : 0.3) },
    "oscillating",
  ],
  [
    "chatter where less was lost again",
    { ...chatter, loss: (t) => (t < 0.1 ? 1 : t < 0.4 ? -0.5 : 0.2) },
    "minimizer",
  ],

  ["a trap", trap, "trapped-at-saddle"],
  ["‖g⁺‖ just too small for a trap", { ...trap, ratio: 9.9 }, "oscillating"],
  ["‖g‖ just too large for a trap", { ...trap, grad: after(0.1, 1, 0.101) }, "oscillating"],
  ["gradients just aligned, nothing won", { ...trap, cosine: 0.51 }, "oscillating"],
  ["gradients not quite aligned", { ...trap, cosine: 0.49 }, "trapped-at-saddle"],

  ["a fall that just matters", { loss: losing(0.042) }, "descending"],
  ["a fall that does not quite matter", { loss: losing(0.038) }, "oscillating"],
  ["plain steps, a fall that just matters", { loss: losing(1.1e-4), cosine: 1 }, "descending"],
  ["plain steps, hardly a fall", { loss: losing(0.9e-4), cosine: 1 }, "oscillating"],
  ["steps just plain", { loss: losing(0.01), cosine: 0.51 }, "descending"],
  ["steps not quite plain", { loss: losing(0.01), cosine: 0.49 }, "oscillating"],
  ["steps just short enough", { loss: losing(0.01), cosine: 1, ratio: 1.9 }, "descending"],
  ["steps just too long", { loss: losing(0.01), cosine: 1, ratio: 2.1 }, "oscillating"],
  ["a fall that descent would repeat", { loss: losing(0.1), ratio: 0.09 }, "descending"],
  ["a fall that descent would multiply", { loss: losing(0.1), ratio: 0.08 }, "hallucinated-point"],
  ["a fall that is not quite fast", { loss: losing(0.5), ratio: 0.08 }, "hallucinated-point"],
  ["a fast fall all the same", { loss: losing(0.55), ratio: 0.08 }, "descending"],
  ["a drift while ‖g⁺‖ vanishes", { loss: losing(0.01), ratio: 0.05 }, "hallucinated-point"],
  ["a rise", { loss: line(2, 2.2) }, "oscillating"],
  ["noise", { loss: (t) => 2 + Math.sin(1e5 * t) }, "oscillating"],
  [
    "a fall after a rise",
    { loss: (t) => (t < 0.3 ? 2 - 6 * t : t < 0.45 ? 1.8 : 1.8 - 0.5 * (t - 0.45)) },
    "oscillating",
  ],
  [
    "a fall after a smaller rise",
    { loss: (t) => (t < 0.3 ? 2 - 6 * t : t < 0.45 ? 1 : 1 - 0.5 * (t - 0.45)) },
    "descending",
  ],
  [
    "a fall that has not made up for a rise",
    { loss: (t) => (t < 0.3 ? 2 - 6 * t : t < 0.7 ? 0.5 : 0.9 - 0.3 * (t - 0.7)) },
    "oscillating",
  ],
];
test.each(verdicts)("verdict: %s", (_, run, name, options) => {
  const verdict = watched(run, options).verdict();
  expect(verdict.name).toBe(name);
  expect(verdict.sentence).toMatch(/^[A-Z].*\.$/);
});

/** g⁺ has all but turned away. */
const held = { cosine: 0.09 };
const small = { ratio: 0.99 };
const towering = { ratio: 11, cosine: 0.24 };
/** A loss that over the last half of any time falls by the same share: a power of time. */
const power = (exponent: number) => (t: number) => 2 * (t + 1 / 400) ** -exponent;
/** A loss whose fall is so many times as fast from the middle on. */
const bent = (slower: number) => (t: number) =>
  t < 0.5 ? 2 - 0.16 * t : 1.92 - 0.16 * slower * (t - 0.5);
/** Ahead the loss is a quarter higher. */
const stuck = { gap: 0.5, cosine: 0.5 };
const [hallucination, saddle] = ["hallucination-ahead", "saddle-trap-ahead"] as const;

const warnings: [string, Made, string | undefined][] = [
  ["agreement just too small", held, hallucination],
  ["agreement just enough", { cosine: 0.11 }, undefined],
  ["the same by the ratio, too small", { cosine: 0.9, ratio: 0.11 }, hallucination],
  ["the same by the ratio, enough", { cosine: 0.9, ratio: 0.12 }, undefined],
  ["too few steps", { ...held, steps: 49 }, undefined],
  ["enough steps", { ...held, steps: 50 }, hallucination],
  ["too few rows", { ...held, steps: 190, every: 10 }, undefined],
  ["enough rows", { ...held, steps: 200, every: 10 }, hallucination],
  ["a lapse within the last quarter", { cosine: after(0.93, 0.2, 0) }, undefined],
  ["g⁺ opposed to g", { cosine: -0.5 }, hallucination],
  ["‖g‖ vanished", { cosine: -0.5, grad: after(0.01, 1, 0.9e-6) }, undefined],
  ["a loss just flat", { ...held, loss: losing(0.01) }, hallucination],
  ["a loss not quite flat", { ...held, loss: losing(0.02), cosine: 0.09, steps: 60 }, undefined],
  [
    "a fall that descent would multiply",
    { ...small, cosine: 0.015, loss: losing(0.1) },
    hallucination,
  ],
  ["a fall that descent would repeat", { ...small, cosine: 0.05, loss: losing(0.1) }, undefined],
  ["the same, ‖g⁺‖ just above ‖g‖", { ratio: 1.01, cosine: 0.01, loss: losing(0.1) }, undefined],
  ["a fast fall", { ...small, cosine: 0.01, loss: (t) => Math.exp(-5 * t) }, undefined],
  ["descent in a copy lowers the loss", { ...held, descent: 0.99 }, hallucination],
  ["descent in a copy leaves the loss as it is", { ...held, descent: 1 }, undefined],
  ["descent in a copy does not either", { ...held, descent: 1.01 }, undefined],
  ["‖g⁺‖ just large, misaligned", { ...towering, cosine: 0.24 }, hallucination],
  ["‖g⁺‖ just large, exactly not misaligned", { ...towering, cosine: 0.25 }, undefined],
  ["‖g⁺‖ just large, not misaligned", { ...towering, cosine: 0.26 }, undefined],
  ["‖g⁺‖ just not large", { ...towering, ratio: 9.9 }, undefined],
  ["‖g⁺‖ just large, ‖g‖ small", { ...towering, grad: after(0.01, 1, 0.05) }, saddle],
  ["the direction just vanished", { cosine: 1, direction: 0.099 }, hallucination],
  ["the direction not quite vanished", { cosine: 1, direction: 0.101 }, undefined],
  [
    "the direction vanished while the loss falls",
    { cosine: 1, direction: 0.01, loss: (t) => Math.exp(-t) },
    undefined,
  ],
  ["nothing won, and a loss that is higher ahead", stuck, saddle],
  ["a loss just higher ahead", { ...stuck, gap: 0.102 }, saddle],
  ["a loss hardly higher ahead", { ...stuck, gap: 0.098 }, undefined],
  ["little won", { ...stuck, loss: after(0.01, 2, 1.21) }, saddle],
  ["more than little won", { ...stuck, loss: after(0.01, 2, 1.19) }, undefined],
  ["a fall by less than a tenth in as many steps", { ...stuck, gap: 1, loss: power(0.05) }, saddle],
  ["a fall by more", { ...stuck, gap: 1, loss: power(0.055) }, undefined],
  ["a creep just outweighed", { ...stuck, gap: 0.25, loss: power(0.03) }, saddle],
  ["a creep not outweighed", { ...stuck, gap: 0.2, loss: power(0.03) }, undefined],
  ["a fall that slows down", { ...stuck, gap: 1, loss: bent(0.4) }, saddle],
  ["a fall that hardly slows down", { ...stuck, gap: 1, loss: bent(0.7) }, undefined],
  ["little won in too few steps", { ...stuck, steps: 199 }, undefined],
  ["little won in enough steps", { ...stuck, steps: 201 }, saddle],
  ["little won in too few rows", { ...stuck, steps: 39 * 5, every: 5 }, undefined],
  ["little won in enough rows", { ...stuck, steps: 41 * 5, every: 5 }, saddle],
  ["most is lost again", { cosine: 0.5, loss: (t) => (t < 0.2 ? 2 - 9 * t : 1.2) }, hallucination],
  [
    "most is lost again of little",
    { cosine: 0.5, loss: (t) => (t < 0.2 ? 2 - 3.5 * t : 1.8) },
    undefined,
  ],
  ["less is lost again", { cosine: 0.5, loss: (t) => (t < 0.2 ? 2 - 9 * t : 1) }, undefined],
];
test.each(warnings)("warning: %s", (_, run, kind) => {
  expect(watched(run).warning?.kind).toBe(kind);
});

test("a warning waits until a fall by more than a tenth in as many steps is excluded", () => {
  // Bounces of a tenth to either side leave none open at 50 steps, larger ones do.
  const stepAt = (bounce: number) =>
    watched({ ...held, loss: (t) => 2 + bounce * Math.sin(40 * Math.PI * t) }).warning?.step;
  expect(stepAt(0.2)).toBe(49);
  expect(stepAt(0.5)).toBe(208);
  // A loss that lost half at once is taken at the level it stands at, not at its start.
  expect(watched({ ...held, loss: after(0.02, 4, 2) }).warning?.step).toBe(49);
});

/** What grows by the same share from quarter to quarter of any time: a power of time. */
const growing = (exponent: number) => (t: number) => (t + 1 / 400) ** exponent;
const quickening: [string, Made, typeof hallucination | undefined][] = [
  [
    "a step's worth grows by more than a tenth",
    { cosine: (t) => 0.09 * growing(0.33)(t) },
    undefined,
  ],
  ["it grows by less", { cosine: (t) => 0.09 * growing(0.22)(t) }, hallucination],
  ["it grows with ‖g‖²", { ...held, grad: growing(0.165) }, undefined],
  ["it grows less with ‖g‖²", { ...held, grad: growing(0.11) }, hallucination],
  ["it grows with ‖g⁺‖", { ...held, ratio: growing(0.33) }, undefined],
  ["it grows less with ‖g⁺‖", { ...held, ratio: growing(0.22) }, hallucination],
  ["steps against g turn less against it", { cosine: (t) => -0.5 / growing(1)(t) }, hallucination],
];
test.each(quickening)("a warning waits while a fall gathers speed: %s", (_, run, kind) => {
  expect(watched(run).warning?.kind).toBe(kind);
});

test("a warning says for how long it speaks, and how sure it is", () => {
  expect(watched(held).warning?.sentence).toMatch(
    / This is about 50 more steps: the trend so far excludes \(95 %\) that they take more than 10 % of the loss\.$/,
  );
});

test("a loss that never fell is not merely slow", () => {
  // It stands above its start and falls by a millionth in the last half.
  const risen = (t: number) => (t < 0.02 ? 2 : 2.1 - 4e-6 * t);
  expect(watched({ ...stuck, loss: risen, gap: 1 }).warning?.kind).toBe(saddle);
  // The same fall, as slow in its first half as in its last, is left alone.
  expect(watched({ ...stuck, loss: (t) => 2 - 4e-6 * t, gap: 1 }).warning).toBeUndefined();
});

test("a verdict carries its tolerances, its horizon, and when it would be over", () => {
  const { numbers, tolerances, sentence } = watched({ loss: losing(0.02), ratio: 0.05 }).verdict();
  expect(tolerances).toEqual(limits);
  expect(numbers).toMatchObject({ steps: 400, rows: 400 });
  // The loss falls by 0.04 in 400 steps, so that a tenth of it is gone after 2,000.
  expect(numbers["drift"]).toBeCloseTo(-0.02, 3);
  expect(numbers["leaveSteps"]).toBeGreaterThan(1950);
  expect(numbers["leaveSteps"]).toBeLessThan(2050);
  expect(sentence).toContain("It refers to 400 steps");
  expect(sentence).toContain("a tenth of the loss is gone after 2000 more");
});

test("a constant answer's loss, where it is known, says what has been won", () => {
  const run = { ...stuck, loss: after(0.01, 5, 1.8), gap: 1 };
  expect(watched(run).warning).toBeUndefined();
  expect(watched(run, { guessLoss: 4 }).warning).toBeUndefined();
  expect(watched(run, { guessLoss: 2 }).warning?.kind).toBe(saddle);
  expect(watched(run, { guessLoss: 2 }).warning?.sentence).toContain("constant answer");
});

test("a counterfactual turns the warning into a measured one", () => {
  expect(watched({ ...held, descent: 0.75 }).warning?.sentence).toContain(
    "A few descent steps in a copy lowered the loss by 25 %",
  );
  expect(watched(held).warning?.sentence).not.toContain("copy");
  expect(watched(held).warning?.sentence).toContain("SAM steps no longer lower the loss");
  const slowly = { ...small, cosine: 0.015, loss: losing(0.1) };
  expect(watched(slowly).warning?.sentence).toContain("SAM steps hardly lower the loss");
});

test("a warning waits for the counterfactual where one is asked", () => {
  const asked = { counterfactual: true };
  // Answers come at two steps of 400: of a quarter of the run the second is part from step 300 on.
  const descent = (t: number) => (t === 0 || t === 0.75 ? 0.75 : NaN);
  const stepOf = (run: Made, options?: Partial<ScreenOptions>) =>
    watched(run, options).warning?.step;
  expect(stepOf({ ...held, descent })).toBe(49);
  expect(stepOf({ ...held, descent }, asked)).toBe(300);
  expect(stepOf(held, asked)).toBeUndefined();
});

test("a measured sentence holds SAM alone to account only where descent lowers the loss", () => {
  const trapped = { ...towering, cosine: 0.24 };
  const sentence = (descent: number) => watched({ ...trapped, descent }).warning?.sentence;
  expect(sentence(0.99)).toContain("lowered the loss by 1 %: SAM is what holds the run");
  expect(sentence(1.02)).toContain("did not lower the loss either (-2 %): so few do not tell");
  expect(sentence(1)).toContain("did not lower the loss either (0 %)");
});

test("a mixture that rests where it should not is seen by its direction alone", () => {
  // f = −cos x, ρ = 4, v = −8g + 9g⁺ (WSAM with γ = 0.9): it rests where g⁺ = 8/9 g, at x = 2.685.
  const rows: { loss: number; ahead: number; grad: number; shifted: number; direction: number }[] =
    [];
  let x = 2.5;
  for (let t = 0; t < 400; t++) {
    const grad = Math.sin(x);
    const shifted = Math.sin(x + 4 * Math.sign(grad));
    const v = -8 * grad + 9 * shifted;
    const ahead = -Math.cos(x + 4 * Math.sign(grad));
    rows.push({ loss: -Math.cos(x), ahead, grad, shifted, direction: v });
    x -= 0.02 * v;
  }
  expect(Math.sin(x + 4)).toBeCloseTo((8 / 9) * Math.sin(x), 8);
  expect(x).toBeCloseTo(2.685, 3);
  const columns = {
    first: 0,
    count: rows.length,
    loss: rows.map(({ loss }) => loss),
    shiftedLoss: rows.map(({ ahead }) => ahead),
    gradNorm: rows.map(({ grad }) => Math.abs(grad)),
    shiftedGradNorm: rows.map(({ shifted }) => Math.abs(shifted)),
    cosine: rows.map(({ grad, shifted }) => Math.sign(grad * shifted)),
  };
  const judged = (directionNorm?: number[]) => {
    const screen = createScreen({ dtype: "float64", engine: "native" });
    screen.push({ ...columns, directionNorm });
    return { name: screen.verdict().name, warned: screen.warning?.kind };
  };
  const norms = rows.map(({ direction }) => Math.abs(direction));
  expect(judged(norms)).toEqual({ name: "hallucinated-point", warned: hallucination });
  expect(judged()).toEqual({ name: "oscillating", warned: undefined });
});
