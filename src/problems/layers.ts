/** Layers: initial numbers of parameters, and the affine map that networks are made of. */
import { np } from "../engine/jax-js.ts";
import { sizeOf, tensor, zeros, type Tensor } from "../engine/tensor.ts";
import { torchUniform } from "./networks/torch-random.ts";
import type { FloatType } from "./problem.ts";

/** A fully connected layer's parameters, as PyTorch's `nn.Linear` names and stores them. */
export type DenseLayer<Leaf = Tensor> = {
  /** [outputs, inputs]. */
  weight: Leaf;
  /** [outputs]. */
  bias: Leaf;
};

/** Draws initial parameters from one stream of random numbers, in the order of the calls. */
export interface Initializer {
  readonly seed: number;
  /** Uniform in ±bound: the float32 numbers of PyTorch's `uniform_` after `torch.manual_seed(seed)`. */
  uniform(shape: readonly number[], bound: number): Tensor;
  /** Normal with mean 0 and this standard deviation, default 1. */
  normal(shape: readonly number[], deviation?: number): Tensor;
  /** All zeros; draws nothing. */
  zeros(shape: readonly number[]): Tensor;
  /** All ones; draws nothing. */
  ones(shape: readonly number[]): Tensor;
  /** Weight, then bias, uniform in ±1/√inputs: bit for bit PyTorch's `nn.Linear(inputs, outputs)`. */
  dense(inputs: number, outputs: number): DenseLayer;
}

/** An initializer whose tensors have the type `dtype`; equal seeds give equal numbers. */
export function initializer(seed: number, dtype: FloatType): Initializer {
  const draw = torchUniform(seed);
  const filled = (shape: readonly number[], value: () => number): Tensor =>
    tensor(
      Array.from({ length: sizeOf(shape) }, () => value()),
      shape,
      dtype,
    );
  const uniform = (shape: readonly number[], bound: number) =>
    filled(shape, () => draw(-bound, bound));
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
    dense(inputs, outputs) {
      const bound = 1 / Math.sqrt(inputs);
      // In PyTorch's order: the weight draws first.
      const weight = uniform([outputs, inputs], bound);
      return { weight, bias: uniform([outputs], bound) };
    },
  };
}

/**
 * x Wᵀ + b. Traced; consumes its arguments, as jax-js functions do.
 *
 * @param x Float, shape [samples, inputs].
 * @returns Shape [samples, outputs].
 */
export function dense(x: np.Array, { weight, bias }: DenseLayer<np.Array>): np.Array {
  return np.add(np.matmul(x, np.transpose(weight)), bias);
}
