/**
 * Convolutions and their gradients, lowered: to operators of ONNX where they have a kernel for the type, to
 * matrix products elsewhere. Two operators are our own, for layout.ts to write in the layout it
 * chooses: `InputGradient` of [cotangent, kernel], a convolution with the kernel turned around
 * (channels exchanged, spatial axes flipped), and `KernelGradient` of [images, cotangent].
 */
import type { Attributes, Node, ValueType } from "../graph/graph.ts";
import { kernelGradientByProducts } from "./kernel-gradient.ts";
import type { Lowering } from "./lowering.ts";
import type { Operators } from "./operators.ts";
import { product, range } from "../graph/shapes.ts";
import { positions, window, type Geometry } from "./windows.ts";

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
    const prepared = prepare(l, images, spread, g);
    const [channels = 0, outputs = 0, ...window] = type.shape;
    const kernelType = { dtype: type.dtype, shape: [outputs, channels, ...window] };
    const isGrouped =
      hasOperator(g, type) && g.kernel.length === 2 && g.strides.every((by) => by === 1);
    const gradient = isGrouped
      ? l.op("KernelGradient", [prepared, cotangent], attributesOf(g), type.dtype, kernelType.shape)
      : kernelGradientByProducts(l, prepared, cotangent, g, kernelType);
    return swapChannels(l, gradient);
  }
  const images = prepare(l, l.lower(x), spread, g);
  if (!hasOperator(g, type)) return convolveByProduct(l, images, l.lower(kernel), g, type);
  const original = turnedFrom(kernel, g);
  const [name, operand] = original === undefined ? ["Conv", kernel] : ["InputGradient", original];
  return l.op(name, [images, l.lower(operand)], attributesOf(g), type.dtype, type.shape);
}

const hasOperator = (g: Geometry, { dtype }: ValueType): boolean =>
  dtype === "float32" && g.kernel.length >= 1 && g.kernel.length <= 3;

const attributesOf = ({ strides, dilations, low, high }: Geometry): Attributes => ({
  strides,
  dilations,
  pads: [...positive(low), ...positive(high)],
});

const geometry = (kernel: Node, attributes: Attributes, type: ValueType): Geometry => ({
  kernel: kernel.type.shape.slice(2),
  output: type.shape.slice(2),
  strides: attributes["strides"] as number[],
  dilations: attributes["rhsDilation"] as number[],
  low: attributes["low"] as number[],
  high: attributes["high"] as number[],
});

/** The numbers of a `KernelGradient` with the cotangent `y`. */
export function kernelGradientGeometry(y: Node, attributes: Attributes, type: ValueType): Geometry {
  const pads = attributes["pads"] as number[];
  const n = pads.length / 2;
  return {
    kernel: y.type.shape.slice(2),
    output: type.shape.slice(2),
    strides: attributes["strides"] as number[],
    dilations: attributes["dilations"] as number[],
    low: pads.slice(0, n),
    high: pads.slice(n),
  };
}

/** Zeros between neighbors; negative padding cuts, and is left at 0 then. */
function prepare(l: Lowering, x: Node, spread: readonly number[], g: Geometry): Node {
  const wide = l.padInterior(x, [0, 0, ...spread.map((by) => by - 1)]);
  const starts = [0, 0, ...g.low.map((width) => Math.max(0, -width))];
  const ends = wide.type.shape.map((side, i) => side - Math.max(0, -(g.high[i - 2] ?? 0)));
  return l.slice(wide, starts, ends);
}

const positive = (widths: readonly number[]) => widths.map((width) => Math.max(0, width));

function convolveByProduct(l: Lowering, x: Node, kernel: Node, g: Geometry, type: ValueType): Node {
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
  const flipped = turnedFrom(kernel, g);
  const original = flipped === undefined ? turn(l, l.lower(kernel)) : l.lower(flipped);
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

/** The kernel that `kernel` is, turned around; `undefined` if it is none. */
function turnedFrom(kernel: Node, g: Geometry): Node | undefined {
  const sides = g.kernel.filter((side) => side !== 1).length;
  // A kernel of one element per channel is its own mirror image.
  if (sides === 0) return withoutChannelSwap(kernel);
  const isFlipped =
    kernel.op === "flip" && (kernel.attributes["axes"] as number[]).length === sides;
  return isFlipped ? withoutChannelSwap(kernel.inputs[0]) : undefined;
}

/** A kernel with its channels exchanged and its spatial axes flipped. */
export const turn = (l: Operators, kernel: Node): Node =>
  l.flip(swapChannels(l, kernel), range(2, kernel.type.shape.length));

const swapChannels = (l: Operators, x: Node): Node =>
  l.transpose(x, [1, 0, ...range(2, x.type.shape.length)]);
