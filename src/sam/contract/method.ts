/**
 * Contracts of methods. A method makes one step out of three factors:
 *
 * - an *ascent* says where to look: x⁺ = x + ε(x) (SAM: ε = ρ g/‖g‖);
 * - what to *follow* is a direction v made of what was seen at x and x⁺ (SAM: v = ∇f(x⁺));
 * - an *outer* optimizer says how to move along it: x ← outer(x, v) (SGD, AdamW).
 *
 * `ascending` puts the three together. Methods that do not fit write their step themselves.
 */
import type { np } from "../../engine/jax-js.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type { Tensor, Tree } from "../../engine/tensor.ts";
import type { Schedule } from "../../settings/schedules.ts";
import type { Objective } from "./objective.ts";

/** Schedules by name; compositions nest. */
export interface Knobs {
  readonly [name: string]: Schedule | Knobs;
}

/** Knob values in one step, as scalars in the parameters' dtype, in the structure of `K`. */
export type KnobValues<K> = string extends keyof K
  ? { readonly [name: string]: ArrayTree }
  : { readonly [Name in keyof K]: K[Name] extends Schedule ? np.Array : KnobValues<K[Name]> };

/** A tree of arrays as it lies in host memory between runs: tensors in place of arrays. */
export type OnHost<T> = [ArrayTree] extends [T]
  ? Tree<Tensor>
  : T extends np.Array
    ? Tensor
    : { [Key in keyof T]: OnHost<T[Key]> };

/** State of a method or optimizer that keeps none. */
export type Stateless = Record<string, never>;

/** A step x ← x − η(d + λx), or the same with a heavy ball. */
export interface Descending {
  /** μ; 0 without a buffer. */
  readonly momentum: number;
  readonly nesterov: boolean;
  /** λ. */
  readonly weightDecay: number;
}

/** How to move, given a direction: SGD, AdamW, … */
export interface Outer<State = ArrayTree, K extends Knobs = Knobs> {
  readonly name: string;
  readonly knobs: K;
  /** For optimizers whose step is linear in the direction d, up to its length, at rate `learningRate`. */
  readonly descending?: Descending | undefined;
  /** State before the first step. */
  init(params: Tree<Tensor>): OnHost<State>;
  /** Traced, borrows. One step from `params` against `direction`, which stands for the gradient. */
  update(
    direction: ArrayTree,
    params: ArrayTree,
    state: State,
    knobs: KnobValues<K>,
  ): { readonly params: ArrayTree; readonly state: State };
}

/** What an ascent may look at. */
export interface AscentContext<Memory, K extends Knobs> {
  readonly objective: Objective;
  readonly params: ArrayTree;
  /** ∇f at `params`. */
  readonly gradient: ArrayTree;
  readonly memory: Memory;
  readonly knobs: KnobValues<K>;
  readonly time: StepTime;
}

/** Where to look: from the gradient to the perturbation x⁺ − x. */
export interface Ascent<Memory = ArrayTree, K extends Knobs = Knobs> {
  readonly knobs: K;
  /** Whether the ascent draws random numbers. */
  readonly random?: boolean;
  init(params: Tree<Tensor>, size: ProblemSize): OnHost<Memory>;
  /** Traced, borrows. Must return the zero perturbation for a zero gradient. */
  perturb(context: AscentContext<Memory, K>): {
    readonly perturbation: ArrayTree;
    readonly memory: Memory;
  };
}

/** Which step this is. */
export interface StepTime {
  /** Steps taken before this one, an int32 scalar. */
  readonly step: np.Array;
  /** Random key of this step, uint32 [2]; given when the method or the problem draws random numbers. */
  readonly key?: np.Array | undefined;
}

/** What a step is given. */
export interface StepContext<Memory, K extends Knobs> {
  readonly objective: Objective;
  readonly params: ArrayTree;
  readonly memory: Memory;
  /** State of the outer optimizer. */
  readonly outerState: ArrayTree;
  readonly knobs: KnobValues<K> & { readonly outer: KnobValues<Knobs> };
  readonly time: StepTime;
}

/**
 * What the optimizer saw, all scalars but the last two. A method without ascent point reports
 * itself as SAM with ρ = 0: x⁺ = x.
 */
export interface Evidence {
  /** f(x), from the first pass, on this step's batch. */
  readonly loss: np.Array;
  /** f(x⁺). */
  readonly shiftedLoss: np.Array;
  /** ‖∇f(x)‖. */
  readonly gradNorm: np.Array;
  /** ‖∇f(x⁺)‖. */
  readonly shiftedGradNorm: np.Array;
  /** cos(∇f(x), ∇f(x⁺)); 0 where either vanishes. */
  readonly cosine: np.Array;
  /** x⁺. */
  readonly ascentPoint: ArrayTree;
  /** ‖v‖ of the direction v that the outer optimizer was given; default ‖∇f(x⁺)‖, as in SAM. */
  readonly directionNorm?: np.Array | undefined;
  /** More scalars worth recording, such as a decision that was taken. */
  readonly details?: { readonly [name: string]: np.Array };
}

/** What a step leads to. */
export interface StepResult<Memory> {
  readonly params: ArrayTree;
  readonly memory: Memory;
  /** State of the outer optimizer after the step. */
  readonly outerState: ArrayTree;
  readonly evidence: Evidence;
}

/** What memory may depend on besides the parameters. */
export interface ProblemSize {
  /** Training samples. */
  readonly samples: number;
  /** Samples per step. */
  readonly batch: number;
  /** Outputs per sample, for problems that have outputs. */
  readonly outputs?: number | undefined;
}

/** An optimizer: from parameters, state and a gradient oracle to the next parameters. */
export interface Method<Memory = ArrayTree, K extends Knobs = Knobs> {
  readonly name: string;
  /** The method's own knobs; the outer optimizer's are added under `outer`. */
  readonly knobs: K;
  readonly outer: Outer;
  /** Whether steps draw random numbers. */
  readonly random?: boolean;
  /** Whether x⁺ − x is longer or shorter by a factor for parameters of some role. */
  readonly grouped?: boolean;
  /** The method's own memory before the first step. */
  init(params: Tree<Tensor>, size: ProblemSize): OnHost<Memory>;
  /** Traced, borrows everything it is given. */
  step(context: StepContext<Memory, K>): StepResult<Memory>;
}
