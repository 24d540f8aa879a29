/**
 * Rules of blocked layout, by operator: what an operator becomes when the values it reads are in blocks. Elementwise
 * work is the same in any order, sums over positions and numbers per channel have kernels of
 * their own, and views that keep images and channels apart change nothing.
 */
import { constantData, isScalarLike, sameShape, type Node } from "../graph/graph.ts";
import { padRank, product, range } from "../graph/shapes.ts";
import type { Blocks } from "./blocks.ts";
import { turn } from "./convolve.ts";
import type { Blocked, Layout } from "./layout.ts";

/**
 * The operator's result in blocks, or, where it leaves the blocks by itself, in rows; `undefined`
 * where the operator needs its inputs in rows.
 */
type Rule = (layout: Layout, blocks: Blocks, node: Node) => Blocked | Node | undefined;

const images = (node: Node): Blocked => ({ layout: "images", node });
const kernels = (node: Node): Blocked => ({ layout: "kernels", node });

const convolve: Rule = (layout, blocks, { inputs: [x, w], attributes, type }) => {
  const [outputs, channels = 0, ...window] = w.type.shape;
  if (window.length !== 2 || !blocks.isWhole(outputs)) return undefined;
  if (blocks.isWhole(channels)) {
    const [from, by] = [layout.images(x), layout.kernels(w)];
    return images(blocks.convolve(from, by, window, attributes, type.shape));
  }
  if (channels >= blocks.side) return undefined;
  return images(blocks.convolveNarrow(layout.plain(x), layout.plain(w), attributes, type.shape));
};

const inputGradient: Rule = (layout, blocks, { inputs: [y, w], attributes, type }) => {
  const [outputs = 0, channels, ...window] = w.type.shape;
  if (window.length !== 2 || !blocks.isWhole(channels)) return undefined;
  if (blocks.isWhole(outputs)) {
    const [from, by] = [layout.images(y), blocks.turnKernels(layout.kernels(w))];
    return images(blocks.convolve(from, by, window, attributes, type.shape));
  }
  if (outputs >= blocks.side) return undefined;
  const turned = turn(layout.l, layout.plain(w));
  return images(blocks.convolveNarrow(layout.plain(y), turned, attributes, type.shape));
};

const kernelGradient: Rule = (layout, blocks, { inputs: [x, y], attributes, type }) => {
  const [outputs, channels = 0] = type.shape;
  if (!blocks.isWhole(outputs)) return undefined;
  const isWhole = blocks.isWhole(channels);
  if (!isWhole && channels >= blocks.side) return undefined;
  const [from, by] = [isWhole ? layout.images(x) : layout.plain(x), layout.images(y)];
  const gradient = blocks.kernelGradient(from, by, attributes, type.shape);
  return isWhole ? kernels(gradient) : gradient;
};

/** The axis of `shape`, rows in the order of images [N, C, H, W], at which positions begin. */
function firstPosition(shape: readonly number[], [n = 0, c = 0, ...sides]: readonly number[]) {
  return range(shape.length + 1).find(
    (axis) =>
      product(shape.slice(0, axis)) === n * c && product(shape.slice(axis)) === product(sides),
  );
}

/** The axis of channels, if they have one of their own. */
function channelAxis(shape: readonly number[], images: readonly number[]): number | undefined {
  const [n = 0, c = 0] = images;
  const axis = (firstPosition(shape, images) ?? 0) - 1;
  return shape[axis] === c && product(shape.slice(0, axis)) === n ? axis : undefined;
}

/** An operand of elementwise work on blocked images. */
interface Operand {
  /** In blocks, with the shape of images or of one number. */
  readonly node?: Node;
  /** In rows, to be broadcast in the order of memory: of shape [n, c/B, h, w, B], sides 1 where it is constant. */
  readonly sides?: readonly number[];
  /** One number per channel. */
  readonly perChannel?: boolean;
}

