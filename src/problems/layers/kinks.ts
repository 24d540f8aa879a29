/** Kinks: where a network is not smooth, told by its layers to whoever asks while it is traced. */
import type { np } from "../../engine/jax-js.ts";

/** What has been told since somebody asked; nobody asks most of the time. */
let told: np.Array[] | undefined;

/**
 * Traced, borrows. Says that what is computed from `x` has a kink where an element of it is 0, as
 * max(x, 0) has. A network that calls it can be certified as what it is, piecewise smooth; the
 * activations of this package do.
 *
 * @example
 * const relu = (x: np.Array) => (kinkAt(x), np.where(np.lessEqual(x.ref, 0), 0, x));
 */
export function kinkAt(x: np.Array): void {
  told?.push(x.ref);
}

/** Runs a traced function, and gathers what {@link kinkAt} is told meanwhile. */
export function gatherKinks(run: () => unknown): np.Array[] {
  const before = told;
  const gathered: np.Array[] = [];
  told = gathered;
  try {
    run();
  } finally {
    told = before;
  }
  return gathered;
}
