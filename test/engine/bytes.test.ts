/** Data sets of bytes: the same numbers as wide ones on both engines, and no wide copy of them. */
import { fromBinary } from "@bufbuild/protobuf";
import { numpy as np } from "@jax-js/jax";
import { ModelProtoSchema, TensorProto_DataType as Kind, type NodeProto } from "onnx-buf";
import { expect, test } from "vitest";
import { compileJax } from "../../src/engine/jax.ts";
import { compileNative } from "../../src/engine/native/index.ts";
import type { StepDefinition } from "../../src/engine/program.ts";
import { tensor, typesOf, zeros, type Tensor } from "../../src/engine/tensor.ts";

const [count, height, width] = [40, 3, 2];
const pixels = Array.from({ length: count * height * width }, (_, i) => (i * 37) % 256);
const images = tensor(pixels, [count, height, width], "uint8");
const rows = tensor([3, 39, 0, 3, 17, 15], [2, 3], "int32");

/** What a step makes of its batch: views of the whole data set before rows are taken, and after. */
const definition: StepDefinition = {
  step(carry, inputs, knobs) {
    const { x } = inputs as { x: np.Array };
    const { rows: taken } = knobs as { rows: np.Array };
    const flat = np.transpose(x, [0, 2, 1]).reshape([count, height * width]);
    const batch = np.take(flat.astype(np.float64), taken, 0);
    const scaled = np.divide(batch, 255);
    return { carry, record: { scaled, sum: np.sum(scaled.ref) } };
  },
  carry: {},
  inputs: { x: typesOf(images) },
  knobs: { rows: { dtype: "int32", shape: [3] } },
};
const run = { carry: {}, inputs: { x: images }, knobs: { rows }, steps: 2 };

/** In plain numbers. */
const expected = Array.from(rows.data).flatMap((row) =>
  Array.from({ length: height * width }, (_, i) => {
    const [column, line] = [Math.floor(i / height), i % height];
    return (pixels[(row * height + line) * width + column] ?? NaN) / 255;
  }),
);

test("rows of bytes are the numbers that they stand for, on both engines", async () => {
  for (const compile of [compileNative, compileJax]) {
    const program = await compile(definition);
    const { records } = await program.run(run);
    const { scaled } = records as { scaled: Tensor };
    expect(scaled.dtype).toBe("float64");
    expect([...scaled.data]).toEqual(expected.map((value) => expect.closeTo(value, 15)));
    await program.dispose();
  }
});

test("bytes stay bytes until rows of them are taken", async () => {
  const program = await compileNative(definition);
  const { graph } = fromBinary(ModelProtoSchema, program.toOnnx?.() ?? new Uint8Array());
  await program.dispose();
  const input = graph?.input.find(({ name }) => name === "inputs/x")?.type?.value;
  expect(input?.case === "tensorType" && input.value.elemType).toBe(Kind.UINT8);
  const all = (nodes: readonly NodeProto[]): NodeProto[] =>
    nodes.flatMap((node) => [node, ...node.attribute.flatMap(({ g }) => all(g?.node ?? []))]);
  const nodes = all(graph?.node ?? []);
  const madeBy = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node])));
  const casts = nodes.filter(({ opType, attribute }) => {
    const to = attribute.find(({ name }) => name === "to")?.i;
    return opType === "Cast" && to === BigInt(Kind.DOUBLE);
  });
  expect(casts).toHaveLength(1);
  // Between the bytes and the only conversion, the rows have been taken.
  const [cast] = casts;
  expect(madeBy.get(cast?.input[0] ?? "")?.opType).toBe("Gather");
});

test("a carry of bytes is refused, for a step sees them as int32", async () => {
  const bytes = zeros([2], "uint8");
  for (const compile of [compileNative, compileJax]) {
    const failing = compile({
      step: (carry) => ({ carry, record: {} }),
      carry: { x: typesOf(bytes) },
      inputs: {},
      knobs: {},
    });
    await expect(failing).rejects.toThrow(/^invalid carry\/x: uint8\[2\] .*only inputs/);
  }
});
