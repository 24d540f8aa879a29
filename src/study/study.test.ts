import { describe, expect, test } from "vitest";
import { describeCoordinates, expandStudy, parseStudy, type StudyFile } from "./study.ts";

const small: StudyFile = { name: "small", fixed: { problem: "cosine" }, steps: 10 };
const expand = (file: unknown, preset?: string) => expandStudy(parseStudy(file, preset));

describe("a study expands", () => {
  test("to the product of its axes, seed by seed, the last axis fastest", async () => {
    const axes = { rho: [1, 2], remedy: { none: {}, switch: { switch: 0.1 } } };
    const cells = await expand({ ...small, axes, seeds: [7, 3] });
    expect(cells.map(({ at }) => Object.values(at).join(" "))).toEqual([
      "1 none 7",
      "1 switch 7",
      "2 none 7",
      "2 switch 7",
      "1 none 3",
      "1 switch 3",
      "2 none 3",
      "2 switch 3",
    ]);
    expect(cells[3]?.spec).toMatchObject({ problem: "cosine", rho: 2, switch: 0.1, seed: 7 });
    expect(cells[2]?.spec).not.toHaveProperty("switch");
  });

  test("to the same ids however it is written", async () => {
    const a = await expand({ ...small, axes: { rho: [1, "2"] } });
    const b = await expand({
      steps: 10,
      name: "other",
      axes: { rho: ["1", 2], method: ["SAM"] },
      fixed: { problem: "cosine", method: "sam", lr: "0.1" },
    });
    expect(b.map(({ id }) => id)).toEqual(a.map(({ id }) => id));
    // A change to the canonical form would orphan the rows of every stored study.
    expect(a[0]?.id).toMatch(/^[0-9a-f]{16}$/);
    expect(a[0]?.id).not.toBe(a[1]?.id);
  });

  test("settings of a method are axes too, and null leaves a field out", async () => {
    const cells = await expand({
      ...small,
      fixed: { problem: "cosine", method: "asam", settings: { eta: 0.5 } },
      axes: { "settings.eta": [0.1, 0.2], switch: [null, 0.5] },
    });
    expect(cells.map(({ spec }) => [spec.settings["eta"], spec.switch])).toEqual([
      [0.1, undefined],
      [0.1, 0.5],
      [0.2, undefined],
      [0.2, 0.5],
    ]);
  });

  test("to the same seeds at every coordinate, or to seeds that follow named axes", async () => {
    const axes = { rho: [1, 2], lr: [0.1, 0.2] };
    const seedsBy = async (seeds: StudyFile["seeds"]) =>
      (await expand({ ...small, axes, ...(seeds && { seeds }) })).map(({ spec }) => spec.seed);
    expect(await seedsBy(2)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    const [a, b, c, d, ...second] = await seedsBy({ count: 2, by: ["rho"] });
    expect([b, d]).toEqual([a, c]);
    expect(new Set([a, c, ...second]).size).toBe(4);
    expect(await seedsBy({ count: 2, by: ["rho"] })).toEqual([a, b, c, d, ...second]);
    expect((await seedsBy({ count: 2, by: ["rho"], base: 1 }))[0]).not.toBe(a);
  });

  test("to coordinates in which values are as they were written, and the seed comes last", async () => {
    const [cell] = await expand({ ...small, axes: { rho: ["1"], bundle: { a: { lr: 0.5 } } } });
    expect(Object.entries(cell?.at ?? {})).toEqual([
      ["rho", "1"],
      ["bundle", "a"],
      ["seed", 0],
    ]);
    expect(cell?.spec).toMatchObject({ rho: 1, lr: 0.5, seed: 0 });
  });

  test("to settings that are merged one by one, the last axis over those before and over fixed", async () => {
    const cells = await expand({
      ...small,
      fixed: { problem: "cosine", method: "asam", settings: { eta: 0.5 } },
      axes: {
        bundle: { one: { settings: { eta: 0.3 }, rho: 2 }, none: {} },
        other: { two: { settings: { eta: 0.1 } }, none: { lr: "0.5" } },
      },
    });
    const settings = cells.map(({ at, spec }) => [at["bundle"], at["other"], spec.settings["eta"]]);
    expect(settings).toEqual([
      ["one", "two", 0.1],
      ["one", "none", 0.3],
      ["none", "two", 0.1],
      ["none", "none", 0.5],
    ]);
  });

  test("to seeds that differ from one repetition and from one named coordinate to the next", async () => {
    const axes = { rho: [1, 2], lr: [0.1, 0.2] };
    const seeds = { count: 3, by: ["lr", "rho"] };
    const drawn = (await expand({ ...small, axes, seeds })).map(({ spec }) => spec.seed);
    expect(new Set(drawn).size).toBe(12);
    // The order of the names is no part of it; more repetitions leave those before as they are.
    const more = { count: 4, by: ["rho", "lr"], base: 0 };
    const again = (await expand({ ...small, axes, seeds: more })).map(({ spec }) => spec.seed);
    expect(again.slice(0, 12)).toEqual(drawn);
    const same = (await expand({ ...small, axes, seeds: { count: 2, by: [] } })).map(
      ({ spec }) => spec.seed,
    );
    expect([new Set(same.slice(0, 4)).size, new Set(same).size]).toEqual([1, 2]);
    expect(Math.max(...drawn)).toBeGreaterThan(2 ** 16);
  });

  test("under a preset, whose fields and axes come one by one", async () => {
    const file = {
      ...small,
      axes: { rho: [1, 2], lr: [0.1] },
      presets: { quick: { axes: { rho: [3] }, steps: 5 }, slow: { fixed: { lr: 0.5 } } },
    };
    const study = parseStudy(file, "quick");
    expect(study).toMatchObject({ name: "small-quick", axes: { rho: [3], lr: [0.1] } });
    expect((await expandStudy(study))[0]?.spec).toMatchObject({ rho: 3, steps: 5 });
    expect(parseStudy(file, "slow")).toMatchObject({ axes: file.axes, fixed: { lr: 0.5 } });
  });

  test("under a preset, which decides where both say something, and leaves the rest", () => {
    const asked = {
      description: "why?",
      fixed: { problem: "cosine", lr: 0.1 },
      seeds: 2,
      record: 8,
      keep: true,
      certify: true,
    };
    const over = { fixed: { lr: 0.2 }, seeds: [5], record: 4, keep: false, certify: false };
    const file = { name: "a", ...asked, presets: { over, none: {} } };
    expect(parseStudy(file, "none")).toEqual({ name: "a-none", axes: {}, ...asked });
    expect(parseStudy(file, "over")).toEqual({
      name: "a-over",
      description: "why?",
      axes: {},
      ...over,
      fixed: { problem: "cosine", lr: 0.2 },
    });
  });
});

const count = "give a count, a list, or { count, by }";

/** `seeds.count` of 0 is `{ seeds: { count: 0, by: [] } }`. */
const entryOf = (path: string, value: unknown): object => {
  const [entry = "", part] = path.split(".");
  if (part === undefined) return { [entry]: value };
  if (part === "0") return { [entry]: [value] };
  return { [entry]: { ...(entry === "seeds" && { count: 1, by: [] }), [part]: value } };
};

test.each<[string, unknown, string | undefined, string]>([
  [
    "no object",
    [],
    undefined,
    "invalid study: not an object (give name, fixed, axes, seeds, steps)",
  ],
  ["no name", {}, undefined, "missing name (give a name of letters, digits, dots and dashes)"],
  [
    "a bad name",
    { name: "../x" },
    undefined,
    "invalid name: give a name of letters, digits, dots and dashes",
  ],
  ...["", "-a", ".a", "a b", "a/b", "a_b", "é", "a\n", 5, null, [], {}].map(
    (name): [string, unknown, undefined, string] => [
      `the name ${JSON.stringify(name)}`,
      { ...small, name },
      undefined,
      "invalid name: give a name of letters, digits, dots and dashes",
    ],
  ),
  ...[null, undefined, "x", 5].map((file): [string, unknown, undefined, string] => [
    `a study that is ${JSON.stringify(file)}`,
    file,
    undefined,
    "invalid study: not an object (give name, fixed, axes, seeds, steps)",
  ]),
  ...(
    [
      [["steps", "record"], [0, -1, 1.5, "5", null, NaN, []], "give a whole number, 1 or more"],
      [["keep", "certify"], [0, 1, "true", null], "give true or false"],
      [["fixed"], [1, "x", [], null], "give fields by name, such as rho"],
      [["axes"], [1, "x", [], null], "give lists of values, such as { rho: [1, 2] }"],
      [["axes.rho"], ["x", null, { a: 1 }], "give lists of values, such as { rho: [1, 2] }"],
      [["axes.rho"], [[]], "give one value or more"],
      [["seeds"], ["3", 1.5, {}, { count: 1 }, { by: [] }, null, [0.5], ["1"]], count],
      [["seeds.count"], [0.5, "1"], count],
      [["seeds"], [0, -1], "give a whole number, 1 or more"],
      [["seeds"], [[]], "give one seed or more"],
      [["seeds.0"], [-1, 2 ** 32], "give whole numbers from 0 to 4294967295"],
      [["seeds.count"], [0], "give a whole number, 1 or more"],
      [["seeds.base"], [-1, 2 ** 32], "give whole numbers from 0 to 4294967295"],
      [["seeds.bases"], [1], "give count, by and base, and nothing else"],
    ] as const
  ).flatMap(([entries, values, words]) =>
    entries.flatMap((entry) =>
      values.map((value): [string, unknown, undefined, string] => [
        `${entry} ${JSON.stringify(value)}`,
        { name: "small", ...entryOf(entry, value) },
        undefined,
        `invalid ${words === count || entry === "seeds.bases" ? "seeds" : entry}: ${words}`,
      ]),
    ),
  ),
  [
    "a description that is no text",
    { ...small, description: 5 },
    undefined,
    "invalid description: give a text",
  ],
  [
    "steps in a preset, given in fixed",
    { name: "a", fixed: { steps: 3 }, presets: { quick: { steps: 5 } } },
    "quick",
    "invalid steps: given in the study and in fixed (give them once)",
  ],
  [
    "a preset called as something that every object has",
    { ...small, presets: { quick: {} } },
    "toString",
    'unknown preset "toString" (choose from quick)',
  ],
  [
    "one cell too many",
    { ...small, seeds: 1_000_001 },
    undefined,
    "invalid study: 1000001 = 1000001 cells (give at most 1000000, or several studies)",
  ],
  [
    "more cells by a list of seeds than fit into memory",
    { ...small, axes: { rho: Array.from({ length: 500_001 }, (_, i) => i) }, seeds: [3, 4] },
    undefined,
    "invalid study: 2 × 500001 = 1000002 cells (give at most 1000000, or several studies)",
  ],
  [
    "a preset that would be a path",
    { ...small, presets: { "../../x": {} } },
    "../../x",
    "invalid presets.../../x: give a name of letters, digits, dots and dashes",
  ],
  [
    "more cells than fit into memory",
    { ...small, axes: { rho: [1, 2] }, seeds: 4_000_000_000 },
    undefined,
    "invalid study: 4000000000 × 2 = 8000000000 cells (give at most 1000000, or several studies)",
  ],
  [
    "an unknown entry",
    { ...small, axis: {} },
    undefined,
    'unknown study entry "axis" (did you mean "axes"?)',
  ],
  [
    "an unknown entry of a preset",
    { ...small, presets: { a: { seed: 1 } } },
    "a",
    'unknown entry in preset a "seed" (did you mean "seeds"?)',
  ],
  ...[1, null, "x", []].map((part): [string, unknown, string, string] => [
    `a preset that is ${JSON.stringify(part)}`,
    { ...small, presets: { a: part } },
    "a",
    "invalid presets.a: give entries of the study, such as { steps: 100 }",
  ]),
  ...[1, "x"].map((presets): [string, unknown, string, string] => [
    `presets that are ${presets}`,
    { ...small, presets },
    "a",
    "invalid presets: give versions of the study by name",
  ]),
  [
    "an axis that is no list",
    { ...small, axes: { rho: 1 } },
    undefined,
    "invalid axes.rho: give lists of values, such as { rho: [1, 2] }",
  ],
  [
    "an unknown axis",
    { ...small, axes: { rhp: [1] } },
    undefined,
    'unknown axis "rhp" (did you mean "rho"?)',
  ],
  [
    "an unknown field",
    { ...small, fixed: { metod: "sam" } },
    undefined,
    'unknown field "metod" (did you mean "method"?) in cell seed=0',
  ],
  [
    "an axis of seeds",
    { ...small, axes: { seed: [1] } },
    undefined,
    "invalid axis seed: seeds have an entry of their own (give seeds: [0, 1])",
  ],
  [
    "seeds by an unknown axis",
    { ...small, axes: { rho: [1] }, seeds: { count: 1, by: ["roh"] } },
    undefined,
    'unknown axis in seeds.by "roh" (did you mean "rho"?)',
  ],
  [
    "steps twice",
    { ...small, fixed: { steps: 3 } },
    undefined,
    "invalid steps: given in the study and in fixed (give them once)",
  ],
  [
    "a value out of range",
    { ...small, axes: { rho: [1, -1] } },
    undefined,
    "invalid rho: -1 (give a number, 0 or more, or a schedule such as cosine(0.1, 0)) in cell rho=-1 seed=0",
  ],
  [
    "an impossible combination",
    { ...small, axes: { method: ["sam", "gd"], switch: [0.1] } },
    undefined,
    "invalid switch: 0.1 from plain descent to itself (choose a method such as sam) in cell method=gd switch=0.1 seed=0",
  ],
  [
    "two cells that are one run",
    { ...small, axes: { rho: [1, "1"] } },
    undefined,
    "invalid axes: rho=1 seed=0 and rho=1 seed=0 are the same run (leave one out)",
  ],
  [
    "no preset where there are some",
    { ...small, presets: { quick: {}, slow: {} } },
    undefined,
    "missing preset (choose one with --preset: quick, slow)",
  ],
  [
    "an unknown preset",
    { ...small, presets: { quick: {} } },
    "quik",
    'unknown preset "quik" (did you mean "quick"?)',
  ],
  [
    "a preset where there are none",
    small,
    "quick",
    'unknown preset "quick" (this study has none; leave it out)',
  ],
])("refuses %s in one line", async (_, file, preset, message) => {
  await expect((async () => expand(file, preset))()).rejects.toThrow(
    expect.objectContaining({ name: "InputError", message }),
  );
});

test("coordinates in words: texts as they are, all else as JSON", () => {
  expect(describeCoordinates({ rho: 2, remedy: "switch", hidden: [4, 5], seed: 0 })).toBe(
    "rho=2 remedy=switch hidden=[4,5] seed=0",
  );
});

test("what a study leaves out", () => {
  const { record, keep, certify, seeds } = parseStudy(small);
  expect({ record, keep, certify, seeds }).toEqual({
    record: null,
    keep: false,
    certify: false,
    seeds: 1,
  });
  const given = { record: 8, keep: true, certify: true, seeds: 3 };
  expect(parseStudy({ ...small, ...given })).toMatchObject(given);
});

test("names of letters, digits, dots and dashes, and seeds up to the last are taken", () => {
  for (const name of ["a", "7", "A.b-1", "a..b", "Z-"]) {
    expect(parseStudy({ ...small, name, presets: { [name]: {} } }, name).name).toBe(
      `${name}-${name}`,
    );
  }
  for (const seeds of [1, [0, 2 ** 32 - 1], { count: 1, by: [], base: 2 ** 32 - 1 }]) {
    expect(parseStudy({ ...small, seeds }).seeds).toEqual(seeds);
  }
  expect(parseStudy({ ...small, seeds: { count: 1, by: [] } }).seeds).toEqual({
    count: 1,
    by: [],
    base: 0,
  });
});

test("what is no fault of the study is thrown as it is", async () => {
  const spec = {
    get rho(): number {
      throw new TypeError("broken");
    },
  };
  await expect(expandStudy({ ...parseStudy(small), fixed: spec })).rejects.toThrow(
    expect.objectContaining({ name: "TypeError", message: "broken" }),
  );
});
