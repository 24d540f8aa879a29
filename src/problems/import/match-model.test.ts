import { expect, test } from "vitest";
import { leavesWithPaths, tensor, type Tensor } from "../../engine/tensor.ts";
import type { Model } from "../problem.ts";
import { mlp } from "../networks/mlp.ts";
import { matchModel, type MatchedName } from "./match-model.ts";

const train = {
  size: 3,
  batch: { x: tensor([1, 2, 3, 4, 5, 6], [3, 2], "float64"), y: tensor([0, 1, 2], [3], "int32") },
};
const problem = mlp({ train, hidden: [4], dtype: "float64" });
const pattern = (shape: number[], start: number, dtype: "float32" | "float64" = "float32") =>
  tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => start + i),
    shape,
    dtype,
  );
const sequential = {
  "0.weight": pattern([4, 2], 10),
  "0.bias": pattern([4], 20),
  "2.weight": pattern([3, 4], 30),
  "2.bias": pattern([3], 50),
};
const values = ({ params }: Model) =>
  Object.fromEntries(leavesWithPaths(params).map(([path, { data }]) => [path, [...data]]));

test("takes a PyTorch nn.Sequential unchanged, in float64", () => {
  const point = matchModel(problem, sequential);
  expect(values(point)).toEqual({
    "layers/0/weight": [10, 11, 12, 13, 14, 15, 16, 17],
    "layers/0/bias": [20, 21, 22, 23],
    "layers/1/weight": [30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41],
    "layers/1/bias": [50, 51, 52],
  });
  expect(leavesWithPaths(point.params).every(([, { dtype }]) => dtype === "float64")).toBe(true);
});

test("modules are ordered by number, not by text; our own names work with / and .", () => {
  const deep = mlp({ train, hidden: [4, 4], dtype: "float64" });
  const { "0.weight": w, "0.bias": b, "2.weight": last, "2.bias": end } = sequential;
  const ten = {
    "2.weight": w,
    "2.bias": b,
    "4.weight": pattern([4, 4], 60),
    "4.bias": b,
    "10.weight": last,
    "10.bias": end,
  };
  expect(values(matchModel(deep, ten))["layers/2/bias"]).toEqual([50, 51, 52]);
  for (const separator of ["/", "."]) {
    const own = Object.fromEntries(
      Object.entries(sequential).map(([key, leaf]): [string, Tensor] => [
        key.replace("0.", "layers/0/").replace("2.", "layers/1/").replaceAll("/", separator),
        leaf,
      ]),
    );
    expect(matchModel(problem, own)).toEqual(matchModel(problem, sequential));
  }
});

test("refuses in one line what does not fit", () => {
  const match = (change: Record<string, Tensor | undefined>) => () =>
    matchModel(
      problem,
      Object.fromEntries(
        Object.entries({ ...sequential, ...change }).flatMap(([key, leaf]) =>
          leaf ? [[key, leaf]] : [],
        ),
      ),
      "weights.npz",
    );
  expect(match({ "2.bias": undefined })).toThrow(
    "missing layers/1/bias in weights.npz: it has 0/weight, 0/bias, 2/weight",
  );
  expect(match({ "0.weight": pattern([2, 4], 0) })).toThrow(
    "invalid layers/0/weight in weights.npz: shape [2, 4] (give [4, 2])",
  );
  expect(match({ "0.bias": tensor([0, NaN, 0, 0], [4], "float32") })).toThrow(
    "invalid layers/0/bias in weights.npz: element 1 is NaN (give finite numbers)",
  );
  expect(match({ "0.bias": tensor([1, 2, 3, 4], [4], "int32") })).toThrow(/dtype int32/);
  expect(match({ "2.scale": pattern([3], 0) })).toThrow(
    "unknown layers/1/scale in weights.npz: problem mlp has no such parameter",
  );
});

test("takes tensors of other names where their shapes leave no choice, and tells which", () => {
  const { "0.weight": w, "0.bias": b, "2.weight": last, "2.bias": end } = sequential;
  const pairs: string[] = [];
  const tell = (found: readonly MatchedName[]) =>
    pairs.push(...found.map(({ ours, theirs }) => `${ours} ${theirs}`));
  const named = { "out.bias": end, "out.weight": last, "fc1.bias": b, "fc1.weight": w };
  const point = matchModel(problem, named, "file", tell);
  expect(values(point)).toEqual(values(matchModel(problem, sequential)));
  expect(pairs).toEqual([
    "layers/0/bias fc1/bias",
    "layers/0/weight fc1/weight",
    "layers/1/bias out/bias",
    "layers/1/weight out/weight",
  ]);
});

test("orders layers of one shape by their numbers, and refuses where those do not tell", () => {
  const deep = mlp({ train, hidden: [4, 4, 4], dtype: "float64" });
  const { "0.weight": w, "0.bias": b, "2.weight": last, "2.bias": end } = sequential;
  const rest = { "in.weight": w, "head.weight": last, "head.bias": end };
  const square = (start: number) => pattern([4, 4], start);
  const hidden = { "fc10.weight": square(60), "fc2.weight": square(80) };
  const biases = { "fc1.bias": b, "fc2.bias": pattern([4], 1), "fc10.bias": pattern([4], 5) };
  const found = values(matchModel(deep, { ...rest, ...hidden, ...biases }));
  expect(found["layers/1/weight"]?.[0]).toBe(80);
  expect(found["layers/2/weight"]?.[0]).toBe(60);
  expect(found["layers/2/bias"]?.[0]).toBe(5);
  const other = { "encoder.weight": square(60), "decoder.weight": square(80) };
  expect(() => matchModel(deep, { ...rest, ...other, ...biases })).toThrow(
    /^missing layers\/0\/bias in point: it has .*\(accepted are layers\/0\/bias, layers\/0\/weight/,
  );
});

test("leaves aside what wrapped and compiled models add to names", () => {
  for (const prefix of ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]) {
    const wrapped = Object.fromEntries(
      Object.entries(sequential).map(([key, leaf]) => [`${prefix}${key}`, leaf]),
    );
    expect(values(matchModel(problem, wrapped))).toEqual(values(matchModel(problem, sequential)));
  }
});
