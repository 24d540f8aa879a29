/** Functions that ONNX Runtime's CPU provider lacks in float64, or at all. */
import type { Node } from "../graph/graph.ts";
import type { Operators } from "./operators.ts";

/** Arithmetic on lowered nodes, short enough to read formulas. */
const arithmetic = (l: Operators) => ({
  add: (a: Node, b: Node) => l.op("Add", [a, b]),
  sub: (a: Node, b: Node) => l.op("Sub", [a, b]),
  mul: (a: Node, b: Node) => l.op("Mul", [a, b]),
  div: (a: Node, b: Node) => l.op("Div", [a, b]),
  of: (value: number) => l.scalar(value, "float64"),
});

/** A function's float32 value as a first guess in float64. */
const guess = (l: Operators, name: string, x: Node): Node =>
  l.cast(l.op(name, [l.cast(x, "float32")]), "float64");

/** ONNX Runtime has this kernel, but fuses x·sigmoid(x) into one it lacks. */
export function sigmoid(l: Operators, x: Node): Node {
  const one = l.scalar(1, "float64");
  return l.op("Reciprocal", [l.op("Add", [l.op("Exp", [l.op("Neg", [x])]), one])]);
}

/** atan x = y + atan((x cos y − sin y)/(cos y + x sin y)); with y from float32 the rest is ~1e-7. */
export function atan(l: Operators, x: Node): Node {
  const { add, sub, mul, div } = arithmetic(l);
  const y = guess(l, "Atan", x);
  const [sine, cosine] = [l.op("Sin", [y]), l.op("Cos", [y])];
  const rest = div(sub(mul(x, cosine), sine), add(cosine, mul(x, sine)));
  return add(y, rest);
}

/** asin x = y + asin(x cos y − √(1 − x²) sin y); near ±1 the rest r is ~1e-4: r + r³/6 + 3r⁵/40. */
export function asin(l: Operators, x: Node): Node {
  const { add, sub, mul, of } = arithmetic(l);
  const y = guess(l, "Asin", x);
  const [sine, cosine] = [l.op("Sin", [y]), l.op("Cos", [y])];
  const root = l.op("Sqrt", [mul(sub(of(1), x), add(of(1), x))]);
  const r = sub(mul(x, cosine), mul(root, sine));
  const square = mul(r, r);
  const series = add(of(1), mul(square, add(of(1 / 6), mul(square, of(3 / 40)))));
  return add(y, mul(r, series));
}

// Rational approximations of W. J. Cody, Math. Comp. 23 (1969), as in his CALERF: relative error
// below 1e-16 on |x| ≤ 0.46875 (erf), 0.46875…4 and 4…∞ (erfc).
const small = {
  p: [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694],
  q: [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171],
} as const; // prettier-ignore
const middle = {
  p: [2.1531153547440383e-08, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972],
  q: [1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597, 4362.619090143247, 3439.3676741437216, 1230.3393548037495],
} as const; // prettier-ignore
const large = {
  p: [0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275, 0.0006587491615298378],
  q: [1, 2.568520192289822, 1.8729528499234604, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918],
} as const; // prettier-ignore

function erfParts(l: Operators, x: Node) {
  const { add, sub, mul, div, of } = arithmetic(l);
  const polynomial = (coefficients: readonly number[], at: Node) =>
    coefficients
      .slice(1)
      .reduce<Node>((sum, c) => add(mul(sum, at), of(c)), of(coefficients[0] ?? 0));
  const ratio = ({ p, q }: { p: readonly number[]; q: readonly number[] }, at: Node) =>
    div(polynomial(p, at), polynomial(q, at));
  const magnitude = l.op("Abs", [x]);
  const isSmall = l.op("LessOrEqual", [magnitude, of(0.46875)], {}, "bool");
  const isLarge = l.op("Less", [of(4), magnitude], {}, "bool");
  const inner = mul(x, ratio(small, mul(x, x)));
  // exp(−y²) with y² split, so that its rounding error is not multiplied by y².
  const y = l.op("Min", [l.op("Max", [magnitude, of(0.46875)]), of(27)]);
  const head = div(l.op("Floor", [mul(y, of(16))]), of(16));
  const tail = mul(sub(y, head), add(y, head));
  const gauss = mul(
    l.op("Exp", [l.op("Neg", [mul(head, head)])]),
    l.op("Exp", [l.op("Neg", [tail])]),
  );
  const inverse = div(of(1), mul(y, y));
  const far = div(sub(of(1 / Math.sqrt(Math.PI)), mul(inverse, ratio(large, inverse))), y);
  const outer = mul(gauss, l.op("Where", [isLarge, far, ratio(middle, y)], {}, "float64"));
  const negative = l.op("Less", [x, of(0)], {}, "bool");
  return { inner, outer, isSmall, negative };
}

export function erf(l: Operators, x: Node): Node {
  const { sub, of } = arithmetic(l);
  const { inner, outer, isSmall, negative } = erfParts(l, x);
  const [below, above] = [sub(outer, of(1)), sub(of(1), outer)];
  const far = l.op("Where", [negative, below, above], {}, "float64");
  return l.op("Where", [isSmall, inner, far], {}, "float64");
}

/** Computed in float64 for float32 too, where 1 − erf x would lose all digits for large x. */
export function erfc(l: Operators, x: Node): Node {
  const { sub, of } = arithmetic(l);
  const { inner, outer, isSmall, negative } = erfParts(l, l.cast(x, "float64"));
  const far = l.op("Where", [negative, sub(of(2), outer), outer], {}, "float64");
  return l.cast(l.op("Where", [isSmall, sub(of(1), inner), far], {}, "float64"), x.type.dtype);
}

/**
 * float32 from its bits: ±(mantissa)·2^(exponent − 150), exact. The powers come from a table.
 * Bits of infinities and NaN are read as infinities.
 */
export function floatFromBits(l: Operators, bits: Node): Node {
  const word = (value: number) => l.scalar(value, "uint32");
  const right = (x: Node, by: number) => l.op("BitShift", [x, word(by)], { direction: "RIGHT" });
  const and = (x: Node, mask: number) => l.op("BitwiseAnd", [x, word(mask)]);
  const exponent = and(right(bits, 23), 0xff);
  const hidden = l.op("BitShift", [l.op("Min", [exponent, word(1)]), word(23)], {
    direction: "LEFT",
  });
  const mantissa = l.cast(l.op("BitwiseOr", [and(bits, 0x7fffff), hidden]), "float32");
  const powers = Float64Array.from({ length: 256 }, (_, e) =>
    e === 255 ? Infinity : 2 ** (Math.max(e, 1) - 150),
  );
  // Two factors: 2^(e − 150) alone would underflow float32.
  const table = l.constant(
    powers.map((power) => power * 2 ** 23),
    "float32",
    [256],
  );
  const index = l.cast(exponent, "int64");
  const power = l.op("Gather", [table, index], { axis: 0 }, "float32", index.type.shape);
  const magnitude = l.op("Mul", [l.op("Mul", [mantissa, l.scalar(2 ** -23, "float32")]), power]);
  const negative = l.cast(right(bits, 31), "bool");
  return l.op("Where", [negative, l.op("Neg", [magnitude]), magnitude], {}, "float32");
}
