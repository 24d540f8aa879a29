/**
 * Gradients of convolutions in their kernels, for values in plain layout. jax-js writes them as convolutions of
 * x[C, N, …] with the cotangent y[O, N, …] as an enormous kernel; here x is [N, C, …], y
 * [N, O, …] and the result, like the kernel, [O, C, …].
 */
import type { Attributes, Node, ValueType } from "../graph/graph.ts";
import { product } from "../graph/shapes.ts";
import type { Operators } from "./operators.ts";
import { positions, window, type Geometry } from "./windows.ts";

/** For each kernel element one product of [C, positions] with [positions, O] per image, summed over images. */
export function kernelGradientByProducts(
  l: Operators,
  x: Node,
  y: Node,
  g: Geometry,
  type: ValueType,
): Node {
  const [batch = 0, channels = 0] = x.type.shape;
  const outputs = y.type.shape[1] as number;
  const up = (widths: readonly number[]) => widths.map((width) => Math.max(0, width));
  const padded = l.pad(x, [0, 0, ...up(g.low)], [0, 0, ...up(g.high)]);
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
  return l.reshape(l.transpose(byElement, [2, 1, 0]), type.shape);
}

/**
 * One grouped convolution, in plain ONNX. Images become input channels, one group each, and the
 * cotangent of an image becomes its kernels. A pixel's C channels lie side by side in a row of
 * W·C columns, so that dilation by C steps from pixel to pixel and neighboring results are
 * channels: no shifted copies of the images are made.
 *
 *   R[n·O + o, ky, kx·C + c] = Σ_{y,x} X[n, ky + y, (kx + x)·C + c] · Y[n, o, y, x]
 *   dW[o, c, ky, kx] = Σₙ R[n·O + o, ky, kx·C + c]
 */
export function kernelGradientByConvolution(
  l: Operators,
  x: Node,
  y: Node,
  attributes: Attributes,
  type: ValueType,
): Node {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.type.shape;
  const [, outputs = 0, ...sides] = y.type.shape;
  const [tall = 0, wide = 0] = type.shape.slice(2);
  const [down, right] = attributes["dilations"] as [number, number];
  const [top, left, bottom, last] = attributes["pads"] as [number, number, number, number];
  const rows = l.reshape(l.transpose(x, [0, 2, 3, 1]), [1, batch, height, width * channels]);
  const images = imagesPerGroup(batch, channels * outputs);
  const groups = batch / images;
  const kernels = groupKernels(l, l.reshape(y, [batch, outputs, product(sides)]), images);
  const results = l.op(
    "Conv",
    [rows, l.reshape(kernels, [groups * outputs, images, ...sides])],
    {
      group: groups,
      strides: [1, 1],
      dilations: [down, right * channels],
      pads: [top, left * channels, bottom, last * channels],
    },
    type.dtype,
    [1, groups * outputs, tall, wide * channels],
  );
  const flat = l.reshape(results, [groups, outputs * tall * wide * channels]);
  const sum = l.reshape(l.reduce("ReduceSum", flat, [0]), [outputs, tall, wide, channels]);
  return l.transpose(sum, [0, 3, 1, 2]);
}

/**
 * Images per group: more than one where a group's result, a gradient of one image, would
 * outweigh the work of computing it.
 */
export function imagesPerGroup(batch: number, size: number, limit = 8): number {
  const most = Math.min(limit, size < 2048 ? 1 : size < 4096 ? 4 : 8);
  return [8, 4, 2, 1].find((count) => count <= most && batch % count === 0) ?? 1;
}

/** Cotangents [N, O, …] as the kernels of groups of several images: [N/images, O, images, …]. */
export function groupKernels(l: Operators, y: Node, images: number): Node {
  if (images === 1) return y;
  const [batch = 0, ...rest] = y.type.shape;
  return l.transpose(l.reshape(y, [batch / images, images, ...rest]), [0, 2, 1, 3]);
}
