/** Operators of ONNX that move elements: shapes, slices, indices. */
import { np } from "../../../engine/jax-js.ts";
import { scalar, select, subtract } from "../../../engine/arrays.ts";
import { sizeOf } from "../../../engine/tensor.ts";
import type { Call, Operators } from "./call.ts";
import {
  axisOf,
  broadcastShapes,
  indexFromFront,
  integers,
  Known,
  mostKnown,
  numbersOf,
  resolveShape,
  sliceIndices,
  squeezed,
  toArray,
  unsqueezed,
  type Value,
} from "./known.ts";

const reshape = (x: np.Array, shape: readonly number[]) => x.reshape([...shape]);

/** Take list of places along one axis. */
const takePlaces = (x: np.Array, places: readonly number[], axis: number) =>
  np.take(x, np.array(Int32Array.from(places), { dtype: np.int32 }), axis);

/** Indices counted from the front: -1 is the last. Known ones are checked. */
function fromFront(call: Call, input: number, side: number): np.Array {
  const value = call.inputs[input];
  if (value instanceof Known) {
    const data = numbersOf(value).map((index) => indexFromFront(index, side));
    return toArray(new Known("int", value.shape, data), call.dtype);
  }
  const indices = call.array(input);
  return np.where(np.less(indices.ref, 0), np.add(indices.ref, side), indices);
}

function slice(call: Call): Value {
  const x = call.array(0);
  const [starts, ends] = [call.numbers(1), call.numbers(2)];
  const axes = call.known(3) ? call.numbers(3) : starts.map((_, axis) => axis);
  const steps = call.known(4) ? call.numbers(4) : starts.map(() => 1);
  return axes.reduce((cut, given, i) => {
    const axis = axisOf(given, cut.shape.length);
    const side = cut.shape[axis] ?? 0;
    const places = sliceIndices(side, starts[i] ?? 0, ends[i] ?? 0, steps[i] ?? 1);
    return range(cut, axis, places, steps[i] ?? 1);
  }, x);
}

/** For `slice`: from `start` to `end` on one axis, all of the others. */
const partOf =
  (axis: number, start: number, end: number) =>
  (_: number, i: number): [] | [number, number] =>
    i === axis ? [start, end] : [];

/** Places along an axis: neighbors are cut out, others are taken one by one. */
function range(x: np.Array, axis: number, places: readonly number[], step: number): np.Array {
  const [first] = places;
  if (first === undefined) throw new TypeError("nothing is left of an axis");
  if (places.length === x.shape[axis] && step === 1) return x;
  if (step !== 1) return takePlaces(x, places, axis);
  return x.slice(...x.shape.map(partOf(axis, first, first + places.length)));
}

function split(call: Call): Value[] {
  const x = call.array(0);
  const axis = axisOf(call.number("axis", 0), x.shape.length);
  const side = x.shape[axis] ?? 0;
  const count = call.node.outputs.length;
  const each = Math.ceil(side / count);
  const sizes = call.known(1)
    ? call.numbers(1)
    : Array.from({ length: count }, (_, i) => Math.max(0, Math.min(each, side - i * each)));
  let start = 0;
  return sizes.map((size) => {
    const places = Array.from({ length: size }, (_, i) => start + i);
    start += size;
    return range(x.ref, axis, places, 1);
  });
}

function concat(call: Call): Value {
  const parts = call.arrays();
  const axis = axisOf(call.number("axis", 0), parts[0]?.shape.length ?? 0);
  // An empty part would be an array without elements.
  const full = parts.filter(({ shape }) => shape[axis] !== 0);
  return np.concatenate(full, axis);
}

function expand(call: Call): Value {
  const x = call.array(0);
  const shape = broadcastShapes(x.shape, call.numbers(1));
  return np.broadcastTo(x, shape);
}

/** Which element of an axis stands at each place of the padded one, for modes that repeat elements. */
const repeated: Readonly<Record<string, (place: number, side: number) => number>> = {
  edge: (place, side) => Math.max(0, Math.min(side - 1, place)),
  reflect: (place, side) => {
    const period = Math.max(1, 2 * (side - 1));
    const at = ((place % period) + period) % period;
    return at < side ? at : period - at;
  },
  wrap: (place, side) => ((place % side) + side) % side,
};

