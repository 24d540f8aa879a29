/** Operators of ONNX that sum up: reductions, products, convolutions, normalizations, losses. */
import { lax, np } from "../../../engine/jax-js.ts";
import { add, divide, multiply, scalar, square, subtract } from "../../../engine/arrays.ts";
import { sizeOf } from "../../../engine/tensor.ts";
import type { Call, Operator, Operators } from "./call.ts";
import { axisOf, type Value } from "./known.ts";

const times = (x: np.Array, value: number) => np.multiply(x, scalar(value, x));
const plus = (x: np.Array, value: number) => np.add(x, scalar(value, x));
const range = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i);

/** Mean over axes, which stay as sides of 1. */
function meanOver(x: np.Array, axes: readonly number[]): np.Array {
  const count = sizeOf(axes.map((axis) => x.shape[axis] ?? 1));
  const sum = np.sum(x.ref, [...axes], { keepdims: true });
  return divide(sum, scalar(count, sum));
}

/** A reduction over axes given as an input or an attribute; none are all. */
const reduction =
  (reduce: (x: np.Array, axes: number[], keepdims: boolean) => np.Array): Operator =>
  (call) => {
    const rank = call.shape(0).length;
    const given = call.axes(1);
    const isAll = given === undefined || given.length === 0;
    if (isAll && call.number("noop_with_empty_axes", 0) === 1) return call.array(0);
    const axes = isAll ? range(rank) : given.map((axis) => axisOf(axis, rank));
    return reduce(call.array(0), axes, call.number("keepdims", 1) === 1);
  };

const sum = (x: np.Array, axes: number[], keepdims: boolean) => np.sum(x, axes, { keepdims });

/** ln Σ eˣ with the maximum taken out. */
function logSumExp(x: np.Array, axes: number[], keepdims: boolean): np.Array {
  const most = lax.stopGradient(np.max(x.ref, axes, { keepdims: true }));
  const logs = np.add(np.log(sum(np.exp(subtract(x, most)), axes, true)), most.ref);
  const kept = x.shape.filter((_, axis) => !axes.includes(axis));
  return keepdims ? logs : logs.reshape(kept);
}

const logSoftmax = (x: np.Array, axis: number) => subtract(x, logSumExp(x, [axis], true));

function softmax(x: np.Array, axis: number): np.Array {
  const most = lax.stopGradient(np.max(x.ref, axis, { keepdims: true }));
  const weights = np.exp(subtract(x, most));
  return divide(weights, np.sum(weights.ref, axis, { keepdims: true }));
}

const along =
  (compute: (x: np.Array, axis: number) => np.Array): Operator =>
  (call) =>
    compute(call.array(0), axisOf(call.number("axis", -1), call.shape(0).length));

const place =
  (find: typeof np.argmax): Operator =>
  (call) => {
    call.expect("select_last_index", 0);
    const axis = axisOf(call.number("axis", 0), call.shape(0).length);
    return find(call.array(0), axis, { keepdims: call.number("keepdims", 1) === 1 });
  };

/** α·A·B + β·C, A and B as they are or transposed. */
function gemm(call: Call): Value {
  const [a, b, c] = [call.array(0), call.array(1), call.optional(2)];
  const left = call.number("transA", 0) === 1 ? np.transpose(a) : a;
  const right = call.number("transB", 0) === 1 ? np.transpose(b) : b;
  const [alpha, beta] = [call.number("alpha", 1), call.number("beta", 1)];
  const product = np.matmul(left, right);
  const scaled = alpha === 1 ? product : times(product, alpha);
  if (c === undefined || beta === 0) return scaled;
  return np.add(scaled, beta === 1 ? c : times(c, beta));
}

/** What windows slide over: sides, strides, dilations, and how far the edges are padded. */
interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Low and high by axis. */
  readonly pads: [number, number][];
}

