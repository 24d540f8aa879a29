/** What is stored of the ends that studies/certificates.ts examines, and how to read it. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Certificate, RefineStep } from "lucid-sam/diagnostics";
import type { ConstantStep } from "./constant-answers.ts";

/** Ends as they were stored. */
export function readStalledEnds(file: string): StalledEnd[] {
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as StalledEnd);
}

/** What is known of one end. */
export interface StalledEnd {
  readonly rho: number;
  readonly seed: number;
  readonly certificate: Certificate;
  /** From x toward a zero of g⁺. */
  readonly refinement: Refined;
  /** From x⁺ toward a zero of g: the critical point that SAM sees. */
  readonly nearAscentPoint: Refined;
  /** What the network computes at x, at x⁺ and where the iteration from x⁺ ended. */
  readonly predictions: readonly [Predictions, Predictions, Predictions];
  /** From x toward an x whose ascent point answers all images alike, and what is there. */
  readonly constantAnswer: {
    readonly converged: boolean;
    readonly steps: readonly ConstantStep[];
    readonly certificate: Certificate | null;
  };
}

/** What a network answers. */
export interface Predictions {
  /** Largest |p − class frequency| over images and classes: 0 when every image gets the same guess. */
  readonly fromFrequencies: number;
  /** ‖Cov(labels, hidden features)‖: 0 when the features have nothing to tell about the labels. */
  readonly labelCovariance: number;
}

/** Where refining led, and why it ended. */
export interface Refined {
  readonly converged: boolean;
  readonly sentence: string;
  readonly steps: readonly RefineStep[];
}
