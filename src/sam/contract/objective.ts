/** The gradient oracle a method is given: a problem on this step's batch. */
import { grad, jvp, np, valueAndGrad } from "../../engine/jax-js.ts";
import { mean, select, selectTree, share } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type { Forward, ForwardContext, Problem, Role } from "../../problems/problem.ts";
import { takeSamples } from "./samples.ts";
import { checkedForward } from "../../problems/check.ts";
import { afterPass, eitherUpdate, settled, type Update } from "./statistics.ts";

/**
 * A problem seen from one training step. Every call borrows its arguments. All passes of a step
 * see the same augmented batch and the same random key, hence the same dropout masks, and the
 * first gradient pass of a step is the one that updates running statistics.
 */
export interface Objective {
  /**
   * Mean loss (scalar) and its gradient. One gradient evaluation; asked again for the very same
   * trees it answers from memory, which costs none.
   */
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
   * native engine runs only the branch that is taken, and only that branch is counted. `align`
   * may bring the two to one structure first.
   */
  branch<T>(on: np.Array, yes: () => T, no: () => T, align?: (a: T, b: T) => readonly [T, T]): T;
  /** This step's batch, augmented if the problem does: what a pass uses when not given another. */
  readonly batch: ArrayTree;
  /** Number of samples in this step's batch. */
  readonly size: number;
  /** Which training samples this step's batch holds: their indices, int32 [size]. */
  readonly indices: np.Array;
  /** Number of training samples. */
  readonly samples: number;
  /**
   * A batch of training samples by their indices, int32 [n]. They are prepared as this step's batch
   * is and with the same key, so that `take(indices)` is `batch`; samples taken anew in a later
   * step are augmented anew.
   */
  take(indices: np.Array): ArrayTree;
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

/** The training set as a step sees it. */
export interface TrainingSet {
  /** Number of training samples. */
  readonly size: number;
  /** Those that form the step's batch, int32 [batch]; absent where all do. */
  readonly indices?: np.Array | undefined;
  /** Borrows. Samples by their indices, as forward passes take them. */
  take(indices: np.Array): ArrayTree;
}

interface KnownPass {
  readonly params: ArrayTree;
  readonly batch: ArrayTree;
  readonly result: ReturnType<Objective["lossAndGradient"]>;
}

/**
 * View `problem` from one step.
 *
 * @param batch the step's samples, as the forward pass takes them.
 * @param context given to every pass.
 * @param training where the batch comes from; default: the batch is the whole training set.
 */
export function objectiveOf(
  problem: Pick<Problem, "forward" | "role">,
  batch: ArrayTree,
  context: ForwardContext,
  training: TrainingSet = {
    size: batchSize(batch),
    take: (indices) => takeSamples(batch, indices),
  },
): CountedObjective {
  const size = batchSize(batch);
  let evaluations: number | np.Array = 0;
  let update: Update | undefined;
  /** Passes made so far on every path to this place in the step. */
  let known: readonly KnownPass[] = [];

  const count = (passes: number, of: ArrayTree) => {
    const spent = (passes * batchSize(of)) / size;
    evaluations =
      typeof evaluations === "number" ? evaluations + spent : np.add(evaluations, spent);
  };
  const shared = (): ForwardContext => ({
    mode: context.mode,
    key: context.key?.ref,
    statistics: context.statistics && share(context.statistics),
    constants: context.constants && share(context.constants),
  });
  const forward = (params: ArrayTree, of: ArrayTree): Forward =>
    checkedForward(problem, params, share(of), shared(), batchSize(of));
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
    update = afterPass(update, result.statistics);
    return { loss, gradient, forward: result };
  };

  return {
    batch,
    size,
    samples: training.size,
    get indices() {
      return training.indices ?? np.arange(0, size, 1, { dtype: np.int32 });
    },
    take: (indices) => training.take(indices),
    role: (path) => problem.role(path),
    differentiate,
    lossAndGradient(params, of = batch) {
      const asked = known.find((pass) => pass.params === params && pass.batch === of);
      if (asked) return asked.result;
      const result = differentiate(({ losses }) => mean(losses), params, of);
      known = [...known, { params, batch: of, result }];
      return result;
    },
    forward(params, of = batch) {
      count(1 / 3, of);
      return forward(share(params), of);
    },
    hessianVectorProduct(params, vector, of = batch) {
      count(2, of);
      const gradient = grad((p: ArrayTree) => mean(forward(p, of).losses)) as (
        p: ArrayTree,
      ) => ArrayTree;
      return jvp(gradient, [share(params)], [share(vector)])[1];
    },
    branch<T>(
      on: np.Array,
      yes: () => T,
      no: () => T,
      align: (a: T, b: T) => readonly [T, T] = (a, b) => [a, b],
    ): T {
      const before = { evaluations, update, known };
      const a = yes();
      const afterYes = { evaluations, update };
      ({ evaluations, update, known } = before);
      const b = no();
      ({ known } = before);
      if (afterYes.evaluations !== evaluations) {
        evaluations = select(on, toArray(afterYes.evaluations), toArray(evaluations));
      }
      update = eitherUpdate(on, afterYes.update, update);
      return selectTree(on, ...(align(a, b) as readonly [ArrayTree, ArrayTree])) as T;
    },
    get evaluations() {
      return evaluations;
    },
    get statistics() {
      return settled(update, context.statistics);
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
