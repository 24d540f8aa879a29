/** Expressions in two variables as people type them: parsed, differentiated, and traced. */
import jsep, { type CoreExpression } from "jsep";
import { excerpt, InputError, reasonOf, unknownName } from "../../engine/errors.ts";
import { np } from "../../engine/jax-js.ts";
import { add, divide, multiply, scalar, select, square, subtract } from "../../engine/arrays.ts";
import type { Point } from "../problem.ts";

/** An expression as plain JSON: numbers, variables, and functions of expressions. */
export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "variable"; readonly name: "x1" | "x2" }
  | {
      readonly kind: "call";
      /** A name of {@link functionNames}, or an operator: `+ - * / % ^ negate < <= > >= == != ?:`. */
      readonly function: string;
      readonly arguments: readonly Expression[];
    };

/** A number with its first and second derivatives in x₁ and x₂. */
interface Jet {
  readonly value: number;
  readonly d: Point;
  /** ∂₁₁, ∂₁₂, ∂₂₂. */
  readonly dd: readonly [number, number, number];
}

/** A function of one number: itself with two derivatives, and traced. */
interface Elementary {
  readonly jet: (x: number) => readonly [value: number, first: number, second: number];
  /** Borrows. */
  readonly traced: (x: np.Array) => np.Array;
}

const elementary: Readonly<Record<string, Elementary>> = {
  sqrt: {
    jet: (x) => [Math.sqrt(x), 0.5 / Math.sqrt(x), -0.25 / (x * Math.sqrt(x))],
    traced: (x) => np.sqrt(x.ref),
  },
  exp: {
    jet: (x) => [Math.exp(x), Math.exp(x), Math.exp(x)],
    traced: (x) => np.exp(x.ref),
  },
  log: {
    jet: (x) => [Math.log(x), 1 / x, -1 / (x * x)],
    traced: (x) => np.log(x.ref),
  },
  sin: {
    jet: (x) => [Math.sin(x), Math.cos(x), -Math.sin(x)],
    traced: (x) => np.sin(x.ref),
  },
  cos: {
    jet: (x) => [Math.cos(x), -Math.sin(x), -Math.cos(x)],
    traced: (x) => np.cos(x.ref),
  },
  tan: {
    jet(x) {
      const t = Math.tan(x);
      return [t, 1 + t * t, 2 * t * (1 + t * t)];
    },
    traced: (x) => np.tan(x.ref),
  },
  asin: {
    jet(x) {
      const c = 1 - x * x;
      return [Math.asin(x), 1 / Math.sqrt(c), x / (c * Math.sqrt(c))];
    },
    traced: (x) => np.arcsin(x.ref),
  },
  acos: {
    jet(x) {
      const c = 1 - x * x;
      return [Math.acos(x), -1 / Math.sqrt(c), -x / (c * Math.sqrt(c))];
    },
    traced: (x) => subtract(scalar(Math.PI / 2, x), np.arcsin(x.ref)),
  },
  atan: {
    jet: (x) => [Math.atan(x), 1 / (1 + x * x), (-2 * x) / (1 + x * x) ** 2],
    traced: (x) => np.arctan(x.ref),
  },
  sinh: {
    jet: (x) => [Math.sinh(x), Math.cosh(x), Math.sinh(x)],
    traced: (x) => np.sinh(x.ref),
  },
  cosh: {
    jet: (x) => [Math.cosh(x), Math.sinh(x), Math.cosh(x)],
    traced: (x) => np.cosh(x.ref),
  },
  tanh: {
    jet(x) {
      const t = Math.tanh(x);
      return [t, 1 - t * t, -2 * t * (1 - t * t)];
    },
    traced: (x) => np.tanh(x.ref),
  },
  abs: {
    jet: (x) => [Math.abs(x), x < 0 ? -1 : 1, 0],
    traced: (x) => np.absolute(x.ref),
  },
  sign: {
    jet: (x) => [Math.sign(x), 0, 0],
    // Three plain numbers: no derivative passes through a choice of them.
    traced: (x) =>
      select(
        np.less(x.ref, scalar(0, x)),
        scalar(-1, x),
        select(np.greater(x.ref, scalar(0, x)), scalar(1, x), scalar(0, x)),
      ),
  },
  floor: { jet: (x) => [Math.floor(x), 0, 0], traced: (x) => np.floor(x.ref) },
  ceil: { jet: (x) => [Math.ceil(x), 0, 0], traced: (x) => np.ceil(x.ref) },
};

