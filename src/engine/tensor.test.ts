/** Host tensors and trees: sizes that are refused, types that are kept, the order of leaves. */
import { expect, test } from "vitest";
import {
  castFloat,
  isTensorType,
  leavesOf,
  leavesWithPaths,
  mapTree,
  printType,
  sameTypes,
  scalarTensor,
  sizeOf,
  tensor,
  typesOf,
  unflattenLike,
  wrap,
  zeros,
  type DType,
  type Tensor,
  type TensorType,
  type Tree,
} from "./tensor.ts";

const stored: readonly (readonly [DType, object])[] = [
  ["float32", Float32Array.of(1, 2)],
  ["float64", Float64Array.of(1, 2)],
  ["int32", Int32Array.of(1, 2)],
  ["uint32", Uint32Array.of(1, 2)],
  ["uint8", Uint8Array.of(1, 2)],
  ["bool", Uint8Array.of(1, 2)],
];

test.each(stored)("elements of %s are kept as their type asks", (dtype, data) => {
  expect(tensor([1, 2], [2], dtype)).toEqual({ dtype, shape: [2], data });
  expect(zeros([2, 0, 3], dtype).data.constructor).toBe(data.constructor);
  expect(scalarTensor(1, dtype)).toEqual(tensor([1], [], dtype));
});

test("a tensor owns its numbers and its shape; a wrapped one owns its shape", () => {
  const numbers = Float32Array.of(1, 2);
  const shape = [2];
  const [copied, wrapped] = [tensor(numbers, shape, "float32"), wrap(numbers, shape, "float32")];
  numbers[0] = 7;
  shape[0] = 9;
  expect([copied.data[0], wrapped.data[0]]).toEqual([1, 7]);
  expect([copied.shape, wrapped.shape]).toEqual([[2], [2]]);
});

test.each<[make: () => unknown, message: string]>([
  [() => tensor([1, 2], [3, 1], "float32"), "invalid tensor: 2 values do not fill shape [3, 1]"],
  [() => tensor([], [], "float32"), "invalid tensor: 0 values do not fill shape []"],
  [() => wrap(Float32Array.of(1), [1], "float64"), "invalid tensor: data do not fit float64[1]"],
  [
    () => wrap(Float32Array.of(1, 2), [1, 3], "float32"),
    "invalid tensor: data do not fit float32[1, 3]",
  ],
])("refuses %s", (make, message) => {
  expect(make).toThrow(new TypeError(message));
});

test("only floating-point tensors change their precision", () => {
  const [wide, narrow] = [tensor([0.1, 2], [2], "float64"), tensor([0.1, 2], [2], "float32")];
  expect(castFloat(wide, "float32")).toEqual(narrow);
  expect(castFloat(narrow, "float64").data).toEqual(Float64Array.from(narrow.data));
  expect(castFloat(wide, "float64")).toBe(wide);
  for (const dtype of ["int32", "uint32", "uint8", "bool"] as const) {
    const whole = zeros([2], dtype);
    expect(castFloat(whole, "float64")).toBe(whole);
  }
});

test.each<[node: unknown, is: boolean]>([
  [scalarTensor(1, "int32"), true],
  [{ dtype: "float32", shape: [] }, true],
  // A group may have a member of any name.
  [{ dtype: scalarTensor(1, "int32"), shape: scalarTensor(1, "int32") }, false],
  [{ dtype: "float32" }, false],
  [{ shape: [] }, false],
  [null, false],
  [undefined, false],
  ["dtype shape", false],
])("whether %j is a leaf: %s", (node, is) => {
  expect(isTensorType(node)).toBe(is);
});

const type = (...shape: number[]): TensorType => ({ dtype: "float32", shape });
const tree: Tree<TensorType> = { b: [type(1), { z: type(2), a: type(3) }], B: type(4), a: type(5) };

test("leaves come with keys sorted, lists in order, and go back to their places", () => {
  const leaves = leavesWithPaths(tree);
  expect(leaves.map(([path, { shape }]) => [path, ...shape])).toEqual([
    ["B", 4],
    ["a", 5],
    ["b/0", 1],
    ["b/1/a", 3],
    ["b/1/z", 2],
  ]);
  expect(leavesWithPaths(tree, "net").map(([path]) => path)[4]).toBe("net/b/1/z");
  expect(leavesWithPaths(type(1), "x")).toEqual([["x", type(1)]]);
  expect(leavesOf(tree)).toEqual(leaves.map(([, leaf]) => leaf));
  expect(mapTree(tree, (_, path) => path)).toEqual({
    B: "B",
    a: "a",
    b: ["b/0", { a: "b/1/a", z: "b/1/z" }],
  });
  expect(unflattenLike(tree, leavesOf(tree))).toEqual(tree);
  for (const count of [4, 6]) {
    expect(() => unflattenLike(tree, Array<number>(count).fill(0))).toThrow(
      new TypeError(`invalid tree: ${count} leaves for 5 places`),
    );
  }
});

test.each<[a: Tree<TensorType>, b: Tree<TensorType>, same: boolean]>([
  [{ a: type(1), b: type(2, 3) }, { b: type(2, 3), a: type(1) }, true],
  [{ a: type(1) }, { a: type(1), b: type(1) }, false],
  [{ a: type(1), b: type(1) }, { a: type(1) }, false],
  [{ a: type(1) }, { b: type(1) }, false],
  [{ a: type(1) }, { a: type(1, 1) }, false],
  [{ a: type(1) }, { a: { dtype: "float64", shape: [1] } }, false],
  [{ a: type(1), b: type(1) }, { a: type(1), b: type(2) }, false],
  [[], {}, true],
])("whether %j and %j are alike: %s", (a, b, same) => {
  expect(sameTypes(a, b)).toBe(same);
});

test("a type is a tensor without its numbers, in words too", () => {
  const some: Tensor = zeros([3, 2], "int32");
  expect(typesOf({ some })).toEqual({ some: { dtype: "int32", shape: [3, 2] } });
  expect([some, type(), type(7)].map(printType)).toEqual([
    "int32[3, 2]",
    "float32[]",
    "float32[7]",
  ]);
  expect([[], [4], [2, 3, 4], [5, 0]].map(sizeOf)).toEqual([1, 4, 24, 0]);
});
