/** Attention among the places of a sequence, and the transformer block around it (Vaswani et al. 2017). */
import { nn, np } from "../../engine/jax-js.ts";
import { add, multiply, scalar, select } from "../../engine/arrays.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { activations } from "../networks/activations.ts";
import { dense, type DenseLayer } from "./dense.ts";
import type { Initializer } from "./initializer.ts";
import { layerNorm, type NormLayer } from "./normalization.ts";

/** Projections of an attention layer, each [width, width]: PyTorch's `nn.MultiheadAttention` in parts. */
export type AttentionLayer<Leaf = Tensor> = {
  query: DenseLayer<Leaf>;
  key: DenseLayer<Leaf>;
  value: DenseLayer<Leaf>;
  output: DenseLayer<Leaf>;
};

/** A transformer block's parameters. */
export type TransformerBlock<Leaf = Tensor> = {
  norm1: NormLayer<Leaf>;
  attention: AttentionLayer<Leaf>;
  norm2: NormLayer<Leaf>;
  /** [4·width, width] */
  up: DenseLayer<Leaf>;
  /** [width, 4·width] */
  down: DenseLayer<Leaf>;
};

/** How places attend to each other. */
export interface AttentionOptions {
  /** Parts of equal size that the width is cut into. */
  readonly heads: number;
  /** Whether a place sees only itself and those before it; default `false`. */
  readonly causal?: boolean | undefined;
}

/**
 * Attention of every place to every place: in each head softmax(q kᵀ/√d) v with d = width/heads, the heads
 * side by side projected once more. Traced; borrows.
 *
 * @param x Float, shape [samples, places, width].
 */
export function attend(
  x: np.Array,
  { query, key, value, output }: AttentionLayer<np.Array>,
  { heads, causal = false }: AttentionOptions,
): np.Array {
  const [samples = 0, places = 0, width = 0] = x.shape;
  const each = width / heads;
  /** x Wᵀ + b as [samples, heads, places, each]. */
  const project = (layer: DenseLayer<np.Array>) =>
    np.transpose(shared(x, layer).reshape([samples, places, heads, each]), [0, 2, 1, 3]);
  const q = multiply(project(query), scalar(1 / Math.sqrt(each), x));
  const scores = np.matmul(q, np.transpose(project(key), [0, 1, 3, 2]));
  const seen = causal ? hideLater(scores, places) : scores;
  const mixed = np.matmul(nn.softmax(seen, -1), project(value));
  return shared(np.transpose(mixed, [0, 2, 1, 3]).reshape([samples, places, width]), output);
}

/** Scores of places that come later are as good as −∞, without the NaN of ∞ − ∞ in derivatives. */
function hideLater(scores: np.Array, places: number): np.Array {
  const index = np.arange(0, places, 1, { dtype: np.int32 });
  const isSeen = np.lessEqual(index.ref.reshape([1, places]), index.reshape([places, 1]));
  return select(isSeen, scores, scalar(-1e9, scores));
}

/** x + attention(norm x), then x + down gelu(up norm x): a block that normalizes first. Traced; borrows. */
export function transform(
  x: np.Array,
  { norm1, attention, norm2, up, down }: TransformerBlock<np.Array>,
  options: AttentionOptions,
): np.Array {
  const attended = add(x, attend(layerNorm(x, norm1), attention, options));
  const hidden = activations.gelu(shared(layerNorm(attended, norm2), up));
  return add(attended, shared(hidden, down));
}

/** Initial parameters of a block, drawn as PyTorch does for its layers in the order of the fields. */
export const initialBlock = (random: Initializer, width: number): TransformerBlock => ({
  norm1: random.norm(width),
  attention: random.attention(width),
  norm2: random.norm(width),
  up: random.dense(width, 4 * width),
  down: random.dense(4 * width, width),
});

/** {@link dense} that leaves its arguments usable. */
const shared = (x: np.Array, { weight, bias }: DenseLayer<np.Array>): np.Array =>
  dense(x.ref, { weight: weight.ref, bias: bias.ref });
