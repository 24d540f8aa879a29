/** Residual networks (He et al. 2016) for small images, with cross-entropy loss. */
import { z } from "zod";
import type { np } from "../../engine/jax-js.ts";
import { add } from "../../engine/arrays.ts";
import { checkNames, InputError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { choice, number } from "../../settings/fields.ts";
import { problemEntry } from "../entry.ts";
import { convolve, meanOverPixels, type ConvolutionLayer } from "../layers/convolution.ts";
import { dense, type DenseLayer } from "../layers/dense.ts";
import { initializer } from "../layers/initializer.ts";
import {
  initialStatistics,
  type BatchStatistics,
  type NormLayer,
} from "../layers/normalization.ts";
import { roleByName, type FloatType, type Mode, type Problem } from "../problem.ts";
import { activations } from "./activations.ts";
import {
  classification,
  crossEntropy,
  imageShape,
  isRight,
  labelEntropy,
  type ClassificationOptions,
} from "./classification.ts";
import { checkNorm, imageNorms, normalize, type ImageNorm } from "./image-norm.ts";

/** What a residual network is made of. */
export interface ResnetOptions extends ClassificationOptions {
  /** Layers with weights: 8, 14, 20, … 6n + 2 in three stages, or 18 in four; default 8. */
  readonly depth?: number | undefined;
  /** Channels of the first stage; default 16. The published ResNet-18 has 64. */
  readonly width?: number | undefined;
  /** Default `batch`. */
  readonly norm?: ImageNorm | undefined;
  /** Default `float32`. */
  readonly dtype?: FloatType | undefined;
}

/** Two convolutions and the way past them, each normalized. */
type Block<Leaf = Tensor> = {
  conv1: ConvolutionLayer<Leaf>;
  bn1: NormLayer<Leaf>;
  conv2: ConvolutionLayer<Leaf>;
  bn2: NormLayer<Leaf>;
  /** A 1 × 1 convolution and its normalization, where a block changes the shape. */
  shortcut?: [ConvolutionLayer<Leaf>, NormLayer<Leaf>];
};

type Network<Leaf = Tensor> = {
  conv1: ConvolutionLayer<Leaf>;
  bn1: NormLayer<Leaf>;
  linear: DenseLayer<Leaf>;
  [stage: `layer${number}`]: Block<Leaf>[];
};

type BlockStatistics<Leaf = Tensor> = {
  bn1: BatchStatistics<Leaf>;
  bn2: BatchStatistics<Leaf>;
  shortcut?: { 1: BatchStatistics<Leaf> };
};

type Statistics<Leaf = Tensor> = {
  bn1: BatchStatistics<Leaf>;
  [stage: `layer${number}`]: BlockStatistics<Leaf>[];
};

/** Where a block stands, and its shape. */
interface BlockPlan {
  readonly stage: `layer${number}`;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
}

/** Blocks in order; each stage after the first halves the image and doubles the channels. */
function plan(depth: number, width: number): readonly BlockPlan[] {
  const stages = depth === 18 ? [2, 2, 2, 2] : Array<number>(3).fill((depth - 2) / 6);
  return stages.flatMap((blocks, stage) =>
    Array.from({ length: blocks }, (_, block) => {
      const outputs = width * 2 ** stage;
      const isFirst = stage > 0 && block === 0;
      return {
        stage: `layer${stage + 1}` as const,
        inputs: isFirst ? outputs / 2 : outputs,
        outputs,
        stride: isFirst ? 2 : 1,
      };
    }),
  );
}

const hasShortcut = ({ stride }: BlockPlan): boolean => stride > 1;

/**
 * Residual network: a 3 × 3 convolution without pooling as its stem, which suits images of 8 to 64
 * pixels; stages of blocks relu(past + norm(conv(relu(norm(conv x))))); means over the pixels; a fully
 * connected layer. Where a block changes the shape, the way past it is a 1 × 1 convolution, normalized.
 *
 * With `norm: "batch"` training uses each batch's own statistics, and keeps running ones (a tenth of
 * each batch's) that evaluation, certificates in mode `evaluate` and figures use; both passes of a SAM
 * step see the batch's own, and the first alone moves the running ones. `group` keeps none.
 *
 * Parameters are named as PyTorch networks of this form usually are (`conv1/weight`,
 * `layer1/0/bn2/bias`, `layer2/0/shortcut/0/weight`, `linear/bias`) and initialized bit for bit as their modules
 * are when made in this order after `torch.manual_seed(seed)`: stem, blocks (each its convolutions,
 * then its shortcut), linear layer.
 *
 * @throws {InputError} when an option is unknown or out of range, or the samples are no images.
 * @example
 * const problem = resnet({ train, depth: 18, width: 64 });
 */
export function resnet(options: ResnetOptions): Problem {
  checkNames("option", options, names);
  const { depth = 8, width = 16, norm = "batch", dtype = "float32" } = options;
  if (depth !== 18 && !(Number.isInteger((depth - 2) / 6) && depth >= 8)) {
    throw new InputError(`invalid depth: ${depth} (give 8, 14, 20, … 6n + 2, or 18)`);
  }
  if (!Number.isInteger(width) || width < 1) {
    throw new InputError(`invalid width: ${width} (give a whole number, 1 or more)`);
  }
  checkNorm(norm);
  const samples = classification(options, dtype);
  const { train, test, classes } = samples;
  const [channels] = imageShape(samples);
  const blocks = plan(depth, width);
  const last = (blocks.at(-1) as BlockPlan).outputs;

  return {
    name: "resnet",
    dtype,
    train,
    test,
    role: (path) => (path.includes("shortcut/1") ? "norm" : roleByName(path)),
    outputs: classes,
    guessLoss: labelEntropy(train.batch.y),
    init(seed) {
      const init = initializer(seed, dtype);
      const conv1 = init.convolution(channels, width, 3, false);
      const stages = inStages(blocks, (block): Block => {
        const { inputs, outputs } = block;
        return {
          conv1: init.convolution(inputs, outputs, 3, false),
          bn1: init.norm(outputs),
          conv2: init.convolution(outputs, outputs, 3, false),
          bn2: init.norm(outputs),
          ...(hasShortcut(block) && {
            shortcut: [init.convolution(inputs, outputs, 1, false), init.norm(outputs)],
          }),
        };
      });
      return { conv1, bn1: init.norm(width), ...stages, linear: init.dense(last, classes) };
    },
    ...(norm === "batch" && {
      initStatistics: () => ({
        bn1: initialStatistics(width, dtype),
        ...inStages(blocks, (block) => ({
          bn1: initialStatistics(block.outputs, dtype),
          bn2: initialStatistics(block.outputs, dtype),
          ...(hasShortcut(block) && { shortcut: { 1: initialStatistics(block.outputs, dtype) } }),
        })),
      }),
    }),
    forward(params, batch, { mode, statistics }) {
      const network = params as unknown as Network<np.Array>;
      const running = statistics as unknown as Statistics<np.Array> | undefined;
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const stem = normalize(norm, convolve(x, network.conv1), network.bn1, running?.bn1, mode);
      let values = activations.relu(stem.output);
      const places = new Map<string, number>();
      const stages = inStages(blocks, ({ stage, stride }) => {
        const place = places.get(stage) ?? 0;
        places.set(stage, place + 1);
        const block = (network[stage] as Block<np.Array>[])[place] as Block<np.Array>;
        const { output, statistics } = pass(
          norm,
          values,
          block,
          stride,
          running?.[stage]?.[place],
          mode,
        );
        values = output;
        return statistics;
      });
      const logits = dense(meanOverPixels(values), network.linear);
      return {
        losses: crossEntropy(logits.ref, y),
        outputs: logits,
        ...(running && stem.statistics && { statistics: { bn1: stem.statistics, ...stages } }),
      };
    },
    score: (logits, batch) => isRight(logits, (batch as { y: np.Array }).y),
  };
}

/** One block. */
function pass(
  norm: ImageNorm,
  x: np.Array,
  { conv1, bn1, conv2, bn2, shortcut }: Block<np.Array>,
  stride: number,
  running: BlockStatistics<np.Array> | undefined,
  mode: Mode,
) {
  const first = normalize(norm, convolve(x, conv1, stride), bn1, running?.bn1, mode);
  const inner = convolve(activations.relu(first.output), conv2);
  const second = normalize(norm, inner, bn2, running?.bn2, mode);
  const past =
    shortcut &&
    normalize(norm, convolve(x, shortcut[0], stride), shortcut[1], running?.shortcut?.[1], mode);
  return {
    output: activations.relu(add(second.output, past?.output ?? x)),
    statistics: {
      bn1: first.statistics,
      bn2: second.statistics,
      ...(past && { shortcut: { 1: past.statistics } }),
    } as BlockStatistics<np.Array>,
  };
}

/** What `each` makes of the blocks, in order, as lists by stage: `{ layer1: [...], layer2: [...], … }`. */
function inStages<T>(
  blocks: readonly BlockPlan[],
  each: (block: BlockPlan) => T,
): { [stage: `layer${number}`]: T[] } {
  const stages: { [stage: `layer${number}`]: T[] } = {};
  for (const block of blocks) (stages[block.stage] ??= []).push(each(block));
  return stages;
}

const names = ["train", "test", "depth", "width", "norm", "classes", "dtype"];

/** `resnet` as it is listed. */
export const resnetEntry = problemEntry({
  name: "resnet",
  kind: "network",
  title: "A residual network for small images with cross-entropy loss.",
  formula:
    "blocks relu(past(x) + norm(conv(relu(norm(conv x))))); means over pixels; one linear layer",
  options: z.object({
    depth: number(8, "layers with weights: 8, 14, 20, … in three stages, or 18 in four", {
      min: 8,
      integer: true,
    }),
    width: number(16, "channels of the first stage; each further stage doubles them", {
      min: 1,
      integer: true,
    }),
    norm: choice(imageNorms, "batch", "normalization before each activation: batch or group"),
  }),
  data: "images",
  describe: ({ depth, width, norm }) => `depth ${depth}, width ${width}, ${norm} norm`,
  memory({ depth, width }, { inputs, classes }) {
    const blocks = plan(depth, width);
    const parameters = blocks.reduce(
      (sum, { inputs, outputs }) => sum + 9 * outputs * (inputs + outputs) + 4 * outputs,
      27 * width + (blocks.at(-1)?.outputs ?? 0) * (classes + 1),
    );
    // Both convolutions of a block and both normalizations keep an image each.
    const units = blocks.reduce(
      (sum, { outputs }) => sum + (4 * inputs * width * width) / outputs,
      2 * inputs * width,
    );
    return { parameters, units };
  },
  create: (options, samples) => resnet({ ...samples, ...options }),
});
