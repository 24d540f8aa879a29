/** MINRES: solutions of symmetric systems that may be indefinite. */
import { addTo, dot, norm, scaled, type Operator, type Vector } from "./vectors.ts";

/** An approximate solution of A x = b. */
export interface Solution {
  readonly x: Vector;
  /** ‖A x − b‖/‖b‖, by recurrence. */
  readonly relativeResidual: number;
  readonly converged: boolean;
  readonly applications: number;
}

/**
 * Solve A x = b for symmetric A by minimizing the residual over Krylov subspaces   (Paige & Saunders
 * 1975). Starts at 0.
 */
export async function minres({
  operator,
  right,
  tolerance = 1e-10,
  maxApplications = 1000,
}: {
  readonly operator: Operator;
  readonly right: Vector;
  /** On the relative residual; default 1e-10. */
  readonly tolerance?: number;
  /** Default 1000. */
  readonly maxApplications?: number;
}): Promise<Solution> {
  const size = norm(right);
  const x = new Float64Array(right.length);
  if (size === 0) return { x, relativeResidual: 0, converged: true, applications: 0 };
  // Lanczos vectors v, the QR factors of the tridiagonal matrix by Givens rotations (c, s), and
  // the directions d along which x moves.
  let before: Vector = new Float64Array(right.length);
  let v = scaled(1 / size, right);
  let [d1, d2] = [before, before];
  let [c1, s1, c2, s2] = [1, 0, 1, 0];
  let beta = 0;
  let residual = size;
  let applications = 0;
  while (applications < maxApplications && residual > tolerance * size) {
    const w = await operator(v);
    applications++;
    addTo(w, -beta, before);
    const alpha = dot(v, w);
    addTo(w, -alpha, v);
    const nextBeta = norm(w);
    // Apply the last two rotations to the new column (0, β, α, β⁺).
    const epsilon = s1 * beta;
    const shifted = c1 * beta;
    const delta = c2 * shifted + s2 * alpha;
    const gamma0 = -s2 * shifted + c2 * alpha;
    const gamma = Math.hypot(gamma0, nextBeta);
    if (gamma === 0) break;
    const [c, s] = [gamma0 / gamma, nextBeta / gamma];
    const d = v.slice();
    addTo(d, -delta, d2);
    addTo(d, -epsilon, d1);
    for (let i = 0; i < d.length; i++) d[i] = (d[i] as number) / gamma;
    const sign = applications % 2 === 1 ? 1 : -1;
    addTo(x, sign * c * residual, d);
    residual *= s;
    [d1, d2] = [d2, d];
    [c1, s1, c2, s2] = [c2, s2, c, s];
    if (nextBeta === 0) break;
    [before, v, beta] = [v, scaled(1 / nextBeta, w), nextBeta];
  }
  const relativeResidual = residual / size;
  return { x, relativeResidual, converged: relativeResidual <= tolerance, applications };
}
