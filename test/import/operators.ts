/** Cases for every operator that imports read: inputs, attributes, and what is asked of ONNX Runtime. */

/** A tensor of a case: an int64, bool or float list with its shape. */
export interface Feed {
  readonly kind: "float" | "int" | "bool";
  readonly shape: readonly number[];
  readonly data: readonly number[];
  /** Whether the graph has it as a constant. */
  readonly constant: boolean;
}

export interface OperatorCase {
  readonly op: string;
  readonly inputs: readonly (Feed | undefined)[];
  readonly attributes?: { readonly [name: string]: number | readonly number[] | string | Feed };
  /** Default 1. */
  readonly outputs?: number;
  /** Why ONNX Runtime is no oracle in float64. */
  readonly onlyFloat32?: string;
}

const wave = (size: number, scale: number, phase: number) =>
  Array.from({ length: size }, (_, k) => scale * Math.sin(1.7 * k + phase) + 0.05 * (k % 3));
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Numbers between −scale and scale. */
const x = (shape: readonly number[], scale = 2, phase = 0.3): Feed => ({
  kind: "float",
  shape,
  data: wave(sizeOf(shape), scale, phase),
  constant: false,
});
/** Numbers above 0.1. */
const positive = (shape: readonly number[]): Feed => ({
  ...x(shape),
  data: wave(sizeOf(shape), 1, 0.3).map((value) => Math.abs(value) + 0.1),
});
const list = (...data: readonly number[]): Feed => ({
  kind: "int",
  shape: [data.length],
  data,
  constant: true,
});
const number = (value: number): Feed => ({
  kind: "float",
  shape: [],
  data: [value],
  constant: true,
});
const int = (value: number): Feed => ({ kind: "int", shape: [], data: [value], constant: true });
/** Integers that a graph is fed with. */
const ints = (shape: readonly number[], data: readonly number[]): Feed => ({
  kind: "int",
  shape,
  data,
  constant: false,
});
const flags = (shape: readonly number[], data: readonly number[]): Feed => ({
  kind: "bool",
  shape,
  data,
  constant: false,
});
const constant = (feed: Feed): Feed => ({ ...feed, constant: true });

const unary = (...names: readonly string[]): OperatorCase[] =>
  names.map((op) => ({ op, inputs: [x([3, 4])] }));
const binary = (...names: readonly string[]): OperatorCase[] =>
  names.flatMap((op) => [
    { op, inputs: [x([2, 3, 4]), x([3, 1], 1.5, 1.1)] },
    { op, inputs: [x([4]), x([2, 4], 1, 2)] },
  ]);
const reduced = (...names: readonly string[]): OperatorCase[] =>
  names.flatMap((op) => [
    { op, inputs: [positive([2, 3, 4]), list(1)] },
    { op, inputs: [positive([2, 3, 4]), list(0, -1)], attributes: { keepdims: 0 } },
    { op, inputs: [positive([2, 3])] },
    { op, inputs: [positive([2, 3])], attributes: { noop_with_empty_axes: 1 } },
  ]);

/** A float32 that is the same number as a decimal: attributes are read as the shortest decimals. */
const epsilon = 2 ** -10;
const dilated = { kernel_shape: [2, 2], dilations: [2, 1], pads: [1, 0, 0, 1] };
const labels = ints([4], [2, 0, 1, 2]);

