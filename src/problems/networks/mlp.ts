/** A fully connected network with cross-entropy loss. */
import { np } from "../../engine/jax-js.ts";
import { InputError, unknownName } from "../../engine/errors.ts";
import { sizeOf, tensor, type Tensor } from "../../engine/tensor.ts";
import { activations, type ActivationName } from "./activations.ts";
import { checkLabels, countClasses, crossEntropy, isRight, labeledRows } from "./classification.ts";
import { torchUniform } from "./torch-random.ts";
import { roleByName, type FloatType, type Problem, type Split } from "../problem.ts";

/** What a multilayer perceptron is made of. */
export interface MlpOptions {
  /** Samples to train on: `{ x: float[n, ...], y: int32[n] }`. Images are flattened. */
  readonly train: Split;
  /** Samples to judge on, of the same kind. */
  readonly test?: Split;
  /** Width of every hidden layer, in order; default `[64]`. None (`[]`) makes softmax regression. */
  readonly hidden?: readonly number[];
  /** Default `tanh`. `gelu` is the exact form x·Φ(x). */
  readonly activation?: ActivationName;
  /** Number of classes; default: the largest training label plus one. */
  readonly classes?: number;
  /** Default `float32`. */
  readonly dtype?: FloatType;
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

  const train = labeledRows("train", options.train, dtype);
  const test = options.test && labeledRows("test", options.test, dtype);
  const { classes = countClasses(train) } = options;
  if (!Number.isInteger(classes) || classes < 1) {
    throw new InputError(`invalid classes: ${classes} (give a whole number, 1 or more)`);
  }
  checkLabels("train", train, classes);
  if (test) checkLabels("test", test, classes);

  const features = train.batch.x.shape[1] as number;
  if (test && test.batch.x.shape[1] !== features) {
    const found = test.batch.x.shape[1];
    throw new InputError(`invalid test/x: ${found} features (give ${features}, as in train)`);
  }
  const widths = [features, ...hidden, classes];

  return {
    name: "mlp",
    dtype,
    train,
    ...(test && { test }),
    role: roleByName,
    outputs: classes,
    init(seed) {
      const uniform = torchUniform(seed);
      const draw = (shape: number[], bound: number): Tensor => {
        const values = Array.from({ length: sizeOf(shape) }, () => uniform(-bound, bound));
        return tensor(values, shape, dtype);
      };
      const layers = widths.slice(1).map((fanOut, i) => {
        const fanIn = widths[i] as number;
        const bound = 1 / Math.sqrt(fanIn);
        // In PyTorch's order: the weight draws first.
        const weight = draw([fanOut, fanIn], bound);
        return { weight, bias: draw([fanOut], bound) };
      });
      return { layers };
    },
    forward(params, batch) {
      const { layers } = params as { layers: { weight: np.Array; bias: np.Array }[] };
      const { x, y } = batch as { x: np.Array; y: np.Array };
      const logits = layers.reduce((input, { weight, bias }, i) => {
        const output = np.add(np.matmul(input, np.transpose(weight)), bias);
        return i < layers.length - 1 ? activate(output) : output;
      }, x);
      return { losses: crossEntropy(logits.ref, y), outputs: logits };
    },
    score(logits, batch) {
      const { y } = batch as { y: np.Array };
      return isRight(logits, y);
    },
  };
}