function windowsOf(call: Call, sides: readonly number[], kernel: readonly number[]): Windows {
  const strides = call.ints("strides") ?? kernel.map(() => 1);
  const dilations = call.ints("dilations") ?? kernel.map(() => 1);
  const given = call.ints("pads") ?? kernel.flatMap(() => [0, 0]);
  const automatic = call.text("auto_pad", "NOTSET");
  const pads = sides.map((side, axis): [number, number] => {
    const stride = strides[axis] ?? 1;
    const reach = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    if (automatic === "SAME_UPPER" || automatic === "SAME_LOWER") {
      const all = Math.max(0, (Math.ceil(side / stride) - 1) * stride + reach - side);
      const [less, more] = [Math.floor(all / 2), Math.ceil(all / 2)];
      return automatic === "SAME_UPPER" ? [less, more] : [more, less];
    }
    return [given[axis] ?? 0, given[axis + sides.length] ?? 0];
  });
  return { kernel, strides, dilations, pads };
}

function conv(call: Call): Value {
  const [x, weight, bias] = [call.array(0), call.array(1), call.optional(2)];
  const windows = windowsOf(call, x.shape.slice(2), weight.shape.slice(2));
  const result = lax.convGeneralDilated(x, weight, [...windows.strides], windows.pads, {
    rhsDilation: [...windows.dilations],
    featureGroupCount: call.number("group", 1),
  });
  return withBias(result, bias);
}

function withBias(x: np.Array, bias: np.Array | undefined): np.Array {
  return bias ? np.add(x, channels(bias, x.shape.length)) : x;
}

/** One number per channel, as [1, channels, 1, …]. */
const channels = (x: np.Array, rank: number) =>
  x.reshape([1, x.size, ...Array<number>(rank - 2).fill(1)]);

/** The transpose of a convolution: one of the input with zeros between, by the flipped kernel. */
function convTranspose(call: Call): Value {
  const [x, weight, bias] = [call.array(0), call.array(1), call.optional(2)];
  call.expect("auto_pad", "NOTSET");
  if (call.ints("output_shape")) throw new TypeError("output_shape is not supported");
  const groups = call.number("group", 1);
  const [inputs = 0, outputs = 0, ...kernel] = weight.shape;
  const { strides, dilations, pads } = windowsOf(call, x.shape.slice(2), kernel);
  const further = call.ints("output_padding") ?? kernel.map(() => 0);
  const split = weight.reshape([groups, inputs / groups, outputs, ...kernel]);
  const swapped = np.transpose(split, [0, 2, 1, ...range(kernel.length, 3)]);
  const turned = swapped.reshape([groups * outputs, inputs / groups, ...kernel]);
  const flipped = np.flip(turned, range(kernel.length, 2));
  const around = pads.map(([low, high], axis): [number, number] => {
    const reach = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1);
    return [reach - low, reach - high + (further[axis] ?? 0)];
  });
  const result = lax.convGeneralDilated(
    x,
    flipped,
    kernel.map(() => 1),
    around,
    {
      lhsDilation: [...strides],
      rhsDilation: [...dilations],
      featureGroupCount: groups,
    },
  );
  return withBias(result, bias);
}

/** Padding with a number, of all axes but the first two. */
function padSides(
  x: np.Array,
  pads: readonly (readonly [number, number])[],
  value: number,
): np.Array {
  return pads.reduce((padded, [low, high], i) => {
    const axis = i + 2;
    const block = (width: number) =>
      width <= 0 ? [] : [np.broadcastTo(scalar(value, padded), padded.shape.with(axis, width))];
    const parts = [...block(low), padded.ref, ...block(high)];
    return parts.length === 1 ? padded : np.concatenate(parts, axis);
  }, x);
}

/** Windows of a pooling; `ceil_mode` lets the last window reach over the edge. */
function poolOf(call: Call, sides: readonly number[]): Windows {
  const kernel = call.ints("kernel_shape") ?? [];
  const windows = windowsOf(call, sides, kernel);
  if (windows.dilations.some((dilation) => dilation !== 1)) {
    throw new TypeError(`dilations [${windows.dilations.join(", ")}] are not supported`);
  }
  if (call.number("ceil_mode", 0) === 0) return windows;
  const pads = windows.pads.map(([low, high], axis): [number, number] => {
    const [side, width, stride] = [sides, kernel, windows.strides].map(
      (list) => list[axis] ?? 1,
    ) as [number, number, number];
    const steps = Math.ceil((side + low + high - width) / stride);
    // A window that would begin beyond the input and its low padding does not count.
    const count = steps * stride >= side + low ? steps : steps + 1;
    return [low, Math.max(high, (count - 1) * stride + width - side - low)];
  });
  return { ...windows, pads };
}

