/** ONNX messages: the few fields this compiler writes. */
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type {
  GraphProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import {
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  TensorProto_DataType as ElementKind,
} from "onnx-buf";
import {
  isData,
  type Attribute,
  type Attributes,
  type ConstantData,
  type ElementType,
  type ValueType,
} from "../graph/graph.ts";

export type TensorMessage = MessageInitShape<typeof TensorProtoSchema>;
export type NodeMessage = MessageInitShape<typeof NodeProtoSchema>;
export type GraphMessage = MessageInitShape<typeof GraphProtoSchema>;
export type ValueMessage = MessageInitShape<typeof ValueInfoProtoSchema>;

export const elementKind: Readonly<Record<ElementType, number>> = {
  float32: ElementKind.FLOAT,
  float64: ElementKind.DOUBLE,
  int32: ElementKind.INT32,
  int64: ElementKind.INT64,
  uint32: ElementKind.UINT32,
  uint64: ElementKind.UINT64,
  uint8: ElementKind.UINT8,
  bool: ElementKind.BOOL,
};

/** Operators outside the standard set, all with CPU kernels in ONNX Runtime. */
const contributed = new Set(["FusedMatMul"]);

/** Operators named `domain/Name` are in a domain of ONNX Runtime's: see blocks.ts. */
function domainOf(opType: string): [domain: string, name: string] {
  const [domain = "", name] = opType.split("/");
  if (name !== undefined) return [domain, name];
  return [contributed.has(opType) ? "com.microsoft" : "", opType];
}

/** Attributes that are floats even when their value is whole. */
const floatAttributes = new Set(["alpha", "beta", "epsilon"]);

const opset = 21;

export function tensorMessage(name: string, type: ValueType, data: ConstantData): TensorMessage {
  return {
    name,
    dataType: elementKind[type.dtype],
    dims: type.shape.map(BigInt),
    rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  };
}

/** Name and type of a graph's input or output. A negative side stands for a run-time size, called `free`. */
export function valueMessage(
  name: string,
  { dtype, shape }: ValueType,
  free = "steps",
): ValueMessage {
  return {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: elementKind[dtype],
          shape: {
            dim: shape.map((side) => ({
              value:
                side < 0
                  ? { case: "dimParam" as const, value: free }
                  : { case: "dimValue" as const, value: BigInt(side) },
            })),
          },
        },
      },
    },
  };
}

export function nodeMessage(
  opType: string,
  input: string[],
  output: string[],
  attributes: Attributes = {},
  graphs: Readonly<Record<string, GraphMessage>> = {},
): NodeMessage {
  const [domain, name] = domainOf(opType);
  return {
    opType: name,
    domain,
    input,
    output,
    attribute: [
      ...Object.entries(attributes).map(([name, value]) => attributeMessage(name, value)),
      ...Object.entries(graphs).map(([name, g]) => ({ name, type: Kind.GRAPH, g })),
    ],
  };
}

function attributeMessage(name: string, value: Attribute) {
  if (typeof value === "string") {
    return { name, type: Kind.STRING, s: new TextEncoder().encode(value) };
  }
  if (typeof value === "number") {
    return floatAttributes.has(name)
      ? { name, type: Kind.FLOAT, f: value }
      : { name, type: Kind.INT, i: BigInt(value) };
  }
  if (isData(value)) throw new TypeError(`invalid attribute ${name}: an array of data`);
  return { name, type: Kind.INTS, ints: value.map(BigInt) };
}

/** Domains that models may use, with the versions of their operators. */
const domains = Object.entries({ "": opset, "com.microsoft": 1, "com.microsoft.nchwc": 1 });

/** @param version of the operators; with another than our own, standard operators only. */
export function modelBytes(graph: GraphMessage, version: number = opset): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: version === opset ? 10n : 9n,
    producerName: "lucid-sam",
    opsetImport:
      version === opset
        ? domains.map(([domain, of]) => ({ domain, version: BigInt(of) }))
        : [{ domain: "", version: BigInt(version) }],
    graph,
  });
  return toBinary(ModelProtoSchema, model);
}