function operandOf(
  layout: Layout,
  blocks: Blocks,
  x: Node,
  shape: readonly number[],
  to: readonly number[],
): Operand | undefined {
  if (isScalarLike(x)) return { node: layout.l.reshape(layout.plain(x), []) };
  if (sameShape(x.type.shape, shape)) {
    const isKnown = layout.known(x)?.layout === "images";
    return isKnown || x.type.dtype === "float32" ? { node: layout.images(x, to) } : undefined;
  }
  const [n = 0, c = 0, h = 0, w = 0] = to;
  const channel = channelAxis(shape, to);
  if (channel === undefined) return undefined;
  const sides = padRank(x.type.shape, shape.length);
  const partOf = (from: number, end: number): "one" | "whole" | undefined => {
    if (sides.slice(from, end).every((side) => side === 1)) return "one";
    return sameShape(sides.slice(from, end), shape.slice(from, end)) ? "whole" : undefined;
  };
  const [before, after] = [partOf(0, channel), partOf(channel + 1, shape.length)];
  if (before === undefined || after === undefined) return undefined;
  const count = before === "one" ? 1 : n;
  const positions = after === "one" ? [1, 1] : [h, w];
  const [tall = 0, wide = 0] = positions;
  if (sides[channel] === 1) return { sides: [count, 1, tall, wide, 1] };
  if (after === "one" || h * w === 1) {
    const perChannel = count === 1;
    return { sides: [count, c / blocks.side, 1, 1, blocks.side], perChannel };
  }
  return undefined;
}

/** x·scale + shift per channel, where the operator is part of that. */
function affine(
  layout: Layout,
  blocks: Blocks,
  { op, inputs, type }: Node,
  operands: readonly Operand[],
): Node | undefined {
  const at = operands.findIndex(({ perChannel }) => perChannel === true);
  const x = operands[1 - at]?.node;
  if (at < 0 || operands.length !== 2 || x?.type.shape.length !== 4) return undefined;
  if (type.dtype !== "float32") return undefined;
  const { l } = layout;
  const list = l.reshape(layout.plain(inputs[at] as Node), [x.type.shape[1] as number]);
  if (op === "Mul") return blocks.affine(x, list, undefined);
  if (op === "Add") return blocks.affine(x, undefined, list);
  if (op === "Sub" && at === 1) return blocks.affine(x, undefined, l.op("Neg", [list]));
  if (op === "Div" && at === 1) return blocks.affine(x, l.op("Reciprocal", [list]), undefined);
  return undefined;
}

const elementwise: Rule = (layout, blocks, node) => {
  const { op, inputs, attributes, type } = node;
  const { dtype, shape } = type;
  if (dtype !== "float32" && dtype !== "bool") return undefined;
  const known = inputs
    .filter((x) => sameShape(x.type.shape, shape))
    .map((x) => layout.known(x))
    .find((x) => x !== undefined && x.layout !== "any");
  if (known === undefined) return undefined;
  const { l } = layout;
  const to = known.node.type.shape;
  if (known.layout === "kernels") {
    const isFit = (x: Node) =>
      isScalarLike(x) ||
      (sameShape(x.type.shape, shape) &&
        (x.type.dtype === "float32" || layout.known(x)?.layout === "kernels"));
    if (!inputs.every(isFit)) return undefined;
    const moved = inputs.map((x) =>
      isScalarLike(x) ? l.reshape(layout.plain(x), []) : layout.kernels(x),
    );
    return kernels(l.op(op, moved, attributes, dtype, to));
  }
  const operands: Operand[] = [];
  for (const x of inputs) {
    const operand = operandOf(layout, blocks, x, shape, to);
    if (operand === undefined) return undefined;
    operands.push(operand);
  }
  const short = affine(layout, blocks, node, operands);
  if (short !== undefined) return images(short);
  if (operands.every((operand) => operand.node !== undefined)) {
    const moved = operands.map((operand) => operand.node as Node);
    return images(l.op(op, moved, attributes, dtype, to));
  }
  const moved = operands.map((operand, i) => {
    if (operand.node === undefined) {
      return l.reshape(layout.plain(inputs[i] as Node), operand.sides ?? []);
    }
    const { shape: own } = operand.node.type;
    return own.length === 0 ? operand.node : l.reshape(operand.node, blocks.imageSides(own));
  });
  return images(l.reshape(l.op(op, moved, attributes, dtype, blocks.imageSides(to)), to));
};

/** ReLU, in the pass that writes what it reads if nothing else reads that. */
const relu: Rule = (layout, blocks, node) => {
  const [x] = node.inputs;
  const known = layout.known(x);
  const fused =
    known?.layout === "images" && layout.isUsedOnce(x) ? blocks.withRelu(known.node) : undefined;
  return fused === undefined ? elementwise(layout, blocks, node) : images(fused);
};

