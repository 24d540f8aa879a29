import { describe, expect, test } from "vitest";
import { InputError } from "../engine/errors.ts";
import { sgd } from "./parts/outer.ts";
import {
  createMethod,
  describeSettings,
  findMethod,
  methods,
  resolveSettings,
} from "./registry.ts";
import { cosine, parseSchedule, valueAt, warmup } from "../settings/schedules.ts";

const outer = sgd();

describe("findMethod", () => {
  test("finds every method by its name and aliases, in any case", () => {
    expect(methods.length).toBeGreaterThan(20);
    for (const method of methods) {
      for (const name of [method.name, ...method.aliases]) {
        expect(findMethod(name)).toBe(method);
        expect(findMethod(name.toUpperCase())).toBe(method);
      }
    }
  });

  test("names and aliases are unique", () => {
    const names = methods.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
  });

  test("guesses what a misspelling meant", () => {
    const error = new InputError('unknown method "samm" (did you mean "sam"?)');
    expect(() => findMethod("samm")).toThrow(error);
  });
});

describe("createMethod", () => {
  test("takes settings as values and as text", () => {
    expect(createMethod("sam", { rho: 0.1 }, outer).knobs).toEqual({ rho: 0.1 });
    expect(createMethod("sam", { rho: "0.1" }, outer).knobs).toEqual({ rho: 0.1 });
    expect(createMethod("sam", {}, outer).knobs).toEqual({ rho: 0.05 });
  });

  test("takes a schedule where it takes ρ", () => {
    const { knobs } = createMethod("sam", { rho: "power(2, 0.5)" }, outer);
    expect(valueAt(knobs["rho"] as (t: number) => number, 3, 10)).toBe(1);
  });

  test.each([
    [{ roh: 1 }, 'unknown setting "roh" of sam (did you mean "rho"?)'],
    [{ flavor: 1 }, 'unknown setting "flavor" of sam (choose from rho, groups)'],
    [{ rho: -1 }, "invalid rho: -1 (give a number, 0 or more"],
    [{ rho: "" }, "invalid rho:  (give a number, "],
    [{ rho: true }, "invalid rho: true (give a number, 0 or more"],
    [{ rho: "cosine" }, "invalid rho: cosine (give a number, "],
    [{ groups: "bais:1" }, "invalid groups: bais:1 (give a factor per role"],
    [{ groups: "bias" }, "invalid groups: bias (give a factor per role"],
    [{ rho: NaN }, "invalid rho: NaN (give a number, 0 or more"],
  ])("refuses %j", (settings, message) => {
    expect(() => createMethod("sam", settings, outer)).toThrow(message);
    expect(() => createMethod("sam", settings, outer)).toThrow(InputError);
  });

  test("resolves settings to plain JSON with defaults", () => {
    expect(resolveSettings("sam", {})).toEqual({ rho: 0.05, groups: {} });
    expect(resolveSettings("sam", { rho: "cosine(1)", groups: "bias:0,norm:2" })).toEqual({
      rho: "cosine(1)",
      groups: { bias: 0, norm: 2 },
    });
  });
});

describe("methods around another method", () => {
  test("pass on the settings they do not know", () => {
    const { knobs, name } = createMethod("switching", { at: 0.5, of: "asam", rho: 2 }, outer);
    expect(name).toBe("gd to asam");
    expect(knobs["to"]).toEqual({ rho: 2 });
    expect(resolveSettings("switching", { of: "vasso", theta: "0.4" })).toEqual({
      at: 0.1,
      until: 1,
      of: "vasso",
      rho: 0.05,
      theta: 0.4,
      groups: {},
    });
  });

  test("say whose setting is unknown", () => {
    expect(() => createMethod("switching", { of: "vasso", theat: 1 }, outer)).toThrow(
      'unknown setting "theat" of vasso (did you mean "theta"?)',
    );
    expect(() => createMethod("switching", { of: "samm" }, outer)).toThrow('unknown method "samm"');
  });
});

test("every method and every setting says what it is", () => {
  expect(methods.flatMap(describeSettings).length).toBeGreaterThan(20);
  for (const method of methods) {
    expect(method.title, method.name).not.toBe("");
    expect(method.citation, method.name).toMatch(/\d{4}/);
    for (const { name, description, default: fallback } of describeSettings(method)) {
      expect(description, `${method.name} ${name}`).not.toBe("");
      expect(fallback, `${method.name} ${name}`).toBeDefined();
    }
    expect(createMethod(method.name, {}, outer).outer, method.name).toBe(outer);
  }
});

describe("parseSchedule", () => {
  test.each([
    ["0.1", [0.1, 0.1, 0.1]],
    ["power(1, 1)", [1, 1 / 6, 1 / 10]],
    ["linear(1, 0.5)", [1, 0.75, 0.55]],
    ["cosine(2)", [2, 1, 2 * Math.sin(Math.PI / 20) ** 2]],
    ["stepwise(1, 0.5)", [1, 0.5, 0.25]],
  ])("reads %s", (text, values) => {
    const schedule = parseSchedule(text);
    [0, 5, 9].forEach((t, i) => expect(valueAt(schedule, t, 10)).toBeCloseTo(values[i] ?? NaN, 14));
  });

  test.each(["cosine", "cosine()", "cosine(1, 2, 3)", "cosine(a)", "", "1,2"])(
    "refuses %j",
    (text) => {
      expect(() => parseSchedule(text)).toThrow(/^invalid schedule/);
    },
  );

  test("warm-up is a straight line, then the whole of its schedule over the rest", () => {
    const schedule = warmup({ share: 0.4, after: cosine({ initial: 2 }) });
    const values = Array.from({ length: 10 }, (_, t) => valueAt(schedule, t, 10));
    const half = [0, 1, 2, 3, 4, 5].map((t) => 1 + Math.cos((Math.PI * t) / 6));
    [0.5, 1, 1.5, 2, ...half].forEach((value, t) => expect(values[t]).toBeCloseTo(value, 14));
    expect(valueAt(warmup({ share: 0, after: 3 }), 0, 10)).toBe(3);
  });

  test("guesses a misspelt name", () => {
    expect(() => parseSchedule("cosin(1)")).toThrow(
      'unknown schedule "cosin" (did you mean "cosine"?)',
    );
  });
});
