import type { TensorType } from "../../tensor.ts";
import { beforeEach, expect, test } from "vitest";
import { Builder } from "./builder.ts";
import { constantData, printType, type Node } from "./graph.ts";
import { idiomsIn } from "./idioms.ts";
import { translate } from "./primitives.ts";
import { simplify } from "./simplify.ts";
import { range } from "./shapes.ts";
import { traceFunction } from "../../trace.ts";
import { grad, nn, numpy as np } from "@jax-js/jax";

let b: Builder;
let x: Node;
let y: Node;

beforeEach(() => {
  b = new Builder(simplify);
  x = b.argument("carry", "x", "float32", [4, 3]);
  y = b.argument("carry", "y", "float32", [4, 3]);
});

/** An expression as text: arguments by name, scalars by value. */
function print(node: Node): string {
  if (node.op === "argument") return String(node.attributes["path"]);
  const data = constantData(node);
  if (data !== undefined) return data.length === 1 ? String(data[0]) : "constant";
  const { axis, axes, perm } = node.attributes;
  const list = [...node.inputs.map(print), ...[axis, axes, perm].filter((a) => a !== undefined)];
  return `${node.op}(${list.join(" ")})`;
}

test("equal expressions are one node, in any order of commuting operands", () => {
  expect(b.add(x, y)).toBe(b.add(y, x));
  expect(b.mul(b.add(x, y), y)).toBe(b.mul(y, b.add(y, x)));
  expect(b.constant([1, 2], "float32", [2])).toBe(b.constant([1, 2], "float32", [2]));
  const many = (first: number) => b.constant([first, ...range(99)], "float32", [100]);
  expect(b.constant([1, 11], "float32", [2])).not.toBe(b.constant([11, 1], "float32", [2]));
  expect(many(0)).toBe(many(0));
  expect(many(0)).not.toBe(many(-0));
  expect(b.scalar(0, "float32")).not.toBe(b.scalar(-0, "float32"));
  expect(b.scalar(1, "float32")).not.toBe(b.scalar(1, "float64"));
});

test("identities", () => {
  expect(b.times(x, 1)).toBe(x);
  expect(b.add(x, b.scalar(0, "float32"))).toBe(x);
  expect(b.neg(b.neg(x))).toBe(x);
  expect(print(b.add(x, b.neg(y)))).toBe("sub(x y)");
  expect(print(b.mul(b.neg(x), y))).toBe("neg(mul(x y))");
  expect(print(b.times(b.times(x, 3), 2))).toBe("mul(x 6)");
  expect(print(b.times(x, 0))).toBe("expand(reshape(0))");
  expect(print(b.times(x, 0.1))).toBe(`mul(x ${Math.fround(0.1)})`);
  expect(print(b.add(x, b.add(x, y)))).toBe("add(y mul(x 2))");
});

test("a slice out of one part of a concatenation is a slice of that part", () => {
  const both = b.concatenate([x, y], 1);
  expect(b.slice(both, [0, 0], [4, 3])).toBe(x);
  expect(b.slice(both, [0, 3], [4, 6])).toBe(y);
  expect(b.slice(both, [1, 4], [3, 6])).toBe(b.slice(y, [1, 1], [3, 3]));
  expect(print(b.slice(both, [0, 2], [4, 4]))).toBe("slice(concatenate(x y 1))");
});

test("words are divided by shifting, and mantissas become numbers", () => {
  const word = b.argument("carry", "w", "uint32", [4]);
  const of = (value: number) => b.scalar(value, "uint32");
  expect(print(b.binary("idiv", word, of(512)))).toBe("shiftRight(w 9)");
  expect(print(b.binary("idiv", word, of(511)))).toBe("idiv(w 511)");
  const from = (mantissa: Node) => b.bitcast(b.add(mantissa, of(0x3f800000)), "float32");
  const one = b.scalar(1, "float32");
  expect(print(b.sub(from(b.binary("idiv", word, of(512))), one))).toBe(
    `mul(cast(shiftRight(w 9)) ${2 ** -23})`,
  );
  // A wider one spills into the exponent.
  expect(print(from(b.binary("idiv", word, of(256))))).toMatch(/^bitcast/);
});

test("work happens on unexpanded operands", () => {
  const row = b.argument("carry", "row", "float32", [3]);
  const scalar = b.argument("carry", "s", "float32", []);
  expect(print(b.mul(b.broadcast(row, [4, 3]), x))).toBe("mul(x row)");
  expect(print(b.unary("exp", b.broadcast(row, [4, 3])))).toBe("expand(reshape(exp(row)))");
  // Small factors meet before they meet the large one.
  expect(print(b.mul(b.mul(x, row), scalar))).toBe("mul(x mul(row s))");
  expect(print(b.reduce("sum", b.broadcast(row, [4, 3]), [0]))).toBe("mul(row 4)");
});

