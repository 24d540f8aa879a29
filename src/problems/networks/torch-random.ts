/** PyTorch's random numbers, so that a seed here starts a network where the same seed does there. */
import { mersenne } from "pure-rand/generator/mersenne";

/**
 * `torch.manual_seed(seed)` followed by `tensor.uniform_(low, high)` in float32 on the CPU:
 * 24 bits of a Mersenne Twister word, scaled in float32 arithmetic. Successive calls continue
 * the stream. Checked bit for bit against PyTorch 2.15.
 *
 * @param seed whole number in [0, 2³²).
 */
export function torchUniform(seed: number): (low: number, high: number) => number {
  const generator = mersenne(seed);
  return (low, high) => {
    const unit = (generator.next() & 0xffffff) * 2 ** -24;
    const width = Math.fround(Math.fround(high) - Math.fround(low));
    // One rounding, as in the fused multiply-add PyTorch compiles to; the product is exact here.
    return Math.fround(unit * width + Math.fround(low));
  };
}
