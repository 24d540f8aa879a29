/** What the compiler makes of expressions: simpler ones of the same value, where a rule knows one. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Builder } from "../../src/engine/native/graph/builder.ts";
import type { Node } from "../../src/engine/native/graph/graph.ts";
import { pool, poolTranspose } from "../../src/engine/native/graph/pool.ts";
import { simplify } from "../../src/engine/native/graph/simplify.ts";
import {
  cases,
  entries,
  expectEqual,
  given,
  logSoftmax,
  shapeOf,
  show,
  softmax,
  type,
  types,
  values,
  type Arguments,
  type Expression,
} from "./expressions.ts";
import { evaluate, onNodes, plain, type Operations, type Plain } from "./plain.ts";

/** An expression in a graph, and the builder that it came from. */
function build(expression: Expression): { b: Builder; node: Node } {
  const b = new Builder(simplify);
  const nodes = entries.map(([name, { dtype, shape }]) => [
    name,
    b.argument("carry", name, dtype, shape),
  ]);
  return { b, node: expression(onNodes(b), Object.fromEntries(nodes) as Arguments<Node>) };
}

describe.each(Object.entries(cases))("%s", (_, list) => {
  test.each(list.map(([expression, simpler], i) => [i, simpler, expression] as const))(
    "%d: %s",
    (__, simpler, expression) => {
      const { node } = build(expression);
      expect(show(node)).toBe(simpler);
      expectEqual(evaluate(node, given).value, expression(plain, given));
    },
  );
});

/** One operation of a random expression: which, and numbers that choose its operands and settings. */
const instruction = fc.record({
  kind: fc.constantFrom(
    ...(["unary", "binary", "binary", "scale", "shift", "choose", "reshape", "transpose"] as const),
    ...(["expand", "slice", "pad", "flip", "join", "reduce", "contract", "softmax"] as const),
  ),
  a: fc.nat(99),
  b: fc.nat(99),
  c: fc.nat(99),
  signed: fc.array(fc.integer({ min: -1, max: 2 }), { minLength: 12, maxLength: 12 }),
});
type Instruction = typeof instruction extends fc.Arbitrary<infer T> ? T : never;

const pick = <T>(list: readonly T[], i: number): T => list[i % list.length] as T;
const sizeOf = (shape: readonly number[]) => shape.reduce((p, side) => p * side, 1);

/** Whether shapes broadcast. */
const doesFit = (p: readonly number[], q: readonly number[]) =>
  p.toReversed().every((side, i) => {
    const other = q.at(-1 - i) ?? 1;
    return side === other || side === 1 || other === 1;
  });

