import { expect, test } from "vitest";
import {
  ascentPoint,
  jacobian,
  parameterCount,
  plainGradient,
  plainNetwork,
} from "../../../test/oracle/tanh-network.ts";
import { leavesWithPaths, tensor, type Tensor } from "../../engine/tensor.ts";
import { inFloat64 } from "../../problems/float64.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { compileDerivatives, flatten, unflatten } from "./derivatives.ts";
import { denseSamPoint, samPoint } from "./sam-point.ts";
import { randomUnit, type Vector } from "../algebra/vectors.ts";

const network = plainNetwork();
const { inputs, labels, hidden } = network;
const train = {
  size: inputs.length,
  batch: {
    x: tensor(inputs.flat(), [inputs.length, inputs[0]?.length ?? 0], "float64"),
    y: tensor(labels, [labels.length], "int32"),
  },
};
const problem = mlp({ train, hidden: [hidden], dtype: "float64" });
const derivatives = await compileDerivatives(problem, { engine: "jax" });
const rho = 0.7;
const x = flatten(problem.init(4)).map((value) => 1.5 * value);
const point = await samPoint(derivatives, x, rho);
const v = randomUnit(derivatives.dimension, 8, "test");

const close = (values: readonly number[], digits: number) =>
  values.map((value) => expect.closeTo(value, digits));
const product = (rows: readonly (readonly number[])[], v: Vector) =>
  rows.map((row) => row.reduce((sum, value, i) => sum + value * (v[i] ?? NaN), 0));
const transpose = (rows: readonly (readonly number[])[]) =>
  (rows[0] ?? []).map((_, i) => rows.map((row) => row[i] ?? NaN));

// The oracle: gradients by hand, Jacobians by differences of whole maps, not by the formulas.
const gradientAt = (x: readonly number[]) => plainGradient(network, x).gradient;
const shiftedGradientAt = (x: readonly number[]) => gradientAt(ascentPoint(network, x, rho));
const start = [...x];
const xPlus = ascentPoint(network, start, rho);
const hessian = jacobian(gradientAt, start);
const shiftedHessian = jacobian(gradientAt, xPlus);
const perturbation = jacobian((x) => ascentPoint(network, x, rho), start);
const samJacobian = jacobian(shiftedGradientAt, start);

test("loss and gradient at x and x⁺", () => {
  expect(derivatives.dimension).toBe(parameterCount(network));
  expect(point.loss).toBeCloseTo(plainGradient(network, start).loss, 14);
  expect([...point.gradient]).toEqual(close(gradientAt(start), 14));
  expect([...point.ascentPoint]).toEqual(close(xPlus, 13));
  expect(point.shiftedLoss).toBeCloseTo(plainGradient(network, xPlus).loss, 14);
  expect([...point.shiftedGradient]).toEqual(close(gradientAt(xPlus), 13));
  expect(point.gradRatio).toBeCloseTo(
    Math.hypot(...gradientAt(xPlus)) / Math.hypot(...gradientAt(start)),
    12,
  );
});

test("products are the Jacobians of the maps they belong to", async () => {
  const cases = [
    [point.hessian, hessian],
    [point.shiftedHessian, shiftedHessian],
    [point.perturbation, perturbation],
    [point.perturbationTransposed, transpose(perturbation)],
    [point.samJacobian, samJacobian],
    [point.samJacobianTransposed, transpose(samJacobian)],
  ] as const;
  for (const [operator, rows] of cases) {
    const before = v.slice();
    expect([...(await operator(v))]).toEqual(close(product(rows, v), 8));
    expect(v).toEqual(before);
  }
  const twice = product(transpose(perturbation), Float64Array.from(product(samJacobian, v)));
  expect([...(await point.surrogateHessian(v))]).toEqual(close(twice, 7));
});

test("dense matrices", async () => {
  const before = derivatives.cost.products;
  const dense = await denseSamPoint(derivatives, point);
  expect(derivatives.cost.products - before).toBe(2 * derivatives.dimension);
  const cases = [
    [dense.hessian, hessian],
    [dense.shiftedHessian, shiftedHessian],
    [dense.perturbation, perturbation],
    [dense.samJacobian, samJacobian],
  ] as const;
  for (const [matrix, rows] of cases) {
    expect(matrix.to2DArray()).toEqual(rows.map((row) => close(row, 8)));
  }
});

test("where the gradient vanishes x⁺ is x and M the identity", async () => {
  const flat = mlp({
    train: {
      size: 2,
      batch: { x: tensor([1, -1], [2, 1], "float64"), y: tensor([0, 1], [2], "int32") },
    },
    hidden: [],
    classes: 2,
    dtype: "float64",
  });
  const f = await compileDerivatives(flat, { engine: "jax" });
  // Weights so large that every sample has probability 1: the gradient underflows to 0.
  const still = await samPoint(f, Float64Array.from([0, 0, 1000, -1000]), 2);
  expect([still.gradNorm, still.gradRatio]).toEqual([0, 0]);
  expect(still.ascentPoint).toEqual(still.x);
  expect(await still.perturbation(Float64Array.from([1, 2, 3, 4]))).toEqual(
    Float64Array.from([1, 2, 3, 4]),
  );
  await f.dispose();
});

test("flatten and unflatten are inverse and keep names and order", () => {
  const params = problem.init(1);
  const back = unflatten(params, flatten(params));
  expect(leavesWithPaths(back)).toEqual(leavesWithPaths(params));
});

test("a problem in float32 is differentiated in float64, on the samples it has", async () => {
  const single = mlp({ train });
  const f = await compileDerivatives(single);
  const exact = await compileDerivatives(inFloat64(single));
  const x = flatten(inFloat64(single).init(3));
  expect(await f.lossAndGradient(x)).toEqual(await exact.lossAndGradient(x));
  const [[, x0]] = leavesWithPaths(single.train.batch) as [[string, Tensor]];
  expect(x0.data).toBeInstanceOf(Float32Array);
  await f.dispose();
  await exact.dispose();
});

test("refuses the loss of training where it is drawn at random", async () => {
  await expect(compileDerivatives({ ...problem, random: true }, { mode: "train" })).rejects.toThrow(
    /^invalid mode: mlp draws random numbers/,
  );
});

test("with two threads a program and its twin make a Hessian, row by row the products", async () => {
  const wide = mlp({ train, hidden: [60], dtype: "float64" });
  const f = await compileDerivatives(wide, { engine: "native", threads: 2 });
  expect(f.dimension).toBeGreaterThan(300);
  const x = flatten(wide.init(1));
  const rows = await f.hessian(x);
  expect(rows).toHaveLength(f.dimension);
  for (const [i, row] of rows.entries()) {
    if (i % 29 !== 0) continue;
    const unit = new Float64Array(f.dimension);
    unit[i] = 1;
    expect([i, row]).toEqual([i, await f.hessianTimes(x, unit)]);
  }
  await f.dispose();
});
