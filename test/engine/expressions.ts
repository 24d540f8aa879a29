/** Expressions in the compiler's operations: their arguments, and what each is made of after simplification. */
import { expect } from "vitest";
import {
  constantData,
  type ElementType,
  type Node,
  type ValueType,
} from "../../src/engine/native/graph/graph.ts";
import type { Operations, Plain } from "./plain.ts";
import { numbers } from "./steps.ts";

export const type = (dtype: ElementType, ...shape: number[]): ValueType => ({ dtype, shape });

/** Arguments of expressions. */
export const types = {
  x: type("float32", 4, 3),
  y: type("float32", 4, 3),
  z: type("float32", 4, 3),
  row: type("float32", 3),
  other: type("float32", 3),
  column: type("float32", 4, 1),
  tall: type("float32", 4, 1),
  s: type("float32"),
  r: type("float32"),
  single: type("float32", 1, 1),
  cube: type("float32", 2, 3, 4),
  thin: type("float32", 2, 1, 4),
  left: type("float32", 2, 3, 4),
  right: type("float32", 2, 4, 5),
  w: type("float32", 3, 5),
  none: type("float32", 0, 3),
  d: type("float64", 4, 3),
  i: type("int32", 4, 3),
  words: type("uint32", 4),
  bytes: type("uint8", 4, 3),
  p: type("bool", 4, 3),
  q: type("bool", 4, 3),
  on: type("bool"),
  // From 2¹⁶ elements on a pass over memory is worth a detour.
  long: type("float32", 256, 256),
  narrow: type("float32", 256, 2),
  short: type("float32", 2, 256),
  longDouble: type("float64", 256, 256),
  doubles: type("float64", 256, 2),
} as const satisfies { readonly [name: string]: ValueType };

export type Arguments<V> = { readonly [name in keyof typeof types]: V };
export type Expression = <V>(o: Operations<V>, a: Arguments<V>) => V;

export const entries = Object.entries(types) as [keyof typeof types, ValueType][];

