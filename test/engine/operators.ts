/** Operators of compiled programs, read off their models. */
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, type GraphProto } from "onnx-buf";
import type { Program } from "../../src/engine/program.ts";

/** Operators of a program with the branch path they are in: `Loop/If/MatMul`. */
export function operators(program: Program): string[] {
  const { graph } = fromBinary(ModelProtoSchema, program.toOnnx?.() ?? new Uint8Array());
  if (graph === undefined) throw new Error("missing graph");
  return operatorsOf(graph, "");
}

const operatorsOf = (graph: GraphProto, path: string): string[] =>
  graph.node.flatMap((node) => [
    path + node.opType,
    ...node.attribute.flatMap(({ g, name }) =>
      g === undefined ? [] : operatorsOf(g, `${path}${node.opType}.${name.split("_")[0] ?? ""}/`),
    ),
  ]);
