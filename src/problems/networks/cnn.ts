/** The plain convolutional network: convolutions one after the other, with cross-entropy loss. */
import { z } from "zod";
import type { np } from "../../engine/jax-js.ts";
import { checkNames, InputError, unknownName } from "../../engine/errors.ts";
import { choice, list, shownAs } from "../../settings/fields.ts";
import { problemEntry } from "../entry.ts";
import { convolve, meanOverPixels, type ConvolutionLayer } from "../layers/convolution.ts";
import { dense, type DenseLayer } from "../layers/dense.ts";
import { initializer } from "../layers/initializer.ts";
import type { BatchStatistics, NormLayer } from "../layers/normalization.ts";
import { initialStatistics } from "../layers/normalization.ts";
import { roleByName, type FloatType, type Problem } from "../problem.ts";
import { activations, type ActivationName } from "./activations.ts";
import {
  classification,
  crossEntropy,
  imageShape,
  isRight,
  labelEntropy,
  type ClassificationOptions,
} from "./classification.ts";
import { checkNorm, imageNorms, normalize, type ImageNorm } from "./image-norm.ts";
import { torchModule, torchStatistics } from "./torch-modules.ts";

/** What a convolutional network is made of. */
export interface CnnOptions extends ClassificationOptions {
  /** Channels of every convolution, in order; default `[16, 32, 64]`. */
  readonly channels?: readonly number[] | undefined;
  /** Default `relu`. */
  readonly activation?: ActivationName | undefined;
  /** Normalization before each activation; default `none`. */
  readonly norm?: ImageNorm | "none" | undefined;
  /** Default `float32`. */
  readonly dtype?: FloatType | undefined;
}

/**
 * Convolutional network for images: 3 × 3 convolutions, the first with stride 1 and all others with
 * stride 2, each followed by its normalization, if any, and the activation; means over the pixels; a
 * fully connected layer.
 *
 * Parameters are `layers/0`, `layers/1`, … in the order of PyTorch's `nn.Sequential` of `nn.Conv2d`,
 * `nn.BatchNorm2d` or `nn.GroupNorm`, and `nn.Linear`, initialized bit for bit as these modules are
 * when made in order after `torch.manual_seed(seed)`. Before a normalization a convolution has no bias.
 *
 * @throws {InputError} when an option is unknown or out of range, or the samples are no images.
 * @example
 * const problem = cnn({ train, channels: [16, 32], norm: "batch" });
 */
