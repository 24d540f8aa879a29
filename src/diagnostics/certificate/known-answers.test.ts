/** Points whose certificates are known by other means. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lucid } from "../../../test/lucid.ts";
import { mapTrees, multiply, scalar } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { mapTree, tensor } from "../../engine/tensor.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { regression } from "../../problems/networks/regression.ts";
import type { Problem } from "../../problems/problem.ts";
import { asam } from "../../sam/methods/asam.ts";
import { exactSam } from "../../sam/methods/exact-sam.ts";
import { gsam } from "../../sam/methods/gsam.ts";
import { gradientDescent, sam, usam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { compileDerivatives, flatten, unflatten } from "../point/derivatives.ts";
import { refine } from "../point/refine.ts";
import { certificateSchema, type Certificate } from "./certificate.ts";
import { certify } from "./certify.ts";

/** Parameters of the regression in the order w, b, a, c. */
const pointOf = (values: readonly number[]) => {
  const part = (from: number, to: number) => tensor(values.slice(from, to), [to - from], "float64");
  return { w: part(0, 2), b: part(2, 4), a: part(4, 6), c: part(6, 7) };
};
const hallucinated = pointOf([
  -0.48704912104, -0.29334313386, 0.78952024637, 0.02492411786, 0.38809939645, -0.29577026322,
  -0.37770061104,
]);

/** Equal to so many significant digits. */
const significant = (value: number, digits: number) =>
  expect.closeTo(value, digits - 1 - Math.floor(Math.log10(Math.abs(value))));

describe("a network in which SAM converges to a strict, attracting hallucinated minimizer", () => {
  // Computed in 50 digits.
  const known = {
    loss: significant(0.58625328143, 10),
    shiftedLoss: significant(0.016829622018, 10),
    gradNorm: significant(0.88387134454, 10),
    samJacobian: [0.00607036, 0.017039, 0.330867, 0.647615, 8.36602, 18.6836, 171.501],
  };
  const check = (found: Certificate) => {
    expect(found.verdict.name).toBe("hallucinated-minimizer");
    expect(found.attracting.answer).toBe("yes");
    expect(found).toMatchObject({
      loss: known.loss,
      shiftedLoss: known.shiftedLoss,
      gradNorm: known.gradNorm,
      shiftedHessian: { min: significant(0.00604735, 6), max: significant(16.9908, 6) },
      perturbationJacobian: { minSymmetric: significant(0.89615, 5) },
      maxStableLearningRate: significant(0.01166, 4),
      zero: { exact: true },
      details: { distance: significant(2, 12) },
    });
    expect(found.details.spectrum.map(({ re }) => re)).toEqual(
      known.samJacobian.map((value) => significant(value, 5)),
    );
    expect(found.details.spectrum.every(({ im }) => im === 0)).toBe(true);
    expect(found.shiftedGradNorm).toBeLessThan(1e-14);
  };

  test("from the point alone", async () => {
    const found = await certify({
      problem: regression(),
      point: hallucinated,
      rho: 2,
      learningRate: 0.01,
      steps: 50,
    });
    check(found);
    expect(found.zero?.moved).toBeLessThan(1e-9);
    expect(found.zero?.kantorovich?.h).toBeLessThan(1e-6);
    expect(found.details.stepsAskedFor).toBe(Math.ceil(-1 / Math.log(1 - 0.01 * 0.00607035686)));
    for (const { condition, error } of found.details.spectrum) {
      expect(condition).toBeGreaterThanOrEqual(1 - 1e-12);
      expect(error).toBeLessThan(1e-10);
    }
  });

  test("from a run, by its folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "lucid-known-"));
    const run = join(folder, "run");
    const start = "-0.49026082,-0.10984739,-0.06453957,0.0952704,0.1912387,-0.4470479,-0.51799646";
    const train = "train --problem regression --rho 2 --lr 0.01 --steps 45000 --out";
    const trained = await lucid(...train.split(" "), run, `--start=${start}`);
    expect(trained.code).toBe(0);
    const { out } = await lucid("certify", run, "--steps", "50", "--json");
    const found = certificateSchema.parse(JSON.parse(out));
    check(found);
    // Where the run was after 45,000 steps, and how far from where it goes.
    expect(found.subject?.loss).toBeCloseTo(0.586902260098, 10);
    expect(found.subject).toMatchObject({
      problem: "regression",
      description: "16 points of sine, hidden 2, penalty in the loss 0.003",
      samples: 16,
      parameters: 7,
      rho: 2,
    });
    expect(found.zero?.moved).toBeCloseTo(0.00564, 4);
    await rm(folder, { recursive: true });
  }, 120_000);

  test("copies return by their distance, once they are given the steps that it takes", async () => {
    const { attracting, details } = await certify({
      problem: regression(),
      point: hallucinated,
      rho: 2,
      learningRate: 0.01,
      copies: 0,
    });
    expect(details.runs.map(({ start, outcome }) => [start, outcome])).toEqual([
      ["along the leftmost eigenvector", "returned"],
      ["against the leftmost eigenvector", "returned"],
    ]);
    // One e-fold of the slowest mode.
    for (const { initialDistance, finalDistance } of details.runs) {
      expect((finalDistance ?? NaN) / initialDistance).toBeCloseTo(Math.exp(-1), 2);
    }
    expect(attracting.sentence).toContain("2 came back to at most half of their distance");
  }, 60_000);
});

