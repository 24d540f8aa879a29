/**
 * Blocks of channels: the layout of ONNX Runtime's fastest convolutions on CPUs (MLAS), and operators on values
 * that lie in it.
 *
 * With blocks of B channels, images [N, C, H, W] lie in memory as [N, C/B, H, W, B], and kernels
 * [O, I, kh, kw] as [O/B, I/B, kh, kw, B of I, B of O]. ONNX Runtime's own optimizer uses these
 * operators where weights are constants; they take weights that change as well if somebody else
 * puts them in order. Their domain is `com.microsoft.nchwc`; B is the machine's (16 with
 * AVX-512): see block-size.ts.
 */
import type { Attributes, Node } from "../graph/graph.ts";
import { product } from "../graph/shapes.ts";
import { groupKernels, imagesPerGroup } from "./kernel-gradient.ts";
import type { Operators } from "./operators.ts";

/** The domain of blocked operators, before their names. */
const domain = "com.microsoft.nchwc/";

const convolution = `${domain}Conv`;

/** The operator that puts images in blocks. */
export const intoImages = `${domain}ReorderInput`;

export class Blocks {
  readonly #l: Operators;
  readonly side: number;

  /** @param side channels per block. */
  constructor(l: Operators, side: number) {
    this.#l = l;
    this.side = side;
  }

  isWhole(channels: number | undefined): boolean {
    return channels !== undefined && channels > 0 && channels % this.side === 0;
  }

  // Images: nodes keep the shape [N, C, H, W], whatever their order in memory.

  intoImages(x: Node): Node {
    return this.#l.op(intoImages, [x], {}, "float32", x.type.shape);
  }

  fromImages(x: Node): Node {
    const { shape } = x.type;
    const attributes = { channels: shape[1] as number };
    return this.#l.op(`${domain}ReorderOutput`, [x], attributes, "float32", shape);
  }

  /** The order in memory, as a shape. */
  imageSides([n = 0, c = 0, h = 0, w = 0]: readonly number[]): number[] {
    return [n, c / this.side, h, w, this.side];
  }

  // Kernels: nodes have the shape of their order in memory, with kh·kw as one axis.

  intoKernels(w: Node): Node {
    const l = this.#l;
    const { side } = this;
    const [o = 0, i = 0, ...window] = w.type.shape;
    const size = product(window);
    // In two steps: whole rows of I·size first, then short ones. One step of five axes takes
    // ONNX Runtime three times as long.
    const rows = l.transpose(l.reshape(w, [o / side, side, i * size]), [0, 2, 1]);
    const five = l.reshape(rows, [o / side, i / side, side, size, side]);
    return l.transpose(five, [0, 1, 3, 2, 4]);
  }

  fromKernels(w: Node, shape: readonly number[]): Node {
    const l = this.#l;
    const { side } = this;
    const [outer = 0, inner = 0, size = 0] = w.type.shape;
    const rows = l.transpose(w, [0, 1, 3, 2, 4]);
    const columns = l.reshape(rows, [outer, inner * side * size, side]);
    return l.reshape(l.transpose(columns, [0, 2, 1]), shape);
  }

  /** Kernels of the convolution that a gradient in the input is: channels exchanged, window flipped. */
  turnKernels(w: Node): Node {
    const l = this.#l;
    const [outer = 0, inner = 0, size = 0] = w.type.shape;
    const { side } = this;
    const squares = l.reshape(w, [outer * inner * size, side * side]);
    // Whole squares go to their places first: moving them and what is in them at once takes ONNX
    // Runtime three times as long.
    const places = Array.from({ length: outer * inner * size }, (_, to) => {
      const at = to % size;
      const [column, row] = [Math.floor(to / size) % outer, Math.floor(to / size / outer)];
      return (column * inner + row) * size + (size - 1 - at);
    });
    const { shape } = squares.type;
    const moved = l.op("Gather", [squares, l.integers(places)], { axis: 0 }, "float32", shape);
    const turned = l.transpose(l.reshape(moved, [places.length, side, side]), [0, 2, 1]);
    return l.reshape(turned, [inner, outer, size, side, side]);
  }

