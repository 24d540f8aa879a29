/** Imported networks in training, and what is refused of a folder. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, NodeProtoSchema } from "onnx-buf";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../src/engine/index.ts";
import { random } from "../../src/engine/jax-js.ts";
import type { np } from "../../src/engine/jax-js.ts";
import { readSafetensors, writeSafetensors } from "../../src/engine/safetensors.ts";
import { tensor, typesOf, type Tensor } from "../../src/engine/tensor.ts";
import { evaluate } from "../../src/problems/import/onnx/evaluate.ts";
import { Known } from "../../src/problems/import/onnx/known.ts";
import { parseSpec } from "../../src/run/spec.ts";
import { methods } from "../../src/sam/registry.ts";
import { lucid } from "../lucid.ts";
import { fixtures } from "./fixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "lucid-import-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.for(methods.map(({ name }) => name))(
  "%s trains an imported network in batches",
  async (method) => {
    const flags = [
      "--problem",
      // It perturbs what normalizes, and the perceptron has nothing that does.
      join(fixtures, method === "sam-on" ? "cnn" : "mlp"),
      "--batch",
      "4",
      "--steps",
      "6",
      "--lr",
      "0.01",
    ];
    const { code, out, err } = await lucid(
      "train",
      ...flags,
      "--method",
      method,
      "--engine",
      "native",
      "--json",
    );
    expect(code, err).toBe(0);
    const { final } = JSON.parse(out) as { final: { loss: number; trainAccuracy: number } };
    expect(final.loss).toBeGreaterThan(0);
    expect(final.loss).toBeLessThan(1.5);
    expect(final.trainAccuracy).toBeGreaterThanOrEqual(0);
  },
);

test("normalization keeps running statistics, which a run saves and a certificate takes", async () => {
  const run = join(folder, "cnn");
  await lucid(
    "train",
    "--problem",
    join(fixtures, "cnn"),
    "--batch",
    "6",
    "--steps",
    "3",
    "--out",
    run,
  );
  const read = (path: string) => readSafetensors(readFileSync(path), path).tensors;
  const before = read(join(fixtures, "cnn/point.safetensors"))["buffer.bn1.running_mean"];
  const after = read(join(run, "final.safetensors"))["statistics/bn1/running_mean"];
  expect(after?.shape).toEqual(before?.shape);
  expect(after?.data).not.toEqual(before?.data);
  const { code, out } = await lucid("certify", run, "--steps", "5", "--json");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toHaveProperty("verdict");
});

test("dropout keeps with its chance what it scales, and everything in evaluation", async () => {
  const x = tensor(
    Float64Array.from({ length: 4000 }, (_, i) => i + 1),
    [4000],
    "float64",
  );
  const node = {
    name: "d",
    op: "Dropout",
    inputs: ["x", "ratio", "training"],
    outputs: ["y"],
    attributes: new Map(),
  };
  const constants = new Map([
    ["ratio", new Known("float", [], [0.25])],
    ["training", new Known("bool", [], [1])],
  ]);
  const graph = { inputs: [], outputs: [], constants, nodes: [node] };
  const inputs = { x };
  const program = await compile(
    {
      carry: {},
      inputs: typesOf(inputs),
      knobs: {},
      step(carry, given) {
        const feeds = new Map(Object.entries(given as { x: np.Array }));
        const values = (next: () => np.Array | undefined) =>
          evaluate(graph, feeds, ["y"], { dtype: "float64", random: { next }, name: "case" })[0];
        const record = { kept: values(() => random.key(3)), all: values(() => undefined) };
        return { carry, record: record as { [name: string]: np.Array } };
      },
    },
    { engine: "native" },
  );
  const { records } = await program.run({ carry: {}, inputs, knobs: {}, steps: 1 });
  await program.dispose();
  const { kept, all } = records as { kept: Tensor; all: Tensor };
  expect(Array.from(all.data)).toEqual(Array.from(x.data));
  const shares = Array.from(kept.data, (value, i) => value / (i + 1));
  const dropped = shares.filter((share) => share === 0).length;
  expect(dropped / 4000).toBeGreaterThan(0.22);
  expect(dropped / 4000).toBeLessThan(0.28);
  for (const share of shares.filter((one) => one !== 0)) expect(share).toBeCloseTo(4 / 3, 12);
});

test.for(["mlp", "cnn"])("the point of %s is certified as it was exported", async (name) => {
  const at = join(fixtures, name);
  const flags = ["--problem", at, "--point", join(at, "point.safetensors"), "--rho", "0.05"];
  const { code, out, err } = await lucid("certify", ...flags, "--steps", "5", "--json");
  expect(code, err).toBe(0);
  const { tensors } = readSafetensors(readFileSync(join(at, "expected.safetensors")), "expected");
  const { loss } = JSON.parse(out) as { loss: number };
  expect(loss).toBeCloseTo(tensors["evaluate.loss"]?.data[0] ?? NaN, 12);
});

/** A copy of the perceptron's folder in which one file was changed. */
function changed(name: string, file: string, change: (bytes: Uint8Array) => Uint8Array): string {
  const at = join(folder, name);
  cpSync(join(fixtures, "mlp"), at, { recursive: true });
  writeFileSync(join(at, file), change(new Uint8Array(readFileSync(join(at, file)))));
  return at;
}

