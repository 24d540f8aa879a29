import { afterAll, beforeAll, expect, test } from "vitest";
import { regression } from "../../problems/networks/regression.ts";
import { mSam } from "../../sam/methods/m-sam.ts";
import { sam } from "../../sam/methods/sam.ts";
import { adamW, clipped, sgd } from "../../sam/parts/outer.ts";
import { createMethod, methods } from "../../sam/registry.ts";
import { cosine } from "../../settings/schedules.ts";
import { along, distance, minus, norm, randomUnit, scaled } from "../algebra/vectors.ts";
import { compileDerivatives, flatten, type Derivatives } from "./derivatives.ts";
import { compileDirection, whyNoField } from "./direction.ts";
import { restPoint } from "./rest-point.ts";
import { samPoint, type SamPoint } from "./sam-point.ts";

const problem = regression();
const x = flatten(problem.init(3));
const w = randomUnit(7, 1, "direction");
const rho = 0.5;
let f: Derivatives;
let point: SamPoint;
beforeAll(async () => {
  f = await compileDerivatives(problem, { engine: "jax" });
  point = await samPoint(f, x, rho);
});
afterAll(() => f.dispose());

const relative = (a: Float64Array<ArrayBuffer>, b: Float64Array<ArrayBuffer>) =>
  distance(a, b) / norm(b);

test("SAM's direction is g⁺, and its derivative H⁺M", async () => {
  const direction = await compileDirection(problem, sam({ rho }), { engine: "jax" });
  const { direction: v, ascentPoint } = await direction.at(x);
  expect(relative(v, point.shiftedGradient)).toBeLessThan(1e-14);
  expect(relative(ascentPoint, point.ascentPoint)).toBeLessThan(1e-15);
  const expected = await point.samJacobian(w);
  expect(relative(await direction.times(x, w), expected)).toBeLessThan(1e-13);
  const columns = await direction.columns(x);
  const sum = columns.reduce((total, column, i) => along(total, w[i] ?? NaN, column), scaled(0, x));
  expect(relative(sum, expected)).toBeLessThan(1e-13);
  await direction.dispose();
});

test("weight decay adds λx and λI, momentum and clipping from afar add nothing", async () => {
  const plain = along(point.shiftedGradient, 0.1, x);
  const product = along(await point.samJacobian(w), 0.1, w);
  const learningRate = cosine({ initial: 0.3 });
  for (const outer of [
    sgd({ weightDecay: 0.1 }),
    sgd({ weightDecay: 0.1, momentum: 0.9, learningRate }),
    sgd({ weightDecay: 0.1, momentum: 0.9, nesterov: true }),
    clipped({ maxNorm: 1e6, outer: sgd({ weightDecay: 0.1 }) }),
  ]) {
    const direction = await compileDirection(problem, sam({ rho, outer }), { engine: "jax" });
    expect(relative((await direction.at(x)).direction, plain)).toBeLessThan(1e-14);
    expect(relative(await direction.times(x, w), product)).toBeLessThan(1e-13);
    await direction.dispose();
  }
});

test("settings that follow a schedule have their value at the end of a run", async () => {
  const at = async (schedule: Parameters<typeof sam>[0]) => {
    const direction = await compileDirection(problem, sam(schedule), { engine: "jax" });
    const { direction: v } = await direction.at(x);
    await direction.dispose();
    return v;
  };
  const end = await at({ rho: cosine({ initial: 3, final: rho }) });
  expect(relative(end, point.shiftedGradient)).toBeLessThan(1e-9);
});

const fields = methods.filter(({ name, options }) => {
  if (name === "sam-on") return false; // It needs norm layers.
  if (["saf", "mesa"].includes(name)) return false; // They need outputs.
  const method = createMethod(name, "rho" in options.shape ? { rho } : {}, sgd());
  return whyNoField(method, problem) === undefined;
});

test("the methods that move along a field are known", () => {
  expect(fields.map(({ name }) => name)).toEqual([
    "gd",
    "sam",
    "usam",
    "exact-sam",
    "m-sam",
    "asam",
    "fisher-sam",
    "awp",
    "amp",
    "multistep-sam",
    "lookbehind",
    "gsam",
    "switching",
    "late-phase-sam",
    "decaying-sam",
    "esam",
  ]);
});

test.each([
  ...fields.map(({ name, options }) => ({
    name,
    settings: "rho" in options.shape ? { rho } : {},
  })),
  { name: "gsam", settings: { rho, minimize: "plain" } },
])("$name $settings: Dv·w agrees with differences of v", async ({ name, settings }) => {
  const method = createMethod(name, settings, sgd());
  const direction = await compileDirection(problem, method, { engine: "jax" });
  const at = async (step: number) => (await direction.at(along(x, step, w))).direction;
  const h = 1e-5;
  const differences = scaled(1 / (2 * h), minus(await at(h), await at(-h)));
  expect(relative(await direction.times(x, w), differences)).toBeLessThan(1e-7);
  await direction.dispose();
});

test.each([
  ["looksam", {}, sgd(), /^invalid method: looksam remembers earlier steps/],
  ["bsam", {}, sgd(), /^invalid method: bsam draws random numbers, so it rests nowhere/],
  ["sam", {}, adamW(), /^invalid method: adamw remembers more than a point and its momentum/],
  ["sam", {}, clipped({ maxNorm: 1, outer: adamW() }), /^invalid method: clipped adamw/],
])("%s is refused in words", async (name, settings, outer, message) => {
  const method = createMethod(name, settings, outer);
  await expect(compileDirection(problem, method)).rejects.toThrow(message);
});

test("only SAM counts as SAM, not a method that shares its value at a point", async () => {
  const judged = async (method: ReturnType<typeof sam>) => {
    const direction = await compileDirection(problem, method, { engine: "jax" });
    const { isSam, jacobian } = await restPoint({ f, rho, direction }, x);
    const product = await jacobian(w);
    await direction.dispose();
    return [isSam, relative(product, await point.samJacobian(w)) < 1e-12];
  };
  expect(await judged(sam({ rho }))).toEqual([true, true]);
  // One piece is SAM: the general way leads to the same derivative.
  expect(await judged(mSam({ rho, chunks: 1 }))).toEqual([false, true]);
  expect(await judged(sam({ rho, groups: { bias: 0.5 } }))).toEqual([false, false]);
  expect(await judged(mSam({ rho, chunks: 2 }))).toEqual([false, false]);
});
