/** Sums over the neighbors of nodes, along the edges of a graph. */
import { np, vjp } from "../../engine/jax-js.ts";
import { tensor, type Tensor } from "../../engine/tensor.ts";
import type { FloatType } from "../problem.ts";

/** Weighted, directed edges; what a sum over neighbors goes along. */
export type Edges<Leaf = Tensor> = {
  /** int32 [edges]: where a message comes from. */
  from: Leaf;
  /** int32 [edges]: where it goes. */
  to: Leaf;
  /** Float [edges]: what it is multiplied by. */
  weight: Leaf;
};

/**
 * The entries of D^(−½) (A + I) D^(−½), for A the adjacency matrix and D the row sums of A + I (Kipf &
 * Welling 2017): both directions of every edge and one from each node to itself.
 *
 * @param edges pairs of nodes, each undirected edge once.
 */
export function normalizedEdges(
  edges: readonly (readonly [number, number])[],
  nodes: number,
  dtype: FloatType,
): Edges {
  const degrees = Array<number>(nodes).fill(1);
  for (const node of edges.flat()) degrees[node] = (degrees[node] ?? NaN) + 1;
  const all = [
    ...Array.from({ length: nodes }, (_, node) => [node, node] as const),
    ...edges.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]),
  ];
  const weight = all.map(([a, b]) => 1 / Math.sqrt((degrees[a] ?? NaN) * (degrees[b] ?? NaN)));
  const ends = (side: 0 | 1) =>
    tensor(
      all.map((edge) => edge[side]),
      [all.length],
      "int32",
    );
  return { from: ends(0), to: ends(1), weight: tensor(weight, [all.length], dtype) };
}

/**
 * For every node the sum of weight·x over the edges that lead to it. Traced; borrows.
 *
 * @param x Float, shape [nodes, features].
 */
export function sumOverNeighbors(x: np.Array, { from, to, weight }: Edges<np.Array>): np.Array {
  const edges = weight.shape[0] as number;
  const messages = np.multiply(np.take(x.ref, from.ref, 0), weight.ref.reshape([edges, 1]));
  // jax-js has no sum by index of its own. It is the derivative of reading by index.
  const [, pull] = vjp((nodes: np.Array) => np.take(nodes, to.ref, 0), [np.zerosLike(x.ref)]);
  const [sums] = pull(messages);
  return sums;
}