function pad(call: Call): Value {
  const mode = call.text("mode", "constant");
  const x = call.array(0);
  const widths = call.numbers(1);
  const axes = call.known(3) ? call.numbers(3) : x.shape.map((_, axis) => axis);
  const at = mode === "constant" ? undefined : repeated[mode];
  if (mode !== "constant" && at === undefined) throw new TypeError(`mode ${mode} is not supported`);
  const value = call.known(2)?.data[0] ?? 0;
  return axes.reduce((padded, given, i) => {
    const axis = axisOf(given, padded.shape.length);
    const side = padded.shape[axis] ?? 0;
    const [low = 0, high = 0] = [widths[i], widths[i + axes.length]];
    if (low === 0 && high === 0) return padded;
    const length = side + low + high;
    if (at) {
      const places = Array.from({ length }, (_, place) => at(place - low, side));
      return takePlaces(padded, places, axis);
    }
    // A negative width cuts.
    const kept = Array.from(
      { length: side + Math.min(0, low) + Math.min(0, high) },
      (_, place) => place - Math.min(0, low),
    );
    const cut = range(padded, axis, kept, 1);
    const block = (width: number) =>
      width <= 0 ? [] : [np.broadcastTo(scalar(value, cut), cut.shape.with(axis, width))];
    const parts = [...block(low), cut.ref, ...block(high)];
    return parts.length === 1 ? cut : np.concatenate(parts, axis);
  }, x);
}

/** Elements of `x` flattened to [count, inner], and the place that each index tuple names in it. */
function tuplePlaces(call: Call, shape: readonly number[], input: number): np.Array {
  const indices = call.array(input);
  const depth = indices.shape.at(-1) ?? 0;
  const list = indices.shape.slice(0, -1);
  return shape.slice(0, depth).reduce(
    (sum, side, i) => {
      const part = indices.ref.slice(...indices.shape.map(partOf(list.length, i, i + 1)));
      const column = reshape(part, list);
      const index = np.where(np.less(column.ref, 0), np.add(column.ref, side), column);
      return np.add(np.multiply(sum, side), index);
    },
    np.zeros([...list], { dtype: np.int32 }),
  );
}

function gatherNd(call: Call): Value {
  call.expect("batch_dims", 0);
  const x = call.array(0);
  const { shape } = x;
  const depth = call.shape(1).at(-1) ?? 0;
  const inner = shape.slice(depth);
  const places = tuplePlaces(call, shape, 1);
  const rows = reshape(x, [sizeOf(shape.slice(0, depth)), ...inner]);
  return np.take(rows, places, 0);
}

/** Which rows stand at each place. */
type Places = np.Array | readonly number[];

/**
 * Sums of updates by place: [n, …] → [count, …], where places may repeat. jax-js has no scatter, and a
 * gradient inside of a forward pass, which could stand for one, breaks its `valueAndGrad` (0.1.25).
 */
function sumByPlace(updates: np.Array, places: Places, count: number): np.Array {
  if (isList(places)) {
    const lists = Array.from({ length: count }, (): number[] => []);
    places.forEach((place, row) => lists[place]?.push(row));
    return sumLists(updates, lists);
  }
  const [n = 0, ...inner] = updates.shape;
  const target = np.arange(0, count, 1, { dtype: np.int32 }).reshape([count, 1]);
  const chosen = np.equal(target, places.ref.reshape([1, n])).astype(updates.dtype);
  const sums = np.matmul(chosen, updates.reshape([n, sizeOf(inner)]));
  return reshape(sums, [count, ...inner]);
}

const isList = (places: Places): places is readonly number[] => Array.isArray(places);

/** Rows that are summed at once; longer lists are summed in pieces. */
const width = 16;

/** The sums of rows by lists of their numbers, [lists, …]; an empty list sums to 0. */
function sumLists(rows: np.Array, lists: readonly (readonly number[])[]): np.Array {
  const [n = 0, ...inner] = rows.shape;
  const longest = lists.reduce((most, { length }) => Math.max(most, length), 1);
  if (longest > width) {
    let pieces = 0;
    const cut = lists.map((list) =>
      Array.from({ length: Math.ceil(list.length / width) }, (_, i) =>
        list.slice(i * width, (i + 1) * width),
      ),
    );
    return sumLists(
      sumLists(rows, cut.flat()),
      cut.map((parts) => parts.map(() => pieces++)),
    );
  }
  // A row of zeros fills shorter lists up.
  const filled = np.concatenate([rows, np.zeros([1, ...inner], { dtype: rows.dtype })], 0);
  const order = lists.flatMap((list) => Array.from({ length: longest }, (_, i) => list[i] ?? n));
  return np.sum(reshape(takePlaces(filled, order, 0), [lists.length, longest, ...inner]), 1);
}

/** `rows` with rows replaced, or added to, at places. */
function scatter(rows: np.Array, places: Places, updates: np.Array, reduction: string): np.Array {
  const [count = 0] = rows.shape;
  if (reduction !== "none" && reduction !== "add") {
    throw new TypeError(`reduction ${reduction} is not supported`);
  }
  const sums = sumByPlace(updates.ref, places, count);
  if (reduction === "add") return np.add(rows, sums);
  const [n = 0, ...inner] = updates.shape;
  const hits = sumByPlace(np.ones([n], { dtype: updates.dtype }), places, count);
  const isHit = np.greater(reshape(hits, [count, ...inner.map(() => 1)]), 0);
  return select(np.broadcastTo(isHit, rows.shape), sums, rows);
}

