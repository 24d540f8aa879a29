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
    ["text.txt", "hello", /^invalid file .*text\.txt: not a problem \(give a \.ts or \.js file\)$/],
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
    return JSON.parse(stdout) as { provenance: { dtype: string; dataHash: string } };
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

  it("may be a problem by itself, in float32 or float64", async () => {
    const file = write("alone.mjs", alone);
    const single = await train("--problem", file);
    const double = await train("--problem", file, "--dtype", "float64");
    expect([single.provenance.dtype, double.provenance.dtype]).toEqual(["float32", "float64"]);
    expect(single.provenance.dataHash).not.toBe(double.provenance.dataHash);
  });
});
