/** What is stored of the continuations of studies/continuation.ts, and how to read it. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** Where refining stood at one value of what is continued in. */
export interface Stage {
  /** λ, or ρ. */
  readonly value: number;
  /** Whether the zero at that value was reached, ‖v‖/‖g‖ ≤ 1e-8 of the function whose zero it is. */
  readonly converged: boolean;
  /** ‖v‖/‖g‖ there: with a penalty that of the penalized loss. */
  readonly ratio: number;
  /** ‖g‖ and ‖g⁺‖ of the loss without a penalty. */
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  /** Distance from the end of the run. */
  readonly moved: number;
  /** Hessian-vector products in this stage. */
  readonly products: number;
}

/** The continuations from one end. */
export interface ContinuedEnd {
  readonly rho: number;
  readonly seed: number;
  /** The end itself. */
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  readonly penalty: readonly Stage[];
  readonly smaller: readonly Stage[];
  readonly larger: readonly Stage[];
}

/** Ends as they were stored. */
export function readContinuedEnds(file: string): ContinuedEnd[] {
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as ContinuedEnd);
}
