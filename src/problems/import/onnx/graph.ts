/** ONNX models as graphs: messages read into names, nodes and constants. */
import { fromBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  TensorProto_DataType as Element,
  TensorProto_DataLocation as Location,
  type AttributeProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "onnx-buf";
import {
  bfloat16Format,
  boolFormat,
  float16Format,
  float32Format,
  float64Format,
  int32Format,
  uint8Format,
  type ElementFormat,
} from "../../../engine/bytes.ts";
import { isRounded, shortest } from "../../../engine/digits.ts";
import { excerpt, InputError, reasonOf } from "../../../engine/errors.ts";
import { sizeOf } from "../../../engine/tensor.ts";
import { Known, type ElementKind } from "./known.ts";

/** An operation in a graph. */
export interface OnnxNode {
  /** What messages call it. */
  readonly name: string;
  readonly op: string;
  /** Names of values; an empty name is an input that is left out, or an output nobody reads. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** The value of an attribute. Its float32 numbers are the shortest decimals that round to them. */
export type Attribute = number | readonly number[] | string | Known;

/** An input or output of a graph. A side that may be any number is `undefined`. */
export interface OnnxValue {
  readonly name: string;
  readonly kind: ElementKind;
  readonly shape: readonly (number | undefined)[];
}

/** A graph, its nodes in an order in which they can be computed. */
export interface OnnxGraph {
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly constants: ReadonlyMap<string, Known>;
  readonly nodes: readonly OnnxNode[];
}

/** Versions of the standard operators that are read: from the one in which axes became inputs. */
const opsets = { first: 13, last: 23 };

/**
 * Read an ONNX model.
 *
 * @param name what messages call the file.
 * @throws {InputError} in one line, when it is no ONNX model or one that cannot be read.
 */
export function readGraph(bytes: Uint8Array, name: string): OnnxGraph {
  const refuse = (reason: string) => new InputError(`invalid file ${name}: ${reason}`);
  const model = parse(bytes, refuse);
  const { graph } = model;
  if (graph === undefined || graph.node.length === 0) throw refuse("not an ONNX model");
  const version = Number(model.opsetImport.find(({ domain }) => standard(domain))?.version ?? 0n);
  if (!(version >= opsets.first && version <= opsets.last)) {
    throw refuse(
      `its operators are of opset ${version} (export with opset ${opsets.first} to ${opsets.last}; lucid_sam.export does)`,
    );
  }
  try {
    const constants = new Map(
      graph.initializer.map((tensor) => [tensor.name, readTensor(tensor)] as const),
    );
    const inputs = graph.input.map(readValue).filter(({ name: input }) => !constants.has(input));
    const nodes = graph.node.map(readNode);
    const outputs = graph.output.map(readValue);
    checkOrder({ inputs, outputs, constants, nodes });
    return { inputs, outputs, constants, nodes };
  } catch (error) {
    throw refuse(reasonOf(error));
  }
}

const standard = (domain: string) => domain === "" || domain === "ai.onnx";

function parse(bytes: Uint8Array, refuse: (reason: string) => InputError): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw refuse(`not an ONNX model (${reasonOf(error)})`);
  }
}

/** Every value is there before it is read, and once. */
function checkOrder({ inputs, outputs, constants, nodes }: OnnxGraph): void {
  const there = new Set([...constants.keys(), ...inputs.map(({ name }) => name)]);
  for (const node of nodes) {
    const missing = node.inputs.find((input) => input !== "" && !there.has(input));
    if (missing !== undefined) {
      throw new TypeError(
        `${node.op} ${node.name} reads "${excerpt(missing)}", which is not there`,
      );
    }
    for (const output of node.outputs) {
      if (output === "") continue;
      if (there.has(output)) throw new TypeError(`there are two values "${excerpt(output)}"`);
      there.add(output);
    }
  }
  const missing = outputs.find(({ name }) => !there.has(name));
  if (missing) throw new TypeError(`its output "${excerpt(missing.name)}" is not there`);
}

function readValue({ name, type }: ValueInfoProto): OnnxValue {
  if (type?.value.case !== "tensorType") {
    throw new TypeError(`"${excerpt(name)}" is no tensor`);
  }
  const { elemType, shape } = type.value.value;
  const sides = shape?.dim.map(({ value }) =>
    value.case === "dimValue" && value.value > 0n ? Number(value.value) : undefined,
  );
  return { name, kind: kindOf(elemType, name), shape: sides ?? [] };
}

/** What elements of a type are here. */
export function kindOf(element: number, name: string): ElementKind {
  const kind = kinds.get(element);
  if (kind !== undefined) return kind;
  const known = Element[element];
  throw new TypeError(`"${excerpt(name)}" is of type ${known ?? element}, which is not supported`);
}

