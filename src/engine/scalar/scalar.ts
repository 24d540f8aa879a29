/** Scalar functions: functions of a few numbers, traced once and written as plain arithmetic. */
import { useCounts, topological, type Node } from "../native/graph/graph.ts";
import { graphOfStep } from "../native/graph/traced.ts";
import { InputError, unknownName } from "../errors.ts";
import { loadJax, type np } from "../jax-js.ts";
import { UnsupportedError } from "../program.ts";
import { traceStep } from "../trace.ts";
import { elementNames, unroll } from "./unroll.ts";

/** Shapes by name. A scalar `rho: []` is called `rho`; a vector `x: [2]` is called `x1`, `x2`. */
export interface ScalarShapes {
  readonly [name: string]: readonly number[];
}

/** A function from numbers to numbers as arithmetic without loops, equal expressions once. */
export interface ScalarFunction {
  /** Names of the numbers it takes, in order: `x1`, `x2`, `rho`. */
  readonly inputs: readonly string[];
  /** Names of the numbers it gives, in order: `loss`, `gradient1`, `gradient2`. */
  readonly outputs: readonly string[];
  /** What is computed, for the writers. */
  readonly results: readonly Node[];
}

/**
 * Trace a function of scalars and small vectors in float64.
 *
 * @param f Traced, owns its arguments: jax-js arrays by name in, arrays by name out. It may differentiate.
 * @param inputs Shapes of the arguments, none of them of more than one axis.
 * @throws {UnsupportedError} when it uses what is no arithmetic of real numbers: sorting, random
 *   bits, convolutions, indices that depend on the arguments.
 * @example
 * const f = await traceScalar(({ x }) => ({ loss: np.sum(np.square(x)) }), { x: [2] });
 * scalarJavaScript(f); // (x1, x2) => …
 */
export async function traceScalar<const Inputs extends ScalarShapes>(
  f: (inputs: { [Name in keyof Inputs]: np.Array }) => { [name: string]: np.Array },
  inputs: Inputs,
): Promise<ScalarFunction> {
  await loadJax();
  const types = Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => [name, { dtype: "float64" as const, shape }]),
  );
  const traced = await traceStep({
    carry: {},
    inputs: types,
    knobs: {},
    step: (carry, given) => ({ carry, record: f(given as never) }),
  });
  // Leaves come in the order of the alphabet; outputs keep it, inputs have that of `inputs`.
  const records = traced.records.flatMap(({ path, shape }) =>
    elementNames(path.replace(/^records\//, ""), shape),
  );
  const given = Object.entries(inputs).flatMap(([name, shape]) => elementNames(name, shape));
  const all = [...given, ...records];
  const wrong = all.find((name, i) => !/^[A-Za-z]\w*$/.test(name) || all.indexOf(name) !== i);
  if (wrong !== undefined) {
    throw new InputError(`invalid name: ${wrong} (give letters and digits, each name once)`);
  }
  try {
    const results = unroll(await graphOfStep(traced)).flat();
    return { inputs: given, outputs: records, results };
  } catch (error) {
    if (!(error instanceof UnsupportedError) || error.engine === "scalar") throw error;
    throw new UnsupportedError("scalar", error.primitive, "it is no arithmetic (use an engine)");
  }
}

/** The same function with these outputs alone, in this order. */
export function pickOutputs(f: ScalarFunction, outputs: readonly string[]): ScalarFunction {
  const results = outputs.map((name) => {
    const result = f.results[f.outputs.indexOf(name)];
    if (result === undefined) throw unknownName("output", name, f.outputs);
    return result;
  });
  return { inputs: f.inputs, outputs, results };
}

/** How a language writes what a scalar function does. */
export interface Language {
  number(value: number, node: Node): string;
  /** A declaration of a name. */
  declare(node: Node, name: string, value: string): string;
  operation(node: Node, operands: readonly string[]): string;
}

/** Statements that compute a function, and what its outputs are called after them. */
export interface Statements {
  readonly lines: readonly string[];
  /** An expression for each output, a name or a number. */
  readonly outputs: readonly string[];
}

/**
 * Write a function as statements.
 *
 * @param inputs An expression for each input.
 * @param prefix Of the names that are declared: they are `prefix` and a number.
 */
export function writeStatements(
  f: ScalarFunction,
  language: Language,
  inputs: readonly string[],
  prefix: string,
): Statements {
  const order = topological(f.results);
  const uses = useCounts(order, f.results);
  const isResult = new Set(f.results);
  const given = new Map(f.inputs.map((name, i) => [name, inputs[i] as string]));
  const written = new Map<Node, string>();
  const lines: string[] = [];
  for (const node of order) {
    if (node.op === "argument") {
      written.set(node, given.get(node.attributes["path"] as string) as string);
    } else if (node.op === "constant") {
      const [value] = node.attributes["data"] as Float64Array;
      written.set(node, language.number(Number(value), node));
    } else {
      const operands = node.inputs.map((input) => written.get(input) as string);
      const text = language.operation(node, operands);
      // What is used once is written where it is used, unless that line gets long.
      if ((uses.get(node) ?? 0) < 2 && !isResult.has(node) && text.length < 60) {
        written.set(node, `(${text})`);
      } else {
        const name = `${prefix}${lines.length}`;
        lines.push(language.declare(node, name, text));
        written.set(node, name);
      }
    }
  }
  return { lines, outputs: f.results.map((node) => written.get(node) as string) };
}

/** How a language writes one operation of its operands. */
export type Write = (operands: readonly [string, string, string], node: Node) => string;

export const infix =
  (sign: string): Write =>
  ([x, y]) =>
    `${x} ${sign} ${y}`;
export const call =
  (name: string): Write =>
  (operands) =>
    `${name}(${operands.join(", ")})`;

/** Operations that JavaScript and GLSL write alike. */
export const common: Readonly<Record<string, Write>> = {
  add: infix("+"),
  sub: infix("-"),
  mul: infix("*"),
  div: infix("/"),
  neg: ([x]) => `-${x}`,
  not: ([x]) => `!${x}`,
  and: infix("&&"),
  or: infix("||"),
  less: infix("<"),
  lessEqual: infix("<="),
  where: ([condition, x, y]) => `${condition} ? ${x} : ${y}`,
};
