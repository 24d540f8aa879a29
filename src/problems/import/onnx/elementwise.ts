/** Elementwise operators of ONNX, with derivatives right to the last digits of their dtype. */
import { lax, np } from "../../../engine/jax-js.ts";
import { add, divide, multiply, scalar, select, square, subtract } from "../../../engine/arrays.ts";
import { activations, erf } from "../../networks/activations.ts";
import type { Call, Operator, Operators } from "./call.ts";
import { kindOf } from "./graph.ts";
import { Known, toArray, type Value } from "./known.ts";

const unary =
  (compute: (x: np.Array, call: Call) => np.Array): Operator =>
  (call) =>
    compute(call.array(0), call);

const binary =
  (compute: (a: np.Array, b: np.Array) => np.Array): Operator =>
  (call) =>
    compute(call.array(0), call.array(1));

const fold =
  (compute: (a: np.Array, b: np.Array) => np.Array): Operator =>
  (call) =>
    call.arrays().reduce((a, b) => compute(a, b));

const isFloat = (x: np.Array) => x.dtype === np.float32 || x.dtype === np.float64;

const plus = (x: np.Array, value: number) => np.add(x, scalar(value, x));
const times = (x: np.Array, value: number) => np.multiply(x, scalar(value, x));
const constant = (value: number, like: np.Array) => scalar(value, like);

/** σ(x) = (1 + tanh(x/2))/2, which cannot overflow. */
const sigmoid = (x: np.Array) => plus(times(np.tanh(times(x, 0.5)), 0.5), 0.5);

/** ln(1 + eˣ), with the larger of 0 and x taken out: its derivatives are σ(x) and σ(x)σ(−x). */
function softplus(x: np.Array): np.Array {
  const most = lax.stopGradient(np.maximum(x.ref, constant(0, x)));
  const sum = np.add(np.exp(subtract(x, most)), np.exp(np.negative(most.ref)));
  return np.add(most, np.log(sum));
}

/** x where it is positive, else `below`; what `below` would be for positive x is not looked at. */
function negativeSide(x: np.Array, below: (x: np.Array) => np.Array): np.Array {
  const zero = constant(0, x);
  const isAbove = np.greater(x.ref, zero.ref);
  // Cut first: eˣ overflows on the side that is not taken, and its derivative would be NaN.
  return np.where(isAbove, x.ref, below(np.minimum(x.ref, zero)));
}

const expLess1 = (x: np.Array) => plus(np.exp(x), -1);

/** ½x(1 + tanh(√(2/π)(x + 0.044715x³))), the approximate form (Hendrycks & Gimpel 2016). */
function geluTanh(x: np.Array): np.Array {
  const inner = times(add(x, times(multiply(x, square(x)), 0.044715)), Math.sqrt(2 / Math.PI));
  return multiply(times(x.ref, 0.5), plus(np.tanh(inner), 1));
}

/** |x|, with the derivative 0 at 0, as in PyTorch. */
const absolute = (x: np.Array) =>
  isFloat(x) ? multiply(x, lax.stopGradient(np.sign(x.ref))) : np.absolute(x);

/** Integers divide towards 0, as in C. */
function quotient(a: np.Array, b: np.Array): np.Array {
  if (isFloat(a) || isFloat(b)) return divide(a, b);
  const size = np.floorDivide(np.absolute(a.ref), np.absolute(b.ref));
  const isNegative = np.notEqual(np.less(a, 0), np.less(b, 0));
  return np.where(isNegative, np.negative(size.ref), size);
}

/** x to a power that is known: whole ones by multiplication, which is right for negative x, too. */
function power(call: Call): Value {
  const x = call.array(0);
  const exponent = call.inputs[1];
  const [value] = exponent instanceof Known && exponent.data.length === 1 ? [exponent.data[0]] : [];
  if (value === undefined) return np.power(x, call.array(1));
  const root = (a: np.Array) => np.sqrt(a);
  const shape = [...x.shape];
  const wide = exponent?.shape.length ?? 0;
  const result = ((): np.Array => {
    if (Math.abs(value) === 0.5) return value < 0 ? np.reciprocal(root(x)) : root(x);
    if (Number.isInteger(value) && Math.abs(value) <= 64) {
      const whole = wholePower(x, Math.abs(value));
      return value < 0 ? np.reciprocal(whole) : whole;
    }
    return np.power(x, toArray(new Known("float", [], [value]), call.dtype));
  })();
  // A power of shape [1, 1] makes a list a matrix.
  return wide > shape.length
    ? result.reshape([...Array<number>(wide - shape.length).fill(1), ...shape])
    : result;
}

function wholePower(x: np.Array, n: number): np.Array {
  if (n === 0) return np.onesLike(x);
  if (n === 1) return x;
  const half = wholePower(x.ref, Math.floor(n / 2));
  return n % 2 === 0 ? square(half) : multiply(square(half), x);
}

function cast(call: Call): Value {
  const kind = kindOf(call.number("to", 0), call.node.name);
  return castTo(call, kind);
}

function castTo(call: Call, kind: "float" | "int" | "bool"): Value {
  const [value] = call.inputs;
  if (value instanceof Known) {
    const { shape, data } = value;
    const convert = { float: Number, int: Math.trunc, bool: (x: number) => Number(x !== 0) }[kind];
    return new Known(kind, shape, Array.from(data, convert));
  }
  const x = call.array(0);
  if (kind === "float") return x.astype(np[call.dtype]);
  if (kind === "bool") return x.dtype === np.bool ? x : np.notEqual(x, constant(0, x));
  // Floats are cut towards 0.
  return (isFloat(x) ? np.trunc(x) : x).astype(np.int32);
}

