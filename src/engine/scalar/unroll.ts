/**
 * Scalars of a graph: arrays taken apart into their elements, one node each, so that small functions can
 * be written as plain arithmetic in any language.
 */
import { Builder, type BinaryOp, type CompareOp, type UnaryOp } from "../native/graph/builder.ts";
import {
  constantData,
  printType,
  scalarValue,
  topological,
  type Node,
} from "../native/graph/graph.ts";
import { broadcastShapes, padRank, product, range } from "../native/graph/shapes.ts";
import { simplify } from "../native/graph/simplify.ts";
import { UnsupportedError } from "../program.ts";

/** Elements of an array, in row-major order. */
type Elements = readonly Node[];

/** Elements in one array from which on code is no longer small. */
const mostElements = 4096;

const unaries: ReadonlySet<string> = new Set<UnaryOp>([
  "neg",
  "sigmoid",
  "reciprocal",
  "floor",
  "ceil",
  "sin",
  "cos",
  "asin",
  "atan",
  "exp",
  "log",
  "sqrt",
  "abs",
  "tanh",
  "not",
]);
const binaries: ReadonlySet<string> = new Set<BinaryOp>([
  "add",
  "sub",
  "mul",
  "div",
  "idiv",
  "mod",
  "min",
  "max",
  "and",
  "or",
  "xor",
]);
const comparisons: ReadonlySet<string> = new Set<CompareOp>([
  "less",
  "lessEqual",
  "equal",
  "notEqual",
]);

/** Reductions by their names in a graph. */
const reductions = { sum: "add", product: "mul", max: "max", min: "min" } as const;

/** What the elements of a named array are called: a scalar `rho`, of a vector `x1` and `x2`. */
export const elementNames = (name: string, shape: readonly number[]): string[] =>
  shape.length === 0 ? [name] : range(product(shape)).map((i) => `${name}${i + 1}`);

/**
 * Take results apart: scalar nodes of every element, simplified, equal ones once.
 *
 * @throws {UnsupportedError} for operations that are no arithmetic of real numbers, which it names.
 */
export function unroll(results: readonly Node[]): Elements[] {
  const b = new Builder(simplify);
  const known = new Map<Node, Elements>();
  for (const node of topological(results)) known.set(node, elementsOf(b, node, known));
  return results.map((node) => known.get(node) as Elements);
}

