/** NumPy's random numbers, so that a seed here draws the samples that the same seed does there. */

const mask32 = 0xffffffffn;
const mask64 = (1n << 64n) - 1n;
const mask128 = (1n << 128n) - 1n;

/**
 * `numpy.random.default_rng(seed).uniform(low, high)`: PCG64 (O'Neill 2014) seeded through a
 * SeedSequence, bit for bit. Successive calls continue the stream. Checked against NumPy 2.4.
 *
 * @param seed whole number in [0, 2⁵³).
 */
export function numpyUniform(seed: number): (low: number, high: number) => number {
  const words = seedWords(seed);
  // Two 32-bit words make 64 bits, the lower first; the upper 64 of 128 bits come first.
  const wide = (i: number) => ((words[i + 1] as bigint) << 32n) | (words[i] as bigint);
  const increment = ((((wide(4) << 64n) | wide(6)) << 1n) | 1n) & mask128;
  const next = (state: bigint) =>
    (state * 0x2360ed051fc65da44385df649fccf645n + increment) & mask128;
  let state = next(increment + ((wide(0) << 64n) | wide(2)));
  return (low, high) => {
    state = next(state);
    // XSL-RR: both halves combined, rotated right by the six highest bits.
    const folded = ((state >> 64n) ^ state) & mask64;
    const turn = state >> 122n;
    const output = ((folded >> turn) | (folded << (64n - turn))) & mask64;
    return low + (high - low) * (Number(output >> 11n) * 2 ** -53);
  };
}

/** `numpy.random.SeedSequence(seed).generate_state(8)`: eight words of 32 bits. */
function seedWords(seed: number): readonly bigint[] {
  const hasher = (start: bigint, factor: bigint) => {
    let constant = start;
    return (value: bigint) => {
      const mixed = value ^ constant;
      constant = (constant * factor) & mask32;
      return fold((mixed * constant) & mask32);
    };
  };
  const fold = (value: bigint) => value ^ (value >> 16n);
  const entropy = [BigInt(seed) & mask32, BigInt(seed) >> 32n, 0n, 0n];

  const hash = hasher(0x43b0d7e5n, 0x931e8875n);
  const pool = entropy.map(hash);
  for (let source = 0; source < 4; source++) {
    for (let target = 0; target < 4; target++) {
      if (source === target) continue;
      const other = hash(pool[source] as bigint);
      const mixed = 0xca01f9ddn * (pool[target] as bigint) - 0x4973f715n * other;
      pool[target] = fold(BigInt.asUintN(32, mixed));
    }
  }
  return [...pool, ...pool].map(hasher(0x8b51f9ddn, 0x58f38dedn));
}
