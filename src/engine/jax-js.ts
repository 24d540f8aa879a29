/**
 * jax-js, brought in by the first program that is compiled. What only names methods and problems
 * (a spec, a list, a flag) imports this module and never loads the library: its names are live
 * bindings, and code that uses them runs while a step is traced.
 */
import type * as Jax from "@jax-js/jax";

export let np: typeof Jax.numpy;
export declare namespace np {
  /** An array of jax-js, traced or not. */
  type Array = Jax.numpy.Array;
}
export let lax: typeof Jax.lax;
export let nn: typeof Jax.nn;
export let random: typeof Jax.random;
export let grad: typeof Jax.grad;
export let jvp: typeof Jax.jvp;
export let vjp: typeof Jax.vjp;
export let valueAndGrad: typeof Jax.valueAndGrad;

/** Make the names above those of `jax`: for entry points that have it anyway. */
export function provideJax(jax: typeof Jax): void {
  ({ numpy: np, lax, nn, random, grad, jvp, vjp, valueAndGrad } = jax);
}

/** Load jax-js where nobody has: before anything is traced. */
export async function loadJax(): Promise<void> {
  if (np === undefined) provideJax(await import("@jax-js/jax"));
}
