/** Convolutions and their gradients in ONNX operators. */
import type { Attributes, Node, ValueType } from "../graph/graph.ts";
import type { Lowering } from "./lowering.ts";
import { product, range } from "../graph/shapes.ts";

/** Spatial numbers of a convolution, one per axis. */
interface Geometry {
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** Lowers a `convolve` node. */
export function lowerConvolve(l: Lowering, node: Node): Node {
  const { inputs, attributes, type } = node;
  const [x, kernel] = inputs;
  const spread = attributes["lhsDilation"] as number[];
  if (spread.some((by) => by > 1)) {
    const gradient = transposedConvolution(l, node);
    if (gradient !== undefined) return gradient;
  }
  const g = geometry(kernel, attributes, type);
  if (product(g.kernel) > product(g.output)) {
    const [images, cotangent] = [x, kernel].map((input) => {
      const bare = withoutChannelSwap(input);
      return bare === undefined ? swapChannels(l, l.lower(input)) : l.lower(bare);
    }) as [Node, Node];
    return kernelGradient(l, images, cotangent, spread, g, type);
  }
  return convolve(l, prepare(l, l.lower(x), spread, g), l.lower(kernel), g, type);
}

const geometry = (kernel: Node, attributes: Attributes, type: ValueType): Geometry => ({
  kernel: kernel.type.shape.slice(2),
  output: type.shape.slice(2),
  strides: attributes["strides"] as number[],
  dilations: attributes["rhsDilation"] as number[],
  low: attributes["low"] as number[],
  high: attributes["high"] as number[],
});

/** Zeros between neighbors; negative padding cuts, and is left at 0 then. */
function prepare(l: Lowering, x: Node, spread: readonly number[], g: Geometry): Node {
  const wide = l.padInterior(x, [0, 0, ...spread.map((by) => by - 1)]);
  const starts = [0, 0, ...g.low.map((width) => Math.max(0, -width))];
  const ends = wide.type.shape.map((side, i) => side - Math.max(0, -(g.high[i - 2] ?? 0)));
  return l.slice(wide, starts, ends);
}

const positive = (widths: readonly number[]) => widths.map((width) => Math.max(0, width));

function convolve(l: Lowering, x: Node, kernel: Node, g: Geometry, type: ValueType): Node {
  const n = g.kernel.length;
  const hasOperator = type.dtype === "float32" && n >= 1 && n <= 3;
  if (hasOperator) {
    const pads = [...positive(g.low), ...positive(g.high)];
    const attributes = { strides: g.strides, dilations: g.dilations, pads };
    return l.op("Conv", [x, kernel], attributes, type.dtype, type.shape);
  }
  // One matrix product for all: columns are the windows that each output sees (im2col).
  const [batch = 0, channels = 0] = x.type.shape;
  const [outputs = 0] = kernel.type.shape;
  const padded = l.pad(x, [0, 0, ...positive(g.low)], [0, 0, ...positive(g.high)]);
  const columns = positions(g.kernel).map((offset) => {
    const seen = window(l, padded, offset, g.dilations, g.output, g.strides);
    return l.reshape(seen, [batch, channels, product(g.output)]);
  });
  const windows = l.concatenate(columns, 1);
  // Kernel columns in the order of the windows: offset by offset, channels inside.
  const size = product(g.kernel);
  const matrix = l.reshape(kernel, [outputs, channels, size]);
  const rows = l.reshape(l.transpose(matrix, [0, 2, 1]), [outputs, size * channels]);
  return l.reshape(l.matmul(rows, windows), type.shape);
}

/** All index tuples of a shape, in row-major order. */
const positions = (sides: readonly number[]): number[][] =>
  sides.reduce<number[][]>(
    (all, side) => all.flatMap((at) => range(side).map((i) => [...at, i])),
    [[]],
  );

/** The part of padded `x` from `at`·`unit` on that has `sides`, `step` apart. */
function window(
  l: Lowering,
  x: Node,
  at: readonly number[],
  unit: readonly number[],
  sides: readonly number[],
  step: readonly number[],
): Node {
  const starts = at.map((p, i) => p * (unit[i] as number));
  const ends = starts.map((s, i) => s + ((sides[i] as number) - 1) * (step[i] as number) + 1);
  return l.slice(x, [0, 0, ...starts], [...x.type.shape.slice(0, 2), ...ends], [1, 1, ...step]);
}

/** `x` if `node` is `x` with its first two axes exchanged. */
function withoutChannelSwap(node: Node): Node | undefined {
  const perm = node.attributes["perm"] as number[] | undefined;
  const swaps = perm?.every((axis, i) => axis === (i < 2 ? 1 - i : i)) === true;
  if (node.op === "transpose" && swaps) return node.inputs[0];
  // With a side of 1 the exchange is a reshape.
  const [a, b, ...rest] = node.type.shape;
  const inner = node.op === "reshape" ? node.inputs[0] : undefined;
  const isSwapped = inner !== undefined && String(inner.type.shape) === String([b, a, ...rest]);
  return isSwapped && (a === 1 || b === 1) ? inner : undefined;
}

/**
 * The gradient in the kernel, which jax-js writes as a convolution of x[C, N, …] with the
 * cotangent y[O, N, …] as an enormous kernel: for each kernel element one product of
 * [O, positions] with [positions, C] per image, summed over images.
 */
function kernelGradient(
  l: Lowering,
  x: Node,
  y: Node,
  spread: readonly number[],
  g: Geometry,
  type: ValueType,
): Node {
  const [batch = 0, channels = 0] = x.type.shape;
  const outputs = y.type.shape[1] as number;
  const prepared = prepare(l, x, spread, g);
  const padded = l.pad(prepared, [0, 0, ...positive(g.low)], [0, 0, ...positive(g.high)]);
  const count = product(g.kernel);
  const cotangent = l.reshape(y, [batch, outputs, count]);
  const windows = positions(g.output).map((at) =>
    l.reshape(window(l, padded, at, g.strides, g.kernel, g.dilations), [batch, channels, count]),
  );
  const elements = windows.length;
  // Few channels make thin products: then all kernel elements go into one.
  const groups = channels * elements <= 64 ? [l.concatenate(windows, 1)] : windows;
  const results = groups.map((seen) => {
    const products = l.matmul(seen, cotangent, { transB: true });
    const sum = l.reduce("ReduceSum", products, [0]);
    return l.reshape(sum, [elements / groups.length, channels, outputs]);
  });
  const byElement = l.concatenate(results, 0);
  return l.reshape(l.transpose(byElement, [1, 2, 0]), type.shape);
}

/** The gradient of a strided convolution in its input, as ONNX's own transposed convolution. */
function transposedConvolution(l: Lowering, { inputs, attributes, type }: Node): Node | undefined {
  const [x, kernel] = inputs;
  const g = geometry(kernel, attributes, type);
  const strides = attributes["lhsDilation"] as number[];
  const n = g.kernel.length;
  if (type.dtype !== "float32" || n > 3 || g.strides.some((by) => by !== 1)) return undefined;
  const reach = g.kernel.map((side, i) => (side - 1) * (g.dilations[i] as number));
  const before = reach.map((r, i) => r - (g.low[i] as number));
  const after = reach.map((r, i) => r - (g.high[i] as number));
  const extra = after.map((width) => Math.max(0, -width));
  const allowed = extra.every(
    (by, i) => by < Math.max(strides[i] as number, g.dilations[i] as number),
  );
  if (before.some((width) => width < 0) || !allowed) return undefined;
  // ONNX takes the kernel of the convolution that is transposed: not flipped, channels exchanged.
  const flipped = kernel.op === "flip" ? withoutChannelSwap(kernel.inputs[0]) : undefined;
  const original =
    flipped !== undefined &&
    (kernel.attributes["axes"] as number[]).length === g.kernel.filter((side) => side !== 1).length
      ? l.lower(flipped)
      : turn(l, l.lower(kernel));
  return l.op(
    "ConvTranspose",
    [l.lower(x), original],
    {
      strides,
      dilations: g.dilations,
      pads: [...before, ...positive(after)],
      output_padding: extra,
    },
    type.dtype,
    type.shape,
  );
}

/** A kernel with its channels exchanged and its spatial axes flipped. */
const turn = (l: Lowering, kernel: Node): Node =>
  l.flip(swapChannels(l, kernel), range(2, kernel.type.shape.length));

const swapChannels = (l: Lowering, x: Node): Node =>
  l.transpose(x, [1, 0, ...range(2, x.type.shape.length)]);