type Tensors = Readonly<Record<string, Tensor>>;
const tensors = (change: (tensors: Tensors) => Tensors) => (bytes: Uint8Array) =>
  writeSafetensors({ ...change(readSafetensors(bytes, "x").tensors) });
const model =
  (change: (graph: ReturnType<typeof graphOf>["graph"]) => void) => (bytes: Uint8Array) => {
    const { model: message, graph } = graphOf(bytes);
    change(graph);
    return toBinary(ModelProtoSchema, message);
  };
function graphOf(bytes: Uint8Array) {
  const message = fromBinary(ModelProtoSchema, bytes);
  if (message.graph === undefined) throw new Error("no graph");
  return { model: message, graph: message.graph };
}
const without = (all: Tensors, name: string): Tensors =>
  Object.fromEntries(Object.entries(all).filter(([key]) => key !== name));

const refusals = [
  {
    what: "an inference model",
    file: "loss.onnx",
    change: model((graph) => {
      graph.input = graph.input.filter(({ name }) => name === "x" || name === "y");
      const there = new Set(["x", "y"]);
      graph.node = graph.node.map((node) =>
        create(NodeProtoSchema, {
          ...node,
          input: node.input.map((name) => (there.has(name) ? name : "x")),
        }),
      );
      graph.output = graph.output.slice(0, 1);
    }),
    line: /an inference model of .* its parameters are constants, .* from lucid_sam\.export import export; export\(model, loss, x, y, 'folder'\)\)$/,
  },
  {
    what: "an unknown operator",
    file: "loss.onnx",
    change: model((graph) => {
      for (const node of graph.node) if (node.opType === "Tanh") node.opType = "LSTM";
    }),
    line: /^unknown operator LSTM of node ".*" in .*loss\.onnx \(lucid certify --python certifies any model\)$/,
  },
  {
    what: "a text",
    file: "loss.onnx",
    change: () => new TextEncoder().encode("not a model"),
    line: /^invalid file .*loss\.onnx: not an ONNX model/,
  },
  {
    what: "half a file",
    file: "loss.onnx",
    change: (bytes: Uint8Array) => bytes.subarray(0, bytes.length / 2),
    line: /^invalid file .*loss\.onnx: /,
  },
  {
    what: "a missing parameter",
    file: "point.safetensors",
    change: tensors((all) => without(all, "param.2.bias")),
    line: /^missing param\.2\.bias in .*point\.safetensors: .*loss\.onnx takes it$/,
  },
  {
    what: "another shape",
    file: "point.safetensors",
    change: tensors((all) => ({ ...all, "param.2.bias": tensor([1, 2], [2], "float32") })),
    line: /^invalid param\.2\.bias in .*: float32\[2\], but .*loss\.onnx takes float\[5\]$/,
  },
  {
    what: "a number that is none",
    file: "point.safetensors",
    change: tensors((all) => ({
      ...all,
      "param.2.bias": tensor([1, NaN, 1, 1, 1], [5], "float32"),
    })),
    line: /^invalid param\.2\.bias in .*: element 1 is NaN/,
  },
  {
    what: "missing labels",
    file: "batch.safetensors",
    change: tensors((all) => without(all, "y")),
    line: /^missing y in .*batch\.safetensors: .*loss\.onnx takes it$/,
  },
  {
    what: "labels of no class",
    file: "batch.safetensors",
    change: tensors((all) => ({ ...all, y: tensor(Array<number>(12).fill(3), [12], "int32") })),
    line: /^invalid train\/y: label 3 of sample 0/,
  },
] as const;

test.for(refusals.map((refusal, i) => ({ ...refusal, i })))(
  "$what is refused in one line",
  async ({ file, change, line, i }) => {
    const at = changed(`refused-${i}`, file, change);
    const { code, err } = await lucid("train", "--problem", at, "--steps", "2");
    expect(err.trimEnd()).toMatch(line);
    expect(err.trimEnd()).not.toContain("\n");
    expect(code).toBe(2);
  },
);

test.for([
  ["a model by itself", join(fixtures, "mlp/loss.onnx"), [], /give the folder that it lies in/],
  ["a folder of other things", fixtures, [], /^missing loss\.onnx in /],
  ["a table", join(fixtures, "mlp"), ["--data", "x.csv"], /^invalid data: x\.csv/],
  [
    "batches of a graph",
    join(fixtures, "gcn"),
    ["--batch", "4"],
    /exported for exactly 12 \(give batch full\)/,
  ],
] as const)("%s is refused in one line", async ([, problem, flags, line]) => {
  const { code, err } = await lucid("train", "--problem", problem, ...flags, "--steps", "2");
  expect(err).toMatch(line);
  expect(err.trimEnd()).not.toContain("\n");
  expect(code).toBe(2);
});

test("a folder is a problem of a spec like any other", () => {
  expect(parseSpec({ problem: "./folder" }).problem).toBe("./folder");
});
