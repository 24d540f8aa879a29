/** Checkpoints: what goes in comes out, bit for bit, and what is no checkpoint of the run is refused. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../engine/safetensors.ts";
import { scalarTensor, tensor, type Tensor } from "../engine/tensor.ts";
import type { TrainingState } from "../sam/training/state.ts";
import { decodeCheckpoint, encodeCheckpoint, encodeModel, type Checkpoint } from "./checkpoint.ts";

const stateAt = (step: number, x: Tensor): TrainingState => ({
  step,
  carry: {
    params: { layers: [{ weight: x }, { weight: scalarTensor(2, "float32") }] },
    memory: { age: scalarTensor(step, "int32") },
    outer: {},
    statistics: {},
  },
});

const like = stateAt(0, tensor([0, 0], [2], "float64"));

const checkpointAt = (step: number, x: Tensor, more: Partial<Checkpoint> = {}): Checkpoint => ({
  state: stateAt(step, x),
  screen: { step } as unknown as Checkpoint["screen"],
  evaluations: 2 * step,
  seconds: 0.125,
  ...more,
});

const restored = (bytes: Uint8Array, start = like) => {
  const { metricsLength, restore } = decodeCheckpoint(bytes, "f");
  return { metricsLength, checkpoint: restore(start) };
};

const number = fc.oneof(
  fc.double(),
  fc.constantFrom(NaN, Infinity, -Infinity, Number.MIN_VALUE, 1 / 3, 1e300),
);

test("any numbers come back as they went in, those that are not finite too", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      number,
      number,
      fc.array(number),
      fc.nat(),
      (step, p, q, list, length) => {
        const x = tensor([p, q], [2], "float64");
        // JSON has no −0; what screens count and average is none.
        const kept = list.map((value) => value + 0);
        const screen = { mean: kept[0] ?? 1, list: kept, nested: { kept } };
        const before = checkpointAt(step, x, { screen: screen as never });
        const { metricsLength, checkpoint } = restored(encodeCheckpoint(before, length));
        expect(metricsLength).toBe(length);
        expect(checkpoint).toEqual(before);
      },
    ),
    { seed: 4, numRuns: 60 },
  );
});

test("scores come back where there are some, and words stay words", () => {
  const x = tensor([1, 2], [2], "float64");
  const scores = [{ step: 5, train: { loss: 1, score: 0.5 }, test: { loss: 2, score: 0.25 } }];
  const screen = { name: "NaN of them", other: "toString" };
  const before = checkpointAt(5, x, { scores, screen: screen as never });
  expect(restored(encodeCheckpoint(before, 0)).checkpoint).toEqual(before);
});

test.each<[string, TrainingState]>([
  ["another shape", stateAt(0, tensor([0], [1], "float64"))],
  ["as many numbers in another shape", stateAt(0, tensor([0, 0], [2, 1], "float64"))],
  ["another type", stateAt(0, tensor([0, 0], [2], "float32"))],
])("a run whose parameters have %s is another run", (_, start) => {
  const bytes = encodeCheckpoint(checkpointAt(3, tensor([1, 2], [2], "float64")), 0);
  expect(() => restored(bytes, start)).toThrow(
    "invalid file f: params/layers/0/weight is missing or of another type",
  );
});

test("a tensor that is not there is missing", () => {
  const { carry } = like;
  const start = { ...like, carry: { ...carry, outer: { v: scalarTensor(0, "float64") } } };
  const bytes = encodeCheckpoint(checkpointAt(3, tensor([1, 2], [2], "float64")), 0);
  expect(() => restored(bytes, start)).toThrow("invalid file f: outer/v is missing or of another");
});

const whole = { step: 1, evaluations: 2, seconds: 3, screen: {}, metricsLength: 4 };

test.each<[string, string | undefined]>([
  ["no entry", undefined],
  ["no JSON", "{"],
  ["a list", "[]"],
  ["half a step", JSON.stringify({ ...whole, step: 0.5 })],
  ["no evaluations", JSON.stringify({ ...whole, evaluations: undefined })],
  ["seconds in words", JSON.stringify({ ...whole, seconds: "long" })],
  ["no length", JSON.stringify({ ...whole, metricsLength: undefined })],
  ["half a byte", JSON.stringify({ ...whole, metricsLength: 1.5 })],
  ["no screen", JSON.stringify({ ...whole, screen: null })],
  ["a screen that is a number", JSON.stringify({ ...whole, screen: 5 })],
  ["scores that are none", JSON.stringify({ ...whole, scores: [1] })],
])("tensors with %s are no checkpoint", (_, lucid) => {
  const tensors = { x: scalarTensor(1, "float64") };
  const bytes = writeSafetensors(tensors, lucid === undefined ? {} : { lucid });
  expect(() => decodeCheckpoint(bytes, "f")).toThrow("invalid file f: not the checkpoint of a run");
  const good = writeSafetensors(tensors, { lucid: JSON.stringify(whole) });
  expect(decodeCheckpoint(good, "f").metricsLength).toBe(4);
});

test("a model is its parameters by path, and its statistics under their own name", () => {
  const params = { a: { w: scalarTensor(1, "float64") } };
  const paths = (bytes: Uint8Array) =>
    new Map(
      Object.entries(readSafetensors(bytes, "f").tensors).map(([path, { data }]) => [
        path,
        data[0],
      ]),
    );
  expect(paths(encodeModel({ params, statistics: {} }))).toEqual(new Map([["a/w", 1]]));
  const statistics = { mean: scalarTensor(2, "float64") };
  expect(paths(encodeModel({ params, statistics }))).toEqual(
    new Map([
      ["a/w", 1],
      ["statistics/mean", 2],
    ]),
  );
});