test("a zero of g⁺ at two equal hidden units repels off that symmetry", async () => {
  const problem = regression();
  const f = await compileDerivatives(problem);
  const near = pointOf([
    0.1787743732, 0.1787743732, -0.0147782539, -0.0147782539, 0.2809126892, 0.2809126892,
    -0.0044375403,
  ]);
  const { point } = await refine({ f, x: flatten(near), rho: 2, tolerance: 1e-14 });
  await f.dispose();
  const [a1, a2, b1, b2, , w1, w2] = point.x;
  expect([a1, b1, w1]).toEqual([a2, b2, w2]);
  const found = await certify({
    problem,
    point: unflatten(problem.init(0), point.x),
    rho: 2,
    learningRate: 0.01,
    steps: 3000,
  });
  expect(found.attracting).toEqual({
    answer: "no",
    sentence: expect.stringMatching(
      /^SAM is pushed away: the leftmost eigenvalue of H⁺M is -0\.192 ±/,
    ),
  });
  const off = found.details.runs.find(({ start }) => start === "off equal parameters");
  expect(off?.outcome).toBe("left");
}, 60_000);

/** A problem whose loss is multiplied, and whose parameters are measured in another unit. */
function rescaled(problem: Problem, factor: number, unit: number): Problem {
  const inUnits = (params: ArrayTree) => mapTrees((x) => multiply(x, scalar(1 / unit, x)), params);
  return {
    ...problem,
    init: (seed) =>
      mapTree(problem.init(seed), (leaf) => ({
        ...leaf,
        data: leaf.data.map((x) => unit * x) as Float64Array<ArrayBuffer>,
      })),
    forward(params, batch, context) {
      const { losses } = problem.forward(inUnits(params), batch, context);
      return { losses: multiply(losses, scalar(factor, losses)) };
    },
  };
}

describe("no unit of the loss or of the parameters changes a verdict", () => {
  const problem = regression();
  const far = pointOf([
    -0.49026082, -0.10984739, -0.06453957, 0.0952704, 0.1912387, -0.4470479, -0.51799646,
  ]);
  const near = mapTree(hallucinated, (leaf) => ({ ...leaf, data: leaf.data.map((x) => 1.03 * x) }));
  test.each<[string, typeof far, string]>([
    ["a zero", hallucinated, "hallucinated-minimizer"],
    ["beside one", near as typeof far, "near-hallucinated"],
    ["moving", far, "inconclusive"],
  ])(
    "%s",
    async (_, point, verdict) => {
      for (const [factor, unit] of [
        [1, 1],
        [100, 1],
        [0.01, 1],
        [1, 1000],
        [1e6, 1e-3],
      ] as const) {
        const found = await certify({
          problem: rescaled(problem, factor, unit),
          point: mapTree(point, (leaf) =>
            tensor(
              Array.from(leaf.data, (x) => unit * x),
              leaf.shape,
              "float64",
            ),
          ),
          rho: 2 * unit,
          learningRate: (0.01 * unit ** 2) / factor,
          steps: 300,
          tolerances: { reach: 1e-4, smallRatio: 0.5 },
        });
        expect([factor, unit, found.verdict.name]).toEqual([factor, unit, verdict]);
      }
    },
    60_000,
  );
});

