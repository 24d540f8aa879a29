/** Radii of runs: as numbers, beside the start, and in words. */
import { describe, expect, test } from "vitest";
import { tensor } from "../engine/tensor.ts";
import { firstRho, lastRho, radiusWords, relativeRho, relativeWords } from "./radius.ts";

/** ‖x₀‖ = 5 over two tensors. */
const start = { a: tensor([3, 0], [2], "float64"), b: tensor([4], [1], "float32") };

const cases = [
  { rho: 2, first: 2, last: 2, relative: 0.4 },
  { rho: "2", first: 2, last: 2, relative: 0.4 },
  { rho: "linear(0.5, 0)", first: 0.5, last: 0.05, relative: 0.1 },
  { rho: "linear(0, 0.5)", first: 0, last: 0.45, relative: 0.09 },
  { rho: 0, first: 0, last: 0, relative: null },
  { rho: undefined, first: 0, last: 0, relative: null },
];

describe("the radius of a run", () => {
  test.each(cases)("$rho begins at $first, ends at $last, and is $relative of ‖x₀‖", (c) => {
    expect(firstRho(c.rho)).toBe(c.first);
    expect(lastRho(c.rho, 10)).toBeCloseTo(c.last, 12);
    const relative = relativeRho(c.rho, 10, start);
    if (c.relative === null) expect(relative).toBeNull();
    else expect(relative).toBeCloseTo(c.relative, 12);
  });

  test("is beside nothing where the parameters start at 0", () => {
    expect(relativeRho(1, 10, { a: tensor([0, 0], [2], "float64") })).toBeNull();
  });

  test("is said with what it is beside the start, where that is known", () => {
    expect(radiusWords(2, [0.2712])).toBe("ρ = 2 (0.27 ‖x₀‖)");
    expect(radiusWords("linear(0.5, 0)", [null])).toBe("ρ = linear(0.5, 0)");
    expect(relativeWords([0.284, undefined, 0.261])).toBe("0.26–0.28 ‖x₀‖");
    expect(relativeWords([0.2712, 0.2709])).toBe("0.27 ‖x₀‖");
    expect(relativeWords([undefined])).toBe("");
  });
});