test("sums leave factors behind that are constant over the axes", () => {
  const column = b.argument("carry", "column", "float32", [4, 1]);
  expect(print(b.reduce("sum", b.mul(x, column), [1]))).toBe(
    "reshape(mul(column reshape(reduce(x 1))))",
  );
  expect(b.reduce("sum", b.mul(b.mul(x, y), column), [1])).toBe(
    b.reduce("sum", b.mul(b.mul(x, column), y), [1]),
  );
});

test("views commute until contractions absorb them", () => {
  const w = b.argument("carry", "w", "float32", [3, 5]);
  // x·w as jax-js writes it: align axes, multiply, sum the last.
  const left = b.reshape(x, [4, 1, 3]);
  const right = b.reshape(b.transpose(w, [1, 0]), [1, 5, 3]);
  const product = b.contract(left, right, [2], 3);
  expect([print(product), printType(product.type)]).toEqual(["matmul(x w)", "float32[4,5]"]);
  expect(print(b.transpose(product, [1, 0]))).toBe("matmul(transpose(w 1,0) transpose(x 1,0))");
  expect(print(b.reshape(b.transpose(b.reshape(x, [1, 4, 3]), [0, 2, 1]), [3, 4]))).toBe(
    "transpose(x 1,0)",
  );
});

test("choices by what is known are made", () => {
  const p = b.compare("less", b.reduce("sum", x, [0, 1]), b.scalar(0, "float32"));
  const chosen = b.where(p, x, y);
  expect(b.where(p, chosen, b.neg(y))).toBe(b.where(p, x, b.neg(y)));
  expect(print(b.where(b.unary("not", p), x, y))).toBe(print(b.where(p, y, x)));
  expect(b.where(b.scalar(1, "bool"), x, y)).toBe(x);
  expect(b.where(p, x, x)).toBe(x);
});

/** What the graph of a function of one array is after simplification. */
async function graphOf(f: (a: np.Array) => np.Array): Promise<string> {
  b = new Builder(simplify, await idiomsIn(["float32"]));
  x = b.argument("carry", "x", "float32", [4, 3]);
  const traced = await traceFunction((a) => [f(a)], [x.type as TensorType]);
  const fixed = traced.constants.map(({ data, dtype, shape }) =>
    b.constant(data ?? [], dtype, data ? shape : [0]),
  );
  return print(translate(b, traced, [...fixed, x])[0] as Node);
}

test("idioms are found, and so are their derivatives", async () => {
  expect(await graphOf(np.tanh)).toBe("tanh(x)");
  expect(await graphOf(nn.sigmoid)).toBe("sigmoid(x)");
  expect(await graphOf(nn.silu)).toBe("mul(x sigmoid(x))");
  expect(await graphOf((a) => nn.softmax(a, -1))).toBe("softmax(x 1)");
  expect(await graphOf((a) => nn.logSoftmax(a, 0))).toBe("logSoftmax(x 0)");
  const slope = await graphOf((a) => grad((v: np.Array) => np.sum(np.tanh(v)))(a));
  expect(slope).toBe("sub(1 mul(tanh(x) tanh(x)))");
  const bell = await graphOf((a) => grad((v: np.Array) => np.sum(nn.sigmoid(v)))(a));
  expect(bell).toBe("sub(sigmoid(x) mul(sigmoid(x) sigmoid(x)))");
  // With a cotangent other than 1.
  const chained = (f: (v: np.Array) => np.Array) =>
    graphOf((a) => grad((v: np.Array) => np.sum(np.sin(f(v))))(a));
  expect(await chained(np.tanh)).toBe("mul(sub(1 mul(tanh(x) tanh(x))) cos(tanh(x)))");
  expect(await chained(nn.sigmoid)).toBe(
    "mul(sub(sigmoid(x) mul(sigmoid(x) sigmoid(x))) cos(sigmoid(x)))",
  );
  const error = await graphOf((a) =>
    grad((v: np.Array) => np.sum(nn.logSoftmax(v, -1).slice(0, [0, 1])))(a),
  );
  expect(error).toContain("softmax(x 1)");
  expect(error).not.toContain("exp");
});

test("GELU takes as few passes as it can, and so does its derivative", async () => {
  const gelu = (v: np.Array) => nn.gelu(v, { approximate: false });
  const root = Math.fround(-Math.SQRT1_2);
  const z = `mul(x ${root})`;
  const u = `sub(1 erf(${z}))`;
  const value = `mul(mul(${z} ${u}) ${root})`;
  const slope = `sub(${u} mul(${z} exp(sub(${Math.fround(Math.log(4 / Math.PI) / 2)} mul(${z} ${z})))))`;
  expect(await graphOf(gelu)).toBe(value);
  expect(await graphOf((a) => grad((v: np.Array) => np.sum(gelu(v)))(a))).toBe(`mul(${slope} 0.5)`);
  expect(await graphOf((a) => grad((v: np.Array) => np.sum(np.sin(gelu(v))))(a))).toBe(
    `mul(mul(${slope} cos(${value})) 0.5)`,
  );
  expect(await graphOf((v) => nn.gelu(v, { approximate: true }))).toContain("tanh");
});