/** The result of an instruction, where its operands allow it. */
function follow<V>(
  o: Operations<V>,
  known: readonly V[],
  { kind, a, b, c, signed }: Instruction,
): V | undefined {
  const [x, y] = [pick(known, a), pick(known, b)];
  const [shape, others] = [shapeOf(x), shapeOf(y)];
  const axes = shape.map((_, axis) => axis);
  const [first, second, third] = [0, 1, 2].map((part) =>
    axes.map((axis) => signed[4 * part + axis] ?? 0),
  ) as [number[], number[], number[]];
  const number = pick([0, 1, -1, 2, 3, -0.5], c);
  if (kind === "unary") return o.unary(pick(["neg", "abs", "sin", "tanh", "neg"], c), x);
  if (kind === "scale") return o.times(x, number);
  if (kind === "shift") return o.binary(c < 50 ? "add" : "sub", x, o.scalar(number, "float32"));
  if (kind === "reshape") {
    const size = sizeOf(shape);
    const by = [6, 4, 3, 2].find((side) => (c + side) % 3 > 0 && size % side === 0) ?? 1;
    return o.reshape(
      x,
      pick([[size], [size / by, by], [by, size / by], [1, size], [...shape, 1]], c),
    );
  }
  if (kind === "transpose") {
    return o.transpose(x, c < 50 ? axes.toReversed() : [...axes.slice(1), ...axes.slice(0, 1)]);
  }
  if (kind === "expand")
    return o.expand(
      x,
      shape.map((side) => (side === 1 ? 2 + (c % 2) : side)),
    );
  if (kind === "slice") {
    const starts = shape.map((side, i) => Math.min(side - 1, Math.max(0, first[i] ?? 0)));
    const steps = second.map((by) => Math.max(1, by));
    return o.slice(x, starts, [...shape], steps);
  }
  if (kind === "pad") {
    const interior = third.map((width) => Math.max(0, width));
    const result = shape.map(
      (side, i) => side + (side - 1) * (interior[i] ?? 0) + (first[i] ?? 0) + (second[i] ?? 0),
    );
    return result.every((side) => side > 0) ? o.pad(x, first, second, interior) : undefined;
  }
  if (kind === "flip")
    return o.flip(
      x,
      axes.filter((axis) => (first[axis] ?? 0) > 0),
    );
  const chosen = axes.filter((axis) => (first[axis] ?? 0) <= 0);
  if (kind === "join") {
    if (shape.length === 0 || shape.length !== others.length) return undefined;
    const axis = c % shape.length;
    const isFit = shape.every((side, i) => i === axis || side === others[i]);
    return isFit ? o.concatenate([x, y], axis) : undefined;
  }
  if (kind === "reduce")
    return o.reduce(pick(["sum", "sum", "max", "min", "product"], c), x, chosen);
  if (kind === "softmax") {
    if (chosen.length === 0) return undefined;
    return c < 50 ? softmax(o, x, chosen) : logSoftmax(o, x, chosen);
  }
  if (!doesFit(shape, others)) return undefined;
  if (kind === "contract") {
    const rank = Math.max(shape.length, others.length);
    const wide = Array.from({ length: rank }, (_, axis) => axis);
    return o.contract(
      x,
      y,
      wide.filter((axis) => (signed[axis] ?? 0) <= 0),
      rank,
    );
  }
  if (kind === "choose") {
    // Not at 0, where the rounding of two ways to write a number may choose differently.
    const below = o.compare("less", x, o.scalar(0.3, "float32"));
    const test = c < 30 ? o.unary("not", below) : below;
    const z = pick(known, c);
    return doesFit(shape, shapeOf(z)) && doesFit(others, shapeOf(z))
      ? o.where(test, y, z)
      : undefined;
  }
  return o.binary(pick(["add", "sub", "mul", "add", "sub", "mul", "max", "min"], c), x, y);
}

test("random expressions keep their values", () => {
  const names = ["x", "y", "row", "column", "s", "cube", "thin", "single"] as const;
  let followed = 0;
  fc.assert(
    fc.property(fc.array(instruction, { minLength: 6, maxLength: 16 }), (instructions) => {
      const { b } = build((_, { x }) => x);
      const wanted = names.map((name) => given[name]);
      const found = names.map((name) => b.argument("carry", name, "float32", types[name].shape));
      for (const each of instructions) {
        const value = follow(plain, wanted, each);
        const size = Math.max(...(value?.values ?? [Infinity]).map(Math.abs));
        if (value === undefined || !(size < 1000) || value.values.length > 200) continue;
        const node = follow(onNodes(b), found, each);
        if (node === undefined) continue;
        followed++;
        wanted.push(value);
        found.push(node);
        expect([node.type.shape, each.kind]).toEqual([value.shape, each.kind]);
        expectEqual(evaluate(node, given).value, value);
      }
    }),
    { numRuns: 80, seed: 3 },
  );
  expect(followed).toBeGreaterThan(500);
});