/** Places that index tuples name, as numbers where they are known. */
function placesOf(call: Call, shape: readonly number[]): Places {
  const indices = call.inputs[1];
  if (!(indices instanceof Known)) {
    const places = tuplePlaces(call, shape, 1);
    return reshape(places, [places.size]);
  }
  const depth = indices.shape.at(-1) ?? 0;
  return Array.from({ length: sizeOf(indices.shape.slice(0, -1)) }, (_, tuple) =>
    shape.slice(0, depth).reduce((sum, side, i) => {
      return sum * side + indexFromFront(Number(indices.data[tuple * depth + i]), side);
    }, 0),
  );
}

function scatterNd(call: Call): Value {
  const x = call.array(0);
  const { shape } = x;
  const depth = call.shape(1).at(-1) ?? 0;
  const count = sizeOf(shape.slice(0, depth));
  const inner = shape.slice(depth);
  const list = placesOf(call, shape);
  const updates = reshape(call.array(2), [sizeOf(call.shape(1).slice(0, -1)), ...inner]);
  const rows = reshape(x, [count, ...inner]);
  return reshape(scatter(rows, list, updates, call.text("reduction", "none")), shape);
}

/** Places in the flattened `shape` of elements that stand as `indices` does, but on `axis` at index. */
function elementPlaces(call: Call, shape: readonly number[], axis: number): np.Array {
  const indices = fromFront(call, 1, shape[axis] ?? 0);
  const sides = indices.shape;
  return shape.reduce(
    (sum, side, i) => {
      const along = np.arange(0, sides[i] ?? 1, 1, { dtype: np.int32 });
      const own = reshape(
        along,
        sides.map((_, j) => (j === i ? (sides[j] ?? 1) : 1)),
      );
      const index = i === axis ? indices.ref : np.broadcastTo(own, [...sides]);
      return np.add(np.multiply(sum, side), index);
    },
    np.zeros([...sides], { dtype: np.int32 }),
  );
}

function gatherElements(call: Call): Value {
  const x = call.array(0);
  const { shape } = x;
  const axis = axisOf(call.number("axis", 0), shape.length);
  const places = elementPlaces(call, shape, axis);
  return np.take(reshape(x, [sizeOf(shape)]), places, 0);
}

function scatterElements(call: Call): Value {
  const x = call.array(0);
  const { shape } = x;
  const axis = axisOf(call.number("axis", 0), shape.length);
  const places = elementPlaces(call, shape, axis);
  const rows = reshape(x, [sizeOf(shape)]);
  const updates = reshape(call.array(2), [places.size]);
  const list = reshape(places, [places.size]);
  return reshape(scatter(rows, list, updates, call.text("reduction", "none")), shape);
}

function gather(call: Call): Value {
  const x = call.array(0);
  const axis = axisOf(call.number("axis", 0), x.shape.length);
  const indices = fromFront(call, 1, x.shape[axis] ?? 0);
  return np.take(x, indices, axis);
}

/** Which side of a diagonal is kept, as ones and zeros. */
function trilu(call: Call): Value {
  const x = call.array(0);
  const shift = call.known(1)?.data[0] ?? 0;
  const isUpper = call.number("upper", 1) === 1;
  const [rows = 1, columns = 1] = x.shape.slice(-2);
  if (rows * columns > 2 ** 24) throw new TypeError(`a triangle of ${rows} × ${columns}`);
  const kept = Array.from({ length: rows * columns }, (_, place) => {
    const above = (place % columns) - Math.floor(place / columns) - shift;
    return Number(isUpper ? above >= 0 : above <= 0);
  });
  const mask = toArray(new Known("bool", [rows, columns], kept), call.dtype);
  return np.where(np.broadcastTo(mask, x.shape), x.ref, np.zerosLike(x.ref));
}

function oneHot(call: Call): Value {
  const [depth = 0] = call.numbers(1);
  const indices = fromFront(call, 0, depth);
  const rank = indices.shape.length + 1;
  const axis = axisOf(call.number("axis", -1), rank);
  const wide = reshape(indices, unsqueezed(indices.shape, [axis]));
  const classes = np.arange(0, depth, 1, { dtype: np.int32 });
  const column = reshape(
    classes,
    Array.from({ length: rank }, (_, i) => (i === axis ? depth : 1)),
  );
  const isOn = np.equal(wide, column);
  const values = call.array(2);
  const [off, on] = [0, 1].map((i) => reshape(values.ref.slice([i, i + 1]), []));
  return np.where(isOn, on as np.Array, off as np.Array);
}

