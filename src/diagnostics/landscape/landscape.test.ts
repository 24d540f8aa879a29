import { expect, test } from "vitest";
import {
  ascentPoint,
  jacobian,
  plainGradient,
  plainNetwork,
} from "../../../test/oracle/tanh-network.ts";
import { randomStream } from "../../engine/random.ts";
import { leavesWithPaths, sizeOf, tensor } from "../../engine/tensor.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { along, combine, dot, minus, norm, randomUnit, type Vector } from "../algebra/vectors.ts";
import { compileDerivatives, flatten } from "../point/derivatives.ts";
import { samPoint } from "../point/sam-point.ts";
import {
  eigenDirections,
  orthonormal,
  principalDirections,
  project,
  randomDirection,
  samEigenDirections,
  type Axis,
} from "./directions.ts";
import { fill, keyOf, layerOf, placesOf, ticks, type Place } from "./grid.ts";
import { compileLandscape } from "./landscape.ts";

const network = plainNetwork();
const { inputs, labels, hidden } = network;
const problem = mlp({
  train: {
    size: inputs.length,
    batch: {
      x: tensor(inputs.flat(), [inputs.length, inputs[0]?.length ?? 0], "float64"),
      y: tensor(labels, [labels.length], "int32"),
    },
  },
  hidden: [hidden],
  dtype: "float64",
});
const rho = 0.7;
const x = flatten(problem.init(4)).map((value) => 1.5 * value);
const axis = (name: string): Axis => ({ name, vector: randomUnit(x.length, 3, name) });
const axes = orthonormal(axis("first"), axis("second"));

const cosineOf = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0) /
  (Math.hypot(...a) * Math.hypot(...b));

test("every layer at every place is what the network written by hand gives there", async () => {
  const landscape = await compileLandscape({ problem, center: x, axes, rho, engine: "jax" });
  const places = placesOf([ticks(-1, 1, 3), ticks(-0.5, 1, 2)]);
  const values = await landscape.at(places);
  expect(places).toHaveLength(6);
  places.forEach(([a = NaN, b = NaN], i) => {
    const p = [...along(along(x, a, axes[0].vector), b, axes[1].vector)];
    const here = plainGradient(network, p);
    const there = plainGradient(network, ascentPoint(network, p, rho));
    expect(values.loss?.[i]).toBeCloseTo(here.loss, 12);
    expect(values.shiftedLoss?.[i]).toBeCloseTo(there.loss, 12);
    expect(values.gradNorm?.[i]).toBeCloseTo(Math.hypot(...here.gradient), 12);
    expect(values.shiftedGradNorm?.[i]).toBeCloseTo(Math.hypot(...there.gradient), 12);
    expect(values.cosine?.[i]).toBeCloseTo(cosineOf(here.gradient, there.gradient), 12);
  });
  await landscape.dispose();
});

test("without the second gradient the losses are the same, and nothing claims its layers", async () => {
  const options = { problem, center: x, axes, rho, engine: "native" } as const;
  const whole = await compileLandscape(options);
  const losses = await compileLandscape({ ...options, shiftedGradients: false });
  const places = [
    [0, 0],
    [0.3, -0.2],
  ];
  const [all, some] = [await whole.at(places), await losses.at(places)];
  expect(Object.keys(some).sort()).toEqual(["gradNorm", "loss", "shiftedLoss"]);
  some.shiftedLoss?.forEach((value, i) => expect(value).toBeCloseTo(all.shiftedLoss?.[i] ?? 0, 13));
  await whole.dispose();
  await losses.dispose();
});