describe("as other methods see it", () => {
  const problem = regression();
  const judged = (method: Parameters<typeof certify>[0]["method"], steps = 50) =>
    certify({ problem, point: hallucinated, rho: 2, method, learningRate: 0.01, steps });

  test("SAM with a heavy ball rests at the same point, and takes longer steps", async () => {
    const found = await judged(sam({ rho: 2, outer: sgd({ momentum: 0.9 }) }));
    expect(found).toMatchObject({
      verdict: { name: "hallucinated-minimizer" },
      maxStableLearningRate: significant(3.8 / 171.50062189, 8),
    });
  });

  test("the exact gradient vanishes too, and there is symmetric", async () => {
    const found = await judged(exactSam({ rho: 2 }));
    expect(found.verdict.name).toBe("hallucinated-minimizer");
    // MᵀH⁺M has the inertia of H⁺, which is positive.
    expect(found.samJacobian.minReal).toBeGreaterThan(0);
    for (const { im, condition } of found.details.spectrum) {
      expect(im).toBe(0);
      expect(condition).toBeCloseTo(1, 6);
    }
  });

  test("weight decay moves the rest to where g⁺ = −λx", async () => {
    const weightDecay = 1e-3;
    const method = sam({ rho: 2, outer: sgd({ weightDecay }) });
    const found = await certify({
      problem,
      point: hallucinated,
      rho: 2,
      method,
      learningRate: 0.01,
      steps: 50,
      tolerances: { reach: 0.2 },
    });
    expect(found.verdict.name).toBe("hallucinated-rest");
    expect(found.zero?.moved).toBeGreaterThan(1e-3);
    expect(found.direction?.norm).toBeLessThan(1e-12);
    expect(found.shiftedGradNorm).toBeGreaterThan(1e-4);
  });

  test("plain descent and GSAM's plain form move on", async () => {
    expect((await judged(gradientDescent())).verdict.name).toBe("descending");
    const plain = await judged(gsam({ rho: 2, minimize: "plain" }), 300);
    expect(plain.verdict.name).not.toMatch(/hallucinated/);
    for (const method of [usam({ rho: 2 }), asam({ rho: 2 })]) {
      expect((await judged(method)).direction?.samLike).toBe(false);
    }
  });
});

describe("it comes to an end where there is little to go by", () => {
  const [count, width] = [60, 12];
  const train = {
    size: count,
    batch: {
      x: tensor(
        Array.from({ length: count * width }, (_, i) => Math.sin(1.7 * i + 0.3 * i * i)),
        [count, width],
        "float64",
      ),
      y: tensor(
        Array.from({ length: count }, (_, i) => i % 3),
        [count],
        "int32",
      ),
    },
  };
  const problem = mlp({ train, hidden: [12], activation: "relu", dtype: "float64" });
  /** Hidden units that never fire, and output biases this far from those of the constant guess. */
  const dead = (bias: number) =>
    mapTree(problem.init(1), (leaf, path) => {
      const fill = (of: (i: number) => number) =>
        tensor(
          Array.from(leaf.data, (_, i) => of(i)),
          leaf.shape,
          "float64",
        );
      if (path === "layers/0/bias") return fill(() => -50);
      return path === "layers/1/bias" ? fill((i) => 0.3 + bias * Math.sin(i + 1)) : leaf;
    });

  test.each([
    [0, "minimizer"],
    [1e-9, "minimizer"],
    [1e-3, "inconclusive"],
    [0.1, "inconclusive"],
  ])(
    "195 parameters, all units dead, biases off by %d: %s",
    async (bias, verdict) => {
      for (const denseLimit of [1000, 0]) {
        const found = await certify({ problem, point: dead(bias), rho: 1, denseLimit, steps: 100 });
        expect(found.details.dimension).toBe(195);
        expect(found.verdict.name).toBe(verdict);
        expect(found.subject?.score?.train).toBeCloseTo(1 / 3, 12);
        if (verdict === "minimizer") {
          expect(found.verdict.sentence).toContain("flat, where higher orders decide");
        }
      }
    },
    60_000,
  );
});