/** Other names of these. */
const synonyms: Readonly<Record<string, string>> = { ln: "log", pow: "^", if: "?:" };

/** How many arguments what is not elementary takes. */
const others: Readonly<Record<string, number>> = { "^": 2, "?:": 3, min: 2, max: 2, atan2: 2 };

/** All functions that an expression may call. */
export const functionNames: readonly string[] = [
  ...Object.keys(elementary),
  "atan2",
  "min",
  "max",
  ...Object.keys(synonyms),
];

/** Names of numbers and variables. */
const variables: Readonly<Record<string, "x1" | "x2">> = { x1: "x1", x2: "x2", x: "x1", y: "x2" };
const constants: Readonly<Record<string, number>> = { pi: Math.PI, e: Math.E };

const comparisons: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  "<": (x, y) => x < y,
  "<=": (x, y) => x <= y,
  ">": (x, y) => x > y,
  ">=": (x, y) => x >= y,
  "==": (x, y) => x === y,
  "!=": (x, y) => x !== y,
};

// The parser's operators are those of programs; these are the ones of formulas.
jsep.removeAllBinaryOps();
jsep.removeAllUnaryOps();
for (const operator of ["-", "+"]) jsep.addUnaryOp(operator);
for (const operator of Object.keys(comparisons)) jsep.addBinaryOp(operator, 1);
for (const operator of ["+", "-"]) jsep.addBinaryOp(operator, 2);
for (const operator of ["*", "/", "%"]) jsep.addBinaryOp(operator, 3);
jsep.addBinaryOp("^", 4, true);
// Programs read −x^2 as (−x)^2, formulas do not: so parentheses are kept.
const [open, close] = ["(", ")"].map((sign) => sign.charCodeAt(0));
jsep.hooks.add("gobble-token", function (env) {
  if (this.code !== open) return;
  this.index++;
  const inside = this.gobbleExpressions(close);
  if (this.code !== close) this.throwError("a parenthesis is not closed");
  this.index++;
  env.node = { type: "Group", inside };
});

/** Characters that a formula may have. */
const longest = 2000;

/**
 * A typed expression in one way of writing: without blanks, `x₁` as `x1`, `×` as `*`, `**` as `^`.
 */
export const canonicalText = (text: string): string =>
  text
    .replaceAll(/\s+/g, "")
    .replaceAll("₁", "1")
    .replaceAll("₂", "2")
    .replaceAll(/\*\*/g, "^")
    .replaceAll(/[×·]/g, "*")
    .replaceAll("÷", "/")
    .replaceAll("−", "-")
    .replaceAll("²", "^2")
    .replaceAll("³", "^3")
    .replaceAll("π", "pi");

/**
 * Parse an expression of x1 and x2 (or x and y): + − * / % ^, comparisons, `c ? a : b`, pi, e, and
 * the functions of {@link functionNames}. −x^2 is −(x²), and 2^3^2 is 2^(3²).
 *
 * @throws {InputError} `unknown function "sn" (did you mean "sin"?)`, and such lines.
 * @example
 * parseExpression("sin(x1) * x2^2");
 */
export function parseExpression(text: string): Expression {
  if (typeof text !== "string" || text.trim() === "") {
    throw new InputError("missing f: give an expression such as sin(x1)*x2^2");
  }
  if (text.length > longest) {
    throw new InputError(
      `invalid f: ${text.length} characters (give at most ${longest.toLocaleString("en-US")})`,
    );
  }
  let parsed: Parsed;
  try {
    parsed = jsep(canonicalText(text)) as Parsed;
    // Deep trees overflow the stack here, if not in the parser.
    return expressionOf(parsed, text);
  } catch (error) {
    if (error instanceof InputError) throw error;
    const reason =
      error instanceof RangeError ? "it is nested too deeply" : lowerFirst(reasonOf(error));
    throw new InputError(`invalid f: ${excerpt(text)} (${reason})`);
  }
}

