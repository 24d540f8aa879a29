import { describe, expect, test } from "vitest";
import { imageSplits, type LabeledImages } from "./datasets/images.ts";
import { karate } from "./datasets/graphs.ts";
import { modular } from "./datasets/modular.ts";
import { datasets, findDataset } from "./datasets/registry.ts";
import { describeProblem, findProblem, problemOptions, problems } from "./registry.ts";

const images: LabeledImages = {
  pixels: Uint8Array.from({ length: 48 }, (_, i) => 5 * i),
  labels: Uint8Array.of(0, 1, 2),
  count: 3,
  height: 4,
  width: 4,
};
const constants = { mean: 0.5, deviation: 0.3 };
const samples = {
  images: imageSplits({ name: "own", classes: 4, train: images, test: images, ...constants }),
  tokens: modular({ p: 3 }),
  graph: karate(),
  none: undefined,
  file: undefined,
};

test("names are unique, aliases included", () => {
  const names = [...problems, ...datasets].map(({ name }) => name);
  const all = [...names, ...problems.flatMap(({ aliases = [] }) => aliases)];
  expect(new Set(all).size).toBe(all.length);
  expect(all.length).toBeGreaterThan(10);
});

test("names that are not listed are unknown", () => {
  expect(() => findProblem("regresion")).toThrow(
    'unknown problem "regresion" (did you mean "regression"?)',
  );
  expect(() => findDataset("minst")).toThrow('unknown data "minst" (did you mean "mnist"?)');
});

for (const entry of problems) {
  describe(entry.name, () => {
    test("says what it is in a sentence, and what each option is", () => {
      expect(describeProblem(entry)).toMatch(/^[A-Z].*\.$/);
      for (const { description } of problemOptions(entry)) expect(description).not.toBe("");
    });

    test("is made from its defaults, in both precisions", () => {
      for (const dtype of ["float32", "float64"] as const) {
        // Patches of a transformer divide the images, which are small here.
        const options = entry.options.parse(entry.name === "vit" ? { patch: 2 } : {});
        const problem = entry.create({ ...options, dtype }, samples[entry.data]);
        expect(problem).toMatchObject({ name: entry.name, dtype });
        expect(problem.plane !== undefined).toBe(entry.kind === "plane");
        expect(entry.describe(options)).toMatch(/./);
      }
    });
  });
}

test("data are named where they are needed", () => {
  expect(describeProblem(findProblem("mlp"))).toMatch(
    /, on --data digits, mnist, cifar10 or cifar100\.$/,
  );
  expect(describeProblem(findProblem("gpt"))).toMatch(/, on --data modular or text\.$/);
  expect(describeProblem(findProblem("regression"))).not.toContain("--data");
});
