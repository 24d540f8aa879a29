import { describe, expect, test } from "vitest";
import { InputError } from "../engine/errors.ts";
import { number, schedule } from "../settings/fields.ts";
import * as family from "./index.ts";
import { findMethod, type MethodEntry } from "./registry.ts";

const { sam, sgd } = family;

/** Functions as plain JavaScript sees them. */
type AnyOptions = (options?: unknown) => unknown;
const functions = family as unknown as { readonly [name: string]: AnyOptions };

describe("options given in code are refused in the command line's words", () => {
  test.each<[string, unknown, string]>([
    ["sam", { roh: 0.1 }, 'unknown setting "roh" of sam (did you mean "rho"?)'],
    ["sam", { outr: 0.1 }, 'unknown setting "outr" of sam (did you mean "outer"?)'],
    ["gsam", { flavor: 1 }, 'unknown setting "flavor" of gsam (choose from rho, alpha, minimize, '],
    ["sam", { rho: -1 }, "invalid rho: -1 (give a number, 0 or more"],
    ["sam", { rho: NaN }, "invalid rho: NaN (give a number, 0 or more"],
    ["sam", { rho: Infinity }, "invalid rho: Infinity (give a number, 0 or more"],
    ["sam", { rho: "far" }, "invalid rho: far (give a number, power("],
    ["sam", { rho: null }, "invalid rho: null (give a number, 0 or more"],
    ["sam", { rho: [1] }, "invalid rho: [1] (give a number, 0 or more"],
    ["sam", { groups: { bais: 1 } }, 'invalid groups: {"bais":1} (give a factor per role'],
    ["sam", { outer: 0.1 }, "invalid outer of sam (give an optimizer, such as sgd())"],
    ["sam", 0.1, "invalid options of sam: 0.1 (give them by name"],
    ["sam", null, "invalid options of sam: null (give them by name"],
    ["gsam", { alpha: () => 1 }, "invalid alpha: a function (give a number, 0 or more)"],
    ["gsam", { minimize: "both" }, "invalid minimize: both (give perturbed, plain)"],
    ["gradientDescent", { rho: 1 }, 'unknown setting "rho" of gd (choose from outer)'],
    ["guarded", {}, "missing method of guarded (give a method, such as sam("],
    ["guarded", { method: "sam" }, "invalid method of guarded (give a method, such as sam("],
    ["guarded", { method: sam(), every: 0 }, "invalid every: 0 (give a whole number, 1 or more)"],
    ["switching", { to: sam() }, "missing from of switching (give a method, such as sam("],
    ["switching", { to: sam(), when: { resum: 1 } }, 'unknown setting "resum" of auto-switching'],
    ["sgd", { learningRate: -1 }, "invalid learningRate: -1 (give a number, 0 or more"],
    ["sgd", { learningRate: "fast" }, "invalid learningRate: fast (give a number, power("],
    ["sgd", { momentum: 1 }, "invalid momentum: 1 (give a number, 0 or more, below 1)"],
    ["sgd", { nesterov: true }, "invalid nesterov: momentum is 0 (give a momentum, such as 0.9)"],
    ["sgd", { lr: 0.1 }, 'unknown setting "lr" of sgd (choose from learningRate, momentum, '],
    ["adamW", { b2: 1 }, "invalid b2: 1 (give a number, 0 or more, below 1)"],
    ["adamW", { weightDecay: -1 }, "invalid weightDecay: -1 (give a number, 0 or more)"],
    ["clipped", { outer: sgd() }, "missing maxNorm of clipped (give a number, 0 or more"],
    ["clipped", { maxNorm: -1, outer: sgd() }, "invalid maxNorm: -1 (give a number, 0 or more"],
    ["clipped", { maxNorm: 1 }, "missing outer of clipped (give an optimizer, such as sgd())"],
    ["clipped", { maxNorm: 1, outer: sam() }, "invalid outer of clipped (give an optimizer"],
  ])("%s(%j)", (name, options, message) => {
    const make = () => functions[name]?.(options);
    expect(make).toThrow(message);
    expect(make).toThrow(InputError);
  });
});

test("schedules are numbers, functions of the step, or text", () => {
  const halving = (t: number) => 2 ** -t;
  expect(sam({ rho: 0.3 }).knobs["rho"]).toBe(0.3);
  expect(sam({ rho: halving }).knobs["rho"]).toBe(halving);
  expect(sgd({ learningRate: halving }).knobs["learningRate"]).toBe(halving);
  const text = functions["sam"]?.({ rho: "linear(1, 0)" }) as ReturnType<typeof sam>;
  expect((text.knobs["rho"] as (t: number, steps: number) => number)(1, 4)).toBe(0.75);
});

test("what is left out, or undefined, has the default of the field", () => {
  expect(sam().knobs).toEqual({ rho: 0.05 });
  expect(sam({ rho: undefined, outer: undefined }).knobs).toEqual({ rho: 0.05 });
  expect(sam().outer.knobs).toEqual({ learningRate: 0.01 });
});

test("every function of the family that makes a listed method is the list's", () => {
  const defined = Object.values(family).filter((value) => "entry" in Object(value));
  expect(defined.length).toBeGreaterThan(20);
  for (const { entry } of defined as { readonly entry: MethodEntry }[]) {
    expect(findMethod(entry.name)).toBe(entry);
  }
});

test("a definition of one's own gives a function and an entry", () => {
  const twice = family.defineMethod<family.SamOptions & { readonly factor?: number }>({
    ...sam.entry,
    name: "twice-sam",
    options: { ...groupsOnly, rho: schedule(0.1, "ρ"), factor: number(2, "of ρ", { min: 0 }) },
    build: ({ rho, factor, outer }) =>
      family.ascending({
        name: "twice-sam",
        ascent: family.normalized({ rho: typeof rho === "number" ? factor * rho : rho }),
        outer,
      }),
  });
  expect(twice({ factor: 3 }).knobs["rho"]).toBeCloseTo(0.3, 15);
  const made = twice.entry.create({ rho: "0.5", factor: 2, groups: {} }, sgd());
  expect(made.knobs["rho"]).toBe(1);
  expect(() => twice({ factor: -1 })).toThrow("invalid factor: -1 (give a number, 0 or more)");
});

const groupsOnly = { groups: family.groups() };

test("a wrapper created by name needs the method it wraps", () => {
  const { entry } = family.guarded;
  expect(() => entry.create({}, sgd())).toThrow("missing method of guarded (give a method");
});
