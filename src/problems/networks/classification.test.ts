import { numpy as np } from "@jax-js/jax";
import { expect, test } from "vitest";
import { autodiff } from "../../../test/autodiff.ts";
import { tensor } from "../../engine/tensor.ts";
import { isRight, labelEntropy } from "./classification.ts";

// The module chooses jax-js's device as it is loaded.
void autodiff;

const cases: [why: string, logits: number[], label: number, hit: 0 | 1][] = [
  ["the largest is the label's", [0.1, 0.7, 0.2], 1, 1],
  ["another is larger", [0.1, 0.7, 0.8], 1, 0],
  ["all are negative", [-3, -1, -2], 1, 1],
  ["of equals the first counts", [0.5, 0.5, 0.1], 0, 1],
  ["of equals the later does not", [0.5, 0.5, 0.1], 1, 0],
  ["infinity is a number", [Infinity, 1, 2], 0, 1],
  ["against infinity", [Infinity, 1, 2], 2, 0],
  ["the label's is not a number", [1, NaN, 2], 1, 0],
  ["another is not a number", [1, 3, NaN], 1, 0],
  ["none is a number", [NaN, NaN, NaN], 0, 0],
];

test.each(["float32", "float64"] as const)(
  "right is what a loop finds right, in %s",
  async (dtype) => {
    expect(cases.length).toBe(10);
    const logits = np.array(
      cases.map(([, row]) => row),
      { dtype: np[dtype] },
    );
    const labels = np.array(
      cases.map(([, , label]) => label),
      { dtype: np.int32 },
    );
    const found = isRight(logits, labels);
    expect(found.dtype).toBe(dtype);
    expect([...(await found.data())]).toEqual(cases.map(([, , , hit]) => hit));
  },
);

test("the best constant answer has the entropy of the classes for its loss", () => {
  const entropy = (...labels: number[]) => labelEntropy(tensor(labels, [labels.length], "int32"));
  expect(entropy(0, 1, 2, 3)).toBeCloseTo(Math.log(4), 12);
  expect(entropy(7, 7, 7)).toBe(0);
  // ¾ and ¼: ln 4 − ¾ ln 3.
  expect(entropy(1, 0, 1, 1)).toBeCloseTo(Math.log(4) - 0.75 * Math.log(3), 12);
});
