/** GLSL ES 3.00 for scalar functions: float32 on a graphics processor, for pictures and not for proofs. */
import type { Node } from "../native/graph/graph.ts";
import { UnsupportedError } from "../program.ts";
import {
  call,
  common,
  infix,
  writeStatements,
  type Language,
  type ScalarFunction,
  type Write,
} from "./scalar.ts";

const typeNames: Readonly<Record<string, string>> = {
  float64: "float",
  float32: "float",
  int32: "int",
  uint32: "uint",
  bool: "bool",
};
const typeName = ({ type: { dtype } }: Node): string => typeNames[dtype] ?? "float";

const notANumber = "uintBitsToFloat(0x7fc00000u)";
const infinite = {
  positive: "uintBitsToFloat(0x7f800000u)",
  negative: "uintBitsToFloat(0xff800000u)",
};

const operations: Readonly<Record<string, Write>> = {
  ...common,
  idiv: ([x, y], node) => (typeName(node) === "float" ? `trunc(${x} / ${y})` : `${x} / ${y}`),
  // The sign of the first operand, as in JavaScript.
  mod: ([x, y], node) =>
    typeName(node) === "float" ? `${x} - ${y} * trunc(${x} / ${y})` : `${x} % ${y}`,
  reciprocal: ([x]) => `1.0 / ${x}`,
  sigmoid: ([x]) => `1.0 / (1.0 + exp(-${x}))`,
  // Outside of what they are defined on, the built-in ones give any number.
  log: ([x]) => `(${x} > 0.0 ? log(${x}) : ${x} == 0.0 ? ${infinite.negative} : ${notANumber})`,
  sqrt: ([x]) => `(${x} < 0.0 ? ${notANumber} : sqrt(${x}))`,
  asin: ([x]) => `(abs(${x}) > 1.0 ? ${notANumber} : asin(${x}))`,
  // The built-in one overflows to NaN on some processors.
  tanh: ([x]) => `tanh(clamp(${x}, -20.0, 20.0))`,
  ...Object.fromEntries(
    "floor ceil sin cos atan exp abs min max".split(" ").map((name) => [name, call(name)]),
  ),
  xor: infix("^^"),
  equal: infix("=="),
  notEqual: infix("!="),
  cast: ([x], node) => `${typeName(node)}(${x})`,
};

/** How GLSL ES 3.00 writes scalar functions. */
export const glsl: Language = {
  number(value, node) {
    const type = typeName(node);
    if (type === "bool") return String(value !== 0);
    if (type === "int") return value < 0 ? `(${value})` : String(value);
    if (type === "uint") return `${value}u`;
    const held = Math.fround(value);
    if (Number.isNaN(held)) return notANumber;
    if (!Number.isFinite(held)) return infinite[held > 0 ? "positive" : "negative"];
    const digits = String(Number(held.toPrecision(9)));
    const text = /[.e]/.test(digits) ? digits : `${digits}.0`;
    return held < 0 || Object.is(held, -0) ? `(${Object.is(held, -0) ? "-0.0" : text})` : text;
  },
  declare: (node, name, value) => `${typeName(node)} ${name} = ${value};`,
  operation(node, operands) {
    const write = operations[node.op];
    if (write === undefined) throw new UnsupportedError("scalar", node.op, "GLSL has none");
    return write(operands as [string, string, string], node);
  },
};

/**
 * Source text of a GLSL ES 3.00 function that gives its outputs by `out` parameters, of type float.
 * It differs from the engines: numbers have 24 bits; sin and cos may have 11, less for large arguments,
 * and exp and their kin fewer than 24. Functions are NaN where they are undefined; what becomes of NaN
 * and ±Infinity after that, and of min and max of a NaN, is the processor's affair.
 *
 * @param name of the function; default `evaluate`.
 * @example
 * scalarGlsl(f, "loss"); // "void loss(float x1, float x2, out float value) { … }"
 */
export function scalarGlsl(f: ScalarFunction, name = "evaluate"): string {
  const { lines, outputs } = writeStatements(f, glsl, f.inputs, "t");
  const parameters = [
    ...f.inputs.map((input) => `float ${input}`),
    ...f.outputs.map((output) => `out float ${output}`),
  ];
  const results = f.outputs.map((output, i) => `${output} = float(${outputs[i] ?? "0.0"});`);
  const body = [...lines, ...results].map((line) => `  ${line}\n`).join("");
  return `void ${name}(${parameters.join(", ")}) {\n${body}}`;
}