export function cnn(options: CnnOptions): Problem {
  checkNames("option", options, names);
  const { channels = [16, 32, 64], activation = "relu", norm = "none" } = options;
  const { dtype = "float32" } = options;
  const wrong = channels.find((count) => !(Number.isInteger(count) && count >= 1));
  if (wrong !== undefined || channels.length === 0) {
    throw new InputError(`invalid channels: ${wrong ?? "none"} (${counts})`);
  }
  if (!Object.hasOwn(activations, activation)) {
    throw unknownName("activation", activation, Object.keys(activations));
  }
  if (norm !== "none") checkNorm(norm);
  const activate = activations[activation];
  const samples = classification(options, dtype);
  const { train, test, classes } = samples;
  const [inputs] = imageShape(samples);
  const last = channels.at(-1) as number;
  const isNorm = (layer: number) =>
    norm !== "none" && layer % 2 === 1 && layer < 2 * channels.length;
  type Layer = ConvolutionLayer<np.Array> & NormLayer<np.Array> & DenseLayer<np.Array>;
  type Running = { readonly [layer: number]: BatchStatistics<np.Array> };

  return {
    name: "cnn",
    dtype,
    train,
    test,
    role: (path) => (isNorm(Number(path.split("/")[1])) ? "norm" : roleByName(path)),
    outputs: classes,
    guessLoss: labelEntropy(train.batch.y),
    init(seed) {
      const init = initializer(seed, dtype);
      const layers = channels.flatMap((count, i) => [
        init.convolution(channels[i - 1] ?? inputs, count, 3, norm === "none"),
        ...(norm === "none" ? [] : [init.norm(count)]),
      ]);
      return { layers: [...layers, init.dense(last, classes)] };
    },
    ...(norm === "batch" && {
      initStatistics: () => ({
        layers: Object.fromEntries(
          channels.map((count, i) => [2 * i + 1, initialStatistics(count, dtype)]),
        ),
      }),
    }),
    forward(params, batch, { mode, statistics }) {
      const { layers } = params as unknown as { layers: Layer[] };
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const running = (statistics as { layers: Running } | undefined)?.layers;
      const next: { [layer: number]: BatchStatistics<np.Array> } = {};
      const apart = norm === "none" ? 1 : 2;
      let values = x;
      channels.forEach((_, i) => {
        values = convolve(values, layers[apart * i] as Layer, i === 0 ? 1 : 2);
        const at = 2 * i + 1;
        if (norm !== "none") {
          const normalized = normalize(norm, values, layers[at] as Layer, running?.[at], mode);
          values = normalized.output;
          if (normalized.statistics) next[at] = normalized.statistics;
        }
        values = activate(values);
      });
      const logits = dense(meanOverPixels(values), layers.at(-1) as Layer);
      return {
        losses: crossEntropy(logits.ref, y),
        outputs: logits,
        ...(running && { statistics: { layers: next } }),
      };
    },
    score: (logits, batch) => isRight(logits, (batch as { y: np.Array }).y),
    // nn.Sequential(Conv2d, [norm], activation, …, AdaptiveAvgPool2d, Flatten, Linear).
    toTorch({ params, statistics }) {
      const { layers } = params as { layers: DenseLayer[] };
      const running = (statistics as { layers?: { [layer: number]: BatchStatistics } }).layers;
      const ofBlock = norm === "none" ? 1 : 2;
      const place = (i: number) => i + Math.floor(i / ofBlock) + (i === layers.length - 1 ? 2 : 0);
      return Object.assign(
        {},
        ...layers.map((layer, i) => torchModule(place(i), layer)),
        ...Object.entries(running ?? {}).map(([i, kept]) =>
          torchModule(place(Number(i)), torchStatistics(kept)),
        ),
      );
    },
  };
}

const names = ["train", "test", "channels", "activation", "norm", "classes", "dtype"];
const counts = "give numbers of 1 or more, such as 16,32";

/** `cnn` as it is listed. */
export const cnnEntry = problemEntry({
  name: "cnn",
  kind: "network",
  title: "A plain convolutional network with cross-entropy loss.",
  formula:
    "3 × 3 convolutions, all but the first with stride 2; means over pixels; one linear layer",
  options: z.object({
    channels: shownAs(
      "counts",
      list(
        z.int({ error: counts }).gte(1, { error: counts }),
        [16, 32, 64],
        "channels of the convolutions, such as 16,32",
        counts,
      ),
    ),
    activation: choice(
      Object.keys(activations) as [ActivationName, ...ActivationName[]],
      "relu",
      "activation after every convolution",
    ),
    norm: choice(
      ["none", ...imageNorms],
      "none",
      "normalization before each activation: none, batch or group",
    ),
  }),
  data: "images",
  describe: ({ channels, norm }) =>
    `channels ${channels.join(",")}${norm === "none" ? "" : `, ${norm} norm`}`,
  memory({ channels }, { inputs, classes }) {
    // Of gray images; the first convolution's further weights are few.
    const parameters = channels.reduce(
      (sum, count, i) => sum + 9 * count * (channels[i - 1] ?? 1) + 3 * count,
      classes * ((channels.at(-1) ?? 0) + 1),
    );
    const units = channels.reduce((sum, count, i) => sum + (count * inputs) / 4 ** i, classes);
    return { parameters, units };
  },
  create: (options, samples) => cnn({ ...samples, ...options }),
});
