/** JavaScript for scalar functions: float64, as the engines compute it, without arrays and calls between. */
import { isFloat } from "../native/graph/constants.ts";
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

const operations: Readonly<Record<string, Write>> = {
  ...common,
  mod: infix("%"),
  idiv: ([x, y]) => `Math.trunc(${x} / ${y})`,
  reciprocal: ([x]) => `1 / ${x}`,
  sigmoid: ([x]) => `1 / (1 + Math.exp(-${x}))`,
  ...Object.fromEntries(
    "floor ceil sin cos asin atan exp log sqrt abs tanh min max"
      .split(" ")
      .map((name) => [name, call(`Math.${name}`)]),
  ),
  xor: infix("!=="),
  equal: infix("==="),
  notEqual: infix("!=="),
  cast([x], { inputs: [from], type: { dtype } }) {
    if (from.type.dtype === "bool") return `${x} ? 1 : 0`;
    if (dtype === "bool") return `${x} !== 0`;
    if (dtype === "float32") return `Math.fround(${x})`;
    if (isFloat(dtype) || !isFloat(from.type.dtype)) return x;
    // Saturating, and 0 for NaN.
    if (dtype === "int32")
      return `Math.trunc(Math.min(2147483647, Math.max(-2147483648, ${x} || 0)))`;
    return `Math.trunc(Math.min(4294967295, Math.max(0, ${x} || 0)))`;
  },
};

/** Operations whose whole numbers wrap around in an engine, which plain numbers do not. */
const isWrapping = (op: string) => op === "add" || op === "sub" || op === "mul" || op === "neg";

/** How JavaScript writes scalar functions. */
export const javaScript: Language = {
  number(value, { type: { dtype } }) {
    if (dtype === "bool") return String(value !== 0);
    if (Object.is(value, -0) || value < 0) return `(${Object.is(value, -0) ? "-0" : value})`;
    return String(value);
  },
  declare: (_, name, value) => `const ${name} = ${value};`,
  operation(node, operands) {
    const { op, type } = node;
    const write = operations[op];
    if (write === undefined) throw new UnsupportedError("scalar", op, "JavaScript has none");
    const text = write(operands as [string, string, string], node);
    const isWhole = type.dtype === "int32" && isWrapping(op);
    if (isWhole) return op === "mul" ? `Math.imul(${operands.join(", ")})` : `(${text}) | 0`;
    const rounds = type.dtype === "float32" && !["where", "cast", "neg"].includes(op);
    return rounds ? `Math.fround(${text})` : text;
  },
};

/**
 * Source text of a JavaScript function: it takes the function's inputs as numbers and returns its
 * outputs as a list, with IEEE double arithmetic throughout. NaN and ±Infinity go through as IEEE
 * has it; sin, exp and their kin are the host's `Math`.
 *
 * @example
 * scalarJavaScript(f); // "(x1, x2) => {\n  const t0 = …;\n  return [t0, t1];\n}"
 */
export function scalarJavaScript(f: ScalarFunction): string {
  const { lines, outputs } = writeStatements(f, javaScript, f.inputs, "t");
  const body = lines.map((line) => `  ${line}\n`).join("");
  const results = outputs.map((output, i) =>
    f.results[i]?.type.dtype === "bool" ? `Number(${output})` : output,
  );
  return `(${f.inputs.join(", ")}) => {\n${body}  return [${results.join(", ")}];\n}`;
}

/** A scalar function that runs: outputs in order, as a list. */
export type CompiledScalar = (...inputs: number[]) => number[];

/**
 * Compile a scalar function. Where a page's policy forbids `new Function` (no `unsafe-eval`), put
 * `export default` before the text of {@link scalarJavaScript} and import it as a module instead.
 */
export const compileScalar = (f: ScalarFunction): CompiledScalar =>
  evaluateSource(scalarJavaScript(f)) as CompiledScalar;

/** The value of an expression in JavaScript that this library wrote. */
export const evaluateSource = (source: string): unknown =>
  // oxlint-disable-next-line no-implied-eval, typescript/no-implied-eval, no-new-func -- it was written here, of arithmetic alone
  new Function(`"use strict"; return (${source});`)();
