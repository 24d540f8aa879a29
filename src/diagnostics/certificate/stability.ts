/** Stability of steps near a rest point: which learning rates contract along an eigenvalue of Dv. */
import type { ComplexEigenvalue } from "../algebra/arnoldi.ts";
import type { Descending } from "../../sam/contract/method.ts";

/** A heavy ball, or none. */
export type Ball = Pick<Descending, "momentum" | "nesterov">;

type Eigenvalue = Pick<ComplexEigenvalue, "re" | "im">;

/**
 * The largest modulus of the two factors by which a step with rate η multiplies a displacement along
 * the eigenvalue λ of Dv. With a heavy ball β they are the roots of z² − (1 + β − s)z + β, s = ηλ;
 * with Nesterov's look ahead of z² − (1 + β)(1 − s)z + β(1 − s); without, z = 1 − s.
 */
export function growth({ re, im }: Eigenvalue, rate: number, { momentum, nesterov }: Ball): number {
  const [sr, si] = [rate * re, rate * im];
  if (momentum === 0) return Math.hypot(1 - sr, si);
  // z² − (br + i bi) z + (cr + i ci)
  const [br, bi] = nesterov
    ? [(1 + momentum) * (1 - sr), -(1 + momentum) * si]
    : [1 + momentum - sr, -si];
  const [cr, ci] = nesterov ? [momentum * (1 - sr), -momentum * si] : [momentum, 0];
  // z = (b ± √(b² − 4c))/2
  const [dr, di] = [br * br - bi * bi - 4 * cr, 2 * br * bi - 4 * ci];
  const size = Math.hypot(dr, di);
  const rootRe = Math.sqrt(Math.max(0, (size + dr) / 2));
  const rootIm = Math.sign(di || 1) * Math.sqrt(Math.max(0, (size - dr) / 2));
  return Math.max(
    Math.hypot(br + rootRe, bi + rootIm) / 2,
    Math.hypot(br - rootRe, bi - rootIm) / 2,
  );
}

/**
 * The rate at which steps along an eigenvalue with positive real part stop to contract. For a heavy
 * ball s = ηλ must lie in the ellipse ((Re s)/(1 + β) − 1)² + (Im s/(1 − β))² < 1, so that
 *
 * η < 2 (Re λ/(1 + β)) / ((Re λ/(1 + β))² + (Im λ/(1 − β))²);
 *
 * without momentum 2 Re λ/|λ|². `undefined` where Re λ ≤ 0: no rate contracts.
 */
export function largestRate(eigenvalue: Eigenvalue, ball: Ball): number | undefined {
  const { re, im } = eigenvalue;
  if (!(re > 0)) return undefined;
  const { momentum, nesterov } = ball;
  if (!nesterov || momentum === 0) {
    const [a, b] = [re / (1 + momentum), im / (1 - momentum)];
    return (2 * a) / (a * a + b * b);
  }
  // Rates contract from 0 to the first at which a root reaches the unit circle.
  const most = 4 / Math.hypot(re, im);
  const parts = 400;
  let below = 0;
  let above = most;
  for (let i = 1; i <= parts; i++) {
    const rate = (most * i) / parts;
    if (growth(eigenvalue, rate, ball) >= 1) {
      above = rate;
      break;
    }
    below = rate;
  }
  for (let i = 0; i < 60; i++) {
    const middle = (below + above) / 2;
    if (growth(eigenvalue, middle, ball) < 1) below = middle;
    else above = middle;
  }
  return below;
}