test("values do not depend on how many threads share the places", async () => {
  const draw = randomStream(0, "test", "landscape");
  const normals = (length: number) => Array.from({ length }, () => draw.normal());
  const large = mlp({
    train: {
      size: 2000,
      batch: {
        x: tensor(normals(2000 * 20), [2000, 20], "float64"),
        y: tensor(
          normals(2000).map((value) => (value > 0 ? 1 : 0)),
          [2000],
          "int32",
        ),
      },
    },
    hidden: [40],
    dtype: "float64",
  });
  const center = flatten(large.init(0));
  const axes = [{ name: "a", vector: randomUnit(center.length, 0, "a") }];
  // So many places are worth threads, one place is not.
  const places = placesOf([ticks(-1, 1, 61)]);
  const results = [];
  for (const threads of [1, 2, 3]) {
    const landscape = await compileLandscape({
      problem: large,
      center,
      axes,
      rho,
      engine: "native",
      threads,
    });
    results.push([await landscape.at(places), await landscape.at(places.slice(0, 1))]);
    await landscape.dispose();
  }
  const [one, two, three] = results;
  expect(one?.[0]?.loss).toHaveLength(61);
  expect(new Set(one?.[0]?.loss).size).toBe(61);
  expect(two).toEqual(one);
  expect(three).toEqual(one);
});

test("with ρ = 0 SAM sees the loss itself", async () => {
  const landscape = await compileLandscape({ problem, center: x, axes, rho: 0, engine: "jax" });
  const { loss, shiftedLoss, cosine } = await landscape.at([[0.1, 0.2]]);
  expect(shiftedLoss).toEqual(loss);
  expect(cosine?.[0]).toBeCloseTo(1, 12);
  await landscape.dispose();
});

test("a filter-normalized direction moves every unit's weights in proportion to their size, and no bias", () => {
  const params = problem.init(0);
  const role = (path: string) => problem.role(path);
  const direction = randomDirection(params, role, x, "filter", 5);
  expect(norm(direction)).toBeCloseTo(1, 12);
  const shares = new Set<string>();
  let [offset, biases] = [0, 0];
  for (const [path, { shape }] of leavesWithPaths(params)) {
    const [units = 1] = shape;
    const size = sizeOf(shape) / units;
    for (let unit = 0; unit < units; unit++, offset += size) {
      const length = norm(direction.subarray(offset, offset + size));
      if (role(path) === "bias") {
        expect(length).toBe(0);
        biases += 1;
      } else shares.add((length / norm(x.subarray(offset, offset + size))).toPrecision(10));
    }
  }
  expect(shares.size).toBe(1);
  expect(biases).toBeGreaterThan(0);
  const other = randomDirection(params, role, x, "filter", 6);
  expect(Math.abs(dot(direction, other))).toBeLessThan(0.9);
});

test("a layer-normalized direction keeps the proportions of layers alone", () => {
  const params = problem.init(0);
  const direction = randomDirection(params, (path) => problem.role(path), x, "layer", 5);
  const shares: number[] = [];
  let offset = 0;
  for (const [path, { shape }] of leavesWithPaths(params)) {
    const end = offset + sizeOf(shape);
    if (problem.role(path) === "weight") {
      shares.push(norm(direction.subarray(offset, end)) / norm(x.subarray(offset, end)));
    }
    offset = end;
  }
  expect(shares.length).toBeGreaterThan(1);
  for (const share of shares) expect(share).toBeCloseTo(shares[0] ?? NaN, 12);
});

