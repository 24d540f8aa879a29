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

  test("under a preset, whose fields and axes come one by one", async () => {
    const file = {
      ...small,
      axes: { rho: [1, 2], lr: [0.1] },
      presets: { quick: { axes: { rho: [3] }, steps: 5 }, slow: { fixed: { lr: 0.5 } } },
    };
    const study = parseStudy(file, "quick");
    expect(study).toMatchObject({ name: "small-quick", axes: { rho: [3], lr: [0.1] } });
    expect((await expandStudy(study))[0]?.spec).toMatchObject({ rho: 3, steps: 5 });
  });
});

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
