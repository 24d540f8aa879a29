/** What a loss must offer so that every method, engine and diagnostic can work with it. */
import type { np } from "../engine/jax-js.ts";
import type { ArrayTree } from "../engine/program.ts";
import type { Tensor, Tree } from "../engine/tensor.ts";

/** Arithmetic of a problem: `float64` wherever something is to be proved. */
export type FloatType = "float32" | "float64";

/** What a forward pass may need besides parameters and batch. */
export interface ForwardContext {
  /** jax-js random key, uint32 [2], for dropout and other masks. Problems without masks ignore it. */
  readonly key?: np.Array;
  /** Running statistics of normalization layers; absent for problems that keep none. */
  readonly statistics?: ArrayTree;
}

/** What a forward pass returns. */
export interface Forward {
  /** Loss of every sample, shape [batch]. The training loss is their mean. */
  readonly losses: np.Array;
  /** Network outputs before the loss (logits), shape [batch, classes]. */
  readonly outputs?: np.Array;
  /** Statistics with this batch taken into account, of the structure given in the context. */
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

/** A loss to minimize over parameters, with the samples it is a mean over. */
export interface Problem {
  readonly name: string;
  readonly dtype: FloatType;
  /** Initial parameters; equal seeds give equal parameters, up to rounding between dtypes. */
  init(seed: number): Tree<Tensor>;
  /** Initial running statistics, for problems with normalization layers that keep some. */
  initStatistics?(): Tree<Tensor>;
  /** Traced. Owns its arguments, as jax-js functions do: use `.ref` to read one twice. */
  forward(params: ArrayTree, batch: ArrayTree, context: ForwardContext): Forward;
  /** Role of the parameter at a path such as `"layers/0/bias"`. */
  role(path: string): Role;
  readonly train: Split;
  readonly test?: Split;
  /** Outputs per sample, for problems whose forward pass returns outputs. */
  readonly outputs?: number;
  /** Whether `forward` uses the random key. */
  readonly random?: boolean;
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