const lowerFirst = (text: string) => text.slice(0, 1).toLowerCase() + text.slice(1);

type Group = { readonly type: "Group"; readonly inside: readonly Parsed[] };
type Parsed = CoreExpression | Group;

function expressionOf(node: Parsed, text: string): Expression {
  const of = (child: unknown) => expressionOf(child as Parsed, text);
  const call = (name: string, ...given: readonly Expression[]): Expression => ({
    kind: "call",
    function: name,
    arguments: given,
  });
  const refuse = (why: string) => new InputError(`invalid f: ${excerpt(text)} (${why})`);
  switch (node.type) {
    case "Group": {
      const [only, ...rest] = node.inside;
      if (only === undefined || rest.length > 0) throw refuse("give one expression in parentheses");
      return of(only);
    }
    case "Literal": {
      const { value } = node;
      if (typeof value !== "number") throw refuse("give numbers, x1, x2 and functions of them");
      return { kind: "number", value };
    }
    case "Identifier": {
      const name = node.name;
      const variable = Object.hasOwn(variables, name) ? variables[name] : undefined;
      if (variable !== undefined) return { kind: "variable", name: variable };
      const value = Object.hasOwn(constants, name) ? constants[name] : undefined;
      if (value !== undefined) return { kind: "number", value };
      throw unknownName("name", name, [...Object.keys(variables), ...Object.keys(constants)]);
    }
    case "UnaryExpression": {
      const inner = of(node.argument);
      return node.operator === "-" ? call("negate", inner) : inner;
    }
    case "BinaryExpression": {
      const left = node.left as Parsed;
      // −x^2: the parser took the sign with the base.
      if (node.operator === "^" && left.type === "UnaryExpression") {
        const power = of({ ...(node as object), left: left.argument });
        return left.operator === "-" ? call("negate", power) : power;
      }
      return call(node.operator, of(left), of(node.right));
    }
    case "ConditionalExpression":
      return call("?:", of(node.test), of(node.consequent), of(node.alternate));
    case "CallExpression": {
      const callee = node.callee as Parsed;
      if (callee.type !== "Identifier") throw refuse("call functions by their names");
      const typed = callee.name;
      if (!functionNames.includes(typed)) throw unknownName("function", typed, functionNames);
      const name = (Object.hasOwn(synonyms, typed) && synonyms[typed]) || typed;
      const given = node.arguments as readonly Parsed[];
      const wanted = others[name] ?? 1;
      if (given.length !== wanted) {
        throw new InputError(`invalid ${typed}: ${given.length} arguments (give ${wanted})`);
      }
      return call(name, ...given.map(of));
    }
    default:
      throw refuse("give one expression of numbers, x1, x2 and functions of them");
  }
}

/** Whether an expression depends on x₁ or x₂. */
export const usesVariables = (tree: Expression): boolean =>
  tree.kind === "variable" || (tree.kind === "call" && tree.arguments.some(usesVariables));

/** The whole number that an exponent is, where repeated products are shorter than a logarithm. */
function wholeExponent(tree: Expression): number | undefined {
  if (usesVariables(tree)) return undefined;
  const { value } = jetOf(tree, [0, 0]);
  return Number.isInteger(value) && Math.abs(value) <= 64 ? value : undefined;
}

// Derivatives in plain numbers