function elementsOf(b: Builder, node: Node, known: ReadonlyMap<Node, Elements>): Elements {
  const { op, type, attributes } = node;
  const { shape, dtype } = type;
  const count = product(shape);
  const inputs = node.inputs.map((input) => known.get(input) as Elements);
  const [first = []] = inputs;
  const from = node.inputs[0]?.type.shape ?? [];
  if (count > mostElements) throw unsupported(node, "give a function of a few numbers");
  /** Elements by their position. */
  const each = (at: (position: readonly number[], element: number) => Node): Node[] =>
    range(count).map((element) => at(positionOf(element, shape), element));
  /** The element of the first input at a position. */
  const element = (position: readonly number[]) => first[offsetOf(position, from)] as Node;

  const data = constantData(node);
  if (data !== undefined)
    return Array.from<number | bigint, Node>(data, (value) => b.scalar(Number(value), dtype));
  // Inputs broadcast as in NumPy.
  const meeting = () => {
    const full = broadcastShapes(...node.inputs.map(({ type }) => type.shape));
    return range(product(full)).map((i) =>
      node.inputs.map(({ type }, k) => {
        const sides = padRank(type.shape, full.length);
        const position = positionOf(i, full).map((p, axis) => (sides[axis] === 1 ? 0 : p));
        return inputs[k]?.[offsetOf(position, sides)] as Node;
      }),
    ) as [Node, Node, Node][];
  };
  if (unaries.has(op)) return first.map((x) => b.unary(op as UnaryOp, x));
  if (binaries.has(op)) return meeting().map(([x, y]) => b.binary(op as BinaryOp, x, y));
  if (comparisons.has(op)) return meeting().map(([x, y]) => b.compare(op as CompareOp, x, y));
  switch (op) {
    case "argument": {
      const { part, path } = attributes as { part: "inputs"; path: string };
      const name = path.slice(part.length + 1);
      return elementNames(name, shape).map((own) => b.argument(part, own, dtype, []));
    }
    case "where":
      return meeting().map(([condition, x, y]) => b.where(condition, x, y));
    case "cast":
      return first.map((x) => b.cast(x, dtype));
    case "reshape":
      return first;
    case "transpose": {
      const perm = attributes["perm"] as number[];
      return each((position) => element(from.map((_, axis) => position[perm.indexOf(axis)] ?? 0)));
    }
    case "expand":
      return each((position) => element(position.map((p, axis) => (from[axis] === 1 ? 0 : p))));
    case "slice": {
      const { starts, steps } = attributes as { starts: number[]; steps: number[] };
      return each((position) =>
        element(position.map((p, axis) => at(starts, axis) + p * at(steps, axis))),
      );
    }
    case "flip": {
      const axes = attributes["axes"] as number[];
      return each((position) =>
        element(position.map((p, axis) => (axes.includes(axis) ? at(from, axis) - 1 - p : p))),
      );
    }
    case "pad": {
      const { low, interior } = attributes as { low: number[]; interior: number[] };
      const zero = b.scalar(0, dtype);
      return each((position) => {
        const inside = position.map((p, axis) => (p - at(low, axis)) / (at(interior, axis) + 1));
        const isThere = inside.every(
          (p, axis) => Number.isInteger(p) && p >= 0 && p < at(from, axis),
        );
        return isThere ? element(inside) : zero;
      });
    }
    case "concatenate": {
      const axis = attributes["axis"] as number;
      return each((position) => {
        let along = at(position, axis);
        let part = 0;
        while (along >= at(node.inputs[part]?.type.shape ?? [], axis)) {
          along -= at(node.inputs[part]?.type.shape ?? [], axis);
          part++;
        }
        const sides = node.inputs[part]?.type.shape ?? [];
        return inputs[part]?.[offsetOf(position.with(axis, along), sides)] as Node;
      });
    }
    case "reduce": {
      const { axes, reduction } = attributes as {
        axes: number[];
        reduction: keyof typeof reductions;
      };
      const parts = new Map<number, Node[]>();
      for (const [i, x] of first.entries()) {
        const kept = positionOf(i, from).filter((_, axis) => !axes.includes(axis));
        const to = offsetOf(kept, shape);
        parts.set(to, [...(parts.get(to) ?? []), x]);
      }
      const none = { sum: 0, product: 1, max: -Infinity, min: Infinity }[reduction];
      const combine = (x: Node, y: Node) => b.binary(reductions[reduction], x, y);
      return each((_, i) => parts.get(i)?.reduce(combine) ?? b.scalar(none, dtype));
    }
    case "matmul": {
      const [left, right] = inputs as [Elements, Elements];
      const [l, r] = node.inputs.map(({ type }) => type.shape) as [number[], number[]];
      const inner = at(l, l.length - 1);
      return each((position) => {
        const [row, column] = position.slice(-2) as [number, number];
        const batch = position.slice(0, -2);
        return range(inner)
          .map((k) =>
            b.mul(
              left[offsetOf([...batch, row, k], l)] as Node,
              right[offsetOf([...batch, k, column], r)] as Node,
            ),
          )
          .reduce((x, y) => b.add(x, y), b.scalar(0, dtype));
      });
    }
    case "softmax":
    case "logSoftmax": {
      const axis = attributes["axis"] as number;
      return each((position, i) => {
        const row = range(at(from, axis)).map((k) => element(position.with(axis, k)));
        const most = row.reduce((x, y) => b.binary("max", x, y));
        const shifted = b.sub(first[i] as Node, most);
        const sum = row.map((x) => b.unary("exp", b.sub(x, most))).reduce((x, y) => b.add(x, y));
        return op === "softmax"
          ? b.div(b.unary("exp", shifted), sum)
          : b.sub(shifted, b.unary("log", sum));
      });
    }
    case "gather": {
      const { axes, position: place } = attributes as { axes: number[]; position: number };
      const [, ...indices] = inputs;
      const sides = node.inputs[1].type.shape;
      return each((position) => {
        const own = position.toSpliced(place, sides.length);
        const which = offsetOf(position.slice(place, place + sides.length), sides);
        const rest = from.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
        const places = axes.map((axis, k) => {
          const index = scalarValue(indices[k]?.[which] as Node);
          if (index === undefined) throw unsupported(node, "index with whole numbers");
          return [axis, index] as const;
        });
        const whole = new Map([...places, ...rest.map((axis, k) => [axis, at(own, k)] as const)]);
        return element(from.map((_, axis) => whole.get(axis) ?? 0));
      });
    }
    default:
      throw unsupported(node, "use the native or the jax engine");
  }
}

function unsupported(node: Node, remedy: string): UnsupportedError {
  const types = node.inputs.map(({ type }) => printType(type)).join(" × ");
  return new UnsupportedError("scalar", node.op, `${types || printType(node.type)} (${remedy})`);
}

const at = (list: readonly number[], i: number): number => list[i] ?? 0;

/** Row-major position of an element, and back. */
function positionOf(element: number, shape: readonly number[]): number[] {
  const position = shape.map(() => 0);
  let rest = element;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    position[axis] = rest % at(shape, axis);
    rest = Math.floor(rest / at(shape, axis));
  }
  return position;
}

const offsetOf = (position: readonly number[], shape: readonly number[]): number =>
  shape.reduce((offset, side, axis) => offset * side + at(position, axis), 0);
