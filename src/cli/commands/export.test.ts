import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { lucid } from "../../../test/lucid.ts";
import { readSafetensors } from "../../engine/safetensors.ts";
import { castFloat, tensor, type Tensor } from "../../engine/tensor.ts";

const folder = mkdtempSync(join(tmpdir(), "lucid-export-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  [
    "a plane with a schedule",
    ["--problem", "cosine", "--rho", "4", "--schedule", "cosine", "--steps", "9"],
  ],
  [
    "a network in batches",
    ["--n", "20", "--hidden", "4", "--batch", "8", "--momentum", "0.9", "--steps", "5"],
  ],
])("%s: ONNX Runtime runs the files to the numbers of lucid train", async (_, flags) => {
  const [model, feeds] = [join(folder, "step.onnx"), join(folder, "feeds.safetensors")];
  expect((await lucid("export", ...flags, "--out", model, "--feeds", feeds)).code).toBe(0);
  const trained = await lucid("train", ...flags, "--engine", "native", "--trace", "--json");
  const { trace } = JSON.parse(trained.out) as { trace: { loss: number }[] };

  const session = await InferenceSession.create(model);
  const { tensors } = readSafetensors(readFileSync(feeds), feeds);
  const given = Object.fromEntries(
    session.inputNames.map((name) => {
      const leaf = tensors[name];
      if (leaf === undefined) throw new Error(`missing ${name}`);
      const value =
        name === "steps"
          ? new OrtTensor("int64", BigInt64Array.from([...leaf.data].map(BigInt)), [])
          : new OrtTensor(leaf.dtype, leaf.data as Float32Array, leaf.shape);
      return [name, value];
    }),
  );
  const results = await session.run(given);
  await session.release();
  const losses = Array.from((results["records/loss"] as OrtTensor).data as Float32Array);
  expect(losses.length).toBeGreaterThan(4);
  losses.forEach((loss, t) => expect(loss).toBeCloseTo(trace[t]?.loss as number, 6));
});

test("refuses a name that is not a model's", async () => {
  const { code, err } = await lucid("export", "--problem", "cosine", "--out", "step.txt");
  expect(code).toBe(2);
  expect(err).toBe("invalid out: step.txt (give a file that ends in .onnx)\n");
});

const at = (name: string) => join(folder, name);

/** Logits of an ONNX model for samples of a batch file, in float32 or float64. */
async function runModel(path: string, feeds: { readonly [name: string]: Tensor }) {
  const session = await InferenceSession.create(path);
  const given = Object.fromEntries(
    session.inputNames.map((name) => {
      const { dtype, data, shape } = feeds[name] as Tensor;
      const meta = session.inputMetadata.find((input) => input.name === name);
      return meta?.isTensor && meta.type === "int64"
        ? [name, new OrtTensor("int64", BigInt64Array.from(data, BigInt), shape)]
        : [name, new OrtTensor(dtype as "float32", data as Float32Array, shape)];
    }),
  );
  const results = await session.run(given);
  await session.release();
  return results;
}

const numbersOf = (value: OrtTensor | undefined) => Array.from(value?.data as Float32Array);

/** logits = W₁ tanh(W₀x + b₀) + b₁ in plain loops. */
function logitsOf(weights: { readonly [name: string]: Tensor }, x: readonly number[]): number[] {
  const layer = (name: string, input: readonly number[]) => {
    const { data, shape } = weights[`${name}.weight`] as Tensor;
    const [rows = 0, columns = 0] = shape;
    return Array.from({ length: rows }, (_, row) =>
      input.reduce(
        (sum, value, i) => sum + value * (data[row * columns + i] ?? NaN),
        weights[`${name}.bias`]?.data[row] ?? NaN,
      ),
    );
  };
  return layer("2", layer("0", x).map(Math.tanh));
}

test("a trained network: ONNX Runtime's logits are those of its weights by PyTorch's names", async () => {
  const run = at("run");
  await lucid("train", "--n", "30", "--hidden", "5", "--steps", "30", "--out", run);
  for (const flags of [
    ["--weights", run, "--names", "torch", "--out", at("w.safetensors")],
    ["--model", run, "--out", at("m.onnx")],
  ]) {
    expect(await lucid("export", ...flags)).toMatchObject({ code: 0 });
  }
  const { tensors } = readSafetensors(readFileSync(at("w.safetensors")), "w");
  expect(Object.keys(tensors).sort()).toEqual(["0.bias", "0.weight", "2.bias", "2.weight"]);
  // Sizes that the model was not traced with.
  for (const samples of [1, 6]) {
    const pixels = Array.from({ length: samples * 196 }, (_, k) => Math.sin(1.3 * k));
    const x = tensor(pixels, [samples, 1, 14, 14], "float32");
    const { logits } = await runModel(at("m.onnx"), { x });
    expect(logits?.dims).toEqual([samples, 10]);
    const expected = Array.from({ length: samples }, (_, i) =>
      logitsOf(tensors, Array.from(x.data.subarray(196 * i, 196 * (i + 1)))),
    ).flat();
    numbersOf(logits).forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 5));
  }
});

test("an imported network: ONNX Runtime's logits are those of its own graph with the trained weights", async () => {
  const [source, run] = [join(import.meta.dirname, "../../../test/import/fixtures/gpt"), at("gpt")];
  await lucid("train", "--problem", source, "--batch", "5", "--steps", "4", "--out", run);
  await lucid("export", "--weights", run, "--out", at("gpt.safetensors"));
  await lucid("export", "--model", run, "--out", at("gpt.onnx"));
  const read = (path: string) => readSafetensors(readFileSync(path), path).tensors;
  const weights = read(at("gpt.safetensors"));
  const exported = read(join(source, "point.safetensors"));
  const names = Object.keys(exported).map((name) => name.replace(/^(param|buffer)\./, ""));
  // The head shares the weight of the embedding, and a state_dict has it under both names.
  expect(Object.keys(weights).sort()).toEqual([...names, "lm_head.weight"].sort());
  expect(weights["lm_head.weight"]).toEqual(weights["wte.weight"]);
  const { x, y } = read(join(source, "batch.safetensors")) as { x: Tensor; y: Tensor };
  const wide = (leaf: Tensor) => castFloat(leaf, "float64");
  const feeds = Object.fromEntries(
    Object.keys(exported).map((name) => [
      name,
      wide(weights[name.replace(/^(param|buffer)\./, "")] as Tensor),
    ]),
  );
  const { outputs } = await runModel(join(source, "loss.onnx"), { ...feeds, x, y });
  const { logits } = await runModel(at("gpt.onnx"), { x });
  expect(logits?.dims).toEqual([12, 6, 11]);
  const expected = numbersOf(outputs);
  numbersOf(logits).forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 5));
});

test.each([
  [["--weights", "nowhere"], /^missing .*nowhere/],
  [["--model", "a", "--weights", "b"], /^invalid --model: --weights asks for another file/],
  [["--model", "a", "--rho", "1"], /^invalid --rho: the run says what was trained/],
  [["--weights", "a", "--names", "keras"], /^unknown names "keras"/],
])("refuses %j in one line", async (flags, line) => {
  const { code, err } = await lucid("export", ...flags);
  expect(code).toBe(2);
  expect(err).toMatch(line);
  expect(err.trimEnd()).not.toContain("\n");
});
