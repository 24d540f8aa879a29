/** The state of a training: all that changes from step to step. */
import type { Tensor, Tree } from "../../engine/tensor.ts";
import type { Model, Problem } from "../../problems/problem.ts";
import type { Method } from "../contract/method.ts";

/** Where a run stands: all that a resumed run needs to continue bit for bit. */
export interface TrainingState {
  /** Steps taken. */
  readonly step: number;
  /** What every step hands to the next. */
  readonly carry: {
    /** x, where the method's next step begins. */
    readonly params: Tree<Tensor>;
    /** What the method itself remembers, such as its last ascent; `{}` where it needs nothing. */
    readonly memory: Tree<Tensor>;
    /** What the outer optimizer remembers, such as momentum. */
    readonly outer: Tree<Tensor>;
    /** Running statistics of normalization layers; `{}` for problems that keep none. */
    readonly statistics: Tree<Tensor>;
  };
}

/** The model that a training has reached: what is judged, certified and stored of it. */
export const modelOf = ({ carry: { params, statistics } }: TrainingState): Model => ({
  params,
  statistics,
});

/** The state before the first step, without its number. */
export function initialCarry(
  problem: Problem,
  method: Method,
  batch: number,
  seed: number,
): TrainingState["carry"] {
  const params = problem.init(seed);
  const samples = problem.train.size;
  const { outputs } = problem;
  return {
    params,
    memory: method.init(params, { samples, batch, outputs }),
    outer: method.outer.init(params),
    statistics: problem.initStatistics?.() ?? {},
  };
}
