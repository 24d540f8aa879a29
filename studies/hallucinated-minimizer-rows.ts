/** What is stored of the network in which SAM hallucinates. */
import type { Certificate, RefineStep } from "lucid-sam/diagnostics";
import type { MetricRow } from "lucid-sam/run";

/** What is kept. */
export interface HallucinatedMinimizer {
  readonly rho: number;
  readonly learningRate: number;
  readonly start: readonly number[];
  /** ‖x₀‖. */
  readonly startNorm: number;
  /** Every 1,000th step of the run. */
  readonly history: readonly Pick<
    MetricRow,
    "step" | "loss" | "shiftedLoss" | "gradNorm" | "shiftedGradNorm"
  >[];
  /** From the run at these steps toward a zero of g⁺. */
  readonly refined: readonly { readonly step: number; readonly log: readonly RefineStep[] }[];
  /** w, b, a, c at the zero. */
  readonly point: readonly number[];
  /** Of the zero. */
  readonly certificate: Certificate;
  /** All eigenvalues of H⁺, ascending. */
  readonly shiftedHessian: readonly number[];
  /** The same network from the starts that seeds 0 to 39 draw. */
  readonly others: readonly OtherStart[];
}

/** 20,000 steps from another start. */
export interface OtherStart {
  readonly seed: number;
  /** f after plain descent. */
  readonly descent: number;
  /** f after SAM, and the screen's verdict. */
  readonly sam: number;
  readonly screen: string;
  /** From SAM's end toward a zero of g⁺, where GradRatio is 0.05 or less there. */
  readonly refined: Pick<
    RefineStep,
    "loss" | "gradNorm" | "shiftedGradNorm" | "moved" | "products"
  > | null;
  /** What that zero is. */
  readonly verdict: string | null;
  readonly attracting: string | null;
}
