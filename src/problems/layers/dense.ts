/** Fully connected layers: the affine map that networks are made of. */
import { np } from "../../engine/jax-js.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** A fully connected layer's parameters, as PyTorch's `nn.Linear` names and stores them. */
export type DenseLayer<Leaf = Tensor> = {
  /** [outputs, inputs]. */
  weight: Leaf;
  /** [outputs]. */
  bias: Leaf;
};

/**
 * x Wᵀ + b. Traced; consumes its arguments, as jax-js functions do.
 *
 * @param x Float, shape [..., inputs].
 * @returns Shape [..., outputs].
 */
export function dense(x: np.Array, { weight, bias }: DenseLayer<np.Array>): np.Array {
  return np.add(np.matmul(x, np.transpose(weight)), bias);
}
