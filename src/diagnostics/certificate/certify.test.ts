import { describe, expect, test } from "vitest";
import { plainNetwork } from "../../../test/oracle/tanh-network.ts";
import { mapTree, tensor } from "../../engine/tensor.ts";
import { inFloat64 } from "../../problems/float64.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { planes, type PlaneName } from "../../problems/planes/index.ts";
import type { Point } from "../../problems/problem.ts";
import { curvatureAt } from "../point/curvature.ts";
import { compileDerivatives, flatten } from "../point/derivatives.ts";
import { restPoint } from "../point/rest-point.ts";
import { certificateSchema, defaultCertificateTolerances } from "./certificate.ts";
import { certify, type CertifyOptions } from "./certify.ts";

const at = (x: Point) => ({ x: tensor(x, [2], "float64") });
const certifyPlane = (
  name: PlaneName,
  rho: number,
  x: Point,
  options: Partial<CertifyOptions> = {},
) => certify({ problem: planes[name].create(), point: at(x), rho, ...options });

const close = (value: number) => expect.closeTo(value, 10);

describe("planes", () => {
  test("cosine at ρ = 4: a hallucinated minimizer that attracts, with its learning rates", async () => {
    const certificate = await certifyPlane("cosine", 4, [2 * Math.PI - 4, 0]);
    expect(certificate).toMatchObject({
      verdict: { name: "hallucinated-minimizer" },
      attracting: { answer: "yes" },
      loss: close(-Math.cos(4)),
      shiftedLoss: close(-1),
      gradNorm: close(-Math.sin(4)),
      hessian: { min: close(Math.cos(4)), max: close(1) },
      shiftedHessian: { min: close(1), max: close(1) },
      samJacobian: { minReal: close(1), maxReal: close(1 - 4 / Math.sin(4)) },
      perturbationJacobian: { minSymmetric: close(1), minSingular: close(1) },
      maxStableLearningRate: close(2 / (1 - 4 / Math.sin(4))),
      dtype: "float64",
      engine: "native",
      details: { distance: close(4), kernels: { shiftedHessian: 0, surrogateHessian: 0 } },
    });
    // Along x₁, where f curves as 1 − cos does: η < 2.
    const [along] = certificate.details.spectrum;
    expect(along?.maxStableLearningRate).toBeCloseTo(2, 8);
    expect(certificate.details.runs.map(({ outcome }) => outcome)).toEqual([
      "returned",
      "returned",
      "returned",
      "returned",
      "returned",
    ]);
    expect(certificate.gradRatio).toBeLessThan(1e-14);
  });

  const cases: [PlaneName, number, Point, string, string][] = [
    ["wide-narrow", 2.5, [5.900680416658958 - 2.5, 0], "hallucinated-minimizer", "yes"],
    ["ridge", 1.5, [-0.5, 0], "hallucinated-minimizer", "yes"],
    ["dome", 1.25, [0.75, 1], "hallucinated-maximizer", "no"],
    ["dome", 0.5, [-0.5, 0], "hallucinated-maximizer", "no"],
    ["saddle", 1, [0, 1], "hallucinated-saddle", "no"],
    ["saddle", 2.5, [0, -2.5], "hallucinated-saddle", "no"],
    ["cosine", 1, [Math.PI - 1, 0], "hallucinated-saddle", "no"],
    ["rosenbrock", 1, [1, 1], "minimizer", "unknown"],
    ["saddle", 1, [0, 0], "saddle", "unknown"],
    ["dome", 1, [0, 0], "maximizer", "unknown"],
    ["cosine", 4, [Math.PI, 0], "saddle", "unknown"],
    ["ridge", 1.5, [1, 0.5], "minimizer", "unknown"],
  ];
  test.each(cases)("%s at ρ = %d, %j: %s, attracting %s", async (name, rho, x, verdict, answer) => {
    const certificate = await certifyPlane(name, rho, x, { steps: 400 });
    expect([certificate.verdict.name, certificate.attracting.answer]).toEqual([verdict, answer]);
    const json = JSON.stringify(certificate);
    expect(JSON.stringify(certificateSchema.parse(JSON.parse(json)))).toBe(json);
  });

  test("kernels: along ridge the minimizers form a curve, and so do the hallucinated ones", async () => {
    const { details } = await certifyPlane("ridge", 1.5, [-0.5, 0]);
    expect(details.kernels).toEqual({
      shiftedHessian: 1,
      perturbation: 0,
      samJacobian: 1,
      surrogateHessian: 1,
    });
    const dome = await certifyPlane("dome", 1, [1, 0]);
    expect(dome.details.kernels).toMatchObject({ shiftedHessian: 0, perturbation: 1 });
    expect(dome.perturbationJacobian.minSingular).toBeCloseTo(0, 14);
  });

  test("too large a learning rate leaves an attracting point, and the certificate says so", async () => {
    const fast = await certifyPlane("cosine", 4, [2 * Math.PI - 4, 0], { learningRate: 0.4 });
    expect(fast.attracting).toEqual({
      answer: "no",
      sentence: expect.stringMatching(
        /^At the learning rate 0.4 SAM overshoots.* below 0.318 only/,
      ),
    });
    expect(fast.details.runs.some(({ outcome }) => outcome === "left")).toBe(true);
  });

  test("where neither gradient vanishes SAM is run: trapped, descending, not at rest", async () => {
    const trapped = await certifyPlane("dome", 1, [0.05, 0.02], {
      learningRate: 0.05,
      steps: 300,
    });
    expect(trapped.verdict.name).toBe("trapped-at-saddle");
    const descending = await certifyPlane("rosenbrock", 0.01, [-1.2, 1], {
      learningRate: 1e-4,
      steps: 200,
    });
    expect(descending.verdict.name).toBe("descending");
    const stalling = await certifyPlane("cosine", 4, [2, 0.5], { learningRate: 0.1 });
    expect(stalling.verdict.name).toBe("inconclusive");
    expect(stalling.verdict.sentence).toMatch(/‖g⁺‖ = .*certify its end/);
  });

  test("a zero of g⁺ missed by a little is found, and certified in place of the point", async () => {
    for (const [name, rho, x, verdict] of [
      ["saddle", 1, [0, 1 + 1e-3], "hallucinated-saddle"],
      ["cosine", 4, [2 * Math.PI - 4 + 1e-3, 0], "hallucinated-minimizer"],
    ] as const) {
      const found = await certifyPlane(name, rho, x, { steps: 10 });
      expect(found.verdict.name).toBe(verdict);
      expect(found.zero).toMatchObject({ exact: true, moved: expect.closeTo(1e-3, 8) });
      expect(found.gradRatio).toBeLessThan(1e-14);
    }
  });

  test("where the zero is farther than the reach, the point is near, and its drift is told", async () => {
    const x: Point = [2 * Math.PI - 4 + 0.03, 0];
    const near = await certifyPlane("cosine", 4, x, { steps: 10, tolerances: { reach: 1e-3 } });
    expect(near.verdict).toMatchObject({
      name: "near-hallucinated",
      sentence: expect.stringMatching(
        /no zero of g⁺ was found within 0\.001 ρ.* it drifted by 0\.0/,
      ),
    });
    expect(near.attracting).toEqual({
      answer: "unknown",
      sentence: "Nothing rests here, so there is no stability to speak of.",
    });
    expect(near.zero?.exact).toBe(false);
    expect(near.drift?.steps).toBe(10);
    expect(near.details.runs).toEqual([]);
    const found = await certifyPlane("cosine", 4, x, { steps: 10 });
    expect(found.verdict.name).toBe("hallucinated-minimizer");
  });
});

