import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { InputError } from "../engine/errors.ts";
import { imageFields, recipeFields } from "../problems/datasets/images.ts";
import { datasets } from "../problems/datasets/registry.ts";
import { findProblem, problems } from "../problems/registry.ts";
import { programKey } from "./build.ts";
import { lossFields } from "./fields.ts";
import { canonicalJson, parseSpec, specHash } from "./spec.ts";

describe("parseSpec", () => {
  it("fills in the defaults of networks", () => {
    expect(parseSpec({})).toEqual({
      problem: "mlp",
      data: "digits",
      n: 500,
      pool: 1,
      normalization: "standard",
      hidden: [64],
      activation: "tanh",
      method: "sam",
      rho: 0.05,
      settings: expect.any(Object),
      optimizer: "sgd",
      lr: 0.01,
      momentum: 0,
      nesterov: false,
      weightDecay: 0,
      schedule: "constant",
      steps: 5000,
      batch: "full",
      seed: 0,
      dtype: "float32",
    });
  });

  it("fills in the defaults of planes, which have no data", () => {
    const spec = parseSpec({ problem: "cosine", method: "gd" });
    expect(spec).toMatchObject({ start: [2, 0.5], lr: 0.1, steps: 1000, dtype: "float64" });
    expect(Object.keys(spec)).not.toEqual(expect.arrayContaining(["rho"]));
    expect(Object.keys(spec)).not.toEqual(expect.arrayContaining(["hidden"]));
  });

  it("counts epochs in steps, and drops the last, incomplete batch", () => {
    const run = { n: 70, batch: 20, epochs: 7 };
    const spec = parseSpec(run);
    expect(spec.steps).toBe(21);
    expect(spec).not.toHaveProperty("epochs");
    expect(parseSpec(spec)).toEqual(spec);
    expect(parseSpec({ ...run, batch: "full" }).steps).toBe(7);
    // Of the 23 · 23 pairs of modular addition half are learned, 265.
    expect(parseSpec({ problem: "vit", data: "digits", ...run }).steps).toBe(21);
    expect(parseSpec({ problem: "gpt", data: "modular", batch: 64, epochs: 5 }).steps).toBe(20);
    expect(() => parseSpec({ ...run, steps: 3 })).toThrow(
      /^invalid epochs: 7 beside 3 steps \(give one of them\)$/,
    );
    expect(() => parseSpec({ problem: "./own.ts", batch: 4, epochs: 2 })).toThrow(
      /^invalid epochs: problem \.\/own\.ts says how many samples/,
    );
  });

  it("leaves out what newer fields say by default, so that stored runs keep their identity", async () => {
    const newer = {
      warmup: 0,
      decoupled: false,
      crop: 0,
      flip: false,
      cutout: 0,
      labelSmoothing: 0,
      labelNoise: 0,
      noiseSeed: 0,
      penalty: 0,
    };
    expect(parseSpec(newer)).toEqual(parseSpec({}));
    for (const [field, value] of Object.entries({
      ...newer,
      warmup: 0.1,
      decoupled: true,
      flip: true,
    })) {
      const set = typeof value === "boolean" ? value : value || 0.5;
      const given = ["crop", "cutout", "noiseSeed"].includes(field) ? 2 : set;
      expect(parseSpec({ [field]: given }), field).toMatchObject({ [field]: given });
    }
  });

  it("fills in the defaults of AdamW, which has no momentum", () => {
    const spec = parseSpec({ optimizer: "adamw" });
    expect(spec).toMatchObject({ lr: 0.001, weightDecay: 0.01 });
    expect(spec).not.toHaveProperty("momentum");
  });

  it("fills in the defaults of problems with samples of their own", () => {
    const { seed, lr, steps, dtype, ...spec } = parseSpec({ problem: "regression", method: "gd" });
    expect({ seed, lr, steps, dtype }).toEqual({
      seed: 0,
      lr: 0.01,
      steps: 5000,
      dtype: "float64",
    });
    expect(spec).toMatchObject({ hidden: [2], gain: 4, penalty: 0.003, target: "sine", n: 16 });
    for (const field of ["data", "pool", "start"]) expect(spec).not.toHaveProperty(field);
  });

  it("leaves out what came later where it has its default, so that identities hold", () => {
    expect(parseSpec({ size: "14" })).toEqual(parseSpec({}));
    expect(parseSpec({ size: "28" })).toMatchObject({ data: "digits", size: 28 });
    expect(parseSpec({ problem: "quadratic", separate: false })).not.toHaveProperty("separate");
  });

  it.each(problems.map(({ name }) => name))("takes every option of %s, and no other", (name) => {
    const { options, data } = findProblem(name);
    const spec = parseSpec({ problem: name });
    expect(parseSpec({ ...options.parse({}), problem: name })).toEqual(spec);
    const images = data === "images" ? Object.keys({ ...imageFields, ...recipeFields }) : [];
    const offered = datasets.filter(({ kind }) => kind === data);
    const ofData = offered.flatMap(({ options }) => Object.keys(options.shape));
    const samples = data === "none" ? [] : ["data", ...images, ...ofData];
    const may = ["problem", ...samples, ...Object.keys(options.shape)];
    const others = [...lossFields.keys()].filter((field) => !may.includes(field));
    expect(others).not.toEqual([]);
    for (const field of others) {
      // Some fields are another data set's.
      expect(() => parseSpec({ problem: name, [field]: "1" })).toThrow(
        /: (problem|data) [a-z0-9-]+ has none \(leave it out\)$/,
      );
    }
  });

  it("learns the first data set of the problem's kind, or another of that kind", () => {
    expect(parseSpec({ problem: "gpt" })).toMatchObject({ data: "modular", p: 23 });
    expect(parseSpec({ problem: "gcn", data: "block-model" })).toMatchObject({ nodes: 100 });
    expect(() => parseSpec({ problem: "gcn", data: "digits" })).toThrow(
      'unknown data "digits" (choose from karate, block-model, citations)',
    );
    expect(() => parseSpec({ problem: "gcn", nodes: 10 })).toThrow(
      "invalid nodes: data karate has none (leave it out)",
    );
    expect(() => parseSpec({ problem: "gcn", pool: 2 })).toThrow(
      "invalid pool: problem gcn has none (leave it out)",
    );
  });

  it("reads texts as flags have them", () => {
    const texts = { problem: "cosine", rho: "4", start: "2,-0.5", steps: "7", seed: "3" };
    const values = { problem: "cosine", rho: 4, start: [2, -0.5], steps: 7, seed: 3 };
    expect(parseSpec(texts)).toEqual(parseSpec(values));
    expect(parseSpec({ hidden: "128,64", batch: "32" })).toMatchObject({
      hidden: [128, 64],
      batch: 32,
    });
    expect(parseSpec({ hidden: "none" })).toMatchObject({ hidden: [] });
  });

  it("resolves aliases, and rho among the settings", () => {
    expect(parseSpec({ method: "SGD" })).toEqual(parseSpec({ method: "gd" }));
    expect(parseSpec({ settings: { rho: "2" } })).toEqual(parseSpec({ rho: 2 }));
  });

  it.each([
    {},
    { lr: 3e38, rho: "cosine(1, 0)" },
    { lr: 1e39, dtype: "float64" },
    { problem: "quadratic", separate: true, switch: 0.1 },
    { optimizer: "adamw", clip: 1, schedule: "cosine", batch: 50, rho: "linear(2, 0)" },
  ])("leaves a canonical form as it is: %j", (input) => {
    const spec = parseSpec(input);
    expect(parseSpec(structuredClone(spec))).toEqual(spec);
  });

  it.each<[object, RegExp | string]>([
    [{ rho: -1 }, /^invalid rho: -1 \(give a number, 0 or more/],
    [{ rho: NaN }, /^invalid rho: NaN/],
    [{ rho: "abc" }, /^invalid rho: abc/],
    [{ rho: 1, settings: { rho: 2 } }, "invalid rho: 1 and 2 (give it once)"],
    [{ method: "samm" }, 'unknown method "samm" (did you mean "sam"?)'],
    [{ method: "gd", rho: 1 }, /^unknown setting "rho" of gd/],
    [{ method: "gd", switch: 0.1 }, /^invalid switch: 0.1 from plain descent to itself/],
    [{ settings: { roh: 1 } }, /^unknown setting "roh" of sam \(did you mean "rho"\?\)/],
    [{ problem: "cosne" }, 'unknown problem "cosne" (did you mean "cosine"?)'],
    [{ problem: "cosine", hidden: [3] }, "invalid hidden: problem cosine has none (leave it out)"],
    [{ problem: "ridge", separate: true }, /^invalid separate: problem ridge has none/],
    [{ data: "mnist", size: 20 }, "invalid size: data mnist has none (leave it out)"],
    [{ size: 7 }, "invalid size: 7 (give a whole number from 8 to 64)"],
    [
      { problem: "regression", pool: 2 },
      "invalid pool: problem regression has none (leave it out)",
    ],
    [{ problem: "regression", hidden: "2,2" }, /^invalid hidden: 2,2 \(give one width/],
    [{ start: [1, 2] }, "invalid start: problem mlp has none (leave it out)"],
    [{ problem: "cosine", start: [NaN, 1] }, /^invalid start: NaN,1 \(give two numbers/],
    [{ problem: "cosine", start: "1" }, "invalid start: 1 (give two numbers, such as 2,0.5)"],
    [{ problem: "cosine", batch: 2.5 }, /^invalid batch: 2.5 \(give "full" or a whole number/],
    [{ n: 0 }, "invalid n: 0 (give a whole number, 1 or more)"],
    [{ hidden: [0] }, "invalid hidden: 0 (give widths of 1 or more, such as 128,64)"],
    [{ hidden: "64,x" }, /^invalid hidden: 64,x/],
    [{ activation: "tahn" }, 'unknown activation "tahn" (did you mean "tanh"?)'],
    [{ data: "mnsit" }, 'unknown data "mnsit" (did you mean "mnist"?)'],
    [{ batch: 600 }, 'invalid batch: 600 of 500 images (give "full" or at most 500)'],
    [{ optimizer: "adam" }, 'unknown optimizer "adam" (did you mean "adamw"?)'],
    [{ optimizer: "adamw", momentum: 0.9 }, "invalid momentum: adamw has none (leave it out)"],
    [{ momentum: 1 }, "invalid momentum: 1 (give a number, 0 or more, below 1)"],
    [{ nesterov: true }, /^invalid nesterov: momentum is 0/],
    [{ weightDecay: -1 }, "invalid weight decay: -1 (give a number, 0 or more)"],
    [{ clip: 0 }, "invalid clip: 0 (give a number, above 0)"],
    [{ lr: 0 }, "invalid lr: 0 (give a number, above 0)"],
    [{ lr: 1e39 }, "invalid lr: 1e+39 (float32 makes it Infinity; give another, or dtype float64)"],
    [{ lr: "1e-46" }, /^invalid lr: 1e-46 \(float32 makes it 0;/],
    [{ rho: 1e39 }, /^invalid rho: 1e\+39 \(float32 makes it Infinity;/],
    [{ rho: "cosine(1e39, 0)" }, /^invalid rho: cosine\(1e39, 0\) \(float32 makes it Infinity;/],
    [{ method: "asam", settings: { eta: 1e-50 } }, /^invalid eta: 1e-50 \(float32 makes it 0;/],
    [{ weightDecay: 1e39 }, /^invalid weight decay: 1e\+39 \(float32 makes it Infinity;/],
    [
      { problem: "cosine", dtype: "float32", start: [1e39, 0] },
      /^invalid start: 1e\+39,0 \(float32 makes it Infinity;/,
    ],
    [{ normalization: { toString: 1 } }, /^unknown normalization "\{"toString":1\}" \(choose from/],
    [{ problem: { toString: 1 } }, /^unknown problem "\{"toString":1\}" \(choose from/],
    [{ settings: { rho: { toString: 1 } } }, /^invalid rho: \{"toString":1\} \(give a number/],
    [{ method: "x".repeat(100) }, /^unknown method "x{79}…" \(choose from/],
    [{ hidden: Array.from({ length: 60 }, () => -1) }, /^invalid hidden: .{79}… \(give widths/],
    [{ steps: 1.5 }, "invalid steps: 1.5 (give a whole number, 1 or more)"],
    [{ seed: -1 }, "invalid seed: -1 (give a whole number from 0 to 4294967295)"],
    [{ switch: 2 }, "invalid switch: 2 (give a number from 0 to 1)"],
    [{ stpes: 3 }, 'unknown field "stpes" (did you mean "steps"?)'],
    [[], /^invalid run: /],
  ])("refuses %j in one line", (input, message) => {
    const parse = () => parseSpec(input);
    expect(parse).toThrow(InputError);
    expect(parse).toThrow(message);
  });
});

it("is read without loading jax-js", async () => {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({
      load(url, context, next) {
        loaded.push(url);
        return next(url, context);
      },
    });
    const { parseSpec } = await import(${JSON.stringify(new URL("spec.ts", import.meta.url))});
    for (const problem of ["mlp", "ridge", "regression"]) parseSpec({ problem, method: "guarded" });
    console.log(loaded.join("\\n"));
  `;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script]);
  const loaded = stdout.split("\n");
  expect(loaded.filter((url) => url.endsWith("/networks/mlp.ts"))).toHaveLength(1);
  expect(loaded.filter((url) => url.includes("@jax-js"))).toEqual([]);
});

describe("specHash", () => {
  it("does not depend on the order of fields or on how defaults were given", async () => {
    const hash = await specHash(parseSpec({ rho: 4, seed: 1 }));
    expect(await specHash(parseSpec({ seed: "1", method: "sam", rho: "4.0" }))).toBe(hash);
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
  });

  it("is the SHA-256 of the canonical JSON", async () => {
    // printf '{"a":[1,{"b":2,"c":3}],"d":null}' | sha256sum
    const value = { d: null, a: [1, { c: 3, b: 2 }] };
    expect(canonicalJson(value)).toBe('{"a":[1,{"b":2,"c":3}],"d":null}');
    expect(await specHash(value as never)).toBe("d2f8435f901d6a2b");
  });

  it("tells apart what changes a run", async () => {
    const changes = [
      {},
      { rho: 4 },
      { seed: 1 },
      { switch: 0.1 },
      { dtype: "float64" },
      { n: 400 },
      { hidden: [64, 64] },
      { optimizer: "adamw" },
      { problem: "cosine" },
    ];
    const hashes = await Promise.all(changes.map((change) => specHash(parseSpec(change))));
    expect(new Set(hashes).size).toBe(changes.length);
  });
});

describe("programKey", () => {
  it("is shared by runs that differ in knobs, and by no others", () => {
    const key = (input: object) => programKey(parseSpec(input));
    const knobs = { rho: 4, lr: 1, seed: 2, schedule: "cosine", steps: 7 };
    expect(key(knobs)).toBe(key({}));
    expect(key({ switch: 0.3 })).toBe(key({ switch: 0.1 }));
    for (const other of [{ switch: 0.1 }, { n: 400 }, { momentum: 0.9 }, { batch: 10 }]) {
      expect(key(other)).not.toBe(key({}));
    }
  });
});
