/** The vision transformer (Dosovitskiy et al. 2021): images as sequences of patches, with cross-entropy loss. */
import { z } from "zod";
import { np } from "../../engine/jax-js.ts";
import { add, multiply, scalar } from "../../engine/arrays.ts";
import { checkNames, InputError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { number } from "../../settings/fields.ts";
import { problemEntry } from "../entry.ts";
import { initialBlock, transform, type TransformerBlock } from "../layers/attention.ts";
import { dense, type DenseLayer } from "../layers/dense.ts";
import { initializer } from "../layers/initializer.ts";
import { layerNorm, type NormLayer } from "../layers/normalization.ts";
import { roleByName, type FloatType, type Problem } from "../problem.ts";
import {
  classification,
  crossEntropy,
  imageShape,
  isRight,
  labelEntropy,
  type ClassificationOptions,
} from "./classification.ts";
import { checkTransformer, transformerFields, transformerSize } from "./transformer.ts";
import { reshaped, torchBlock, torchModule } from "./torch-modules.ts";

/** What a vision transformer is made of. */
export interface VitOptions extends ClassificationOptions {
  /** Side of the square patches in pixels; default 7. It divides the sides of the images. */
  readonly patch?: number | undefined;
  /** Numbers per patch; default 32. */
  readonly dim?: number | undefined;
  /** Transformer blocks; default 2. */
  readonly blocks?: number | undefined;
  /** Heads of every attention; default 4. They divide `dim`. */
  readonly heads?: number | undefined;
  /** Default `float32`. */
  readonly dtype?: FloatType | undefined;
}

type Network<Leaf = Tensor> = {
  patches: DenseLayer<Leaf>;
  positionEmbedding: Leaf;
  blocks: TransformerBlock<Leaf>[];
  norm: NormLayer<Leaf>;
  head: DenseLayer<Leaf>;
};

/**
 * Vision transformer: patches are projected linearly, learned positions are added, blocks of attention
 * and a GELU layer of four times the width follow, each normalizing first; then a layer
 * normalization, the mean over all patches, and a fully connected layer. There is no class token.
 *
 * Initial numbers are those of PyTorch's layers made after `torch.manual_seed(seed)` in this order:
 * `nn.Conv2d(channels, dim, patch, patch)`, `0.02·torch.randn(patches, dim)`, for every block
 * `nn.MultiheadAttention(dim, heads)`, `nn.Linear(dim, 4·dim)`, `nn.Linear(4·dim, dim)`, and the head's
 * `nn.Linear`: bit for bit, the positions to 4e-8.
 *
 * @throws {InputError} when an option is unknown or out of range, or the samples are no images.
 * @example
 * const problem = vit({ train, patch: 4, dim: 64 });
 */
export function vit(options: VitOptions): Problem {
  checkNames("option", options, names);
  const { patch = 7, dim = 32, blocks = 2, heads = 4, dtype = "float32" } = options;
  checkTransformer({ dim, blocks, heads });
  const samples = classification(options, dtype);
  const { train, test, classes } = samples;
  const [channels, height, width] = imageShape(samples);
  if (!(Number.isInteger(patch) && patch >= 1) || height % patch > 0 || width % patch > 0) {
    throw new InputError(
      `invalid patch: ${patch} does not divide images of ${height} × ${width} pixels (give a side that does)`,
    );
  }
  const [rows, columns] = [height / patch, width / patch];
  const places = rows * columns;
  const inputs = channels * patch * patch;

  return {
    name: "vit",
    dtype,
    train,
    test,
    role: roleByName,
    outputs: classes,
    guessLoss: labelEntropy(train.batch.y),
    init(seed): Network {
      const init = initializer(seed, dtype);
      return {
        patches: init.dense(inputs, dim),
        positionEmbedding: init.embedding(places, dim, 0.02),
        blocks: Array.from({ length: blocks }, () => initialBlock(init, dim)),
        norm: init.norm(dim),
        head: init.dense(dim, classes),
      };
    },
    forward(params, batch) {
      const network = params as unknown as Network<np.Array>;
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const count = x.shape[0] as number;
      // A patch's pixels side by side, channel by channel, as a convolution of stride `patch` reads them.
      const cut = x.reshape([count, channels, rows, patch, columns, patch]);
      const patches = np.transpose(cut, [0, 2, 4, 1, 3, 5]).reshape([count, places, inputs]);
      let values = add(dense(patches, network.patches), network.positionEmbedding);
      for (const block of network.blocks) values = transform(values, block, { heads });
      const normalized = layerNorm(values, network.norm);
      const pooled = multiply(np.sum(normalized, 1), scalar(1 / places, values));
      const logits = dense(pooled, network.head);
      return { losses: crossEntropy(logits.ref, y), outputs: logits };
    },
    score: (logits, batch) => isRight(logits, (batch as { y: np.Array }).y),
    toTorch({ params }) {
      const network = params as Network;
      const { weight, bias } = network.patches;
      return {
        // nn.Conv2d(channels, dim, patch, patch)
        "patches.weight": reshaped(weight, [dim, channels, patch, patch]),
        "patches.bias": bias,
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

const names = ["train", "test", "patch", "dim", "blocks", "heads", "classes", "dtype"];

/** `vit` as it is listed. */
export const vitEntry = problemEntry({
  name: "vit",
  kind: "network",
  title: "A vision transformer with cross-entropy loss.",
  formula:
    "patches + positions; blocks x + attention(norm x), x + W gelu(V norm x); mean over patches",
  options: z.object({
    patch: number(7, "side of the patches that an image is cut into", { min: 1, integer: true }),
    ...transformerFields,
  }),
  data: "images",
  describe: ({ patch, dim, blocks, heads }) =>
    `patch ${patch}, dim ${dim}, blocks ${blocks}, heads ${heads}`,
  memory({ patch, ...shape }, { inputs, classes }) {
    const places = Math.max(1, inputs / patch ** 2);
    return transformerSize(shape, places, patch ** 2 + places + classes);
  },
  create: (options, samples) => vit({ ...samples, ...options }),
});
