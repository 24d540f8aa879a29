/** Scores of a run: how good its model was after so many steps, and which was the best. */
import { z } from "zod";
import type { EvaluationResult } from "../sam/training/evaluation.ts";

/** How good the model was after so many steps. */
export interface Scores {
  readonly step: number;
  readonly train: EvaluationResult;
  /** Absent for problems without test samples. */
  readonly test?: EvaluationResult | undefined;
}

const number = z.custom<number>((value) => typeof value === "number");
const result = z.object({ loss: number, score: number.optional() });

/** {@link Scores} as files have them. */
export const scoresSchema = z.array(
  z.object({ step: z.int(), train: result, test: result.optional() }),
);

/**
 * The best model of a run: of the highest score where the problem has one, else of the lowest loss, on
 * test samples where there are some, else on those of training. Of equals the first.
 */
export function bestOf(scores: readonly Scores[]): Scores | undefined {
  const merit = ({ train, test = train }: Scores) => test.score ?? -test.loss;
  let best: Scores | undefined;
  for (const candidate of scores) {
    // A loss that is not a number is worse than any.
    const merits = merit(candidate);
    if (Number.isNaN(merits)) continue;
    if (best === undefined || merits > merit(best)) best = candidate;
  }
  return best;
}
