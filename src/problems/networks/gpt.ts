/** The generative transformer (Radford et al. 2019) for short sequences, with cross-entropy loss. */
import { z } from "zod";
import { np } from "../../engine/jax-js.ts";
import { add, multiply, scalar } from "../../engine/arrays.ts";
import { checkNames, InputError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { TokenSamples, TokenSplit } from "../datasets/tokens.ts";
import { problemEntry } from "../entry.ts";
import { initialBlock, transform, type TransformerBlock } from "../layers/attention.ts";
import { dense, type DenseLayer } from "../layers/dense.ts";
import { initializer } from "../layers/initializer.ts";
import { layerNorm, type NormLayer } from "../layers/normalization.ts";
import { roleByName, type FloatType, type Problem } from "../problem.ts";
import { crossEntropy, isRight, labelEntropy } from "./classification.ts";
import { checkTransformer, transformerFields, transformerSize } from "./transformer.ts";
import { torchBlock, torchModule } from "./torch-modules.ts";

/** What a generative transformer is made of. */
export interface GptOptions extends Pick<TokenSamples, "train" | "test" | "vocabulary"> {
  /** Numbers per place; default 32. */
  readonly dim?: number | undefined;
  /** Transformer blocks; default 2. */
  readonly blocks?: number | undefined;
  /** Heads of every attention; default 4. They divide `dim`. */
  readonly heads?: number | undefined;
  /** Default `float32`. */
  readonly dtype?: FloatType | undefined;
}

type Network<Leaf = Tensor> = {
  tokenEmbedding: Leaf;
  positionEmbedding: Leaf;
  blocks: TransformerBlock<Leaf>[];
  norm: NormLayer<Leaf>;
  head: DenseLayer<Leaf>;
};

/**
 * Generative transformer: embeddings of tokens and of positions are added, blocks of causal attention
 * and a GELU layer of four times the width follow, each normalizing first; then a layer
 * normalization and a fully connected layer give the logits of what comes next. The loss of a sample
 * is the mean over its predicted places, which are the last ones where there are fewer labels than
 * tokens; so is its score.
 *
 * Initial numbers are those of PyTorch's layers made after `torch.manual_seed(seed)` in this order:
 * 0.02 times the weight of `nn.Embedding(vocabulary, dim)`, `0.02·torch.randn(places, dim)`, for every
 * block `nn.MultiheadAttention(dim, heads)`, `nn.Linear(dim, 4·dim)`, `nn.Linear(4·dim, dim)`, and the
 * head's `nn.Linear`: bit for bit, the embeddings to 4e-8.
 *
 * @throws {InputError} when an option is unknown or out of range, or the samples do not fit.
 * @example
 * const problem = gpt({ ...modular({ p: 23 }), dim: 64, blocks: 1 });
 */
export function gpt(options: GptOptions): Problem {
  const { train, test, vocabulary, dim = 32, blocks = 2, heads = 4, dtype = "float32" } = options;
  checkNames("option", options, names);
  checkTransformer({ dim, blocks, heads });
  for (const [name, split] of Object.entries({ train, test })) {
    if (split) checkTokens(name, split, vocabulary);
  }
  const places = train.batch.x.shape[1] as number;
  const predicted = train.batch.y.shape[1] as number;

  return {
    name: "gpt",
    dtype,
    train,
    test,
    role: roleByName,
    // With several predictions per sample its outputs are several distributions, not one.
    outputs: predicted === 1 ? vocabulary : undefined,
    guessLoss: labelEntropy(train.batch.y),
    init(seed): Network {
      const init = initializer(seed, dtype);
      return {
        tokenEmbedding: init.embedding(vocabulary, dim, 0.02),
        positionEmbedding: init.embedding(places, dim, 0.02),
        blocks: Array.from({ length: blocks }, () => initialBlock(init, dim)),
        norm: init.norm(dim),
        head: init.dense(dim, vocabulary),
      };
    },
    forward(params, batch) {
      const network = params as unknown as Network<np.Array>;
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const count = x.shape[0] as number;
      let values = add(np.take(network.tokenEmbedding, x, 0), network.positionEmbedding);
      for (const block of network.blocks)
        values = transform(values, block, { heads, causal: true });
      const last = predicted === places ? values : values.slice([], [places - predicted, places]);
      const rows = layerNorm(last, network.norm).reshape([count * predicted, dim]);
      const logits = dense(rows, network.head);
      const losses = crossEntropy(logits.ref, y.reshape([count * predicted]));
      return {
        losses: overPlaces(losses, predicted),
        outputs: logits.reshape([count, predicted * vocabulary]),
      };
    },
    score(outputs, batch) {
      const { y } = batch as { y: np.Array };
      const rows = (y.shape[0] as number) * predicted;
      const right = isRight(outputs.reshape([rows, vocabulary]), y.reshape([rows]));
      return overPlaces(right, predicted);
    },
    toTorch({ params }) {
      const network = params as Network;
      return {
        "token.weight": network.tokenEmbedding,
        position: network.positionEmbedding,
        ...Object.assign(
          {},
          ...network.blocks.map((block, i) => torchModule(`blocks.${i}`, torchBlock(block))),
        ),
        ...torchModule("norm", network.norm),
        ...torchModule("head", network.head),
      };
    },
  };
}

/** Means over the predicted places of every sample: [samples·predicted] → [samples]. */
function overPlaces(values: np.Array, predicted: number): np.Array {
  const sums = np.sum(values.reshape([values.size / predicted, predicted]), 1);
  return multiply(sums, scalar(1 / predicted, sums));
}

function checkTokens(name: string, { batch: { x, y } }: TokenSplit, vocabulary: number): void {
  for (const [leaf, { dtype, shape, data }] of Object.entries({ x, y })) {
    const isTokens = dtype === "int32" && shape.length === 2;
    if (!isTokens || (leaf === "y" && (shape[1] ?? 0) > (x.shape[1] ?? 0))) {
      const size = leaf === "x" ? "places" : `1 to ${x.shape[1]}`;
      throw new InputError(
        `invalid ${name}/${leaf}: ${dtype}[${shape.join(", ")}] (give int32[samples, ${size}])`,
      );
    }
    const wrong = data.findIndex((token) => token < 0 || token >= vocabulary);
    if (wrong >= 0) {
      throw new InputError(
        `invalid ${name}/${leaf}: token ${data[wrong]} (give 0 to ${vocabulary - 1})`,
      );
    }
  }
}

const names = ["kind", "train", "test", "vocabulary", "dim", "blocks", "heads", "dtype"];

/** `gpt` as it is listed. */
export const gptEntry = problemEntry({
  name: "gpt",
  kind: "network",
  title: "A generative transformer with cross-entropy loss.",
  formula:
    "tokens + positions; blocks x + attention(norm x), x + W gelu(V norm x); logits of what comes next",
  options: z.object(transformerFields),
  data: "tokens",
  describe: ({ dim, blocks, heads }) => `dim ${dim}, blocks ${blocks}, heads ${heads}`,
  memory: (shape, { inputs, classes }) => transformerSize(shape, inputs, inputs + 2 * classes),
  create: (options, samples) => gpt({ ...samples, ...options }),
});