const plain = (value: number): Jet => ({ value, d: [0, 0], dd: [0, 0, 0] });
const linear = (a: number, x: Jet, b: number, y: Jet): Jet => ({
  value: a * x.value + b * y.value,
  d: [a * x.d[0] + b * y.d[0], a * x.d[1] + b * y.d[1]],
  dd: [a * x.dd[0] + b * y.dd[0], a * x.dd[1] + b * y.dd[1], a * x.dd[2] + b * y.dd[2]],
});
const times = (x: Jet, y: Jet): Jet => ({
  value: x.value * y.value,
  d: [x.d[0] * y.value + x.value * y.d[0], x.d[1] * y.value + x.value * y.d[1]],
  dd: [
    x.dd[0] * y.value + 2 * x.d[0] * y.d[0] + x.value * y.dd[0],
    x.dd[1] * y.value + x.d[0] * y.d[1] + x.d[1] * y.d[0] + x.value * y.dd[1],
    x.dd[2] * y.value + 2 * x.d[1] * y.d[1] + x.value * y.dd[2],
  ],
});
/** f(x) by the chain rule. */
const chain = ([value, first, second]: readonly [number, number, number], x: Jet): Jet => ({
  value,
  d: [first * x.d[0], first * x.d[1]],
  dd: [
    first * x.dd[0] + second * x.d[0] * x.d[0],
    first * x.dd[1] + second * x.d[0] * x.d[1],
    first * x.dd[2] + second * x.d[1] * x.d[1],
  ],
});
const inverse = (x: Jet): Jet => {
  const r = 1 / x.value;
  return chain([r, -r * r, 2 * r * r * r], x);
};

/**
 * Value, gradient and Hessian of an expression at a point, in float64.
 *
 * Where it has a kink they are those of one side.
 */
export function jetOf(tree: Expression, at: Point): Jet {
  if (tree.kind === "number") return plain(tree.value);
  if (tree.kind === "variable") {
    return tree.name === "x1"
      ? { value: at[0], d: [1, 0], dd: [0, 0, 0] }
      : { value: at[1], d: [0, 1], dd: [0, 0, 0] };
  }
  const [p, q, r] = tree.arguments as [Expression, Expression, Expression];
  const own = elementary[tree.function];
  const x = jetOf(p, at);
  if (own !== undefined) return chain(own.jet(x.value), x);
  if (tree.function === "negate") return linear(-1, x, 0, plain(0));
  if (tree.function === "?:") return jetOf(x.value !== 0 ? q : r, at);
  const y = jetOf(q, at);
  const compare = comparisons[tree.function];
  if (compare !== undefined) return plain(Number(compare(x.value, y.value)));
  switch (tree.function) {
    case "+":
      return linear(1, x, 1, y);
    case "-":
      return linear(1, x, -1, y);
    case "*":
      return times(x, y);
    case "/":
      return times(x, inverse(y));
    case "%":
      return linear(1, x, -Math.trunc(x.value / y.value), y);
    case "min":
      return x.value < y.value ? x : y;
    case "max":
      return x.value < y.value ? y : x;
    case "atan2": {
      // Of the smaller by the larger; constants of the angle have no derivative.
      const isFlat = Math.abs(x.value) <= Math.abs(y.value);
      const quotient = isFlat ? times(x, inverse(y)) : times(y, inverse(x));
      const t = quotient.value;
      const first = (isFlat ? 1 : -1) / (1 + t * t);
      const turned = chain([0, first, (-2 * t * first) / (1 + t * t)], quotient);
      // A zero has no sign in a formula: −0 + 0 is 0, and on the left the angle is π.
      // The origin has no angle.
      const value = Number.isNaN(t) ? NaN : Math.atan2(x.value + 0, y.value);
      return { ...turned, value };
    }
    case "^": {
      if (!usesVariables(q)) {
        const n = y.value;
        const v = x.value;
        // 0·∞ is none of x, 1 and x⁰.
        const first = n === 0 ? 0 : n * v ** (n - 1);
        const second = n === 0 || n === 1 ? 0 : n * (n - 1) * v ** (n - 2);
        return chain([v ** n, first, second], x);
      }
      const log = chain([Math.log(x.value), 1 / x.value, -1 / x.value ** 2], x);
      const exponent = times(y, usesVariables(p) ? log : plain(Math.log(x.value)));
      const value = Math.exp(exponent.value);
      return chain([value, value, value], exponent);
    }
    default:
      throw unknownName("function", tree.function, functionNames);
  }
}

// Traced

/**
 * The expression of two traced scalars, which it borrows. Powers with whole exponents are products;
 * others are exp(b log a), NaN for a < 0.
 */
