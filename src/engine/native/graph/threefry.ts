/** Threefry-2x32 (Salmon et al. 2011), jax's and jax-js's random bits, in graph operations. */
import type { Builder } from "./builder.ts";
import type { Node } from "./graph.ts";
import { product, range } from "./shapes.ts";

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/**
 * Random uint32 of `shape` from a key (k0, k1). The key's axes are the first axes of `shape`;
 * the counter runs over the others. `mode` keeps one word of each block, or both by xor.
 */
export function threefry(
  b: Builder,
  k0: Node,
  k1: Node,
  shape: readonly number[],
  mode: "xor" | 0 | 1,
): Node {
  const keyRank = k0.type.shape.length;
  const counted = shape.slice(keyRank);
  const ones = counted.map(() => 1);
  const keys = [k0, k1].map((key) => b.reshape(key, [...key.type.shape, ...ones])) as [Node, Node];
  const word = (value: number) => b.scalar(value, "uint32");
  const xor = (x: Node, y: Node) => b.binary("xor", x, y);
  const schedule = [...keys, xor(xor(...keys), word(0x1bd11bda))] as const;
  const counter = b.constant(range(product(counted)), "uint32", [
    ...shape.slice(0, keyRank).map(() => 1),
    ...counted,
  ]);
  // A product and a sum: ONNX Runtime's kernels for bits are three times slower than for numbers.
  const rotate = (x: Node, by: number) =>
    b.add(b.times(x, 2 ** by), b.binary("shiftRight", x, word(32 - by)));
  let x0: Node = schedule[0];
  let x1 = b.add(counter, schedule[1]);
  for (const round of range(5)) {
    for (const by of rotations[(round % 2) as 0 | 1]) {
      x0 = b.add(x0, x1);
      x1 = xor(rotate(x1, by), x0);
    }
    x0 = b.add(x0, schedule[((round + 1) % 3) as 0 | 1 | 2]);
    x1 = b.add(x1, b.add(schedule[((round + 2) % 3) as 0 | 1 | 2], word(round + 1)));
  }
  const bits = mode === "xor" ? xor(x0, x1) : mode === 0 ? x0 : x1;
  return b.broadcast(bits, shape);
}