  /** Kernels for images of few channels in plain layout: [O/B, I, kh, kw, B]. */
  #narrowKernels(w: Node): Node {
    const l = this.#l;
    const [o = 0, ...rest] = w.type.shape;
    const { side } = this;
    const blocks = l.reshape(w, [o / side, side, product(rest)]);
    return l.transpose(blocks, [0, 2, 1]);
  }

  /** @param x blocked images. @param w blocked kernels. */
  convolve(
    x: Node,
    w: Node,
    window: readonly number[],
    conv: Attributes,
    shape: readonly number[],
  ): Node {
    const [outer = 0, inner = 0] = w.type.shape;
    const sides = [outer * this.side, inner * this.side, ...window];
    return this.#convolve([x, this.#l.reshape(w, sides)], window, conv, shape);
  }

  /** @param x images of fewer than B channels in plain layout. @param w their kernels in plain layout. */
  convolveNarrow(x: Node, w: Node, conv: Attributes, shape: readonly number[]): Node {
    const kernels = this.#l.reshape(this.#narrowKernels(w), w.type.shape);
    return this.#convolve([x, kernels], w.type.shape.slice(2), conv, shape);
  }

  #convolve(
    inputs: readonly Node[],
    window: readonly number[],
    { strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0], ...rest }: Attributes,
    shape: readonly number[],
  ): Node {
    const attributes = { group: 1, ...rest, kernel_shape: window, strides, dilations, pads };
    return this.#l.op(convolution, inputs, attributes, "float32", shape);
  }

  /** x·scale + shift with lists of one number per channel: a convolution of depth 1. */
  affine(x: Node, scale: Node | undefined, shift: Node | undefined): Node {
    const l = this.#l;
    const channels = x.type.shape[1] as number;
    const ones = () => l.constant(Array(channels).fill(1), "float32", [channels]);
    const weights = l.reshape(scale ?? ones(), [channels, 1, 1, 1]);
    const inputs = [x, weights, ...(shift === undefined ? [] : [l.reshape(shift, [channels])])];
    return this.#convolve(inputs, [1, 1], { group: channels }, x.type.shape);
  }

  /** max(x, 0), where `x` comes from an operator that does it in passing. */
  withRelu({ op, inputs, attributes, type }: Node): Node | undefined {
    if (op !== convolution || "activation" in attributes) return undefined;
    return this.#l.graph.node(op, inputs, { ...attributes, activation: "Relu" }, type);
  }

  /** x + other, where `x` comes from an operator that does it in passing. */
  withSum({ op, inputs, attributes, type }: Node, other: Node): Node | undefined {
    if (op !== convolution || inputs.length > 3 || "activation" in attributes) return undefined;
    const channels = type.shape[1] as number;
    const zeros = () => this.#l.constant(Array(channels).fill(0), "float32", [channels]);
    const [x, weights, bias = zeros()] = inputs as readonly Node[] as [Node, Node, Node?];
    return this.#l.graph.node(op, [x, weights, bias, other], attributes, type);
  }

  /** Sums over positions, [N, C] in plain layout. */
  sums(x: Node): Node {
    const l = this.#l;
    const [n = 0, c = 0, h = 0, w = 0] = x.type.shape;
    const means = l.op(`${domain}GlobalAveragePool`, [x], {}, "float32", [n, c, 1, 1]);
    return l.op("Mul", [l.reshape(means, [n, c]), l.scalar(h * w, "float32")]);
  }

  /**
   * The gradient in the kernel: as in kernel-gradient.ts, with the cotangent's blocks, which are
   * in the order of kernels already, and B (or fewer than B) channels side by side in a row.
   *
   * @param x images of C channels: blocked if C is whole, plain if C < B.
   * @param y the blocked cotangent.
   * @returns blocked kernels if C is whole, plain ones otherwise.
   */
  kernelGradient(x: Node, y: Node, conv: Attributes, shape: readonly number[]): Node {
    const l = this.#l;
    const { side } = this;
    const [batch = 0, channels = 0, height = 0, width = 0] = x.type.shape;
    const [, outputs = 0, ...window] = y.type.shape;
    const [tall = 0, wide = 0] = shape.slice(2);
    const [down, right] = conv["dilations"] as [number, number];
    const [top, left, bottom, last] = conv["pads"] as [number, number, number, number];
    const isWhole = this.isWhole(channels);
    const blocks = isWhole ? channels / side : 1;
    const beside = channels / blocks;
    const plain = isWhole
      ? l.transpose(l.reshape(x, [batch, blocks, height, width * beside]), [1, 0, 2, 3])
      : l.transpose(x, [0, 2, 3, 1]);
    const rows = l.reshape(plain, [blocks, batch, height, width * beside]);
    // Images stand for channels here, of which there must be fewer than B or whole blocks: images
    // and cotangents of zeros make them whole, and add nothing.
    const added = batch < side ? 0 : (side - (batch % side)) % side;
    const count = batch + added;
    // Columns are padded here: the kernel computes columns inside its own padding one by one.
    const padded = l.pad(rows, [0, 0, 0, left * beside], [0, added, 0, last * beside]);
    // B images or more in a group would be taken for a block of channels.
    const images = imagesPerGroup(count, channels * outputs, side / 2);
    const groups = count / images;
    const block = product(window) * side;
    const cotangents = l.pad(
      l.reshape(y, [batch, outputs / side, block]),
      [0, 0, 0],
      [added, 0, 0],
    );
    const kernels = groupKernels(l, cotangents, images);
    const results = this.#convolve(
      [padded, l.reshape(kernels, [groups * outputs, images, ...window])],
      window,
      { group: groups, dilations: [down, right * beside], pads: [top, 0, bottom, 0] },
      [blocks, groups * outputs, tall, wide * beside],
    );
    const flat = l.reshape(results, [blocks, groups, outputs * tall * wide * beside]);
    const sum = l.reduce("ReduceSum", flat, [1]);
    const [outer, size] = [outputs / side, tall * wide];
    if (isWhole) {
      const five = l.reshape(sum, [blocks, outer, size, side, side]);
      return l.transpose(five, [1, 0, 2, 3, 4]);
    }
    const four = l.reshape(sum, [outer, size, channels, side]);
    return l.reshape(l.transpose(four, [0, 3, 2, 1]), shape);
  }
}