test("sums of products over any axes", () => {
  const side = fc.constantFrom(1, 2, 3);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(side, fc.boolean(), fc.boolean(), fc.boolean()), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.nat(1),
      (all, dropped) => {
        const shapes = [1, 2].map((which) =>
          all.map(([n, ...isOne]) => (isOne[which - 1] === true ? 1 : n)),
        );
        // A shape without its first sides of 1 broadcasts.
        const [p = [], q = []] = shapes;
        const short = dropped === 1 && q[0] === 1 ? q.slice(1) : q;
        const axes = all.flatMap(([, , , isSummed], axis) => (isSummed ? [axis] : []));
        const b = new Builder(simplify);
        const nodes = [p, short].map((shape, i) =>
          b.argument("carry", String(i), "float32", shape),
        );
        const arrays = [p, short].map((shape, i) => values(type("float32", ...shape), i + 7));
        const node = b.contract(nodes[0] as Node, nodes[1] as Node, axes, all.length);
        const wanted = plain.contract(arrays[0] as Plain, arrays[1] as Plain, axes, all.length);
        expectEqual(evaluate(node, Object.fromEntries(arrays.map((x, i) => [i, x]))).value, wanted);
      },
    ),
    { numRuns: 300, seed: 5 },
  );
});

/** All windows over the last axes, one by one. */
function windows(x: Plain, window: number[], strides: number[]): Plain {
  const lead = x.shape.slice(0, x.shape.length - window.length);
  const counts = window.map((side, i) => {
    const whole = x.shape[lead.length + i] ?? 0;
    return Math.floor((whole - side) / (strides[i] ?? 1)) + 1;
  });
  let result = x;
  window.forEach((side, i) => {
    const axis = lead.length + i;
    const count = counts[i] ?? 0;
    const parts = Array.from({ length: count }, (_, k) => {
      const starts = result.shape.map((__, a) => (a === axis ? k * (strides[i] ?? 1) : 0));
      const ends = result.shape.map((whole, a) =>
        a === axis ? k * (strides[i] ?? 1) + side : whole,
      );
      const part = plain.slice(result, starts, ends);
      // The window's axis goes last.
      const order = part.shape.map((__, a) => a).filter((a) => a !== axis);
      const moved = plain.transpose(part, [...order, axis]);
      return plain.reshape(moved, moved.shape.toSpliced(axis, 0, 1));
    });
    result = plain.concatenate(parts, axis);
  });
  return result;
}

test.each([
  [
    [4, 6],
    [2, 3],
    [2, 3],
  ],
  [
    [5, 7],
    [2, 3],
    [2, 3],
  ],
  [
    [2, 4, 6],
    [2, 2],
    [2, 2],
  ],
  [
    [2, 3, 5, 7],
    [2, 3],
    [2, 3],
  ],
  [[7], [3], [3]],
  [[7], [3], [1]],
  [
    [5, 6],
    [2, 2],
    [2, 1],
  ],
  [
    [2, 5, 6],
    [3, 2],
    [1, 3],
  ],
  [[2, 3, 7], [3], [2]],
  [
    [5, 6],
    [2, 2],
    [3, 3],
  ],
])("windows of %j, %j wide, %j apart, and their transpose", (shape, window, strides) => {
  const b = new Builder(simplify);
  const whole = values(type("float32", ...shape), 1);
  const node = pool(b, b.argument("carry", "x", "float32", shape), window, strides);
  const wanted = windows(whole, window, strides);
  expectEqual(evaluate(node, { x: whole }).value, wanted);
  // ⟨y, pool x⟩ = ⟨poolTranspose y, x⟩, for each x that is 1 in one place.
  const back = values(type("float32", ...wanted.shape), 2);
  const argument = b.argument("carry", "y", "float32", wanted.shape);
  const transposed = evaluate(poolTranspose(b, argument, shape, window, strides), {
    y: back,
  }).value;
  const places = { dtype: "float32", shape, values: whole.values.map((_, i) => i) } as const;
  const sums = whole.values.map(() => 0);
  windows(places, window, strides).values.forEach((from, i) => {
    sums[from] = (sums[from] ?? 0) + (back.values[i] ?? NaN);
  });
  expectEqual(transposed, { dtype: "float32", shape, values: sums });
});