const slide = (x: np.Array, reduce: (x: np.Array) => np.Array, { kernel, strides }: Windows) =>
  lax.reduceWindow(x, reduce, [...kernel], [...strides]);

/** Below every number that a network computes, and finite, so that 0 times it is 0. */
const lowest = -1e30;

function maxPool(call: Call): Value[] {
  const x = call.array(0);
  const windows = poolOf(call, x.shape.slice(2));
  return [slide(padSides(x, windows.pads, lowest), (window) => np.max(window), windows)];
}

function averagePool(call: Call): Value {
  const x = call.array(0);
  const sides = x.shape.slice(2);
  const windows = poolOf(call, sides);
  const total = (of: np.Array) => slide(of, (window) => np.sum(window), windows);
  const sums = total(padSides(x, windows.pads, 0));
  // How many elements each window has, of the input alone or with the padding that was asked for.
  const counted = call.number("count_include_pad", 0) === 1;
  const given = windowsOf(call, sides, windows.kernel).pads;
  const ones = np.ones([1, 1, ...sides], { dtype: x.dtype });
  const asked = padSides(ones, given, counted ? 1 : 0);
  const beyond = windows.pads.map(([low, high], i): [number, number] => [
    low - (given[i]?.[0] ?? 0),
    high - (given[i]?.[1] ?? 0),
  ]);
  return divide(sums, total(padSides(asked, beyond, 0)));
}

/** Over all axes but the first two, which stay as sides of 1. */
const globalPool =
  (reduce: (x: np.Array, axes: number[]) => np.Array): Operator =>
  (call) =>
    reduce(call.array(0), range(call.shape(0).length - 2, 2));

/** (x − mean)/√(variance + ε) with the mean and the variance over axes. */
function normalized(x: np.Array, axes: readonly number[], epsilon: number): np.Array {
  const centered = subtract(x, meanOver(x, axes));
  const variance = meanOver(square(centered), axes);
  return divide(centered, np.sqrt(plus(variance, epsilon)));
}

const epsilonOf = (call: Call) => call.number("epsilon", 1e-5);

function layerNormalization(call: Call): Value[] {
  const x = call.array(0);
  const axis = axisOf(call.number("axis", -1), x.shape.length);
  const y = normalized(x, range(x.shape.length - axis, axis), epsilonOf(call));
  const scaled = np.multiply(y, call.array(1));
  const bias = call.optional(2);
  return [bias ? np.add(scaled, bias) : scaled];
}

/** Scale and shift by channel. */
function affine(x: np.Array, scale: np.Array, bias: np.Array): np.Array {
  const rank = x.shape.length;
  return np.add(np.multiply(x, channels(scale, rank)), channels(bias, rank));
}

function instanceNormalization(call: Call): Value {
  const x = call.array(0);
  const y = normalized(x, range(x.shape.length - 2, 2), epsilonOf(call));
  return affine(y, call.array(1), call.array(2));
}

function groupNormalization(call: Call): Value {
  const x = call.array(0);
  const [n = 0, c = 0, ...sides] = x.shape;
  const groups = call.number("num_groups", 1);
  const parts = x.reshape([n, groups, c / groups, ...sides]);
  const y = normalized(parts, range(parts.shape.length - 2, 2), epsilonOf(call)).reshape([
    n,
    c,
    ...sides,
  ]);
  // Before opset 21 there is one scale per group.
  const each = (i: number) => {
    const scale = call.array(i);
    return scale.size === c ? scale : np.repeat(scale, c / scale.size, 0);
  };
  return affine(y, each(1), each(2));
}

