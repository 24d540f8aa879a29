/** Verdicts and warnings of the screen word for word. */
import { expect, test } from "vitest";
import { createScreen, screenTolerances as limits } from "./screen.ts";

/** A run that stands: 400 steps at loss 2 with ‖g‖ = 1, but for what is said otherwise. */
interface Standing {
  /** The loss of the first tenth; default that of all. */
  readonly start?: number;
  readonly loss?: number;
  readonly gap?: number;
  /** ‖g‖ of the first tenth is 1. */
  readonly grad?: number;
  readonly ratio?: number;
  readonly cosine?: number;
  readonly direction?: number;
  readonly steps?: number;
  readonly guessLoss?: number;
  readonly tolerances?: Partial<typeof limits>;
}

function stand({
  loss = 2,
  start = loss,
  gap = 0.0625,
  grad = 1,
  ratio = 1,
  cosine = 0.25,
  direction,
  steps = 400,
  guessLoss,
  tolerances,
}: Standing) {
  const columns = (of: (early: boolean) => number) =>
    Array.from({ length: steps }, (_, t) => of(t < steps / 10));
  const screen = createScreen({
    dtype: "float64",
    engine: "native",
    guessLoss,
    tolerances: { ...limits, ...tolerances },
  });
  screen.push({
    first: 0,
    count: steps,
    loss: columns((early) => (early ? start : loss)),
    shiftedLoss: columns((early) => (early ? start : loss) + gap),
    gradNorm: columns((early) => (early ? 1 : grad)),
    shiftedGradNorm: columns((early) => (early ? 1 : grad) * ratio),
    cosine: columns(() => cosine),
    directionNorm:
      direction === undefined ? undefined : columns((early) => (early ? 1 : grad) * direction),
  });
  return screen;
}

const horizon =
  "It refers to 400 steps: at the rate of their last quarter the loss changes by 0 % in as many again (95 %: 0 % to 0 %).";

test.each<[string, Standing, string]>([
  ["no steps", { steps: 0 }, "There were no steps to judge."],
  [
    "few steps",
    { steps: 40 },
    "40 rows over 40 steps are too few to judge; 20 over 50 are the least.",
  ],
  [
    "a stall",
    { ratio: 0.0625 },
    `GradRatio = ‖g⁺‖/‖g‖ averages 0.063; ‖g‖ averages 1, 100 % of its largest value. ${horizon}`,
  ],
  [
    "a false point of rest",
    { cosine: 1, direction: 0.0625 },
    `‖v‖/‖g‖ averages 0.063 for that direction v; ‖g‖ averages 1, 100 % of its largest value; cos(g, g⁺) averages 1. ${horizon}`,
  ],
  [
    "a gradient that vanished",
    { start: 8, grad: 2 ** -24 },
    `‖g‖ averages 6e-8, 0 % of its largest value; curvature was not examined. ${horizon}`,
  ],
  [
    "one that vanished where little was won",
    { start: 8, grad: 2 ** -24, guessLoss: 2.25 },
    "‖g‖ averages 6e-8, 0 % of its largest value, but the loss, 2, is not far below that of a constant answer, 2.25: certify it.",
  ],
  [
    "the same where no constant answer is known",
    { start: 2.25, grad: 2 ** -24 },
    "‖g‖ averages 6e-8, 0 % of its largest value, but the loss, 2, is not far below that of the start, 2.25: certify it.",
  ],
  ["a rise", { start: 0.5, loss: 64 }, "The loss started at 0.5 and now averages 64."],
])("%s", (_, given, because) => {
  expect(stand(given).verdict().sentence.endsWith(because)).toBe(true);
});

test.each<[Standing, string]>([
  [{ cosine: 0.0625 }, "(cos(g, g⁺) averages 0.063, GradRatio 1)"],
  [{ cosine: 0.0625, direction: 0.5 }, "(cos(g, g⁺) averages 0.063, GradRatio 1, ‖v‖/‖g‖ 0.5)"],
  [{ cosine: 0.0625, direction: 1 }, "(cos(g, g⁺) averages 0.063, GradRatio 1)"],
])("a warning names the direction that was followed where it is not g⁺: %j", (given, words) => {
  expect(stand(given).warning?.sentence).toContain(words);
});

test("what draws a run in is said with what to do about it", () => {
  const toSaddle = { grad: 0.0625, ratio: 16, cosine: 0.0625, tolerances: { fewestSteps: 200 } };
  expect(stand(toSaddle).warning?.sentence).toMatch(/a saddle is drawing the run in/);
  expect(stand({ cosine: 0.0625 }).warning?.sentence).toMatch(
    /SAM is descending toward a point that solves nothing\. Use a smaller rho/,
  );
});

test("gradients that are just not aligned are those of a trap", () => {
  const trap = { grad: 0.0625, ratio: 16, cosine: 0.5 };
  expect(stand({ ...trap, tolerances: { aligned: 0.5 } }).verdict().name).toBe("trapped-at-saddle");
  expect(stand({ ...trap, tolerances: { aligned: 0.49 } }).verdict().name).toBe("oscillating");
});
