/** Augmentation of images inside the training step: crops, flips and Cutout, drawn anew in every step. */
import { np, random } from "../../engine/jax-js.ts";
import { add, multiply, scalar, subtract } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type { Problem } from "../problem.ts";

/** What becomes of every image of a batch; pixels are in the units of the batch. */
export interface Augmentation {
  /** Pad by so many black pixels on every side, then cut out a window of the old size; 0: not. */
  readonly crop: number;
  /** Mirror left and right with probability ½. */
  readonly flip: boolean;
  /** Side of a square that is filled with the mean of its channel (DeVries & Taylor 2017); 0: none. */
  readonly cutout: number;
  /** What a black pixel is, by channel. */
  readonly black: readonly number[];
  /** What the mean pixel of the data set is, by channel. */
  readonly mean: readonly number[];
}

/** Whether anything is done at all. */
export const augments = ({ crop, flip, cutout }: Augmentation): boolean =>
  crop > 0 || flip || cutout > 0;

/**
 * The problem with its training batches augmented, once per step and before any pass. Its samples
 * have images under `x`, float[n, channels, height, width]. Evaluation and certificates see images as
 * they are.
 */
export function withAugmentation(problem: Problem, augmentation: Augmentation): Problem {
  if (!augments(augmentation)) return problem;
  return {
    ...problem,
    prepare(batch, key) {
      const { x, ...others } = batch as { x: np.Array } & { [name: string]: ArrayTree };
      return { ...others, x: augment(x, key, augmentation) };
    },
  };
}

/**
 * Traced, consumes. Images [n, channels, height, width] cropped, flipped and cut, each in its own way.
 *
 * Row i of the result is row i + dy − pad of the image, and zero outside, so that
 * x′ = R x C with matrices of zeros and ones: products with them are exact, and every engine has them.
 *
 * @param key jax-js random key, uint32 [2].
 */
export function augment(
  x: np.Array,
  key: np.Array,
  { crop, flip, cutout, black, mean }: Augmentation,
): np.Array {
  const [n = 0, channels = 0, height = 0, width = 0] = x.shape;
  // One draw for all: vertical and horizontal shift, side, center of the square.
  const draws = np.split(random.uniform(key, [5, n]), 5);
  /** Whole numbers uniform in 0 … count − 1, int32 [n, 1, 1]. */
  const below = (draw: number, count: number): np.Array =>
    np
      .minimum(np.floor(np.multiply(draws[draw] as np.Array, count)), count - 1)
      .astype(np.int32)
      .reshape([n, 1, 1]);
  const index = (side: number, shape: readonly number[]) =>
    np.arange(0, side, 1, { dtype: np.int32 }).reshape([...shape]);
  const constant = (values: readonly number[]) =>
    np.array([...values], { dtype: x.dtype }).reshape([1, channels, 1, 1]);

  let images = x;
  if (crop > 0 || flip) {
    // Padding is zero, so that black has to be.
    const shift = black.some((value) => value !== 0) ? constant(black) : undefined;
    if (shift) images = subtract(images, shift);
    const from = (side: number, draw: number, axis: readonly number[]) =>
      crop === 0
        ? index(side, axis)
        : np.add(index(side, axis), np.subtract(below(draw, 2 * crop + 1), crop));
    const selects = (wanted: np.Array, found: np.Array, shape: readonly number[]) =>
      np
        .equal(wanted, found)
        .astype(x.dtype)
        .reshape([...shape]);
    if (crop > 0) {
      const rows = from(height, 0, [1, height, 1]);
      const select = selects(rows, index(height, [1, 1, height]), [n, 1, height, height]);
      images = np.matmul(select, images);
    }
    let columns = from(width, 1, [1, 1, width]);
    if (flip) {
      const mirrored = np.subtract(width - 1, columns.ref);
      columns = np.where(np.equal(below(2, 2), 1), mirrored, columns);
    }
    const select = selects(index(width, [1, width, 1]), columns, [n, 1, width, width]);
    images = np.matmul(images, select);
    if (shift) images = add(images, shift);
  }
  if (cutout > 0) {
    /** Whether a row or column lies in the square around its center. */
    const within = (draw: number, side: number, shape: readonly number[]) => {
      const first = np.subtract(below(draw, side), Math.floor(cutout / 2)).reshape([n, 1, 1, 1]);
      const at = index(side, shape);
      return np.logicalAnd(np.lessEqual(first.ref, at.ref), np.less(at, np.add(first, cutout)));
    };
    const isCut = np.logicalAnd(
      within(3, height, [1, 1, height, 1]),
      within(4, width, [1, 1, 1, width]),
    );
    const fill = multiply(constant(mean), scalar(1, images));
    images = np.where(isCut, fill, images);
  }
  return images;
}