test("eigenvectors bend what SAM sees as their eigenvalues say, by differences", async () => {
  const f = await compileDerivatives(problem, { engine: "jax" });
  const point = await samPoint(f, x, rho);
  const step = 1e-4;
  const shiftedGradient = (p: Vector) =>
    plainGradient(network, ascentPoint(network, [...p], rho)).gradient;
  for (const { name, vector } of await samEigenDirections(point)) {
    const value = Number(/([-\d.e+]+)\)$/.exec(name)?.[1]);
    const [up, down] = [1, -1].map((sign) => shiftedGradient(along(x, sign * step, vector)));
    const moved = (up ?? []).map((high, i) => (high - (down?.[i] ?? NaN)) / (2 * step));
    // H⁺M v = λ v, where the pair is real.
    const along1 = moved.reduce((sum, m, i) => sum + m * (vector[i] ?? NaN), 0);
    expect(along1).toBeCloseTo(value, 1);
  }
  const [highest, lowest] = await eigenDirections(point);
  expect(Math.abs(dot(highest.vector, lowest.vector))).toBeLessThan(1e-5);
  // vᵀMᵀH⁺Mv against differences of the whole matrices.
  const perturbation = jacobian((p) => ascentPoint(network, p, rho), [...x]);
  const shiftedHessian = jacobian(
    (p) => plainGradient(network, p).gradient,
    ascentPoint(network, [...x], rho),
  );
  const times = (rows: readonly (readonly number[])[], v: Vector) =>
    Float64Array.from(rows, (row) => row.reduce((sum, r, i) => sum + r * (v[i] ?? NaN), 0));
  const curvature = ({ vector }: Axis) => {
    const moved = times(perturbation, vector);
    return dot(moved, times(shiftedHessian, moved));
  };
  const values = [highest, lowest].map(({ name }) => Number(/([-\d.e+]+)\)$/.exec(name)?.[1]));
  expect(curvature(highest)).toBeCloseTo(values[0] ?? NaN, 1);
  expect(curvature(lowest)).toBeCloseTo(values[1] ?? NaN, 1);
  expect(curvature(highest)).toBeGreaterThan(curvature(axes[0]));
  await f.dispose();
});

test("principal components find the plane in which points lie, and say what a projection keeps", () => {
  const [u, w, out] = [axes[0].vector, axes[1].vector, randomUnit(x.length, 9, "out")];
  const points = Array.from({ length: 20 }, (_, i) =>
    combine([1, 3 * Math.cos(i), Math.sin(2 * i)], [x, u, w]),
  );
  const plane = principalDirections(points);
  const { kept, coordinates } = project(points, x, plane);
  expect(kept).toBeCloseTo(1, 10);
  points.forEach((point, i) => {
    const [a = NaN, b = NaN] = coordinates[i] ?? [];
    const back = combine([1, a, b], [x, ...plane.map(({ vector }) => vector)]);
    expect(norm(minus(back, point))).toBeLessThan(1e-6);
  });
  expect(Math.abs(dot(plane[0].vector, u))).toBeGreaterThan(0.9);
  const away = points.map((point, i) => along(point, i % 2 === 0 ? 2 : -2, out));
  expect(project(away, x, plane).kept).toBeLessThan(0.8);
});

test("points on a line have one principal direction, and points that stand still none", () => {
  const u = axes[0].vector;
  const line = principalDirections([x, along(x, 1, u), along(x, 2, u)]);
  expect(line.map(({ vector }) => Math.abs(dot(vector, u)))).toEqual([expect.closeTo(1, 9)]);
  expect(() => principalDirections([x, x, x])).toThrow(/the run stands still/);
});

test("two directions that are one line are refused", () => {
  const [first] = axes;
  expect(() => orthonormal(first, { name: "again", vector: first.vector })).toThrow(
    "invalid directions: first and again are one line (give another second direction, such as random)",
  );
});

test("a grid that is extended computes only what is new, and an interrupt keeps what is known", async () => {
  const asked: string[] = [];
  const landscape = {
    async at(places: readonly (readonly number[])[]) {
      asked.push(...places.map(keyOf));
      return { loss: places.map(([a = NaN, b = NaN]) => a + 10 * b) };
    },
  };
  const known = new Map<string, Place>();
  await fill(landscape, [ticks(-1, 1, 5), ticks(-1, 1, 5)], { known });
  expect(asked).toHaveLength(25);
  const wide = [ticks(-2, 2, 9), ticks(-2, 2, 9)];
  const stop = new AbortController();
  const done = await fill(landscape, wide, {
    known,
    signal: stop.signal,
    onPlaces: () => stop.abort(),
  });
  expect(done).toBe(false);
  expect(known.size).toBeGreaterThan(25);
  expect(known.size).toBeLessThan(81);
  expect(await fill(landscape, wide, { known })).toBe(true);
  expect(asked).toHaveLength(81);
  expect(new Set(asked).size).toBe(81);
  expect(layerOf(wide, known, "loss")).toEqual(placesOf(wide).map(([a = 0, b = 0]) => a + 10 * b));
});