function cumSum(call: Call): Value {
  const x = call.array(0);
  const axis = axisOf(call.numbers(1)[0] ?? 0, x.shape.length);
  const isReverse = call.number("reverse", 0) === 1;
  const given = isReverse ? np.flip(x.ref, axis) : x;
  const sums = np.cumsum(given.ref, axis);
  const own = call.number("exclusive", 0) === 1 ? subtract(sums, given) : sums;
  return isReverse ? np.flip(own, axis) : own;
}

/** Blocks of space to channels and back: [n, c, h, w]. */
function depthToSpace(call: Call): Value {
  const x = call.array(0);
  const size = call.number("blocksize", 1);
  const [n = 0, c = 0, h = 0, w = 0] = x.shape;
  const inner = c / (size * size);
  const isRowFirst = call.text("mode", "DCR") === "DCR";
  const parts = isRowFirst ? [n, size, size, inner, h, w] : [n, inner, size, size, h, w];
  const order = isRowFirst ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  return reshape(np.transpose(reshape(x, parts), order), [n, inner, h * size, w * size]);
}

function spaceToDepth(call: Call): Value {
  const x = call.array(0);
  const size = call.number("blocksize", 1);
  const [n = 0, c = 0, h = 0, w = 0] = x.shape;
  const parts = [n, c, h / size, size, w / size, size];
  const moved = np.transpose(reshape(x, parts), [0, 3, 5, 1, 2, 4]);
  return reshape(moved, [n, c * size * size, h / size, w / size]);
}

/** Nearest neighbors at whole multiples, which is what enlarging between convolutions is. */
function resize(call: Call): Value {
  call.expect("mode", "nearest");
  const x = call.array(0);
  const scales = call.known(2);
  const factors =
    scales && scales.data.length > 0
      ? numbersOf(scales)
      : call.numbers(3).map((side, axis) => side / (x.shape[axis] ?? 1));
  if (!factors.every((factor) => Number.isInteger(factor) && factor >= 1)) {
    throw new TypeError(`scales [${factors.join(", ")}] are not supported (whole multiples are)`);
  }
  return factors.reduce(
    (wide, factor, axis) => (factor === 1 ? wide : np.repeat(wide, factor, axis)),
    x,
  );
}

function constant(call: Call): Value {
  const { attributes } = call.node;
  const value = attributes.get("value");
  if (value instanceof Known) return value;
  const [name, given] = [...attributes].find(([key]) => key.startsWith("value_")) ?? [];
  const kind = name?.startsWith("value_int") ? "int" : "float";
  if (typeof given === "number") return new Known(kind, [], [given]);
  if (Array.isArray(given)) return new Known(kind, [given.length], given as readonly number[]);
  throw new TypeError("its value is not supported");
}

function shapeOf(call: Call): Value {
  const shape = call.shape(0);
  const places = sliceIndices(
    shape.length,
    call.number("start", 0),
    call.number("end", shape.length),
    1,
  );
  return integers(places.map((axis) => shape[axis] ?? 0));
}

export const views: Operators = {
  // Constants and shapes
  Constant: constant,
  ConstantOfShape(call) {
    const shape = call.numbers(0);
    const value = call.node.attributes.get("value");
    const [fill = 0] = value instanceof Known ? numbersOf(value) : [];
    const kind = value instanceof Known ? value.kind : "float";
    const size = sizeOf(shape);
    if (size <= mostKnown) return new Known(kind, shape, Array<number>(size).fill(fill));
    return np.broadcastTo(toArray(new Known(kind, [], [fill]), call.dtype), shape);
  },
  Shape: shapeOf,
  Size: (call) => new Known("int", [], [sizeOf(call.shape(0))]),
  Reshape: (call) =>
    reshape(
      call.array(0),
      resolveShape(call.shape(0), call.numbers(1), call.number("allowzero", 0)),
    ),
  Flatten(call) {
    const shape = call.shape(0);
    const axis = call.number("axis", 1);
    const at = axis < 0 ? axis + shape.length : axis;
    return reshape(call.array(0), [sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))]);
  },
  Squeeze: (call) => reshape(call.array(0), squeezed(call.shape(0), call.axes(1))),
  Unsqueeze: (call) => reshape(call.array(0), unsqueezed(call.shape(0), call.axes(1))),
  Expand: expand,
  Tile: (call) => np.tile(call.array(0), call.numbers(1)),
  Transpose(call) {
    const perm =
      call.ints("perm") ??
      call
        .shape(0)
        .map((_, axis) => axis)
        .toReversed();
    return np.transpose(call.array(0), [...perm]);
  },
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Resize: resize,

  // Parts
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Trilu: trilu,

  // Indices
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  OneHot: oneHot,
  CumSum: cumSum,
  Range: (call) => {
    call.numbers(0);
    throw new TypeError("its limits are not known beforehand");
  },
};