/** A sum, in the pass that writes one of its terms if nothing else reads that. */
const add: Rule = (layout, blocks, node) => {
  const { inputs, type } = node;
  for (const [term, other] of [inputs, inputs.toReversed()] as [Node, Node][]) {
    const known = layout.known(term);
    if (known?.layout !== "images" || !layout.isUsedOnce(term)) continue;
    if (layout.known(other)?.layout !== "images") continue;
    if (![term, other].every((x) => sameShape(x.type.shape, type.shape))) continue;
    const sum = blocks.withSum(known.node, layout.images(other, known.node.type.shape));
    if (sum !== undefined) return images(sum);
  }
  return elementwise(layout, blocks, node);
};

/** Batch normalization as fusions.ts writes it: a scale and a shift per channel. */
const batchNormalization: Rule = (layout, blocks, { inputs: [x, scale, shift] }) => {
  const known = layout.known(x);
  if (known?.layout !== "images" || channelAxis(x.type.shape, known.node.type.shape) !== 1) {
    return undefined;
  }
  return images(blocks.affine(known.node, layout.plain(scale), layout.plain(shift)));
};

const reshape: Rule = (layout, _, { inputs: [x], type }) => {
  const known = layout.known(x);
  if (known === undefined || known.layout === "any") return undefined;
  const { node } = known;
  const isImages = known.layout === "images";
  if (isImages && firstPosition(type.shape, node.type.shape) !== undefined) return known;
  if (type.shape.length !== 1) return undefined;
  return { layout: "any", node: layout.l.reshape(node, type.shape) };
};

const reduce: Rule = (layout, blocks, { op, inputs: [x, axes], attributes, type }) => {
  const known = layout.known(x);
  if (known === undefined || known.layout === "kernels") return undefined;
  const { l } = layout;
  if (known.layout === "any") {
    return l.op(op, [known.node, layout.plain(axes)], attributes, type.dtype, type.shape);
  }
  const first = firstPosition(x.type.shape, known.node.type.shape);
  if (first === undefined || (op !== "ReduceSum" && op !== "ReduceSumSquare")) return undefined;
  const reduced = Array.from(constantData(axes) ?? [], Number);
  if (!sameShape(reduced, range(first, x.type.shape.length))) return undefined;
  const squared = op === "ReduceSumSquare";
  const terms = squared ? l.op("Mul", [known.node, known.node]) : known.node;
  return l.reshape(blocks.sums(terms), type.shape);
};

/** Cuts and zeros along the spatial axes. */
const spatial: Rule = (layout, blocks, { op, inputs, attributes, type }) => {
  const [x, ...lists] = inputs;
  const known = layout.known(x);
  const [n, c, ...sides] = type.shape;
  const isKept = sides.length === 2 && n === x.type.shape[0] && c === x.type.shape[1];
  const axes = op === "Slice" ? Array.from(constantData(lists[2] ?? x) ?? [], Number) : [];
  if (known?.layout !== "images" || !isKept || axes.some((axis) => axis < 2)) return undefined;
  if (!sameShape(known.node.type.shape, x.type.shape)) return undefined;
  const { l } = layout;
  const five = l.reshape(known.node, blocks.imageSides(x.type.shape));
  const given = lists.map((list) => layout.plain(list));
  const widths = Array.from(constantData(lists[0]) ?? [], Number);
  const own =
    op === "Pad" ? [l.integers([...widths.slice(0, 4), 0, ...widths.slice(4), 0])] : given;
  const result = l.op(op, [five, ...own], attributes, type.dtype, blocks.imageSides(type.shape));
  return images(l.reshape(result, type.shape));
};

const elementwiseNames =
  "Abs Add And Cast Cos Div Erf Exp HardSigmoid Identity Less LessOrEqual Equal Log Max Min Mul " +
  "Neg Not Or Reciprocal Relu Select Sigmoid Sin Sqrt Sub Tanh Where";

export const rules: Readonly<Partial<Record<string, Rule>>> = {
  ...Object.fromEntries(elementwiseNames.split(" ").map((name) => [name, elementwise])),
  Relu: relu,
  Add: add,
  Conv: convolve,
  InputGradient: inputGradient,
  KernelGradient: kernelGradient,
  BatchNormalization: batchNormalization,
  Reshape: reshape,
  ReduceSum: reduce,
  ReduceSumSquare: reduce,
  Slice: spatial,
  Pad: spatial,
};
