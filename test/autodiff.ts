/**
 * Loss, gradient and Hessian-vector products of a problem by jax-js's autodiff, in true float64.
 * jax-js's `cpu` device computes with JavaScript's own `Math`; its `wasm` device evaluates exp,
 * log, sin and cos in float32 whatever the dtype of the array.
 */
import { defaultDevice, grad, init, jvp, numpy as np, tree } from "@jax-js/jax";
import { jaxDType } from "../src/engine/arrays.ts";
import type { ArrayTree } from "../src/engine/program.ts";
import {
  leavesOf,
  mapTree,
  tensor,
  unflattenLike,
  type Tensor,
  type Tree,
} from "../src/engine/tensor.ts";
import type { Batch, Problem } from "../src/problems/problem.ts";

await init("cpu");
defaultDevice("cpu");

export const toDevice = (host: Tree<Tensor>): ArrayTree =>
  mapTree(host, ({ data, shape, dtype }) =>
    np.array(Array.from(data), { shape: [...shape], dtype: jaxDType[dtype] }),
  );

export async function toHost(array: np.Array): Promise<Tensor> {
  const { shape, dtype } = array;
  return tensor(await array.data(), shape, dtype as Tensor["dtype"]);
}

const numbers = async (arrays: readonly np.Array[]): Promise<number[]> =>
  (await Promise.all(arrays.map(toHost))).flatMap(({ data }) => Array.from(data));

export interface Derivatives {
  /** Loss of every sample. */
  readonly losses: number[];
  /** Network outputs, row by row; empty for problems without any. */
  readonly outputs: number[];
  /** Gradient of the mean loss, leaves one after another in jax-js's order. */
  readonly gradient: number[];
  /** Hessian of the mean loss times `direction`; empty without one. */
  readonly hessianProduct: number[];
}

/** Evaluate a problem and its derivatives at given parameters, on its training samples by default. */
export async function autodiff(
  problem: Problem,
  params: Tree<Tensor>,
  direction?: readonly number[],
  batch: Batch = problem.train.batch,
): Promise<Derivatives> {
  const loss = (p: ArrayTree) => {
    const { losses } = problem.forward(p, toDevice(batch), { mode: "evaluate" });
    const share = np.array(1 / losses.size, { dtype: losses.dtype });
    return np.multiply(np.sum(losses), share);
  };
  const { losses, outputs } = problem.forward(toDevice(params), toDevice(batch), {
    mode: "evaluate",
  });
  const gradient = tree.leaves<np.Array>(grad(loss)(toDevice(params)));
  let hessianProduct: np.Array[] = [];
  if (direction) {
    let offset = 0;
    const tangents = leavesOf(params).map(({ data, shape, dtype }) =>
      tensor(direction.slice(offset, (offset += data.length)), shape, dtype),
    );
    const tangent = toDevice(unflattenLike(params, tangents));
    const [, product] = jvp(grad(loss), [toDevice(params)], [tangent]);
    hessianProduct = tree.leaves<np.Array>(product);
  }
  return {
    losses: await numbers([losses]),
    outputs: await numbers(outputs ? [outputs] : []),
    gradient: await numbers(gradient),
    hessianProduct: await numbers(hessianProduct),
  };
}
