/** The gradient oracle a method is given: a problem on this step's batch. */
import { grad, jvp, numpy as np, valueAndGrad } from "@jax-js/jax";
import { mean, select, selectTree, share } from "../engine/arrays.ts";
import type { ArrayTree } from "../engine/program.ts";
import type { Forward, ForwardContext, Problem, Role } from "../problems/problem.ts";

/**
 * A problem seen from one training step. Every call borrows its arguments. All passes of a step
 * see the same random key, hence the same dropout masks, and the first pass of a step is the
 * one that updates running statistics.
 */
export interface Objective {
  /** Mean loss (scalar) and its gradient. One gradient evaluation. */
  lossAndGradient(
    params: ArrayTree,
    batch?: ArrayTree,
  ): { readonly loss: np.Array; readonly gradient: ArrayTree; readonly forward: Forward };
  /** Per-sample losses and outputs without a gradient. A third of a gradient evaluation. */
  forward(params: ArrayTree, batch?: ArrayTree): Forward;
  /** Value and gradient of any scalar function of the forward pass. One gradient evaluation. */
  differentiate(
    ofForward: (forward: Forward) => np.Array,
    params: ArrayTree,
    batch?: ArrayTree,
  ): { readonly loss: np.Array; readonly gradient: ArrayTree; readonly forward: Forward };
  /** H(params)·vector, by forward over reverse. Two gradient evaluations. */
  hessianVectorProduct(params: ArrayTree, vector: ArrayTree, batch?: ArrayTree): ArrayTree;
  /**
   * `yes()` where the scalar boolean `on` holds, else `no()`: two trees of one structure. The
   * native engine runs only the branch that is taken, and only that branch is counted.
   */
  branch<T>(on: np.Array, yes: () => T, no: () => T): T;
  /** This step's batch: what a pass uses when not given another. */
  readonly batch: ArrayTree;
  /** Number of samples in this step's batch. */
  readonly size: number;
  /** What a parameter tensor is for, by its path. */
  role(path: string): Role;
}

/** An objective with what the training loop reads from it after the step. */
export interface CountedObjective extends Objective {
  /**
   * Gradient evaluations spent so far, in units of one forward and backward pass over the
   * batch: a number, or a scalar array once a branch made it depend on the data.
   */
  readonly evaluations: number | np.Array;
  /** Running statistics after the first pass of the step. */
  readonly statistics: ArrayTree | undefined;
}

/** View `problem` from one step on `batch`. */
export function objectiveOf(
  problem: Pick<Problem, "forward" | "role">,
  batch: ArrayTree,
  context: ForwardContext = {},
): CountedObjective {
  const size = batchSize(batch);
  let evaluations: number | np.Array = 0;
  let statistics: ArrayTree | undefined;

  const count = (passes: number, of: ArrayTree) => {
    const spent = (passes * batchSize(of)) / size;
    evaluations =
      typeof evaluations === "number" ? evaluations + spent : np.add(evaluations, spent);
  };
  const shared = (): ForwardContext => ({
    ...(context.key && { key: context.key.ref }),
    ...(context.statistics && { statistics: share(context.statistics) }),
  });
  const forward = (params: ArrayTree, of: ArrayTree): Forward =>
    problem.forward(params, share(of), shared());
  const keepStatistics = (result: Forward) => {
    statistics ??= result.statistics;
    return result;
  };
  const differentiate: Objective["differentiate"] = (ofForward, params, of = batch) => {
    count(1, of);
    const value = (p: ArrayTree): [np.Array, { [key: string]: ArrayTree }] => {
      const result = forward(p, of);
      return [ofForward(result), { ...result }];
    };
    // jax-js's types follow trees only one level deep; the cast restores what we know.
    const run = valueAndGrad(value as never, { hasAux: true }) as unknown as (
      p: ArrayTree,
    ) => [[np.Array, Forward], ArrayTree];
    const [[loss, result], gradient] = run(share(params));
    return { loss, gradient, forward: keepStatistics(result) };
  };

  return {
    batch,
    size,
    role: (path) => problem.role(path),
    differentiate,
    lossAndGradient: (params, of) => differentiate(({ losses }) => mean(losses), params, of),
    forward(params, of = batch) {
      count(1 / 3, of);
      return keepStatistics(forward(share(params), of));
    },
    hessianVectorProduct(params, vector, of = batch) {
      count(2, of);
      const gradient = grad((p: ArrayTree) => mean(forward(p, of).losses)) as (
        p: ArrayTree,
      ) => ArrayTree;
      return jvp(gradient, [share(params)], [share(vector)])[1];
    },
    branch<T>(on: np.Array, yes: () => T, no: () => T): T {
      const before = evaluations;
      const a = yes();
      const afterYes = evaluations;
      evaluations = before;
      const b = no();
      if (afterYes !== evaluations) {
        evaluations = select(on, toArray(afterYes), toArray(evaluations));
      }
      return selectTree(on, a as ArrayTree, b as ArrayTree) as T;
    },
    get evaluations() {
      return evaluations;
    },
    get statistics() {
      return statistics;
    },
  };
}

const toArray = (value: number | np.Array): np.Array =>
  typeof value === "number" ? np.array(value) : value;

/** Number of samples: the first axis of every leaf of a batch. */
function batchSize(batch: ArrayTree): number {
  for (let node = batch; ;) {
    if ("shape" in node && Array.isArray(node.shape)) return node.shape[0] as number;
    node = (Array.isArray(node) ? node[0] : Object.values(node)[0]) as ArrayTree;
  }
}
