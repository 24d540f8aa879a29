import { expect, test } from "vitest";
import { nearest, unknownName } from "./errors.ts";

const methods = ["gd", "sam", "asam", "fisher-sam", "switching"];

test.each([
  ["samm", "sam"],
  ["SAM", "sam"],
  ["assm", "asam"],
  ["fishersam", "fisher-sam"],
  ["fihser-sma", "fisher-sam"],
  ["swiching", "switching"],
  ["sgd", "gd"],
  ["adamw", undefined],
  ["", undefined],
])("nearest of %j is %j", (name, expected) => {
  expect(nearest(name, methods)).toBe(expected);
});

test("an unknown name comes with a guess, or with the list", () => {
  expect(unknownName("method", "samm", methods).message).toBe(
    'unknown method "samm" (did you mean "sam"?)',
  );
  expect(unknownName("plane", "xyz", ["ridge", "cosine"]).message).toBe(
    'unknown plane "xyz" (choose from ridge, cosine)',
  );
});
