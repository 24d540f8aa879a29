/** Records of training: what the optimizer reported, step by step. */
import { leavesWithPaths, type Tensor, type TensorData, type Tree } from "../../engine/tensor.ts";

/** What the optimizer reported, one entry per step. */
export interface Records {
  /** Index of the first step: entry i is what was seen before update `first + i`. */
  readonly first: number;
  /** Number of steps. */
  readonly count: number;
  readonly loss: TensorData;
  readonly shiftedLoss: TensorData;
  readonly gradNorm: TensorData;
  readonly shiftedGradNorm: TensorData;
  readonly cosine: TensorData;
  /** ‖v‖ of the direction v that the outer optimizer was given. */
  readonly directionNorm: TensorData;
  /** Gradient evaluations spent in the step. */
  readonly evaluations: TensorData;
  /** 1 where a number was not finite and the step was not taken: the whole state stays as it was. */
  readonly skipped: TensorData;
  /** Scalars particular to the method. */
  readonly details: { readonly [name: string]: TensorData };
  /** x and x⁺ per step, [count, …] per leaf, when points are recorded. */
  readonly point?: Tree<Tensor> | undefined;
  readonly ascentPoint?: Tree<Tensor> | undefined;
}

/**
 * Records by name from what a program stacked.
 *
 * @param end index of the step after the last.
 */
export function toRecords(stacked: Tree<Tensor>, end: number): Records {
  const records = stacked as { readonly [name: string]: Tree<Tensor> };
  const column = (name: string) => (records[name] as Tensor).data;
  const { details, point, ascentPoint } = records;
  const count = column("loss").length;
  return {
    first: end - count,
    count,
    loss: column("loss"),
    shiftedLoss: column("shiftedLoss"),
    gradNorm: column("gradNorm"),
    shiftedGradNorm: column("shiftedGradNorm"),
    cosine: column("cosine"),
    directionNorm: column("directionNorm"),
    evaluations: column("evaluations"),
    skipped: column("skipped"),
    details: Object.fromEntries(
      leavesWithPaths(details as Tree<Tensor>).map(([name, leaf]) => [name, leaf.data]),
    ),
    point,
    ascentPoint,
  };
}