export function traceExpression(tree: Expression, x1: np.Array, x2: np.Array): np.Array {
  const of = (child: Expression) => traceExpression(child, x1, x2);
  const number = (value: number) => scalar(value, x1);
  if (tree.kind === "number") return number(tree.value);
  if (tree.kind === "variable") return tree.name === "x1" ? x1.ref : x2.ref;
  // What depends on nothing is a number, to the last digit.
  if (!usesVariables(tree)) return number(jetOf(tree, [0, 0]).value);
  const [p, q, r] = tree.arguments as [Expression, Expression, Expression];
  const own = elementary[tree.function];
  if (own !== undefined) return own.traced(of(p));
  if (tree.function === "negate") return np.negative(of(p));
  if (tree.function === "?:") return select(condition(p, of, number), of(q), of(r));
  if (comparisons[tree.function] !== undefined) {
    return select(condition(tree, of, number), number(1), number(0));
  }
  const [x, y] = [of(p), of(q)];
  switch (tree.function) {
    case "+":
      return add(x, y);
    case "-":
      return subtract(x, y);
    case "*":
      return p.kind === "variable" && q.kind === "variable" && p.name === q.name
        ? square(x)
        : multiply(x, y);
    case "/":
      return divide(x, y);
    case "%": {
      // x − y·trunc(x/y); whole numbers have no derivative.
      const quotient = divide(x, y);
      const down = np.floor(quotient.ref);
      const whole = select(np.less(quotient.ref, number(0)), np.ceil(quotient), down);
      return subtract(x, multiply(y, whole));
    }
    case "min":
      return select(np.less(x.ref, y.ref), x, y);
    case "max":
      return select(np.less(x.ref, y.ref), y, x);
    case "atan2":
      return angle(x, y, number);
    case "^": {
      const n = wholeExponent(q);
      if (n !== undefined) return n < 0 ? divide(number(1), power(x, -n)) : power(x, n);
      if (!usesVariables(q) && jetOf(q, [0, 0]).value === 0.5) return np.sqrt(x.ref);
      const log = usesVariables(p) ? np.log(x.ref) : number(Math.log(jetOf(p, [0, 0]).value));
      return np.exp(multiply(log, y));
    }
    default:
      throw unknownName("function", tree.function, functionNames);
  }
}

/** An expression as true or false. */
function condition(
  tree: Expression,
  of: (tree: Expression) => np.Array,
  number: (value: number) => np.Array,
): np.Array {
  if (tree.kind !== "call" || comparisons[tree.function] === undefined) {
    return np.notEqual(of(tree), number(0));
  }
  const [x, y] = tree.arguments.map(of) as [np.Array, np.Array];
  switch (tree.function) {
    case "<":
      return np.less(x, y);
    case "<=":
      return np.lessEqual(x, y);
    case ">":
      return np.greater(x, y);
    case ">=":
      return np.greaterEqual(x, y);
    case "==":
      return np.equal(x, y);
    default:
      return np.notEqual(x, y);
  }
}

/** xⁿ by repeated squares, n ≥ 0. */
function power(x: np.Array, n: number): np.Array {
  if (n === 0) return scalar(1, x);
  if (n === 1) return x;
  const half = power(x, Math.floor(n / 2));
  return n % 2 === 0 ? square(half) : multiply(square(half), x);
}

/** The angle of (x, y), −π to π: of its slope, and π more to the left. */
function angle(y: np.Array, x: np.Array, number: (value: number) => np.Array): np.Array {
  const zero = number(0);
  const steep = np.less(np.absolute(x.ref), np.absolute(y.ref));
  // atan of the smaller by the larger: both quotients are in [−1, 1].
  const one = number(1);
  const flat = np.arctan(divide(y, select(steep, one, x)));
  const upright = np.arctan(divide(x, select(steep, y, one)));
  const side = (positive: np.Array, value: number) =>
    select(np.less(positive.ref, zero.ref), number(-value), number(value));
  const left = select(np.less(x.ref, zero.ref), side(y, Math.PI), zero);
  return select(steep, subtract(side(y, Math.PI / 2), upright), add(flat, left));
}
