/** The multilayer perceptron: a fully connected network with cross-entropy loss. */
import { z } from "zod";
import { random, type np } from "../../engine/jax-js.ts";
import { checkNames, InputError, unknownName } from "../../engine/errors.ts";
import { mapTree, sizeOf, tensor } from "../../engine/tensor.ts";
import { choice, list, number, shownAs, unlessDefault } from "../../settings/fields.ts";
import { problemEntry } from "../entry.ts";
import { dense, type DenseLayer } from "../layers/dense.ts";
import { dropout as drop } from "../layers/dropout.ts";
import { initializer } from "../layers/initializer.ts";
import { layerNorm, type NormLayer } from "../layers/normalization.ts";
import { roleByName, type FloatType, type Problem } from "../problem.ts";
import { activations, type ActivationName } from "./activations.ts";
import {
  classification,
  crossEntropy,
  isRight,
  labelEntropy,
  type ClassificationOptions,
} from "./classification.ts";
import { torchModule } from "./torch-modules.ts";

/** What a multilayer perceptron is made of. Images are flattened. */
export interface MlpOptions extends ClassificationOptions {
  /** Width of every hidden layer, in order; default `[64]`. None (`[]`) makes softmax regression. */
  readonly hidden?: readonly number[] | undefined;
  /** Default `tanh`. `gelu` is the exact form x·Φ(x); `leaky-relu` has slope 0.01 below 0. */
  readonly activation?: ActivationName | undefined;
  /** `layer` normalizes what every hidden layer computes, before its activation; default `none`. */
  readonly norm?: MlpNorm | undefined;
  /** Chance with which each hidden unit is left out of a training step; default 0. */
  readonly dropout?: number | undefined;
  /** Factor of the initial weights, not of the biases; default 1. */
  readonly initGain?: number | undefined;
  /** Default `float32`. */
  readonly dtype?: FloatType | undefined;
}

/** Normalization of hidden layers. */
export type MlpNorm = "none" | "layer";

/**
 * Multilayer perceptron: logits = Wₖ φ(… φ(W₀x + b₀) …) + bₖ, loss = mean cross-entropy.
 *
 * Parameters are `layers/0/weight` [out, in], `layers/0/bias` [out], … as PyTorch's `nn.Linear`
 * names, stores and initializes them: all uniform in ±1/√fan_in, bit for bit the float32 numbers
 * of `torch.manual_seed(seed)` and the layers made in order. With `norm: "layer"` every second entry
 * is a layer normalization, as an `nn.Sequential` of these modules counts those with parameters.
 *
 * @throws {InputError} when an option is unknown or out of range, or the samples do not fit.
 * @example
 * const problem = mlp({ train, hidden: [128, 64], activation: "relu" });
 */
