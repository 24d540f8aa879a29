/** Running averages of gradients, as methods remember them. */
import { np } from "../../engine/jax-js.ts";
import { add, mapTrees, multiply, scalar } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { scalarTensor, type Tensor, type Tree } from "../../engine/tensor.ts";
import type { OnHost } from "../contract/method.ts";
import { dtypeOf, zerosAs } from "./outer.ts";

/** An average of gradients that starts with the first gradient it sees. */
export interface RunningAverage {
  readonly average: ArrayTree;
  /** 0 before the first step, then 1. */
  readonly started: np.Array;
}

/** The average before the first step. */
export const noAverage = (params: Tree<Tensor>): OnHost<RunningAverage> => ({
  average: zerosAs(params),
  started: scalarTensor(0, dtypeOf(params)),
});

/** a·old + b·now, leaf by leaf. */
export const blend = (a: number, old: ArrayTree, b: number, now: ArrayTree): ArrayTree =>
  mapTrees((m, g) => add(multiply(m, scalar(a, m)), multiply(g, scalar(b, g))), old, now);

/** Whether a gradient has been seen. */
export const hasStarted = ({ started }: RunningAverage) =>
  np.greater(started.ref, scalar(0, started));

/** The average after a step. */
export const startedWith = (average: ArrayTree, { started }: RunningAverage): RunningAverage => ({
  average,
  started: np.onesLike(started.ref),
});
