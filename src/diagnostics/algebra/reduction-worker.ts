/** The worker that reduces symmetric matrices to tridiagonal forms. */
import { answer } from "../../engine/worker.ts";
import type { Square } from "./eigen.ts";
import { reducedForm, type ReducedForm } from "./reduced-form.ts";
import type { Vector } from "./vectors.ts";

export interface ReductionQuestion {
  readonly square: Square;
  readonly last: Vector | undefined;
}

answer(async ({ square, last }: ReductionQuestion): Promise<ReducedForm | undefined> =>
  reducedForm(square, last),
);
