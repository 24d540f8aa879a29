/** Regularized losses: label smoothing, and a penalty on the parameters, as parts of a problem's loss. */
import { np } from "../../engine/jax-js.ts";
import { add, leaves, multiply, scalar, square } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Forward, Problem } from "../problem.ts";

/**
 * A classifier whose labels are smoothed (Szegedy et al. 2016): the loss of a sample with logits z
 * and label y is (1 − α)(−log p_y) + α·mean over all classes k of −log p_k, p = softmax(z), as in
 * PyTorch's `CrossEntropyLoss(label_smoothing=α)`. It is the loss in training, in evaluation and in
 * certificates.
 *
 * @param alpha α in [0, 1).
 * @throws {InputError} when the problem has no outputs.
 */
export function withLabelSmoothing(problem: Problem, alpha: number): Problem {
  if (alpha === 0) return problem;
  const { name, outputs: classes, train } = problem;
  if (classes === undefined) {
    throw new InputError(`invalid label smoothing: ${name} has no classes (leave it out)`);
  }
  const { y } = train.batch as { y?: Tensor };
  return {
    ...problem,
    ...(y && { guessLoss: smoothedEntropy(y, classes, alpha) }),
    forward(params, batch, context) {
      const forward = problem.forward(params, batch, context);
      const { outputs } = forward;
      if (outputs === undefined) {
        throw new TypeError(`missing outputs: problem ${name} is a classifier and returns none`);
      }
      // mean over k of −log p_k = log Σ exp z − mean z
      const [samples = 0] = outputs.shape;
      const highest = np.max(outputs.ref, 1);
      const shifted = np.subtract(outputs.ref, highest.reshape([samples, 1]));
      const spread = np.subtract(
        np.log(np.sum(np.exp(shifted.ref), 1)),
        multiply(np.sum(shifted, 1), scalar(1 / classes, outputs)),
      );
      const part = (share: number, losses: np.Array) => multiply(losses, scalar(share, losses));
      return { ...forward, losses: add(part(1 - alpha, forward.losses), part(alpha, spread)) };
    },
  };
}

/** Entropy of the mean of all smoothed labels: the loss of the best constant answer. */
function smoothedEntropy({ data }: Tensor, classes: number, alpha: number): number {
  const shares = new Float64Array(classes).fill(alpha / classes);
  for (const label of data) shares[label] = (shares[label] ?? 0) + (1 - alpha) / data.length;
  return shares.reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0);
}

/**
 * The problem with λ‖θ‖²/2 added to the loss, over all parameters θ: weight decay inside the loss. It
 * takes part in the ascent and in both gradients, where an optimizer's own decay does not.
 */
export function withPenalty(problem: Problem, lambda: number): Problem {
  if (lambda === 0) return problem;
  return {
    ...problem,
    forward(params, batch, context): Forward {
      const squares = leaves(params).map((leaf) => np.sum(square(leaf)));
      const forward = problem.forward(params, batch, context);
      const { losses } = forward;
      const penalty = multiply(squares.reduce(add), scalar(lambda / 2, losses));
      return { ...forward, losses: np.add(losses, penalty) };
    },
  };
}
