/** Classification: labeled samples, their cross-entropy and their score. */
import { lax, np } from "../../engine/jax-js.ts";
import { InputError } from "../../engine/errors.ts";
import { castFloat, isTensorType, type Tensor } from "../../engine/tensor.ts";
import type { FloatType, Split } from "../problem.ts";

/** Inputs and their classes. */
export interface LabeledSamples extends Split {
  readonly batch: {
    /** Float, or bytes, shape [samples, ...shape of a sample]. */
    x: Tensor;
    /** int32, shape [samples]. */
    y: Tensor;
  };
}

/**
 * −log softmax(logits)[label] for every sample, by log-sum-exp with the maximum subtracted.
 *
 * @param logits Float, shape [samples, classes]; consumed.
 * @param labels int32, shape [samples]; consumed.
 * @returns Shape [samples].
 */
export function crossEntropy(logits: np.Array, labels: np.Array): np.Array {
  const [samples = 0, classes = 0] = logits.shape;
  const maximum = np.max(lax.stopGradient(logits.ref), 1, { keepdims: true });
  const shifted = np.subtract(logits, maximum);
  const logSum = np.log(np.sum(np.exp(shifted.ref), 1));
  const isLabel = np.equal(
    labels.reshape([samples, 1]),
    np.arange(0, classes, 1, { dtype: np.int32 }).reshape([1, classes]),
  );
  return np.subtract(logSum, np.sum(np.where(isLabel, shifted, 0), 1));
}

/**
 * 1 for every sample whose largest logit is its label's, else 0; the first of equals counts, and a
 * sample with a logit that is not a number is wrong.
 *
 * @param logits Float, shape [samples, classes]; consumed.
 * @param labels int32, shape [samples]; consumed.
 * @returns Shape [samples], of the logits' dtype: its mean is the accuracy.
 */
export function isRight(logits: np.Array, labels: np.Array): np.Array {
  const [samples = 0, classes = 0] = logits.shape;
  const label = labels.reshape([samples, 1]);
  const index = np.arange(0, classes, 1, { dtype: np.int32 }).reshape([1, classes]);
  const isLabel = np.equal(label.ref, index.ref);
  const own = np.sum(np.where(isLabel, logits.ref, 0), 1, { keepdims: true });
  // No other logit is as large, or one as large stands later.
  const above = np.greater(own.ref, logits.ref);
  const isFirst = np.logicalAnd(np.equal(own, logits.ref), np.lessEqual(label, index));
  return np.all(np.logicalOr(above, isFirst), 1).astype(logits.dtype);
}

/**
 * Entropy of the shares of the classes, −Σ p ln p: the mean cross-entropy of the best answer that is
 * the same for all samples.
 */
export function labelEntropy({ data }: Tensor): number {
  const counts = new Map<number, number>();
  for (const label of data) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => {
    const share = count / data.length;
    return sum - share * Math.log(share);
  }, 0);
}

/**
 * Check samples `{ x: float[n, ...], y: int32[n] }` and cast their inputs; bytes stay bytes.
 *
 * @param name What to call the samples in errors.
 * @throws {InputError} when tensors are missing or their types and shapes do not fit.
 */
export function labeledSamples(
  name: string,
  { batch, size }: Split,
  dtype: FloatType,
): LabeledSamples {
  const { x, y } = batch as { [key: string]: unknown };
  if (!isTensor(x)) throw new InputError(`missing ${name}/x: give float[samples, features]`);
  if (!isTensor(y)) throw new InputError(`missing ${name}/y: give int32[samples]`);
  if (!(size >= 1)) throw new InputError(`invalid ${name}: ${size} samples (give 1 or more)`);
  const describe = ({ dtype, shape }: Tensor) => `${dtype}[${shape.join(", ")}]`;
  if (
    !(x.dtype.startsWith("float") || x.dtype === "uint8") ||
    x.shape.length < 2 ||
    x.shape[0] !== size
  ) {
    throw new InputError(`invalid ${name}/x: ${describe(x)} (give float[${size}, features])`);
  }
  if (y.dtype !== "int32" || y.shape.length !== 1 || y.shape[0] !== size) {
    throw new InputError(`invalid ${name}/y: ${describe(y)} (give int32[${size}])`);
  }
  return { batch: { x: castFloat(x, dtype), y }, size };
}

const isTensor = (node: unknown): node is Tensor => isTensorType(node) && "data" in node;

/** What a classifier is told about its samples. */
export interface ClassificationOptions {
  /** Samples to train on: `{ x: float[n, ...], y: int32[n] }`. */
  readonly train: Split;
  /** Samples to judge on, of the same kind. */
  readonly test?: Split | undefined;
  /** Number of classes; default: the largest training label plus one. */
  readonly classes?: number | undefined;
}

/** Checked samples of a classifier. */
export interface Classification {
  readonly train: LabeledSamples;
  readonly test: LabeledSamples | undefined;
  readonly classes: number;
  /** Shape of one sample. */
  readonly shape: readonly number[];
}

/** @throws {InputError} when the samples do not fit each other, or the labels the classes. */
export function classification(options: ClassificationOptions, dtype: FloatType): Classification {
  const train = labeledSamples("train", options.train, dtype);
  const test = options.test && labeledSamples("test", options.test, dtype);
  const { classes = countClasses(train) } = options;
  if (!Number.isInteger(classes) || classes < 1) {
    throw new InputError(`invalid classes: ${classes} (give a whole number, 1 or more)`);
  }
  checkLabels("train", train, classes);
  if (test) checkLabels("test", test, classes);
  const shapeOf = ({ batch }: LabeledSamples) => batch.x.shape.slice(1);
  const shape = shapeOf(train);
  if (test && shapeOf(test).join(", ") !== shape.join(", ")) {
    throw new InputError(
      `invalid test/x: samples of shape [${shapeOf(test).join(", ")}] (give [${shape.join(", ")}], as in train)`,
    );
  }
  return { train, test, classes, shape };
}

/** @throws {InputError} when the samples are no images. */
export function imageShape({
  shape,
  train,
}: Classification): readonly [channels: number, height: number, width: number] {
  const [channels, height, width, ...more] = shape;
  if (channels === undefined || height === undefined || width === undefined || more.length > 0) {
    throw new InputError(
      `invalid train/x: float[${[train.size, ...shape].join(", ")}] (give images, float[${train.size}, channels, height, width])`,
    );
  }
  return [channels, height, width];
}

/** Largest label plus one. */
export function countClasses({ batch: { y } }: LabeledSamples): number {
  let largest = 0;
  for (const label of y.data) largest = Math.max(largest, label);
  return largest + 1;
}

/** @throws {InputError} when a label is not one of 0 … classes − 1. */
export function checkLabels(name: string, { batch: { y } }: LabeledSamples, classes: number): void {
  const wrong = y.data.findIndex((label) => label < 0 || label >= classes);
  if (wrong < 0) return;
  throw new InputError(
    `invalid ${name}/y: label ${y.data[wrong]} of sample ${wrong} (give 0 to ${classes - 1})`,
  );
}