function castLike(call: Call): Value {
  const like = call.inputs[1];
  if (like instanceof Known) return castTo(call, like.kind);
  const { dtype } = call.array(1);
  return castTo(call, dtype === np.bool ? "bool" : dtype === np.int32 ? "int" : "float");
}

function clip(call: Call): Value {
  const [least, most] = [call.optional(1), call.optional(2)];
  const raised = least ? np.maximum(call.array(0), least) : call.array(0);
  return most ? np.minimum(raised, most) : raised;
}

/** Kept with chance 1 − ratio and divided by it. Outside of training, the input itself. */
function dropout(call: Call): Value[] {
  const x = call.array(0);
  const ratio = call.inputs[1] === undefined ? 0.5 : (call.numbers(1)[0] ?? 0.5);
  const isTraining = call.inputs[2] !== undefined && call.numbers(2)[0] === 1;
  const drawn = isTraining && ratio > 0 ? call.uniform(x.shape) : undefined;
  if (drawn === undefined) return [x];
  const isKept = np.greaterEqual(drawn, ratio);
  return [np.where(isKept, divide(x, constant(1 - ratio, x)), np.zerosLike(x.ref))];
}

export const elementwise: Operators = {
  Identity: ({ inputs: [x] }) => [x],
  Cast: cast,
  CastLike: castLike,

  // Arithmetic
  Add: binary((a, b) => np.add(a, b)),
  Sub: binary((a, b) => np.subtract(a, b)),
  Mul: binary((a, b) => np.multiply(a, b)),
  Div: binary(quotient),
  Mod: (call) => {
    const [a, b] = [call.array(0), call.array(1)];
    if (call.number("fmod", 0) === 1) return np.fmod(a, b);
    return np.subtract(a.ref, np.multiply(np.floorDivide(a, b.ref), b));
  },
  Pow: power,
  Max: fold((a, b) => np.maximum(a, b)),
  Min: fold((a, b) => np.minimum(a, b)),
  Sum: fold((a, b) => np.add(a, b)),
  Mean: (call) => {
    const parts = call.arrays();
    const sum = parts.reduce((a, b) => np.add(a, b));
    return divide(sum, constant(parts.length, sum));
  },
  Neg: unary((x) => np.negative(x)),
  Abs: unary(absolute),
  Sign: unary((x) => np.sign(x)),
  Reciprocal: unary((x) => np.reciprocal(x)),
  Sqrt: unary((x) => np.sqrt(x)),
  Exp: unary((x) => np.exp(x)),
  Log: unary((x) => np.log(x)),
  Floor: unary((x) => np.floor(x)),
  Ceil: unary((x) => np.ceil(x)),
  Round: unary((x) => np.round(x)),
  Sin: unary((x) => np.sin(x)),
  Cos: unary((x) => np.cos(x)),
  Tan: unary((x) => np.tan(x)),
  Asin: unary((x) => np.asin(x)),
  Acos: unary((x) => np.acos(x)),
  Atan: unary((x) => np.atan(x)),
  Sinh: unary((x) => times(subtract(np.exp(x.ref), np.exp(np.negative(x))), 0.5)),
  Cosh: unary((x) => times(add(np.exp(x.ref), np.exp(np.negative(x))), 0.5)),
  Tanh: unary((x) => np.tanh(x)),
  Erf: unary(erf),
  Clip: clip,

  // Comparison and choice
  Equal: binary((a, b) => np.equal(a, b)),
  Less: binary((a, b) => np.less(a, b)),
  LessOrEqual: binary((a, b) => np.lessEqual(a, b)),
  Greater: binary((a, b) => np.greater(a, b)),
  GreaterOrEqual: binary((a, b) => np.greaterEqual(a, b)),
  Not: unary((x) => np.logicalNot(x)),
  And: binary((a, b) => np.logicalAnd(a, b)),
  Or: binary((a, b) => np.logicalOr(a, b)),
  Xor: binary((a, b) => np.logicalXor(a, b)),
  IsNaN: unary((x) => np.notEqual(x.ref, x)),
  Where: (call) => select(call.array(0), call.array(1), call.array(2)),

  // Activations
  Relu: unary(activations.relu),
  LeakyRelu: unary((x, call) =>
    negativeSide(x, (below) => times(below, call.number("alpha", 0.01))),
  ),
  PRelu: (call) => negativeSide(call.array(0), (below) => np.multiply(below, call.array(1))),
  Elu: unary((x, call) =>
    negativeSide(x, (below) => times(expLess1(below), call.number("alpha", 1))),
  ),
  Celu: unary((x, call) => {
    const alpha = call.number("alpha", 1);
    return negativeSide(x, (below) => times(expLess1(times(below, 1 / alpha)), alpha));
  }),
  Selu: unary((x, call) => {
    const alpha = call.number("alpha", 1.6732632423543772);
    const gamma = call.number("gamma", 1.0507009873554805);
    return times(
      negativeSide(x, (below) => times(expLess1(below), alpha)),
      gamma,
    );
  }),
  Gelu: unary((x, call) =>
    call.text("approximate", "none") === "tanh" ? geluTanh(x) : activations.gelu(x),
  ),
  Sigmoid: unary(sigmoid),
  Softplus: unary(softplus),
  Softsign: unary((x) => divide(x, plus(absolute(x.ref), 1))),
  HardSigmoid: unary((x, call) => {
    const line = plus(times(x, call.number("alpha", 0.2)), call.number("beta", 0.5));
    return np.clip(line, constant(0, line), constant(1, line));
  }),
  HardSwish: unary((x) => {
    const line = plus(times(x.ref, 1 / 6), 0.5);
    return np.multiply(x, np.clip(line, constant(0, line), constant(1, line)));
  }),
  Mish: unary((x) => multiply(x, np.tanh(softplus(x.ref)))),
  Dropout: dropout,
};
