/** Problems: what a loss must offer so that every method, engine and diagnostic can work with it. */
import type { np } from "../engine/jax-js.ts";
import type { ArrayTree } from "../engine/program.ts";
import type { Tensor, Tree } from "../engine/tensor.ts";

/** Arithmetic of a problem: `float64` wherever something is to be proved. */
export type FloatType = "float32" | "float64";

/**
 * What a forward pass is for. `train`: a step of training, where masks are drawn and normalization
 * layers use the batch's own statistics. `evaluate`: a judgment (accuracy, certificate, figure),
 * without masks and with the running statistics.
 */
export type Mode = "train" | "evaluate";

/** What a forward pass may need besides parameters and batch. */
export interface ForwardContext {
  readonly mode: Mode;
  /** jax-js random key, uint32 [2], for dropout and other masks; given in training only. */
  readonly key?: np.Array | undefined;
  /** Running statistics of normalization layers; absent for problems that keep none. */
  readonly statistics?: ArrayTree | undefined;
  /** {@link Problem.constants} on the device; absent for problems without. */
  readonly constants?: ArrayTree | undefined;
}

/** What a forward pass returns. */
export interface Forward {
  /** Loss of every sample, shape [batch]. The training loss is their mean. */
  readonly losses: np.Array;
  /** Network outputs before the loss, shape [batch, outputs]; for classifiers the logits. */
  readonly outputs?: np.Array;
  /**
   * Statistics with this batch taken into account, of the structure given in the context; read in
   * training only.
   */
  readonly statistics?: ArrayTree;
}

/** What a parameter tensor is for. Some methods perturb only some roles. */
export type Role = "weight" | "bias" | "norm" | "embedding";

/** A set of samples: every leaf has the sample index as its first axis. */
export type Batch = Tree<Tensor>;

/** Samples to learn from or to be judged on. */
export interface Split {
  readonly batch: Batch;
  /** Number of samples, ≥ 1. */
  readonly size: number;
}

/** Everything that training changes: what is saved, judged, imported and exported as a whole. */
export interface Model {
  readonly params: Tree<Tensor>;
  /** Running statistics; `{}` for problems that keep none. */
  readonly statistics: Tree<Tensor>;
}

/**
 * A loss to minimize over parameters, with the samples it is a mean over.
 *
 * `Params` and `Samples` are the trees that `forward` is given, such as
 * `{ layers: { weight: np.Array; bias: np.Array }[] }`; what works with any problem leaves them out.
 */
export interface Problem<
  Params extends ArrayTree = ArrayTree,
  Samples extends ArrayTree = ArrayTree,
> {
  readonly name: string;
  readonly dtype: FloatType;
  /** Initial parameters; equal seeds give equal parameters, up to rounding between dtypes. */
  init(seed: number): Tree<Tensor>;
  /** Initial running statistics, for problems with normalization layers that keep some. */
  initStatistics?(): Tree<Tensor>;
  /**
   * Traced. Owns its arguments, as jax-js functions do: use `.ref` to read one twice. Leaves of
   * bytes (uint8) arrive as floating-point numbers of the problem's dtype.
   */
  forward(params: Params, batch: Samples, context: ForwardContext): Forward;
  /**
   * Traced, owns its arguments. Augmentation: once per training step, before any pass, so that every
   * pass of a step sees the same batch. Evaluation and certificates do without.
   *
   * @param key jax-js random key of this step, uint32 [2], of its own.
   */
  prepare?(batch: Samples, key: np.Array): ArrayTree;
  /** Data without a sample axis, such as the edges of a graph: in every pass's context, never cut into batches. */
  readonly constants?: Tree<Tensor> | undefined;
  /**
   * Traced, owns its arguments. How good each sample's outputs are, shape [batch]: 1 for right and 0
   * for wrong where there is right and wrong; its mean over a split is the accuracy. Absent for
   * problems that have none.
   */
  score?(outputs: np.Array, batch: Samples): np.Array;
  /** Role of the parameter at a path such as `"layers/0/bias"`. */
  role(path: string): Role;
  readonly train: Split;
  readonly test?: Split | undefined;
  /** Outputs per sample, for problems whose forward pass returns outputs. */
  readonly outputs?: number | undefined;
  /** Whether `forward` uses the random key. */
  readonly random?: boolean | undefined;
  /**
   * Training loss of the best constant answer, where labels are known: what has learned nothing
   * cannot do better. A screen measures with it.
   */
  readonly guessLoss?: number | undefined;
  /**
   * The model by PyTorch's names: the state_dict of the same network there, or of an `nn.Sequential`
   * of its layers. Absent where there is none.
   */
  toTorch?(model: Model): Readonly<Record<string, Tensor>>;
  /** Closed forms, for functions of two variables. */
  readonly plane?: Plane;
}

/** A point (x₁, x₂). */
export type Point = readonly [number, number];

/** What a point where the gradient vanishes is. */
export type CriticalKind = "minimizer" | "maximizer" | "saddle";

/** A point, or a connected set of points given by samples of it, where the gradient vanishes. */
export interface CriticalSet {
  readonly kind: CriticalKind;
  /** One entry for an isolated point, many along a curve. */
  readonly points: readonly Point[];
  /** Where the numbers come from. */
  readonly source: string;
}

/** A function of two variables with everything known about it, in float64. */
export interface Plane {
  readonly value: (x: Point) => number;
  readonly gradient: (x: Point) => Point;
  /** Rows of the symmetric 2 × 2 Hessian. Where f is only C¹ this is the Hessian of the piece at x. */
  readonly hessian: (x: Point) => readonly [Point, Point];
  readonly critical: readonly CriticalSet[];
  /** Region worth drawing: [[x₁ min, x₁ max], [x₂ min, x₂ max]]. */
  readonly domain: readonly [Point, Point];
  /** Default start. */
  readonly start: Point;
  /** Known global minimum value, `undefined` when not bounded below. */
  readonly minimum?: number;
}

/** Role by the customary names of parameters. */
export function roleByName(path: string): Role {
  const name = path.toLowerCase();
  if (/norm|(^|\/)bn\d*(\/|$)/.test(name)) return "norm";
  if (/embedding/.test(name)) return "embedding";
  return name.endsWith("bias") ? "bias" : "weight";
}
