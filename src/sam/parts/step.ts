/** The step's vocabulary: what passes and evidence are, and the moves that steps of methods are made of. */
import { np } from "../../engine/jax-js.ts";
import { addTrees, dot, multiply, norm, scalar, select } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type {
  Ascent,
  AscentContext,
  Evidence,
  Knobs,
  Method,
  Outer,
  StepContext,
  StepResult,
} from "../contract/method.ts";

/** A method of any memory and knobs: forget their types once the implementation is checked against them. */
export function method<Memory, K extends Knobs>(implementation: Method<Memory, K>): Method {
  return implementation as unknown as Method;
}

/** A loss with its gradient: one pass. */
export interface Pass {
  readonly loss: np.Array;
  readonly gradient: ArrayTree;
}

/** What the second pass of a step shows. */
export interface Ahead {
  /** x⁺. */
  readonly ascentPoint: ArrayTree;
  /** The pass there. */
  readonly shifted: Pass;
  /** The ascent's memory after this step. */
  readonly memory: ArrayTree;
}

/**
 * The second pass of a step, at x⁺ = x + ε(x), from the gradient of the first.
 *
 * The perturbed parameters are a value of their own: x itself is never changed and restored.
 *
 * @param passAt The pass at x⁺; default: the mean loss over the step's batch and its gradient.
 */
export function lookAhead(
  ascent: Ascent,
  context: Omit<AscentContext<ArrayTree, Knobs>, "gradient">,
  at: Pass,
  passAt: (ascentPoint: ArrayTree) => Pass = (point) => context.objective.lossAndGradient(point),
): Ahead {
  const { perturbation, memory } = ascent.perturb({ ...context, gradient: at.gradient });
  const ascentPoint = addTrees(context.params, perturbation);
  return { ascentPoint, shifted: passAt(ascentPoint), memory };
}

/** What two passes show: at x, and at the ascent point x⁺. */
export function evidenceOf(
  at: Pass,
  shifted: Pass,
  ascentPoint: ArrayTree,
  details?: Evidence["details"],
): Evidence {
  const gradNorm = norm(at.gradient);
  const shiftedGradNorm = norm(shifted.gradient);
  const product = multiply(gradNorm, shiftedGradNorm);
  const zero = scalar(0, product);
  return {
    loss: at.loss,
    shiftedLoss: shifted.loss,
    gradNorm,
    shiftedGradNorm,
    cosine: select(
      np.greater(product.ref, zero),
      np.divide(dot(at.gradient, shifted.gradient), product.ref),
      zero,
    ),
    ascentPoint,
    ...(details && { details }),
  };
}

/** What one pass shows: x is its own ascent point. */
export function plainEvidence(at: Pass, params: ArrayTree): Evidence {
  const gradNorm = norm(at.gradient);
  const [zero, one] = [scalar(0, gradNorm), scalar(1, gradNorm)];
  return {
    loss: at.loss,
    shiftedLoss: at.loss,
    gradNorm,
    shiftedGradNorm: gradNorm,
    cosine: select(np.greater(gradNorm.ref, zero), one, zero),
    ascentPoint: params,
  };
}

/** Take the outer step along `direction` and report. */
export function descend<Memory>(
  outer: Outer,
  direction: ArrayTree,
  {
    params,
    outerState,
    knobs,
  }: Pick<StepContext<Memory, Knobs>, "params" | "outerState" | "knobs">,
  memory: Memory,
  evidence: Evidence,
): StepResult<Memory> {
  const next = outer.update(direction, params, outerState, knobs.outer);
  const seen = { directionNorm: norm(direction), ...evidence };
  return { params: next.params, outerState: next.state, memory, evidence: seen };
}
