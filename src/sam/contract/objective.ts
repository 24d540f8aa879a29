/** The gradient oracle a method is given: a problem on this step's batch. */
import { grad, jvp, np, valueAndGrad } from "../../engine/jax-js.ts";
import { mapTrees, mean, select, selectTree, share } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type { Forward, ForwardContext, Problem, Role } from "../../problems/problem.ts";
import { afterPass, eitherUpdate, settled, type Update } from "./statistics.ts";

/**
 * A problem seen from one training step. Every call borrows its arguments. All passes of a step
 * see the same random key, hence the same dropout masks, and the first gradient pass of a step is
 * the one that updates running statistics.
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
  /** This step's batch: what a pass uses when not given another. */
  readonly batch: ArrayTree;
  /** Number of samples in this step's batch. */
  readonly size: number;
  /** Which training samples this step's batch holds: int32 [size]. */
  readonly rows: np.Array;
  /** Number of training samples. */
  readonly samples: number;
  /** A batch of training samples by their indices, int32 [n]. */
  take(rows: np.Array): ArrayTree;
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

/** The training set, and which of its samples form the batch. */
export interface Samples {
  readonly all: ArrayTree;
  /** int32 [batch]. */
  readonly rows: np.Array;
}

interface KnownPass {
  readonly params: ArrayTree;
  readonly batch: ArrayTree;
  readonly result: ReturnType<Objective["lossAndGradient"]>;
}

/** View `problem` from one step on `batch`: the whole training set unless `samples` says otherwise. */
export function objectiveOf(
  problem: Pick<Problem, "forward" | "role">,
  batch: ArrayTree,
  context: ForwardContext = { mode: "train" },
  samples?: Samples,
): CountedObjective {
  const size = batchSize(batch);
  const all = samples?.all ?? batch;
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
    ...(context.key && { key: context.key.ref }),
    ...(context.statistics && { statistics: share(context.statistics) }),
  });
  const forward = (params: ArrayTree, of: ArrayTree): Forward =>
    problem.forward(params, share(of), shared());
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
    samples: batchSize(all),
    get rows() {
      return samples?.rows ?? np.arange(0, size, 1, { dtype: np.int32 });
    },
    take: (rows) => mapTrees((leaf) => np.take(leaf.ref, rows.ref, 0), all),
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