export const operatorCases: readonly OperatorCase[] = [
  ...unary("Identity", "Neg", "Abs", "Sign", "Exp", "Floor", "Ceil", "Round", "Sin", "Cos", "Tan"),
  ...unary(
    "Atan",
    "Sinh",
    "Cosh",
    "Tanh",
    "Erf",
    "IsNaN",
    "Relu",
    "Sigmoid",
    "Softplus",
    "Softsign",
  ),
  ...unary("HardSwish", "Mish", "Shape", "Size", "GlobalAveragePool").slice(0, 4),
  ...["Reciprocal", "Sqrt", "Log"].map((op) => ({ op, inputs: [positive([3, 4])] })),
  ...["Asin", "Acos"].map((op) => ({ op, inputs: [x([3, 4], 0.9, 0.1)] })),
  { op: "Erf", inputs: [x([40], 7)] },
  { op: "Softplus", inputs: [x([6], 60)] },
  { op: "Sigmoid", inputs: [x([6], 60)] },
  ...binary("Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean", "Less", "LessOrEqual", "Greater"),
  ...binary("GreaterOrEqual", "Equal"),
  { op: "Max", inputs: [x([3]), x([3], 1, 2), x([2, 3], 1, 4)] },
  { op: "Div", inputs: [x([2, 3]), positive([3])] },
  { op: "Div", inputs: [ints([4], [7, -7, 8, -9]), ints([4], [2, 2, -3, -3])] },
  { op: "Mod", inputs: [ints([4], [7, -7, 8, -9]), ints([4], [3, 3, -5, -4])] },
  { op: "Mod", inputs: [x([6], 5), positive([6])], attributes: { fmod: 1 } },
  ...[2, 3, -1, 0.5, -0.5, 0, 1, 1.5].map((power) => ({
    op: "Pow",
    inputs: [power % 1 === 0 ? x([5]) : positive([5]), number(power)],
  })),
  { op: "Pow", inputs: [positive([5]), x([2, 1])] },
  { op: "Cast", inputs: [x([6], 5)], attributes: { to: 7 } },
  { op: "Cast", inputs: [x([6], 5)], attributes: { to: 9 } },
  { op: "Cast", inputs: [ints([3], [0, 1, -2])], attributes: { to: 11 } },
  { op: "Cast", inputs: [flags([3], [0, 1, 1])], attributes: { to: 11 } },
  { op: "CastLike", inputs: [x([6], 5), ints([1], [0])] },
  { op: "Clip", inputs: [x([6], 5), number(-1), number(2)] },
  { op: "Clip", inputs: [x([6], 5), undefined, number(0)] },
  { op: "Not", inputs: [flags([3], [0, 1, 1])] },
  ...["And", "Or", "Xor"].map((op) => ({
    op,
    inputs: [flags([2, 2], [0, 0, 1, 1]), flags([2], [0, 1])],
  })),
  { op: "Where", inputs: [flags([2, 1], [0, 1]), x([2, 3]), x([3], 1, 2)] },
  { op: "LeakyRelu", inputs: [x([6])], attributes: { alpha: 0.1 } },
  { op: "PRelu", inputs: [x([2, 3]), x([3], 0.5)] },
  { op: "Elu", inputs: [x([6])], attributes: { alpha: 0.7 } },
  { op: "Celu", inputs: [x([6])], attributes: { alpha: 0.7 } },
  { op: "Selu", inputs: [x([6])] },
  { op: "HardSigmoid", inputs: [x([6], 4)], attributes: { alpha: 0.3, beta: 0.4 } },
  { op: "Gelu", inputs: [x([20], 6)] },
  {
    op: "Gelu",
    inputs: [x([20], 6)],
    attributes: { approximate: "tanh" },
    onlyFloat32: "it rounds the constants of the formula to float32",
  },
  { op: "Dropout", inputs: [x([6])] },

  { op: "Constant", inputs: [], attributes: { value: constant(x([2, 3])) } },
  { op: "Constant", inputs: [], attributes: { value_ints: [1, -2] } },
  { op: "ConstantOfShape", inputs: [list(2, 3)], attributes: { value: constant(x([1])) } },
  { op: "Shape", inputs: [x([2, 3, 4])], attributes: { start: 1, end: -1 } },
  { op: "Reshape", inputs: [x([2, 3, 4]), list(0, -1, 2)] },
  { op: "Flatten", inputs: [x([2, 3, 4])], attributes: { axis: 2 } },
  { op: "Squeeze", inputs: [x([1, 3, 1]), list(-1)] },
  { op: "Squeeze", inputs: [x([1, 3, 1])] },
  { op: "Unsqueeze", inputs: [x([2, 3]), list(0, -1)] },
  { op: "Expand", inputs: [x([3, 1]), list(2, 1, 4)] },
  { op: "Tile", inputs: [x([2, 3]), list(2, 3)] },
  { op: "Transpose", inputs: [x([2, 3, 4])], attributes: { perm: [2, 0, 1] } },
  { op: "Transpose", inputs: [x([2, 3, 4])] },
  { op: "DepthToSpace", inputs: [x([1, 8, 2, 3])], attributes: { blocksize: 2 } },
  { op: "DepthToSpace", inputs: [x([1, 8, 2, 3])], attributes: { blocksize: 2, mode: "CRD" } },
  { op: "SpaceToDepth", inputs: [x([1, 2, 4, 6])], attributes: { blocksize: 2 } },
  {
    op: "Resize",
    inputs: [
      x([1, 2, 3, 2]),
      undefined,
      { ...list(), kind: "float", shape: [4], data: [1, 1, 2, 3] },
    ],
    attributes: {
      mode: "nearest",
      coordinate_transformation_mode: "asymmetric",
      nearest_mode: "floor",
    },
  },
  { op: "Concat", inputs: [x([2, 3]), x([2, 1], 1, 2)], attributes: { axis: -1 } },
  { op: "Split", inputs: [x([2, 7]), list(3, 4)], attributes: { axis: 1 }, outputs: 2 },
  { op: "Split", inputs: [x([6, 2])], attributes: { num_outputs: 3 }, outputs: 3 },
  { op: "Slice", inputs: [x([4, 5]), list(1, -3), list(3, 2 ** 40)] },
  { op: "Slice", inputs: [x([4, 5]), list(4), list(0), list(1), list(-2)] },
  { op: "Pad", inputs: [x([2, 3]), list(1, 0, 2, 1), number(0.5)] },
  { op: "Pad", inputs: [x([3, 4]), list(0, -1, 1, 0)] },
  ...["reflect", "edge", "wrap"].map((mode) => ({
    op: "Pad",
    inputs: [x([3, 4]), list(2, 1, 1, 2)],
    attributes: { mode },
  })),
  { op: "Trilu", inputs: [x([2, 3, 4]), int(1)] },
  { op: "Trilu", inputs: [x([4, 3]), int(-1)], attributes: { upper: 0 } },
  { op: "Gather", inputs: [x([4, 3]), ints([2, 2], [0, -1, 3, 1])] },
  { op: "Gather", inputs: [x([4, 3]), list(2, -1)], attributes: { axis: 1 } },
  { op: "GatherElements", inputs: [x([3, 2]), ints([2, 2], [0, -1, 2, 1])] },
  {
    op: "GatherElements",
    inputs: [x([2, 3]), list(0)].with(1, constant(ints([2, 1], [2, 0]))),
    attributes: { axis: 1 },
  },
  { op: "GatherND", inputs: [x([3, 2, 4]), ints([2, 2], [0, 1, -1, 0])] },
  ...[
    ints,
    (shape: readonly number[], data: readonly number[]) => constant(ints(shape, data)),
  ].flatMap((indices): OperatorCase[] => [
    { op: "ScatterND", inputs: [x([4, 3]), indices([2, 1], [1, 3]), x([2, 3], 1, 2)] },
    {
      op: "ScatterND",
      inputs: [x([4, 3]), indices([5, 1], [1, 3, 1, 1, -1]), x([5, 3], 1, 2)],
      attributes: { reduction: "add" },
    },
    {
      op: "ScatterElements",
      inputs: [x([3, 4]), indices([2, 2], [0, 2, 1, -1]), x([2, 2], 1, 2)],
      attributes: { axis: 1 },
    },
  ]),
  {
    op: "ScatterND",
    inputs: [
      x([2, 2]),
      constant(
        ints(
          [40, 1],
          Array.from({ length: 40 }, (_, i) => Number(i % 7 === 0)),
        ),
      ),
      x([40, 2], 1, 2),
    ],
    attributes: { reduction: "add" },
  },
  {
    op: "OneHot",
    inputs: [ints([3], [2, 0, -1]), int(4), { ...number(0), shape: [2], data: [-1, 3] }],
  },
  { op: "CumSum", inputs: [x([3, 4]), int(1)] },
  { op: "CumSum", inputs: [x([3, 4]), int(0)], attributes: { exclusive: 1, reverse: 1 } },
  { op: "Range", inputs: [int(2), int(9), int(3)] },

  ...reduced("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1"),
  ...reduced("ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp").filter(
    ({ attributes }) => attributes?.["noop_with_empty_axes"] === undefined,
  ),
  ...["ArgMax", "ArgMin"].flatMap((op) => [
    { op, inputs: [x([3, 4])], attributes: { axis: 1, keepdims: 0 } },
    { op, inputs: [x([3, 4])] },
  ]),
  ...["Softmax", "LogSoftmax"].flatMap((op) => [
    { op, inputs: [x([3, 4], 30)] },
    { op, inputs: [x([3, 4, 2])], attributes: { axis: 1 } },
  ]),
  { op: "MatMul", inputs: [x([2, 3, 4]), x([4, 5], 1, 2)] },
  { op: "MatMul", inputs: [x([4]), x([4, 2], 1, 2)] },
  {
    op: "Gemm",
    inputs: [x([3, 2]), x([4, 3], 1, 2), x([4], 1, 3)],
    attributes: { transA: 1, transB: 1, alpha: 0.5, beta: 2 },
  },
  { op: "Gemm", inputs: [x([2, 3]), x([3, 4], 1, 2)] },
  {
    op: "Einsum",
    inputs: [x([2, 3, 4]), x([2, 5, 4], 1, 2)],
    attributes: { equation: "bij,bkj->bik" },
  },
  { op: "Conv", inputs: [x([2, 3, 5, 4]), x([4, 3, 3, 2], 1, 2), x([4], 1, 1)] },
  {
    op: "Conv",
    inputs: [x([2, 4, 6, 5]), x([6, 2, 2, 2], 1, 2)],
    attributes: { group: 2, strides: [2, 1], ...dilated },
  },
  {
    op: "Conv",
    inputs: [x([1, 2, 7]), x([3, 2, 3], 1, 2)],
    attributes: { auto_pad: "SAME_UPPER", strides: [2] },
  },
  {
    op: "ConvTranspose",
    inputs: [x([2, 3, 4, 3]), x([3, 2, 3, 2], 1, 2), x([2], 1, 1)],
    attributes: { strides: [2, 1], pads: [1, 0, 0, 1], output_padding: [1, 0] },
  },
  {
    op: "ConvTranspose",
    inputs: [x([1, 4, 3, 3]), x([4, 2, 2, 2], 1, 2)],
    attributes: { group: 2, dilations: [2, 2] },
  },
  {
    op: "MaxPool",
    inputs: [x([1, 2, 6, 6])],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    op: "MaxPool",
    inputs: [x([1, 2, 6, 5])],
    attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], ceil_mode: 1 },
  },
  { op: "AveragePool", inputs: [x([1, 2, 6, 6])], attributes: { kernel_shape: [2, 3] } },
  ...[0, 1].map((count) => ({
    op: "AveragePool",
    inputs: [x([1, 2, 5, 5])],
    attributes: {
      kernel_shape: [3, 2],
      strides: [2, 2],
      pads: [1, 0, 1, 1],
      count_include_pad: count,
      ceil_mode: 1,
    },
  })),
  { op: "GlobalAveragePool", inputs: [x([2, 3, 4, 2])] },
  { op: "GlobalMaxPool", inputs: [x([2, 3, 4, 2])] },
  {
    op: "LayerNormalization",
    inputs: [x([2, 3, 4]), x([3, 4], 1, 2), x([3, 4], 1, 4)],
    attributes: { axis: 1, epsilon },
  },
  { op: "LayerNormalization", inputs: [x([2, 4]), x([4], 1, 2)], attributes: { epsilon } },
  {
    op: "InstanceNormalization",
    inputs: [x([2, 3, 4]), x([3], 1, 2), x([3], 1, 4)],
    attributes: { epsilon },
  },
  {
    op: "GroupNormalization",
    inputs: [x([2, 4, 3]), x([4], 1, 2), x([4], 1, 4)],
    attributes: { num_groups: 2, epsilon },
    onlyFloat32: "it computes in float32",
  },
  {
    op: "BatchNormalization",
    inputs: [x([3, 2, 4]), x([2], 1, 2), x([2], 1, 4), x([2], 1, 1), positive([2])],
    attributes: { epsilon },
  },
  {
    op: "BatchNormalization",
    inputs: [x([3, 2, 4]), x([2], 1, 2), x([2], 1, 4), x([2], 1, 1), positive([2])],
    attributes: { training_mode: 1, momentum: 0.75, epsilon },
    outputs: 3,
  },
  ...["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"].flatMap((op): OperatorCase[] => [
    { op, inputs: [x([4, 3]), labels], attributes: { reduction: "none" } },
    { op, inputs: [x([4, 3]), labels, positive([3])] },
    { op, inputs: [x([4, 3]), labels], attributes: { reduction: "sum" } },
    {
      op,
      inputs: [x([2, 3, 4]), ints([2, 4], [0, 1, 2, 0, -100, 1, 1, 2])],
      attributes: { reduction: "none", ignore_index: -100 },
    },
    { op, inputs: [x([4, 3]), labels, positive([3])], attributes: { ignore_index: 2 } },
  ]),
];
