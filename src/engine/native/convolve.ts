/** Convolutions and their gradients in ONNX operators. */
import type { Attributes, Node, ValueType } from "./graph.ts";
import type { Operators } from "./operators.ts";
import { product, range } from "./shapes.ts";

interface Geometry {
  /** Spatial sides. */
  readonly input: readonly number[];
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** A `convolve` node of these attributes and type, on lowered inputs. */
export function convolve(
  l: Operators,
  given: Node,
  kernel: Node,
  attributes: Attributes,
  type: ValueType,
): Node {
  const strides = attributes["strides"] as number[];
  const dilations = attributes["rhsDilation"] as number[];
  const low = attributes["low"] as number[];
  const high = attributes["high"] as number[];
  let x = spread(l, given, attributes["lhsDilation"] as number[]);
  x = cut(l, x, low, high);
  const pads = [low, high].map((widths) => widths.map((width) => Math.max(0, width)));
  const [n, sides] = [kernel.type.shape.length - 2, type.shape.slice(2)];
  const kernelSides = kernel.type.shape.slice(2);
  const hasKernel = type.dtype === "float32" && n >= 1 && n <= 3;
  if (hasKernel && product(kernelSides) <= Math.max(64, product(sides))) {
    const list = { strides, dilations, pads: pads.flat() };
    return l.op("Conv", [x, kernel], list, type.dtype, type.shape);
  }
  const padded = l.pad(x, [0, 0, ...(pads[0] ?? [])], [0, 0, ...(pads[1] ?? [])]);
  const geometry = {
    input: padded.type.shape.slice(2),
    kernel: kernelSides,
    output: sides,
    strides,
    dilations,
  };
  return product(kernelSides) <= product(sides)
    ? byKernel(l, padded, kernel, geometry, type)
    : byOutput(l, padded, kernel, geometry, type);
}

/** Put zeros between neighbors: the input of a strided convolution's gradient. */
function spread(l: Operators, x: Node, dilation: readonly number[]): Node {
  return l.padInterior(x, [0, 0, ...dilation.map((by) => by - 1)]);
}

/** Negative padding cuts. */
function cut(l: Operators, x: Node, low: readonly number[], high: readonly number[]): Node {
  const starts = [0, 0, ...low.map((width) => Math.max(0, -width))];
  const ends = x.type.shape.map((side, i) => side - Math.max(0, -(high[i - 2] ?? 0)));
  return l.slice(x, starts, ends);
}

const positions = (sides: readonly number[]): number[][] =>
  sides.reduce<number[][]>(
    (all, side) => all.flatMap((at) => range(side).map((i) => [...at, i])),
    [[]],
  );

/** One matrix product for all: columns are the windows that each output sees (im2col). */
function byKernel(l: Operators, x: Node, kernel: Node, g: Geometry, type: ValueType): Node {
  const [batch = 0, channels = 0] = x.type.shape;
  const [outputs = 0] = kernel.type.shape;
  const columns = positions(g.kernel).map((offset) => {
    const starts = offset.map((at, i) => at * (g.dilations[i] as number));
    const ends = starts.map(
      (s, i) => s + ((g.output[i] as number) - 1) * (g.strides[i] as number) + 1,
    );
    const seen = l.slice(x, [0, 0, ...starts], [batch, channels, ...ends], [1, 1, ...g.strides]);
    return l.reshape(seen, [batch, channels, product(g.output)]);
  });
  const windows = l.concatenate(columns, 1);
  // Kernel columns in the order of the windows: offset by offset, channels inside.
  const size = product(g.kernel);
  const matrix = l.reshape(kernel, [outputs, channels, size]);
  const rows = l.reshape(l.transpose(matrix, [0, 2, 1]), [outputs, size * channels]);
  return l.reshape(l.matmul(rows, windows), type.shape);
}

/** One matrix product per output position, for kernels larger than the output: kernel gradients. */
function byOutput(l: Operators, x: Node, kernel: Node, g: Geometry, type: ValueType): Node {
  const [batch = 0, channels = 0] = x.type.shape;
  const [outputs = 0] = kernel.type.shape;
  const size = channels * product(g.kernel);
  const matrix = l.reshape(kernel, [outputs, size]);
  const results = positions(g.output).map((at) => {
    const starts = at.map((p, i) => p * (g.strides[i] as number));
    const ends = starts.map(
      (s, i) => s + ((g.kernel[i] as number) - 1) * (g.dilations[i] as number) + 1,
    );
    const seen = l.slice(x, [0, 0, ...starts], [batch, channels, ...ends], [1, 1, ...g.dilations]);
    const product = l.matmul(l.reshape(seen, [batch, size]), matrix, { transB: true });
    return l.reshape(product, [batch, outputs, 1]);
  });
  return l.reshape(l.concatenate(results, 2), type.shape);
}
