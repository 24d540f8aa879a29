/** The table of operators against ONNX Runtime's own results, operator by operator. */
import { create, toBinary } from "@bufbuild/protobuf";
import { AttributeProto_AttributeType as Kind, ModelProtoSchema } from "onnx-buf";
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { compile } from "../../src/engine/index.ts";
import type { np } from "../../src/engine/jax-js.ts";
import { tensor, typesOf, type Tensor } from "../../src/engine/tensor.ts";
import { evaluate, operators } from "../../src/problems/import/onnx/evaluate.ts";
import { readGraph } from "../../src/problems/import/onnx/graph.ts";
import { operatorCases, type Feed, type OperatorCase } from "./operators.ts";

type Float = "float32" | "float64";

/** Types by their numbers in ONNX. */
const elementOf = (kind: Feed["kind"], dtype: Float) =>
  kind === "int" ? 7 : kind === "bool" ? 9 : dtype === "float64" ? 11 : 1;

function constantOf(name: string, { kind, shape, data }: Feed, dtype: Float) {
  const raw = {
    int: () => BigInt64Array.from(data, BigInt),
    bool: () => Uint8Array.from(data),
    float: () => (dtype === "float64" ? Float64Array : Float32Array).from(data),
  }[kind]();
  return {
    name,
    dataType: elementOf(kind, dtype),
    dims: shape.map(BigInt),
    rawData: new Uint8Array(raw.buffer),
  };
}

type Value = NonNullable<OperatorCase["attributes"]>[string];

function attributeOf(name: string, value: Value, dtype: Float) {
  const floats = ["alpha", "beta", "gamma", "epsilon", "momentum"];
  if (typeof value === "string")
    return { name, type: Kind.STRING, s: new TextEncoder().encode(value) };
  // Type 11, float64, stands for the floating-point type of the case.
  if (name === "to" && value === 11) {
    return { name, type: Kind.INT, i: BigInt(elementOf("float", dtype)) };
  }
  if (typeof value === "number") {
    return floats.includes(name)
      ? { name, type: Kind.FLOAT, f: value }
      : { name, type: Kind.INT, i: BigInt(value) };
  }
  if ("kind" in value) return { name, type: Kind.TENSOR, t: constantOf("", value, dtype) };
  return { name, type: Kind.INTS, ints: value.map(BigInt) };
}

/** A model of one operator. */
function modelOf({ op, inputs, attributes = {}, outputs = 1 }: OperatorCase, dtype: Float) {
  const names = inputs.map((feed, i) => (feed ? `in${i}` : ""));
  const results = Array.from({ length: outputs }, (_, i) => `out${i}`);
  const model = create(ModelProtoSchema, {
    irVersion: 10n,
    opsetImport: [{ domain: "", version: 21n }],
    graph: {
      name: op,
      input: inputs.flatMap((feed, i) =>
        feed === undefined || feed.constant
          ? []
          : {
              name: `in${i}`,
              type: {
                value: {
                  case: "tensorType" as const,
                  value: {
                    elemType: elementOf(feed.kind, dtype),
                    shape: {
                      dim: feed.shape.map((side) => ({
                        value: { case: "dimValue" as const, value: BigInt(side) },
                      })),
                    },
                  },
                },
              },
            },
      ),
      output: results.map((name) => ({
        name,
        type: {
          value: { case: "tensorType" as const, value: { elemType: elementOf("float", dtype) } },
        },
      })),
      initializer: inputs.flatMap((feed, i) =>
        feed?.constant ? [constantOf(`in${i}`, feed, dtype)] : [],
      ),
      node: [
        {
          opType: op,
          name: op,
          input: names,
          output: results,
          attribute: Object.entries(attributes).map(([name, value]) =>
            attributeOf(name, value, dtype),
          ),
        },
      ],
    },
  });
  return { model, results };
}