export function values({ dtype, shape }: ValueType, seed: number): Plain {
  const next = numbers(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  const draw = (i: number): number => {
    // Some of every row.
    if (dtype === "bool") return next() < 0 && i % 3 > 0 ? 0 : 1;
    if (dtype === "uint8") return Math.floor((next() + 1) * 128);
    if (dtype === "uint32") return Math.floor((next() + 1) * 2 ** 31);
    if (dtype === "int32") return Math.floor(next() * 9);
    return 2 * next();
  };
  return { dtype, shape, values: Array.from({ length: size }, (_, i) => draw(i)) };
}

export const given = Object.fromEntries(
  entries.map(([name, each], i) => [name, values(each, i + 1)]),
) as Arguments<Plain>;

/** A node as text. */
export function show(node: Node): string {
  const { op, attributes, type: own, inputs } = node;
  const list = (name: string) => (attributes[name] as number[] | undefined) ?? [];
  const data = constantData(node);
  if (op === "argument") return String(attributes["path"]);
  if (data !== undefined) return data.length === 1 ? String(data[0]) : `[${data.join()}]`;
  const about = (() => {
    if (op === "reshape" || op === "expand") return own.shape.join();
    if (op === "slice") {
      return list("starts")
        .map((start, i) => [start, list("ends")[i], list("steps")[i]].join(":"))
        .join();
    }
    if (op === "pad") {
      return list("low")
        .map((low, i) => [low, list("high")[i], list("interior")[i]].join("/"))
        .join();
    }
    const axes = attributes["perm"] ?? attributes["axes"] ?? attributes["axis"];
    return axes === undefined ? undefined : String(axes);
  })();
  const name = String(attributes["reduction"] ?? (op === "cast" ? own.dtype : op));
  return `${name}${about === undefined ? "" : `[${about}]`}(${inputs.map(show).join(" ")})`;
}

export function expectEqual(found: Plain, wanted: Plain, tolerance = 2e-6) {
  expect([found.dtype, found.shape]).toEqual([wanted.dtype, wanted.shape]);
  expect(found.values).toHaveLength(wanted.values.length);
  const scale = Math.max(1, ...wanted.values.map((v) => (Number.isFinite(v) ? Math.abs(v) : 0)));
  // Constants are rounded to float32.
  const isFar = wanted.values.findIndex((value, i) => {
    const difference = Object.is(found.values[i], value)
      ? 0
      : Math.abs((found.values[i] ?? NaN) - value);
    return !(difference <= tolerance * scale);
  });
  if (isFar >= 0) expect.fail(`[${isFar}] is ${found.values[isFar]}, not ${wanted.values[isFar]}`);
}

export type Case = readonly [expression: Expression, simpler: string];

export const cases: { readonly [about: string]: readonly Case[] } = {
  reshape: [
    [(o, { x }) => o.reshape(x, [4, 3]), "x"],
    [(o, { x }) => o.reshape(o.reshape(x, [12]), [2, 6]), "reshape[2,6](x)"],
    [(o, { x }) => o.reshape(o.reshape(x, [12]), [4, 3]), "x"],
    [(o, { bytes }) => o.reshape(o.cast(bytes, "int32"), [12]), "int32(reshape[12](bytes))"],
    [(o, { i }) => o.reshape(o.cast(i, "float32"), [12]), "reshape[12](float32(i))"],
    [
      (o, { row }) => o.reshape(o.broadcast(row, [4, 3]), [2, 2, 3]),
      "expand[2,2,3](reshape[1,1,3](row))",
    ],
    [
      (o, { column }) => o.reshape(o.expand(column, [4, 3]), [12]),
      "reshape[12](expand[4,3](column))",
    ],
    [
      (o, { cube }) => o.reshape(o.transpose(cube, [2, 0, 1]), [4, 6]),
      "transpose[1,0](reshape[6,4](cube))",
    ],
    [
      (o, { cube }) => o.reshape(o.transpose(cube, [1, 0, 2]), [6, 4]),
      "reshape[6,4](transpose[1,0,2](cube))",
    ],
    [
      (o, { cube }) => o.reshape(o.transpose(cube, [2, 0, 1]), [4, 6, 1]),
      "transpose[2,0,1](reshape[6,1,4](cube))",
    ],
    [(o, { none }) => o.reshape(none, [3, 0]), "reshape[3,0](none)"],
  ],
  transpose: [
    [(o, { x }) => o.transpose(x, [0, 1]), "x"],
    [(o, { x }) => o.transpose(x, [1, 0]), "transpose[1,0](x)"],
    [(o, { column }) => o.transpose(column, [1, 0]), "reshape[1,4](column)"],
    [(o, { thin }) => o.transpose(thin, [1, 0, 2]), "reshape[1,2,4](thin)"],
    [(o, { thin }) => o.transpose(thin, [2, 1, 0]), "transpose[2,1,0](thin)"],
    [(o, { x }) => o.transpose(o.transpose(x, [1, 0]), [1, 0]), "x"],
    [
      (o, { cube }) => o.transpose(o.transpose(cube, [1, 0, 2]), [0, 2, 1]),
      "transpose[1,2,0](cube)",
    ],
    [(o, { bytes }) => o.transpose(o.cast(bytes, "int32"), [1, 0]), "int32(transpose[1,0](bytes))"],
    [(o, { i }) => o.transpose(o.cast(i, "float32"), [1, 0]), "transpose[1,0](float32(i))"],
    [
      (o, { thin }) => o.transpose(o.expand(thin, [2, 3, 4]), [2, 1, 0]),
      "expand[4,3,2](transpose[2,1,0](thin))",
    ],
    [
      (o, { x, w }) => o.transpose(o.matmul(x, w), [1, 0]),
      "matmul(transpose[1,0](w) transpose[1,0](x))",
    ],
    [
      (o, { left, right }) => o.transpose(o.matmul(left, right), [0, 2, 1]),
      "matmul(transpose[0,2,1](right) transpose[0,2,1](left))",
    ],
    [
      (o, { left, right }) => o.transpose(o.matmul(left, right), [1, 0, 2]),
      "transpose[1,0,2](matmul(left right))",
    ],
    [
      (o, { left, right }) => o.transpose(o.matmul(left, right), [2, 0, 1]),
      "transpose[2,0,1](matmul(left right))",
    ],
    [(o, { cube }) => o.swapLast(cube), "transpose[0,2,1](cube)"],
  ],
  expand: [
    [(o, { x }) => o.expand(x, [4, 3]), "x"],
    [(o, { column }) => o.expand(column, [4, 3]), "expand[4,3](column)"],
    [(o, { single }) => o.expand(o.expand(single, [4, 1]), [4, 3]), "expand[4,3](single)"],
    [(o, { row }) => o.broadcast(row, [4, 3]), "expand[4,3](reshape[1,3](row))"],
    [(o, { s }) => o.broadcast(s, [2, 2]), "expand[2,2](reshape[1,1](s))"],
    [(o) => o.constant([7, 7, 7, 7], "float32", [2, 2]), "expand[2,2](reshape[1,1](7))"],
    [(o) => o.constant([7, 7, 7, 8], "float32", [4]), "[7,7,7,8]"],
    [(o) => o.constant([8, 7, 7, 7], "float32", [4]), "[8,7,7,7]"],
    [(o) => o.constant([0, -0], "float32", [2]), "[0,0]"],
    [(o) => o.constant([], "float32", [0]), "[]"],
  ],
  slice: [
    [(o, { x }) => o.slice(x, [0, 0], [4, 3]), "x"],
    [(o, { x }) => o.slice(x, [1, 0], [3, 3]), "slice[1:3:1,0:3:1](x)"],
    [(o, { x }) => o.slice(x, [0, 1], [4, 3], [3, 1]), "slice[0:4:3,1:3:1](x)"],
    [(o, { x }) => o.slice(x, [3, 0], [1, 3]), "slice[3:1:1,0:3:1](x)"],
    [(o, { column }) => o.slice(column, [0, 0], [4, 1], [1, 2]), "column"],
    [
      (o, { bytes }) => o.slice(o.cast(bytes, "int32"), [1, 0], [4, 3], [2, 1]),
      "int32(slice[1:4:2,0:3:1](bytes))",
    ],
    [(o, { i }) => o.slice(o.cast(i, "float32"), [1, 0], [2, 3]), "slice[1:2:1,0:3:1](float32(i))"],
    [(o, { x, y, z }) => o.slice(o.concatenate([x, y, z], 0), [4, 0], [8, 3]), "y"],
    [
      (o, { x, y, z }) => o.slice(o.concatenate([x, y, z], 0), [9, 1], [12, 3], [2, 1]),
      "slice[1:4:2,1:3:1](z)",
    ],
    [
      (o, { x, y }) => o.slice(o.concatenate([x, y], 0), [3, 0], [5, 3]),
      "slice[3:5:1,0:3:1](concatenate[0](x y))",
    ],
    [
      (o, { x, y }) => o.slice(o.concatenate([x, y], 0), [0, 1], [8, 3]),
      "slice[0:8:1,1:3:1](concatenate[0](x y))",
    ],
  ],
  flip: [
    [(o, { x }) => o.flip(x, [0, 1]), "flip[0,1](x)"],
    [(o, { column }) => o.flip(column, [0, 1]), "flip[0](column)"],
    [(o, { column }) => o.flip(column, [1]), "column"],
  ],
  pad: [
    [(o, { x }) => o.pad(x, [0, 0], [0, 0]), "x"],
    [(o, { x }) => o.pad(x, [1, 0], [0, 2]), "pad[1/0/0,0/2/0](x)"],
    [(o, { x }) => o.pad(x, [0, 0], [0, 0], [1, 2]), "pad[0/0/1,0/0/2](x)"],
    [(o, { column }) => o.pad(column, [0, 0], [0, 0], [0, 2]), "column"],
    [(o, { none }) => o.pad(none, [1, 0], [1, 0], [2, 0]), "pad[1/1/2,0/0/0](none)"],
    [(o, { x }) => o.pad(x, [-1, 0], [0, 0]), "slice[1:4:1,0:3:1](x)"],
    [(o, { x }) => o.pad(x, [0, 0], [0, -2]), "slice[0:4:1,0:1:1](x)"],
    [(o, { x }) => o.pad(x, [-1, 0], [-1, 0]), "slice[1:3:1,0:3:1](x)"],
    [(o, { x }) => o.pad(x, [1, 0], [-1, 0]), "slice[0:4:1,0:3:1](pad[1/0/0,0/0/0](x))"],
    [(o, { x }) => o.pad(x, [-2, 0], [3, 1]), "slice[2:7:1,0:4:1](pad[0/3/0,0/1/0](x))"],
    [(o, { x }) => o.pad(x, [-1, 2], [0, -1], [1, 1]), "slice[1:7:1,0:6:1](pad[0/0/1,2/0/1](x))"],
  ],
  concatenate: [
    [(o, { x }) => o.concatenate([x], 0), "x"],
    [(o, { x, none, y }) => o.concatenate([none, x, none, y], 0), "concatenate[0](x y)"],
    [(o, { x, none }) => o.concatenate([x, none], 0), "x"],
    [(o, { none }) => o.concatenate([none, none], 0), "none"],
    [(o, { x, column, y }) => o.concatenate([x, column, y], 1), "concatenate[1](x column y)"],
  ],
  "numbers that are known": [
    [(o) => o.unary("sqrt", o.scalar(16, "float32")), "4"],
    [(o) => o.unary("erf", o.scalar(0.5, "float32")), "erf(0.5)"],
    [(o) => o.binary("sub", o.scalar(3, "float32"), o.scalar(5, "float32")), "-2"],
    [(o, { s }) => o.binary("div", o.scalar(3, "float32"), s), "div(3 s)"],
    [(o, { s }) => o.binary("div", s, o.scalar(4, "float32")), "div(s 4)"],
    [(o) => o.compare("less", o.scalar(3, "float32"), o.scalar(5, "float32")), "1"],
    [(o) => o.compare("equal", o.scalar(3, "int32"), o.scalar(5, "int32")), "0"],
    [(o, { s }) => o.compare("less", s, o.scalar(5, "float32")), "less(s 5)"],
    [(o, { s }) => o.compare("less", o.scalar(5, "float32"), s), "less(5 s)"],
    [(o) => o.cast(o.scalar(3.7, "float32"), "int32"), "3"],
    [(o, { x }) => o.cast(x, "float32"), "x"],
    [(o, { x }) => o.cast(x, "int32"), "int32(x)"],
    [(o, { words }) => o.bitcast(words, "uint32"), "words"],
    [(o, { words }) => o.bitcast(words, "int32"), "bitcast(words)"],
    [(o, { words }) => o.bitcast(words, "float32"), "bitcast(words)"],
  ],
  "operands of elementwise work": [
    [(o, { x, row }) => o.add(x, o.broadcast(row, [4, 3])), "add(x row)"],
    [(o, { x, row }) => o.add(o.reshape(row, [1, 3]), x), "add(x row)"],
    [
      (o, { row, column }) => o.add(o.broadcast(row, [4, 3]), o.expand(column, [4, 3])),
      "add(row column)",
    ],
    [(o, { x, single }) => o.mul(x, o.expand(single, [4, 3])), "mul(x reshape[](single))"],
    [(o, { single }) => o.unary("sin", single), "reshape[1,1](sin(reshape[](single)))"],
    [
      (o, { single }) => o.unary("sin", o.expand(single, [1, 3])),
      "expand[1,3](reshape[1,1](sin(reshape[](single))))",
    ],
    [
      (o, { row, column }) => o.mul(o.reshape(row, [3, 1]), o.reshape(column, [1, 4])),
      "mul(reshape[3,1](row) reshape[1,4](column))",
    ],
    [
      (o, { row }) => o.unary("sin", o.expand(o.reshape(row, [3, 1]), [3, 2])),
      "expand[3,2](sin(reshape[3,1](row)))",
    ],
  ],
  reductions: [
    [(o, { x }) => o.reduce("sum", x, [0]), "sum[0](x)"],
    [(o, { x }) => o.reduce("max", x, [0, 1]), "max[0,1](x)"],
    [(o, { thin }) => o.reduce("sum", thin, [1]), "reshape[2,4](thin)"],
    [(o, { thin }) => o.reduce("product", thin, []), "thin"],
    [
      (o, { column }) => o.reduce("sum", o.expand(column, [4, 3]), [1]),
      "mul(reshape[4](column) 3)",
    ],
    [
      (o, { column }) => o.reduce("sum", o.expand(column, [4, 3]), [0, 1]),
      "mul(sum[0,1](column) 3)",
    ],
    [(o, { thin }) => o.reduce("sum", o.expand(thin, [2, 3, 4]), [0]), "expand[3,4](sum[0](thin))"],
    [(o, { column }) => o.reduce("max", o.expand(column, [4, 3]), [1]), "reshape[4](column)"],
    [
      (o, { column }) => o.reduce("min", o.expand(column, [4, 3]), [0]),
      "expand[3](min[0](column))",
    ],
    [
      (o, { column }) => o.reduce("product", o.expand(column, [4, 3]), [1]),
      "product[1](expand[4,3](column))",
    ],
    [(o, { x }) => o.reduce("sum", o.transpose(x, [1, 0]), [0]), "sum[1](x)"],
    [
      (o, { cube }) => o.reduce("max", o.transpose(cube, [2, 0, 1]), [1]),
      "transpose[1,0](max[0](cube))",
    ],
    [(o, { cube }) => o.reduce("min", o.transpose(cube, [2, 1, 0]), [0, 2]), "min[0,2](cube)"],
    [(o, { x }) => o.reduce("sum", o.reshape(x, [12]), [0]), "sum[0,1](x)"],
    [(o, { x }) => o.reduce("max", o.reshape(x, [2, 6]), [0, 1]), "max[0,1](x)"],
    [(o, { x }) => o.reduce("sum", o.reshape(x, [2, 6]), [1]), "sum[1](reshape[2,6](x))"],
    [(o, { x }) => o.reduce("sum", o.neg(x), [1]), "neg(sum[1](x))"],
    [(o, { x }) => o.reduce("max", o.neg(x), [1]), "max[1](neg(x))"],
  ],
  "sums of products": [
    [
      (o, { x, column }) => o.reduce("sum", o.mul(x, column), [1]),
      "reshape[4](mul(column reshape[4,1](sum[1](x))))",
    ],
    [(o, { x, column }) => o.reduce("max", o.mul(x, column), [1]), "max[1](mul(x column))"],
    [(o, { x, row }) => o.reduce("sum", o.mul(x, row), [1]), "sum[1](mul(x row))"],
    [(o, { x, y }) => o.reduce("sum", o.mul(x, y), [1]), "sum[1](mul(x y))"],
    [(o, { x, y }) => o.reduce("sum", o.mul(x, y), [0, 1]), "sum[0,1](mul(x y))"],
    [(o, { x }) => o.reduce("sum", o.times(x, 3), [0]), "mul(sum[0](x) 3)"],
    [(o, { x, s }) => o.reduce("sum", o.mul(x, s), [0]), "mul(s sum[0](x))"],
    [
      (o, { x, y, column }) => o.reduce("sum", o.mul(o.mul(x, y), column), [1]),
      "reshape[4](mul(column reshape[4,1](sum[1](mul(x y)))))",
    ],
    [
      (o, { x, s, column, tall }) => o.reduce("sum", o.mul(o.mul(x, tall), o.mul(column, s)), [1]),
      "reshape[4](mul(s mul(column mul(tall reshape[4,1](sum[1](x))))))",
    ],
    [
      (o, { row, column }) => o.reduce("sum", o.mul(row, column), [1]),
      "reshape[4](mul(column reshape[](sum[1](reshape[1,3](row)))))",
    ],
    [
      (o, { row, column }) => o.reduce("sum", o.mul(row, column), [0, 1]),
      "mul(reshape[](sum[1](reshape[1,3](row))) reshape[](sum[0](column)))",
    ],
    [
      (o, { x, w }) => {
        const wide = o.mul(o.reshape(x, [4, 1, 3]), o.reshape(o.transpose(w, [1, 0]), [1, 5, 3]));
        return o.reduce("sum", wide, [2]);
      },
      "matmul(x w)",
    ],
    [
      (o, { x, s, y }) => o.reduce("sum", o.add(o.mul(x, s), o.times(y, 3)), [1]),
      "add(reshape[4](mul(s reshape[4,1](sum[1](x)))) reshape[4](mul(reshape[4,1](sum[1](y)) 3)))",
    ],
    [
      (o, { x, s, column }) => o.reduce("sum", o.sub(o.mul(x, s), column), [1]),
      "sub(reshape[4](mul(s reshape[4,1](sum[1](x)))) mul(reshape[4](column) 3))",
    ],
    [(o, { x, y }) => o.reduce("sum", o.add(x, o.times(y, 3)), [1]), "sum[1](add(x mul(y 3)))"],
    [(o, { x, y }) => o.reduce("sum", o.sub(o.times(x, 3), y), [1]), "sum[1](sub(mul(x 3) y))"],
    [
      (o, { x, s, y }) => o.reduce("max", o.add(o.mul(x, s), o.times(y, 3)), [1]),
      "max[1](add(mul(x s) mul(y 3)))",
    ],
    [
      (o, { narrow, short }) => o.reduce("sum", o.times(o.matmul(narrow, short), 3), [0]),
      "sum[0](mul(matmul(narrow short) 3))",
    ],
    [
      (o, { narrow, short, s }) => o.reduce("sum", o.mul(o.matmul(narrow, short), s), [0]),
      "mul(s sum[0](matmul(narrow short)))",
    ],
    [
      (o, { narrow, short, s, long }) =>
        o.reduce("sum", o.mul(o.mul(o.matmul(narrow, short), long), s), [0]),
      "mul(s sum[0](mul(long matmul(narrow short))))",
    ],
    [
      (o, { x, w }) => o.reduce("sum", o.times(o.matmul(x, w), 3), [0]),
      "mul(sum[0](matmul(x w)) 3)",
    ],
    [
      (o, { narrow, short }) => {
        const wide = o.matmul(narrow, short);
        return o.reduce("sum", o.times(o.mul(wide, o.unary("sin", wide)), 3), [0]);
      },
      "mul(sum[0](mul(matmul(narrow short) sin(matmul(narrow short)))) 3)",
    ],
  ],
  "products of matrices": [
    [(o, { x, w }) => o.matmul(x, w), "matmul(x w)"],
    [(o, { left, right }) => o.matmul(left, right), "matmul(left right)"],
    [(o, { x, w }) => o.matmul(o.neg(x), w), "neg(matmul(x w))"],
    [(o, { x, w }) => o.matmul(x, o.neg(w)), "neg(matmul(x w))"],
    [(o, { x, w }) => o.matmul(o.times(x, 3), w), "matmul(mul(x 3) w)"],
    [(o, { long, narrow }) => o.matmul(o.times(long, 3), narrow), "mul(matmul(long narrow) 3)"],
    [(o, { long, short }) => o.matmul(short, o.times(long, 3)), "mul(matmul(short long) 3)"],
    [
      (o, { long, narrow }) => o.matmul(o.transpose(o.times(long, 3), [1, 0]), narrow),
      "mul(matmul(transpose[1,0](long) narrow) 3)",
    ],
    [
      (o, { long, narrow }) => {
        const scaled = o.transpose(o.reshape(o.times(long, 3), [256, 2, 128]), [0, 2, 1]);
        return o.matmul(o.reshape(scaled, [256, 256]), narrow);
      },
      "mul(matmul(reshape[256,256](transpose[0,2,1](reshape[256,2,128](long))) narrow) 3)",
    ],
    [(o, { long, narrow, s }) => o.matmul(o.mul(long, s), narrow), "matmul(mul(s long) narrow)"],
    [
      (o, { longDouble, doubles }) => o.matmul(o.times(longDouble, 3), doubles),
      "matmul(mul(longDouble 3) doubles)",
    ],
    [
      (o, { long, narrow }) => o.matmul(o.transpose(o.unary("sin", long), [1, 0]), narrow),
      "matmul(transpose[1,0](sin(long)) narrow)",
    ],
    // A product takes its factor in itself.
    [
      (o, { narrow, short }) => o.matmul(o.times(o.matmul(narrow, short), 3), narrow),
      "matmul(mul(matmul(narrow short) 3) narrow)",
    ],
  ],
  add: [
    [(o, { x }) => o.add(x, o.scalar(0, "float32")), "x"],
    [
      (o, { row }) => o.add(o.constant([0, 0, 0, 0, 0, 0], "float32", [2, 3]), row),
      "expand[2,3](reshape[1,3](row))",
    ],
    [(o, { x }) => o.add(x, o.scalar(1, "float32")), "add(x 1)"],
    [(o, { x, y }) => o.add(x, o.neg(y)), "sub(x y)"],
    [(o, { x, y }) => o.add(o.neg(x), y), "sub(y x)"],
    [(o, { x, y }) => o.add(o.neg(x), o.neg(y)), "neg(add(x y))"],
    [(o, { x }) => o.add(o.add(x, o.scalar(2, "float32")), o.scalar(3, "float32")), "add(x 5)"],
    [(o, { x, s }) => o.add(o.add(x, o.scalar(2, "float32")), s), "add(s add(x 2))"],
    [(o, { x, s }) => o.add(o.add(x, s), o.scalar(3, "float32")), "add(add(x s) 3)"],
    [(o, { x }) => o.add(x, x), "mul(x 2)"],
    [(o, { x, y }) => o.add(o.add(x, y), y), "add(x mul(y 2))"],
    [(o, { x, y }) => o.add(o.add(x, y), x), "add(y mul(x 2))"],
    [(o, { x, y }) => o.add(x, o.add(x, y)), "add(y mul(x 2))"],
    [(o, { x, y, z }) => o.add(o.add(x, y), z), "add(z add(x y))"],
    [(o, { x, y }) => o.add(o.sub(x, y), y), "add(y sub(x y))"],
    [(o, { x, y, row, s }) => o.add(o.add(o.mul(x, s), y), row), "add(y add(row mul(x s)))"],
    [(o, { x, y, row, s }) => o.add(o.add(y, o.mul(x, s)), row), "add(y add(row mul(x s)))"],
    [(o, { x, y, z, s }) => o.add(o.add(o.mul(x, s), y), z), "add(z add(y mul(x s)))"],
    [
      (o, { x, row, other, s }) => o.add(o.add(x, o.mul(row, other)), s),
      "add(s add(x mul(row other)))",
    ],
  ],
  sub: [
    [(o, { x }) => o.sub(o.scalar(0, "float32"), x), "neg(x)"],
    [(o, { x }) => o.sub(x, o.scalar(0, "float32")), "x"],
    [(o, { x }) => o.sub(o.scalar(1, "float32"), x), "sub(1 x)"],
    [(o, { x, y }) => o.sub(x, o.neg(y)), "add(x y)"],
    [(o, { x, y }) => o.sub(o.neg(x), y), "neg(add(x y))"],
    [(o, { x }) => o.sub(x, o.scalar(3, "float32")), "add(x -3)"],
    [(o, { i }) => o.sub(i, o.scalar(3, "int32")), "sub(i 3)"],
    [(o, { d }) => o.sub(d, o.scalar(3, "float64")), "add(d -3)"],
  ],
  mul: [
    [(o, { x }) => o.times(x, 1), "x"],
    [(o, { x }) => o.times(x, 0), "expand[4,3](reshape[1,1](0))"],
    [(o, { x }) => o.times(x, -1), "neg(x)"],
    [
      (o, { row }) => o.mul(o.constant([1, 1, 1, 1, 1, 1], "float32", [2, 3]), row),
      "expand[2,3](reshape[1,3](row))",
    ],
    [(o, { x, y }) => o.mul(x, o.neg(y)), "neg(mul(x y))"],
    [(o, { x, y }) => o.mul(o.neg(x), y), "neg(mul(x y))"],
    [(o, { x, y }) => o.mul(o.neg(x), o.neg(y)), "mul(x y)"],
    [(o, { x }) => o.times(o.neg(x), 3), "mul(x -3)"],
    [(o, { x, row }) => o.mul(o.mul(x, row), o.scalar(3, "float32")), "mul(x mul(row 3))"],
    [(o, { x, row, other }) => o.mul(o.mul(x, row), other), "mul(x mul(row other))"],
    [(o, { x, row, other }) => o.mul(other, o.mul(row, x)), "mul(x mul(row other))"],
    [(o, { x, row, column }) => o.mul(o.mul(x, row), column), "mul(column mul(x row))"],
    [(o, { x, y, row }) => o.mul(o.mul(x, y), row), "mul(row mul(x y))"],
    [(o, { x }) => o.times(o.times(x, 3), 2), "mul(x 6)"],
    [(o, { x, s }) => o.times(o.mul(x, s), 2), "mul(x mul(s 2))"],
    [(o, { s }) => o.times(o.times(s, 3), 2), "mul(s 6)"],
    [(o, { s, r }) => o.times(o.mul(s, r), 2), "mul(mul(s r) 2)"],
    [(o, { s, r }) => o.mul(o.times(s, 2), r), "mul(r mul(s 2))"],
  ],
  "signs and magnitudes": [
    [(o, { x }) => sign(o, x, 1, -1), "where(less(x 0) 1 -1)"],
    [(o, { x }) => o.mul(sign(o, x, -1, 1), sign(o, x, -1, 1)), "expand[4,3](reshape[1,1](1))"],
    [(o, { x }) => o.mul(sign(o, x, -1, 1), x), "abs(x)"],
    [(o, { x }) => o.mul(x, sign(o, x, 1, -1)), "neg(abs(x))"],
    [(o, { x, y }) => o.mul(y, sign(o, x, -1, 1)), "mul(y where(less(x 0) -1 1))"],
    [(o, { x }) => o.mul(x, sign(o, x, 1, 1)), "x"],
    [(o, { x }) => o.mul(x, sign(o, x, 1, -2)), "mul(x where(less(x 0) 1 -2))"],
    [(o, { x }) => o.mul(x, sign(o, x, 2, -1)), "mul(x where(less(x 0) 2 -1))"],
    [
      (o, { x }) => o.mul(sign(o, x, 2, -1), sign(o, x, 2, -1)),
      "mul(where(less(x 0) 2 -1) where(less(x 0) 2 -1))",
    ],
    [
      (o, { x }) => {
        const below = o.compare("less", x, o.scalar(1, "float32"));
        return o.mul(x, o.where(below, o.scalar(-1, "float32"), o.scalar(1, "float32")));
      },
      "mul(x where(less(x 1) -1 1))",
    ],
    [
      (o, { x }) => {
        const below = o.compare("lessEqual", x, o.scalar(0, "float32"));
        return o.mul(x, o.where(below, o.scalar(-1, "float32"), o.scalar(1, "float32")));
      },
      "mul(x where(lessEqual(x 0) -1 1))",
    ],
    [(o, { x }) => o.unary("abs", o.neg(x)), "abs(x)"],
    [(o, { x }) => o.unary("abs", o.unary("abs", x)), "abs(x)"],
    [(o, { x }) => o.unary("abs", o.unary("sin", x)), "abs(sin(x))"],
  ],
  "softmax, spelled out": [
    [(o, { x }) => softmax(o, x, [1]), "softmax[1](x)"],
    [(o, { x }) => softmax(o, x, [0]), "softmax[0](x)"],
    [(o, { cube }) => softmax(o, cube, [1]), "softmax[1](cube)"],
    [
      (o, { x }) => softmax(o, x, [0, 1]),
      "mul(exp(sub(x max[0,1](x))) reciprocal(sum[0,1](exp(sub(x max[0,1](x))))))",
    ],
    [
      (o, { x, y }) => softmax(o, x, [1], y),
      "mul(exp(sub(x reshape[4,1](max[1](y)))) reciprocal(reshape[4,1](sum[1](exp(sub(x reshape[4,1](max[1](y))))))))",
    ],
    [
      (o, { x }) => softmax(o, x, [1], x, "min"),
      "mul(exp(sub(x reshape[4,1](min[1](x)))) reciprocal(reshape[4,1](sum[1](exp(sub(x reshape[4,1](min[1](x))))))))",
    ],
    [(o, { x }) => logSoftmax(o, x, [1]), "logSoftmax[1](x)"],
    [(o, { x }) => logSoftmax(o, x, [0]), "logSoftmax[0](x)"],
    [
      (o, { x }) => logSoftmax(o, x, [0, 1]),
      "sub(sub(x max[0,1](x)) log(sum[0,1](exp(sub(x max[0,1](x))))))",
    ],
    [
      (o, { x }) => logSoftmax(o, x, [1], [0]),
      "sub(sub(x reshape[4,1](max[1](x))) log(sum[0](exp(sub(x reshape[4,1](max[1](x)))))))",
    ],
    [(o, { x, y }) => o.mul(softmax(o, x, [1]), y), "mul(y softmax[1](x))"],
    [
      (o, { x, y }) => {
        const { exponential, inverse } = parts(o, x, [1]);
        return o.mul(exponential, o.mul(y, inverse));
      },
      "mul(y softmax[1](x))",
    ],
    [
      (o, { x, y, z }) => {
        const { exponential, inverse } = parts(o, x, [1]);
        return o.mul(exponential, o.sub(o.mul(y, inverse), o.mul(inverse, z)));
      },
      "mul(sub(y z) softmax[1](x))",
    ],
    [
      (o, { x, y, z }) => {
        const { exponential, inverse } = parts(o, x, [1]);
        return o.mul(exponential, o.add(o.mul(y, inverse), z));
      },
      "mul(exp(sub(x reshape[4,1](max[1](x)))) add(z mul(y reciprocal(reshape[4,1](sum[1](exp(sub(x reshape[4,1](max[1](x))))))))))",
    ],
    [
      (o, { x, y }) => {
        const { exponential, inverse } = parts(o, x, [1]);
        const total = o.reduce("sum", o.mul(exponential, y), [1]);
        return o.mul(inverse, o.reshape(total, [4, 1]));
      },
      "reshape[4,1](sum[1](mul(y softmax[1](x))))",
    ],
    [
      (o, { x, y }) => {
        const { exponential, inverse } = parts(o, x, [1]);
        const total = o.reduce("sum", o.mul(exponential, y), [0]);
        return o.mul(inverse, o.reshape(total, [1, 3]));
      },
      "mul(reciprocal(reshape[4,1](sum[1](exp(sub(x reshape[4,1](max[1](x))))))) sum[0](mul(y exp(sub(x reshape[4,1](max[1](x)))))))",
    ],
    [
      (o, { x, y }) => {
        const { exponential, inverse } = parts(o, x, [1]);
        const total = o.reduce("max", o.mul(exponential, y), [1]);
        return o.mul(inverse, o.reshape(total, [4, 1]));
      },
      "mul(reciprocal(reshape[4,1](sum[1](exp(sub(x reshape[4,1](max[1](x))))))) reshape[4,1](max[1](mul(y exp(sub(x reshape[4,1](max[1](x))))))))",
    ],
    [
      (o, { x, y, z }) => {
        const { exponential } = parts(o, x, [1]);
        const { inverse } = parts(o, z, [1]);
        const total = o.reduce("sum", o.mul(exponential, y), [1]);
        return o.mul(inverse, o.reshape(total, [4, 1]));
      },
      "mul(reciprocal(reshape[4,1](sum[1](exp(sub(z reshape[4,1](max[1](z))))))) reshape[4,1](sum[1](mul(y exp(sub(x reshape[4,1](max[1](x))))))))",
    ],
    [
      (o, { x, p }) => {
        const logits = o.where(p, x, o.scalar(-Infinity, "float32"));
        return o.where(p, o.softmax("softmax", logits, 1), o.scalar(0, "float32"));
      },
      "softmax[1](where(p x -Infinity))",
    ],
    [
      (o, { x, y, p }) => {
        const logits = o.where(p, x, o.scalar(-Infinity, "float32"));
        const result = o.mul(y, o.softmax("softmax", logits, 1));
        return o.where(p, result, o.scalar(0, "float32"));
      },
      "mul(y softmax[1](where(p x -Infinity)))",
    ],
    [
      (o, { x, p, q }) => {
        const logits = o.where(q, x, o.scalar(-1e9, "float32"));
        return o.where(p, o.softmax("softmax", logits, 1), o.scalar(0, "float32"));
      },
      "where(p softmax[1](where(q x -1000000000)) 0)",
    ],
    [
      (o, { x, p }) => {
        const logits = o.where(p, x, o.scalar(-9, "float32"));
        return o.where(p, o.softmax("softmax", logits, 1), o.scalar(0, "float32"));
      },
      "where(p softmax[1](where(p x -9)) 0)",
    ],
    [
      (o, { x, p }) => {
        const logits = o.where(p, x, o.scalar(-Infinity, "float32"));
        return o.where(p, o.softmax("softmax", logits, 1), o.scalar(1, "float32"));
      },
      "where(p softmax[1](where(p x -Infinity)) 1)",
    ],
    [
      (o, { x, p }) => {
        const logits = o.where(p, x, o.scalar(-Infinity, "float32"));
        return o.where(p, o.unary("exp", logits), o.scalar(0, "float32"));
      },
      "where(p exp(where(p x -Infinity)) 0)",
    ],
  ],
  "words and bits": [
    [(o, { words }) => o.binary("idiv", words, o.scalar(8, "uint32")), "shiftRight(words 3)"],
    [(o, { words }) => o.binary("idiv", words, o.scalar(7, "uint32")), "idiv(words 7)"],
    [(o, { words }) => o.binary("idiv", words, o.scalar(1, "uint32")), "shiftRight(words 0)"],
    [(o, { i }) => o.binary("idiv", i, o.scalar(8, "int32")), "idiv(i 8)"],
    [(o, { words }) => o.binary("idiv", o.scalar(8, "uint32"), words), "idiv(8 words)"],
    [
      (o, { words }) => uniform(o, words, 9),
      "add(mul(float32(shiftRight(words 9)) 1.1920928955078125e-7) 1)",
    ],
    [
      (o, { words }) => uniform(o, words, 12),
      "add(mul(float32(shiftRight(words 12)) 1.1920928955078125e-7) 1)",
    ],
    [(o, { words }) => uniform(o, words, 8), "bitcast(add(shiftRight(words 8) 1065353216))"],
    [
      (o, { words }) => uniform(o, words, 9, 0x40000000),
      "bitcast(add(shiftRight(words 9) 1073741824))",
    ],
  ],
  "functions of one number": [
    [(o, { x }) => o.neg(o.neg(x)), "x"],
    [(o, { x, y }) => o.neg(o.sub(x, y)), "sub(y x)"],
    [(o, { x }) => o.neg(o.times(x, 3)), "mul(x -3)"],
    [(o, { x, y }) => o.neg(o.mul(x, y)), "neg(mul(x y))"],
    [(o, { x, y }) => o.neg(o.add(x, y)), "neg(add(x y))"],
    [(o, { x }) => o.unary("reciprocal", o.unary("reciprocal", x)), "x"],
    [(o, { x }) => o.unary("reciprocal", o.unary("sin", x)), "reciprocal(sin(x))"],
    [
      (o, { x }) => o.unary("erfc", o.times(x, Math.SQRT1_2)),
      "sub(1 erf(mul(x 0.7071067690849304)))",
    ],
    [
      (o, { x }) => o.unary("erfc", o.times(x, -Math.SQRT1_2)),
      "sub(1 erf(mul(x -0.7071067690849304)))",
    ],
    [(o, { x }) => o.unary("erfc", o.times(x, 0.7)), "erfc(mul(x 0.699999988079071))"],
    [
      (o, { x }) => o.unary("erfc", o.add(x, o.scalar(Math.SQRT1_2, "float32"))),
      "erfc(add(x 0.7071067690849304))",
    ],
    [(o, { d }) => o.unary("erfc", o.times(d, Math.SQRT1_2)), "erfc(mul(d 0.7071067811865476))"],
    [(o, { x }) => o.unary("erfc", x), "erfc(x)"],
    [(o, { x }) => o.unary("floor", x), "floor(x)"],
    [(o, { x }) => o.unary("ceil", x), "ceil(x)"],
    [(o, { i }) => o.unary("floor", i), "i"],
    [(o, { i }) => o.unary("ceil", i), "i"],
    [(o, { x }) => o.binary("max", x, x), "x"],
    [(o, { x }) => o.binary("min", x, x), "x"],
    [(o, { x, y }) => o.binary("max", y, x), "max(x y)"],
    [(o, { x, y }) => o.binary("min", y, x), "min(x y)"],
    [(o, { bytes }) => o.cast(o.cast(bytes, "int32"), "float32"), "float32(bytes)"],
    [(o, { p }) => o.cast(o.cast(p, "int32"), "float32"), "float32(p)"],
    [(o, { p }) => o.cast(o.cast(p, "int32"), "bool"), "p"],
    [(o, { i }) => o.cast(o.cast(i, "uint32"), "float32"), "float32(uint32(i))"],
  ],
  logic: [
    [(o, { p }) => o.unary("not", o.unary("not", p)), "p"],
    [(o, { p, q }) => o.binary("and", q, p), "and(p q)"],
    [(o, { p }) => o.binary("and", p, p), "p"],
    [(o, { p }) => o.binary("and", p, o.scalar(1, "bool")), "p"],
    [(o, { p }) => o.binary("and", p, o.scalar(0, "bool")), "and(p 0)"],
    [(o, { p, q }) => o.binary("or", q, p), "or(p q)"],
    [(o, { p }) => o.binary("or", p, p), "p"],
    [(o, { p }) => o.binary("or", p, o.scalar(0, "bool")), "p"],
    [(o, { p }) => o.binary("or", p, o.scalar(1, "bool")), "or(p 1)"],
    [(o, { i }) => o.binary("and", i, o.scalar(1, "int32")), "and(i 1)"],
    [(o, { i }) => o.binary("or", i, o.scalar(0, "int32")), "or(i 0)"],
    [(o, { p, q }) => o.binary("xor", q, p), "xor(p q)"],
    [(o, { p }) => o.compare("equal", p, o.scalar(1, "bool")), "p"],
    [(o, { p }) => o.compare("equal", p, o.scalar(0, "bool")), "not(p)"],
    [(o, { p }) => o.compare("notEqual", p, o.scalar(0, "bool")), "p"],
    [(o, { p }) => o.compare("notEqual", p, o.scalar(1, "bool")), "not(p)"],
    [(o, { p, q }) => o.compare("equal", q, p), "equal(p q)"],
    [(o, { p, q }) => o.compare("notEqual", q, p), "notEqual(p q)"],
    [(o, { i }) => o.compare("equal", i, o.scalar(1, "int32")), "equal(i 1)"],
    [(o, { i }) => o.compare("notEqual", i, o.scalar(0, "int32")), "notEqual(i 0)"],
    [(o, { x, y }) => o.compare("less", y, x), "less(y x)"],
  ],
  choices: [
    [(o, { x, y }) => o.where(o.scalar(1, "bool"), x, y), "x"],
    [(o, { x, y }) => o.where(o.scalar(0, "bool"), x, y), "y"],
    [(o, { row, y }) => o.where(o.scalar(1, "bool"), row, y), "expand[4,3](reshape[1,3](row))"],
    [(o, { p, x }) => o.where(p, x, x), "x"],
    [(o, { p, row }) => o.where(p, row, row), "expand[4,3](reshape[1,3](row))"],
    [(o, { p, x, y }) => o.where(o.unary("not", p), x, y), "where(p y x)"],
    [(o, { p, x, y, z }) => o.where(p, o.where(p, x, y), z), "where(p x z)"],
    [(o, { p, x, y, z }) => o.where(p, x, o.where(p, y, z)), "where(p x z)"],
    [(o, { p, q, x, y, z }) => o.where(p, o.where(q, x, y), z), "where(p where(q x y) z)"],
    [(o, { p, q, x, y, z }) => o.where(p, x, o.where(q, y, z)), "where(p x where(q y z))"],
    [(o, { p }) => o.where(p, o.scalar(1, "bool"), o.scalar(0, "bool")), "p"],
    [(o, { p }) => o.where(p, o.scalar(0, "bool"), o.scalar(1, "bool")), "not(p)"],
    [(o, { p }) => o.where(p, o.scalar(0, "int32"), o.scalar(1, "int32")), "where(p 0 1)"],
    [(o, { p }) => o.where(p, o.scalar(1, "int32"), o.scalar(0, "int32")), "where(p 1 0)"],
    [(o, { p, q }) => o.where(p, q, o.scalar(0, "bool")), "where(p q 0)"],
    [(o, { p, q }) => o.where(p, o.scalar(1, "bool"), q), "where(p 1 q)"],
    [(o, { on, x, y }) => o.where(on, x, y), "where(on x y)"],
  ],
};

/** `where(x < 0, a, b)`. */
export function sign<V>(o: Operations<V>, x: V, a: number, b: number): V {
  const below = o.compare("less", x, o.scalar(0, "float32"));
  return o.where(below, o.scalar(a, "float32"), o.scalar(b, "float32"));
}

export const shapeOf = (x: unknown): readonly number[] =>
  (x as Partial<Plain>).shape ?? (x as Node).type.shape;

/** The scalar `value` in the type of `like`. */
export function scalarLike<V>(o: Operations<V>, like: V, value: number): V {
  const { dtype } = "type" in Object(like) ? (like as Node).type : (like as Plain);
  return o.scalar(value, dtype);
}

/** e = exp(x − max y) and 1/Σ e, with the reduced sides kept as ones. */
function parts<V>(o: Operations<V>, x: V, axes: number[], y = x, extreme: "max" | "min" = "max") {
  const kept = shapeOf(x).map((side, axis) => (axes.includes(axis) ? 1 : side));
  const shifted = o.sub(x, o.reshape(o.reduce(extreme, y, axes), kept));
  const exponential = o.unary("exp", shifted);
  const total = o.reshape(o.reduce("sum", exponential, axes), kept);
  return { shifted, exponential, inverse: o.unary("reciprocal", total) };
}

export function softmax<V>(o: Operations<V>, x: V, axes: number[], y = x, extreme?: "min"): V {
  const { exponential, inverse } = parts(o, x, axes, y, extreme);
  return o.mul(exponential, inverse);
}

/** (x − max x) − log Σ exp(x − max x), with the sum over axes of its own. */
export function logSoftmax<V>(o: Operations<V>, x: V, axes: number[], summed = axes): V {
  const { shifted, exponential } = parts(o, x, axes);
  const kept = shapeOf(x).map((side, axis) => (summed.includes(axis) ? 1 : side));
  const total = o.reshape(o.reduce("sum", exponential, summed), kept);
  return o.sub(shifted, o.unary("log", total));
}

/** Bits of a float32 with the mantissa that is left of a word after a shift. */
const uniform = <V>(o: Operations<V>, words: V, by: number, exponent = 0x3f800000): V =>
  o.bitcast(
    o.add(o.binary("shiftRight", words, o.scalar(by, "uint32")), o.scalar(exponent, "uint32")),
    "float32",
  );
