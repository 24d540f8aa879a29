/** Theorems about hallucinated points, as checks one can run. */
import { attractionToPoint, attractionToSet, manifold } from "./attraction.ts";
import { drawnToSaddle, dynamics, exactGradient, inertia, rootFinding } from "./dynamics.ts";
import { constructions, convexity } from "./existence.ts";
import { outputBias } from "./output-bias.ts";
import type { TheoremRow } from "./shared.ts";
import {
  constructedRepel,
  continuation,
  fromPointsToSphere,
  fromSphereToPoints,
} from "./sphere.ts";

export type { TheoremRow } from "./shared.ts";

/** Run every check. `only` keeps statements that contain a text. */
export async function checkTheorems({
  only = "",
  onProgress,
}: {
  readonly only?: string | undefined;
  readonly onProgress?: (statement: string) => void;
} = {}): Promise<TheoremRow[]> {
  const rows: TheoremRow[] = [];
  for (const [statement, check] of Object.entries(checks)) {
    if (!statement.includes(only)) continue;
    onProgress?.(statement);
    rows.push(...(await check()));
  }
  return rows;
}

const checks: { readonly [statement: string]: () => Promise<TheoremRow[]> } = {
  "Proposition A.1": convexity,
  "Theorem 2.1": () => constructions("isolated"),
  "Theorem 2.2, Corollary A.6": () => constructions("ring"),
  "Theorem 3.1": manifold,
  "Theorem 3.2": attractionToSet,
  "Corollary B.3": attractionToPoint,
  Inertia: inertia,
  Dynamics: dynamics,
  "Drawn to a saddle": drawnToSaddle,
  "Sphere, from x⁺ = c": fromPointsToSphere,
  "Sphere, to x⁺ = c": fromSphereToPoints,
  "Constructed points repel": constructedRepel,
  Continuation: continuation,
  "Root finding": rootFinding,
  "Exact gradient": exactGradient,
  "Output bias": outputBias,
};
