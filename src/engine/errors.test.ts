import { expect, test } from "vitest";
import {
  checkNames,
  excerpt,
  InputError,
  MachineError,
  nearest,
  printable,
  reasonOf,
  show,
  unknownName,
} from "./errors.ts";

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
  // A third of the letters may be wrong, and of few letters one.
  ["g", "gd"],
  ["dg", "gd"],
  ["xy", undefined],
  ["swi", undefined],
  ["swixxhing", "switching"],
  ["swxxxhing", "switching"],
  ["sxxxxhing", undefined],
  ["fisher-sam".padEnd(81, "-"), undefined],
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

/** A list in a list, so often. */
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
const circle: Record<string, unknown> = {};
circle["self"] = circle;

test.each<[value: unknown, shown: string]>([
  ["text", "text"],
  [-0.5, "-0.5"],
  [null, "null"],
  [undefined, "undefined"],
  [7n, "7"],
  [[1, "a", [true, null]], "1,a,true,null"],
  [{ a: [1, "b"] }, '{"a":[1,"b"]}'],
  [{ toString: 1 }, '{"toString":1}'],
  [{ toJSON: () => undefined }, ""],
  [circle, "an object"],
  [{ big: 7n }, "an object"],
  [() => 1, "a function"],
  [nested(8), "1"],
  [nested(9), "…"],
  ["x".repeat(80), "x".repeat(80)],
  ["x".repeat(81), `${"x".repeat(79)}…`],
  [Array<number>(1000).fill(1), `${"1,".repeat(39)}1…`],
  ["a\nb", "a\\u000ab"],
  [{ a: "\u001b[31m" }, '{"a":"\\u001b[31m"}'],
])("what a message shows of value %#", (value, shown) => {
  expect(show(value)).toBe(shown);
  if (typeof value === "string") expect(excerpt(value)).toBe(shown);
});

test("a message looks at 80 entries of a list, however long it is", () => {
  let seen = 0;
  const entry = {
    toJSON() {
      seen++;
      return 0;
    },
  };
  show(Array.from({ length: 10_000 }, () => entry));
  expect(seen).toBe(80);
});

/** First and last of each range of characters that steer a terminal, and their neighbors. */
test.each([
  [0x00, true],
  [0x1f, true],
  [0x20, false],
  [0x7e, false],
  [0x7f, true],
  [0x9f, true],
  [0xa0, false],
  [0x2027, false],
  [0x2028, true],
  [0x2029, true],
  [0x202a, true],
  [0x202e, true],
  [0x202f, false],
  [0x2065, false],
  [0x2066, true],
  [0x2069, true],
  [0x206a, false],
])("character %# is spelled out where it steers a terminal", (code, steers) => {
  const character = String.fromCharCode(code);
  const spelled = `\\u${code.toString(16).padStart(4, "0")}`;
  const shown = `${steers ? spelled : character}x${steers ? spelled : character}`;
  expect(printable(`${character}x${character}`)).toBe(shown);
  for (const Class of [InputError, MachineError]) {
    const cause = new Error("why");
    const error = new Class(`${character}x${character}`, { cause });
    expect([error.message, error.cause, error.name]).toEqual([shown, cause, Class.name]);
  }
});

test.each<[thrown: unknown, reason: string]>([
  [new Error("one\ntwo"), "one"],
  [new Error(""), ""],
  ["words", "words"],
  [{ a: 1 }, '{"a":1}'],
  [new AggregateError([new Error("first"), new Error("second")], "all"), "first"],
  [new AggregateError([], "none of them"), "none of them"],
])("the reason of fault %#", (thrown, reason) => {
  expect(reasonOf(thrown)).toBe(reason);
});

test("names that are not in a list are refused, and what has no names", () => {
  const check = (given: unknown) => () => checkNames("option", given, ["rho", "steps"]);
  expect(check({ rho: 1, steps: 2 })).not.toThrow();
  expect(check({})).not.toThrow();
  expect(check({ rho: 1, step: 2, x: 3 })).toThrow(
    new InputError('unknown option "step" (did you mean "steps"?)'),
  );
  for (const [given, shown] of [
    [null, "null"],
    ["rho", "rho"],
    [undefined, "undefined"],
  ]) {
    expect(check(given)).toThrow(
      new InputError(`invalid options: ${shown} (give rho, steps by name)`),
    );
  }
});
