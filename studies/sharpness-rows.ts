/** What is stored of the sharpness of ends, and how to read it. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** The radius at which the rise of the loss is compared, whatever radius trained the network. */
export const commonRadius = 0.1;

/** How sharp the loss is where a run ended. */
export interface Sharpness {
  /** Identity of the run in its study. */
  readonly cell: string;
  /** f(x), in float64. */
  readonly loss: number;
  /** λ_max of H, and how far an eigenvalue may be from it. */
  readonly largestEigenvalue: number;
  readonly residual: number;
  /** f(x⁺) − f(x) at the common radius. */
  readonly rise: number;
  /** ‖x‖. */
  readonly norm: number;
}

/** Rows as studies/sharpness.ts stores them. */
export function readSharpness(file: string): Sharpness[] {
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Sharpness);
}
