import { expect, test } from "vitest";
import { leavesWithPaths, sizeOf, tensor } from "../../engine/tensor.ts";
import { cnn } from "./cnn.ts";
import { resnet, resnetEntry } from "./resnet.ts";

const images = (shape: readonly number[]) => ({
  size: 2,
  batch: {
    x: tensor(Array<number>(2 * sizeOf(shape)).fill(0.5), [2, ...shape], "float32"),
    y: tensor([0, 1], [2], "int32"),
  },
});
const train = images([3, 32, 32]);

test.each([
  // As they are published: 0.27 M (He et al. 2016, table 6; here with weights in the shortcuts), 11.17 M.
  [20, 16, 10, 272_474],
  [18, 64, 10, 11_173_962],
])("depth %d, width %d, %d classes has %d parameters", (depth, width, classes, count) => {
  const problem = resnet({ train, depth, width, classes });
  const leaves = leavesWithPaths(problem.init(0));
  const found = leaves.reduce((sum, [, { data }]) => sum + data.length, 0);
  expect(found).toBe(count);
  const estimate = resnetEntry.memory?.(
    { depth, width, norm: "batch" },
    {
      count: 2,
      inputs: 3 * 32 * 32,
      classes,
    },
  );
  expect(Math.abs((estimate?.parameters ?? 0) / count - 1)).toBeLessThan(0.1);
});

test("parameters have the roles of their layers", () => {
  const problem = resnet({ train, width: 2 });
  const byRole = Map.groupBy(leavesWithPaths(problem.init(0)), ([path]) => problem.role(path));
  const paths = (of: "weight" | "bias" | "norm") => byRole.get(of)?.map(([path]) => path);
  expect(byRole.size).toBe(3);
  expect(paths("bias")).toEqual(["linear/bias"]);
  expect(paths("norm")).toContain("layer2/0/shortcut/1/weight");
  expect(paths("weight")).toContain("layer2/0/shortcut/0/weight");
  expect(paths("norm")?.length).toBe(2 * (1 + 3 * 2 + 2));

  const plain = cnn({ train, channels: [2, 3], norm: "group" });
  const roles = leavesWithPaths(plain.init(0)).map(([path]) => [path, plain.role(path)]);
  expect(roles).toEqual([
    ["layers/0/weight", "weight"],
    ["layers/1/bias", "norm"],
    ["layers/1/weight", "norm"],
    ["layers/2/weight", "weight"],
    ["layers/3/bias", "norm"],
    ["layers/3/weight", "norm"],
    ["layers/4/bias", "bias"],
    ["layers/4/weight", "weight"],
  ]);
});

test("what no network can be made of is refused", () => {
  expect(() => resnet({ train, depth: 10 })).toThrow(
    "invalid depth: 10 (give 8, 14, 20, … 6n + 2, or 18)",
  );
  expect(() => resnet({ train, width: 1.5 })).toThrow(
    "invalid width: 1.5 (give a whole number, 1 or more)",
  );
  expect(() => resnet({ train, norm: "bath" as "batch" })).toThrow(
    'unknown norm "bath" (did you mean "batch"?)',
  );
  expect(() => resnet({ train: images([5]) })).toThrow(
    "invalid train/x: float[2, 5] (give images, float[2, channels, height, width])",
  );
  expect(() => cnn({ train, channels: [] })).toThrow(
    "invalid channels: none (give numbers of 1 or more, such as 16,32)",
  );
  expect(() => cnn({ train, channels: [4, 0] })).toThrow(/^invalid channels: 0/);
});
