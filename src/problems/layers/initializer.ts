/** Initial numbers of parameters: those that PyTorch's layers have after the same seed. */
import { tensor, zeros, type Tensor } from "../../engine/tensor.ts";
import { torchRandom } from "../networks/torch-random.ts";
import type { FloatType } from "../problem.ts";
import type { AttentionLayer } from "./attention.ts";
import type { ConvolutionLayer } from "./convolution.ts";
import type { DenseLayer } from "./dense.ts";
import type { NormLayer } from "./normalization.ts";

/** Draws initial parameters from one stream of random numbers, in the order of the calls. */
export interface Initializer {
  readonly seed: number;
  /** Uniform in ±bound: the float32 numbers of PyTorch's `uniform_` after `torch.manual_seed(seed)`. */
  uniform(shape: readonly number[], bound: number): Tensor;
  /**
   * Normal with mean 0 and this standard deviation, default 1: numbers of our own, not PyTorch's;
   * those are `embedding`'s.
   */
  normal(shape: readonly number[], deviation?: number): Tensor;
  /** All zeros; draws nothing. */
  zeros(shape: readonly number[]): Tensor;
  /** All ones; draws nothing. */
  ones(shape: readonly number[]): Tensor;
  /** Weight, then bias, uniform in ±1/√inputs: bit for bit PyTorch's `nn.Linear(inputs, outputs)`. */
  dense(inputs: number, outputs: number): DenseLayer;
  /**
   * Weight, then bias, uniform in ±1/√(inputs·side²): bit for bit PyTorch's
   * `nn.Conv2d(inputs, outputs, side, bias=bias)`, which is `kaiming_uniform_(a=√5)`.
   *
   * @param bias default `true`; without it the layer has none and draws none.
   */
  convolution(inputs: number, outputs: number, side: number, bias?: boolean): ConvolutionLayer;
  /** Ones and zeros, as PyTorch's normalization layers start; draws nothing. */
  norm(features: number): NormLayer;
  /**
   * Rows that stand for names, [count, width]: `deviation` (default 1) times the weight of PyTorch's
   * `nn.Embedding(count, width)`, which is normal, to 2e-6 of the deviation.
   */
  embedding(count: number, width: number, deviation?: number): Tensor;
  /**
   * Projections [width, width]: bit for bit those of PyTorch's `nn.MultiheadAttention(width, heads)`.
   * The output's weight is uniform in ±1/√width; queries, keys and values, which PyTorch keeps as one
   * tensor, are uniform in ±√(6/(4·width)) (Glorot & Bengio 2010); biases are 0.
   */
  attention(width: number): AttentionLayer;
}

/** An initializer whose tensors have the type `dtype`; equal seeds give equal numbers. */
export function initializer(seed: number, dtype: FloatType): Initializer {
  const random = torchRandom(seed);
  const draw = random.uniform;
  const filled = (shape: readonly number[], value: () => number): Tensor => {
    const leaf = zeros(shape, dtype);
    for (let i = 0; i < leaf.data.length; i++) leaf.data[i] = value();
    return leaf;
  };
  const uniform = (shape: readonly number[], bound: number) =>
    filled(shape, () => draw(-bound, bound));
  const dense = (inputs: number, outputs: number): DenseLayer => {
    const bound = 1 / Math.sqrt(inputs);
    // In PyTorch's order: the weight draws first.
    const weight = uniform([outputs, inputs], bound);
    return { weight, bias: uniform([outputs], bound) };
  };
  return {
    seed,
    uniform,
    normal: (shape, deviation = 1) =>
      // Box and Muller 1958; 1 − u lies in (0, 1], where the logarithm is finite.
      filled(shape, () => {
        const radius = Math.sqrt(-2 * Math.log(1 - draw(0, 1)));
        return deviation * radius * Math.cos(2 * Math.PI * draw(0, 1));
      }),
    zeros: (shape) => zeros(shape, dtype),
    ones: (shape) => filled(shape, () => 1),
    dense,
    convolution(inputs, outputs, side, bias = true) {
      const bound = 1 / Math.sqrt(inputs * side * side);
      const weight = uniform([outputs, inputs, side, side], bound);
      return bias ? { weight, bias: uniform([outputs], bound) } : { weight };
    },
    norm: (features) => ({ weight: filled([features], () => 1), bias: zeros([features], dtype) }),
    embedding: (count, width, deviation = 1) =>
      tensor(random.normals(count * width, deviation), [count, width], dtype),
    attention(width) {
      // In PyTorch's order: the output's layer is made first, and its bias drawn before it is cleared.
      const output = dense(width, width);
      const bound = Math.sqrt(6 / (4 * width));
      const projection = (): DenseLayer => ({
        weight: uniform([width, width], bound),
        bias: zeros([width], dtype),
      });
      return {
        query: projection(),
        key: projection(),
        value: projection(),
        output: { weight: output.weight, bias: zeros([width], dtype) },
      };
    },
  };
}