describe("networks", () => {
  const { inputs, labels, hidden } = plainNetwork();
  const train = {
    size: inputs.length,
    batch: {
      x: tensor(inputs.flat(), [inputs.length, inputs[0]?.length ?? 0], "float64"),
      y: tensor(labels, [labels.length], "int32"),
    },
  };
  const problem = mlp({ train, hidden: [hidden], dtype: "float64" });
  const point = mapTree(problem.init(4), ({ data, shape }) =>
    tensor(
      Array.from(data, (value) => 1.5 * value),
      shape,
      "float64",
    ),
  );

  test("ends of spectra by iteration agree with whole spectra to 1e-8", async () => {
    const f = await compileDerivatives(problem);
    const rest = await restPoint({ f, rho: 0.7 }, flatten(point));
    const tolerances = { ...defaultCertificateTolerances, spectrum: 1e-10 };
    const options = { tolerances, rests: true, length: 0.7, seed: 0 };
    const dense = await curvatureAt(f, rest, { ...options, denseLimit: 1000 });
    const sparse = await curvatureAt(f, rest, { ...options, denseLimit: 0 });
    expect([dense.dense, sparse.dense]).toEqual([true, false]);
    const numbers = ({ hessian, shiftedHessian, motions, sam }: typeof dense) => [
      hessian.min,
      hessian.max,
      shiftedHessian.min,
      shiftedHessian.max,
      motions?.minReal ?? NaN,
      motions?.maxReal ?? NaN,
      motions?.leftmost.condition ?? NaN,
      sam?.minSymmetric.value ?? NaN,
      sam?.minSingular.value ?? NaN,
    ];
    const expected = numbers(dense);
    numbers(sparse).forEach((value, i) => {
      expect(Math.abs(value / (expected[i] ?? NaN) - 1)).toBeLessThan(1e-8);
    });
    expect(sparse.motions?.converged).toBe(true);
    await f.dispose();
  });

  test("refuses points that do not fit or are not finite, and radii that are not positive", async () => {
    const bad = async (change: Partial<CertifyOptions>) =>
      certify({ problem, point, rho: 1, ...change });
    const { layers } = point as { layers: { weight: ReturnType<typeof tensor> }[] };
    await expect(bad({ point: { layers: layers.slice(1) } })).rejects.toThrow(
      /^(missing layers\/1\/bias|invalid layers\/0\/bias)/,
    );
    const hole = mapTree(point, (leaf, path) =>
      path === "layers/1/bias" ? tensor([0, NaN, 0], [3], "float64") : leaf,
    );
    await expect(bad({ point: hole })).rejects.toThrow(
      "invalid layers/1/bias: element 1 is NaN (give finite numbers)",
    );
    await expect(
      bad({ point: { ...(point as object), scale: tensor([1], [1], "float64") } }),
    ).rejects.toThrow(/^unknown scale: mlp has no such parameter/);
    for (const rho of [0, -1, NaN, Infinity]) {
      await expect(bad({ rho })).rejects.toThrow(/^invalid rho/);
    }
  });
});

test("a network trained in float32 is certified at its own point, with its accuracy", async () => {
  const x = tensor([0, 1, 2, 3, 4, 5], [6, 1], "float32");
  const y = tensor([0, 0, 0, 1, 1, 1], [6], "int32");
  const problem = mlp({ train: { batch: { x, y }, size: 6 }, hidden: [2] });
  const certificate = await certify({ problem, point: problem.init(1), rho: 0.1, steps: 5 });
  const exact = inFloat64(problem);
  const same = await certify({ problem: exact, point: exact.init(1), rho: 0.1, steps: 5 });
  expect(certificate.subject?.score?.train).toBeGreaterThan(0);
  expect(certificate.subject).toEqual(same.subject);
  expect([certificate.loss, certificate.gradNorm]).toEqual([same.loss, same.gradNorm]);
});