export function mlp(options: MlpOptions): Problem {
  checkNames("option", options, names);
  const { hidden = [64], activation = "tanh", dtype = "float32" } = options;
  const { norm = "none", dropout = 0, initGain = 1 } = options;
  for (const width of hidden) {
    if (!Number.isInteger(width) || width < 1) {
      throw new InputError(`invalid hidden: ${width} (give widths of 1 or more)`);
    }
  }
  if (!Object.hasOwn(activations, activation)) {
    throw unknownName("activation", activation, Object.keys(activations));
  }
  const activate = activations[activation];
  if (norm !== "none" && norm !== "layer") throw unknownName("norm", norm, ["none", "layer"]);
  if (!(dropout >= 0 && dropout < 1)) {
    throw new InputError(`invalid dropout: ${dropout} (give a number from 0, below 1)`);
  }
  if (!Number.isFinite(initGain)) {
    throw new InputError(`invalid init gain: ${initGain} (give a finite number)`);
  }

  const { train, test, classes, shape } = classification(options, dtype);
  const features = sizeOf(shape);
  const widths = [features, ...hidden, classes];
  const isNorm = (layer: number) => norm === "layer" && layer % 2 === 1;

  return {
    name: "mlp",
    dtype,
    train,
    test,
    role: (path) => (isNorm(Number(path.split("/")[1])) ? "norm" : roleByName(path)),
    outputs: classes,
    random: dropout > 0 && hidden.length > 0,
    guessLoss: labelEntropy(train.batch.y),
    init(seed) {
      const init = initializer(seed, dtype);
      const layers = widths
        .slice(1)
        .flatMap((width, i) => [
          init.dense(widths[i] as number, width),
          ...(norm === "layer" && i < hidden.length ? [init.norm(width)] : []),
        ]);
      if (initGain === 1) return { layers };
      return mapTree({ layers }, (leaf, path) =>
        path.endsWith("weight") && !isNorm(Number(path.split("/")[1]))
          ? tensor(
              leaf.data.map((value) => initGain * value),
              leaf.shape,
              dtype,
            )
          : leaf,
      );
    },
    forward(params, batch, { key }) {
      const { layers } = params as { layers: (DenseLayer<np.Array> & NormLayer<np.Array>)[] };
      const { x, y } = batch as { x: np.Array; y: np.Array };
      // A key for every hidden layer; evaluation has none.
      const keys =
        dropout > 0 && key && hidden.length > 0 ? random.split(key, hidden.length) : undefined;
      let hiddenLayer = 0;
      let values = x.reshape([x.shape[0] as number, features]);
      layers.forEach((layer, i) => {
        values = isNorm(i) ? layerNorm(values, layer) : dense(values, layer);
        const isHidden = i < layers.length - 1 && !isNorm(i + 1);
        if (!isHidden) return;
        values = drop(activate(values), dropout, keys?.ref.slice(hiddenLayer++));
      });
      return { losses: crossEntropy(values.ref, y), outputs: values };
    },
    score(logits, batch) {
      const { y } = batch as { y: np.Array };
      return isRight(logits, y);
    },
    // nn.Sequential(Linear, [LayerNorm], activation, [Dropout], Linear, …), on flattened images.
    toTorch({ params }) {
      const { layers } = params as { layers: DenseLayer[] };
      const [ofLayers, without] = [norm === "layer" ? 2 : 1, dropout > 0 ? 2 : 1];
      const place = (i: number) => i + without * Math.floor(i / ofLayers);
      return Object.assign({}, ...layers.map((layer, i) => torchModule(place(i), layer)));
    },
  };
}

const names = [
  "train",
  "test",
  "hidden",
  "activation",
  "norm",
  "dropout",
  "initGain",
  "classes",
  "dtype",
];
const widths = "give widths of 1 or more, such as 128,64";

/** `mlp` as it is listed. */
export const mlpEntry = problemEntry({
  name: "mlp",
  kind: "network",
  title: "A fully connected network with cross-entropy loss.",
  formula: "logits = Wₖ φ(… φ(W₀x + b₀) …) + bₖ, loss = mean −log softmax(logits)[label]",
  options: z.object({
    hidden: shownAs(
      "widths",
      list(
        z.int({ error: widths }).gte(1, { error: widths }),
        [64],
        "widths of the hidden layers, such as 128,64, or none",
        widths,
      ),
    ),
    activation: choice(
      Object.keys(activations) as [ActivationName, ...ActivationName[]],
      "tanh",
      "activation of the hidden layers",
    ),
    norm: unlessDefault(
      choice(
        ["none", "layer"],
        "none",
        "normalization before each activation: none or layer; default none",
      ),
    ),
    dropout: unlessDefault(
      number(0, "chance with which a step of training leaves out each hidden unit; default 0", {
        min: 0,
        below: 1,
      }),
    ),
    initGain: unlessDefault(number(1, "factor of the initial weights; default 1")),
  }),
  data: "images",
  describe: ({ hidden }) => `hidden ${hidden.join(",") || "none"}`,
  memory({ hidden }, { inputs, classes }) {
    const widths = [inputs, ...hidden, classes];
    const parameters = widths
      .slice(1)
      .reduce((sum, width, i) => sum + width * ((widths[i] ?? 0) + 1), 0);
    return { parameters, units: hidden.reduce((sum, width) => sum + width, classes) };
  },
  create: (options, samples) => mlp({ ...samples, ...options }),
});
