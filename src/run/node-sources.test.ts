import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it, test } from "vitest";
import { InputError } from "../engine/errors.ts";
import { nodeSources } from "./node-sources.ts";

test("the last data set is kept as long as the same is asked for", async () => {
  const { dataset: load } = nodeSources();
  const first = await load("digits", { n: 30, options: {} });
  expect(first.train).toMatchObject({ count: 30, width: 14 });
  expect(await load("digits", { n: 30, options: {} })).toBe(first);
  const larger = await load("digits", { n: 40, options: {} });
  expect(larger.train.count).toBe(40);
  expect((await load("digits", { n: 40, options: { size: 8 } })).train.width).toBe(8);
});

test("a data set that could not be made is asked for again", async () => {
  const { dataset: load } = nodeSources();
  await expect(load("digits", { n: 0, options: {} })).rejects.toThrow(/^invalid number/);
  await expect(load("digits", { n: 0, options: {} })).rejects.toThrow(/^invalid number/);
  expect((await load("digits", { n: 5, options: {} })).train.count).toBe(5);
});

describe("a problem file", () => {
  const folder = mkdtempSync(join(tmpdir(), "problem-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const line = `import { defineProblem, dense, np } from "lucid-sam";
const lineOver = (train, dtype) => defineProblem({ train, dtype,
  init: (random) => random.dense(1, 1),
  forward: (layer, { x, y }) => ({ losses: np.square(np.subtract(dense(x, layer).reshape([-1]), y)) }),
});\n`;
  const overTable = `${line}export default ({ table, dtype }) =>
  lineOver({ x: table.numbers("x"), y: table.numbers("y").data }, dtype);`;
  const alone = `${line}export default lineOver({ x: [[0], [1]], y: [1, 2] });`;
  const table = write("line.csv", "x,y\n0,1\n1,3\n2,5\n");
  const sources = nodeSources();
  const load = (...given: Parameters<typeof sources.problem>) => sources.problem(...given);

  it.each([
    ["missing.mjs", undefined, /^missing file .*missing\.mjs: it does not exist$/],
    [
      "text.txt",
      "hello",
      /^invalid file .*text\.txt: not a problem \(give a \.ts or \.js file, or the folder/,
    ],
    ["broken.mjs", "export default (", /^invalid file .*broken\.mjs: cannot load it, /],
    ["none.mjs", "export const a = 1;", /^invalid file .*: no default export \(export default \(/],
    ["number.mjs", "export default 3;", /^invalid file .*: not a problem \(export default \(/],
    ["nothing.mjs", "export default () => {};", /^invalid file .*: not a problem /],
    [
      "throws.mjs",
      `export default () => { throw new Error("too\\nbad"); };`,
      /^invalid problem .*throws\.mjs: too$/,
    ],
    [
      "column.mjs",
      "export default ({ table }) => table.numbers('z');",
      /^unknown column "z" of .*line\.csv/,
    ],
  ])("%s is refused", async (name, text, message) => {
    const file = text === undefined ? join(folder, name) : write(name, text);
    const error: unknown = await load(file, table, "float32").catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).message).toMatch(message);
  });

  // In processes of their own, where modules are loaded as Node loads them.
  const run = promisify(execFile);
  const bin = resolve(import.meta.dirname, "../../bin/lucid.js");
  const train = async (...args: string[]) => {
    const { stdout } = await run(process.execPath, [
      bin,
      "train",
      ...args,
      "--steps",
      "60",
      "--json",
    ]);
    return JSON.parse(stdout) as {
      final: { loss: number };
      provenance: { dtype: string; dataHash: string };
    };
  };

  it("is trained over a table by the command line, and its run certified", async () => {
    const out = join(folder, "run");
    const file = write("over.mjs", overTable);
    const trained = await train("--problem", file, "--data", table, "--rho", "0.1", "--out", out);
    expect(trained).toMatchObject({ final: { step: 60, trainAccuracy: null } });
    const { stdout } = await run(process.execPath, [
      bin,
      "certify",
      out,
      "--json",
      "--steps",
      "20",
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ details: { dimension: 2, rho: 0.1 } });
  });

  it("is judged and certified with the statistics it was trained to", async () => {
    // One feature, far from 0, whose mean over the samples is all that normalization takes away.
    const file = write(
      "normalized.mjs",
      `import { crossEntropy, defineProblem, dense, isRight, np, tensor } from "lucid-sam";
export default ({ dtype }) => defineProblem({ dtype,
  train: { x: [[99], [100], [102], [103]], y: tensor([0, 0, 1, 1], [4], "int32") },
  init: (random) => random.dense(1, 2),
  initStatistics: () => ({ mean: tensor([0], [1], dtype) }),
  forward(layer, { x, y }, { mode, statistics }) {
    const mean = mode === "train" ? np.mean(x.ref, 0) : statistics.mean.ref;
    const logits = dense(np.subtract(x, mean.ref), layer);
    const half = (old, now) => np.add(np.multiply(old.ref, 0.5), np.multiply(now, 0.5));
    return {
      losses: crossEntropy(logits.ref, y),
      outputs: logits,
      ...(mode === "train" && { statistics: { mean: half(statistics.mean, mean) } }),
    };
  },
  score: (logits, { y }) => isRight(logits, y),
});`,
    );
    const out = join(folder, "normalized");
    const trained = await train("--problem", file, "--rho", "0.1", "--lr", "0.5", "--out", out);
    expect(trained).toMatchObject({ final: { trainAccuracy: 1 } });
    const { stdout } = await run(process.execPath, [
      bin,
      "certify",
      out,
      "--json",
      "--steps",
      "20",
    ]);
    const { mode, loss } = JSON.parse(stdout) as { mode: string; loss: number };
    expect(mode).toBe("evaluate");
    // With the initial mean, 0, every sample would look the same: ln 2 and more.
    expect(loss).toBeCloseTo(trained.final.loss, 3);
    expect(loss).toBeLessThan(0.2);
  });

  it("may be a problem by itself, in float32 or float64", async () => {
    const file = write("alone.mjs", alone);
    const single = await train("--problem", file);
    const double = await train("--problem", file, "--dtype", "float64");
    expect([single.provenance.dtype, double.provenance.dtype]).toEqual(["float32", "float64"]);
    expect(single.provenance.dataHash).not.toBe(double.provenance.dataHash);
  });
});
