/** Ascents: where SAM-type methods look. The common ones, and what all of them can be given. */
import { np } from "../../engine/jax-js.ts";
import {
  divide,
  mapWithPaths,
  multiply,
  norm,
  scalar,
  scale,
  select,
  zerosLike,
} from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import type { Role } from "../../problems/problem.ts";
import type { Ascent, Knobs, Stateless } from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";

/** An ascent of any memory and knobs: forget their types once the implementation is checked against them. */
export function ascent<Memory, K extends Knobs>(implementation: Ascent<Memory, K>): Ascent {
  return implementation as unknown as Ascent;
}

/**
 * a/b for scalars, and 0 where b is not above 0: with b a norm, a vanishing vector gives a
 * vanishing perturbation instead of NaN. No small number is added to the denominator.
 */
export function quotient(a: np.Array, b: np.Array): np.Array {
  const zero = scalar(0, b);
  return select(np.greater(b.ref, zero), divide(a, b), zero);
}

/** The vector of norm `rho` along `direction`, or zero where `direction` vanishes. */
export const ofLength = (rho: np.Array, direction: ArrayTree): ArrayTree =>
  scale(quotient(rho, norm(direction)), direction);

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

/**
 * ε = ρ g   (Andriushchenko & Flammarion 2022), or with `ball` ε = ρ g·min(1, 1/‖g‖): never
 * longer than ρ.
 */
export function unnormalized({
  rho,
  ball,
}: {
  readonly rho: Schedule;
  readonly ball?: boolean | undefined;
}): Ascent {
  const knobs = { rho } satisfies Knobs;
  return ascent<Stateless, typeof knobs>({
    knobs,
    init: () => ({}),
    perturb({ gradient, knobs: { rho } }) {
      if (!ball) return { perturbation: scale(rho, gradient), memory: {} };
      const length = norm(gradient);
      const isLong = np.greater(length.ref, scalar(1, length));
      const factor = select(isLong, divide(rho, length), rho);
      return { perturbation: scale(factor, gradient), memory: {} };
    },
  });
}

/** A factor of the perturbation for every role; roles left out keep 1. */
export type Groups = { readonly [role in Role]?: number | undefined };

/**
 * A ρ of its own for every role: ρ_k = factor_k·ρ. The norm stays global, so that
 * ‖ε‖² = Σ_k (ρ_k ‖g_k‖/‖g‖)², which is ρ² only when all factors are 1.
 */
export function grouped(inner: Ascent, groups: Groups): Ascent {
  if (Object.keys(groups).length === 0) return inner;
  return {
    ...inner,
    perturb(context) {
      const { perturbation, memory } = inner.perturb(context);
      const factorOf = (path: string) => groups[context.objective.role(path)] ?? 1;
      return {
        perturbation: mapWithPaths(perturbation, (e, path) =>
          multiply(e, scalar(factorOf(path), e)),
        ),
        memory,
      };
    },
  };
}

/**
 * An ascent that sees, and perturbs, only the parameters of some roles. Norms are taken over
 * those alone.
 *
 * @throws {InputError} while tracing, when the problem has no parameter of these roles.
 */
export function restricted(inner: Ascent, roles: readonly Role[]): Ascent {
  return {
    ...inner,
    perturb(context) {
      const { objective, gradient } = context;
      const found = new Set<Role>();
      const chosen = mapWithPaths(gradient, (g, path) => {
        const role = objective.role(path);
        found.add(role);
        return roles.includes(role) ? g.ref : (zerosLike(g) as np.Array);
      });
      if (!roles.some((role) => found.has(role))) {
        throw new InputError(
          `invalid roles: ${roles.join(", ")} (choose from ${[...found].join(", ")}, which this problem has)`,
        );
      }
      return inner.perturb({ ...context, gradient: chosen });
    },
  };
}
