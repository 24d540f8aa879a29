/** The multilayer perceptron: a fully connected network with cross-entropy loss. */
import { z } from "zod";
import type { np } from "../../engine/jax-js.ts";
import { checkNames, InputError, unknownName } from "../../engine/errors.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { choice, list, shownAs } from "../../settings/fields.ts";
import { problemEntry } from "../entry.ts";
import { dense, initializer, type DenseLayer } from "../layers.ts";
import { roleByName, type FloatType, type Problem, type Split } from "../problem.ts";
import { activations, type ActivationName } from "./activations.ts";
import {
  checkLabels,
  countClasses,
  crossEntropy,
  isRight,
  labelEntropy,
  labeledSamples,
} from "./classification.ts";

/** What a multilayer perceptron is made of. */
export interface MlpOptions {
  /** Samples to train on: `{ x: float[n, ...], y: int32[n] }`. Images are flattened. */
  readonly train: Split;
  /** Samples to judge on, of the same kind. */
  readonly test?: Split | undefined;
  /** Width of every hidden layer, in order; default `[64]`. None (`[]`) makes softmax regression. */
  readonly hidden?: readonly number[] | undefined;
  /** Default `tanh`. `gelu` is the exact form x·Φ(x). */
  readonly activation?: ActivationName | undefined;
  /** Number of classes; default: the largest training label plus one. */
  readonly classes?: number | undefined;
  /** Default `float32`. */
  readonly dtype?: FloatType | undefined;
}

/**
 * Multilayer perceptron: logits = Wₖ φ(… φ(W₀x + b₀) …) + bₖ, loss = mean cross-entropy.
 *
 * Parameters are `layers/0/weight` [out, in], `layers/0/bias` [out], … as PyTorch's `nn.Linear`
 * names, stores and initializes them: all uniform in ±1/√fan_in, bit for bit the float32 numbers
 * of `torch.manual_seed(seed)` and the layers made in order.
 *
 * @throws {InputError} when an option is unknown or out of range, or the samples do not fit.
 * @example
 * const problem = mlp({ train, hidden: [128, 64], activation: "relu" });
 */
export function mlp(options: MlpOptions): Problem {
  checkNames("option", options, names);
  const { hidden = [64], activation = "tanh", dtype = "float32" } = options;
  for (const width of hidden) {
    if (!Number.isInteger(width) || width < 1) {
      throw new InputError(`invalid hidden: ${width} (give widths of 1 or more)`);
    }
  }
  if (!Object.hasOwn(activations, activation)) {
    throw unknownName("activation", activation, Object.keys(activations));
  }
  const activate = activations[activation];

  const train = labeledSamples("train", options.train, dtype);
  const test = options.test && labeledSamples("test", options.test, dtype);
  const { classes = countClasses(train) } = options;
  if (!Number.isInteger(classes) || classes < 1) {
    throw new InputError(`invalid classes: ${classes} (give a whole number, 1 or more)`);
  }
  checkLabels("train", train, classes);
  if (test) checkLabels("test", test, classes);

  const shapeOf = ({ batch }: typeof train) => batch.x.shape.slice(1);
  const sample = shapeOf(train).join(", ");
  if (test && shapeOf(test).join(", ") !== sample) {
    throw new InputError(
      `invalid test/x: samples of shape [${shapeOf(test).join(", ")}] (give [${sample}], as in train)`,
    );
  }
  const features = sizeOf(shapeOf(train));
  const widths = [features, ...hidden, classes];

  return {
    name: "mlp",
    dtype,
    train,
    test,
    role: roleByName,
    outputs: classes,
    guessLoss: labelEntropy(train.batch.y),
    init(seed) {
      const init = initializer(seed, dtype);
      return { layers: widths.slice(1).map((width, i) => init.dense(widths[i] as number, width)) };
    },
    forward(params, batch) {
      const { layers } = params as { layers: DenseLayer<np.Array>[] };
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const rows = x.reshape([x.shape[0] as number, features]);
      const logits = layers.reduce((input, layer, i) => {
        const output = dense(input, layer);
        return i < layers.length - 1 ? activate(output) : output;
      }, rows);
      return { losses: crossEntropy(logits.ref, y), outputs: logits };
    },
    score(logits, batch) {
      const { y } = batch as { y: np.Array };
      return isRight(logits, y);
    },
  };
}

const names = ["train", "test", "hidden", "activation", "classes", "dtype"];
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
