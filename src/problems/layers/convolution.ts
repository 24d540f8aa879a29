/** Convolutions of images, and the mean over their pixels. */
import { lax, np } from "../../engine/jax-js.ts";
import { multiply, scalar } from "../../engine/arrays.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** A convolution's parameters, as PyTorch's `nn.Conv2d` names and stores them. */
export type ConvolutionLayer<Leaf = Tensor> = {
  /** [outputs, inputs, side, side]. */
  weight: Leaf;
  /** [outputs]; absent before a normalization, which would take it away again. */
  bias?: Leaf;
};

/**
 * Convolution with zero padding: out(n, o, i, j) = b(o) + Σ w(o, c, k, l) x(n, c, s·i + k − p, s·j + l − p).
 * The padding p is half the kernel, rounded down, so that stride 1 keeps the size of the image and
 * stride s divides it by s, rounded up, for kernels of odd side. Traced; borrows.
 *
 * @param x Float, shape [samples, inputs, height, width].
 * @returns Shape [samples, outputs, ⌈height/stride⌉, ⌈width/stride⌉].
 */
export function convolve(
  x: np.Array,
  { weight, bias }: ConvolutionLayer<np.Array>,
  stride = 1,
): np.Array {
  const [outputs = 0, , side = 0] = weight.shape;
  const padding: [number, number] = [Math.floor(side / 2), Math.floor(side / 2)];
  const y = lax.convGeneralDilated(x.ref, weight.ref, [stride, stride], [padding, padding]);
  return bias === undefined ? y : np.add(y, bias.ref.reshape([outputs, 1, 1]));
}

/** Means over the pixels of every channel: [samples, channels, height, width] → [samples, channels]. Borrows. */
export function meanOverPixels(x: np.Array): np.Array {
  const [, , height = 1, width = 1] = x.shape;
  return multiply(np.sum(x.ref, [2, 3]), scalar(1 / (height * width), x));
}