/** By the running statistics; in training mode by those of the batch, which then are a result too. */
function batchNormalization(call: Call): Value[] {
  const [x, scale, bias, mean, variance] = range(5).map((i) => call.array(i)) as [
    np.Array,
    np.Array,
    np.Array,
    np.Array,
    np.Array,
  ];
  const rank = x.shape.length;
  const isTraining = call.number("training_mode", 0) === 1;
  const axes = [0, ...range(rank - 2, 2)];
  const seen = meanOver(x, axes);
  const spread = meanOver(square(subtract(x, seen)), axes);
  const used = isTraining
    ? { mean: seen, variance: spread }
    : { mean: channels(mean, rank), variance: channels(variance, rank) };
  const y = divide(subtract(x, used.mean), np.sqrt(plus(used.variance.ref, epsilonOf(call))));
  const result = affine(y, scale, bias);
  if (!isTraining) return [result];
  const momentum = call.number("momentum", 0.9);
  const blend = (running: np.Array, batch: np.Array) =>
    add(times(running.ref, momentum), times(batch.reshape(running.shape), 1 - momentum));
  return [result, blend(mean, seen), blend(variance, spread)];
}

/** −weight[label]·logs[label] for logs [n, classes, …] and labels [n, …]. */
function likelihoodLoss(call: Call, logs: np.Array): np.Array {
  const labels = call.array(1);
  const rank = logs.shape.length;
  const weights = call.optional(2);
  const ignored = call.node.attributes.get("ignore_index");
  const [n = 0, ...rest] = labels.shape;
  const classes = logs.shape[1] ?? 0;
  const column = channels(np.arange(0, classes, 1, { dtype: np.int32 }), rank);
  const wide = labels.reshape([n, 1, ...rest]);
  // A label such as -100 is that of no class, and the sum over none is 0.
  const isLabel = np.equal(wide.ref, column);
  const isMeant =
    typeof ignored === "number" && ignored >= 0
      ? np.logicalAnd(isLabel, np.notEqual(wide, ignored))
      : isLabel;
  const each = weights
    ? channels(weights, rank)
    : scalar(1, logs).reshape(Array<number>(rank).fill(1));
  const chosen = (of: np.Array) => np.where(isMeant.ref, of, scalar(0, logs));
  const losses = np.negative(np.sum(chosen(multiply(each, logs)), 1));
  const reduction = call.text("reduction", "mean");
  if (reduction === "none") return losses;
  const total = np.sum(losses);
  return reduction === "sum"
    ? total
    : divide(total, np.sum(chosen(np.broadcastTo(each, logs.shape))));
}

export const layers: Operators = {
  // Reductions
  ReduceSum: reduction(sum),
  ReduceMean: reduction((x, axes, keepdims) => {
    const mean = meanOver(x, axes);
    return keepdims ? mean : mean.reshape(x.shape.filter((_, axis) => !axes.includes(axis)));
  }),
  ReduceMax: reduction((x, axes, keepdims) => np.max(x, axes, { keepdims })),
  ReduceMin: reduction((x, axes, keepdims) => np.min(x, axes, { keepdims })),
  ReduceProd: reduction((x, axes, keepdims) =>
    axes.toSorted((a, b) => b - a).reduce((part, axis) => np.prod(part, axis, { keepdims }), x),
  ),
  ReduceL1: reduction((x, axes, keepdims) => sum(np.absolute(x), axes, keepdims)),
  ReduceL2: reduction((x, axes, keepdims) => np.sqrt(sum(square(x), axes, keepdims))),
  ReduceSumSquare: reduction((x, axes, keepdims) => sum(square(x), axes, keepdims)),
  ReduceLogSum: reduction((x, axes, keepdims) => np.log(sum(x, axes, keepdims))),
  ReduceLogSumExp: reduction(logSumExp),
  ArgMax: place((...args) => np.argmax(...args)),
  ArgMin: place((...args) => np.argmin(...args)),
  Softmax: along(softmax),
  LogSoftmax: along(logSoftmax),

  // Products
  MatMul: (call) => np.matmul(call.array(0), call.array(1)),
  Gemm: gemm,
  Einsum: (call) => np.einsum(call.text("equation", ""), ...call.arrays()),

  // Convolutions and pools
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalPool(meanOver),
  GlobalMaxPool: globalPool((x, axes) => np.max(x, axes, { keepdims: true })),

  // Normalizations
  LayerNormalization: layerNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  BatchNormalization: batchNormalization,

  // Losses
  SoftmaxCrossEntropyLoss(call) {
    const logs = logSoftmax(call.array(0), 1);
    return [likelihoodLoss(call, logs), logs];
  },
  NegativeLogLikelihoodLoss: (call) => likelihoodLoss(call, call.array(0)),
};
