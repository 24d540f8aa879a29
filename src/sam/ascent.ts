/** Ascents: where SAM-type methods look. */
import { numpy as np } from "@jax-js/jax";
import { divide, norm, scalar, scale, select } from "../engine/arrays.ts";
import type { ArrayTree } from "../engine/program.ts";
import type { Ascent, Knobs, Schedule, Stateless } from "./method.ts";

/** Forget the memory's type once the implementation has been checked against it. */
export function ascent<Memory, K extends Knobs>(implementation: Ascent<Memory, K>): Ascent {
  return implementation as unknown as Ascent;
}

/** ρ/‖d‖ as a scalar, and 0 where d vanishes, so that a zero direction gives a zero perturbation. */
export function lengthen(rho: np.Array, length: np.Array): np.Array {
  const zero = scalar(0, length);
  return select(np.greater(length.ref, zero), divide(rho, length), zero);
}

/** The vector of norm `rho` along `direction`, or zero where `direction` vanishes. */
export const ofLength = (rho: np.Array, direction: ArrayTree): ArrayTree =>
  scale(lengthen(rho, norm(direction)), direction);

/** ε = ρ g/‖g‖, the norm taken over all parameters   (Foret et al. 2021, eq. 2). */
export function normalized({ rho = 0.05 }: { rho?: Schedule } = {}): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb: ({ gradient, knobs: { rho } }) => ({
      perturbation: ofLength(rho, gradient),
      memory: {},
    }),
  });
}
