/** PyTorch's random numbers, so that a seed here starts a network where the same seed does there. */
import { mersenne } from "pure-rand/generator/mersenne";

/** PyTorch's generator on the CPU after `torch.manual_seed`; every call continues its one stream. */
export interface TorchRandom {
  /** A number of `tensor.uniform_(low, high)` in float32, bit for bit. */
  readonly uniform: (low: number, high: number) => number;
  /**
   * `tensor.normal_(0, deviation)` of a float32 tensor with so many elements, which is also what
   * `torch.randn` and `nn.Embedding` draw. PyTorch takes logarithms and cosines in vectors of its
   * own: numbers agree to 2e-6 of the deviation.
   */
  readonly normals: (count: number, deviation?: number) => Float32Array<ArrayBuffer>;
}

/**
 * The stream of `torch.manual_seed(seed)`: a Mersenne Twister. Checked against PyTorch 2.15.
 *
 * @param seed whole number in [0, 2³²).
 */
export function torchRandom(seed: number): TorchRandom {
  const generator = mersenne(seed);
  const word = () => generator.next() >>> 0;
  /** 24 bits, as float32 numbers are drawn. */
  const unit = () => (word() & 0xffffff) * 2 ** -24;
  /** 53 bits of two words, the upper first, as float64 numbers are drawn. */
  const longUnit = () => {
    const high = word() & 0x1fffff;
    return (high * 2 ** 32 + word()) * 2 ** -53;
  };
  /** The second number of the last pair, which waits in the generator for the next call. */
  let waiting: number | undefined;
  const next = (): number => {
    if (waiting !== undefined) {
      const held = waiting;
      waiting = undefined;
      return held;
    }
    // Box and Muller 1958, in float64.
    const angle = 2 * Math.PI * longUnit();
    const radius = Math.sqrt(-2 * Math.log1p(-longUnit()));
    waiting = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  /** Sixteen uniform numbers become sixteen normal ones: the first eight with the last eight. */
  const pair = (values: Float32Array, deviation: number) => {
    for (let i = 0; i < 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - (values[i] as number)));
      const angle = 2 * Math.PI * (values[i + 8] as number);
      values[i] = deviation * radius * Math.cos(angle);
      values[i + 8] = deviation * radius * Math.sin(angle);
    }
  };
  return {
    uniform(low, high) {
      const width = Math.fround(Math.fround(high) - Math.fround(low));
      // One rounding, as in the fused multiply-add PyTorch compiles to; the product is exact here.
      return Math.fround(unit() * width + Math.fround(low));
    },
    normals(count, deviation = 1) {
      if (count < 16) return Float32Array.from({ length: count }, () => deviation * next());
      const values = Float32Array.from({ length: count }, unit);
      for (let at = 0; at + 16 <= count; at += 16) pair(values.subarray(at, at + 16), deviation);
      if (count % 16 !== 0) {
        // The last sixteen are drawn again as one group, whatever they were.
        const last = values.subarray(count - 16);
        for (let i = 0; i < 16; i++) last[i] = unit();
        pair(last, deviation);
      }
      return values;
    },
  };
}