const kinds: ReadonlyMap<number, ElementKind> = new Map<number, ElementKind>([
  ...[Element.FLOAT, Element.DOUBLE, Element.FLOAT16, Element.BFLOAT16].map(
    (element) => [element, "float"] as const,
  ),
  ...[Element.INT64, Element.INT32, Element.INT16, Element.INT8, Element.UINT8].map(
    (element) => [element, "int"] as const,
  ),
  [Element.BOOL, "bool"],
]);

function readNode(proto: NodeProto, place: number): OnnxNode {
  const { opType, domain, input, output, attribute } = proto;
  const name = `"${excerpt(proto.name || output[0] || String(place))}"`;
  return {
    name,
    op: standard(domain) ? opType : `${domain}.${opType}`,
    inputs: input,
    outputs: output,
    attributes: new Map(
      attribute.flatMap((one) => {
        const value = readAttribute(one);
        return value === undefined ? [] : [[one.name, value] as const];
      }),
    ),
  };
}

/** An attribute's value; `undefined` of kinds that no operator here has, such as graphs. */
function readAttribute(proto: AttributeProto): Attribute | undefined {
  switch (proto.type) {
    case Kind.FLOAT:
      return shortest(proto.f);
    case Kind.INT:
      return Number(proto.i);
    case Kind.STRING:
      return new TextDecoder().decode(proto.s);
    case Kind.FLOATS:
      return proto.floats.map(shortest);
    case Kind.INTS:
      return proto.ints.map(Number);
    case Kind.TENSOR:
      return proto.t && readTensor(proto.t);
    default:
      return undefined;
  }
}

/** 64-bit integers, which here are indices and sides. */
const wideFormat = {
  bytes: 8,
  decode: (buffer: ArrayBuffer) => Float64Array.from(new BigInt64Array(buffer), Number),
};
const shortFormat = (view: Int8ArrayConstructor | Int16ArrayConstructor) => ({
  bytes: view.BYTES_PER_ELEMENT,
  decode: (buffer: ArrayBuffer) => Float64Array.from(new view(buffer)),
});

type Format = Pick<ElementFormat, "bytes"> & { decode: (buffer: ArrayBuffer) => ArrayLike<number> };

const formats: ReadonlyMap<number, Format> = new Map<number, Format>([
  [Element.FLOAT, float32Format],
  [Element.DOUBLE, float64Format],
  [Element.FLOAT16, float16Format],
  [Element.BFLOAT16, bfloat16Format],
  [Element.INT64, wideFormat],
  [Element.INT32, int32Format],
  [Element.INT16, shortFormat(Int16Array)],
  [Element.INT8, shortFormat(Int8Array)],
  [Element.UINT8, uint8Format],
  [Element.BOOL, boolFormat],
]);

/** Types whose numbers, where they are not given as bytes, are given as bits. */
const halves: ReadonlySet<number> = new Set([Element.FLOAT16, Element.BFLOAT16]);

/** Most elements of a constant: more than any graph holds whose parameters are inputs. */
const mostElements = 2 ** 28;

function readTensor(tensor: TensorProto): Known {
  const called = `constant "${excerpt(tensor.name)}"`;
  const kind = kindOf(tensor.dataType, tensor.name);
  const shape = tensor.dims.map(Number);
  const size = sizeOf(shape);
  if (!shape.every((side) => Number.isSafeInteger(side) && side >= 0) || size > mostElements) {
    throw new TypeError(`${called} has shape [${shape.join(", ")}]`);
  }
  if (tensor.dataLocation === Location.EXTERNAL || tensor.externalData.length > 0) {
    throw new TypeError(`the numbers of ${called} are in another file (export them into one)`);
  }
  const format = formats.get(tensor.dataType);
  const { rawData, floatData, doubleData, int32Data, int64Data } = tensor;
  const listed =
    [floatData, doubleData, int32Data, int64Data].find((list) => list.length > 0) ?? [];
  if (rawData.length > 0 && rawData.length !== size * (format?.bytes ?? 0)) {
    throw new TypeError(`${called} has ${rawData.length} bytes for shape [${shape.join(", ")}]`);
  }
  if (rawData.length === 0 && size > 0 && halves.has(tensor.dataType)) {
    throw new TypeError(`${called} is in half precision`);
  }
  const data: ArrayLike<number> =
    rawData.length > 0 && format
      ? format.decode(Uint8Array.from(rawData).buffer)
      : Array.from(listed as ArrayLike<number | bigint>, Number);
  if (data.length !== size) {
    throw new TypeError(`${called} has ${data.length} numbers for shape [${shape.join(", ")}]`);
  }
  // A number by itself was written as a decimal: 1e-5, not 9.99999975e-6. Exporters round such
  // numbers to float32 on the way even where they store them as doubles.
  const isDecimal = size === 1 && kind === "float" && isRounded(data[0] ?? 0);
  return new Known(kind, shape, isDecimal ? Array.from(data, shortest) : data);
}