interface Result {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

async function byRuntime(operatorCase: OperatorCase, dtype: Float): Promise<Result[]> {
  const { model, results } = modelOf(operatorCase, dtype);
  // The type of a result must be declared: each is tried until one is right.
  const error: unknown[] = [];
  for (const element of [elementOf("float", dtype), 7, 9]) {
    for (const output of model.graph?.output ?? []) {
      if (output.type?.value.case === "tensorType") output.type.value.value.elemType = element;
    }
    try {
      const session = await ort.InferenceSession.create(toBinary(ModelProtoSchema, model), {
        logSeverityLevel: 4,
      });
      const feeds = operatorCase.inputs.flatMap((feed, i) =>
        feed === undefined || feed.constant ? [] : [[`in${i}`, ortTensor(feed, dtype)] as const],
      );
      const found = await session.run(Object.fromEntries(feeds));
      await session.release();
      return results.map((name) => {
        const { dims, data } = found[name] as ort.Tensor;
        return { shape: dims, data: Array.from(data as ArrayLike<number | bigint>, Number) };
      });
    } catch (caught) {
      error.push(caught);
    }
  }
  throw error[0];
}

function ortTensor({ kind, shape, data }: Feed, dtype: Float): ort.Tensor {
  if (kind === "int") return new ort.Tensor("int64", BigInt64Array.from(data, BigInt), shape);
  if (kind === "bool") return new ort.Tensor("bool", Uint8Array.from(data), shape);
  const numbers = dtype === "float64" ? Float64Array.from(data) : Float32Array.from(data);
  return new ort.Tensor(dtype, numbers as Float64Array, shape);
}

async function byTable(operatorCase: OperatorCase, dtype: Float): Promise<Result[]> {
  const { model, results } = modelOf(operatorCase, dtype);
  const graph = readGraph(toBinary(ModelProtoSchema, model), "case");
  const dtypes = { float: dtype, int: "int32", bool: "bool" } as const;
  const inputs: { [name: string]: Tensor } = Object.fromEntries(
    operatorCase.inputs.flatMap((feed, i) =>
      feed === undefined || feed.constant
        ? []
        : [[`in${i}`, tensor(feed.data, feed.shape, dtypes[feed.kind])]],
    ),
  );
  const program = await compile(
    {
      carry: {},
      inputs: typesOf(inputs),
      knobs: {},
      step(carry, given) {
        const feeds = new Map(Object.entries(given as { [name: string]: np.Array }));
        const random = { next: () => undefined };
        const values = evaluate(graph, feeds, results, { dtype, random, name: "case" });
        return { carry, record: Object.fromEntries(values.map((value, i) => [results[i], value])) };
      },
    },
    { engine: "native" },
  );
  const { records } = await program.run({ carry: {}, inputs, knobs: {}, steps: 1 });
  await program.dispose();
  return results.map((name) => {
    const { shape, data } = (records as { [name: string]: Tensor })[name] as Tensor;
    return { shape: shape.slice(1), data: Array.from(data) };
  });
}

const named = operatorCases.map((operatorCase, i) => ({ ...operatorCase, i }));

test("every operator of the table has a case", () => {
  const tested = new Set(operatorCases.map(({ op }) => op));
  expect(Object.keys(operators).filter((op) => !tested.has(op))).toEqual([]);
});

async function compare(operatorCase: OperatorCase, dtype: Float, expected: readonly Result[]) {
  const found = await byTable(operatorCase, dtype);
  expect(found.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
  const tolerance = dtype === "float32" ? 3e-6 : 1e-13;
  expected.forEach(({ data }, i) => {
    const scale = Math.max(1, ...data.map(Math.abs));
    data.forEach((value, j) => {
      const own = found[i]?.data[j] ?? NaN;
      const message = `${dtype}, element ${j}: ${own}, not ${value}`;
      expect(Math.abs(own - value) / scale, message).toBeLessThan(tolerance);
    });
  });
}

/** Cases that ONNX Runtime computes in float64, too. */
let inFloat64 = 0;

test.for(named)("$op (case $i) is what ONNX Runtime computes", async (operatorCase) => {
  await compare(operatorCase, "float32", await byRuntime(operatorCase, "float32"));
  // It has no kernel in float64 for some operators.
  const exact = operatorCase.onlyFloat32
    ? undefined
    : await byRuntime(operatorCase, "float64").catch(() => undefined);
  if (exact === undefined) return;
  await compare(operatorCase, "float64", exact);
  inFloat64++;
});

test("most cases were compared in float64", () => {
  expect(inFloat64).toBeGreaterThan(operatorCases.length / 2);
});
